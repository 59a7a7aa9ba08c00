"""Record how often the pooled intervals hold the truth: writes pooling.csv beside this file.

    python benchmarks/pooling.py

About twenty minutes on two cores. Panels of twelve places and 120 months are simulated, places of
unequal size, with effects that differ between places and errors that are partly shared.
"""

import os
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.checks import check_whole
from analysis.engine.executors import open_executor
from analysis.engine.processes import FEWEST, simulate_errors
from analysis.its.shifts import PolicyShift
from analysis.places.effects import fit_places
from analysis.places.pooling import pool_places

RHO, SHARED, SIMULATIONS = (0.4, 0.8), (0.0, 0.5), 100
RECORD = Path(__file__).with_suffix(".csv")


MONTHS, SIZES = 120, np.geomspace(3, 300, 12)  # expected deaths in a month, place by place
DISTURBANCE = 0.3  # standard deviation of the AR(1) disturbance of a log rate
SLOPE, LEVEL, BETWEEN = 0.1, 0.0, 0.1  # mean effects, their standard deviation between places
COLUMNS = ["rho", "shared", "method", "estimand", "target", "coverage", "mc_error", "width"]


def simulate_panel(
    rng: np.random.Generator, *, rho: float, shared: float, shift_at: int = MONTHS // 2
) -> tuple[pd.DataFrame, PolicyShift, pd.DataFrame]:
    """Simulate counts of places whose effects are known and whose errors are partly shared.

    Parameters
    ----------
    rng : numpy Generator
    rho : float
        Autocorrelation of the disturbances at lag one.
    shared : float
        Correlation of the disturbances of any two places.
    shift_at : int
        Position of the shift.

    Returns
    -------
    panel, shift, truth
        The panel as `analysis.fit_places` takes it, the shift, and by place the true `level` and
        `slope` on the log scale.
    """
    months = pd.period_range("2000-01", periods=MONTHS, freq="M", name="month")
    places = [f"P{number:02d}" for number in range(1, len(SIZES) + 1)]
    errors = simulate_errors("ar1", MONTHS, len(SIZES) + 1, rng, rho=rho)
    errors *= DISTURBANCE * np.sqrt(1 - rho**2)
    disturbance = np.sqrt(shared) * errors[:, :1] + np.sqrt(1 - shared) * errors[:, 1:]
    truth = pd.DataFrame(
        {
            name: mean + BETWEEN * rng.standard_normal(len(SIZES))
            for name, mean in (("level", LEVEL), ("slope", SLOPE))
        },
        index=places,
    )
    since = np.arange(MONTHS) - shift_at
    log_rate = (
        disturbance
        + np.multiply.outer(since >= 0, truth["level"].to_numpy())
        + np.multiply.outer(np.maximum(since, 0) / 12, truth["slope"].to_numpy())
    )
    deaths = rng.poisson(SIZES * np.exp(log_rate))
    index = pd.MultiIndex.from_product([places, months], names=["place", "month"])
    panel = pd.DataFrame({"deaths": deaths.T.ravel(), "person_years": 1e5}, index=index)
    return panel, PolicyShift("simulated", months[shift_at]), truth


def pooling_coverage(
    *, rho: float, shared: float, simulations: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Return how often nominal 95% pooled intervals hold what they are about.

    Parameters
    ----------
    rho, shared : float
        As in `simulate_panel`.
    simulations : int
        Panels.
    seed : int

    Returns
    -------
    DataFrame
        By `method` and `estimand` (level, slope): `target` (*average*: the mean of the places'
        true effects; *mean*: that of the effects they were drawn from), `coverage` and `mc_error`
        (its Monte Carlo error; both percent), `width` (median, percent of the rate).
    """
    rows = []
    for number in range(check_whole(simulations, "simulations", FEWEST)):
        rng = np.random.default_rng([seed, number, round(1000 * rho), round(1000 * shared)])
        panel, shift, truth = simulate_panel(rng, rho=rho, shared=shared)
        fitted = fit_places(panel, shift, harmonics=0, beside=())
        for estimand, mean in (("level", LEVEL), ("slope", SLOPE)):
            pooled = pool_places(fitted, estimand)
            targets = {"average": truth[estimand].mean(), "mean": mean}
            rows += list(_covered(pooled, estimand, targets))
    long = pd.DataFrame(rows, columns=["method", "estimand", "target", "held", "width"])
    by = long.groupby(["method", "estimand", "target"], sort=False)
    share = by["held"].mean()
    table = pd.DataFrame(
        {
            "coverage": 100 * share,
            "mc_error": 100 * np.sqrt(share * (1 - share) / by.size()),
            "width": by["width"].median(),
        }
    )
    return table.reset_index().assign(rho=rho, shared=shared)[COLUMNS]


def _covered(pooled: pd.DataFrame, estimand: str, targets: dict[str, float]):
    about = {
        "average": "average",
        "driscoll_kraay": "average",
        "random_effects": "mean",
        "random_effects_shared": "mean",
    }
    for method, target in about.items():
        low, high = pooled.loc[method, ["low", "high"]]
        truth = 100 * np.expm1(targets[target])
        yield [method, estimand, target, low <= truth <= high, high - low]


def run(job: tuple[float, float]) -> pd.DataFrame:
    rho, shared = job
    return pooling_coverage(rho=rho, shared=shared, simulations=SIMULATIONS)


def record() -> pd.DataFrame:
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    with open_executor(processes=True) as pool:
        table = pd.concat(pool.map(run, product(RHO, SHARED)), ignore_index=True)
    table.round({"coverage": 1, "mc_error": 1, "width": 1}).to_csv(RECORD, index=False)
    return table


if __name__ == "__main__":
    start = time.perf_counter()
    print(record().to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
