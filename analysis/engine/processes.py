"""Errors of known memory, to simulate series from."""

from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.special import gamma
from statsmodels.tsa.arima_process import arma_acovf

from analysis.checks import Array, check_known, check_whole, require

WHITE = {"ar1_noise": 1 / 2, "ar1_much_noise": 3 / 4, "seasonal_noise": 1 / 2}  # of the variance
LATER_SD = {"sd_doubled": 2.0, "variance_doubled": np.sqrt(2)}  # from the shift on
PROCESSES = ("ar1", *LATER_SD, "heavy_tails", *WHITE, "arma", "ar2", "ar3", "arfima", "local_level")
FEWEST = 20  # simulations
TAIL_DF = 3  # of the innovations in "heavy_tails": variance, no kurtosis


def process_covariance(process: str, n: int, rho: float) -> Array:
    """Return the covariance (n, n) of errors whose innovations have variance 1."""
    check_known(process, PROCESSES, "process")
    if process == "local_level":  # white noise plus a level from zero, its steps of variance rho
        require(rho > 0, f"the variance of a level's steps must be positive; found {rho}")
        return np.eye(n) + rho * np.minimum.outer(np.arange(n), np.arange(n))
    if process == "arfima":  # (1 - B)^rho u = e, with B the step back by one period
        require(0 < rho < 0.5, f"the order of an ARFIMA must lie between 0 and 0.5; found {rho}")
        lag = np.arange(1, n)
        correlation = np.cumprod(np.append(1.0, (lag - 1 + rho) / (lag - rho)))
        covariance = gamma(1 - 2 * rho) / gamma(1 - rho) ** 2 * correlation
    else:
        autoregressive: Any = {
            "ar2": [1.0, -rho, -0.3],  # (1 - rho B - 0.3 B^2) u = e
            "ar3": [1.0, -rho, -0.2, -0.2],
            "seasonal_noise": np.convolve([1.0, -rho], [1.0, *[0.0] * 11, -0.4]),
        }.get(process, [1.0, -rho])
        stationary = bool(np.abs(np.roots(autoregressive)).max(initial=0) < 1)
        require(stationary, f"{process} with rho = {rho} is not stationary")
        covariance = arma_acovf(autoregressive, [1.0, -0.4] if process == "arma" else [1.0], n)
    covariance[0] /= 1 - WHITE.get(process, 0.0)
    return covariance[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]


def simulate_errors(
    process: str, n: int, count: int, rng: Generator, *, rho: float, shift_at: int | None = None
) -> Array:
    """Simulate errors (n, count) of `process_covariance`; the first are the same at any `count`."""
    shift_at = check_whole(n // 2 if shift_at is None else shift_at, "shift_at", 1, n - 1)
    root = np.linalg.cholesky(process_covariance(process, n, rho))
    if process == "heavy_tails":
        innovations = rng.standard_t(TAIL_DF, (count, n)) * np.sqrt(1 - 2 / TAIL_DF)
    else:
        innovations = rng.standard_normal((count, n))
    innovations[:, shift_at:] *= LATER_SD.get(process, 1.0)
    return root @ innovations.T
