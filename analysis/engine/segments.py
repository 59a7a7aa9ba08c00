"""Rows of a regression made ready for segments: checked, orthonormal, added one at a time."""

import numpy as np

ROUNDING = 1e-26  # share of the sum of squares of y below which a residual one is rounding error
DEPENDENT = 1e-9  # part of a column, relative to it, that the other columns do not explain
NEVER_INDEPENDENT = (
    "there are no {} segments of at least {} observations in each of which the columns of X are "
    "independent. Leave out columns that hardly vary, or ask for fewer breaks."
)


def add_rows(triangle: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Rotate a row (B, k + 1), y last, into each triangle (B, k, k + 1); give squared residuals."""
    # Givens rotations in place: sums of squares only grow, so that nothing cancels.
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
    y, X = check_shapes(y, X)
    n, k = X.shape
    share = isinstance(trimming, int | float | np.number) and not isinstance(trimming, bool)
    if not share or not 0 < trimming <= 0.5:
        raise ValueError(f"trimming must be a share above 0 and at most 0.5; found {trimming!r}")
    shortest = max(int(trimming * n), k + 1)
    if (most + 1) * shortest > n:
        raise ValueError(
            f"{n} observations cannot hold {most} breaks: {most + 1} segments need at least "
            f"{shortest} each (trimming {trimming}, {k} coefficients). Ask for fewer breaks or a "
            "smaller trimming, or use a longer series."
        )
    return *orthogonalise(y, X), shortest


def check_shapes(y: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `y` (n,) and `X` (n, k) as numbers, or raise a ValueError that says what is wrong."""
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    if y.ndim != 1 or X.ndim != 2 or len(y) != len(X) or X.shape[1] == 0:
        raise ValueError(f"expected y (n,) and X (n, k); found {y.shape} and {X.shape}")
    for array, name in ((y, "y"), (X, "X")):
        bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        if len(bad):
            raise ValueError(
                f"{name} must be finite and not missing; found {len(bad)} bad observations, the "
                f"first at position {bad[0]}. Leave these out or fill them before."
            )
    return y, X


def orthogonalise(y: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, float]:
    """Return [orthonormal X, residuals of y], (n, k + 1), and what is rounding error in RSS."""
    # No segment's residual sum of squares changes, whatever the scales of X and the level of y.
    basis, triangle = np.linalg.qr(X)
    if len(X) < X.shape[1] or not independent(triangle):
        raise ValueError("columns of X are dependent. Leave out those that others make up.")
    residual = y - basis @ (basis.T @ y)
    exact = ROUNDING * float(y @ y)
    if residual @ residual <= exact:
        raise ValueError("X fits y exactly: nothing is left in which a break could be found")
    return np.column_stack([basis, residual]), exact
