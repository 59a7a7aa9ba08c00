"""Counts with few or no deaths in a period: noise of known size told apart from a disturbance."""

from typing import NamedTuple

import numpy as np

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
    from scipy.linalg import solveh_banded

    found = _solve(response, variance, X, after)
    best = int(found.log_weight.argmax())
    b, (phi, start, ratio) = found.b[best], (part[best] for part in found.law)
    larger = np.ones(len(X))
    larger[len(X) if after is None else after :] = ratio**2
    shocks = np.append(start, start * (1 - phi**2) * larger[1:])
    left, noise, seen = response - X @ b, variance * larger, np.isfinite(variance)
    # the disturbance by its precision and that of the noise, which is banded; of a period not seen
    # the others tell it
    diagonal = 1 / shocks + 1 / noise + np.append(phi**2 / shocks[1:], 0)
    bands = np.stack([np.append(0, -phi / shocks[1:]), diagonal])
    disturbance = solveh_banded(bands, np.where(seen, left, 0) / noise)
    dispersion = max(1.0, found.rss[best] / (seen.sum() - X.shape[1]))
    smooth = X @ b + disturbance
    return np.where(seen, response - (left - disturbance) / dispersion, smooth)


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
    spread = (C.T * np.linalg.solve(found.information, C.T)).sum(axis=1).T
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
    information: Array  # (G, k, k) X'PX
    rss: Array  # (G,)
    log_weight: Array  # (G,)
    law: tuple[Array, ...]  # phi, the disturbance's variance at first, and the ratio, each (G,)


def _solve(
    response: Array, variance: Array, X: Array, after: int | None, mask: Array | None = None
) -> _Solved:
    """Solve at all nodes of a mask at once, or at the first nodes."""
    n, k = X.shape
    grid = noise_grid(n, after is not None)
    mask = first_nodes(grid) if mask is None else mask
    pairs = mask.any(axis=2)
    (t, u), (pair, v) = np.nonzero(pairs), np.nonzero(mask[pairs])
    phi, noise, seen = grid.phi[t, u], grid.theta[t], np.isfinite(variance)
    # an ARMA(1, 1) with theta = phi s: its AR(1) part and its noise share the variance as 1 - s
    # times 1 - phi^2 s to s times 1 - phi^2
    signal = (1 - noise) * (1 - phi**2 * noise) / (noise * (1 - phi**2)) * variance[seen].mean()
    shock = signal * (1 - phi**2)
    start, *_ = np.linalg.lstsq(X[seen], response[seen], rcond=None)  # a high level costs digits
    columns = np.column_stack([X, response - X @ start])[..., None]
    # From the cut on all is q times as large, but for what is known of the disturbance by then:
    # its mean is taken off, its variance, through what of it reaches each period, is one term more.
    cut = n // 2 if after is None else after
    early, early_det, mean, known = _filter(columns[:cut], variance[:cut], phi, signal, shock)
    reach = phi ** np.arange(n - cut)[:, None, None]
    columns = np.concatenate([columns[cut:] - reach * mean, reach], axis=1)
    late, late_det, *_ = _filter(columns, variance[cut:], phi, shock, shock)
    square = np.exp(2 * grid.log_ratio[v])
    late, known = late[pair], known[pair] / square
    late, reached, own = late[:, :-1, :-1], late[:, :-1, -1:], late[:, -1, -1]
    late -= (known / (1 + known * own))[:, None, None] * reached * reached.transpose(0, 2, 1)
    moments = early[pair] + late / square[:, None, None]
    Xy, information = moments[:, :k, k], moments[:, :k, :k]
    b = np.linalg.solve(information, moments[:, :k, k:])[..., 0]
    rss = moments[:, k, k] - (Xy * b).sum(axis=1)
    log_det = (early_det + late_det)[pair] + 2 * seen[cut:].sum() * grid.log_ratio[v]
    log_det += np.log1p(known * own) + np.linalg.slogdet(information)[1]
    log_weight = grid.log_weight[mask] - 0.5 * ((seen.sum() - k) * np.log(rss) + log_det)
    law = phi[pair], signal[pair], np.exp(grid.log_ratio[v])
    return _Solved(b + start, information, rss, log_weight, law)


def _filter(
    columns: Array, variance: Array, phi: Array, spread: Array, shock: Array
) -> tuple[Array, ...]:
    """Filter columns (n, c, G or 1) at G pairs of phi and noise from the disturbance's variance.

    Returns the moments (G, c, c) of their surprises and the log determinant, then what is known of
    the disturbance a period later, before its shock: its mean for each column, and its variance.
    """
    total, kept = np.empty((2, len(columns), len(phi)))
    for period, noise in enumerate(variance.tolist()):
        np.add(spread, noise, out=total[period])
        np.subtract(1, spread / total[period], out=kept[period])  # all of it where not seen
        known = phi**2 * spread * kept[period]
        spread = known + shock
    # a surprise is what is new in the column, and what was kept of the last one
    surprises = np.empty((*columns.shape[:2], len(phi)))
    surprises[0] = columns[0]
    np.subtract(columns[1:], phi * columns[:-1], out=surprises[1:])
    for period, share in enumerate(phi * kept[:-1]):
        surprises[period + 1] += share * surprises[period]
    mean = phi * (columns[-1] - kept[-1] * surprises[-1])
    surprises /= np.sqrt(total)[:, None]
    each = np.ascontiguousarray(surprises.T)
    log_det = np.log(total[np.isfinite(variance)]).sum(axis=0)
    return each @ each.transpose(0, 2, 1), log_det, mean, known
