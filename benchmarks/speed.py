"""How fast the engine is: fits a second, ratio to a loop over GLSAR, growth, and memory.

Run with `python benchmarks/speed.py` on a quiet machine; `--million` adds the million series.
"""

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from statsmodels.regression.linear_model import GLSAR

from analysis import PolicyShift, fit_many
from analysis.its.design import build_design

N_MONTHS, REPEATS = 150, 3
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
    X, C = design_at(75), np.eye(8)[[2, 3]]
    y = simulate(20_000)

    series = best_time(lambda: fit_many(y, X, C)) / y.shape[1]
    designs = np.stack([design_at(position) for position in range(12, 138)] * 40)
    per_design = best_time(lambda: fit_many(y[:, 0], designs, C)) / len(designs)
    loop = best_time(lambda: glsar_loop(y[:, :100], X)) / 100
    print(f"n = {N_MONTHS}, k = {X.shape[1]}, intervals for {len(C)} contrasts")
    print(f"many series, one design: {1 / series:>9,.0f} fits a second")
    print(f"one series, many designs: {1 / per_design:>8,.0f} fits a second")
    print(f"loop over iterated GLSAR: {1 / loop:>8,.0f} fits a second")
    print(f"ratio to that loop, series:  {loop / series:>5,.0f}")
    print(f"ratio to that loop, designs: {loop / per_design:>5,.0f}")

    together, alone = fit_many(y[:, :500], X, C), [fit_many(y[:, j], X, C) for j in range(500)]
    print(
        f"largest difference from one at a time: {largest_difference(together, alone):.1e} widths"
    )
    together, alone = (
        fit_many(y[:, 0], designs[:126], C),
        [fit_many(y[:, 0], D, C) for D in designs[:126]],
    )
    print(
        f"the same with many designs:            {largest_difference(together, alone):.1e} widths"
    )

    for count in (1_000, 10_000, 100_000, *([1_000_000] if options.million else [])):
        part = simulate(count, np.float32)
        start = time.perf_counter()
        fit_many(part, X, C)
        taken = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{count:>9,} series: {1e6 * taken / count:5.1f} µs each, peak memory {peak:.2f} GiB, "
            f"{part.nbytes / 2**30:.2f} of it the series"
        )


if __name__ == "__main__":
    main()
