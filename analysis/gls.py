"""Generalised least squares with AR(1) errors at many values of rho, from a few cross-products.

With P the AR(1) precision matrix up to scale and L the shift by one period,
P = (1 + rho^2) I - rho (L + L') - rho^2 (e_1 e_1' + e_n e_n'). In a basis of the design's columns
that is orthonormal and diagonalises L + L', X'PX is a diagonal matrix plus one of rank two, so
every rho costs a few operations per column, whatever the number of periods.
"""

import numpy as np


def whiten(x: np.ndarray, rho: float) -> np.ndarray:
    """Return `x` (n, ...) with the AR(1) correlation taken out along its first axis."""
    white = x.copy()
    white[1:] -= rho * x[:-1]
    white[0] *= np.sqrt(1 - rho**2)
    return white


class Basis:
    """D designs in their own orthonormal basis, and (X'PX)^-1 at every rho."""

    def __init__(self, X: np.ndarray, C: np.ndarray, rho: np.ndarray) -> None:
        Q, R = np.linalg.qr(X)
        _check_rank(X, R)
        values, vectors = np.linalg.eigh(Q.swapaxes(1, 2) @ _neighbours(Q))
        self.columns = Q @ vectors  # (D, n, k)
        self.lagged = _neighbours(self.columns)
        self.contrasts = C @ np.linalg.solve(R, vectors)  # (D, m, k)
        self.ends = self.columns[:, [0, -1]].swapaxes(1, 2)  # (D, k, 2)
        g = rho[:, None]
        self.diagonal = 1 + g**2 - g * values[:, None, :]  # (D, G, k)
        self.scaled_ends = self.ends[:, None] / self.diagonal[..., None]  # (D, G, k, 2)
        inner = np.eye(2) - (rho**2)[:, None, None] * (
            self.ends.swapaxes(1, 2)[:, None] @ self.scaled_ends
        )
        self.correction = (rho**2)[:, None, None] * np.linalg.inv(inner)  # (D, G, 2, 2)
        size = 2 * np.log(np.abs(np.diagonal(R, axis1=1, axis2=2))).sum(-1)  # log|X'X|
        self.log_det = np.log(self.diagonal).sum(-1) + np.log(np.linalg.det(inner)) + size[:, None]

    def solve(self, v: np.ndarray) -> np.ndarray:
        """Return (X'PX)^-1 v for v of shape (D, G, k, j)."""
        inner = self.correction @ (self.scaled_ends.swapaxes(2, 3) @ v)
        return v / self.diagonal[..., None] + self.scaled_ends @ inner

    def contrast_variance(self) -> np.ndarray:
        """Return c (X'PX)^-1 c' for every contrast, shape (D, m, G)."""
        c = self.contrasts[:, None]  # (D, 1, m, k)
        ends = c @ self.scaled_ends  # (D, G, m, 2)
        variance = (c**2 / self.diagonal[:, :, None]).sum(-1)
        variance += ((ends @ self.correction) * ends).sum(-1)
        return variance.swapaxes(1, 2)


def step_of_designs(
    basis: Basis, inputs: np.ndarray, rho: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return each contrast's step from OLS to GLS (D, m, G), and its part of the RSS (D, G)."""
    lagged, ends = inputs[:, None, :-2], inputs[:, -2:]
    g = rho[:, None, None]
    v = -g * lagged - g**2 * (basis.ends @ ends)[:, None]  # (D, G, k, 1): X'Py
    step = basis.solve(v)
    part = -(rho**2) * (ends**2).sum(axis=1) - (v * step).sum(axis=(2, 3))
    return np.einsum("dmk,dgk->dmg", basis.contrasts, step[..., 0]), part


def step_of_series(
    basis: Basis, inputs: np.ndarray, rho: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for N series of one design: two matrix products over all of them."""
    z = inputs[0]  # (k + 2, N)
    k, size = len(z) - 2, len(z)
    g = rho[:, None, None]
    to_v = np.concatenate(
        [np.broadcast_to(-g * np.eye(k), (len(rho), k, k)), -(g**2) * basis.ends], axis=2
    )  # (G, k, k + 2): X'Py as a linear function of z
    to_step = basis.solve(to_v[None])[0]
    form = -to_v.swapaxes(1, 2) @ to_step
    form[:, [k, k + 1], [k, k + 1]] -= (rho**2)[:, None]
    row, column = np.triu_indices(size)
    doubled = form[:, row, column] * np.where(row == column, 1, 2)
    part = (z[row] * z[column]).T @ doubled.T  # the quadratic form, (N, G)
    linear = (basis.contrasts[0] @ to_step).swapaxes(0, 1).reshape(-1, size)
    return (z.T @ linear.T).reshape(z.shape[1], -1, len(rho)), part


def _neighbours(x: np.ndarray) -> np.ndarray:
    """Return (L + L') x along the second axis of x (D, n, k)."""
    total = np.zeros_like(x)
    total[:, 1:] += x[:, :-1]
    total[:, :-1] += x[:, 1:]
    return total


def _check_rank(X: np.ndarray, R: np.ndarray) -> None:
    diagonal = np.abs(np.diagonal(R, axis1=1, axis2=2))
    size = np.sqrt((X**2).sum(axis=1))
    if (diagonal <= 1e-10 * np.maximum(size, np.finfo(float).tiny)).any():
        column = int(np.argmax((diagonal <= 1e-10 * size).any(axis=0)))
        raise ValueError(
            f"the design's columns are linearly dependent: column {column} adds nothing to those "
            "before it. Leave a term out, or move shifts apart."
        )
