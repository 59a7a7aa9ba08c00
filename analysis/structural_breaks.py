"""Breaks at unknown dates, the classical way: dates by least squares.

All coefficients of a linear regression change at each break (pure structural change), and the
errors are taken as uncorrelated: lags of the outcome among the regressors are the usual remedy.

A break is dated by `first`, the first observation under the new regime, counted from 0. R's
strucchange dates it by the last observation before, counted from 1: the same whole number.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.segments import NEVER_INDEPENDENT, add_rows, independent, prepare


@dataclass(frozen=True)
class Breaks:
    """Best partitions of n observations with m = 0, …, M breaks."""

    n: int
    shortest: int  # observations that each segment has at least
    rss: np.ndarray  # (M + 1,) residual sum of squares, in squared units of y
    bic: np.ndarray  # (M + 1,)
    lwz: np.ndarray  # (M + 1,)
    first: tuple[np.ndarray, ...]  # m-th: (m,) first observations of the new regimes, from 0

    def best(self, criterion: Literal["bic", "lwz"] = "bic") -> int:
        """Return the number of breaks for which the criterion is smallest."""
        if criterion not in ("bic", "lwz"):
            raise ValueError(f"criterion must be 'bic' or 'lwz'; found {criterion!r}")
        return int(np.argmin(getattr(self, criterion)))


def find_breaks(y: np.ndarray, X: np.ndarray, *, most: int = 5, trimming: float = 0.15) -> Breaks:
    """Find the dates of up to `most` breaks that minimise the residual sum of squares.

    Parameters
    ----------
    y, X : array, shapes (n,) and (n, k)
        Outcome and regressors, a column of ones among them where a constant is meant.
    most : int
        Largest number of breaks M.
    trimming : float
        Share of the observations, rounded down, that each segment has at least; or k + 1 of them.
        Segments in which columns of `X` are dependent are left out.

    Returns
    -------
    Breaks
        For m breaks, BIC is n (log(2 pi RSS / n) + 1) + (m + 1) (k + 1) log n: the coefficients of
        m + 1 segments, m dates and sigma count as parameters. With q = (m + 1) k + m, LWZ is
        log(RSS / (n - q)) + 0.299 q (log n)^2.1 / n.

    Raises
    ------
    ValueError
        As `sup_f`, or if `most` is no whole number from 1 up.

    References
    ----------
    Bai, J. and Perron, P. (2003). Computation and analysis of multiple structural change models.
    Journal of Applied Econometrics 18, 1-22. doi:10.1002/jae.659
    Liu, J., Wu, S. and Zidek, J. V. (1997). On segmented multivariate regression. Statistica
    Sinica 7, 497-525.
    """
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or most < 1:
        raise ValueError(f"most must be a whole number of breaks from 1 up; found {most!r}")
    rows, exact, shortest = prepare(y, X, trimming, most)
    n, k = len(rows), rows.shape[1] - 1
    m = np.arange(most + 1)
    rss, first = _best_partitions(_segment_squares(rows, shortest), most)
    if not np.isfinite(rss).all():
        raise ValueError(NEVER_INDEPENDENT.format(int(np.argmin(np.isfinite(rss))) + 1, shortest))
    rss[rss <= exact] = 0.0  # the criteria must not tell one rounding error from another
    with np.errstate(divide="ignore"):
        log_rss = np.log(rss)
    bic = n * (log_rss + np.log(2 * np.pi / n) + 1) + (m + 1) * (k + 1) * np.log(n)
    q = (m + 1) * k + m
    lwz = log_rss - np.log(n - q) + 0.299 * q * np.log(n) ** 2.1 / n
    return Breaks(n, shortest, rss, bic, lwz, first)


def _segment_squares(rows: np.ndarray, shortest: int) -> np.ndarray:
    """Return the residual sum of squares of rows i, …, j - 1 at [i, j], shape (n, n + 1).

    Infinite where the segment is too short or columns of X are dependent in it.
    """
    n, k = len(rows), rows.shape[1] - 1
    squares = np.full((n, n + 1), np.inf)
    triangle, total = np.zeros((n, k, k + 1)), np.zeros(n)
    for length in range(1, n + 1):  # all segments of this length at once
        start = np.arange(n - length + 1)
        triangle, total = triangle[: len(start)], total[: len(start)]
        total += add_rows(triangle, rows[length - 1 :].copy())
        if length >= shortest:
            squares[start, start + length] = np.where(
                independent(triangle[..., :-1]), total, np.inf
            )
    return squares


def _best_partitions(squares: np.ndarray, most: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the least sum of squares with 0, …, `most` breaks, and where these are.

    Dynamic programming: the best m breaks before observation j end in a last segment from some i
    on, with the best m - 1 breaks before i.
    """
    n = len(squares)
    cost, last = [squares[0]], []
    for _ in range(most):
        sums = cost[-1][:n, None] + squares
        last.append(sums.argmin(axis=0))
        cost.append(sums.min(axis=0))
    first = []
    for m in range(most + 1):
        dates = [n]
        for back in reversed(last[:m]):
            dates.append(int(back[dates[-1]]))
        first.append(np.array(dates[:0:-1], dtype=int))
    return np.array([row[n] for row in cost]), tuple(first)
