"""Record the size of one place's interval where deaths are few: writes places.csv beside this file.

    python benchmarks/places.py

About twenty minutes on two cores. Counts without any change are simulated for the window of
Calderón's shift, with an AR(1) disturbance of their log rate.
"""

import os
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.engine.draws import simulate_errors
from analysis.engine.executors import open_executor
from analysis.mexico.shifts import load_policy_shifts
from analysis.places.effects import FEWEST_DEATHS, fit_places
from benchmarks.recording import write_record

MEANS, RHO, DISTURBANCE, SIMULATIONS = (0.1, 0.3, 1, 3, 10, 100), (0.5, 0.8, 0.95), 0.5, 400
SHIFT = load_policy_shifts()["calderon-2006-12"]
MONTHS = pd.period_range("2000-01", SHIFT.end, freq="M", name="month")
RECORD = Path(__file__).with_suffix(".csv")


def run(job: tuple[float, float]) -> pd.DataFrame:
    rho, mean = job
    rng = np.random.default_rng([round(1000 * rho), round(1000 * mean)])
    errors = simulate_errors("ar1", len(MONTHS), SIMULATIONS, rng, rho=rho)
    errors *= DISTURBANCE * np.sqrt(1 - rho**2)
    deaths = rng.poisson(mean * np.exp(errors - DISTURBANCE**2 / 2))
    index = pd.MultiIndex.from_product([range(SIMULATIONS), MONTHS], names=["place", "month"])
    panel = pd.DataFrame({"deaths": deaths.T.ravel(), "person_years": 1e5}, index=index)
    fitted = fit_places(panel, SHIFT, beside=["quasi_poisson"], fewest_deaths=1)
    fewest = fitted.places[["deaths_before", "deaths_after"]].min(axis=1)
    rows = []
    for enough, estimand, estimator in product(
        (False, True), ("level", "slope"), ("count_reml", "quasi_poisson")
    ):
        chosen = fewest.index[(fewest >= FEWEST_DEATHS) == enough]
        p = fitted.of(estimand, estimator)["p"].reindex(chosen).dropna()
        if len(p):
            alarms = 100 * (p < 0.05).mean()
            error = np.sqrt(alarms * (100 - alarms) / len(p))
            rows.append([rho, mean, enough, len(p), estimator, estimand, alarms, error])
    columns = ["rho", "mean", "enough", "series", "estimator", "estimand"]
    return pd.DataFrame(rows, columns=[*columns, "false_alarms", "mc_error"])


def record() -> pd.DataFrame:
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    with open_executor(processes=True) as pool:
        table = pd.concat(pool.map(run, product(RHO, MEANS)), ignore_index=True)
    write_record(table.round({"false_alarms": 1, "mc_error": 1}), RECORD)
    return table


if __name__ == "__main__":
    start = time.perf_counter()
    print(record().to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
