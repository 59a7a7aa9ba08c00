"""Record the coverage of every estimator: writes calibration.csv beside this file, prints it.

    python benchmarks/calibration.py [--jobs dask]

About ten minutes on two cores. The estimators that statsmodels fits one series at a time get fewer
simulated series, and fewer cells where the errors are not AR(1); every number has its Monte Carlo
error.
"""

import argparse
import os
import time
from pathlib import Path

import pandas as pd

from analysis.engine.executors import Jobs, open_executor
from analysis.engine.processes import PROCESSES
from analysis.validation.coverage import CALIBRATED, Cell, coverage_table, lay_out_coverage

SIMULATIONS = {
    "reml": 20_000,
    "reml_plugin": 5_000,
    "ols": 20_000,
    "newey_west": 2_000,
    "prais_winsten": 1_000,
    "quasi_poisson": 1_000,
    "negative_binomial": 300,
    "arima": 120,
    "structural": 300,
}
FAST = ("reml", "reml_plugin", "ols", "newey_west")
SETTINGS = [(48, 0.4), (48, 0.8), (100, 0.4), (100, 0.8), (100, 0.9), (156, 0.9)]
SETTINGS_OF_ALL = [(100, 0.4), (100, 0.8)]  # where slow estimators meet errors that are not AR(1)
RECORD = Path(__file__).with_suffix(".csv")


def list_jobs() -> list[tuple[Cell, tuple[str, ...]]]:
    """List a cell and the estimators to try there, for every cell of the grid."""
    return [
        (
            Cell(process, *setting),
            CALIBRATED if process == "ar1" or setting in SETTINGS_OF_ALL else FAST,
        )
        for process in PROCESSES
        for setting in SETTINGS
    ]


def run(job: tuple[Cell, tuple[str, ...]]) -> pd.DataFrame:
    cell, estimators = job
    return coverage_table([cell], estimators=estimators, simulations=SIMULATIONS)


def record(jobs: Jobs = None) -> pd.DataFrame:
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    with open_executor(jobs, processes=True) as pool:
        table = pd.concat(pool.map(run, list_jobs()), ignore_index=True)
    table.round({"coverage": 2, "mc_error": 2}).to_csv(RECORD, index=False)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", choices=["dask"], help="on a cluster: docs/cluster.md")
    options = parser.parse_args()
    start = time.perf_counter()
    print(lay_out_coverage(record(options.jobs)).to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
