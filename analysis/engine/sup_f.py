"""Breaks at one date: rows made ready for segments, and the sup-F test."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legder, legvander
from scipy.special import chdtrc, gammaln, roots_jacobi

from analysis.arguments import checked
from analysis.checks import Array, OneLine, check_regression, require, unit_size
from analysis.engine.gls import EXACT, take_out

NO_PART = 1e-9  # part of a column, relative to it, that the other columns do not explain
NO_SEGMENTS = (
    "there are no {} segments of at least {} observations in each of which the columns of X are "
    "independent. Leave out columns that hardly vary, or ask for fewer breaks."
)
FAR = 100.0  # so much above 2k, the leading terms of the p value of sup-F suffice


def add_rows(triangle: Array, row: Array) -> Array:
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


def independent(triangle: Array) -> Array:
    """Return whether the columns that have these triangular factors (…, k, k) are independent."""
    diagonal = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
    return (diagonal > NO_PART * np.linalg.norm(triangle, axis=-2)).all(axis=-1)


def prepare(y: Array, X: Array, trimming: float, most: int) -> tuple[Array, float, int, int]:
    """Return what `orthogonalise` does, and the length of the shortest segment."""
    rows, exact, power = orthogonalise(y, X)
    n, k = len(rows), rows.shape[1] - 1
    share = "trimming must be a share above 0 and at most 0.5"
    require(0 < trimming <= 0.5, f"{share}; found {trimming}")
    shortest = max(int(trimming * n), k + 1)
    fault = f"{n} observations cannot hold {most} breaks: {most + 1} segments need at least"
    less = f"{shortest} each. Ask for fewer breaks, a smaller trimming or fewer columns of X."
    require((most + 1) * shortest <= n, f"{fault} {less}")
    return rows, exact, power, shortest


def orthogonalise(y: Array, X: Array) -> tuple[Array, float, int]:
    """Return [orthonormal X, residuals of y / 2^power] (n, k + 1), their rounding error, power."""
    # No segment's residual sum of squares changes, whatever the scales of X and the level of y
    y, X, _ = check_regression(y, X)
    y, power = unit_size(y)
    residual, exact = take_out(y, X), EXACT * float(y @ y)
    require(residual @ residual > exact, "X fits y exactly: no break can be found in what is left")
    basis = np.linalg.qr(unit_size(X, axis=0)[0])[0]
    return np.column_stack([basis, residual]), exact, int(power)


@dataclass(frozen=True, repr=False)
class SupF(OneLine):
    """Test of no break against one break at an unknown date."""

    statistic: float  # k times Chow's F, at the date where it is largest
    first: int  # that date: first observation of the second regime, from 0
    p: float


@checked
def sup_f(y: Array, X: Array, *, trimming: float = 0.15) -> SupF:
    """Test whether all coefficients change at one unknown date.

    Parameters
    ----------
    y, X, trimming
        As in `find_breaks`.

    Returns
    -------
    SupF
        The statistic is the largest over the dates of (RSS0 - RSS1) / (RSS1 / (n - 2k)): k times
        Chow's F, as in R's strucchange. Its p value is that of the limit for large n, for
        stationary regressors (no trend) and uncorrelated errors of constant variance.
        strucchange's approximates simulations of the same limit (Hansen 1997): for its 180 months
        of British drivers 0.0067 where this is 0.0083, and a simulation gives 0.0081.

    Raises
    ------
    ValueError
        If `y` is fitted exactly, or no date leaves the columns of `X` independent on both sides.

    References
    ----------
    Andrews (1993), Econometrica 61, 821-856, doi:10.2307/2951764
    Estrella (2003), Econometric Theory 19, 1128-1143, doi:10.1017/S0266466603196107
    Hansen (1997), J. Business & Economic Statistics 15, 60-67, doi:10.1080/07350015.1997.10524687
    """
    rows, exact, _, shortest = prepare(y, X, trimming, 1)
    n, k = len(rows), rows.shape[1] - 1
    squares = np.full((2, n + 1), np.inf)  # of the first observations, and of the last
    triangle, total = np.zeros((2, k, k + 1)), np.zeros(2)
    for length, pair in enumerate(np.stack([rows, rows[::-1]], axis=1), start=1):
        total += add_rows(triangle, pair.copy())
        squares[:, length] = np.where(independent(triangle[..., :-1]), total, np.inf)
    dates = np.arange(shortest, n - shortest + 1)
    split = squares[0, dates] + squares[1, n - dates]
    best = int(np.argmin(split))
    require(bool(np.isfinite(split[best])), NO_SEGMENTS.format(2, shortest))
    whole = float(rows[:, k] @ rows[:, k])
    if split[best] <= exact:
        return SupF(np.inf, int(dates[best]), 0.0)
    statistic = float((whole / split[best] - 1) * (n - 2 * k))
    p = _crossing_probability(statistic, k, 2 * np.log((n - shortest) / shortest))
    return SupF(statistic, int(dates[best]), p)


def _crossing_probability(boundary: float, k: int, time: float) -> float:
    """Return P(a stationary chi-square process of k degrees of freedom ever exceeds `boundary`)."""
    # The sum of squares of k Ornstein-Uhlenbeck processes with correlation exp(-t / 2) is watched
    # for `time`: the limit of F, in the log odds of the date. What has not crossed decays by the
    # eigenvalues of the process' generator whose functions vanish at the boundary, found here in
    # the span of (1 - x) times Legendre polynomials, which is all but exact.
    at_start = float(chdtrc(k, boundary))
    if at_start == 1:
        return 1.0
    log_density = k / 2 * np.log(boundary / 2) - boundary / 2 - gammaln(k / 2)
    if boundary >= 2 * k + FAR:
        return float(np.exp(log_density) * ((1 - k / boundary) * time + 2 / boundary))
    node, weight = roots_jacobi(80, 0, k / 2 - 1)
    share = (1 + node) / 2
    weight = weight * np.exp(log_density + (1 - share) * boundary / 2 - k / 2 * np.log(2))
    value, far = legvander(node, 40), (1 - node)[:, None]
    derivative = legvander(node, 39) @ legder(np.eye(41))
    orthonormal, triangle = np.linalg.qr(np.sqrt(weight)[:, None] * (far * value))
    slope = np.sqrt(8 / boundary * share * weight)[:, None] * (far * derivative - value)
    _, root, modes = np.linalg.svd(np.linalg.solve(triangle.T, slope.T).T, full_matrices=False)
    start = orthonormal.T @ np.sqrt(weight)
    gone = np.sqrt(weight) - orthonormal @ start  # what crosses at once
    crossed = -np.expm1(-(root**2) * time)  # positive terms only: a small p keeps its digits
    return min(1.0, float(at_start + gone @ gone + crossed @ (modes @ start) ** 2))
