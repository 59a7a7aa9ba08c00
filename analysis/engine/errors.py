"""The autocorrelation of the errors integrated out, for a block of series or of designs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from analysis.engine.gls import AtNodes, Basis, neighbours, solve_designs, solve_series
from analysis.engine.mixture import mixture_cdf, mixture_quantiles

RHO_RANGE = (-0.5, 0.995)  # rho is uniform here
EXACT = 1e-26  # residual over total sum of squares below which a fit counts as exact


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

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """What the functions of `analysis.engine.mixture` take."""
        return self.weight, self.mean, self.scale, self.df

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return P(c'b <= x) for x of shape (R, m)."""
        return mixture_cdf(x, *self.parts)[0]

    def quantile(self, q: float) -> np.ndarray:
        """Return the quantile of c'b, shape (R, m)."""
        return mixture_quantiles([q], *self.parts)[0]


@lru_cache(maxsize=64)
def rho_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights that integrate over rho in `RHO_RANGE`.

    Gauss-Legendre in arcsin(rho), where the likelihood of rho is equally wide everywhere
    (standard deviation about 1 / sqrt(n)), near a unit root too.
    """
    point, weight = np.polynomial.legendre.leggauss(count)
    low, high = np.arcsin(RHO_RANGE)
    angle = low + (high - low) * (point + 1) / 2
    return np.sin(angle), weight * np.cos(angle) * (high - low) / 2


def mix_over_rho(
    basis: Basis, y: np.ndarray, rho: np.ndarray, rho_weight: np.ndarray
) -> RhoMixture:
    """Return the mixtures of many outcomes `y` (n, N) with one design, or one with many."""
    (_, n, k), series = basis.columns.shape, y.shape[1] > 1
    y = np.ascontiguousarray(y, dtype=float)
    ols, squares, solved = solve_at(basis, y, rho)
    total = (y**2).sum(axis=0)
    exact = squares <= EXACT * np.maximum(total, np.finfo(float).tiny)
    solved.rss[exact] = 1.0  # any constant: rho is not identified, the interval is degenerate
    scale = np.sqrt(solved.rss[:, None, :] * solved.variance / (n - k))
    size = np.sqrt(total[exact] / n) if series else np.sqrt(total / n)
    scale[exact] = 1e-13 * np.maximum(size, 1e-100)[:, None, None]
    log_weight = log_likelihood(solved, rho, n - k) + np.log(rho_weight)
    top = log_weight.max(axis=1, keepdims=True)
    weight = np.exp(log_weight - top)
    sums = weight.sum(axis=1, keepdims=True)
    weight /= sums
    log_marginal = (top + np.log(sums))[:, 0]
    mean = solved.step + ols[..., None]
    return RhoMixture(rho, weight, mean, scale, solved.rss, n - k, log_marginal, exact)


def solve_at(
    basis: Basis, y: np.ndarray, rho: np.ndarray
) -> tuple[np.ndarray, np.ndarray, AtNodes]:
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


def log_likelihood(solved: AtNodes, rho: np.ndarray, df: int) -> np.ndarray:
    """Return the restricted log-likelihood at every rho, without its constants."""
    return -0.5 * (df * np.log(solved.rss) + solved.log_det - np.log(1 - rho**2))


def join_months(parts: Sequence[RhoMixture]) -> RhoMixture:
    """Return one mixture of several that weigh the same, one for each month of a shift."""
    if len(parts) == 1:
        return parts[0]
    joined = _join(parts, ("rho", "weight", "mean", "scale", "rss"), axis=-1)
    exact = np.all([part.exact for part in parts], axis=0)
    return replace(joined, weight=joined.weight / len(parts), exact=exact)


def join_rows(parts: Sequence[RhoMixture]) -> RhoMixture:
    """Return the rows of several mixtures over the same values of rho as those of one."""
    if len(parts) == 1:
        return parts[0]
    return _join(parts, ("weight", "mean", "scale", "rss", "log_marginal", "exact"), axis=0)


def _join(parts: Sequence[RhoMixture], names: Sequence[str], axis: int) -> RhoMixture:
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts], axis) for name in names
    }
    return replace(parts[0], **columns)
