"""Record how often the pooled intervals hold the truth: writes pooling.csv beside this file.

    python benchmarks/pooling.py

About ten minutes on two cores. Panels of twelve places and 120 months are simulated, places of
unequal size, with effects that differ between places and errors that are partly shared.
"""

import os
import time
from itertools import product
from pathlib import Path

import pandas as pd

from analysis.cluster import open_executor
from analysis.pooling_coverage import pooling_coverage

RHO, SHARED, SIMULATIONS = (0.4, 0.8), (0.0, 0.5), 100
RECORD = Path(__file__).with_suffix(".csv")


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
