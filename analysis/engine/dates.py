"""When a break was: the errors' law integrated out of many choices of dates, all at once."""

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.checks import Array, unit_size
from analysis.engine.gls import EXACT, take_out
from analysis.engine.law import law_grid, start_variance
from analysis.engine.sup_f import NO_PART

CLOSE = 1e-9  # of the sum of squares: too near to tell from an exact fit without more digits
ROUNDING = 1e-14  # of the sum of squares: no residual one is known to be less
NO_PERIOD = 1e-9  # of its precision is left to a period that a column has for itself


def scan(
    y: Array, shared: Array, own: Array, choices: Array, *, longest: int, ratio: float, after: int
) -> tuple[list[Array], Array]:
    """Return the log of the integrated likelihood of each choice, and which fit exactly (D,)."""
    # Every model has the columns `shared` (n, c), and of `own` (n, K) those in its row of `choices`
    # (D, b). The first array is (1, D), of all periods; those for each length up to `longest` are
    # (n - length + 1, D), without the run of periods that begins at each row: all are -inf where
    # one has a column of its own, and a choice is -inf where others then tell a column of its.
    # From `after` on the errors are `ratio` times as large.
    (n, c), b, y = shared.shape, choices.shape[1], unit_size(y)[0]
    Q, total_square = np.linalg.qr(shared)[0], y @ y
    known, y = np.sqrt((own**2).sum(axis=0)), y - Q @ (Q.T @ y)
    y, own = (x - Q @ (Q.T @ x) for x in (y, own))
    norm = np.sqrt((own**2).sum(axis=0))
    norm[norm <= NO_PART * known] = np.inf
    size = np.sqrt((y**2).mean()) or 1.0
    both = np.column_stack([own / norm, y / size])
    scale = 2 * np.log(norm)[choices].sum(axis=1)  # of |X'X|, which differs from choice to choice
    exact = np.zeros(len(choices), dtype=bool)
    left = both[:, -1] @ both[:, -1] - _eliminate(_pick(both.T @ both, choices))[0]
    for choice in np.flatnonzero(left <= CLOSE * n):  # rounding hides how close
        rest = take_out(both[:, -1], both[:, choices[choice]])
        exact[choice] = rest @ rest * size**2 <= EXACT * total_square
    total = [np.full((rows, len(choices)), -np.inf) for rows in (1, *range(n, n - longest, -1))]
    if exact.any():  # nothing is left to explain, and no likelihood has a bound
        return [np.zeros_like(each) for each in total], exact
    for log_weight, *node in _weigh(Q, both, ratio, after, runs=longest > 0):
        for length, (rss, log_det) in enumerate(_leave_out(choices, longest, *node)):
            found = log_weight - 0.5 * ((n - c - b - length) * np.log(rss) + log_det + scale)
            total[length] = np.logaddexp(total[length], found)
    return total, exact


def _weigh(Q: Array, both: Array, ratio: float, after: int, *, runs: bool) -> Iterator[tuple]:
    """Yield each node's log weight, both' M both, and for `runs` M both and M: Q is taken out."""
    # what makes errors their surprises is A + (1 - phi) L, both of theta alone: so all that a
    # precision makes at one theta is a sum of three parts, times powers of 1 - phi; what is known
    # of the first error beforehand is one more column
    n, grid = len(Q), law_grid("ar1_noise", len(Q), False, rough=True)
    columns, c, size = np.column_stack([Q, both]), Q.shape[1] + 1, np.ones((n, 1))
    size[after:] = ratio**-2.0
    lag = np.subtract.outer(np.arange(n), np.arange(n)) - 1
    for t, theta in enumerate(grid.theta):
        late = np.where(lag >= 0, theta ** np.maximum(lag, 0), 0.0)
        makers = np.eye(n) - (1 - theta) * late, late
        white = [np.insert(make @ columns, 0, 0, axis=1) for make in makers]
        white[0][:, 0] = theta ** np.arange(n)
        pairs = (white, white), (makers, white), (makers, makers)
        parts = [_cross(a, b, size) for a, b in pairs[: 3 if runs else 1]]
        for u, phi in enumerate(grid.phi[t]):
            inner, *of_runs = (np.tensordot((1 - phi) ** np.arange(3), x, 1) for x in parts)
            weighed, P = of_runs or (inner[:0], inner[:0, :0])
            start = start_variance(phi, theta)
            inner[0, 0] += 1 / start
            root = np.linalg.cholesky(inner[:c, :c])
            part, gone = (np.linalg.solve(root, x) for x in (inner[:c, c:], weighed[:, :c].T))
            log_det = np.log(start) - np.log(size).sum() + 2 * np.log(np.diag(root)).sum()
            log_weight = grid.log_weight[t, u, 0] - 0.5 * log_det
            rows, M = weighed[:, c:] - gone.T @ part, P - gone.T @ gone
            yield log_weight, inner[c:, c:] - part.T @ part, rows, M


def _cross(a: Sequence[Array], b: Sequence[Array], size: Array) -> Array:
    """Return the parts of (a_0 + x a_1)' (b_0 + x b_1), weighed by `size`, for powers of x."""
    early, late = (size * each for each in b)
    return np.stack([a[0].T @ early, a[0].T @ late + a[1].T @ early, a[1].T @ late])


def _leave_out(
    choices: Array, longest: int, inner: Array, rows: Array, M: Array
) -> Iterator[tuple]:
    """Yield the residual sum of squares and log |own' M own|, without runs of 0 to `longest`."""
    square, whole = inner[-1, -1], _pick(inner, choices)
    explained, log_det = _eliminate([[cell.copy() for cell in row] for row in whole])
    yield np.maximum(square - explained, ROUNDING * square), log_det
    if not longest:
        return
    # what the last period of a run takes, given the others, is added to what these take
    n, own, runs = len(M), np.diag(M), np.arange(len(M))[:, None] + np.arange(longest)
    gone = np.append(own <= NO_PERIOD * own.max(), np.ones(longest, dtype=bool))
    padded, rows = np.pad(M, (0, longest)), np.pad(rows, ((0, longest), (0, 0)))
    padded[gone], padded[:, gone], padded[gone, gone], rows[gone] = 0, 0, 1, 0
    root = np.linalg.cholesky(padded[runs[:, :, None], runs[:, None]])
    given, lost = np.linalg.inv(root) @ rows[runs], np.logical_or.accumulate(gone[runs], axis=1)
    size = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).cumsum(axis=1)
    given[lost], size[lost] = 0, np.inf  # (n, longest, K + 1) and (n, longest)
    squares = square - (given[..., -1] ** 2).cumsum(axis=1)
    left = [[np.repeat(cell[None], n, axis=0) for cell in row] for row in whole]
    for length in range(1, longest + 1):
        starts = slice(n - length + 1)
        last = given[starts, length - 1]
        picked = [*(last.take(each, axis=1) for each in choices.T), last[:, -1:]]
        for i, row in enumerate(left):
            for cell, other in zip(row, picked[i:], strict=True):
                cell[starts] -= picked[i] * other
        cells = [[cell[starts].copy() for cell in row] for row in left]
        explained, log_det = _eliminate(cells, [row[0] for row in whole])
        rss = np.maximum(squares[starts, length - 1, None] - explained, ROUNDING * square)
        yield rss, log_det + size[starts, length - 1, None]


def _pick(inner: Array, choices: Array) -> list[list[Array]]:
    """Return [own' M own | own' My] of every choice, each (D,), from the diagonal on."""
    K, columns = len(inner), [*choices.T, np.full(len(choices), len(inner) - 1)]
    return [[inner.take(a * K + b) for b in columns[i:]] for i, a in enumerate(columns[:-1])]


def _eliminate(cells: list[list[Array]], whole: list[Array] | None = None) -> tuple[Array, Array]:
    """Return the sum of squares that own columns explain, and log |own' M own|; spend the cells."""
    # of a column no part of the `whole` is left but rounding error where others tell it: no pivot
    explained, det, whole = np.zeros(1), np.ones(1), whole or [row[0].copy() for row in cells]
    for j, (pivot, *beside) in enumerate(cells):
        pivot = np.where(pivot > NO_PART * whole[j], pivot, np.inf)
        for i, each in enumerate(beside[:-1]):
            for cell, other in zip(cells[j + 1 + i], beside[i:], strict=True):
                cell -= each / pivot * other
        explained, det = explained + beside[-1] ** 2 / pivot, det * pivot
    return explained, np.log(det)
