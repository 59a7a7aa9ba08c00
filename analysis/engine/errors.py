"""The law of the errors integrated out: a coarse look at its grid, then a fine one at the mass."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from analysis.checks import Array, full_size, unit_size
from analysis.engine import gls
from analysis.engine.law import Grid
from analysis.engine.mixture import Mixture, Posterior

ALONE = 8  # series: of so few, all nodes are solved at once, and kept
NARROW = 30  # periods on either side, from which two ratios stand for all
CHUNK = 256  # series that are added up at a time
NOTHING = 1e-7  # of a mixture: pairs of theta and phi that weigh less are left out
STRIDE = 3  # of the grid's nodes that are looked at first
TINY = 3e-5  # of the largest weight: what weighs less, and is not next to more, is left out
FEW = 200  # nodes: of so few, all are looked at
TOGETHER = 256  # series that share the nodes that any of them needs


class _Part(NamedTuple):
    """J values of phi at one theta, or at each of B, with the residuals and all log weights."""

    theta: Array  # (T, 1), T is B or 1
    phi: Array  # (T, J)
    log_ratio: Array  # (V,)
    turned: gls.Turned
    seen: gls.Seen
    log_weight: Array  # (B, J, V, N)


class Block:
    """Outcomes (n, N) with one design, or one with D of them: a row each, at nodes of a grid."""

    def __init__(self, X: Array, C: Array, y: Array, grid: Grid, after: Array | None) -> None:
        self.grid, self.basis = grid, gls.Basis(X, C)
        self.periods = gls.split_periods(len(y), after)
        y, power = unit_size(y.astype(float), axis=0)
        self.unit = full_size(1.0, power.T + self.basis.power)  # of every contrast, (R, m)
        self.power = np.broadcast_to(power[0], len(self.unit))
        self.ols, self.left = self.basis.take_out(np.ascontiguousarray(y))
        designs, series, n = self.left.shape
        self.df = n - X.shape[2]
        total = np.broadcast_to((y**2).sum(axis=0), designs * series)
        self.exact = (self.left**2).sum(axis=2).ravel() <= gls.EXACT * np.maximum(total, 1e-300)
        self.tiny = 1e-13 * np.maximum(np.sqrt(total / n), 1e-100)
        self.designs, self.alone = designs > 1, designs == 1 and series <= ALONE
        self.narrow = series > ALONE and self.periods.sum(axis=2).min() >= NARROW
        if series > ALONE:
            lagged = gls.lag(self.basis.columns, self.periods, grid.theta)
            chunks = (self.left[:, start : start + CHUNK] for start in range(0, series, CHUNK))
            found = (gls.add_up(lagged, part, self.periods, grid.theta) for part in chunks)
            joined = (np.concatenate(sums, axis=-1) for sums in zip(*found, strict=True))
            self.sums = gls.Sums(*joined)
            self.turned = gls.turn(self.basis, lagged, grid.theta, grid.phi)

    def parts(self, mask: Array, rows: Array) -> list[_Part]:
        """Weigh the nodes of `mask`, and those that they leave out of a box of ratios."""
        parts = []
        for t, u, turned, sums in self.turn(mask, rows):
            v = np.nonzero(mask[t, u].any(axis=(0, 1)))[0]
            log_ratio, seen = self.grid.log_ratio[v], gls.look(turned, sums)
            rss, log_det = gls.weigh(turned, seen, np.exp(log_ratio))
            rss[self.exact if self.designs else (..., self.exact[rows])] = 1  # no law is identified
            log_det = log_det + self.basis.log_size[:, None, None]
            if self.periods.shape[1] > 1:
                log_det += 2 * self.periods[:, 1].sum(axis=1)[:, None, None] * log_ratio
            of_node = self.grid.log_weight[t, u][..., v] - 0.5 * log_det
            log_weight = of_node[..., None] - 0.5 * self.df * np.log(rss)
            nodes = self.grid.theta[t], self.grid.phi[t, u], log_ratio
            parts.append(_Part(*nodes, turned, seen, log_weight))
        return parts

    def turn(self, mask: Array, rows: Array) -> Iterator[tuple[Array, Array, gls.Turned, gls.Sums]]:
        """Yield numbers of theta (T, 1) and phi (T, J) of `mask`, with designs and sums there."""
        basis, periods, (t, u) = self.basis, self.periods, np.nonzero(mask.any(axis=2))
        theta, phi = self.grid.theta, self.grid.phi
        if self.alone:
            values, each = np.unique(t, return_inverse=True)
            lagged = gls.lag(basis.columns, periods, theta[values])
            sums = gls.add_up(lagged, self.left, periods, theta[values])
            lagged = lagged._replace(own=lagged.own[each], fading=lagged.fading[each])
            sums = gls.Sums(*(part[each] for part in sums))
            turned = gls.turn(basis, lagged, theta[t], phi[t, u][:, None])
            yield t[:, None], u[:, None], turned, sums
            return
        for one in np.unique(t)[:, None]:
            own = u[t == one]
            if self.designs:
                lagged = gls.lag(basis.columns, periods, theta[one])
                sums = gls.add_up(lagged, self.left, periods, theta[one])
                turned = gls.turn(basis, lagged, theta[one], phi[one][:, own])
            else:
                sums = gls.Sums(*(part[one][..., rows] for part in self.sums))
                turned = gls.Turned(*(part[one][:, own] for part in self.turned))
            yield one[:, None], own[None], turned, sums

    def by_row(self, x: Array) -> Array:
        """Turn (..., B, J, V, N) to (R, ..., nodes)."""
        x = np.moveaxis(x, -4, 0)[..., 0] if self.designs else np.moveaxis(x, -1, 0)
        return x.reshape(*x.shape[: -2 if self.designs else -3], -1)

    def keep(self, mask: Array, rows: Array) -> Posterior:
        """Return the mixture over all nodes."""
        found = []
        for part in self.parts(mask, rows):
            ratios, (B, J, *_, N) = np.exp(part.log_ratio), part.seen.w.shape
            every = np.repeat(ratios[:, None], B * J * N, axis=1)
            solved = gls.solve(part.turned, part.seen, np.arange(B * J * N), every)
            shaped = (x.reshape(-1, len(ratios), B, J, N) for x in solved)
            rows_of = [self.by_row(np.moveaxis(x, 1, 3)) for x in shaped]
            nodes = np.broadcast_arrays(part.phi[..., None], part.theta[..., None], ratios)
            log_weight = self.by_row(part.log_weight)
            found.append((log_weight, *rows_of, *(node.ravel() for node in nodes)))
        joined = (np.concatenate(x, axis=-1) for x in zip(*found, strict=True))
        log_weight, step, rss, variance, *values = joined
        law: dict[str, Any] = dict(zip(("phi", "theta", "ratio"), values, strict=True))
        top = log_weight.max(axis=1, keepdims=True)
        weight = np.exp(log_weight - top)
        sums = weight.sum(axis=1, keepdims=True)
        return Posterior(
            weight=weight / sums,
            **self.components(rows, step, rss, variance),
            **law,
            size=full_size(np.sqrt(np.maximum(rss[:, 0], 0)), self.power[rows, None]),
            log_marginal=(top + np.log(sums))[:, 0] - self.df * np.log(2) * self.power[rows],
        )

    def condense(self, mask: Array, rows: Array) -> Mixture:
        """Return the mixture of many series over pairs of theta and phi, with two ratios each."""
        parts = self.parts(mask, rows)
        top = np.max([part.log_weight.max(axis=(0, 1, 2)) for part in parts], axis=0)
        weights = [np.exp(part.log_weight - top) for part in parts]
        pairs = [weight.sum(axis=2) for weight in weights]
        least = NOTHING * np.sum([pair.sum(axis=(0, 1)) for pair in pairs], axis=0)
        found = []
        for part, weight, pair in zip(parts, weights, pairs, strict=True):
            place = np.flatnonzero(pair > least)
            log_ratio, share = two_ratios(part.log_ratio, weight, place)
            solved = gls.solve(part.turned, part.seen, place, np.exp(log_ratio))
            found.append((place % len(rows), share * pair.take(place), *solved))
        joined = (np.concatenate(x, axis=-1) for x in zip(*found, strict=True))
        row, share, step, rss, variance = joined
        count, order = np.bincount(row), np.argsort(row, kind="stable")
        place = np.empty_like(row)  # of each component in a table with a line a row
        place[order] = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        place += row * count.max()
        first = order[np.cumsum(count) - count]  # fills a row, at no weight, in its own size

        def spread(x: Array, fill: Array) -> Array:
            table = np.repeat(fill, count.max(), axis=-1)
            table.reshape(-1, table.shape[-1])[:, place] = x.reshape(-1, len(row))
            table = np.moveaxis(table.reshape(*x.shape[:-1], len(rows), -1), -2, 0)
            return table.reshape(*table.shape[:-2], -1)

        share = spread(share, np.zeros((len(share), len(rows))))
        step, rss, variance = (spread(x, x[..., first]) for x in (step, rss, variance))
        components = self.components(rows, step, rss[:, None], variance)
        return Mixture(weight=share / share.sum(axis=1, keepdims=True), **components)

    def components(self, rows: Array, step: Array, rss: Array, variance: Array) -> dict[str, Any]:
        """Return means and scales of steps from OLS, (R, m, G)."""
        exact, unit = self.exact[rows], self.unit[rows][..., None]
        scale = np.sqrt(np.maximum(rss, 0) * variance / self.df)
        scale[exact] = self.tiny[rows][exact][:, None, None]
        mean = (self.ols[rows][..., None] + step) * unit
        return {"mean": mean, "scale": scale * unit, "df": self.df, "exact": exact}


def two_ratios(log_ratio: Array, weight: Array, place: Array) -> tuple[Array, Array]:
    """Return two log ratios, and their shares, with the first moments of V, (2, L) at L places."""
    # weight (1, J, V, N); a place is one of J and N counted through
    if len(log_ratio) == 1:
        return np.full((1, len(place)), log_ratio[0]), np.ones((1, len(place)))
    middle = log_ratio.mean()
    moments = ((log_ratio - middle) ** np.arange(4)[:, None] @ weight).transpose(2, 0, 1, 3)
    m = np.ascontiguousarray(moments).reshape(4, -1).take(place, axis=1)
    _, mean, square, cube = m / m[0]
    sd = np.sqrt(np.maximum(square - mean**2, 1e-12))
    lean = (cube - 3 * mean * square + 2 * mean**3) / (2 * sd**3)
    root = np.sqrt(1 + lean**2)
    reach = np.stack([lean - root, lean + root])
    return middle + mean + sd * reach, np.stack([root + lean, root - lean]) / (2 * root)


def mix(
    X: Array, C: Array, y: Array, grid: Grid, after: Array | None
) -> Iterator[tuple[Array, Mixture]]:
    """Yield rows and their mixtures, of outcomes (n, N) with one design, or of one with many."""
    # a coarse part of the grid finds where each row's likelihood lies; series that lie close to
    # each other, and all designs, are then looked at around there
    block, mask = Block(X, C, y, grid, after), first_nodes(grid)
    rows, together = np.arange(len(block.ols)), TOGETHER if y.shape[1] > 1 else len(block.ols)
    if mask.all():
        yield rows, block.keep(mask, rows)
        return
    parts = [block.by_row(part.log_weight) for part in block.parts(mask, rows)]
    log_weight = np.concatenate(parts, axis=1)  # (R, G)
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    if together < len(rows):
        place = (weight @ np.argwhere(mask)) / weight.sum(axis=1, keepdims=True) / STRIDE
        rows = np.lexsort(np.rint(place).T)
    for start in range(0, len(rows), together):
        part = rows[start : start + together]
        near = near_nodes(mask, weight[part].max(axis=0) > TINY)
        yield part, (block.condense if block.narrow else block.keep)(near, part)


def first_nodes(grid: Grid) -> Array:
    """Return a mask (T, U, V) of the nodes to look at first: of every `STRIDE`, or of few, all."""
    mask: Array = np.zeros(grid.log_weight.shape, dtype=bool)
    if mask.size <= FEW:
        return ~mask
    sparse = slice(STRIDE // 2, None, STRIDE)
    mask[tuple(sparse if size > STRIDE else slice(None) for size in mask.shape)] = True
    return mask


def near_nodes(mask: Array, heavy: Array) -> Array:
    """Return a mask of all nodes around those of `mask` that are `heavy`."""
    around = np.zeros_like(mask)
    around[mask] = heavy
    for axis in (axis for axis, size in enumerate(mask.shape) if size > STRIDE):
        along = around.swapaxes(0, axis)
        wide = along.copy()
        for step in range(1, STRIDE):
            wide[step:] |= along[:-step]
            wide[:-step] |= along[step:]
        around = wide.swapaxes(0, axis)
    return around
