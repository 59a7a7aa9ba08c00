"""Record how often the pooled intervals hold the truth: writes pooling.csv beside this file.

    python benchmarks/pooling.py

About forty-five minutes of one core. Panels of twelve places and 120 months are simulated, places
of unequal size, with effects that differ between places and errors that are partly shared.
"""

import os
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.checks import check_whole
from analysis.engine.draws import FEWEST, process_covariance, simulate_errors
from analysis.engine.executors import open_executor
from analysis.its.shifts import PolicyShift
from analysis.places.effects import fit_places
from analysis.places.pooling import pool_places
from benchmarks.recording import write_record

# With memory alone; with memory beneath noise; a level that wanders; twice as restless afterwards:
# rho.
WORLDS = {"ar1": 0.8, "ar1_noise": 0.95, "local_level": 0.2, "sd_doubled": 0.95}
SIMULATIONS = 300  # panels of each
# Between the states' own residuals, means of half a year, the correlation is 0.0 to 0.2 in the
# windows of the four presidents; 0.5 is more than any of them shows.
SHARED = (0.2, 0.5)
RECORD = Path(__file__).with_suffix(".csv")


MONTHS, SIZES = 120, np.geomspace(3, 300, 12)  # expected deaths in a month, place by place
DISTURBANCE = 0.3  # standard deviation of the disturbance of a log rate, over the months before
MEAN = {"level": 0.0, "slope": 0.1}
# The spread between places is tau of the states at Calderón's shift; of other presidents' slopes
# it is 0.05 (López Obrador, SESNSP) to 0.18 (Sheinbaum).
BETWEEN = {"level": 0.15, "slope": 0.1}
ABOUT = {
    "average": "average",
    "weighted_average": "weighted",
    "driscoll_kraay": "average",
    "random_effects": "mean",
    "random_effects_shared": "mean",
}
COLUMNS = ["process", "rho", "shared", "simulations", "method", "estimand", "target"]
COLUMNS += ["coverage", "mc_error", "width"]


def simulate_panel(
    rng: np.random.Generator,
    *,
    rho: float,
    shared: float,
    process: str = "ar1",
    shift_at: int = MONTHS // 2,
) -> tuple[pd.DataFrame, PolicyShift, pd.DataFrame]:
    """Simulate counts of places whose effects are known and whose errors are partly shared.

    Parameters
    ----------
    rng : numpy Generator
    rho : float
        Memory of the disturbances, as `process` has it.
    shared : float
        Correlation of the disturbances of any two places.
    process : str
        As `analysis.engine.draws.process_covariance` names it.
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
    errors = simulate_errors(process, MONTHS, len(SIZES) + 1, rng, rho=rho, shift_at=shift_at)
    variance = np.diag(process_covariance(process, MONTHS, rho))[:shift_at].mean()
    errors *= DISTURBANCE / np.sqrt(variance)
    disturbance = np.sqrt(shared) * errors[:, :1] + np.sqrt(1 - shared) * errors[:, 1:]
    truth = pd.DataFrame(
        {name: MEAN[name] + BETWEEN[name] * rng.standard_normal(len(SIZES)) for name in MEAN},
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
    person_years = np.repeat(1e3 * SIZES, MONTHS)
    panel = pd.DataFrame({"deaths": deaths.T.ravel(), "person_years": person_years}, index=index)
    return panel, PolicyShift("simulated", months[shift_at]), truth


def pooling_coverage(
    *,
    rho: float,
    shared: float,
    process: str = "ar1",
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how often nominal 95% pooled intervals hold what they are about.

    Parameters
    ----------
    rho, shared, process
        As in `simulate_panel`.
    simulations : int
        Panels.
    seed : int

    Returns
    -------
    DataFrame
        By `method` and `estimand` (level, slope): `target` (*average*: the mean of the places'
        true effects; *weighted*: the same, weighted by person-years; *mean*: that of the effects
        they were drawn from), `coverage` and `mc_error` (its Monte Carlo error; both percent),
        `width` (median, percent of the rate).
    """
    rows = []
    seeds = [seed, round(1000 * rho), round(1000 * shared), *process.encode()]
    for number in range(check_whole(simulations, "simulations", FEWEST)):
        rng = np.random.default_rng([*seeds, number])
        panel, shift, truth = simulate_panel(rng, rho=rho, shared=shared, process=process)
        fitted = fit_places(panel, shift, harmonics=0, beside=())
        for estimand, mean in MEAN.items():
            weighted = np.average(truth[estimand], weights=SIZES)
            targets = {"average": truth[estimand].mean(), "weighted": weighted, "mean": mean}
            pooled = pool_places(fitted, estimand)
            for method, target in ABOUT.items():
                low, high = pooled.loc[method, ["low", "high"]]
                held = low <= 100 * np.expm1(targets[target]) <= high
                rows.append([method, estimand, target, held, high - low])
    long = pd.DataFrame(rows, columns=["method", "estimand", "target", "held", "width"])
    by = long.groupby(["method", "estimand", "target"], sort=False)
    share = by["held"].mean()
    table = pd.DataFrame(
        {
            "coverage": 100 * share,
            "mc_error": 100 * np.sqrt(share * (1 - share) / by.size()),
            "width": by["width"].median(),
        }
    ).reset_index()
    world = {"process": process, "rho": rho, "shared": shared, "simulations": simulations}
    return table.assign(**world)[COLUMNS]


def run(job: tuple[str, float]) -> pd.DataFrame:
    process, shared = job
    rho = WORLDS[process]
    return pooling_coverage(rho=rho, shared=shared, process=process, simulations=SIMULATIONS)


def record() -> pd.DataFrame:
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    with open_executor(processes=True) as pool:
        table = pd.concat(pool.map(run, product(WORLDS, SHARED)), ignore_index=True)
    write_record(table.round({"coverage": 1, "mc_error": 1, "width": 1}), RECORD)
    return table


if __name__ == "__main__":
    start = time.perf_counter()
    print(record().to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
