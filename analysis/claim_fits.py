"""The models behind the claims that need one: bends, a trend, a shift."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.breaks import BreakPosterior, break_posterior
from analysis.claim_evidence import Evidence
from analysis.claims import Claim
from analysis.design import build_design
from analysis.frames import outcome
from analysis.its import ITSResult, fit_its
from analysis.policies import PolicyShift, load_policy_shifts
from analysis.reml import fit_many


@dataclass(frozen=True)
class Rise:
    """Two bends in a series, the courses beside them, and which bend starts a rise."""

    posterior: BreakPosterior  # over pairs of months
    courses: pd.DataFrame  # as `fit_courses` gives them, at the likeliest pair

    @property
    def bend(self) -> Literal["first", "second"] | None:
        """The first bend after which the 95% interval of the trend lies above zero."""
        after = {"first": "trend between", "second": "trend after"}
        return next(
            (bend for bend, name in after.items() if self.courses.loc[name, "low"] > 0), None
        )

    @property
    def start(self) -> pd.Series:
        """The probability of each month as that bend; empty if no bend starts a rise."""
        probability = self.posterior.probability
        if self.bend is None:
            return pd.Series(dtype=float, index=pd.PeriodIndex([], freq="M"))
        return probability.groupby(level=self.bend).sum()

    @property
    def credible(self) -> pd.Index:
        """The 95% set of the start."""
        return BreakPosterior(self.start).credible

    @property
    def unseen(self) -> bool:
        """Whether it may be older: rising before, or a set that reaches the first month it can."""
        if self.bend is None:
            return False
        rising = self.bend == "first" and self.courses.loc["trend before", "low"] > 0
        return bool(rising) or self.start.index.min() in self.credible


def fit_rise(claim: Claim, evidence: Evidence, source: str) -> Rise:
    """Date two bends in a claim's window of one source, and fit the courses beside them."""
    start = claim[f"{source.lower()}_start"]
    window = evidence.series[source].loc[start : claim["end"]]
    posterior = break_posterior(window, 2)
    return Rise(posterior, fit_courses(window, posterior.mode))


def fit_courses(
    window: pd.DataFrame, bends: tuple[pd.Period, pd.Period], harmonics: int = 2
) -> pd.DataFrame:
    """Fit the trend before, between and after two bends in level and slope.

    Parameters
    ----------
    window : DataFrame
        Months with `deaths` and `person_years`.
    bends : tuple of Period
        First months of the second and of the third course.
    harmonics : int
        Sine and cosine pairs of the year.

    Returns
    -------
    DataFrame
        Rows `trend before`, `trend between`, `trend after`; columns as `fit_trend` gives them. The
        dates are taken as known.
    """
    first, second = (PolicyShift(f"bend-{month}", month) for month in bends)
    design = build_design(window.index, first, beside=(second,), harmonics=harmonics)
    slopes = ["trend", "slope", f"slope:{second.slug}"]
    contrasts = np.array([design.columns.isin(slopes[:count]) for count in (1, 2, 3)], dtype=float)
    trends = _in_percent(window, design, contrasts)
    return trends.set_axis(["trend before", "trend between", "trend after"])


def fit_trend(window: pd.DataFrame, harmonics: int = 2) -> pd.Series:
    """Fit a straight line to the log rate by the engine.

    Parameters
    ----------
    window : DataFrame
        Months with `deaths` and `person_years`.
    harmonics : int
        Sine and cosine pairs of the year.

    Returns
    -------
    Series
        `estimate` (median), `low`, `high` (95%), in percent per year.
    """
    design = build_design(window.index, harmonics=harmonics)
    return _in_percent(window, design, np.array([design.columns == "trend"], dtype=float)).iloc[0]


def fit_shift(claim: Claim, evidence: Evidence) -> ITSResult:
    """Fit the shift that a claim names, on INEGI's series."""
    return fit_its(evidence.series["INEGI"], load_policy_shifts()[claim["shift"]])


def split_term(claim: Claim, evidence: Evidence, source: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the months of the shift's window before it, and the claim's first months from it."""
    shift = load_policy_shifts()[claim["shift"]]
    series = evidence.series[source].loc[shift.start : shift.month + (claim["months"] - 1)]
    before = series.loc[: shift.month - 1]
    return before, series.iloc[len(before) :]


def _in_percent(window: pd.DataFrame, design: pd.DataFrame, contrasts: np.ndarray) -> pd.DataFrame:
    fit = fit_many(outcome(window, "log"), design.to_numpy(), contrasts)
    columns = {name: np.ravel(getattr(fit, name)) for name in ("estimate", "low", "high")}
    return 100 * np.expm1(pd.DataFrame(columns))
