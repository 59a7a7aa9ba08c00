"""One series and many choices of columns: how likely each is, with periods left out or not."""

from collections.abc import Iterator

import numpy as np

from analysis.checks import Array, unit_size
from analysis.engine.gls import EXACT, eliminate, take_out
from analysis.engine.law import law_grid, precision

CLOSE = 1e-9  # of the sum of squares: too near to tell from an exact fit without more digits
ROUNDING = 1e-14  # of the sum of squares: no residual one is known to be less
NO_PERIOD = 1e-9  # of its precision is left to a period that a column has for itself


def scan(
    y: Array, shared: Array, own: Array, choices: Array, *, longest: int, ratio: float, after: int
) -> tuple[list[Array], Array]:
    """Return the log of the integrated likelihood of each choice, and which fit exactly (D,)."""
    # Every model has the columns `shared` (n, c), and of `own` (n, K) those in its row of `choices`
    # (D, b). The first array is (1, D), of all periods; those for each length up to `longest` are
    # (n - length + 1, D), without the run of periods that begins at each row: missing where one has
    # a column of its own. From `after` on the errors are `ratio` times as large.
    n, b, y = len(y), choices.shape[1], unit_size(y)[0]
    Q, total_square = np.linalg.qr(shared)[0], y @ y
    y, own = (x - Q @ (Q.T @ x) for x in (y - Q @ (Q.T @ y), own))
    norm = np.sqrt((own**2).sum(axis=0))
    size = np.sqrt((y**2).mean()) or 1.0
    y, own = y / size, own / norm
    scale = 2 * np.log(norm)[choices].sum(axis=1)  # of |X'X|, which differs from choice to choice
    start = _blocks(own.T @ own, own.T @ y, choices)[:, :, None]
    close = y @ y - (eliminate(start, b)[0][:, b, 0] ** 2).sum(axis=0) <= CLOSE * n
    exact = np.zeros(len(choices), dtype=bool)
    for choice in np.flatnonzero(close):  # rounding hides how close
        rest = take_out(y, own[:, choices[choice]])
        exact[choice] = rest @ rest * size**2 <= EXACT * total_square
    runs = [1, *range(n, n - longest, -1)]  # of 0 to `longest` periods
    total = [np.full((count, len(choices)), -np.inf) for count in runs]
    if exact.any():  # nothing is left to explain, and no likelihood has a bound
        return [np.zeros_like(each) for each in total], exact
    grid = law_grid("ar1_noise", n, False, rough=True)
    for t, theta in enumerate(grid.theta):
        for u, phi in enumerate(grid.phi[t]):
            P = precision(n, phi, theta, ratio, after)
            PQ = P @ Q
            inner = Q.T @ PQ
            M = P - PQ @ np.linalg.solve(inner, PQ.T)
            log_det = np.linalg.slogdet(inner)[1] - np.linalg.slogdet(P)[1]
            weight = grid.log_weight[t, u, 0] - 0.5 * log_det
            df = n - Q.shape[1] - b
            left = _leave_out(M, y, own, choices, longest)
            for length, (rss, log_det) in enumerate(left):
                found = weight - 0.5 * ((df - length) * np.log(rss) + log_det + scale)
                total[length] = np.logaddexp(total[length], found)
    return [np.where(np.isneginf(each), np.nan, each) for each in total], exact


def _leave_out(M: Array, y: Array, own: Array, choices: Array, longest: int) -> Iterator[tuple]:
    """Yield the residual sum of squares and log |own' M own|, without runs of 0 to `longest`."""
    b, Mown, My = choices.shape[1], M @ own, M @ y
    whole = _blocks(own.T @ Mown, own.T @ My, choices)[:, :, None]
    factor, log_det = eliminate(whole.copy(), b)
    least = ROUNDING * (y @ My)
    yield np.maximum(y @ My - (factor[:, b] ** 2).sum(axis=0), least), log_det
    diagonal = np.diag(M)
    for length in range(1, longest + 1):
        runs = np.arange(len(y) - length + 1)[:, None] + np.arange(length)
        inner = M[runs[:, :, None], runs[:, None]]
        lost = (diagonal[runs] <= NO_PERIOD * diagonal.max()).any(axis=1)
        inner[lost] = np.eye(length)
        root = np.linalg.cholesky(inner)
        given = np.linalg.solve(root, np.concatenate([Mown[runs], My[runs][..., None]], axis=2))
        given[lost] = 0
        value = np.repeat(given[:, :, None, -1:], len(choices), axis=2)
        picked = np.concatenate([given[:, :, choices], value], axis=3)  # (runs, length, D, b + 1)
        taken = np.einsum("rsdi,rsdj->ijrd", picked[..., :b], picked)
        factor, log_det = eliminate(whole - taken, b)
        log_det += 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)[:, None]
        log_det[lost] = np.inf
        rss = y @ My - (given[..., -1] ** 2).sum(axis=1)[:, None] - (factor[:, b] ** 2).sum(axis=0)
        yield np.maximum(rss, least), log_det


def _blocks(inner: Array, with_y: Array, choices: Array) -> Array:
    """Return [own' own | own' y] of every choice, (b, b + 1, D)."""
    own = inner[choices.T[:, None], choices.T[None]]
    return np.concatenate([own, with_y[choices.T][:, None]], axis=1)
