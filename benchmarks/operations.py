"""Record how often inference on the joint operations rejects the truth: writes operations.csv.

    python benchmarks/operations.py

About twenty minutes. Simulated panels of 32 states with the real person-years of 2004-12..2009-12,
mean rates of 2000-2006 and the real dates, over 12 months and over 24; then the real months before
December 2006 with the operations reassigned at random.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import t as student_t

from analysis import load_policy_shifts, load_states
from analysis.its.shifts import PolicyShift
from analysis.operations.averages import NET, weigh_quarters
from analysis.operations.event_study import BIN, fit_event_study, list_bins
from analysis.operations.inversion import (
    ALPHA,
    draw_signs,
    fit_bins,
    fit_reassigned,
    flipped_scores,
    randomised_statistics,
    reassign_histories,
    share_as_large,
)
from analysis.operations.stacks import (
    BEFORE,
    Layout,
    first_operations,
    lay_out,
    stack_operations,
)
from benchmarks.recording import write_record

RECORD = Path(__file__).with_suffix(".csv")
SIMULATIONS, ROUNDS = 400, 999
BACK = range(-59, -36, 6)  # months: every window ends before December 2006


REGIONS = 4
BURN_IN = 100


@dataclass(frozen=True)
class World:
    """What the simulated panels have in common.

    The defaults are near the real states before 2006: their log rates stray from a common course
    by about 0.2 (median 0.17 by state), with an autocorrelation of 0.7 to 0.85 from month to month.
    """

    name: str
    ratio: float = 1.0  # of the rates under the operations
    rho: float = 0.7  # of every AR(1) error, by month
    sigma: float = 0.2  # of a state's own and regional log errors, in the middle
    uneven: float = 0.4  # log standard deviation of sigma between states
    regional: float = 1 / 3  # share of a state's variance that its region shares
    national: float = 0.15  # standard deviation of the national error, loaded by 0.5 to 1.5
    dispersion: float = 0.01  # squared coefficient of variation without memory
    spread: float = 0.0  # log standard deviation of the effect between places


def simulate_panel(
    panel: pd.DataFrame, operations: Sequence[PolicyShift], world: World, seed: int
) -> pd.DataFrame:
    """Return `panel`, sorted, with deaths simulated at its mean rates, and a known effect.

    Parameters
    ----------
    panel : DataFrame
        As for `stack_operations`, every place with the same months.
    operations : sequence of PolicyShift
        From their months on the rates of their places are `world.ratio` times as high on average.
    world : World
        Errors and effect.
    seed : int
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    person_years = panel["person_years"].unstack()
    n, periods = person_years.shape
    size = world.sigma * np.exp(world.uneven * rng.standard_normal((n, 1)))
    near = _errors(rng, REGIONS, periods, world.rho)[np.arange(n) % REGIONS]
    own = _errors(rng, n, periods, world.rho)
    loading = world.national * rng.uniform(0.5, 1.5, (n, 1))
    log_rate = size * (np.sqrt(world.regional) * near + np.sqrt(1 - world.regional) * own)
    log_rate += loading * _errors(rng, 1, periods, world.rho)
    middle = np.log(world.ratio) - world.spread**2 / 2  # the mean ratio is `world.ratio`
    for operation in operations:
        here = person_years.index.isin(operation.places)[:, None]
        effect = middle + world.spread * rng.standard_normal((n, 1))
        log_rate += np.where(here & (person_years.columns >= operation.month), effect, 0)
    total = panel.groupby(level=0)[["deaths", "person_years"]].sum()
    mean = (total["deaths"] / total["person_years"]).to_numpy()[:, None] * np.exp(log_rate)
    shape = 1 / world.dispersion
    deaths = rng.poisson(person_years.to_numpy() * mean * rng.gamma(shape, 1 / shape, mean.shape))
    return panel.sort_index().assign(deaths=deaths.ravel())  # the order of `unstack`


def _errors(rng: np.random.Generator, count: int, periods: int, rho: float) -> np.ndarray:
    """Stationary AR(1) errors of variance one, (count, periods)."""
    noise = rng.standard_normal((count, periods + BURN_IN))
    return np.sqrt(1 - rho**2) * lfilter([1], [1, -rho], noise, axis=1)[:, BURN_IN:]


METHODS = ("cluster_robust", "score_bootstrap", "randomisation", "net_of_the_rise")
SIGNS, REASSIGNED = 399, 199  # draws of each test


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
        As for `simulate_panel`.
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
        Columns `world`, `months` (`after`), `spread` (the world's), `method`,
        `truth_rejected` (percent: 100 less coverage), `mc_error`,
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
    """Reassign the operations at random in real months when nothing was done, and count rejections.

    Parameters
    ----------
    panel, operations
        As for `stack_operations`.
    shifts : sequence of int
        Months by which to move all operations, one round of reassignments each.
    after, draws, seed : int
        Months of the effect; reassignments in a round; seed.

    Returns
    -------
    DataFrame
        Columns as in `rejection_table`. The randomisation test would reject 5% by construction
        and is left out; reassignments of one panel are not independent, so there is no `mc_error`.

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
        reassigned = reassign_histories(layout, draws, seed)[:, 1:]
        fits = fit_reassigned(layout, reassigned)
        scores = fit_reassigned(layout, reassigned, fixed=0.0).scores
        sums = np.abs(draw_signs(layout, SIGNS, seed).T @ scores)
        boots.append((sums >= sums[0] * (1 - 1e-9)).mean(axis=0) <= ALPHA)
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
            months=after,
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
            reassigned = tuple(next(free) for _ in operation.places)
            month = operation.month + int(months)
            moved.append(PolicyShift(operation.slug, month, places=reassigned))
        study = fit_event_study(stack_operations(panel, moved, after=BIN))
        rejected.append(study.pre_trend["p"] <= ALPHA)
    share = 100 * np.mean(rejected)
    row = {"truth_rejected": share, "zero_rejected": share, "simulations": len(rejected)}
    name = {"world": "real months", "months": BEFORE, "method": "F test of the leads"}
    return pd.DataFrame([name | row])


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
        reassigned = reassign_histories(layout, REASSIGNED, draw)
        signs = draw_signs(layout, SIGNS, draw)
        fit, net = fit_reassigned(layout, layout.history[:, None]), _net(layout, reassigned, after)
        ends = net[0] - np.quantile(net[1:], [1 - ALPHA / 2, ALPHA / 2])
        found.append([fit.estimate[0], fit.se[0], net[0]])
        rejected.append(
            [
                (
                    abs(fit.estimate[0] - null) > _critical(layout) * fit.se[0],
                    share_as_large(flipped_scores(layout, signs, null)) <= ALPHA,
                    share_as_large(randomised_statistics(layout, reassigned, null)) <= ALPHA,
                    not ends[0] < null < ends[1],
                )
                for null in dict.fromkeys((truth, 0.0))
            ]
        )
    share = np.mean(rejected, axis=0)  # (nulls, methods)
    estimate, se, net = np.array(found).T
    each = np.array([estimate, estimate, estimate, net])
    return pd.DataFrame(
        {
            "world": world.name,
            "months": after,
            "spread": world.spread,
            "method": METHODS,
            "truth_rejected": 100 * share[0],
            "mc_error": 100 * np.sqrt(share[0] * (1 - share[0]) / simulations),
            "zero_rejected": 100 * share[-1],
            "bias": each.mean(axis=1) - truth,
            "sd": each.std(axis=1),
            "mean_se": [se.mean()] * 3 + [np.nan],
            "simulations": simulations,
        }
    )


def _net(layout: Layout, reassigned: np.ndarray, after: int) -> np.ndarray:
    """Return each reassignment's effect net of the line of its own leads, (R,)."""
    starts = pd.Index(list_bins(BEFORE, after, BIN))
    bins = np.repeat(np.arange(len(starts)), BIN)
    ratios = fit_bins(layout, reassigned, bins, starts.get_loc(-BIN))
    return weigh_quarters(starts, [after]).loc[(NET, after)].to_numpy() @ ratios


def _critical(layout: Layout) -> float:
    return student_t.ppf(1 - ALPHA / 2, len(layout.places) - 1)


WORLDS = (
    World("no effect"),
    World("+50%", ratio=1.5),
    World("+50%, different in every state", ratio=1.5, spread=0.3),
    World("no effect, longer memory", rho=0.9),
)
# Over two years the change differs by 0.4 between the states under the operations and by 0.3
# between the controls: a spread of the effects near 0.3, which eight states do not tell from 0.6.
LONG_WORLDS = (
    World("no effect"),
    World("none on average but different in every state", spread=0.3),
    World("none on average but very different", spread=0.5),
    World("+50% but very different", ratio=1.5, spread=0.5),
    World("none on average but most different and longer memory", rho=0.9, spread=0.6),
)


def record() -> pd.DataFrame:
    operations = first_operations(
        [shift for shift in load_policy_shifts().values() if shift.places != ("MX00",)]
    )
    states = load_states("inegi")
    months = states.index.get_level_values("month")
    before = states[months < pd.Period("2006-12", "M")]
    window = states[(months >= pd.Period("2004-12", "M")) & (months <= pd.Period("2009-12", "M"))]
    mean = before.groupby("state").sum().eval("deaths / person_years")
    expected = window["person_years"] * mean.reindex(window.index, level="state")
    panel, given = window.assign(deaths=expected), {"simulations": SIMULATIONS}
    simulated = rejection_table(panel, operations, WORLDS, **given)
    longer = rejection_table(panel, operations, LONG_WORLDS, after=24, **given)
    real = placebo_law_table(before, operations, BACK, draws=ROUNDS)
    leads = lead_test_table(before, operations, BACK)
    table = pd.concat([simulated, longer, real, leads], ignore_index=True)[simulated.columns]
    rounded = {"truth_rejected": 1, "mc_error": 1, "zero_rejected": 1}
    table = table.round(rounded | dict.fromkeys(["bias", "sd", "mean_se"], 3))
    write_record(table, RECORD)
    return table


if __name__ == "__main__":
    start = time.perf_counter()
    print(record().to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
