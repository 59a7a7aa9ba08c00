"""Counts with few or no deaths in a period: noise of known size told apart from a disturbance."""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from analysis.checks import Array
from analysis.engine.errors import TINY, first_nodes, near_nodes
from analysis.engine.estimators import fit_poisson
from analysis.engine.law import noise_grid
from analysis.engine.mixture import Posterior

FEWEST_TO_SMOOTH = 5  # deaths a period: of fewer, the disturbance cannot be told from the noise
TURNS, SETTLED = 20, 1e-3  # of the linearisation, and the largest step on the log scale at its end


def working_response(
    deaths: Array, X: Array, exposure: Array, after: int | None = None, seen: Array | None = None
) -> tuple[Array, Array]:
    """Return log rates, linearised, and the variance that counting gives them, each (n,)."""
    # Breslow and Clayton (1993), doi:10.2307/2290687: with mu = exposure exp(eta) these are eta +
    # (deaths - mu) / mu and 1 / mu (unbounded where not `seen`), at the Poisson regression's line,
    # with enough deaths at that plus the disturbance as it shows through the noise once it settles.
    seen = np.ones(len(X), dtype=bool) if seen is None else seen
    line = X @ fit_poisson(deaths[seen], X[seen], exposure[seen]).params
    turns, largest = TURNS if deaths[seen].mean() >= FEWEST_TO_SMOOTH else 0, np.inf
    for turn in range(turns + 1):
        expected = exposure * np.exp(line)
        response = line + np.where(seen, (deaths - expected) / expected, 0)
        variance = np.where(seen, 1 / expected, np.inf)
        if turn == turns or largest < SETTLED:
            break
        step = np.clip(_smooth(response, variance, X, after) - line, -1, 1)
        line, largest = line + step, np.abs(step).max()
    return response, variance


def _smooth(response: Array, variance: Array, X: Array, after: int | None) -> Array:
    """Return the response without the noise of counting, at the likeliest of a coarse grid."""
    # what varies more than Poisson counts do, with memory or without, belongs to the rate
    found = _solve(response, variance, X, after)
    best = int(found.log_weight.argmax())
    phi, signal, shocks, variance = (part[best] for part in found.parts)
    own = lfilter([1.0], [1.0, -(phi**2)], [signal, *shocks[1:]])
    month, seen = np.arange(len(X)), np.isfinite(variance)
    apart, earlier = (part.outer(month, month) for part in (np.subtract, np.minimum))
    disturbance = phi ** np.abs(apart) * own[earlier]
    precision = np.linalg.inv(disturbance[np.ix_(seen, seen)] + np.diag(variance[seen]))
    Z, z = X[seen], response[seen]
    b = np.linalg.solve(Z.T @ precision @ Z, Z.T @ precision @ z)
    left = precision @ (z - Z @ b)
    dispersion = max(1.0, found.rss[best] / (len(Z) - X.shape[1]))
    smooth = X @ b + disturbance[:, seen] @ left  # of a period not seen: what the others say of it
    smooth[seen] = z - variance[seen] * left / dispersion
    return smooth


def split_noise(
    response: Array, variance: Array, X: Array, C: Array, *, after: int | None = None
) -> Posterior:
    """Return contrasts (m, k) as one mixture over the errors' law, noise of known relative size."""
    # Zeger (1988), doi:10.1093/biomet/75.4.621: the response has covariance sigma^2 [diag(variance)
    # + lambda R], R that of an AR(1) disturbance and lambda what makes the noise the share s of a
    # period's surprise where the variance has its mean; from `after` on all is q times as large.
    # At s = 0 this is the law "ar1_noise" without noise, near s = 1 quasi-Poisson regression.
    grid = noise_grid(len(X), after is not None)
    first = _solve(response, variance, X, after).log_weight
    mask = near_nodes(first_nodes(grid), first > first.max() + np.log(TINY))
    found = _solve(response, variance, X, after, mask)
    top = found.log_weight.max()
    weight = np.exp(found.log_weight - top)
    spread = np.einsum("mi,gij,mj->mg", C, found.inverse, C)
    t, u, v = np.nonzero(mask)
    df = int(np.isfinite(variance).sum()) - X.shape[1]
    return Posterior(
        phi=grid.phi[t, u],
        theta=grid.phi[t, u] * grid.theta[t],
        ratio=np.exp(grid.log_ratio[v]),
        weight=weight[None] / weight.sum(),
        mean=(C @ found.b.T)[None],
        scale=np.sqrt(spread * found.rss / df)[None],
        size=np.sqrt(found.rss)[None],
        df=df,
        log_marginal=np.array([top + np.log(weight.sum())]),
        exact=np.zeros(1, dtype=bool),
    )


class _Solved(NamedTuple):
    """Generalised least squares at the G nodes of a mask."""

    b: Array  # (G, k)
    inverse: Array  # (G, k, k) of X'PX
    rss: Array  # (G,)
    log_weight: Array  # (G,)
    parts: tuple[Array, ...]  # phi, first variance (G,), shocks' and noise's variances (G, n)


def _solve(
    response: Array, variance: Array, X: Array, after: int | None, mask: Array | None = None
) -> _Solved:
    """Solve by the Kalman filter of all nodes of a mask at once, or of the first nodes."""
    n, k = X.shape
    grid = noise_grid(n, after is not None)
    mask = first_nodes(grid) if mask is None else mask
    t, u, v = np.nonzero(mask)
    phi, noise, seen = grid.phi[t, u], grid.theta[t], np.isfinite(variance)
    # an ARMA(1, 1) with theta = phi s: its AR(1) part and its noise share the variance as 1 - s
    # times 1 - phi^2 s to s times 1 - phi^2
    signal = (1 - noise) * (1 - phi**2 * noise) / (noise * (1 - phi**2)) * variance[seen].mean()
    larger = np.ones((len(phi), n))
    if after is not None:
        larger[:, after:] = np.exp(2 * grid.log_ratio[v])[:, None]
    shocks, noise = (signal * (1 - phi**2))[:, None] * larger, variance * larger
    start, *_ = np.linalg.lstsq(X[seen], response[seen], rcond=None)  # a high level costs digits
    columns = np.column_stack([X, response - X @ start])
    state, surprises = np.zeros((len(phi), k + 1)), np.zeros((n, len(phi), k + 1))  # in sds
    log_det, spread = np.zeros(len(phi)), signal
    for period, row in enumerate(columns):
        gain = np.zeros(len(phi))
        if seen[period]:
            surprise = row - state
            total = spread + noise[:, period]
            gain = spread / total
            surprises[period] = surprise / np.sqrt(total)[:, None]
            log_det += np.log(total)
            state = state + gain[:, None] * surprise
        state = phi[:, None] * state
        if period + 1 < n:
            spread = phi**2 * spread * (1 - gain) + shocks[:, period + 1]
    moments = surprises.transpose(1, 2, 0) @ surprises.transpose(1, 0, 2)
    Xy, inverse = moments[:, :k, k], np.linalg.inv(moments[:, :k, :k])
    b = np.einsum("gij,gj->gi", inverse, Xy)
    rss = moments[:, k, k] - (Xy * b).sum(axis=1)
    log_det -= np.linalg.slogdet(inverse)[1]
    log_weight = grid.log_weight[mask] - 0.5 * ((seen.sum() - k) * np.log(rss) + log_det)
    return _Solved(b + start, inverse, rss, log_weight, (phi, signal, shocks, noise))
