"""Many series with many designs that share columns, each fit told in brief: a mean and a p.

All that a fit needs are the cross-products of columns and outcomes, at every node of the errors'
law. They are made once; each design is what is left of them when its other columns are taken out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analysis.checks import Array
from analysis.engine import gls
from analysis.engine.law import law_grid, start_variance
from analysis.engine.mixture import student_table

ROUNDING = 1e-12  # of a sum of squares: a residual one that is less is not known
SERIES = 256  # outcomes at a time: what is in hand stays in the processor's cache


class Products(NamedTuple):
    """Columns (n, K) and outcomes (n, N) weighed by the errors' precision P at G nodes."""

    inner: Array  # (G, K, K), X'PX
    with_y: Array  # (G, K, N), X'Py
    squares: Array  # (G, N), y'Py
    least: Array  # (G, N), what is less is rounding error
    log_weight: Array  # (G,) of a node beforehand, less log |Sigma| / 2 and log |X'PX| / 2
    df: int

    def without(self, gone: slice, kept: slice) -> "Products":
        """Return what some columns leave of others, and of the outcomes."""
        root = np.linalg.cholesky(self.inner[:, gone, gone])
        inverse = np.linalg.inv(root)
        part, of_y = inverse @ self.inner[:, gone, kept], inverse @ self.with_y[:, gone]
        turned = part.swapaxes(1, 2)
        inner = self.inner[:, kept, kept] - turned @ part
        with_y = self.with_y[:, kept] - turned @ of_y
        squares = self.squares - np.einsum("gkn,gkn->gn", of_y, of_y)
        log_weight = self.log_weight - np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        df = self.df - root.shape[1]
        return Products(inner, with_y, squares, self.least, log_weight, df)

    def judge(self, column: int) -> tuple[Array, Array]:
        """Return the mean, and the two-sided p, of one column's coefficient alone, each (N,)."""
        own, df = self.inner[:, column, column], self.df - 1
        z = self.with_y[:, column] / np.sqrt(own)[:, None]
        rss = np.maximum(self.squares - z * z, self.least)
        log_weight = self.log_weight - 0.5 * np.log(own)
        weight = raise_half(rss.min(axis=0) / rss, df)
        weight *= np.exp(log_weight - log_weight.max())[:, None]
        weight /= weight.sum(axis=0)
        table = student_table(df)
        below = np.einsum("gn,gn->n", weight, table.at(-z / np.sqrt(z * z + rss), rising=False)[0])
        p = np.clip(2 * np.minimum(below, 1 - below), 0, 1)
        p[(rss <= self.least).all(axis=0)] = np.nan  # nothing varies about the fit
        return (1 / np.sqrt(own)) @ (weight * z), p


def raise_half(x: Array, power: int) -> Array:
    """Return x to the power of half a whole number, by squares: faster than logarithms."""
    result = np.sqrt(x) if power % 2 else np.ones_like(x)
    for digit in reversed(f"{power // 2:b}"):
        if digit == "1":
            result *= x
        x = x * x
    return result


def weigh_products(columns: Array, outcomes: Array) -> Products:
    """Return the products of columns (n, K) and outcomes (n, N) at the nodes of a rough grid."""
    n, K = columns.shape
    grid, periods = law_grid("ar1_noise", n, False, rough=True), gls.split_periods(n, None)
    lagged = gls.lag(columns.T[None], periods, grid.theta)
    sums = gls.add_up(lagged, outcomes.T[None], periods, grid.theta)
    # of each theta at three lags, and so of any phi
    powers = np.stack([np.ones_like(grid.phi), -grid.phi, grid.phi**2], axis=2)
    both = np.concatenate([lagged.own, sums.left], axis=-1)
    inner, squares = (powers @ part.reshape(len(powers), 3, -1) for part in (both, sums.squares))
    start = start_variance(grid.phi, grid.theta[:, None])
    size = (1 + start * lagged.fading[:, 0]).ravel()
    share = (start.ravel() / size)[:, None]  # of what is known of the first error beforehand
    inner = inner.reshape(len(size), K + 1, -1)
    inner, seen = inner[:, :K], inner[:, K]
    inner = inner - (share * seen[:, :K])[:, :, None] * seen[:, None]
    squares = squares.reshape(len(size), -1) - share * seen[:, K:] ** 2
    least = np.maximum(ROUNDING * squares, 1e-290)  # not zero: it divides
    log_weight = grid.log_weight.ravel() - 0.5 * np.log(size)
    return Products(inner[..., :K], inner[..., K:], squares, least, log_weight, n)


def screen_many(
    y: Array, blocks: Sequence[Array], own: Array, choices: Sequence[Sequence[int]]
) -> Array:
    """Return mean and two-sided p of one coefficient, (B, D, 2, N): `fit_many` in brief.

    A design has the first 1 to B `blocks` of columns, and one or two of the columns `own`: the
    first of the choice is judged. The errors keep their size, and the grid is rough: made for fits
    that are compared.
    """
    K, found = own.shape[1], np.empty((len(blocks), len(choices), 2, y.shape[1]))
    # digits below a high level: what all designs have is taken out beforehand
    own, left, *others = (gls.take_out(x, blocks[0]) for x in (own, y, *blocks[1:]))
    left[:, (left**2).sum(axis=0) <= gls.EXACT * (y**2).sum(axis=0)] = 0
    columns = np.hstack([np.linalg.qr(blocks[0])[0], *others, own])
    for start in range(0, y.shape[1], SERIES):
        part = slice(start, start + SERIES)
        rest = weigh_products(columns, left[:, part])
        for block, cells in zip(blocks, found[..., part], strict=True):
            rest = rest.without(slice(block.shape[1]), slice(block.shape[1], None))
            first = rest.inner.shape[1] - K  # of the columns `own`
            for choice, cell in zip(choices, cells, strict=True):
                judged, *beside = (slice(first + each, first + each + 1) for each in choice)
                alone = [rest.without(each, judged) for each in beside]
                cell[:] = alone[0].judge(0) if alone else rest.judge(judged.start)
    return found
