"""Inference where few places are treated: score wild cluster bootstrap and randomisation test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from analysis.checks import check_seed, check_whole
from analysis.policies import PolicyShift
from analysis.stacked_poisson import fit_reassigned
from analysis.stacks import AFTER, BEFORE, Controls, Layout, lay_out

LEVEL = 0.05
DRAWS = 999
FINE = 0.002  # interval ends are found to this log rate ratio
TIED = 1e-9
FARTHEST = 5.0  # beyond a log rate ratio so far from the estimate an interval counts as open


@dataclass(frozen=True)
class Randomisation:
    """The real estimate among those of operations dealt out at random."""

    estimate: float  # percent
    p: float
    low: float  # percent; -100 or infinite where the interval is open
    high: float
    placebo: np.ndarray = field(repr=False)  # (draws,): percent, of the same counts dealt anew
    statistic: float  # estimate / its clustered standard error, on the log scale
    placebo_statistic: np.ndarray = field(repr=False)  # (draws,)

    @property
    def row(self) -> pd.Series:
        """`estimate`, `low`, `high` (percent) and `p`."""
        names = ["estimate", "low", "high", "p"]
        return pd.Series({name: getattr(self, name) for name in names}, dtype=float)


def randomisation_test(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    *,
    before: int = BEFORE,
    after: int = AFTER,
    controls: Controls = "never",
    draws: int = DRAWS,
    seed: int = 0,
    interval: bool = True,
) -> Randomisation:
    """Deal the operations out to other places, dates and group sizes kept, and compare.

    Parameters
    ----------
    panel, operations, before, after, controls
        As in `stack_operations`; the effect is the average over the `after` months.
    draws : int
        Reassignments: permutations of the places' histories of operations.
    seed : int
        Of the draws.
    interval : bool
        Also find the constant rate ratios that the test does not reject.

    Returns
    -------
    Randomisation
        `p` is the share of all assignments, the real one included, whose t statistic is at least
        as large in absolute value; it cannot fall below 1 / (draws + 1).

    References
    ----------
    MacKinnon, J. G. and Webb, M. D. (2020). Randomization inference for difference-in-differences
    with few treated clusters. Journal of Econometrics 218, 435-450.
    doi:10.1016/j.jeconom.2020.04.024
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    dealt = deal_histories(layout, draws, seed)
    fits = fit_reassigned(layout, dealt)
    t = fits.estimate / fits.se
    b, se = fits.estimate[0], fits.se[0]
    low, high = -np.inf, np.inf
    if interval:
        low, high = invert_test(lambda null: randomised_statistics(layout, dealt, null), b, se)
    percent = 100 * np.expm1(np.array([b, low, high]))
    placebo = 100 * np.expm1(fits.estimate[1:])
    return Randomisation(percent[0], share_as_large(t), *percent[1:], placebo, t[0], t[1:])


def score_bootstrap(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    *,
    before: int = BEFORE,
    after: int = AFTER,
    controls: Controls = "never",
    draws: int = 9_999,
    seed: int = 0,
) -> pd.Series:
    """Test and interval by flipping the signs of the places' scores, with the null imposed.

    Parameters
    ----------
    panel, operations, before, after, controls
        As in `stack_operations`; the effect is the average over the `after` months.
    draws : int
        Rademacher draws.
    seed : int
        Of the draws.

    Returns
    -------
    Series
        `estimate`, `low`, `high` (percent) and `p`; an end that no null closes is -100 or infinite.

    References
    ----------
    Kline, P. and Santos, A. (2012). A score based approach to wild bootstrap inference. Journal of
    Econometric Methods 1, 23-41. doi:10.1515/2156-6674.1006
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    signs = draw_signs(layout, draws, seed)
    fit = fit_reassigned(layout, layout.history[:, None])
    low, high = invert_test(
        lambda null: flipped_scores(layout, signs, null), fit.estimate[0], fit.se[0]
    )
    percent = 100 * np.expm1(np.array([fit.estimate[0], low, high]))
    p = share_as_large(flipped_scores(layout, signs, 0.0))
    return pd.Series([*percent, p], ["estimate", "low", "high", "p"])


def deal_histories(layout: Layout, draws: int, seed: int) -> np.ndarray:
    """Return the real histories and `draws` permutations of them, shape (n, 1 + draws)."""
    check_whole(draws, "draws", 1)
    rng = np.random.default_rng(check_seed(seed))
    dealt = np.tile(layout.history[:, None], (1, draws + 1))
    dealt[:, 1:] = rng.permuted(dealt[:, 1:], axis=0)
    return dealt


def draw_signs(layout: Layout, draws: int, seed: int) -> np.ndarray:
    """Return ones and `draws` columns of random signs by place, shape (n, 1 + draws)."""
    check_whole(draws, "draws", 1)
    rng = np.random.default_rng(check_seed(seed))
    signs = rng.choice([-1.0, 1.0], (len(layout.places), draws + 1))
    signs[:, 0] = 1
    return signs


def randomised_statistics(layout: Layout, dealt: np.ndarray, null: float) -> np.ndarray:
    """Return the t statistic of every deal, the real one first, if the truth is `null`.

    The constant log rate ratio is taken out of the counts where the operations really were: what
    is left is what every deal of them would have seen.
    """
    fits = fit_reassigned(layout, dealt, effect=null)
    return fits.estimate / fits.se


def flipped_scores(layout: Layout, signs: np.ndarray, null: float) -> np.ndarray:
    """Return the sum of the places' scores at the model restricted to `null`, under every sign.

    With signs as weights the studentised statistic rises with the absolute sum, so that the sum
    alone gives the same p.
    """
    scores = fit_reassigned(layout, layout.history[:, None], fixed=null).scores
    return scores[:, 0] @ signs


def share_as_large(statistics: np.ndarray) -> float:
    """Return the share of all, the real one first, that are at least as large in absolute value.

    One that has no answer, for want of deaths, counts as larger: it cannot speak for an effect.
    """
    size = np.abs(statistics)
    return float(((size >= size[0] * (1 - TIED)) | np.isnan(size)).mean())


def invert_test(
    statistics: Callable[[float], np.ndarray], estimate: float, se: float
) -> tuple[float, float]:
    """Return the lowest and highest null that is not rejected at 5%, around the estimate."""

    def reach(side: int) -> float:
        def margin(distance: float) -> float:
            return _margin(statistics(estimate + side * distance))

        inside, outside = 0.0, 2.5 * se
        while margin(outside) < 0:
            inside, outside = outside, 1.6 * outside
            if outside > FARTHEST:
                return np.inf
        return brentq(margin, inside, outside, xtol=FINE)

    return estimate - reach(-1), estimate + reach(1)


def _margin(statistics: np.ndarray) -> float:
    """How far the real statistic is beyond the critical one: above zero where p is 5% or less."""
    size = np.sort(np.abs(statistics))[::-1]
    most = int(LEVEL * len(size) + TIED)  # so many, the real one among them, may be as large
    return abs(statistics[0]) / size[most] - 1 if most else -1.0
