"""Rows of a regression made ready for segments: checked, orthonormal, added one at a time."""

import numpy as np

from analysis.checks import check_regression, require

ROUNDING = 1e-26  # share of the sum of squares of y below which a residual one is rounding error
DEPENDENT = 1e-9  # part of a column, relative to it, that the other columns do not explain
NO_SEGMENTS = (
    "there are no {} segments of at least {} observations in each of which the columns of X are "
    "independent. Leave out columns that hardly vary, or ask for fewer breaks."
)


def add_rows(triangle: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Rotate a row (B, k + 1), y last, into each triangle (B, k, k + 1); give squared residuals."""
    # Givens rotations in place: sums of squares only grow, so that nothing cancels
    for j in range(row.shape[1] - 1):
        above, here = triangle[:, j, j], row[:, j]
        length = np.hypot(above, here)
        length[length == 0] = 1.0  # nothing to rotate: row times 0, as it was
        cosine, sine = (above / length)[:, None], (here / length)[:, None]
        rotated = cosine * triangle[:, j, j:] + sine * row[:, j:]
        row[:, j:] = cosine * row[:, j:] - sine * triangle[:, j, j:]
        triangle[:, j, j:] = rotated
    return row[:, -1] ** 2


def independent(triangle: np.ndarray) -> np.ndarray:
    """Return whether the columns that have these triangular factors (…, k, k) are independent."""
    diagonal = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
    return (diagonal > DEPENDENT * np.linalg.norm(triangle, axis=-2)).all(axis=-1)


def prepare(
    y: np.ndarray, X: np.ndarray, trimming: float, most: int
) -> tuple[np.ndarray, float, int]:
    """Return what `orthogonalise` does, and the length of the shortest segment."""
    rows, exact = orthogonalise(y, X)
    n, k = len(rows), rows.shape[1] - 1
    share = isinstance(trimming, int | float | np.number) and bool(0 < trimming <= 0.5)
    require(share, f"trimming must be a share above 0 and at most 0.5; found {trimming!r}")
    shortest = max(int(trimming * n), k + 1)
    fault = f"{n} observations cannot hold {most} breaks"
    needs = f"{most + 1} segments need at least {shortest} each"
    less = "Ask for fewer breaks, a smaller trimming or fewer columns of X."
    require((most + 1) * shortest <= n, f"{fault}: {needs}. {less}")
    return rows, exact, shortest


def orthogonalise(y: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, float]:
    """Return [orthonormal X, residuals of y], (n, k + 1), and what is rounding error in RSS."""
    # No segment's residual sum of squares changes, whatever the scales of X and the level of y
    y, X, _ = check_regression(np.asarray(y, dtype=float), np.asarray(X, dtype=float))
    basis = np.linalg.qr(X)[0]
    residual = y - basis @ (basis.T @ y)
    exact = ROUNDING * float(y @ y)
    require(residual @ residual > exact, "X fits y exactly: no break can be found in what is left")
    return np.column_stack([basis, residual]), exact
