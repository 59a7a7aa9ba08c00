"""Score bootstrap and randomisation inference, where few places are treated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from analysis.checks import check_seed, check_whole
from analysis.its.series import as_percent
from analysis.its.shifts import PolicyShift
from analysis.operations.event_study import BIN, list_bins
from analysis.operations.poisson import fit_bins, fit_reassigned
from analysis.operations.stacks import AFTER, BEFORE, Controls, Layout, lay_out

ALPHA = 0.05
DRAWS = 999
FINE = 0.002  # interval ends are found to this log rate ratio
TIED = 1e-9
FARTHEST = 5.0  # beyond a log rate ratio so far from the estimate an interval counts as open


@dataclass(frozen=True)
class Randomisation:
    """The real estimate among those of operations reassigned at random."""

    estimate: float  # percent
    p: float
    low: float  # percent; -100 or infinite where the interval is open
    high: float
    placebo: np.ndarray = field(repr=False)  # (draws,): percent, of the same counts reassigned
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
    """Reassign the operations to other places, dates and group sizes kept, and compare.

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
    reassigned = reassign_histories(layout, draws, seed)
    fits = fit_reassigned(layout, reassigned)
    t = fits.estimate / fits.se
    b, se = fits.estimate[0], fits.se[0]
    low, high = -np.inf, np.inf
    if interval:
        low, high = invert_test(lambda null: randomised_statistics(layout, reassigned, null), b, se)
    percent = as_percent(np.array([b, low, high]))
    placebo = as_percent(fits.estimate[1:])
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
    percent = as_percent(np.array([fit.estimate[0], low, high]))
    p = share_as_large(flipped_scores(layout, signs, 0.0))
    return pd.Series([*percent, p], ["estimate", "low", "high", "p"])


def reassign_histories(layout: Layout, draws: int, seed: int) -> np.ndarray:
    """Return the real histories and `draws` permutations of them, shape (n, 1 + draws)."""
    check_whole(draws, "draws", 1)
    rng = np.random.default_rng(check_seed(seed))
    reassigned = np.tile(layout.history[:, None], (1, draws + 1))
    reassigned[:, 1:] = rng.permuted(reassigned[:, 1:], axis=0)
    return reassigned


def draw_signs(layout: Layout, draws: int, seed: int) -> np.ndarray:
    """Return ones and `draws` columns of random signs by place, shape (n, 1 + draws)."""
    check_whole(draws, "draws", 1)
    rng = np.random.default_rng(check_seed(seed))
    signs = rng.choice([-1.0, 1.0], (len(layout.places), draws + 1))
    signs[:, 0] = 1
    return signs


def randomised_statistics(layout: Layout, reassigned: np.ndarray, null: float) -> np.ndarray:
    """Return the t statistic of every reassignment, the real one first, if the truth is `null`.

    The constant log rate ratio is taken out of the counts where the operations really were: what
    is left is what every reassignment of them would have seen.
    """
    fits = fit_reassigned(layout, reassigned, effect=null)
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
    most = int(ALPHA * len(size) + TIED)  # so many, the real one among them, may be as large
    return abs(statistics[0]) / size[most] - 1 if most else -1.0


@dataclass(frozen=True)
class ReassignedEventStudy:
    """An event study among those of the same operations in other places."""

    bins: (
        pd.DataFrame
    )  # index `first_month`; estimate, low, high (95% of the reassigned; percent), p
    lead_p: float  # of the leads together


def reassign_event_study(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    *,
    before: int = BEFORE,
    after: int = AFTER,
    controls: Controls = "never",
    months: int = BIN,
    draws: int = DRAWS,
    seed: int = 0,
) -> ReassignedEventStudy:
    """Set each quarter's effect beside those of operations reassigned at random.

    Parameters
    ----------
    panel, operations, before, after, controls
        As in `stack_operations`.
    months : int
        Length of a bin; the one before the operation is the reference.
    draws, seed : int
        Reassignments, and their seed.

    Returns
    -------
    ReassignedEventStudy
        `bins`: each bin against the reference bin, the range that holds 95% of the reassigned ones
        (not an interval for the effect), and the share of all that are at least as large on the log
        scale. `lead_p` is the same share for the largest lead, each in units of the standard
        deviation of its reassigned ones: a test of all leads at once that few treated places do not
        spoil.
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    reassigned = reassign_histories(layout, draws, seed)
    starts = np.array(list_bins(before, after, months))
    reference = list(starts).index(-months)
    bins = np.repeat(np.arange(len(starts)), months)
    logs = pd.DataFrame(fit_bins(layout, reassigned, bins, reference), starts).drop(-months)
    logs = logs.rename_axis("first_month")
    band = as_percent(logs.iloc[:, 1:].quantile([ALPHA / 2, 1 - ALPHA / 2], axis=1).T)
    table = pd.DataFrame(
        {
            "estimate": as_percent(logs[0]),
            "low": band[ALPHA / 2],
            "high": band[1 - ALPHA / 2],
            "p": logs.apply(lambda row: share_as_large(row.to_numpy()), axis=1),
        }
    )
    leads = logs[logs.index < 0]
    size = leads.abs().div(leads.std(axis=1), axis=0).max()
    return ReassignedEventStudy(table, share_as_large(size.to_numpy()))


deal_event_study = reassign_event_study  # its former name


def vary_operations(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    *,
    before: int = BEFORE,
    after: int = 12,
    controls: Controls = "never",
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate the average effect of each operation alone, and of all others without it.

    Parameters
    ----------
    panel, operations, before, after, controls, draws, seed
        As in `randomisation_test`. A place of an operation that is left out is no control either.

    Returns
    -------
    DataFrame
        Index `operation`; columns `places` (treated), `alone` (percent), `reassigned_low` and
        `reassigned_high` (where 95% of the reassigned ones are), `p` and `without` (percent). `p`
        compares the estimate itself with the reassigned ones: with one treated place a clustered
        standard error means nothing.
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    reassigned = reassign_histories(layout, draws, seed)
    rows = {}
    for operation, experiment in zip(operations, layout.experiments, strict=True):
        alone = fit_reassigned(replace(layout, experiments=(experiment,)), reassigned).estimate
        others = tuple(other for other in layout.experiments if other is not experiment)
        without = np.nan
        if others:
            left = replace(layout, experiments=others)
            without = fit_reassigned(left, reassigned[:, :1]).estimate[0]
        low, high = np.nanquantile(alone[1:], [ALPHA / 2, 1 - ALPHA / 2])
        rows[operation.slug] = {
            "places": len(operation.places),
            "alone": as_percent(alone[0]),
            "reassigned_low": as_percent(low),
            "reassigned_high": as_percent(high),
            "p": share_as_large(alone),
            "without": as_percent(without),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("operation")
