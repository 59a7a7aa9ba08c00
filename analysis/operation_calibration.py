"""How often each way of inference on the operations rejects what is true, by simulation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from analysis.event_study import BIN, fit_event_study
from analysis.operation_worlds import World, simulate_panel
from analysis.policies import PolicyShift
from analysis.randomisation import (
    LEVEL,
    deal_histories,
    draw_signs,
    flipped_scores,
    randomised_statistics,
    share_as_large,
)
from analysis.stacked_poisson import fit_reassigned
from analysis.stacks import Layout, lay_out, stack_operations

METHODS = ("cluster_robust", "score_bootstrap", "randomisation")
SIGNS, DEALS = 399, 199  # draws of each test


def rejection_table(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    worlds: Sequence[World],
    *,
    after: int = 12,
    simulations: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate panels and count how often the truth, and zero, are rejected at 5%.

    Parameters
    ----------
    panel, operations
        As for `analysis.operation_worlds.simulate_panel`.
    worlds : sequence of World
        One block of rows each.
    after : int
        Months of the effect.
    simulations : int
        Panels in each world.
    seed : int
        Of the first panel.

    Returns
    -------
    DataFrame
        Columns `world`, `method`, `truth_rejected` (percent: 100 less coverage), `mc_error`,
        `zero_rejected` (percent: power, where there is an effect), `bias` and `sd` (of the log rate
        ratio), `mean_se`, `simulations`.
    """
    return pd.concat(
        [_reject(panel, operations, world, after, simulations, seed) for world in worlds],
        ignore_index=True,
    )


def placebo_law_table(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    shifts: Sequence[int],
    *,
    after: int = 12,
    draws: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Deal the operations out at random in real months when nothing was done, and count rejections.

    Parameters
    ----------
    panel, operations
        As for `stack_operations`.
    shifts : sequence of int
        Months by which to move all operations, one round of deals each.
    after, draws, seed : int
        Months of the effect; deals in a round; seed.

    Returns
    -------
    DataFrame
        Columns as in `rejection_table`. The randomisation test would reject 5% by construction
        and is left out; deals of one panel are not independent, so there is no `mc_error`.

    References
    ----------
    Bertrand, M., Duflo, E. and Mullainathan, S. (2004). How much should we trust
    differences-in-differences estimates? Quarterly Journal of Economics 119, 249-275.
    doi:10.1162/003355304772839588
    """
    estimates, ses, boots = [], [], []
    for months in shifts:
        moved = [
            PolicyShift(operation.slug, operation.month + months, places=operation.places)
            for operation in operations
        ]
        layout = lay_out(panel, moved, after=after)
        dealt = deal_histories(layout, draws, seed)[:, 1:]
        fits = fit_reassigned(layout, dealt)
        scores = fit_reassigned(layout, dealt, fixed=0.0).scores
        sums = np.abs(draw_signs(layout, SIGNS, seed).T @ scores)
        boots.append((sums >= sums[0] * (1 - 1e-9)).mean(axis=0) <= LEVEL)
        estimates.append(fits.estimate)
        ses.append(fits.se)
    estimate, se = np.concatenate(estimates), np.concatenate(ses)
    rejected = {
        "cluster_robust": np.abs(estimate / se) > _critical(layout),
        "score_bootstrap": np.concatenate(boots),
    }
    rows = pd.DataFrame({"truth_rejected": {k: 100 * v.mean() for k, v in rejected.items()}})
    return (
        rows.rename_axis("method")
        .reset_index()
        .assign(
            world="real months",
            zero_rejected=rows["truth_rejected"].to_numpy(),
            bias=estimate.mean(),
            sd=estimate.std(),
            mean_se=se.mean(),
            simulations=len(estimate),
        )
    )


def lead_test_table(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    shifts: Sequence[int],
    *,
    draws: int = 60,
    seed: int = 0,
) -> pd.DataFrame:
    """Count how often the clustered F test of the leads rejects in real months without operations.

    Parameters
    ----------
    panel, operations, shifts, draws, seed
        As in `placebo_law_table`.

    Returns
    -------
    DataFrame
        One row with columns as in `rejection_table`.
    """
    rng, places = np.random.default_rng(seed), panel.index.unique(level=0).to_numpy()
    rejected = []
    for months in np.repeat(list(shifts), draws):
        free, moved = iter(rng.permutation(places)), []
        for operation in operations:
            dealt = tuple(next(free) for _ in operation.places)
            month = operation.month + int(months)
            moved.append(PolicyShift(operation.slug, month, places=dealt))
        study = fit_event_study(stack_operations(panel, moved, after=BIN))
        rejected.append(study.pre_trend["p"] <= LEVEL)
    share = 100 * np.mean(rejected)
    row = {"truth_rejected": share, "zero_rejected": share, "simulations": len(rejected)}
    return pd.DataFrame([{"world": "real months", "method": "F test of the leads"} | row])


def _reject(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    world: World,
    after: int,
    simulations: int,
    seed: int,
) -> pd.DataFrame:
    truth, found, rejected = np.log(world.ratio), [], []
    for draw in range(seed, seed + simulations):
        layout = lay_out(simulate_panel(panel, operations, world, draw), operations, after=after)
        dealt, signs = deal_histories(layout, DEALS, draw), draw_signs(layout, SIGNS, draw)
        fit = fit_reassigned(layout, layout.history[:, None])
        found.append([fit.estimate[0], fit.se[0]])
        rejected.append(
            [
                (
                    abs(fit.estimate[0] - null) > _critical(layout) * fit.se[0],
                    share_as_large(flipped_scores(layout, signs, null)) <= LEVEL,
                    share_as_large(randomised_statistics(layout, dealt, null)) <= LEVEL,
                )
                for null in dict.fromkeys((truth, 0.0))
            ]
        )
    share = np.mean(rejected, axis=0)  # (nulls, methods)
    estimate, se = np.array(found).T
    return pd.DataFrame(
        {
            "world": world.name,
            "method": METHODS,
            "truth_rejected": 100 * share[0],
            "mc_error": 100 * np.sqrt(share[0] * (1 - share[0]) / simulations),
            "zero_rejected": 100 * share[-1],
            "bias": estimate.mean() - truth,
            "sd": estimate.std(),
            "mean_se": se.mean(),
            "simulations": simulations,
        }
    )


def _critical(layout: Layout) -> float:
    return student_t.ppf(1 - LEVEL / 2, len(layout.places) - 1)
