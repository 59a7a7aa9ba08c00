"""The engine: regression with AR(1) errors by REML with rho integrated out, many series at once.

Given rho, generalised least squares make a contrast of the coefficients Student t; the restricted
likelihood weighs the values of rho; the mixture over them is the result.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.gls import AtNodes, Basis, neighbours, solve_designs, solve_series
from analysis.mixture import mixture_cdf, mixture_quantiles, mixture_tails

RHO_RANGE = (-0.5, 0.995)  # rho is uniform here
SERIES, DESIGNS = 2048, 256  # rows at a time: memory is bounded, and threads share the work
EXACT = 1e-20  # residual over total sum of squares below which a fit counts as exact


@dataclass(frozen=True)
class RhoMixture:
    """What the data say of contrasts c'b, for each of R rows, as a mixture over rho.

    Given rho_g, c'b is Student t with `df` degrees of freedom, `mean` and `scale`.
    """

    rho: np.ndarray  # (G,)
    weight: np.ndarray  # (R, G), each row sums to 1
    mean: np.ndarray  # (R, m, G)
    scale: np.ndarray  # (R, m, G)
    rss: np.ndarray  # (R, G) residual sum of squares of the whitened data
    df: int
    log_marginal: np.ndarray  # (R,) log integral over rho of the restricted likelihood
    exact: np.ndarray  # (R,) rows without residual variation

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return P(c'b <= x) for x of shape (R, m)."""
        return mixture_cdf(x, self.weight, self.mean, self.scale, self.df)[0]

    def quantile(self, q: float) -> np.ndarray:
        """Return the quantile of c'b, shape (R, m)."""
        return mixture_quantiles([q], self.weight, self.mean, self.scale, self.df)[0]


@dataclass(frozen=True)
class Fits:
    """Posterior median, interval and two-sided p of every contrast, each of shape (R, m)."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def fit_many(
    outcomes: np.ndarray, design: np.ndarray, contrasts: np.ndarray, *, level: float = 0.95
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
    level : float
        Probability of the interval.

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
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1; found {level}")
    jobs = _jobs(outcomes, design, contrasts)
    with ThreadPoolExecutor(max_workers=min(len(jobs), os.cpu_count() or 1)) as threads:
        parts = list(threads.map(lambda job: summarise(job(), level), jobs))
    return Fits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def integrate_rho(
    outcomes: np.ndarray, design: np.ndarray, contrasts: np.ndarray, *, nodes: int | None = None
) -> RhoMixture:
    """Return the mixtures themselves; parameters as in `fit_many`.

    `nodes` is the number of points over which rho is integrated; the default moves no end of an
    interval by more than 1e-8 of its width.
    """
    parts = [job() for job in _jobs(outcomes, design, contrasts, nodes)]
    if len(parts) == 1:
        return parts[0]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("weight", "mean", "scale", "rss", "log_marginal", "exact")
    }
    return RhoMixture(rho=parts[0].rho, df=parts[0].df, **joined)


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
    if not (np.abs(rho) < 1).all():
        raise ValueError(f"rho must lie inside (-1, 1); found {rho[np.abs(rho) >= 1].tolist()}")
    solved = _solve(Basis(X, C), y, rho)[2]
    return _log_likelihood(solved, rho, X.shape[1] - X.shape[2])[0]


def summarise(mixture: RhoMixture, level: float = 0.95) -> tuple[np.ndarray, ...]:
    """Return estimate, low, high and p of every contrast of `mixture`."""
    parts = mixture.weight, mixture.mean, mixture.scale, mixture.df
    low, estimate, high = mixture_quantiles([(1 - level) / 2, 0.5, (1 + level) / 2], *parts)
    p = mixture_tails(np.zeros_like(estimate), *parts)
    low[mixture.exact] = high[mixture.exact] = estimate[mixture.exact]
    p[mixture.exact] = np.nan
    return estimate, low, high, p


def rho_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights that integrate over rho in `RHO_RANGE`.

    Gauss-Legendre in arcsin(rho), where the likelihood of rho is equally wide everywhere
    (standard deviation about 1 / sqrt(n)), near a unit root too.
    """
    point, weight = np.polynomial.legendre.leggauss(count)
    low, high = np.arcsin(RHO_RANGE)
    angle = low + (high - low) * (point + 1) / 2
    return np.sin(angle), weight * np.cos(angle) * (high - low) / 2


def _jobs(
    outcomes: np.ndarray, design: np.ndarray, contrasts: np.ndarray, nodes: int | None = None
) -> list[Callable[[], RhoMixture]]:
    """Return functions that each make the mixtures of `CHUNK` rows: of series, or of designs."""
    y, X, C = _check_shapes(outcomes, design, contrasts)
    grid = rho_nodes(nodes or max(32, int(np.ceil(3.6 * np.sqrt(len(y))))))
    if len(X) > 1:
        return [
            lambda part=X[start : start + DESIGNS]: _mixture(Basis(part, C), y, *grid)
            for start in range(0, len(X), DESIGNS)
        ]
    basis = Basis(X, C)
    return [
        partial(_mixture, basis, y[:, start : start + SERIES], *grid)
        for start in range(0, y.shape[1], SERIES)
    ]


def _mixture(basis: Basis, y: np.ndarray, rho: np.ndarray, rho_weight: np.ndarray) -> RhoMixture:
    (_, n, k), series = basis.columns.shape, y.shape[1] > 1
    ols, squares, solved = _solve(basis, y, rho)
    total = (y**2).sum(axis=0)
    exact = squares <= EXACT * np.maximum(total, np.finfo(float).tiny)
    solved.rss[exact] = 1.0  # any constant: rho is not identified, the interval is degenerate
    scale = np.sqrt(solved.rss[:, None, :] * solved.variance / (n - k))
    size = np.sqrt(total[exact] / n) if series else np.sqrt(total / n)
    scale[exact] = 1e-13 * np.maximum(size, 1e-100)[:, None, None]
    log_weight = _log_likelihood(solved, rho, n - k) + np.log(rho_weight)
    top = log_weight.max(axis=1, keepdims=True)
    weight = np.exp(log_weight - top)
    sums = weight.sum(axis=1, keepdims=True)
    weight /= sums
    log_marginal = (top + np.log(sums))[:, 0]
    mean = solved.step + ols[..., None]
    return RhoMixture(rho, weight, mean, scale, solved.rss, n - k, log_marginal, exact)


def _solve(basis: Basis, y: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray, AtNodes]:
    """Return each contrast by OLS (R, m), the residual sum of squares (R,), and GLS at each rho."""
    transposed = basis.columns.swapaxes(1, 2)
    ols = transposed @ y  # (D, k, N)
    residual = y - basis.columns @ ols
    residual -= basis.columns @ (transposed @ residual)
    solve = solve_series if y.shape[1] > 1 else solve_designs
    solved = solve(basis, transposed @ neighbours(residual), residual[:, [0, -1]], rho)
    squares = (residual**2).sum(axis=1).ravel()
    products = 2 * np.einsum("dnr,dnr->dr", residual[:, 1:], residual[:, :-1]).ravel()
    solved.rss[:] += np.multiply.outer(squares, 1 + rho**2) - np.multiply.outer(products, rho)
    contrasts = (basis.contrasts @ ols).transpose(0, 2, 1)
    return contrasts.reshape(len(squares), -1), squares, solved


def _log_likelihood(solved: AtNodes, rho: np.ndarray, df: int) -> np.ndarray:
    return -0.5 * (df * np.log(solved.rss) + solved.log_det - np.log(1 - rho**2))


def _check_shapes(
    outcomes: np.ndarray, design: np.ndarray, contrasts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, X, C = (np.asarray(array, dtype=float) for array in (outcomes, design, contrasts))
    y = y[:, None] if y.ndim == 1 else y
    X = X[None] if X.ndim == 2 else X
    C = np.atleast_2d(C)
    if (
        y.ndim != 2
        or X.ndim != 3
        or C.ndim != 2
        or len(y) != X.shape[1]
        or 0 in (*y.shape, *X.shape)
    ):
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
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite and not missing")
    return y, X, C
