"""Counts with few or no deaths in a period: noise of known size told apart from a disturbance."""

import numpy as np

from analysis.checks import Array
from analysis.engine.errors import TINY, first_nodes, near_nodes
from analysis.engine.estimators import fit_poissons
from analysis.engine.law import noise_grid
from analysis.engine.mixture import Posterior

FEWEST_TO_SMOOTH = 5  # deaths a period: of fewer, the disturbance cannot be told from the noise
TOGETHER = 8  # series of one design at a time: enough for numpy, few enough for a cache
TURNS, SETTLED = 20, 1e-3  # of the linearisation, and the largest step on the log scale at its end


def working_response(
    deaths: Array, X: Array, exposure: Array, after: int | None = None, seen: Array | None = None
) -> tuple[Array, Array]:
    """Return log rates, linearised, and the variance that counting gives them, like deaths."""
    # Breslow and Clayton (1993), doi:10.2307/2290687: with mu = exposure exp(eta) these are eta +
    # (deaths - mu) / mu and 1 / mu (unbounded where not `seen`), at the Poisson regression's line,
    # with enough deaths at that plus the disturbance as it shows through the noise once it settles.
    shape = deaths.shape
    deaths, exposure = (part.reshape(len(X), -1) for part in (deaths, exposure))
    seen = np.ones(len(X), dtype=bool) if seen is None else seen
    line = X @ fit_poissons(deaths[seen], X[seen], exposure[seen])[0]
    moving = deaths[seen].mean(axis=0) >= FEWEST_TO_SMOOTH
    for turn in range(TURNS + 1):
        expected = exposure * np.exp(line)
        response = line + np.where(seen[:, None], (deaths - expected) / expected, 0)
        variance = np.where(seen[:, None], 1 / expected, np.inf)
        if turn == TURNS or not moving.any():
            break
        smooth = _smooth(response[:, moving], variance[:, moving], X, after)
        step = np.clip(smooth - line[:, moving], -1, 1)
        line[:, moving] += step
        moving[moving] = np.abs(step).max(axis=0) >= SETTLED
    return response.reshape(shape), variance.reshape(shape)


def _smooth(response: Array, variance: Array, X: Array, after: int | None) -> Array:
    """Return responses without the noise of counting, at the likeliest of a coarse grid, (n, N)."""
    # what varies more than Poisson counts do, with memory or without, belongs to the rate
    from scipy.linalg import solveh_banded

    law, mean, _, rss, log_weight = _solve(response, variance, X, np.eye(X.shape[1]), after)
    nodes = log_weight.reshape(response.shape[1], -1)
    best = nodes.argmax(axis=1) + np.arange(nodes.size, step=nodes.shape[1])
    phi, _, ratio, start = law[1:, best]
    seen = np.isfinite(variance[:, 0])
    larger = np.ones(response.shape)
    larger[len(X) if after is None else after :] = ratio**2
    shocks = start * (1 - phi**2) * larger
    shocks[0] = start
    line, noise = X @ mean[:, best], variance * larger
    # the disturbance by its precision and that of the noise, which is banded; of a period not seen
    # the others tell it
    diagonal, beside = 1 / shocks + 1 / noise, -phi / shocks
    diagonal[:-1] += phi**2 / shocks[1:]
    beside[0] = 0
    bands = np.stack([beside, diagonal]).transpose(2, 0, 1)
    left = np.where(seen[:, None], response - line, 0)
    disturbance = [solveh_banded(*each) for each in zip(bands, (left / noise).T, strict=True)]
    smooth = line + np.transpose(disturbance)
    dispersion = np.maximum(1.0, rss[best] / (seen.sum() - X.shape[1]))
    return np.where(seen[:, None], response - (response - smooth) / dispersion, smooth)


def split_noises(
    response: Array, variance: Array, X: Array, C: Array, *, after: int | None = None
) -> list[Posterior]:
    """Return contrasts (m, k) of each of N responses (n, N), noise of known relative size."""
    # Zeger (1988), doi:10.1093/biomet/75.4.621: the response has covariance sigma^2 [diag(variance)
    # + lambda R], R that of an AR(1) disturbance and lambda what makes the noise the share s of a
    # period's surprise where the variance has its mean; from `after` on all is q times as large.
    # At s = 0 this is the law "ar1_noise" without noise, near s = 1 quasi-Poisson regression.
    first = _solve(response, variance, X, C[:0], after)[-1].reshape(response.shape[1], -1)
    heavy = first > first.max(axis=1, keepdims=True) + np.log(TINY)
    nodes = first_nodes(noise_grid(len(X), after is not None))
    found = _solve(response, variance, X, C, after, np.array([near_nodes(nodes, x) for x in heavy]))
    df = int(np.isfinite(variance[:, 0]).sum()) - X.shape[1]
    ends, mixtures = np.cumsum(np.bincount(found[0][0].astype(int)))[:-1], []
    for own in zip(*(np.split(part, ends, axis=-1) for part in found), strict=True):
        (_, phi, noise, ratio, _), mean, spread, rss, log_weight = own
        weight = np.exp(log_weight - log_weight.max())
        each = Posterior(
            phi=phi,
            theta=phi * noise,
            ratio=ratio,
            weight=weight[None] / weight.sum(),
            mean=mean[None],
            scale=np.sqrt(spread * rss / df)[None],
            size=np.sqrt(rss)[None],
            df=df,
            log_marginal=np.array([log_weight.max() + np.log(weight.sum())]),
            exact=np.zeros(1, dtype=bool),
        )
        mixtures.append(each)
    return mixtures


def _solve(
    y: Array, variance: Array, X: Array, C: Array, after: int | None, mask: Array | None = None
) -> tuple[Array, ...]:
    """Solve at all nodes of each series' mask (N, T, U, V) at once, or at the first nodes."""
    # Returns of each of G nodes the series' number, phi, s, q and the disturbance's variance at
    # first (5, G), mean and spread of contrasts (m, G), squared residuals and log weight (G,).
    if y.shape[1] > TOGETHER:
        found = []
        for at in range(0, y.shape[1], TOGETHER):
            some = slice(at, at + TOGETHER)
            own = None if mask is None else mask[some]
            found.append(_solve(y[:, some], variance[:, some], X, C, after, own))
            found[-1][0][0] += at
        return tuple(np.concatenate(part, axis=-1) for part in zip(*found, strict=True))
    n, k = X.shape
    grid, cut = noise_grid(n, after is not None), n // 2 if after is None else after
    mask = np.array([first_nodes(grid)] * y.shape[1]) if mask is None else mask
    pairs = mask.any(axis=3)
    (series, t, u), (pair, v) = np.nonzero(pairs), np.nonzero(mask[pairs])
    phi, noise, seen = grid.phi[t, u], grid.theta[t], np.isfinite(variance[:, 0])
    # an ARMA(1, 1) with theta = phi s: its AR(1) part and its noise share the variance as 1 - s
    # times 1 - phi^2 s to s times 1 - phi^2
    signal = (1 - noise) * (1 - phi**2 * noise) / (noise * (1 - phi**2))
    signal *= variance[seen].mean(axis=0)[series]
    order = np.argsort(C.any(axis=0), kind="stable")  # what is asked for is eliminated last
    X, C = X[:, order], C[:, order]
    start, *_ = np.linalg.lstsq(X[seen], y[seen], rcond=None)  # a high level costs digits
    left = (y - X @ start)[:, series]
    new, log_det, known = _filter(X, left, variance[:, series], phi, signal, cut)
    halves = (x.transpose(1, 2, 0) @ x.transpose(1, 0, 2) for x in (new[:cut], new[cut:]))
    # From the cut on all is q times as large, but for what is known of the disturbance by then:
    # its mean is taken off, its variance, through what of it reaches each period, is one term more.
    early, late = (np.ascontiguousarray(half.T) for half in halves)
    reach = late[:, -1].take(pair, axis=1)
    log_ratio = grid.log_ratio[v]
    share = np.exp(-2 * log_ratio)
    known = known[pair] * share
    lost = known / (1 + known * reach[-1])
    moments = np.zeros((k + 1 + len(C), k + 1, len(pair)))  # [X y]'P[X y], and the contrasts below
    for i in range(k + 1):  # from the diagonal on
        row = late[i, i:-1].take(pair, axis=1)
        row -= lost * reach[i] * reach[i:-1]
        row *= share
        row += early[i, i:-1].take(pair, axis=1)
        moments[i, i:] = row
    moments[k + 1 :, :k] = C[..., None]
    spread, log_det = np.zeros((len(C), len(pair))), log_det[pair] + np.log1p(known * reach[-1])
    for j in range(k):
        pivot = moments[j, j]
        for i in range(j + 1, len(moments) if C[:, j].any() else k + 1):  # from the diagonal on
            at, share = (i, moments[j, i]) if i <= k else (j + 1, moments[i, j])
            moments[i, at:] -= share / pivot * moments[j, at:]
        spread += moments[k + 1 :, j] ** 2 / pivot
        log_det += np.log(pivot)
    mean, rss = (C @ start)[:, series[pair]] - moments[k + 1 :, k], moments[k, k]
    log_weight = grid.log_weight[t[pair], u[pair], v] - 0.5 * (seen.sum() - k) * np.log(rss)
    log_weight -= 0.5 * log_det + seen[cut:].sum() * log_ratio
    law = np.array([series[pair], phi[pair], noise[pair], np.exp(log_ratio), signal[pair]])
    return law, mean, spread, rss, log_weight


def _filter(
    X: Array, left: Array, variance: Array, phi: Array, signal: Array, cut: int
) -> tuple[Array, ...]:
    """Filter a design (n, k), and what is left (n, L), at L pairs of phi and noise."""
    # Returns surprises (n, L, k + 2) of size 1, the last of what is known of the disturbance by the
    # cut, then the log determinant and the variance of that, before its shock, each (L,).
    fresh = left - phi * np.vstack([np.zeros(left.shape[1]), left[:-1]])
    lagged = np.stack([X, np.vstack([np.zeros(X.shape[1]), X[:-1]])], axis=2)
    two, last = np.stack([np.ones_like(phi), -phi]), np.zeros((X.shape[1] + 2, len(phi)))
    surprises, gain, log_det = np.empty((len(X), *last.T.shape)), phi, np.zeros(len(phi))
    shock, known, spread = signal * (1 - phi**2), signal, signal
    for period, noise in enumerate(variance):
        last *= gain
        if period == cut:
            by_then, spread, last[-1] = known, shock, 1
        # a surprise is what is new in the column, and what was kept of the last one
        last[:-2] += lagged[period] @ two
        last[-2] += fresh[period]
        total = spread + noise
        np.multiply(last, 1 / np.sqrt(total), out=surprises[period].T)
        log_det += np.log(total) if np.isfinite(noise[0]) else 0
        gain = phi * (1 - spread / total)  # all of it where not seen
        known = phi * spread * gain
        spread = known + shock
    return surprises, log_det, by_then
