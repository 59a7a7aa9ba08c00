"""The law of the errors written a second time, plainly, to check the package against.

Nothing here comes from `analysis`. `covariance` and `dense` follow the definition with n x n
matrices; `fit_law` integrates over (v, s, log q) on a fine grid by the textbook Kalman filter.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import toeplitz
from scipy.special import logsumexp
from support.independent import Mixture

LEAST_V, MOST_THETA, RATIO_SD, MOST_LOG_RATIO = 0.03, 0.995, 0.5, np.log(3)


@dataclass(frozen=True)
class LawMixture(Mixture):
    """Nodes of the law beside what every mixture has; `rho` holds phi, `step` the prior."""

    theta: np.ndarray  # (G,)
    ratio: np.ndarray  # (G,)
    log_marginal: float

    def law_quantiles(self, values: np.ndarray, *q: float) -> np.ndarray:
        """Quantiles of a function of the law, such as `theta / rho`, at its nodes."""
        order = np.argsort(values)
        return np.interp(q, np.cumsum(self.weight[order]) - self.weight[order] / 2, values[order])


def covariance(
    n: int, phi: float, theta: float, ratio: float = 1.0, after: int | None = None
) -> np.ndarray:
    """Covariance of u_1 to u_n over sigma^2: what each shock leaves behind, added up."""
    sd = np.ones(n)
    sd[n if after is None else after :] = ratio
    left = (phi - theta) * phi ** np.arange(n)
    shocks = toeplitz(np.append(1, left[:-1]), np.zeros(n))
    start = left / np.sqrt(1 - phi**2)
    return (shocks * sd**2) @ shocks.T + np.outer(start, start)


def arma_covariance(n: int, phi: float, theta: float) -> np.ndarray:
    """Autocovariances of a stationary ARMA(1, 1) from the textbook, innovations of variance 1."""
    lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    first = (1 - phi * theta) * (phi - theta) / (1 - phi**2)
    return np.where(
        lag == 0,
        (1 - 2 * phi * theta + theta**2) / (1 - phi**2),
        first * phi ** np.maximum(lag - 1, 0),
    )


def dense(
    y: np.ndarray, X: np.ndarray, C: np.ndarray, V: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Restricted log-likelihood, means and scales of contrasts under the covariance sigma^2 V."""
    (n, k), L = X.shape, np.linalg.cholesky(V)
    white, target = np.linalg.solve(L, X), np.linalg.solve(L, y)
    Q, R = np.linalg.qr(white)
    b = np.linalg.solve(R, Q.T @ target)
    rss = ((target - white @ b) ** 2).sum()
    log_det = 2 * np.log(np.abs(np.diag(R))).sum() + 2 * np.log(np.diag(L)).sum()
    spread = (np.linalg.solve(R.T, C.T) ** 2).sum(axis=0)
    scale = np.sqrt(rss / (n - k) * spread)
    return -0.5 * ((n - k) * np.log(rss) + log_det), C @ b, scale


def law_nodes(
    sizes: tuple[int, int, int] = (20, 28, 20), *, changes: bool = True
) -> tuple[np.ndarray, ...]:
    """Nodes phi, theta, q (G,) and their prior: s uniform, v uniform in two panels, log q normal.

    Where phi is above 0.995 the share s ends where theta reaches 0.995.
    """
    (share, share_weight), (point, width), (z, z_weight) = (
        np.polynomial.legendre.leggauss(size) for size in sizes
    )
    kink, end = np.sqrt(np.arccos([MOST_THETA, 0]))
    v = np.concatenate([(a + b + (b - a) * point) / 2 for a, b in ((LEAST_V, kink), (kink, end))])
    v_weight = np.concatenate([(kink - LEAST_V) * width, (end - kink) * width])
    phi = np.cos(v**2)
    top = np.minimum(1, MOST_THETA / phi)[:, None]
    s, pair_weight = top * (share + 1) / 2, top * v_weight[:, None] * share_weight
    log_ratio, ratio_weight = MOST_LOG_RATIO * z, z_weight
    ratio_weight = ratio_weight * np.exp(-0.5 * (log_ratio / RATIO_SD) ** 2)
    if not changes:
        log_ratio, ratio_weight = np.zeros(1), np.ones(1)
    prior = (pair_weight[..., None] * ratio_weight).ravel()
    nodes = np.broadcast_arrays(phi[:, None, None], (phi[:, None] * s)[..., None], log_ratio)
    phi, theta, log_ratio = (values.ravel() for values in nodes)
    return phi, theta, np.exp(log_ratio), prior / prior.sum()


def filter_columns(
    columns: np.ndarray, phi: np.ndarray, theta: np.ndarray, ratio: np.ndarray, after: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Cross-products (G, k, k) of the columns (n, k) less what the past tells, and log V."""
    known, spread = np.zeros((columns.shape[1], len(phi))), (phi - theta) ** 2 / (1 - phi**2)
    moments, log_det = np.zeros((len(known), *known.shape)), np.zeros(len(phi))
    for period, row in enumerate(columns):
        own = ratio**2 if after is not None and period >= after else 1.0
        total, surprise = spread + own, row[:, None] - known
        moments += surprise[:, None] * (surprise / total)
        log_det += np.log(total)
        gain = (phi * spread + (phi - theta) * own) / total
        known = phi * known + gain * surprise
        spread = theta**2 * spread * own / total
    return moments.transpose(2, 0, 1), log_det


def fit_law(
    y: np.ndarray,
    X: np.ndarray,
    C: np.ndarray,
    *,
    after: int | None = None,
    sizes: tuple[int, int, int] | None = None,
) -> LawMixture:
    """Integrate the law out for one series; by default on 20 x 56 nodes, with q on 12 x 28 x 12.

    The latter move no end of a declared shift's interval by more than 6e-3 of its width.
    """
    sizes = sizes or ((20, 28, 1) if after is None else (12, 14, 12))
    (n, k), start = X.shape, np.linalg.lstsq(X, y, rcond=None)[0]
    Q, R = np.linalg.qr(X)
    columns = np.column_stack([Q, y - X @ start])
    phi, theta, ratio, prior = law_nodes(sizes, changes=after is not None)
    filtered = [
        filter_columns(columns, *law, after)
        for law in zip(
            *(np.array_split(x, -(-len(phi) // 1000)) for x in (phi, theta, ratio)), strict=True
        )
    ]
    moments, log_det = map(np.concatenate, zip(*filtered, strict=True))
    inverse = np.linalg.inv(moments[:, :k, :k])
    b = np.einsum("gij,gj->gi", inverse, moments[:, :k, k])
    rss = moments[:, k, k] - np.einsum("gi,gi->g", b, moments[:, :k, k])
    log_det += np.linalg.slogdet(moments[:, :k, :k])[1] + 2 * np.log(np.abs(np.diag(R))).sum()
    rows = C @ np.linalg.inv(R)
    scale = np.sqrt(np.einsum("mi,gij,mj->mg", rows, inverse, rows) * rss / (n - k))
    log_weight = np.log(prior) - 0.5 * ((n - k) * np.log(rss) + log_det)
    log_marginal = logsumexp(log_weight)
    return LawMixture(
        rho=phi,
        step=prior,
        weight=np.exp(log_weight - log_marginal),
        mean=(C @ start)[:, None] + rows @ b.T,
        scale=scale,
        df=n - k,
        theta=theta,
        ratio=ratio,
        log_marginal=log_marginal,
    )


def simulate(
    rng: np.random.Generator, n: int, process: str, count: int = 1, *, after: int | None = None
) -> np.ndarray:
    """Errors (n, count) of a process by its name; innovations are doubled from `after` on."""
    shocks, noise = rng.standard_normal((2, n, count))
    if process.startswith("local level"):
        return np.cumsum(np.sqrt(float(process.split()[-1])) * shocks, axis=0) + noise
    named = {"white noise": 0.0, "sd doubled": 0.8}
    rho = named[process] if process in named else float(process.split()[1])
    if process == "sd doubled":
        shocks[n // 2 if after is None else after :] *= 2
    errors = np.empty_like(shocks)
    errors[0] = shocks[0] / np.sqrt(1 - rho**2)
    for period in range(1, n):
        errors[period] = rho * errors[period - 1] + shocks[period]
    if process == "AR .95 + noise":  # three quarters of the variance
        return errors + np.sqrt(3 / (1 - rho**2)) * noise
    return errors
