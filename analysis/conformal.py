"""Conformal intervals for a synthetic control, and how often those of the donors hold zero."""

import numpy as np
import pandas as pd
from pysyncon.base import BaseSynth
from pysyncon.inference import ConformalInference

from analysis.synthetic import check_rates, fit_synthetic, simplex_weights
from analysis.synthetic_placebos import LEVEL


def conformal_intervals(
    rates: pd.DataFrame, treated: str, *, first_year: int, level: float = LEVEL
) -> pd.DataFrame:
    """Return the gap of every year from the change on with conformal intervals, by pysyncon.

    Parameters
    ----------
    rates, treated, first_year
        As in `fit_synthetic`.
    level : float
        Share of intervals that should hold the truth, if the gaps of all years could change places.

    Returns
    -------
    DataFrame
        Index years; `estimate`, `low`, `high`. An effect is inside if, with it taken away and the
        weights fitted anew to the years before and this one, this year's gap is not among the
        largest. Ends are infinite where the years before are too few.

    Notes
    -----
    Gaps that wander cannot change places: these intervals are then too short, the more so the
    later the year (`placebo_countries` does not depend on it). ``Synth.confidence_interval`` of
    pysyncon 1.7.0, with fixed predictor weights, does not fit anew and is shorter still.

    References
    ----------
    Chernozhukov, V., Wüthrich, K. and Zhu, Y. (2021). An exact and robust conformal inference
    method for counterfactual and synthetic controls. Journal of the American Statistical
    Association 116, 1849-1864. doi:10.1080/01621459.2021.1920957
    """
    control = fit_synthetic(rates, treated, first_year=first_year)
    donors, own = rates.drop(columns=treated), rates[treated].astype(float)
    table = control.after.to_frame("estimate").assign(low=-np.inf, high=np.inf)
    before, alpha = list(control.before.index), round(1 - level, 12)
    if 1 / (len(before) + 1) > alpha:
        return table
    model = _OutcomeSynth()
    model.W = control.weights.to_numpy()
    tolerance = own.loc[before].std() / 1000
    found = ConformalInference().confidence_intervals(
        alpha=alpha,
        scm=model,
        Z0=donors,
        Z1=own,
        pre_periods=before,
        post_periods=list(table.index),
        tol=tolerance,
        step_sz=100 * tolerance,
        max_iter=500,
        verbose=False,
    )
    return table.assign(low=found["lower_ci"], high=found["upper_ci"])


def conformal_p(
    rates: pd.DataFrame, treated: str, *, first_year: int, effect: float = 0.0
) -> pd.Series:
    """Return by year the p-value that `conformal_intervals` inverts, for one size of effect."""
    check_rates(rates, treated, first_year)
    before = list(rates.loc[: first_year - 1].index)
    p = {}
    for year in rates.loc[first_year:].index:
        part = rates.loc[[*before, year]].astype(float)
        own, donors = part.pop(treated).to_numpy(copy=True), part.to_numpy()
        own[-1] -= effect
        size = np.abs(own - donors @ simplex_weights(donors, own))
        p[year] = float((size >= size[-1]).mean())
    return pd.Series(p, name="p")


def conformal_coverage(
    rates: pd.DataFrame, treated: str, *, first_year: int, level: float = LEVEL
) -> float:
    """Return the share of the donors' conformal intervals, over donors and years, that hold zero.

    Nothing is known to have happened to the donors: a share far below `level` says that the
    intervals of the treated unit are too short as well, or that the donors had shocks of their own.
    """
    donors = rates.drop(columns=treated)
    p = [conformal_p(donors, unit, first_year=first_year) for unit in donors]
    return float((np.array(p) > round(1 - level, 12)).mean())


class _OutcomeSynth(BaseSynth):
    """What pysyncon's conformal inference refits: outcomes in, weights out.

    Not pysyncon's own Synth: its optimiser was seen to stop far from the minimum without a word,
    and its weights do not move when only the outcomes do.
    """

    def fit(self, Z0: pd.DataFrame, Z1: pd.Series) -> None:
        self.W = simplex_weights(Z0.to_numpy(dtype=float), Z1.to_numpy(dtype=float))
