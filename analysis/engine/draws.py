"""Joint draws of coefficients and of the errors' law, and errors to simulate series from."""

from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from scipy.special import gamma

from analysis.checks import Array, check_known, check_whole, full_size, require, unit_size
from analysis.engine.gls import Basis
from analysis.engine.law import run_errors, start_variance
from analysis.engine.reml import integrate

WHITE = {"ar1_noise": 1 / 2, "ar1_much_noise": 3 / 4, "seasonal_noise": 1 / 2}  # of the variance
LATER_SD = {"sd_doubled": 2.0, "variance_doubled": np.sqrt(2)}  # from the shift on
PROCESSES = ("ar1", *LATER_SD, "heavy_tails", *WHITE, "arma", "ar2", "ar3", "arfima", "local_level")
FEWEST = 20  # simulations
TOGETHER = 128  # laws of the errors at a time
TAIL_DF = 3  # of the innovations in "heavy_tails": variance, no kurtosis


class Draws(NamedTuple):
    """Joint draws of a model's parameters, each (draws,) but b."""

    phi: Array
    theta: Array
    ratio: Array
    sigma: Array
    known: Array  # what is known of the error that follows the last period
    b: Array  # (draws, k)


def draw_parameters(
    y: Array, X: Array, rng: Generator, draws: int, *, after: int | None = None
) -> Draws:
    """Draw from the joint distribution of the errors' law, their first one, sigma and b."""
    n, k = X.shape
    mixture = integrate(y, X, np.eye(k), after=after)
    (y, power), (X, sizes) = unit_size(y), unit_size(X, axis=0)
    node = np.sort(rng.choice(mixture.weight.shape[1], size=draws, p=mixture.weight[0]))
    sigma = mixture.size[0, node] / np.sqrt(rng.chisquare(mixture.df, size=draws))
    if mixture.exact[0]:
        sigma[:] = 0.0
    normal = rng.standard_normal((draws, k + 1)) * np.ldexp(sigma, -power)[:, None]
    basis = Basis(X[None], np.eye(k))
    ols, left = basis.take_out(y[:, None])
    columns = np.vstack([basis.columns[0], left[0]])
    b, known = np.empty((draws, k)), np.empty(draws)
    nodes, own = np.unique(node, return_inverse=True)
    for start in range(0, len(nodes), TOGETHER):
        g, at = nodes[start : start + TOGETHER], own // TOGETHER == start // TOGETHER
        theta, each = mixture.theta[g], own[at] - start
        R, ahead = _triangles(columns, mixture.phi[g], theta, mixture.ratio[g], after)
        around = (R[each, :, -1] + normal[at])[..., None]
        drawn = (np.linalg.inv(R[..., :-1])[each] @ around)[..., 0]
        b[at] = drawn[:, :k]
        of_b = ahead[each, k] - (ahead[each, :k] * drawn[:, :k]).sum(axis=1)
        known[at] = of_b + theta[each] ** n * drawn[:, k]
    order = rng.permutation(draws)
    law = mixture.phi[node], mixture.theta[node], mixture.ratio[node]
    b = full_size(ols + b @ basis.contrasts[0].T, power - sizes)
    return Draws(*(column[order] for column in (*law, sigma, np.ldexp(known, power), b)))


def _triangles(
    columns: Array, phi: Array, theta: Array, ratio: Array, after: int | None
) -> tuple[Array, Array]:
    """Return triangles (G, k + 1, k + 2) of columns (k + 1, n), y last, and what these foretell."""
    # What makes errors their surprises is what makes errors, phi and theta changed round; of one
    # period more, without any, comes what was known of it. The first error, of which something is
    # known beforehand, is one more coefficient.
    k, n = len(columns) - 1, columns.shape[1]
    periods = np.pad(columns.T, ((0, 1), (0, 0)))[..., None]
    white = run_errors(theta, phi, 0 * phi, np.broadcast_to(periods, (n + 1, k + 1, len(phi))))
    rows = np.zeros((len(phi), n + 1, k + 2))
    rows[:, :n, :k], rows[:, :n, -1] = white[:n, :k].transpose(2, 0, 1), white[:n, k].T
    rows[:, :n, k] = theta[:, None] ** np.arange(n)
    if after is not None:
        rows[:, after:n] /= ratio[:, None, None]
    rows[:, n, k] = 1 / np.sqrt(start_variance(phi, theta))
    triangles: Any = np.linalg.qr(rows, mode="r")
    return triangles[:, : k + 1], -white[n].T


def simulate_law(drawn: Draws, n: int, rng: Generator, *, after: int | None = None) -> Array:
    """Simulate errors (n, draws), each series of the law that was drawn for it."""
    start = np.sqrt(start_variance(drawn.phi, drawn.theta)) * drawn.sigma
    shocks = drawn.sigma * rng.standard_normal((n, len(drawn.sigma)))
    shocks[n if after is None else after :] *= drawn.ratio
    return run_errors(drawn.phi, drawn.theta, start * rng.standard_normal(len(start)), shocks)


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
        from statsmodels.tsa.arima_process import arma_acovf

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
