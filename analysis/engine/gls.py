"""Generalised least squares with AR(1) errors at many values of rho, from a few cross-products.

With P the AR(1) precision matrix up to scale and L the shift by one period,
P = (1 + rho^2) I - rho (L + L') - rho^2 (e_1 e_1' + e_n e_n'). In an orthonormal basis of the
design's columns that diagonalises L + L', X'PX is a diagonal matrix minus one of rank two, so
every rho costs a few operations per column, whatever the number of periods.
"""

from typing import NamedTuple

import numpy as np

ILL_CONDITIONED = 1e-5  # smallest squared pivot of the scaled X'X, below which QR takes over


def whiten(x: np.ndarray, rho: float) -> np.ndarray:
    """Return `x` (n, ...) with the AR(1) correlation taken out along its first axis."""
    white = x.copy()
    white[1:] -= rho * x[:-1]
    white[0] *= np.sqrt(1 - rho**2)
    return white


class Basis:
    """D designs in an orthonormal basis of their own that diagonalises L + L'."""

    def __init__(self, X: np.ndarray, C: np.ndarray) -> None:
        orthonormal = _by_cholesky(X) if len(X) > 1 else None
        Q, inverse, self.log_size = orthonormal or _by_qr(X)  # log |X'X|, (D,)
        self.values, vectors = np.linalg.eigh(Q.swapaxes(1, 2) @ neighbours(Q))  # (D, k)
        self.columns = Q @ vectors  # (D, n, k)
        self.contrasts = C @ (inverse @ vectors)  # (D, m, k)
        self.ends = self.columns[:, [0, -1]]  # (D, 2, k)


class AtNodes(NamedTuple):
    """Generalised least squares of R outcomes on D designs at G values of rho; R or D is 1."""

    step: np.ndarray  # (R, m, G) each contrast: GLS minus OLS
    rss: np.ndarray  # (R, G) what GLS takes off the whitened sum of squares of the OLS residuals
    variance: np.ndarray  # (D, m, G) c (X'PX)^-1 c'
    log_det: np.ndarray  # (D, G) log |X'PX|


def solve_designs(basis: Basis, lagged: np.ndarray, ends: np.ndarray, rho: np.ndarray) -> AtNodes:
    """Solve for one outcome with D designs, at `rho` (G,).

    With r the residuals of ordinary least squares, `lagged` (D, k, 1) is basis' (L + L') r, and
    `ends` (D, 2, 1) are the first and last of r.
    """
    m = basis.contrasts.shape[1]
    u, b, e, c = basis.ends, lagged[:, None, :, 0], ends[..., 0], basis.contrasts
    rows = [u[:, :1] ** 2, u[:, :1] * u[:, 1:], u[:, 1:] ** 2, b**2, b * u]
    rows += [c**2, c * u[:, :1], c * u[:, 1:], c * b]
    g = rho[None]
    diagonal = 1 + rho**2 - basis.values[..., None] * rho  # (D, k, G)
    sums = np.concatenate(rows, axis=1) @ (1 / diagonal)
    u11, u12, u22, bb, b1, b2 = (sums[:, row] for row in range(6))  # each (D, G)
    cc, c1, c2, cb = (sums[:, 6 + part * m : 6 + (part + 1) * m] for part in range(4))
    e1, e2 = e[:, :1], e[:, 1:]

    # v = X'Pr = -g b - g^2 U'e; first with the diagonal alone
    w1, w2 = e1 * u11 + e2 * u12, e1 * u12 + e2 * u22
    v1, v2 = -g * b1 - g**2 * w1, -g * b2 - g**2 * w2
    vv = g**2 * (bb + 2 * g * (e1 * b1 + e2 * b2) + g**2 * (e1 * w1 + e2 * w2))
    e1, e2 = e1[..., None], e2[..., None]
    cv = -g * cb - g**2 * (e1 * c1 + e2 * c2)

    # and what the rank-two term adds to it
    i11, i12, i22 = 1 - g**2 * u11, -(g**2) * u12, 1 - g**2 * u22
    det = i11 * i22 - i12**2
    factor = g**2 / det
    s1, s2 = factor * (i22 * v1 - i12 * v2), factor * (i11 * v2 - i12 * v1)
    step = cv + c1 * s1[:, None] + c2 * s2[:, None]
    i11, i12, i22, factor = (x[:, None] for x in (i11, i12, i22, factor))
    variance = cc + factor * (i22 * c1**2 - 2 * i12 * c1 * c2 + i11 * c2**2)
    log_det = np.log(diagonal.prod(axis=1) * det) + basis.log_size[:, None]
    rss = -(g**2) * (e**2).sum(axis=1)[:, None] - (vv + v1 * s1 + v2 * s2)
    return AtNodes(step, rss, variance, log_det)


def solve_series(basis: Basis, lagged: np.ndarray, ends: np.ndarray, rho: np.ndarray) -> AtNodes:
    """Solve for N outcomes with one design, `lagged` (1, k, N) and `ends` (1, 2, N) likewise.

    Two matrix products do it for all of them.
    """
    k, U, C = basis.values.shape[1], basis.ends[0], basis.contrasts[0]
    z = np.concatenate([lagged[0], ends[0]])  # (k + 2, N)
    g = rho[:, None, None]
    information = np.diag(np.ones(k)) * (1 + g**2) - g * np.diag(basis.values[0]) - g**2 * U.T @ U
    inverse = np.linalg.inv(information)  # (G, k, k)
    to_v = np.concatenate([np.broadcast_to(-g * np.eye(k), inverse.shape), -(g**2) * U.T], axis=2)
    to_step = inverse @ to_v  # (G, k, k + 2): v and the step as linear functions of z
    form = -to_v.swapaxes(1, 2) @ to_step
    form[:, [k, k + 1], [k, k + 1]] -= (rho**2)[:, None]
    row, column = np.triu_indices(k + 2)
    doubled = form[:, row, column] * np.where(row == column, 1, 2)
    rss = (z[row] * z[column]).T @ doubled.T  # the quadratic form, (N, G)
    linear = (C @ to_step).swapaxes(0, 1).reshape(-1, k + 2)
    step = (z.T @ linear.T).reshape(z.shape[1], -1, len(rho))
    variance = np.einsum("mk,gkl,ml->mg", C, inverse, C)[None]
    log_det = np.linalg.slogdet(information)[1] + basis.log_size
    return AtNodes(step, rss, variance, log_det[None])


def neighbours(x: np.ndarray) -> np.ndarray:
    """Return (L + L') x along the second axis of x (D, n, k)."""
    total = np.empty_like(x)
    total[:, 1:-1] = x[:, :-2] + x[:, 2:]
    total[:, 0], total[:, -1] = x[:, 1], x[:, -2]
    return total


def _by_cholesky(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return X R^-1, R^-1 and log |X'X|, or None if that would cost digits."""
    gram = X.swapaxes(1, 2) @ X
    size = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))
    if not size.all():
        return None
    try:
        factor = np.linalg.cholesky(gram / (size[:, :, None] * size[:, None]))
    except np.linalg.LinAlgError:
        return None
    pivots = np.diagonal(factor, axis1=1, axis2=2)
    if pivots.min() < np.sqrt(ILL_CONDITIONED):
        return None
    inverse = np.linalg.inv(factor).swapaxes(1, 2) / size[:, :, None]
    return X @ inverse, inverse, 2 * np.log(pivots * size).sum(axis=1)


def _by_qr(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    Q, R = np.linalg.qr(X)
    pivots = np.abs(np.diagonal(R, axis1=1, axis2=2))
    size = np.sqrt((X**2).sum(axis=1))
    if (pivots <= 1e-10 * np.maximum(size, np.finfo(float).tiny)).any():
        column = int(np.argmax((pivots <= 1e-10 * size).any(axis=0)))
        raise ValueError(
            f"the design's columns are linearly dependent: column {column} adds nothing to those "
            "before it. Leave a term out, or move shifts apart."
        )
    return Q, np.linalg.inv(R), 2 * np.log(pivots).sum(axis=1)
