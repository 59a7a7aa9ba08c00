"""The claims about a course, and the models behind them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.claims import rows
from analysis.claims.declared import Answer, Claim
from analysis.claims.evidence import DISCARDED, Evidence
from analysis.claims.rows import PERCENT_A_YEAR, Measured, answer, direction, make_row, name_cell
from analysis.engine.reml import fit_many
from analysis.its.breaks import BreakPosterior, break_posterior
from analysis.its.design import build_design
from analysis.its.result import ITSResult, fit_its
from analysis.its.series import as_percent, outcome, rate_of
from analysis.its.shifts import PolicyShift
from analysis.its.words import format_effect, name_trends
from analysis.mexico.shifts import load_policy_shifts


@dataclass(frozen=True)
class Rise:
    """Two bends in a series, the courses beside them, and which bend starts a rise."""

    posterior: BreakPosterior  # over pairs of months
    courses: pd.DataFrame  # as `fit_courses` gives them, at the likeliest pair

    @property
    def bend(self) -> Literal["first", "second"] | None:
        """The first bend after which the 95% interval of the trend lies above zero."""
        if self.courses.loc["trend between", "low"] > 0:
            return "first"
        return "second" if self.courses.loc["trend after", "low"] > 0 else None

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
    """Fit the trends around two bends, their months taken as known, as `fit_trend` gives one."""
    first, second = (PolicyShift(f"bend-{month}", month) for month in bends)
    design = build_design(window.index, first, beside=(second,), harmonics=harmonics)
    slopes = ["trend", "slope", f"slope:{second.slug}"]
    contrasts = np.array([design.columns.isin(slopes[:count]) for count in (1, 2, 3)], dtype=float)
    names = ["trend before", "trend between", "trend after"]
    return _in_percent(window, design, contrasts).set_axis(names)


def fit_trend(window: pd.DataFrame, harmonics: int = 2) -> pd.Series:
    """Fit a straight line to the log rate: `estimate`, `low`, `high` (95%), in percent a year."""
    design = build_design(window.index, harmonics=harmonics)
    return _in_percent(window, design, np.array([design.columns == "trend"], dtype=float)).iloc[0]


def fit_shift(claim: Claim, evidence: Evidence) -> ITSResult:
    """Fit the shift that a claim names, on INEGI's series."""
    return fit_its(evidence.series["INEGI"], load_policy_shifts()[claim["shift"]])


def split_term(claim: Claim, evidence: Evidence, source: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the months of the shift's window before it, and the claim's first months from it."""
    shift = load_policy_shifts()[claim["shift"]]
    series = evidence.series[source].loc[shift.start : shift.month + (claim["months"] - 1)]
    return series.loc[: shift.month - 1], series.loc[shift.month :]


def _in_percent(window: pd.DataFrame, design: pd.DataFrame, contrasts: np.ndarray) -> pd.DataFrame:
    fit = fit_many(outcome(window, "log"), design.to_numpy(), contrasts)
    columns = {name: np.ravel(getattr(fit, name)) for name in ("estimate", "low", "high")}
    return as_percent(pd.DataFrame(columns))


def measure_rise(claim: Claim, evidence: Evidence) -> Measured:
    """Measure when the rise began, and whether it still went on when the article was written."""
    made, said, year = [], [], claim["year"]
    decides = f"probability that the rise began in {year}"
    for source in claim.sources:
        cell, rise = rows.modelled_cell(evidence, source), fit_rise(claim, evidence, source)
        start, bends = rise.start, rise.posterior.mode
        inside = float(start[start.index.year == year].sum())
        holds = _answer_start(claim, rise, inside)
        made.append(make_row(cell, decides, inside, "probability", holds=holds))
        for name, trend in rise.courses.iterrows():
            holds = direction(trend, claim["alarming"]) if name == "trend after" else ""
            made.append(rows.interval_row(cell, name, trend, PERCENT_A_YEAR, holds))
        trends = [format_effect(trend, PERCENT_A_YEAR) for _, trend in rise.courses.iterrows()]
        before, between, after = trends
        said.append(
            f"{name_cell(cell)}: {_describe_start(rise, inside, year)}; the trend was {before} "
            f"until {bends[0] - 1}, {between} until {bends[1] - 1}, and {after} from then on"
        )
    return Measured(claim, rows.collect(made), decides, ". ".join(said) + ".")


def _answer_start(claim: Claim, rise: Rise, inside: float) -> Answer:
    if rise.start.empty:
        courses = rise.courses.loc[["trend between", "trend after"], "high"]
        return "no" if (courses < 0).all() else "cannot tell"
    undecided = rise.unseen or claim["unlikely"] <= inside <= claim["likely"]
    return "cannot tell" if undecided else answer(inside > claim["likely"])


def _describe_start(rise: Rise, inside: float, year: int) -> str:
    if rise.start.empty:
        return "no rise began, as neither bend is followed by a trend that is surely upward"
    unseen = ", but a rise may be older than this source can show" if rise.unseen else ""
    return (
        f"the likeliest start of the rise is {rise.start.idxmax()} (95% set: "
        f"{rows.name_months(rise.credible)}), with a probability of {inside:.3f} that it was in "
        f"{year}{unseen}"
    )


def measure_upsurge(claim: Claim, evidence: Evidence) -> Measured:
    """Measure the change of trend at the shift, by every estimator, and how far the rate rose."""
    result, base = fit_shift(claim, evidence), claim["year_before"]
    cell = rows.modelled_cell(evidence, "INEGI")
    slope = result.effects.loc["slope"]
    made = [rows.interval_row(cell, "change of trend", slope, PERCENT_A_YEAR, direction(slope))]
    compared = result.comparison.query("estimand == 'slope'").dropna(subset=["estimate"])
    answers = [direction(row) for _, row in compared.iterrows()]
    above = answers.count("yes")
    holds = "no" if "no" in answers else answer(above == len(compared), otherwise="cannot tell")
    made.append(make_row(cell, "estimators above zero", above, "estimators", holds=holds))
    excess = result.excess().loc["deaths"]
    made.append(rows.interval_row(cell, "deaths above the course before", excess, "deaths"))
    said = []
    for place, rates in rows.by_cell(claim, evidence, "rate", base):
        term = rates[(rates.index > base) & (rates.index <= claim["last_year"])]
        factor = term.max() / rates[base]
        massive = answer(factor >= claim["factor"])
        row = make_row(place, "highest rate over the rate before", factor, "times", holds=massive)
        made.append(row if place == cell else rows.only_part(row))  # only the months tell the trend
        if place[-1] != DISCARDED:
            part = "" if place == cell else "; on the doubling only"
            change = f"{rates[base]:.1f} to {term.max():.1f} in {term.idxmax()}{part}"
            said.append(f"{factor:.2f} times under {name_cell(place)} ({change})")
    trends = result.effects.loc[["pre_trend", "post_trend"], "estimate"]
    deaths = "no number of deaths that could be believed"
    if pd.notna(excess["estimate"]):
        ends = f"{excess['low']:,.0f} to {excess['high']:,.0f}"
        deaths = f"{excess['estimate']:,.0f} deaths above the course before ({ends})"
    warnings = ", ".join(flag.name.replace("_", " ") for flag in result.flags) or "none"
    finding = (
        f"{name_cell(cell)}: at {result.shift.when} the trend changed by "
        f"{format_effect(slope, PERCENT_A_YEAR)}, from {name_trends(*trends)}, and "
        f"{above} of {len(compared)} estimators have their interval above zero; over the term "
        f"{deaths}. The rate per 100,000 person-years rose {', '.join(said)}. "
        f"Warnings: {warnings}. This dates the rise and leaves its cause open."
    )
    return Measured(claim, rows.collect(made), "change of trend", finding)


def measure_two_years(claim: Claim, evidence: Evidence) -> Measured:
    """Measure whether the first months of a term lay higher than before, and whether they rose."""
    made, said = [], []
    for source in claim.sources:
        cell = rows.modelled_cell(evidence, source)
        parts = split_term(claim, evidence, source)
        sums = [part.sum() for part in (*parts, parts[0].iloc[-12:])]
        old, new, year = (rate_of(total["deaths"], total["person_years"]) for total in sums)
        trend = fit_trend(parts[1])
        holds = direction(trend, claim["noticeable"])
        made += [
            make_row(cell, "rate before", old, rows.RATE),
            make_row(cell, "rate of the last 12 months before", year, rows.RATE),
            make_row(cell, "rate within", new, rows.RATE, holds=answer(new > old)),
            rows.interval_row(cell, "trend within", trend, PERCENT_A_YEAR, holds),
        ]
        said.append(
            f"{name_cell(cell)}: {new:.1f} per 100,000 person-years against {old:.1f} from "
            f"{parts[0].index[0]} on ({year:.1f} in the last 12 months before), and a trend of "
            f"{format_effect(trend, PERCENT_A_YEAR)}"
        )
    finding = "; ".join(said) + ". Elevated is not the same as rising."
    return Measured(claim, rows.collect(made), "trend within", finding)
