"""Operations dealt out at random, quarter by quarter and one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.event_study import BIN, list_bins
from analysis.policies import PolicyShift
from analysis.randomisation import DRAWS, LEVEL, deal_histories, share_as_large
from analysis.stacked_poisson import fit_bins, fit_reassigned
from analysis.stacks import AFTER, BEFORE, Controls, lay_out


@dataclass(frozen=True)
class DealtEventStudy:
    """An event study among those of the same operations in other places."""

    bins: pd.DataFrame  # index `first_month`; estimate, low, high (95% of the dealt; percent), p
    lead_p: float  # of the leads together


def deal_event_study(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    *,
    before: int = BEFORE,
    after: int = AFTER,
    controls: Controls = "never",
    months: int = BIN,
    draws: int = DRAWS,
    seed: int = 0,
) -> DealtEventStudy:
    """Set each quarter's effect beside those of operations dealt out at random.

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
    DealtEventStudy
        `bins`: each bin against the reference bin, the range that holds 95% of the dealt ones (not
        an interval for the effect), and the share of all that are at least as large on the log
        scale. `lead_p` is the same share for the largest lead, each in units of the standard
        deviation of its dealt ones: a test of all leads at once that few treated places do not
        spoil.
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    dealt = deal_histories(layout, draws, seed)
    starts = np.array(list_bins(before, after, months))
    reference = list(starts).index(-months)
    bins = np.repeat(np.arange(len(starts)), months)
    logs = pd.DataFrame(fit_bins(layout, dealt, bins, reference), starts).drop(-months)
    logs = logs.rename_axis("first_month")
    band = 100 * np.expm1(logs.iloc[:, 1:].quantile([LEVEL / 2, 1 - LEVEL / 2], axis=1).T)
    table = pd.DataFrame(
        {
            "estimate": 100 * np.expm1(logs[0]),
            "low": band[LEVEL / 2],
            "high": band[1 - LEVEL / 2],
            "p": logs.apply(lambda row: share_as_large(row.to_numpy()), axis=1),
        }
    )
    leads = logs[logs.index < 0]
    size = leads.abs().div(leads.std(axis=1), axis=0).max()
    return DealtEventStudy(table, share_as_large(size.to_numpy()))


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
        Index `operation`; columns `places` (treated), `alone` (percent), `dealt_low` and
        `dealt_high` (where 95% of the dealt ones are), `p` and `without` (percent). `p` compares
        the estimate itself with those dealt out: with one treated place a clustered standard error
        means nothing.
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    dealt = deal_histories(layout, draws, seed)
    rows = {}
    for operation, experiment in zip(operations, layout.experiments, strict=True):
        alone = fit_reassigned(replace(layout, experiments=(experiment,)), dealt).estimate
        others = tuple(other for other in layout.experiments if other is not experiment)
        without = np.nan
        if others:
            left = replace(layout, experiments=others)
            without = fit_reassigned(left, dealt[:, :1]).estimate[0]
        low, high = np.nanquantile(alone[1:], [LEVEL / 2, 1 - LEVEL / 2])
        rows[operation.slug] = {
            "places": len(operation.places),
            "alone": 100 * np.expm1(alone[0]),
            "dealt_low": 100 * np.expm1(low),
            "dealt_high": 100 * np.expm1(high),
            "p": share_as_large(alone),
            "without": 100 * np.expm1(without),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("operation")
