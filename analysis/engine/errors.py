"""The law of the errors integrated out: a coarse look at its grid, then a fine one at the mass."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import maximum_filter

from analysis.engine.block import Block
from analysis.engine.law import Grid
from analysis.engine.posterior import Mixture

STRIDE = 3  # of the grid's nodes that are looked at first
TINY = 3e-5  # of the largest weight: what weighs less, and is not next to more, is left out
FEW = 200  # nodes: of so few, all are looked at
TOGETHER = 256  # series that share the nodes that any of them needs


def mix(
    X: np.ndarray, C: np.ndarray, y: np.ndarray, grid: Grid, after: np.ndarray | None
) -> Iterator[tuple[np.ndarray, Mixture]]:
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


def first_nodes(grid: Grid) -> np.ndarray:
    """Return a mask (T, U, V) of the nodes to look at first: of every `STRIDE`, or of few, all."""
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
    near: np.ndarray = maximum_filter(around, reach)
    return near
