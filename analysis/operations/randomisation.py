"""Score bootstrap and randomisation inference, where few places are treated."""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import pandas as pd

from analysis.arguments import Count, Months, Seed, checked
from analysis.checks import OneLine
from analysis.its.series import as_percent
from analysis.operations import inversion
from analysis.operations.event_study import ALPHA, BIN, ESTIMATE, list_bins
from analysis.operations.inversion import fit_reassigned, reassign_histories, share_as_large
from analysis.operations.stacks import AFTER, BEFORE, Controls, Operations, lay_out

DRAWS = 999


@dataclass(frozen=True, repr=False)
class Randomisation(OneLine):
    """The real estimate among those of operations reassigned at random."""

    HOW: ClassVar[str] = "use randomisation_test(panel, operations)"
    estimate: float  # percent
    p: float
    low: float  # percent; -100 or infinite where the interval is open
    high: float
    placebo: np.ndarray  # (draws,): percent, of the same counts reassigned

    @property
    def row(self) -> pd.Series:
        """`estimate`, `low`, `high` (percent) and `p`."""
        return pd.Series(vars(self))[ESTIMATE].astype(float)


@checked
def randomisation_test(
    panel: pd.DataFrame,
    operations: Operations,
    *,
    before: Months = BEFORE,
    after: Months = AFTER,
    controls: Controls = "never",
    draws: Count = DRAWS,
    seed: Seed = 0,
    interval: bool = True,
) -> Randomisation:
    """Reassign the operations to other places, dates and group sizes kept, and compare.

    Parameters
    ----------
    panel, operations, before, after, controls
        As in `stack_operations`; the effect is the average over the `after` months.
    draws, seed : int
        Reassignments, permutations of the places' histories of operations, and their seed.
    interval : bool
        Also find the constant rate ratios that the test does not reject.

    Returns
    -------
    Randomisation
        `p` is the share of all assignments, the real one included, whose t statistic is at least
        as large in absolute value; it cannot fall below 1 / (draws + 1).

    References
    ----------
    MacKinnon and Webb (2020), J. Econometrics 218, 435-450, doi:10.1016/j.jeconom.2020.04.024
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    reassigned = reassign_histories(layout, draws, seed)
    fits = fit_reassigned(layout, reassigned)
    ends = -np.inf, np.inf
    if interval:
        statistics = partial(inversion.randomised_statistics, layout, reassigned)
        ends = inversion.invert_test(statistics, fits.estimate[0], fits.se[0])
    percent, (low, high) = as_percent(fits.estimate), as_percent(np.array(ends))
    p = share_as_large(inversion.t_statistics(fits))
    return Randomisation(percent[0], p, low, high, percent[1:])


@checked
def score_bootstrap(
    panel: pd.DataFrame,
    operations: Operations,
    *,
    before: Months = BEFORE,
    after: Months = AFTER,
    controls: Controls = "never",
    second: Operations = (),
    draws: Count = 9_999,
    seed: Seed = 0,
) -> pd.Series:
    """Test and interval by flipping the signs of the places' scores, with the null imposed.

    Parameters
    ----------
    panel, operations, before, after, controls
        As in `stack_operations`; the effect is the average over the `after` months.
    second : sequence of PolicyShift
        A treated place's months end where one of these comes later.
    draws, seed : int
        Rademacher draws, and their seed.

    Returns
    -------
    Series
        `estimate`, `low`, `high` (percent) and `p`; an end that no null closes is -100 or infinite.

    References
    ----------
    Kline and Santos (2012), Journal of Econometric Methods 1, 23-41, doi:10.1515/2156-6674.1006
    """
    window = {"before": before, "after": after, "controls": controls, "second": second}
    layout = lay_out(panel, operations, **window)
    scores = partial(inversion.flipped_scores, layout, inversion.draw_signs(layout, draws, seed))
    fit = fit_reassigned(layout, layout.history[:, None])
    inversion.t_statistics(fit)  # asks if there is an error at all
    ends = inversion.invert_test(scores, fit.estimate[0], fit.se[0])
    percent = as_percent(np.array([fit.estimate[0], *ends]))
    return pd.Series([*percent, share_as_large(scores(0.0))], ESTIMATE)


@dataclass(frozen=True, repr=False)
class ReassignedEventStudy(OneLine):
    """An event study among those of the same operations in other places."""

    HOW: ClassVar[str] = "use reassign_event_study(panel, operations)"
    # index `first_month`; columns estimate, low, high (95% of the reassigned; percent), p
    bins: pd.DataFrame
    lead_p: float  # of the leads together
    log_ratios: pd.DataFrame  # (bins, 1 + draws), the real ones first


@checked
def reassign_event_study(
    panel: pd.DataFrame,
    operations: Operations,
    *,
    before: Months = BEFORE,
    after: Months = AFTER,
    controls: Controls = "never",
    months: Months = BIN,
    draws: Count = DRAWS,
    seed: Seed = 0,
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
        scale. `lead_p` is the same share for the largest lead, in standard deviations of its
        reassigned ones: a test of all leads at once that few treated places do not spoil.
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    reassigned = reassign_histories(layout, draws, seed)
    starts = list_bins(before, after, months)
    bins = np.repeat(np.arange(len(starts)), months)
    ratios = inversion.fit_bins(layout, reassigned, bins, starts.index(-months))
    every = pd.DataFrame(ratios, pd.Index(starts, name="first_month"))
    logs = every.drop(-months)
    band = logs.iloc[:, 1:].quantile([ALPHA / 2, 1 - ALPHA / 2], axis=1).T
    table = as_percent(band.set_axis(["low", "high"], axis=1))
    table.insert(0, "estimate", as_percent(logs[0]))
    table["p"] = logs.apply(lambda row: share_as_large(row.to_numpy()), axis=1)
    leads = logs[logs.index < 0]
    size = leads.abs().div(leads.std(axis=1), axis=0).max()
    return ReassignedEventStudy(table, share_as_large(size.to_numpy()), every)


deal_event_study = reassign_event_study  # its former name


@checked
def vary_operations(
    panel: pd.DataFrame,
    operations: Operations,
    *,
    before: Months = BEFORE,
    after: Months = 12,
    controls: Controls = "never",
    draws: Count = DRAWS,
    seed: Seed = 0,
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
        `reassigned_high` (where 95% of the reassigned are), `p` and `without` (percent). `p` is of
        the estimate itself: with one treated place a clustered standard error means nothing.
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    reassigned = reassign_histories(layout, draws, seed)
    rows = {}
    for operation, experiment in zip(operations, layout.experiments, strict=True):
        alone = fit_reassigned(replace(layout, experiments=(experiment,)), reassigned).estimate
        without = np.nan
        if others := tuple(other for other in layout.experiments if other is not experiment):
            left = replace(layout, experiments=others)
            without = fit_reassigned(left, reassigned[:, :1]).estimate[0]
        band = np.nanquantile(alone[1:], [ALPHA / 2, 1 - ALPHA / 2])
        *percent, left = (as_percent(effect) for effect in (alone[0], *band, without))
        rows[operation.slug] = [len(operation.places), *percent, share_as_large(alone), left]
    columns = ["places", "alone", "reassigned_low", "reassigned_high", "p", "without"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("operation")
