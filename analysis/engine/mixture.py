"""What the data say of contrasts: mixtures of Student t over the errors' law, many at once.

A mixture has `weight` (R, G), `mean` and `scale` (R, m, G) and `df` degrees of freedom: for each
of R rows and m contrasts, G components.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy.special import gammaln, ndtri, stdtr, stdtrit

from analysis.checks import Array

Parts = tuple[Array, Array, Array, float]  # weight, mean, scale and df

SQRT_2PI = np.sqrt(2 * np.pi)
MOST_STEPS = 20  # of Newton's method
LONGEST_STEP = 2.0  # of the mixture's standard deviation: between two far modes F is flat
TOLERANCE = 1e-6  # of the standard deviation, for the last step: what is left is its square
NO_WEIGHT = 1e-14  # components lighter than this everywhere are left out
MANY = 200  # components: of more, the lightest are left out of a quantile
LIGHT = 3e-4  # share of a mixture that these may make up
BLOCK = 64_000  # components at a time: enough for threads to share the work


def lighten(weight: Array, mean: Array, scale: Array, df: float) -> Parts:
    """Return the mixtures with as few components as carry all but `LIGHT` of each."""
    if weight.shape[1] <= MANY:
        return weight, mean, scale, df
    row, node = np.nonzero(weight > LIGHT / weight.shape[1])
    count = np.bincount(row)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    kept = np.zeros((len(weight), count.max()), dtype=np.intp)
    kept[row, place] = node
    light = np.zeros(kept.shape)
    light[row, place] = weight[row, node]
    light /= light.sum(axis=1, keepdims=True)
    mean, scale = (np.take_along_axis(part, kept[:, None], axis=2) for part in (mean, scale))
    return light, mean, scale, df


class StudentTable:
    """The Student t distribution function for one `df`, tabulated for speed."""

    # With w = x / sqrt(df + x^2) the distribution function is smooth on (-1, 1); cubic Hermite
    # interpolation on a grid finer than 1/500 of its width there is exact to about 1e-11.

    def __init__(self, df: float) -> None:
        cells = 512 * max(8, int(np.ceil(np.sqrt(df))))
        w = np.linspace(-1, 1, cells + 1)
        cdf = np.concatenate([[0.0], stdtr(df, w[1:-1] * np.sqrt(df / (1 - w[1:-1] ** 2))), [1.0]])
        density = np.exp(gammaln((df + 1) / 2) - gammaln(df / 2)) / np.sqrt(np.pi)
        slope = density * np.maximum(1 - w**2, 0) ** (df / 2 - 1) * (2 / cells)
        left, right, rise = slope[:-1], slope[1:], np.diff(cdf)
        self.df, self.cells = df, cells
        square, cube = 3 * rise - 2 * left - right, left + right - 2 * rise
        self.coefficients = np.stack([cdf[:-1], left, square, cube], axis=1)  # a row a cell

    def cdf_pdf(self, x: Array) -> tuple[Array, Array]:
        """Return distribution function and density at `x`."""
        shrink = 1 / np.sqrt(self.df + x * x)
        cdf, slope = self.at(x * shrink)
        return cdf, slope * shrink * shrink**2 * (self.df * self.cells / 2)

    def at(self, w: Array, *, rising: bool = True) -> tuple[Array, Array]:
        """Return the distribution function at x = w sqrt(df / (1 - w^2)), and its rise by cell."""
        place = (w + 1) * (self.cells / 2)
        cell = np.minimum(place.astype(np.intp), self.cells - 1)
        place -= cell
        c0, c1, c2, c3 = np.moveaxis(self.coefficients.take(cell, axis=0), -1, 0)
        slope = (3 * c3 * place + 2 * c2) * place + c1 if rising else c1
        return ((c3 * place + c2) * place + c1) * place + c0, slope


student_table = lru_cache(maxsize=32)(StudentTable)


def mixture_cdf(x: Array, weight: Array, mean: Array, scale: Array, df: float) -> tuple[Array, ...]:
    """Return distribution function and density of the mixtures at `x`, each of shape (R, m)."""
    inverse = 1 / scale
    cdf, pdf = student_table(df).cdf_pdf((x[..., None] - mean) * inverse)
    return (cdf @ weight[..., None])[..., 0], ((pdf * inverse) @ weight[..., None])[..., 0]


def mixture_quantiles(qs: Sequence[float], *parts: Any, tolerance: float = TOLERANCE) -> Array:
    """Return the quantiles of each mixture, shape (len(qs), R, m)."""
    # Newton's method on the normal scale, from a Cornish-Fisher start: for a mixture close to a
    # normal distribution ndtri(F(x)) is close to a straight line
    quantiles = np.empty((len(qs), *parts[1].shape[:2]))
    for rows, block in _blocks(*parts):
        moments = _moments(*block)
        for number, q in enumerate(qs):
            quantiles[number, rows] = _quantile(q, block, moments, tolerance)
    return quantiles


def mixture_tails(x: Array, *parts: Any) -> Array:
    """Return twice the smaller tail of each mixture at `x`, shape (R, m)."""
    below = np.empty_like(x)
    for rows, block in _blocks(*parts):
        below[rows] = mixture_cdf(x[rows], *block)[0]
    return np.clip(2 * np.minimum(below, 1 - below), 0, 1)


def _blocks(weight: Array, mean: Array, scale: Array, df: float) -> Iterator[tuple[Array, Parts]]:
    """Yield blocks of like mixtures without the components that none of them needs."""
    order = np.argsort(weight @ np.arange(weight.shape[1]), kind="stable")
    together = max(1, BLOCK // (mean.shape[1] * mean.shape[2]))
    for start in range(0, len(order), together):
        rows = order[start : start + together]
        needed = np.nonzero((weight[rows] > NO_WEIGHT).any(axis=0))[0]
        part = slice(needed[0], needed[-1] + 1)
        yield rows, (weight[rows, part], mean[rows, :, part], scale[rows, :, part], df)


def _moments(weight: Array, mean: Array, scale: Array, df: float) -> tuple[Array, ...]:
    """Return centre, standard deviation, skewness and excess kurtosis, each (R, m)."""

    def average(x: Array) -> Array:
        return (x @ weight[..., None])[..., 0]

    centre = average(mean)
    off = mean - centre[..., None]
    size = np.maximum(np.abs(off).max(axis=-1), scale.max(axis=-1))  # no power may underflow
    off /= size[..., None]
    own, square = (scale / size[..., None]) ** 2 * (df / (df - 2)), off**2
    variance = average(square + own)
    third = average(off * (square + 3 * own))
    tail = 3 + 6 / (df - 4) if df > 4.5 else 6.0
    fourth = average(square * (square + 6 * own) + tail * own**2)
    sd = size * np.sqrt(variance)
    return centre, sd, third / variance**1.5, fourth / variance**2 - 3


def _quantile(q: float, parts: Parts, moments: tuple[Array, ...], tolerance: float) -> Array:
    (weight, mean, scale, df), (centre, sd, skewness, kurtosis), z = parts, moments, ndtri(q)
    a, b = np.clip(skewness, -1, 1) / 6, np.clip(kurtosis, -1, 2) / 24
    start = z + a * (z**2 - 1) + b * (z**3 - 3 * z) - a**2 * (2 * z**3 - 5 * z)
    x = centre + start * sd
    step = _newton_step(x, z, sd, parts)
    x -= step
    row, column = np.nonzero(~(np.abs(step) <= tolerance * sd))
    for _ in range(MOST_STEPS):
        if not len(row):
            return x
        at, mean_at, scale_at, sd_at = (p[row, column][:, None] for p in (x, mean, scale, sd))
        step = _newton_step(at, z, sd_at, (weight[row], mean_at, scale_at, df))
        x[row, column] = (at - step)[:, 0]
        late = ~(np.abs(step) <= tolerance * sd_at)[:, 0]
        row, column = row[late], column[late]
    slow = weight[row], mean[row, column][:, None], scale[row, column][:, None], df
    x[row, column] = _bisect(q, *slow)[:, 0]
    return x


def _newton_step(x: Array, z: float, sd: Array, parts: Parts) -> Array:
    cdf, pdf = mixture_cdf(x, *parts)
    reached = ndtri(np.clip(cdf, 1e-15, 1 - 1e-15))
    step = (reached - z) * np.exp(-0.5 * reached**2) / (SQRT_2PI * np.maximum(pdf, 1e-300))
    return np.clip(step, -LONGEST_STEP * sd, LONGEST_STEP * sd)


def _bisect(q: float, weight: Array, mean: Array, scale: Array, df: float) -> Array:
    ends = mean + scale * stdtrit(df, q)  # the mixture's quantile lies between its components'
    low, high = ends.min(axis=-1), ends.max(axis=-1)
    for _ in range(80):
        middle = (low + high) / 2
        below = mixture_cdf(middle, weight, mean, scale, df)[0] < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What the data say of contrasts c'b, for each of R rows, as a mixture over the errors' law."""

    weight: Array  # (R, G), each row sums to 1
    mean: Array  # (R, m, G) of component g of c'b, a Student t
    scale: Array  # (R, m, G)
    df: int  # its degrees of freedom
    exact: Array  # (R,) rows without residual variation

    @property
    def parts(self) -> Parts:
        """What the functions above take."""
        return self.weight, self.mean, self.scale, self.df

    light = parts  # of what makes the quantiles

    def quantile(self, q: float) -> Array:
        """Return the quantile of c'b, shape (R, m)."""
        return mixture_quantiles([q], *self.light)[0]


@dataclass(frozen=True, kw_only=True)
class Posterior(Mixture):
    """A mixture whose components are nodes of the errors' law, the same for all rows."""

    phi: Array  # (G,)
    theta: Array  # (G,)
    ratio: Array  # (G,) sd of the innovations from the shift on over that before
    size: Array  # (R, G) root of the sum of squared residuals of the whitened data
    log_marginal: Array  # (R,) log integral over the law of the restricted likelihood

    @property
    def light(self) -> Parts:
        """What makes the quantiles: the mixture without its lightest nodes."""
        return lighten(*self.parts)

    @cached_property
    def noise(self) -> Array:
        """The share s = theta / phi of a period's surprise that is gone a period later, (G,)."""
        return self.theta / self.phi


def join_months(parts: Sequence[Posterior]) -> Posterior:
    """Return one mixture of several that weigh the same, one for each month of a shift."""
    if len(parts) == 1:
        return parts[0]
    names = ("phi", "theta", "ratio", "weight", "mean", "scale", "size")
    joined: Any = {x: np.concatenate([getattr(part, x) for part in parts], axis=-1) for x in names}
    joined["weight"] /= len(parts)
    return replace(parts[0], **joined, exact=np.all([part.exact for part in parts], axis=0))
