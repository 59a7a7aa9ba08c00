"""The headline model written a second time, plainly and slowly, to check the package against.

Nothing here comes from `analysis`: dense whitening matrices, `lstsq` at every rho, Gauss-Legendre
panels that narrow towards a unit root, scipy's Student t and `brentq`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import logsumexp, stdtr
from scipy.stats import t as student

RHO = (-0.5, 0.995)


@dataclass(frozen=True)
class Mixture:
    rho: np.ndarray  # (G,)
    step: np.ndarray  # (G,) weights of the quadrature
    weight: np.ndarray  # (G,), sums to 1
    mean: np.ndarray  # (m, G)
    scale: np.ndarray  # (m, G)
    df: int

    def cdf(self, x: float, contrast: int) -> float:
        weight, mean, scale = self._some(contrast)
        return weight @ stdtr(self.df, (x - mean) / scale)

    def quantile(self, q: float, contrast: int) -> float:
        weight, mean, scale = self._some(contrast)
        ends = self.mean[contrast] + self.scale[contrast] * student.ppf(q, self.df)
        return brentq(
            lambda x: weight @ stdtr(self.df, (x - mean) / scale) - q,
            ends.min(),
            ends.max(),
            xtol=1e-15,
            rtol=1e-14,
        )

    def _some(self, contrast: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        some = self.weight > 1e-13  # all others together weigh less than 1e-8
        return self.weight[some], self.mean[contrast, some], self.scale[contrast, some]

    def summary(self) -> np.ndarray:
        """Estimate, low, high and p of every contrast, shape (m, 4)."""
        rows = []
        for contrast in range(len(self.mean)):
            low, estimate, high = (self.quantile(q, contrast) for q in (0.025, 0.5, 0.975))
            below = self.cdf(0.0, contrast)
            rows.append([estimate, low, high, 2 * min(below, 1 - below)])
        return np.array(rows)

    def rho_quantiles(self, *q: float) -> np.ndarray:
        fine = np.linspace(*RHO, 200_001)
        density = np.exp(CubicSpline(self.rho, np.log(self.weight / self.step))(fine))
        return np.interp(q, np.cumsum(density) / density.sum(), fine)


def whitening_matrix(n: int, rho: float) -> np.ndarray:
    W = np.eye(n) - rho * np.eye(n, k=-1)
    W[0, 0] = np.sqrt(1 - rho**2)
    return W


def ar1_correlation(n: int, rho: float) -> np.ndarray:
    return rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))


def restricted_loglik(y: np.ndarray, X: np.ndarray, rho: float) -> float:
    (n, k), W = X.shape, whitening_matrix(len(y), rho)
    b = np.linalg.lstsq(W @ X, W @ y, rcond=None)[0]
    rss = ((W @ (y - X @ b)) ** 2).sum()
    return -0.5 * (
        (n - k) * np.log(rss) + np.linalg.slogdet(X.T @ W.T @ W @ X)[1] - np.log(1 - rho**2)
    )


def log_integral(y: np.ndarray, X: np.ndarray) -> float:
    """The restricted likelihood integrated over rho: 200 points, evenly spread in arctanh(rho)."""
    point, width = np.polynomial.legendre.leggauss(200)
    low, high = np.arctanh(RHO)
    rho = np.tanh(low + (high - low) * (point + 1) / 2)
    heights = [restricted_loglik(y, X, value) for value in rho]
    return logsumexp(heights, b=width * (1 - rho**2) * (high - low) / 2)


def fit(y: np.ndarray, X: np.ndarray, C: np.ndarray, panels: int = 16) -> Mixture:
    n, k = X.shape
    point, width = np.polynomial.legendre.leggauss(12)
    edges = np.tanh(np.linspace(*np.arctanh(RHO), panels + 1))
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    rho = (middle[:, None] + half[:, None] * point).ravel()
    step = (half[:, None] * width).ravel()
    log_weight, mean, scale = [], [], []
    for value in rho:
        W = whitening_matrix(n, value)
        white, target = W @ X, W @ y
        b = np.linalg.lstsq(white, target, rcond=None)[0]
        rss, information = ((target - white @ b) ** 2).sum(), white.T @ white
        mean.append(C @ b)
        variance = np.diag(C @ np.linalg.solve(information, C.T))
        scale.append(np.sqrt(rss / (n - k) * variance))
        determinant = np.linalg.slogdet(information)[1]
        log_weight.append(-0.5 * ((n - k) * np.log(rss) + determinant - np.log(1 - value**2)))
    weight = step * np.exp(np.array(log_weight) - max(log_weight))
    return Mixture(rho, step, weight / weight.sum(), np.array(mean).T, np.array(scale).T, n - k)


def segmented_design(n: int, *shifts: int, per_year: int = 12, harmonics: int = 0) -> np.ndarray:
    """Constant, trend, level and slope of each shift (a position), waves of the year."""
    time = np.arange(n) / per_year
    columns = [np.ones(n), time]
    for first in shifts:
        columns += [np.arange(n) >= first, np.maximum(time - time[first], 0)]
    for pair in range(1, harmonics + 1):
        columns += [np.sin(2 * np.pi * pair * time), np.cos(2 * np.pi * pair * time)]
    return np.column_stack(columns).astype(float)


def effect_rows(k: int) -> np.ndarray:
    """Level, slope, effects after 12 and 24 months and trend, in `segmented_design`'s columns."""
    rows = np.zeros((5, k))
    rows[:4, 2:4] = [[1, 0], [0, 1], [1, 1], [1, 2]]
    rows[4, 1] = 1
    return rows


def average(mixtures: list[Mixture]) -> Mixture:
    """Mix over the possible dates of a shift, all equally likely."""
    rho, step, mean, scale = (
        np.concatenate([getattr(mixture, name) for mixture in mixtures], axis=-1)
        for name in ("rho", "step", "mean", "scale")
    )
    weight = np.concatenate([mixture.weight for mixture in mixtures]) / len(mixtures)
    return Mixture(rho, step, weight, mean, scale, mixtures[0].df)


def simulate_ar1(rng: np.random.Generator, n: int, rho: float, count: int = 1) -> np.ndarray:
    """Stationary AR(1) series with innovations of variance 1, shape (n, count)."""
    noise = rng.standard_normal((n, count))
    u = np.empty_like(noise)
    u[0] = noise[0] / np.sqrt(1 - rho**2)
    for period in range(1, n):
        u[period] = rho * u[period - 1] + noise[period]
    return u


def noise(n: int = 60, seed: int | np.random.Generator = 1, rho: float = 0.4) -> np.ndarray:
    return simulate_ar1(np.random.default_rng(seed), n, rho)[:, 0]


def monthly_values(values: np.ndarray, start: str = "2000-01", freq: str = "M") -> pd.DataFrame:
    """Values of months, or of another frequency, in a frame."""
    index = pd.period_range(start, periods=len(values), freq=freq)
    return pd.DataFrame({"value": np.asarray(values, dtype=float)}, index=index)
