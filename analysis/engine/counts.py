"""Counts with few or no deaths in a period: counting noise told apart from AR(1)."""

import numpy as np

from analysis.engine.errors import RhoMixture, rho_nodes
from analysis.engine.estimators import fit_poisson

RHO_NODES, SHARE_NODES = 36, 24  # a finer grid moves no end of an interval by 1e-4 of its width
COARSE = (10, 8)  # to find the disturbance itself
FEWEST_TO_SMOOTH = 5  # deaths a period: of fewer, the disturbance cannot be told from the noise
TURNS, SETTLED = 20, 1e-3  # of the linearisation, and the largest step on the log scale at its end


def working_response(
    deaths: np.ndarray, X: np.ndarray, exposure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return log rates, linearised, and the variance that counting gives them, each (n,).

    With mu = exposure exp(eta) these are eta + (deaths - mu) / mu and 1 / mu, for a design (n, k).
    Where the mean count is below `FEWEST_TO_SMOOTH`, the log rate is linearised at the line of the
    Poisson regression; otherwise at that line plus the disturbance, as far as it shows through the
    noise, and again until it settles: with many deaths that is the log rate itself.

    Breslow and Clayton (1993), doi:10.2307/2290687.
    """
    line = X @ fit_poisson(deaths, X, exposure).params
    response, variance = _linearise(line, deaths, exposure)
    if deaths.mean() < FEWEST_TO_SMOOTH:
        return response, variance
    for _ in range(TURNS):
        step = np.clip(_smooth(response, variance, X) - line, -1, 1)
        line = line + step
        response, variance = _linearise(line, deaths, exposure)
        if np.abs(step).max() < SETTLED:
            break
    return response, variance


def _linearise(
    line: np.ndarray, deaths: np.ndarray, exposure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    expected = exposure * np.exp(line)
    return line + (deaths - expected) / expected, 1 / expected


def _smooth(response: np.ndarray, variance: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return the response without the noise of counting, at the likeliest rho and share.

    What varies more than Poisson counts do, with memory or without, belongs to the rate.
    """
    mixture = split_noise(response, variance, X, X[:1], nodes=COARSE)
    likeliest = int(mixture.weight[0].argmax())
    rho, share, _ = _pairs(COARSE)
    gaps = np.abs(np.subtract.outer(np.arange(len(X)), np.arange(len(X))))
    signal = share[likeliest] / (1 - share[likeliest]) * variance.mean()
    disturbance = signal * rho[likeliest] ** gaps
    precision = np.linalg.inv(np.diag(variance) + disturbance)
    line = X @ np.linalg.solve(X.T @ precision @ X, X.T @ precision @ response)
    dispersion = max(1.0, mixture.rss[0, likeliest] / mixture.df)
    return response - variance * (precision @ (response - line)) / dispersion


def split_noise(
    response: np.ndarray,
    variance: np.ndarray,
    X: np.ndarray,
    C: np.ndarray,
    *,
    nodes: tuple[int, int] = (RHO_NODES, SHARE_NODES),
) -> RhoMixture:
    """Return contrasts (m, k) as one mixture over rho and the share of the AR(1) disturbance.

    The covariance of the response is sigma^2 [diag(variance) + lambda R(rho)], R the correlation
    matrix of an AR(1) process. The restricted likelihood weighs rho, uniform as in the headline
    model, and the share lambda / (lambda + mean variance), uniform on (0, 1); sigma is profiled
    out. At a share of 0 this is quasi-Poisson regression, at 1 the headline model. The mixture's
    nodes are pairs of rho and share. Zeger (1988), doi:10.1093/biomet/75.4.621.
    """
    n, k = X.shape
    rho, share, node_weight = _pairs(nodes)
    signal = share / (1 - share) * variance.mean()
    start = np.linalg.lstsq(X, response, rcond=None)[0]  # what is split starts at zero: digits
    moments, log_det = _filter(np.column_stack([X, response - X @ start]), variance, rho, signal)
    XX, Xy = moments[:, :k, :k], moments[:, :k, k]
    inverse = np.linalg.inv(XX)
    b = np.einsum("gij,gj->gi", inverse, Xy)
    rss = moments[:, k, k] - (Xy * b).sum(axis=1)
    log_det += np.linalg.slogdet(XX)[1]
    log_weight = -0.5 * ((n - k) * np.log(rss) + log_det)
    log_weight += np.log(node_weight)
    top = log_weight.max()
    weight = np.exp(log_weight - top)
    spread = np.einsum("mi,gij,mj->mg", C, inverse, C)
    return RhoMixture(
        rho=rho,
        weight=weight[None] / weight.sum(),
        mean=(C @ (b + start).T)[None],
        scale=np.sqrt(spread * rss / (n - k))[None],
        rss=rss[None],
        df=n - k,
        log_marginal=np.array([top + np.log(weight.sum())]),
        exact=np.zeros(1, dtype=bool),
    )


def _pairs(nodes: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rho, share and weight of every pair of nodes."""
    (rho, rho_weight), (share, share_weight) = rho_nodes(nodes[0]), _share_nodes(nodes[1])
    pairs = np.meshgrid(rho, share, indexing="ij")
    return pairs[0].ravel(), pairs[1].ravel(), np.multiply.outer(rho_weight, share_weight).ravel()


def _share_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights that integrate over (0, 1), denser where one noise rules."""
    point, weight = np.polynomial.legendre.leggauss(count)
    angle = np.pi * (point + 1) / 4
    return np.sin(angle) ** 2, weight * np.pi / 4 * np.sin(2 * angle)


def _filter(
    columns: np.ndarray, variance: np.ndarray, rho: np.ndarray, signal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return columns' V^-1 columns (G, k + 1, k + 1) and log |V| (G,) by the Kalman filter.

    V = diag(variance) + signal R(rho), for each of the G pairs of rho and signal.
    """
    state = np.zeros((len(rho), columns.shape[1]))
    spread = signal.copy()
    shocks = signal * (1 - rho**2)
    moments = np.zeros((len(rho), columns.shape[1], columns.shape[1]))
    log_det = np.zeros(len(rho))
    for row, noise in zip(columns, variance, strict=True):
        surprise = row - state
        total = spread + noise
        gain = spread / total
        moments += (surprise / total[:, None])[:, :, None] * surprise[:, None, :]
        log_det += np.log(total)
        state = rho[:, None] * (state + gain[:, None] * surprise)
        spread = rho**2 * spread * (1 - gain) + shocks
    return moments, log_det
