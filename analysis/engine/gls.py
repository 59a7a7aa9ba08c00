"""Generalised least squares at many values of the errors' law, from a few cross-products.

The innovations are f_t = x_t - phi x_{t-1} with x = u / (1 - theta B), less theta^t times what is
known of the first error beforehand, which is one more coefficient. So with theta fixed, sums at
three lags give any phi. With phi fixed too, one turn of the coefficients makes their precision
diagonal both before and after the shift, and then every q is a weighted sum.
"""

from typing import NamedTuple

import numpy as np

from analysis.checks import Array, unit_size
from analysis.engine.law import start_variance

EXACT = (32 * np.finfo(float).eps) ** 2  # residual over total sum of squares: rounding error


class Basis:
    """D designs, each in an orthonormal basis of its own, and contrasts divided by 2^power."""

    def __init__(self, X: Array, C: Array) -> None:
        X, sizes = unit_size(X, axis=1)  # (D, 1, k)
        Q, R = np.linalg.qr(X)
        log_pivots = np.log(np.abs(np.diagonal(R, axis1=1, axis2=2))) + np.log(2) * sizes[:, 0]
        self.log_size = 2 * log_pivots.sum(axis=1)  # log |X'X|, (D,)
        self.columns = np.ascontiguousarray(Q.swapaxes(1, 2))  # (D, k, n)
        own = np.where(C == 0, -9999, np.frexp(C)[1] - 1 - sizes)
        self.power = own.max(axis=2)  # (D, m)
        self.contrasts = np.ldexp(C, -sizes - self.power[..., None]) @ np.linalg.inv(R)  # (D, m, k)

    def take_out(self, y: Array) -> tuple[Array, Array]:
        """Return contrasts of `y` (n, N) by least squares, (D or N, m), and residuals (D, N, n)."""
        Q = self.columns.swapaxes(1, 2)
        b = self.columns @ y
        left = y - Q @ b
        left -= Q @ (self.columns @ left)  # what rounding left, where y is far from zero
        contrasts = (self.contrasts @ b).swapaxes(1, 2)
        return contrasts.reshape(-1, contrasts.shape[2]), left.swapaxes(1, 2).copy()


def take_out(y: Array, X: Array) -> Array:
    """Return what the columns of `X` (n, k) leave of `y` (n,), by orthogonal steps."""
    Q = np.linalg.qr(unit_size(X, axis=0)[0])[0]
    left = y - Q @ (Q.T @ y)
    return left - Q @ (Q.T @ left)


def is_exact(left: Array, y: Array) -> bool:
    """Tell whether residuals are no more than the rounding error of the outcome, both (n,)."""
    y, power = unit_size(y)
    left = np.ldexp(left, -power)
    return bool(left @ left <= EXACT * (y @ y))


def split_periods(n: int, after: Array | None) -> Array:
    """Return 1 for the periods before and for those from `after` on, (D, 2, n); or (1, 1, n)."""
    if after is None:
        return np.ones((1, 1, n))
    before = np.arange(n) < np.atleast_1d(after)[:, None]
    return np.stack([before, ~before], axis=1).astype(float)


class Lagged(NamedTuple):
    """B designs, or one at B values of theta, as weights for sums, by side of `after` (S)."""

    # at lags 00, 01 + 10 and 11, of k columns and theta^t
    rows: Array  # (B, 3, k + 1, S, n)
    own: Array  # (B, 3, k + 1, S, k) sums with the k columns
    fading: Array  # (B, S, 1) of theta^t with itself


class Sums(NamedTuple):
    """Sums over the periods of residuals."""

    left: Array  # (B, 3, k + 1, S, N) with the designs
    squares: Array  # (B, 3, S, N) with themselves


class Turned(NamedTuple):
    """B designs at J values of phi, in coordinates w in which no two mix."""

    # the precision of w is 1 - late from what is before or known beforehand, late / q^2 from after
    turn: Array  # (B, J, k + 1, 3 (k + 1)) from `Sums.left` to w
    powers: Array  # (B or 1, J, 3) from `Sums.squares` to the sum of squares of f
    late: Array  # (B, J, k + 1)
    contrasts: Array  # (B, J, m, k + 1)
    log_det: Array  # (B, J) log |X'PX| + log |Sigma| at q = 1, less log |X'X|


class Seen(NamedTuple):
    """Residuals (B, N) at J values of phi."""

    w: Array  # (B, J, k + 1, S, N)
    squares: Array  # (B, J, S, N)


def lag(columns: Array, periods: Array, theta: Array) -> Lagged:
    """Return the columns (D, k, n) of D designs at values of theta (T,); D or T is 1."""
    columns = _filter(columns, theta)  # (B, n, k)
    B, n, k = columns.shape
    fading = np.broadcast_to(theta[:, None] ** np.arange(n), (B, n))
    designs = np.concatenate([columns.swapaxes(1, 2), fading[:, None]], axis=1)[:, :, None]
    early, late = designs * periods[:, None], _move(designs, 1) * periods[:, None]
    late[:, k] = 0  # what is known of the first error has no lag
    rows = np.stack([early, late + _move(early, -1), _move(late, -1)], axis=1)
    own = (rows.reshape(B, -1, n) @ columns).reshape(*rows.shape[:-1], k)
    return Lagged(rows, own, periods @ (fading**2)[..., None])


def add_up(lagged: Lagged, left: Array, periods: Array, theta: Array) -> Sums:
    """Return the sums of residuals `left` (D, N, n) at values of theta (T,)."""
    y = _filter(left, theta)
    B, *axes, n = lagged.rows.shape
    sums = (lagged.rows.reshape(B, -1, n) @ y).reshape(B, *axes, -1)
    product, later = y * y, periods[..., 1:]
    squares = periods @ product, 2 * later @ (y[:, 1:] * y[:, :-1]), later @ product[:, :-1]
    return Sums(sums, np.stack(squares, axis=1))


def _filter(x: Array, theta: Array) -> Array:
    """Return x / (1 - theta B) of x (D, M, n), shape (B, n, M)."""
    n, designs, columns = (x := x.transpose(2, 0, 1)).shape
    filtered, memory = np.empty((n, len(theta), designs, columns)), theta[:, None, None]
    filtered[0] = x[0]
    for period in range(1, n):
        filtered[period] = x[period] + memory * filtered[period - 1]
    return filtered.reshape(n, -1, columns).swapaxes(0, 1)


def _move(x: Array, periods: int) -> Array:
    """Return x later (1) or sooner (-1) by one of the periods, its last axis."""
    moved = np.zeros_like(x)
    to, of = (np.s_[..., 1:], np.s_[..., :-1])[::periods]
    moved[to] = x[of]
    return moved


def turn(basis: Basis, lagged: Lagged, theta: Array, phi: Array) -> Turned:
    """Turn the designs at values of theta (T,) and of phi (T, J)."""
    B, _, _, sides, k = lagged.own.shape
    J = phi.shape[1]
    powers = np.stack([np.ones_like(phi), -phi, phi**2], axis=2)
    scale = np.ones((*phi.shape, k + 1))
    scale[..., k] = np.sqrt(start_variance(phi, theta[:, None]))
    own = (powers @ lagged.own.reshape(B, 3, -1)).reshape(B, J, k + 1, sides, k)
    A = np.empty((sides, B, J, k + 1, k + 1))
    A[..., :k] = (own * scale[..., None, None]).transpose(3, 0, 1, 2, 4)
    A[..., :k, k] = A[..., k, :k]
    A[..., k, k] = scale[..., k] ** 2 * lagged.fading.swapaxes(0, 1)
    A[0, ..., k, k] += 1
    unit = np.broadcast_to(np.eye(k + 1), A.shape[1:])
    rows = np.concatenate([A.sum(axis=0), unit], axis=3).transpose(2, 3, 0, 1)
    rows, log_det = eliminate(np.ascontiguousarray(rows), k + 1)
    W = rows[:, k + 1 :].transpose(2, 3, 0, 1)  # W A W' = I
    late = np.zeros((B, J, k + 1))
    if sides > 1:
        late, V = np.linalg.eigh(W @ A[1] @ W.swapaxes(2, 3))
        late, W = np.clip(late, 0, 1), V.swapaxes(2, 3) @ W
    of_lags = (W * scale[:, :, None])[:, :, :, None] * powers[:, :, None, :, None]
    contrasts = basis.contrasts[:, None] @ W[..., :k].swapaxes(2, 3)
    return Turned(of_lags.reshape(B, J, k + 1, -1), powers, late, contrasts, log_det)


def look(turned: Turned, sums: Sums) -> Seen:
    """Bring the sums of residuals into the coordinates of the designs."""
    B, J, k, _ = turned.turn.shape
    sides, series = sums.squares.shape[2:]
    w = turned.turn.reshape(B, J * k, -1) @ sums.left.reshape(B, -1, sides * series)
    squares = turned.powers @ sums.squares.reshape(B, 3, -1)
    return Seen(w.reshape(B, J, k, sides, series), squares.reshape(B, J, sides, series))


def weigh(turned: Turned, seen: Seen, ratio: Array) -> tuple[Array, Array]:
    """Return residual sums of squares (B, J, V, N) and log determinants (B, J, V) at V ratios q."""
    early, late = seen.w[:, :, :, 0], seen.w[:, :, :, -1]
    if seen.w.shape[3] == 1:
        rss = seen.squares - np.einsum("bjkn,bjkn->bjn", early, early)[:, :, None]
        return rss, turned.log_det[..., None]
    size = ratio[:, None] ** -2.0
    total = 1 + (size - 1) * turned.late[:, :, None]  # (B, J, V, k + 1)
    log_det = turned.log_det[..., None] + np.log(total).sum(axis=3)
    one = np.ones_like(total[..., :1])
    factors = [one, size * one, -1 / total, -2 * size / total, -(size**2) / total]
    products = [seen.squares, early**2, early * late, late**2]
    return np.concatenate(factors, axis=3) @ np.concatenate(products, axis=2), log_det


def solve(turned: Turned, seen: Seen, place: Array, ratio: Array) -> tuple[Array, ...]:
    """Return each contrast's GLS less OLS (m, P, L), the RSS (P, L), c (X'PX)^-1 c' (m, P, L)."""

    # at L places in (B, J, N), counted through, and at P ratios q of each, (P, L)
    def pick(x: Array, axis: int, at: Array) -> Array:
        return np.ascontiguousarray(x).reshape(*x.shape[:axis], -1).take(at, axis=axis)

    pair, size = place // seen.w.shape[4], (1 / ratio**2)[:, None]
    late = pick(turned.late.transpose(2, 0, 1), 1, pair)
    contrasts = pick(turned.contrasts.transpose(2, 3, 0, 1), 2, pair)
    w = pick(seen.w.transpose(3, 2, 0, 1, 4), 2, place)
    squares = pick(seen.squares.transpose(2, 0, 1, 3), 1, place)
    inverse = 1 / (1 + (size - 1) * late)  # (P, k + 1, L)
    sums, rss = np.broadcast_to(w[0], inverse.shape), squares[0]
    if len(w) > 1:
        sums, rss = sums + size * w[1], rss + size[:, 0] * squares[1]
    b = sums * inverse
    rss = rss - np.einsum("pkl,pkl->pl", sums, b)
    step = np.einsum("pkl,mkl->mpl", b, contrasts)
    return step, rss, np.einsum("pkl,mkl->mpl", inverse, contrasts**2)


def eliminate(rows: Array, k: int) -> tuple[Array, Array]:
    """Return L^-1 [A | B] of rows [A | B] (k, k + ..., D, J), A = LL', and log |A|."""
    log_det = np.zeros(rows.shape[2:])
    for j in range(k):
        pivot = rows[j, j].copy()
        log_det += np.log(pivot)
        rows[j, j:] /= np.sqrt(pivot)
        rows[j + 1 :, j + 1 :] -= rows[j, j + 1 : k, None] * rows[j, None, j + 1 :]
    return rows, log_det
