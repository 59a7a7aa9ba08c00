"""Record the coverage of every estimator: writes calibration.csv beside this file, prints it.

    python benchmarks/calibration.py [--jobs dask]

About a quarter of an hour on two cores. The estimators that statsmodels fits one series at a time
meet some of the processes only; every number has its Monte Carlo error.
"""

import argparse
import os
import time
from pathlib import Path

import pandas as pd

from analysis.engine.executors import Jobs, open_executor
from analysis.validation.coverage import CALIBRATED, Cell, coverage_table, lay_out_coverage
from benchmarks.recording import write_record

SIMULATIONS = dict.fromkeys(CALIBRATED, 200) | dict.fromkeys(
    ["reml", "reml_ar1", "ols", "newey_west"], 1000
)
FAST = ("reml", "reml_ar1", "ols", "newey_west")
PROCESSES = [
    *(("ar1", rho) for rho in (0.0, 0.4, 0.8, 0.9, 0.98)),
    ("heavy_tails", 0.8),
    *(("ar2", first) for first in (0.3, 0.5, 0.6)),
    *((noise, rho) for noise in ("ar1_noise", "ar1_much_noise") for rho in (0.8, 0.95)),
    ("arma", 0.9),
    *(("sd_doubled", rho) for rho in (0.4, 0.8)),
    ("variance_doubled", 0.8),
    *(("local_level", ratio) for ratio in (0.02, 0.2)),
    ("ar3", 0.4),
    ("arfima", 0.4),
    ("seasonal_noise", 0.8),
]
PLACES = [(n, place) for n in (48, 100, 156, 220) for place in ("middle", "late")]
# Where the slow estimators are tried, too.
PROCESSES_OF_ALL = [
    ("ar1", 0.4),
    ("ar1", 0.8),
    ("ar2", 0.5),
    ("ar1_noise", 0.95),
    ("sd_doubled", 0.8),
    ("local_level", 0.2),
]
PLACES_OF_ALL = [(48, "middle"), (100, "middle"), (100, "late"), (220, "middle")]
RECORD = Path(__file__).with_suffix(".csv")


def list_jobs() -> list[tuple[Cell, tuple[str, ...]]]:
    """List a cell and the estimators to try there, for every cell of the grid."""
    return [
        (
            Cell(process, n, parameter, place),
            CALIBRATED
            if (process, parameter) in PROCESSES_OF_ALL and (n, place) in PLACES_OF_ALL
            else FAST,
        )
        for process, parameter in PROCESSES
        for n, place in PLACES
    ]


def run(job: tuple[Cell, tuple[str, ...]]) -> pd.DataFrame:
    cell, estimators = job
    return coverage_table([cell], estimators=estimators, simulations=SIMULATIONS)


def record(jobs: Jobs = None) -> pd.DataFrame:
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    with open_executor(jobs, processes=True) as pool:
        table = pd.concat(pool.map(run, list_jobs()), ignore_index=True)
    write_record(table.round({"coverage": 2, "mc_error": 2}), RECORD)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", choices=["dask"], help="on a cluster: docs/cluster.md")
    options = parser.parse_args()
    start = time.perf_counter()
    print(lay_out_coverage(record(options.jobs)).to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
