"""When a break was: the errors' law integrated out of many choices of dates, all at once."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analysis.checks import Array, unit_size
from analysis.engine.gls import EXACT, take_out
from analysis.engine.law import law_grid, start_variance
from analysis.engine.sup_f import NO_PART

CLOSE = 1e-9  # of the sum of squares: too near to tell from an exact fit without more digits
ROUNDING = 1e-14  # of the sum of squares: no residual one is known to be less
NO_PERIOD = 1e-9  # of its precision is left to a period that a column has for itself
HIGHEST = 600.0  # of a logarithm: its exponential, many times over, is no overflow
LOWEST = -1e300

Cells = dict[tuple[int, int], Array]  # of [own' M own | own' My], on and above the diagonal


class Node(NamedTuple):
    """What a law of the errors makes of the columns own and y, with the shared ones taken out."""

    inner: Array  # (K + 1, K + 1) own and y with themselves
    rows: Array  # (n, K + 1) what M makes of them
    M: Array  # (n, n) the precision of what the shared columns leave
    log_weight: float


def scan(
    y: Array, shared: Array, own: Array, choices: Array, *, longest: int, ratio: float, after: int
) -> tuple[list[Array], Array]:
    """Return the log of the integrated likelihood of each choice, and which fit exactly (D,)."""
    # Every model has the columns `shared` (n, c), and of `own` (n, K) those in its row of `choices`
    # (D, b). The first array is (1, D), of all periods; those for each length up to `longest` are
    # (n - length + 1, D), without the run of periods that begins at each row: all are -inf where
    # one has a column of its own, and a choice is -inf where others then tell a column of its.
    # From `after` on the errors are `ratio` times as large.
    n, b, y = len(y), choices.shape[1], unit_size(y)[0]
    Q, total_square = np.linalg.qr(shared)[0], y @ y
    known, y = np.sqrt((own**2).sum(axis=0)), y - Q @ (Q.T @ y)
    y, own = (x - Q @ (Q.T @ x) for x in (y, own))
    norm = np.sqrt((own**2).sum(axis=0))
    norm[norm <= NO_PART * known] = np.inf
    size = np.sqrt((y**2).mean()) or 1.0
    both = np.column_stack([own / norm, y / size])
    scale = 2 * np.log(norm)[choices].sum(axis=1)  # of |X'X|, which differs from choice to choice
    exact = np.zeros(len(choices), dtype=bool)
    inner = both.T @ both
    close = inner[-1, -1] - _eliminate(_pick(inner, choices), b)[0] <= CLOSE * n
    for choice in np.flatnonzero(close):  # rounding hides how close
        rest = take_out(both[:, -1], both[:, choices[choice]])
        exact[choice] = rest @ rest * size**2 <= EXACT * total_square
    shapes = [(count, len(choices)) for count in (1, *range(n, n - longest, -1))]
    if exact.any():  # nothing is left to explain, and no likelihood has a bound
        return [np.zeros(shape) for shape in shapes], exact
    sums = [(np.full(shape, LOWEST), np.zeros(shape)) for shape in shapes]
    df = n - Q.shape[1] - b
    for node in _weigh(Q, both, ratio, after, whole=not longest):
        for length, (rss, det, log_size) in enumerate(_leave_out(node, choices, longest)):
            of_run = node.log_weight - 0.5 * (log_size + scale)
            _add(*sums[length], of_run - 0.5 * ((df - length) * np.log(rss) + np.log(det)))
    with np.errstate(divide="ignore"):
        return [top + np.log(total) for top, total in sums], exact


def _weigh(Q: Array, both: Array, ratio: float, after: int, *, whole: bool) -> Iterator[Node]:
    """Yield the nodes of a rough grid, `whole` without what tells of single periods."""
    # what makes errors their surprises is A + (1 - phi) L, both of theta alone: so all that a
    # precision makes at one theta is a sum of three parts, times powers of 1 - phi
    (n, c), grid = Q.shape, law_grid("ar1_noise", len(Q), False, rough=True)
    columns, size = np.column_stack([Q, both]), np.ones(n)
    size[after:] = ratio**-2.0
    lag = np.subtract.outer(np.arange(n), np.arange(n)) - 1
    for t, theta in enumerate(grid.theta):
        L = np.where(lag >= 0, theta ** np.maximum(lag, 0), 0.0)
        A, late, fading = np.eye(n) - (1 - theta) * L, size[:, None] * L, theta ** np.arange(n)
        cross = A.T @ late
        parts = np.stack([A.T @ (size[:, None] * A), cross + cross.T, L.T @ late])
        first = np.stack([(size * fading) @ A, fading @ late])
        rows = parts @ columns
        products, of_first = columns.T @ rows, first @ columns
        for u, phi in enumerate(grid.phi[t]):
            powers = (1 - phi) ** np.arange(3)
            start = start_variance(phi, theta)
            known = 1 + start * (size * fading) @ fading
            share, seen = start / known, powers[:2] @ of_first
            inner = np.tensordot(powers, products, 1) - share * np.outer(seen, seen)
            root = np.linalg.cholesky(inner[:c, :c])
            part = np.linalg.solve(root, inner[:c, c:])
            log_weight = grid.log_weight[t, u, 0] - 0.5 * np.log(known)
            log_weight += 0.5 * np.log(size).sum() - np.log(np.diag(root)).sum()
            inner = inner[c:, c:] - part.T @ part
            if whole:
                yield Node(inner, columns[:0], parts[0, :0], log_weight)
                continue
            weighed, early = np.tensordot(powers, rows, 1), powers[:2] @ first
            weighed -= share * early[:, None] * seen
            gone = np.linalg.solve(root, weighed[:, :c].T).T
            M = np.tensordot(powers, parts, 1) - share * np.outer(early, early) - gone @ gone.T
            yield Node(inner, weighed[:, c:] - gone @ part, M, log_weight)


def _leave_out(node: Node, choices: Array, longest: int) -> Iterator[tuple[Array, Array, Array]]:
    """Yield residual squares, |own' M own| and its run's log, without runs of 0 to `longest`."""
    b, (n, K) = choices.shape[1], node.rows.shape
    square, whole = node.inner[-1, -1], _pick(node.inner, choices)
    explained, det = _eliminate({at: cell.copy() for at, cell in whole.items()}, b)
    yield np.maximum(square - explained, ROUNDING * square), det, np.zeros(1)
    if not longest:
        return
    # what the last period of a run takes, given the others, is added to what these take
    own = np.diag(node.M)
    gone = np.append(own <= NO_PERIOD * own.max(), np.ones(longest, dtype=bool))
    runs = np.arange(n)[:, None] + np.arange(longest)
    padded, rows = np.pad(node.M, (0, longest)), np.pad(node.rows, ((0, longest), (0, 0)))
    padded[gone], padded[:, gone], padded[gone, gone], rows[gone] = 0, 0, 1, 0
    root = np.linalg.cholesky(padded[runs[:, :, None], runs[:, None]])
    given, lost = np.linalg.inv(root) @ rows[runs], np.logical_or.accumulate(gone[runs], axis=1)
    size = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).cumsum(axis=1)
    given[lost], size[lost] = 0, np.inf  # (n, longest, K + 1) and (n, longest)
    squares = square - (given[..., -1] ** 2).cumsum(axis=1)
    diagonal = [whole[i, i] for i in range(b)]
    left = {at: np.repeat(cell[None], n, axis=0) for at, cell in whole.items()}
    for length in range(1, longest + 1):
        starts = slice(n - length + 1)
        last = given[starts, length - 1]
        picked = [*(last.take(each, axis=1) for each in choices.T), last[:, K - 1 :]]
        for (i, j), cell in left.items():
            cell[starts] -= picked[i] * picked[j]
        cells = {at: cell[starts].copy() for at, cell in left.items()}
        explained, det = _eliminate(cells, b, diagonal)
        rss = np.maximum(squares[starts, length - 1, None] - explained, ROUNDING * square)
        yield rss, det, size[starts, length - 1, None]


def _pick(inner: Array, choices: Array) -> Cells:
    """Return the cells (D,) of every choice."""
    b, K = choices.shape[1], len(inner)
    columns = [*choices.T, np.full(len(choices), K - 1)]
    pairs = ((i, j) for i in range(b) for j in range(i, b + 1))
    return {(i, j): inner.take(columns[i] * K + columns[j]) for i, j in pairs}


def _eliminate(cells: Cells, b: int, whole: list[Array] | None = None) -> tuple[Array, Array]:
    """Return the sum of squares that own columns explain, and |own' M own|, using up the cells."""
    # of a column no part of the `whole` is left but rounding error where others tell it: no pivot
    explained, det = np.zeros(1), np.ones(1)
    whole = whole or [cells[j, j].copy() for j in range(b)]
    for j in range(b):
        pivot = np.where(cells[j, j] > NO_PART * whole[j], cells[j, j], np.inf)
        for i in range(j + 1, b):
            share = cells[j, i] / pivot
            for m in range(i, b + 1):
                cells[i, m] -= share * cells[j, m]
        explained = explained + cells[j, b] ** 2 / pivot
        det = det * pivot
    return explained, det


def _add(top: Array, total: Array, found: Array) -> None:
    """Add exp(found) to total times exp(top), where that is kept."""
    over = found - top
    if over.max() > HIGHEST:
        raised = np.maximum(top, found)
        total *= np.exp(top - raised)
        top[:] = raised
        over = found - top
    total += np.exp(over)
