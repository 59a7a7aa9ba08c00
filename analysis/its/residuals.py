"""What the errors of a fit show that their law does not carry."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import chi2
from scipy.stats import t as student

from analysis.checks import unit_size
from analysis.engine.gls import take_out
from analysis.engine.law import MOST_RATIO, precision
from analysis.engine.posterior import Posterior
from analysis.its.model import NEAR_UNIT_ROOT, SegmentedModel, memory_rows
from analysis.its.series import periods_of, periods_per_year
from analysis.language import Words, say_month

SEASON_P, OUTLIER_P = 0.01, 0.01
NEAR_MOST = 0.95 * MOST_RATIO
SIZE = Words("its-words.toml", "flags", "size_changed")


def doubt_errors(model: SegmentedModel, mixture: Posterior) -> Iterator[tuple[str, float, dict]]:
    """Yield what the law of the errors does not carry well, as what `flags.flag` takes."""
    if mixture.exact[0]:
        return  # no law is identified
    wandering = float(mixture.weight[0, mixture.phi > NEAR_UNIT_ROOT].sum())
    if wandering > 0.5:
        yield "wandering", wandering, {"limit": NEAR_UNIT_ROOT, "share": wandering}
    estimate, low, high = memory_rows(mixture).T["sd_ratio"].to_numpy()
    if low > 1 or high < 1:
        at_limit = not 1 / NEAR_MOST < estimate < NEAR_MOST
        end = SIZE["end"].format(most=MOST_RATIO) if at_limit else ""
        told = {"estimate": estimate, "low": low, "high": high, "end": end}
        yield "size_changed", float(estimate), told
    if model.counted:
        return
    index = periods_of(model.window)
    n, year = len(index), periods_per_year(index)
    left, shocks = standardise(model, mixture)
    if year > 1 and n >= 4 * year:
        lags = np.array([year, 2 * year])
        r = np.array([shocks[lag:] @ shocks[:-lag] for lag in lags]) / (shocks @ shocks)
        p = float(chi2.sf(n * (n + 2) * (r**2 / (n - lags)).sum(), 2))  # Ljung and Box's
        if p < SEASON_P:
            yield "season_remembers", p, {"p": p}
    p = 2 * student.sf(np.abs(left), mixture.df - 1) * n  # after Bonferroni
    if p.min() < OUTLIER_P:
        worst = p.argmin()
        told = {"when": say_month(index[worst]), "size": abs(left[worst])}
        yield "outlier", float(left[worst]), told


def standardise(model: SegmentedModel, mixture: Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Return each period against all others, as a t statistic, and the innovations, both (n,)."""
    best = int(mixture.weight[0].argmax())  # the likeliest law, for the shift's first month
    law = mixture.phi[best], mixture.theta[best], mixture.ratio[best]
    X = model.designs[0].to_numpy()
    y, power = unit_size(take_out(model.outcome, X))  # no line in it, no unit costs digits
    P = precision(len(y), *law, model.n_before)
    left = P - P @ X @ np.linalg.solve(X.T @ P @ X, X.T @ P)
    u = left @ y
    own = np.maximum(np.diag(left), 1e-12 * np.diag(P))  # zero where a column has the period alone
    rss = np.maximum(y @ u - u**2 / own, np.finfo(float).tiny)
    residual = y - np.linalg.solve(P, P @ y - u)
    root = np.linalg.cholesky(P[::-1, ::-1])[::-1, ::-1]  # upper: P = root root'
    return u / np.sqrt(own * rss / (mixture.df - 1)), np.ldexp(root.T @ residual, power)
