"""Joint draws of coefficients and of the errors' law, and errors drawn from them."""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from scipy.signal import lfilter

from analysis.checks import Array, full_size, unit_size
from analysis.engine.gls import Basis
from analysis.engine.law import run_errors, start_variance
from analysis.engine.reml import integrate


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
    size = np.ones(n)
    b, known = np.empty((draws, k)), np.empty(draws)
    for g in np.unique(node):
        phi, theta, own = mixture.phi[g], mixture.theta[g], node == g
        size[after if after is not None else n :] = 1 / mixture.ratio[g]
        white = lfilter([1.0, -phi], [1.0, -theta], columns) * size
        # the first error, of which something is known beforehand, is one more coefficient
        fading = theta ** np.arange(n) * size
        prior = np.append(np.zeros(k), 1 / np.sqrt(start_variance(phi, theta)))
        Q, R = np.linalg.qr(np.vstack([np.column_stack([*white[:k], fading]), prior]))
        drawn = np.linalg.solve(R, (Q[:n].T @ white[k])[:, None] + normal[own].T)
        b[own] = drawn[:k].T
        ahead = (phi - theta) * theta ** np.arange(n - 1, -1, -1)  # of u_1 to u_n
        known[own] = ahead @ left[0, 0] - (columns[:k] @ ahead) @ drawn[:k] + theta**n * drawn[k]
    order = rng.permutation(draws)
    law = mixture.phi[node], mixture.theta[node], mixture.ratio[node]
    b = full_size(ols + b @ basis.contrasts[0].T, power - sizes)
    return Draws(*(column[order] for column in (*law, sigma, np.ldexp(known, power), b)))


def simulate_law(drawn: Draws, n: int, rng: Generator, *, after: int | None = None) -> Array:
    """Simulate errors (n, draws), each series of the law that was drawn for it."""
    start = np.sqrt(start_variance(drawn.phi, drawn.theta)) * drawn.sigma
    shocks = drawn.sigma * rng.standard_normal((n, len(drawn.sigma)))
    shocks[n if after is None else after :] *= drawn.ratio
    return run_errors(drawn.phi, drawn.theta, start * rng.standard_normal(len(start)), shocks)
