"""Generalised least squares at many values of the errors' law, from a few cross-products.

With theta fixed, x = u / (1 - theta B) and h_t = theta^t, the weighted sum of squares of the
innovations is a polynomial of degree two in phi, a line in q^-2, and one square less for what is
not known of the first error. So every further phi and q costs the same, whatever the number of
periods.
"""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from analysis.engine.law import start_variance


class Basis:
    """D designs, each in an orthonormal basis of its own."""

    def __init__(self, X: np.ndarray, C: np.ndarray) -> None:
        Q, R = np.linalg.qr(X)
        pivots = np.abs(np.diagonal(R, axis1=1, axis2=2))
        size = np.sqrt((X**2).sum(axis=1))
        lost = pivots <= 1e-10 * np.maximum(size, np.finfo(float).tiny)
        if lost.any():
            raise ValueError(
                f"the design's columns are linearly dependent: column {lost.any(axis=0).argmax()} "
                "adds nothing to those before it. Leave a term out, or move shifts apart."
            )
        self.log_size = 2 * np.log(pivots).sum(axis=1)  # log |X'X|, (D,)
        self.columns = np.ascontiguousarray(Q.swapaxes(1, 2))  # (D, k, n)
        self.contrasts = C @ np.linalg.inv(R)  # (D, m, k)

    def take_out(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the contrasts of `y` (n, N) by least squares, (R, m), and the residuals (D, N, n).

        R is D or N, of which one is 1.
        """
        Q = self.columns.swapaxes(1, 2)
        b = self.columns @ y
        left = y - Q @ b
        left -= Q @ (self.columns @ left)  # what rounding left, where y is far from zero
        contrasts = (self.contrasts @ b).swapaxes(1, 2)
        return contrasts.reshape(-1, contrasts.shape[2]), left.swapaxes(1, 2).copy()


class Products(NamedTuple):
    """Cross-products of design, residuals and h for one theta.

    By side of `after` (S, 1 or 2) and lag: 00, 01 + 10 and 11 of squares, 0 and 1 of sums with h.
    """

    XX: np.ndarray  # (D, 3 S, k, k)
    Xy: np.ndarray  # (D, 3 S, k, N)
    yy: np.ndarray  # (D, 3 S, N)
    hx: np.ndarray  # (D, 2 S, k)
    hy: np.ndarray  # (D, 2 S, N)
    hh: np.ndarray  # (D, S)


class AtNodes(NamedTuple):
    """What generalised least squares say at J nodes of R = D or N rows; R or D is 1."""

    step: np.ndarray  # (J, m, R) each contrast: GLS minus OLS
    rss: np.ndarray  # (J, R)
    variance: np.ndarray  # (J, m, D) c (X'PX)^-1 c'
    log_det: (
        np.ndarray
    )  # (J, D) log |X'PX| + log |Sigma| / sigma^2n, less log |X'X| and the power of q


def split_periods(n: int, after: np.ndarray | None) -> np.ndarray:
    """Return 1 for the periods before and for those from `after` on, (D, 2, n); or (1, 1, n)."""
    if after is None:
        return np.ones((1, 1, n))
    before = np.arange(n) < np.atleast_1d(after)[:, None]
    return np.stack([before, ~before], axis=1).astype(float)


def cross_products(basis: Basis, left: np.ndarray, periods: np.ndarray, theta: float) -> Products:
    """Return what `solve_nodes` needs of the designs and of residuals `left` (D, N, n)."""
    (designs, k, n), sides = basis.columns.shape, periods.shape[1]
    now = lfilter([1.0], [1.0, -theta], np.concatenate([basis.columns, left], axis=1))
    before = np.zeros_like(now)
    before[..., 1:] = now[..., :-1]
    fading = theta ** np.arange(n)
    weights = periods.swapaxes(1, 2)
    turned = np.concatenate([now, before], axis=1).swapaxes(1, 2)  # (D, n, 2 (k + N))
    X = np.concatenate([now[:, :k], before[:, :k]], axis=1)
    P = (X[:, None] * periods[:, :, None]).reshape(designs, -1, n) @ turned
    P = P.reshape(designs, sides, 2, k, 2, -1)
    P = np.stack([P[:, :, 0, :, 0], P[:, :, 0, :, 1] + P[:, :, 1, :, 0], P[:, :, 1, :, 1]], axis=2)
    P = P.reshape(designs, 3 * sides, k, -1)
    y, y_before = now[:, k:], before[:, k:]
    of_y = [(a * b) @ weights for a, b in ((y, y), (2 * y, y_before), (y_before, y_before))]
    yy = np.stack(of_y, axis=-1).reshape(designs, -1, 3 * sides).swapaxes(1, 2)
    h = ((periods * fading) @ turned).reshape(designs, 2 * sides, -1)
    hh = np.broadcast_to(periods @ fading**2, (designs, sides))
    return Products(P[..., :k], P[..., k:], yy, h[..., :k], h[..., k:], hh)


def solve_nodes(
    basis: Basis, products: Products, theta: float, phi: np.ndarray, log_ratio: np.ndarray
) -> AtNodes:
    """Solve for all rows at J pairs of phi and log q."""
    XX, Xy, yy, hx, hy, hh = products
    designs, _, k, series = Xy.shape
    one = np.ones_like(phi)
    side = np.stack([one, np.exp(-2 * log_ratio)][: hh.shape[1]], axis=1)
    squares, lines = (
        (side[:, :, None] * np.stack(powers, axis=1)[:, None]).reshape(len(phi), -1)
        for powers in ([one, -phi, phi**2], [one, -phi])
    )
    start = start_variance(phi, theta)
    certain = 1 + start * (hh @ side.T)  # (D, J)
    share = start / certain
    V, Vy = lines @ hx, lines @ hy  # (D, J, k), (D, J, N)
    rss = squares @ yy - share[..., None] * Vy**2
    XX = (squares @ XX.reshape(designs, -1, k * k)).reshape(*V.shape, k)
    XX -= (share[..., None] * V)[..., None] * V[..., None, :]
    C = np.broadcast_to(basis.contrasts[:, None], (*share.shape, *basis.contrasts.shape[1:]))
    if series == 1:
        right = (squares @ Xy[..., 0] - (share[..., None] * V) * Vy)[..., None, :]
    else:
        right = np.broadcast_to(np.eye(k), XX.shape)
    m = C.shape[2]
    rows = np.concatenate([XX, C, right], axis=2).transpose(3, 2, 0, 1)  # nodes last
    factor, log_det = eliminate(np.ascontiguousarray(rows), k)
    log_det += np.log(certain)
    H, rest = factor[:, k : k + m], factor[:, k + m :]
    variance = (H * H).sum(axis=0).transpose(2, 0, 1)
    if series == 1:
        rss[..., 0] -= (rest[:, 0] ** 2).sum(axis=0)
        step = np.einsum("kmdj,kdj->jmd", H, rest[:, 0])
        return AtNodes(step, rss[..., 0].T, variance, log_det.T)
    inverse = rest[:, :, 0].transpose(2, 0, 1)  # (J, k, k)
    of_squares = (inverse[:, :, None] * squares[:, None, :, None]).reshape(len(phi), k, -1)
    of_lines = (inverse @ (share[0, :, None] * V[0])[..., None]) * -lines[:, None]
    linear = np.concatenate([of_squares, of_lines], axis=2).reshape(len(phi) * k, -1)
    z = (linear @ np.concatenate([Xy[0].reshape(-1, series), hy[0]])).reshape(-1, k, series)
    rss = rss[0] - np.einsum("jkn,jkn->jn", z, z)
    step = H[:, :, 0].transpose(2, 1, 0) @ z
    return AtNodes(step, rss, variance, log_det.T)


def eliminate(rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return L^-1 [A | B] of rows [A | B] (k, k + ..., D, J), A = LL', and log |A|."""
    log_det = np.zeros(rows.shape[2:])
    for j in range(k):
        pivot = rows[j, j].copy()
        log_det += np.log(pivot)
        rows[j, j:] /= np.sqrt(pivot)
        rows[j + 1 :, j + 1 :] -= rows[j, j + 1 : k, None] * rows[j, None, j + 1 :]
    return rows, log_det
