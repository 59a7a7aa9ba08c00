"""How fast the engine is: fits a second, ratios to loops over statsmodels, growth, and memory.

Run with `python benchmarks/speed.py` on a quiet machine; `--million` adds the million series.
"""

import argparse
import resource
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from statsmodels.regression.linear_model import GLSAR
from statsmodels.tsa.statespace.sarimax import SARIMAX

from analysis import PolicyShift, fit_its, fit_many, load_policy_shifts, load_series
from analysis.its.design import build_design

N_MONTHS, AFTER, REPEATS = 150, 75, 3
INDEX = pd.period_range("2000-01", periods=N_MONTHS, freq="M")
NAMES = ("estimate", "low", "high", "p")


def design_at(position: int) -> np.ndarray:
    return build_design(INDEX, PolicyShift("x", INDEX[position])).to_numpy()


def simulate(count: int, dtype: type = np.float64) -> np.ndarray:
    """AR(1) series with rho between 0.2 and 0.98, made 10,000 at a time."""
    rng = np.random.default_rng(0)
    y = np.empty((N_MONTHS, count), dtype=dtype)
    for start in range(0, count, 10_000):
        rho = rng.uniform(0.2, 0.98)
        noise = rng.standard_normal((N_MONTHS, min(10_000, count - start)))
        y[:, start : start + 10_000] = lfilter([1], [1, -rho], noise, axis=0)
    return y[:, rng.permutation(count)] if count <= 100_000 else y


def best_time(action: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def glsar_loop(y: np.ndarray, X: np.ndarray) -> None:
    for column in range(y.shape[1]):
        GLSAR(y[:, column], X, rho=1).iterative_fit(maxiter=50).conf_int()


def sarimax_loop(y: np.ndarray, X: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of starting values, and of optimisers that give up
        for column in range(y.shape[1]):
            SARIMAX(y[:, column], X, order=(1, 0, 1)).fit(disp=0).conf_int()


def largest_difference(together: object, alone: list) -> float:
    """Return the largest difference of any number, in widths of its interval."""
    width = together.high - together.low
    apart = [
        np.abs(getattr(together, name) - np.concatenate([getattr(fit, name) for fit in alone]))
        / (1 if name == "p" else width)
        for name in NAMES
    ]
    return float(np.max(apart))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="also fit a million series")
    options = parser.parse_args()
    X, C = design_at(AFTER), np.eye(8)[[2, 3]]
    y = simulate(5_000)

    series = best_time(lambda: fit_many(y, X, C, after=AFTER)) / y.shape[1]
    positions = [*range(12, 138)] * 10
    designs = np.stack([design_at(position) for position in positions])
    per_design = best_time(lambda: fit_many(y[:, 0], designs, C, after=positions)) / len(designs)
    print(f"n = {N_MONTHS}, k = {X.shape[1]}, intervals for {len(C)} contrasts")
    print(f"many series, one design: {1 / series:>11,.0f} fits a second")
    print(f"one series, many designs: {1 / per_design:>10,.0f} fits a second")
    for name, loop, count in (("GLSAR", glsar_loop, 100), ("SARIMAX(1,0,1)", sarimax_loop, 20)):
        taken = best_time(lambda loop=loop, count=count: loop(y[:, :count], X)) / count
        print(f"loop over {name + ':':<16}{1 / taken:>10,.1f} fits a second")
        print(f"  ratio, series: {taken / series:,.1f}; designs: {taken / per_design:,.1f}")
    calderon, inegi = load_policy_shifts()["calderon-2006-12"], load_series("inegi")
    print(f"one fit_its: {1e3 * best_time(lambda: fit_its(inegi, calderon)):.0f} ms")

    together = fit_many(y[:, :200], X, C, after=AFTER)
    alone = [fit_many(y[:, j], X, C, after=AFTER) for j in range(200)]
    print(
        f"largest difference from one at a time: {largest_difference(together, alone):.1e} widths"
    )
    together = fit_many(y[:, 0], designs[:126], C, after=positions[:126])
    alone = [fit_many(y[:, 0], designs[j], C, after=positions[j]) for j in range(126)]
    print(
        f"the same with many designs:            {largest_difference(together, alone):.1e} widths"
    )

    for count in (1_000, 10_000, 100_000, *([1_000_000] if options.million else [])):
        part = simulate(count, np.float32)
        start = time.perf_counter()
        fit_many(part, X, C, after=AFTER)
        taken = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{count:>9,} series: {1e6 * taken / count:6.0f} µs each, peak memory {peak:.2f} GiB, "
            f"{part.nbytes / 2**30:.2f} of it the series"
        )


if __name__ == "__main__":
    main()
