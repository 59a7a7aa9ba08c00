"""Weighted mixtures of Student t distributions, many at once: their quantiles and tail areas.

A mixture has `weight` (R, G), `mean` and `scale` (R, m, G) and `df` degrees of freedom: for each
of R rows and m contrasts, G components.
"""

from functools import lru_cache

import numpy as np
from scipy.special import gammaln, ndtri, stdtr, stdtrit

SQRT_2PI = np.sqrt(2 * np.pi)
NEWTON_STEPS = 4
LONGEST_STEP = 2.0  # of the mixture's standard deviation: between two far modes F is flat
TOLERANCE = 1e-10  # of the mixture's standard deviation


class StudentTable:
    """The Student t distribution function for one `df`, tabulated for speed.

    With w = x / sqrt(df + x^2) the distribution function is smooth on (-1, 1); cubic Hermite
    interpolation on a grid finer than 1/500 of its width there is exact to about 1e-11.
    """

    def __init__(self, df: float) -> None:
        cells = 512 * max(8, int(np.ceil(np.sqrt(df))))
        w = np.linspace(-1, 1, cells + 1)
        cdf = np.concatenate([[0.0], stdtr(df, w[1:-1] * np.sqrt(df / (1 - w[1:-1] ** 2))), [1.0]])
        density = np.exp(gammaln((df + 1) / 2) - gammaln(df / 2)) / np.sqrt(np.pi)
        slope = density * np.maximum(1 - w**2, 0) ** (df / 2 - 1) * (2 / cells)
        left, right, rise = slope[:-1], slope[1:], np.diff(cdf)
        self.df, self.cells = df, cells
        self.coefficients = (
            cdf[:-1].copy(),
            left.copy(),
            3 * rise - 2 * left - right,
            left + right - 2 * rise,
        )

    def cdf_pdf(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return distribution function and density at `x`."""
        shrink = 1 / np.sqrt(self.df + x * x)
        place = x * shrink
        place += 1
        place *= self.cells / 2
        cell = place.astype(np.intp)
        np.minimum(cell, self.cells - 1, out=cell)
        place -= cell
        c0, c1, c2, c3 = (column.take(cell) for column in self.coefficients)
        cdf = ((c3 * place + c2) * place + c1) * place + c0
        pdf = (3 * c3 * place + 2 * c2) * place + c1
        pdf *= shrink**3 * (self.df * self.cells / 2)
        return cdf, pdf


student_table = lru_cache(maxsize=32)(StudentTable)


def mixture_cdf(
    x: np.ndarray, weight: np.ndarray, mean: np.ndarray, scale: np.ndarray, df: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return distribution function and density of the mixtures at `x`, each of shape (R, m)."""
    inverse = 1 / scale
    cdf, pdf = student_table(df).cdf_pdf((x[..., None] - mean) * inverse)
    return np.einsum("rmg,rg->rm", cdf, weight), np.einsum("rmg,rmg,rg->rm", pdf, inverse, weight)


def mixture_quantile(
    q: float, weight: np.ndarray, mean: np.ndarray, scale: np.ndarray, df: float
) -> np.ndarray:
    """Return the `q` quantile of each mixture, shape (R, m).

    Newton's method on the normal scale: for a mixture close to a normal distribution
    ndtri(F(x)) is close to a straight line. What has not converged is bisected.
    """
    centre = np.einsum("rmg,rg->rm", mean, weight)
    spread = (mean - centre[..., None]) ** 2 + scale**2 * (df / (df - 2))
    sd = np.sqrt(np.einsum("rmg,rg->rm", spread, weight))
    z = ndtri(q)
    x = centre + z * sd
    for _ in range(NEWTON_STEPS):
        cdf, pdf = mixture_cdf(x, weight, mean, scale, df)
        reached = ndtri(np.clip(cdf, 1e-15, 1 - 1e-15))
        step = (reached - z) * np.exp(-0.5 * reached**2) / (SQRT_2PI * np.maximum(pdf, 1e-300))
        step = np.clip(step, -LONGEST_STEP * sd, LONGEST_STEP * sd)
        x = x - step
    late = ~(np.abs(step) <= TOLERANCE * sd)
    if late.any():
        row, contrast = np.nonzero(late)
        part = mean[row, contrast][:, None], scale[row, contrast][:, None]
        x[late] = _bisect(q, weight[row], *part, df)[:, 0]
    return x


def _bisect(
    q: float, weight: np.ndarray, mean: np.ndarray, scale: np.ndarray, df: float
) -> np.ndarray:
    ends = mean + scale * stdtrit(df, q)  # the mixture's quantile lies between its components'
    low, high = ends.min(axis=-1), ends.max(axis=-1)
    for _ in range(80):
        middle = (low + high) / 2
        below = mixture_cdf(middle, weight, mean, scale, df)[0] < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
