"""How time and memory grow with the number of series: one process, and one or two Dask workers.

    python benchmarks/scale.py [--million] [--notebooks] [--record]

Workers are processes of this machine with one thread each, and get the series over the loopback
address. `--notebooks` also measures what a notebook's kernel needs; `--record` writes scale.csv
beside this file. Memory is read from /proc: Linux only.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from distributed import Client, LocalCluster
from speed import N_MONTHS, design_at, simulate

from analysis import fit_many
from benchmarks.recording import write_record
from notebooks.execution import run_notebook

HERE = Path(__file__).parent
COUNTS = (1_000, 10_000, 100_000)
# Dask has workers return freed memory to the system at once; these give arrays glibc's usual way.
ALLOCATION = {"MALLOC_TRIM_THRESHOLD_": "134217728", "MALLOC_MMAP_THRESHOLD_": "33554432"}
PLACES = {
    "one process": (0, {}),
    "1 worker": (1, ALLOCATION),
    "2 workers": (2, ALLOCATION),
    "2 workers, Dask's allocation": (2, {}),
}
DIGITS = {"seconds": 2, "peak_mib": 0, "us_per_series": 0, "speed_up": 2}
NOTEBOOKS = ("03-policy-shift", "04-robustness")  # the one that runs most often, the largest


def fit_seconds(y: np.ndarray, jobs: int | str) -> float:
    X, C = design_at(N_MONTHS // 2), np.eye(8)[[2, 3]]
    fit_many(y[:, :10], X, C, jobs=jobs)  # imports, connections
    start = time.perf_counter()
    fit_many(y, X, C, jobs=jobs)
    return time.perf_counter() - start


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10


def fit_on_workers(y: np.ndarray, workers: int, environment: dict[str, str]) -> tuple[float, float]:
    os.environ.update(environment)
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
        ) as cluster,
        Client(cluster) as client,
    ):
        seconds, peak = fit_seconds(y, "dask"), max(client.run(peak_memory).values())
    for name in environment:
        del os.environ[name]
    return seconds, peak


def measure(count: int) -> pd.DataFrame:
    y = simulate(count, np.float32)
    rows = [
        (place, *fit_on_workers(y, *setting))
        if setting[0]
        else (place, fit_seconds(y, 1), peak_memory())
        for place, setting in PLACES.items()
    ]
    table = pd.DataFrame(rows, columns=["where", "seconds", "peak_mib"])
    table.insert(0, "series", count)
    table["us_per_series"] = 1e6 * table["seconds"] / count
    table["speed_up"] = table["seconds"].iloc[0] / table["seconds"]
    return table


def notebook_memory(name: str) -> tuple[float, float]:
    """Return the seconds of a notebook, and the peak of its kernel in MiB."""
    peak, start = 0, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        executed = Path(folder, f"{name}.ipynb")
        notebook = HERE.parent / f"notebooks/{name}.ipynb"
        running = thread.submit(run_notebook, notebook, executed, {"results": folder})
        while not running.done():
            for child in psutil.Process().children(recursive=True):
                try:
                    peak = max(peak, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue  # it ended meanwhile
            time.sleep(0.05)
        running.result()
    return time.perf_counter() - start, peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--million", action="store_true", help="also a million series")
    parser.add_argument("--notebooks", action="store_true", help="also the notebooks' memory")
    parser.add_argument("--record", action="store_true", help="write scale.csv")
    options = parser.parse_args()
    counts = [*COUNTS, *([1_000_000] if options.million else [])]
    print(f"n = {N_MONTHS}, k = 8, 2 contrasts; peak memory of the one process, or of a worker")
    tables = []
    for count in counts:
        tables.append(measure(count).round(DIGITS))
        print(tables[-1].to_string(index=False), flush=True)
    for name in NOTEBOOKS if options.notebooks else ():
        seconds, peak = notebook_memory(name)
        print(f"{name}: {seconds:.0f} s, its kernel needs {peak:.0f} MiB at most")
    if options.record:
        write_record(pd.concat(tables), Path(__file__).with_suffix(".csv"))


if __name__ == "__main__":
    main()
