"""The law of the errors integrated out, for a block of series or of designs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation

from analysis.engine.gls import Basis, Products, cross_products, solve_nodes, split_periods
from analysis.engine.law import Grid
from analysis.engine.mixture import lighten, mixture_cdf, mixture_quantiles

EXACT = 1e-26  # residual over total sum of squares below which a fit counts as exact
STRIDE = 3  # of the grid's nodes that are looked at first
TINY = 3e-5  # of the largest weight: what weighs less, and is not next to more, is left out
FEW = 200  # nodes: of so few, all are looked at
TOGETHER = 128  # series that share the nodes that any of them needs


@dataclass(frozen=True)
class Mixture:
    """What the data say of contrasts c'b, for each of R rows, as a mixture over the errors' law.

    At node g, c'b is Student t with `df` degrees of freedom, `mean` and `scale`.
    """

    phi: np.ndarray  # (G,)
    theta: np.ndarray  # (G,)
    ratio: np.ndarray  # (G,) sd of the innovations from the shift on over that before
    weight: np.ndarray  # (R, G), each row sums to 1
    mean: np.ndarray  # (R, m, G)
    scale: np.ndarray  # (R, m, G)
    rss: np.ndarray  # (R, G) residual sum of squares of the whitened data
    df: int
    log_marginal: np.ndarray  # (R,) log integral over the law of the restricted likelihood
    exact: np.ndarray  # (R,) rows without residual variation

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """What the functions of `analysis.engine.mixture` take."""
        return self.weight, self.mean, self.scale, self.df

    @cached_property
    def noise(self) -> np.ndarray:
        """The share s = theta / phi of a period's surprise that is gone a period later, (G,)."""
        return self.theta / self.phi

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return P(c'b <= x) for x of shape (R, m)."""
        return mixture_cdf(x, *self.parts)[0]

    def quantile(self, q: float) -> np.ndarray:
        """Return the quantile of c'b, shape (R, m)."""
        return mixture_quantiles([q], *lighten(*self.parts[:3]), self.df)[0]


def mix(
    basis: Basis, y: np.ndarray, grid: Grid, after: np.ndarray | None, *, together: int = TOGETHER
) -> Iterator[tuple[np.ndarray, Mixture]]:
    """Yield rows and their mixtures, of many outcomes `y` (n, N) with one design, or one with many.

    A coarse part of the grid finds where each row's likelihood lies; series that lie close to each
    other, and all designs, are then solved at the nodes around there.
    """
    block, mask = _Block(basis, y, grid, after), first_nodes(grid)
    rows = np.arange(len(block.ols))
    solved = block.solve(mask, rows)
    if mask.all():
        yield rows, block.mixture(mask, rows, solved)
        return
    weight = np.exp(solved.log_weight - solved.log_weight.max(axis=1, keepdims=True))
    if block.series:
        place = (weight @ np.argwhere(mask)) / weight.sum(axis=1, keepdims=True) / STRIDE
        rows = np.lexsort(np.rint(place).T)
    for start in range(0, len(rows), together if block.series else len(rows)):
        part = rows[start : start + together] if block.series else rows
        used = near_nodes(mask, (weight[part] > TINY).any(axis=0))
        yield part, block.mixture(used, part, block.solve(used, part))


def first_nodes(grid: Grid) -> np.ndarray:
    """Return a mask (T, U, V) of the nodes to look at first: the middle of every `STRIDE`.

    Of few nodes, all.
    """
    mask: np.ndarray = np.zeros(grid.log_weight.shape, dtype=bool)
    if mask.size <= FEW:
        return ~mask
    sparse = slice(STRIDE // 2, None, STRIDE)
    mask[tuple(sparse if size > STRIDE else slice(None) for size in mask.shape)] = True
    return mask


def near_nodes(mask: np.ndarray, heavy: np.ndarray) -> np.ndarray:
    """Return a mask of all nodes around those of `mask` that are `heavy`."""
    around = np.zeros_like(mask)
    around[mask] = heavy
    reach = [2 * STRIDE - 1 if size > STRIDE else 1 for size in mask.shape]
    return binary_dilation(around, np.ones(reach))


class _Solved(NamedTuple):
    """What `solve_nodes` found at the G nodes of a mask."""

    log_weight: np.ndarray  # (R, G)
    step: np.ndarray  # (R, m, G)
    rss: np.ndarray  # (R, G)
    variance: np.ndarray  # (D, m, G)


class _Block:
    """Many outcomes (n, N) with one design, or one with many, at any nodes of a grid."""

    def __init__(self, basis: Basis, y: np.ndarray, grid: Grid, after: np.ndarray | None) -> None:
        self.basis, self.grid, self.series = basis, grid, y.shape[1] > 1
        self.ols, self.left = basis.take_out(np.ascontiguousarray(y, dtype=float))
        total = np.broadcast_to((y**2).sum(axis=0), len(self.ols))
        self.exact = (self.left**2).sum(axis=2).ravel() <= EXACT * np.maximum(total, 1e-300)
        self.size = np.sqrt(total / len(y))
        self.periods = split_periods(len(y), after)
        self.at: dict[int, Products] = {}  # by position of theta

    def products(self, t: int, rows: np.ndarray) -> Products:
        if t not in self.at:
            theta = self.grid.theta[t]
            self.at[t] = cross_products(self.basis, self.left, self.periods, theta)
        found = self.at[t]
        if not self.series:
            return found
        of_rows = {name: getattr(found, name)[..., rows] for name in ("Xy", "yy", "hy")}
        return found._replace(**of_rows)

    def solve(self, mask: np.ndarray, rows: np.ndarray) -> _Solved:
        (_, k, n), grid, parts = self.basis.columns.shape, self.grid, []
        for t in np.nonzero(mask.any(axis=(1, 2)))[0].tolist():
            u, v = np.nonzero(mask[t])
            law = grid.theta[t], grid.phi[t, u], grid.log_ratio[v]
            parts.append(solve_nodes(self.basis, self.products(t, rows), *law))
        step, rss, variance, log_det = (np.concatenate(x).T for x in zip(*parts, strict=True))
        rss[self.exact[rows]] = 1.0  # any constant: the law is not identified
        log_det = log_det + self.basis.log_size[:, None]
        if self.periods.shape[1] > 1:
            after = self.periods[:, 1].sum(axis=1)
            log_det = log_det + 2 * after[:, None] * grid.log_ratio[np.nonzero(mask)[2]]
        log_weight = grid.log_weight[mask] - 0.5 * ((n - k) * np.log(rss) + log_det)
        return _Solved(log_weight, step, rss, variance)

    def mixture(self, mask: np.ndarray, rows: np.ndarray, solved: _Solved) -> Mixture:
        grid, exact, (_, k, n) = self.grid, self.exact[rows], self.basis.columns.shape
        scale = np.sqrt(solved.rss[:, None] * solved.variance / (n - k))
        scale[exact] = 1e-13 * np.maximum(self.size[rows][exact], 1e-100)[:, None, None]
        top = solved.log_weight.max(axis=1, keepdims=True)
        weight = np.exp(solved.log_weight - top)
        sums = weight.sum(axis=1, keepdims=True)
        t, u, v = np.nonzero(mask)
        return Mixture(
            phi=grid.phi[t, u],
            theta=grid.theta[t],
            ratio=np.exp(grid.log_ratio[v]),
            weight=weight / sums,
            mean=self.ols[rows][..., None] + solved.step,
            scale=scale,
            rss=solved.rss,
            df=n - k,
            log_marginal=(top + np.log(sums))[:, 0],
            exact=exact,
        )


def join_months(parts: Sequence[Mixture]) -> Mixture:
    """Return one mixture of several that weigh the same, one for each month of a shift."""
    if len(parts) == 1:
        return parts[0]
    names = ("phi", "theta", "ratio", "weight", "mean", "scale", "rss")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names
    }
    joined["weight"] /= len(parts)
    return replace(parts[0], **joined, exact=np.all([part.exact for part in parts], axis=0))
