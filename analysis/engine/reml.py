"""The engine: rho integrated out by its restricted likelihood, for many series at once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.checks import renamed
from analysis.engine.errors import (
    RhoMixture,
    join_rows,
    log_likelihood,
    mix_over_rho,
    rho_nodes,
    solve_at,
)
from analysis.engine.executors import Jobs, open_executor
from analysis.engine.gls import Basis, whiten
from analysis.engine.mixture import mixture_quantiles, mixture_tails

SERIES, DESIGNS = 2048, 256  # rows at a time: memory is bounded, and threads share the work


@dataclass(frozen=True)
class Fits:
    """Posterior median, interval and two-sided p of every contrast, each of shape (R, m)."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


@renamed(level="confidence")
def fit_many(
    outcomes: np.ndarray,
    design: np.ndarray,
    contrasts: np.ndarray,
    *,
    confidence: float = 0.95,
    jobs: Jobs = None,
) -> Fits:
    """Fit many series with one design, or one series with many designs.

    Parameters
    ----------
    outcomes : array, shape (n,) or (n, N)
        One series a column.
    design : array, shape (n, k) or (D, n, k)
        The design matrix, or D of them for a single series.
    contrasts : array, shape (k,) or (m, k)
        Linear combinations of the coefficients.
    confidence : float
        Probability of the interval.
    jobs : int or "dask", optional
        Threads that share the work, by default one for each core, or a cluster.

    Returns
    -------
    Fits
        `estimate` (median), `low`, `high`, `p` (twice the smaller tail at zero), each (N, m) or
        (D, m). A series without residual variation has a degenerate interval and p missing.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, or a design has dependent columns.

    References
    ----------
    Harville, D. A. (1977). Maximum likelihood approaches to variance component estimation.
    Journal of the American Statistical Association 72, 320-338. doi:10.1080/01621459.1977.10480998
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; found {confidence}")
    summary = partial(summarise, confidence=confidence)
    return Fits(*_share(_jobs(outcomes, design, contrasts), summary, jobs))


def screen_many(
    outcomes: np.ndarray, design: np.ndarray, contrasts: np.ndarray, *, jobs: Jobs = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and two-sided p of every contrast, each (N, m) or (D, m): `fit_many` in brief.

    Without the quantiles a fit takes a fraction of the time; parameters as in `fit_many`.
    """
    mean, p = _share(_jobs(outcomes, design, contrasts), _brief, jobs)
    return mean, p


def _share(
    makers: list[Callable[[], RhoMixture]], work: Callable[[RhoMixture], tuple], jobs: Jobs
) -> list[np.ndarray]:
    """Do `work` on every mixture, on as many threads as wanted, and join the results."""
    with open_executor(jobs) as pool:
        parts = list(pool.map(partial(_do, work), makers))
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def _do(work: Callable[[RhoMixture], tuple], make: Callable[[], RhoMixture]) -> tuple:
    return work(make())


def _brief(mixture: RhoMixture) -> tuple[np.ndarray, np.ndarray]:
    mean = np.matmul(mixture.mean, mixture.weight[..., None])[..., 0]
    p = mixture_tails(np.zeros_like(mean), *mixture.parts)
    p[mixture.exact] = np.nan
    return mean, p


def integrate_rho(
    outcomes: np.ndarray, design: np.ndarray, contrasts: np.ndarray, *, nodes: int | None = None
) -> RhoMixture:
    """Return the mixtures themselves; parameters as in `fit_many`.

    With the default number of nodes, of rho, no end of an interval is off by 1e-8 of its width.
    """
    return join_rows([job() for job in _jobs(outcomes, design, contrasts, nodes)])


def restricted_log_likelihood(
    outcome: np.ndarray, design: np.ndarray, rho: np.ndarray
) -> np.ndarray:
    """Return the restricted log-likelihood of rho, coefficients and sigma profiled out.

    Parameters
    ----------
    outcome : array, shape (n,)
        One series.
    design : array, shape (n, k)
        Its design.
    rho : array, shape (G,)
        Values inside (-1, 1).

    Returns
    -------
    array, shape (G,)
        -1/2 [(n - k) log RSS + log |X'PX| - log(1 - rho^2)], without the constants.
    """
    y, X, C = _check_shapes(outcome, design, np.eye(np.shape(design)[-1]))
    rho = np.atleast_1d(np.asarray(rho, dtype=float))
    outside = ~(np.abs(rho) < 1)
    if outside.any():
        raise ValueError(f"rho must lie inside (-1, 1); found {rho[outside].tolist()}")
    if y.shape[1] != 1 or len(X) != 1:
        raise ValueError(
            f"expected one outcome (n,) and one design (n, k); found {np.shape(outcome)} and "
            f"{np.shape(design)}"
        )
    solved = solve_at(Basis(X, C), y, rho)[2]
    return log_likelihood(solved, rho, X.shape[1] - X.shape[2])[0]


def summarise(mixture: RhoMixture, confidence: float = 0.95) -> tuple[np.ndarray, ...]:
    """Return estimate, low, high and p of every contrast of `mixture`."""
    shares = (1 - confidence) / 2, 0.5, (1 + confidence) / 2
    low, estimate, high = mixture_quantiles(shares, *mixture.parts)
    p = mixture_tails(np.zeros_like(estimate), *mixture.parts)
    low[mixture.exact] = high[mixture.exact] = estimate[mixture.exact]
    p[mixture.exact] = np.nan
    return estimate, low, high, p


def _jobs(
    outcomes: np.ndarray, design: np.ndarray, contrasts: np.ndarray, nodes: int | None = None
) -> list[Callable[[], RhoMixture]]:
    """Return functions that each make the mixtures of some rows: of series, or of designs."""
    y, X, C = _check_shapes(outcomes, design, contrasts)
    grid = rho_nodes(nodes or max(32, int(np.ceil(3.6 * np.sqrt(len(y))))))
    if len(X) > 1:
        return [
            partial(_mix_designs, X[start : start + DESIGNS], C, y, *grid)
            for start in range(0, len(X), DESIGNS)
        ]
    basis = Basis(X, C)
    return [
        partial(mix_over_rho, basis, y[:, start : start + SERIES], *grid)
        for start in range(0, y.shape[1], SERIES)
    ]


def _mix_designs(
    X: np.ndarray, C: np.ndarray, y: np.ndarray, rho: np.ndarray, rho_weight: np.ndarray
) -> RhoMixture:
    return mix_over_rho(Basis(X, C), y, rho, rho_weight)


def _check_shapes(
    outcomes: np.ndarray, design: np.ndarray, contrasts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y = np.asarray(outcomes)
    y = y if y.dtype.kind == "f" else y.astype(float)  # the rest is converted chunk by chunk
    X, C = (np.asarray(array, dtype=float) for array in (design, contrasts))
    y = y[:, None] if y.ndim == 1 else y
    X = X[None] if X.ndim == 2 else X
    C = np.atleast_2d(C)
    fit = (y.ndim, X.ndim, C.ndim) == (2, 3, 2) and len(y) == X.shape[1]
    if not fit or 0 in (*y.shape, *X.shape):
        raise ValueError(
            "expected outcomes (n,) or (n, N), design (n, k) or (D, n, k) and contrasts (m, k); "
            f"found {np.shape(outcomes)}, {np.shape(design)} and {np.shape(contrasts)}"
        )
    if C.shape[1] != X.shape[2]:
        raise ValueError(
            f"contrasts need {X.shape[2]} columns, as the design has; found {C.shape[1]}"
        )
    if len(X) > 1 and y.shape[1] > 1:
        raise ValueError("many series with many designs at once are not supported: loop over one")
    if X.shape[1] - X.shape[2] < 3:
        raise ValueError(
            f"{X.shape[1]} periods are too few for {X.shape[2]} coefficients; at least "
            f"{X.shape[2] + 3} are needed. Use fewer harmonics or a longer series."
        )
    for array, name in ((y, "outcomes"), (X, "design"), (C, "contrasts")):
        if not all(np.isfinite(part).all() for part in array):
            raise ValueError(f"{name} must be finite and not missing")
    return y, X, C


def draw_parameters(
    y: np.ndarray, X: np.ndarray, rng: np.random.Generator, draws: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw rho (draws,), sigma (draws,) and b (draws, k) from their joint distribution."""
    k = X.shape[1]
    mixture = integrate_rho(y, X, np.eye(k))
    node = np.sort(rng.choice(len(mixture.rho), size=draws, p=mixture.weight[0]))
    sigma = np.sqrt(mixture.rss[0, node] / rng.chisquare(mixture.df, size=draws))
    if mixture.exact[0]:
        sigma[:] = 0.0
    b = mixture.mean[0, :, node]
    normal = rng.standard_normal((draws, k)) * sigma[:, None]
    for g in np.unique(node):
        R = np.linalg.qr(whiten(X, mixture.rho[g]), mode="r")
        b[node == g] += np.linalg.solve(R, normal[node == g].T).T
    order = rng.permutation(draws)
    return mixture.rho[node][order], sigma[order], b[order]
