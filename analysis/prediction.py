"""Where the effect in a further place is to be expected, with the spread between places unknown."""

import numpy as np
from scipy.stats import chi2

from analysis.mixture import mixture_quantiles

NODES = 101  # values of the spread that are weighed


def prediction_interval(
    effects: np.ndarray, variances: np.ndarray, *, shared: float = 0.0
) -> tuple[float, float]:
    """Return the 95% prediction interval for the effect in one more place.

    The usual interval takes the estimated variance between places as the true one and holds too
    little where it is small or places are few. Here its confidence distribution is used: Cochran's
    Q at the true variance is chi-squared, so every quantile of that distribution gives a value of
    the variance, and the interval is that of the mixture over them.

    Parameters
    ----------
    effects, variances : array, shape (k,)
        Estimates, and their variances.
    shared : float
        Variance of the mean that all places share.

    References
    ----------
    Nagashima, K., Noma, H. and Furukawa, T. A. (2019). Prediction intervals for random-effects
    meta-analysis: a confidence distribution approach. Statistical Methods in Medical Research 28,
    1689-1702. doi:10.1177/0962280218773520
    """
    k = len(effects)
    between = _variance_at(chi2.ppf((np.arange(NODES) + 0.5) / NODES, k - 1), effects, variances)
    weights = 1 / (variances + between[:, None])
    weights /= weights.sum(axis=1, keepdims=True)
    mean = weights @ effects
    spread = (weights * (effects - mean[:, None]) ** 2).sum(axis=1) / (k - 1)
    scale = np.sqrt(between + spread + shared)
    scale = np.maximum(scale, 1e-12 * max(np.abs(effects).max(), 1e-100))  # all effects equal
    equal = np.full((1, NODES), 1 / NODES)
    ends = mixture_quantiles([0.025, 0.975], equal, mean[None, None], scale[None, None], k - 1)
    return float(ends[0, 0, 0]), float(ends[1, 0, 0])


def _variance_at(q: np.ndarray, effects: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return the variance between places at which Cochran's Q equals `q`, or 0, by bisection."""
    low, high = np.zeros_like(q), np.full_like(q, np.var(effects) * len(effects) / q.min())
    for _ in range(100):
        middle = (low + high) / 2
        weights = 1 / (variances + middle[:, None])
        mean = weights @ effects / weights.sum(axis=1)
        above = (weights * (effects - mean[:, None]) ** 2).sum(axis=1) > q
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high
