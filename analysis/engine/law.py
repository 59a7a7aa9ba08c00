"""The law of the errors: memory seen through noise, its size free to change, weighed beforehand.

u_t = phi u_{t-1} + e_t - theta e_{t-1} with theta = phi s, and sd(e_t) = q sigma from some period
on: an AR(1) disturbance plus white noise, whose share of a period's surprise is s.
"""

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from analysis.checks import Array

LawName = Literal["ar1_noise", "ar1"]

RHO_RANGE = (-0.5, 0.995)  # of the law "ar1": uniform here
MOST_THETA = 0.995
LEAST_V = 0.03  # phi = cos(v^2), v uniform from here: density (1 - phi)^(-3/4) near 1
RATIO_SD, MOST_RATIO = 0.5, 3.0  # log q is normal, cut where q or 1 / q is so large


class Grid(NamedTuple):
    """Values of theta, phi and log q, and the log of what each weighs before the data (sum 1)."""

    theta: Array  # (T,)
    phi: Array  # (T, U)
    log_ratio: Array  # (V,)
    log_weight: Array  # (T, U, V)


@lru_cache(maxsize=128)
def law_grid(law: LawName, n: int, changes: bool, rough: bool = False) -> Grid:
    """Return the grid for `n` periods; unless the size `changes`, q is 1."""
    # a likelihood's features narrow with the root of n: so many nodes that a finer grid moves no
    # end of an interval by much more than 1e-3 of its width; half if `rough`: means by 1e-2 of it
    root = np.sqrt(n)
    if law == "ar1":  # even in arcsin(rho), where likelihoods are equally wide
        low, high = np.arcsin(RHO_RANGE)
        angle, weight = _gauss(low, high, max(32, 3.6 * root))
        return _cross(np.zeros(1), np.sin(angle)[None], (weight * np.cos(angle))[None], 0)
    parts = 2 if rough else 1
    theta, theta_weight = _gauss(0, MOST_THETA, (8 + 0.8 * root) / parts)
    share, share_weight = _gauss(0, 1, (16 + 1.1 * root) / parts)
    reach = np.sqrt(np.arccos(theta)) - LEAST_V
    phi = np.cos((LEAST_V + reach[:, None] * share) ** 2)
    pairs = (theta_weight * reach)[:, None] * share_weight / phi  # s is uniform: ds = dtheta / phi
    return _cross(theta, phi, pairs, 4 + 1.05 * root if changes else 0)


@lru_cache(maxsize=128)
def noise_grid(n: int, changes: bool) -> Grid:
    """Return the law "ar1_noise" as `law_grid` does, with s in the place of theta."""
    noise, noise_weight = _gauss(0, 1, 8 + 0.8 * np.sqrt(n))
    v, v_weight = _gauss(LEAST_V, np.sqrt(np.pi / 2), 8 + 0.8 * np.sqrt(n))
    phi = np.broadcast_to(np.cos(v**2), (len(noise), len(v)))
    pairs = noise_weight[:, None] * v_weight * (noise[:, None] * phi < MOST_THETA)
    return _cross(noise, phi, pairs + 1e-300, 4 + 0.8 * np.sqrt(n) if changes else 0)


def _cross(theta: Array, phi: Array, pairs: Array, count: float) -> Grid:
    """Return pairs of theta and phi, of weights (T, U), crossed with `count` values of log q."""
    log_ratio, ratio_weight = np.zeros(1), np.ones(1)
    if count:
        log_ratio, ratio_weight = _gauss(-np.log(MOST_RATIO), np.log(MOST_RATIO), count)
        ratio_weight = ratio_weight * np.exp(-0.5 * (log_ratio / RATIO_SD) ** 2)
    weight = pairs[..., None] * ratio_weight
    return Grid(theta, phi, log_ratio, np.log(weight / weight.sum()))


def _gauss(low: float, high: float, count: float) -> tuple[Array, Array]:
    point, weight = np.polynomial.legendre.leggauss(int(np.ceil(count)))
    return (low + high) / 2 + (high - low) / 2 * point, (high - low) / 2 * weight


def start_variance(phi: Any, theta: Any) -> Any:
    """Return the variance of what is known of the first error beforehand, in units of sigma^2."""
    return (phi - theta) ** 2 / (1 - phi**2)


def whitener(n: int, phi: float, theta: float) -> Array:
    """Return what makes errors (n,) their surprises, but for what is known of the first, (n, n)."""
    weights = np.append(1.0, (theta - phi) * theta ** np.arange(n - 1))
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    return np.tril(weights[lag])


def precision(n: int, phi: float, theta: float, ratio: float, after: int) -> Array:
    """Return sigma^2 times the inverse of the errors' covariance, (n, n)."""
    size = np.ones(n)
    size[after:] = 1 / ratio
    white = whitener(n, phi, theta) * size[:, None]
    fading = theta ** np.arange(n) * size
    start = start_variance(phi, theta)
    seen = fading @ white
    return white.T @ white - start / (1 + start * fading @ fading) * np.outer(seen, seen)


def run_errors(phi: Array, theta: Array, start: Array, shocks: Array) -> Array:
    """Return errors (n, draws) of shocks (n, draws), from what was known of the first (draws,)."""
    # the errors are x_t + e_t, where x_{t+1} = phi x_t + (phi - theta) e_t is known a period before
    errors, known = np.empty_like(shocks), start
    for period, shock in enumerate(shocks):
        errors[period] = known + shock
        known = phi * known + (phi - theta) * shock
    return errors
