"""Ways to forecast the log of a monthly rate, declared in 08-forecast: each draws whole paths."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator

from analysis.engine.draws import draw_parameters
from analysis.engine.law import run_errors
from analysis.engine.optimise import EstimatorError, best_of_starts, polish, quietly
from analysis.its.design import build_design
from analysis.its.shifts import PolicyShift

FEWEST_IN_OFFICE = 12  # months that a president's own slope needs, and as many before


class Known(NamedTuple):
    """What a method is given."""

    y: np.ndarray  # (n,), log of the monthly rate
    index: pd.PeriodIndex  # its months
    ahead: pd.PeriodIndex  # the months to forecast
    inaugurations: Sequence[PolicyShift] = ()  # in the order of their months


def latest_inauguration(index: pd.PeriodIndex, shifts: Sequence[PolicyShift]) -> PolicyShift | None:
    """Return the last inauguration with a year of `index` after it and a year before, or None."""
    for shift in reversed(shifts):
        before = (index < shift.month) & (index >= (shift.start or index[0]))
        if (index >= shift.month).sum() >= FEWEST_IN_OFFICE <= before.sum():
            return shift
    return None


def _draw_walk(known: Known, draws: int, rng: Generator, *, lag: int) -> np.ndarray:
    """Draw each month from the one `lag` months before it, and a normal step."""
    y, months = known.y, len(known.ahead)
    sigma = _draw_sigma(y[lag:] - y[:-lag], len(y) - lag, draws, rng)
    paths = sigma * rng.standard_normal((draws, months))
    for month in range(months):
        paths[:, month] += y[month - lag] if month < lag else paths[:, month - lag]
    return paths


def _draw_regression(known: Known, draws: int, rng: Generator, *, in_office: bool) -> np.ndarray:
    """Draw from the engine: coefficients and errors' law of the months known, errors ahead."""
    y, index, ahead, inaugurations = known
    shift = latest_inauguration(index, inaugurations) if in_office else None
    if in_office and shift is None:
        told = f"no inauguration of {[one.slug for one in inaugurations]} has {FEWEST_IN_OFFICE}"
        raise EstimatorError(f"{told} months on either side in {index[0]} to {index[-1]}")
    if shift is not None and shift.start is not None:
        inside = index >= shift.start
        y, index = y[inside], index[inside]
    n = len(y)
    design = build_design(index.append(ahead), shift, beside=()).to_numpy()
    drawn = draw_parameters(y, design[:n], rng, draws)
    shocks = drawn.sigma * rng.standard_normal((len(ahead), draws))
    return drawn.b @ design[n:].T + run_errors(drawn.phi, drawn.theta, drawn.known, shocks).T


def _draw_local_linear_trend(known: Known, draws: int, rng: Generator) -> np.ndarray:
    from statsmodels.tsa.statespace.structural import UnobservedComponents  # takes half a second

    y, months = known.y, len(known.ahead)
    middle, size = y.mean(), _size(np.diff(y))
    # approximately diffuse, no month left out of the likelihood, as in `fit_structural`
    waves = {"freq_seasonal": [{"period": 12, "harmonics": 2}], "stochastic_freq_seasonal": [False]}
    model = UnobservedComponents((y - middle) / size, "lltrend", **waves, loglikelihood_burn=0)
    starts = [np.array([0.3, 0.3, 0.01]), np.array([0.05, 0.8, 0.0001])]  # noise, level, slope
    fit = best_of_starts(partial(model.fit, maxiter=500, disp=0, cov_type="none"), starts)
    fit = polish(model, fit)
    noise, level, slope = np.sqrt(fit.params)
    a, P = fit.predicted_state[:, -1], fit.predicted_state_cov[:, :, -1]
    rounding = 1e-9 * np.trace(P) * np.eye(len(a))  # a variance estimated at zero leaves P singular
    factor = np.linalg.cholesky((P + P.T) / 2 + rounding)
    state = a[:, None] + factor @ rng.standard_normal((len(a), draws))
    observe, step = model["design"][0], model["transition"]
    paths = np.empty((draws, months))
    for month in range(months):
        paths[:, month] = observe @ state + noise * rng.standard_normal(draws)
        state = step @ state
        state[:2] += np.array([[level], [slope]]) * rng.standard_normal((2, draws))
    return middle + size * paths


def _draw_damped_trend(known: Known, draws: int, rng: Generator) -> np.ndarray:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    y, months = known.y, len(known.ahead)
    middle, size = y.mean(), _size(np.diff(y))
    season = {"seasonal": "add", "seasonal_periods": 12}
    model = ETSModel((y - middle) / size, error="add", trend="add", damped_trend=True, **season)
    model._loglike_internal = partial(_additive_likelihood, model, model._loglike_internal)
    near = quietly(lambda: np.asarray(model.start_params))
    far = np.array([0.6, 0.02, 0.02, 0.9, *near[4:]])  # smoothing of level, trend, season; damping
    model.hessian = lambda *_, **__: -np.eye(len(near))  # takes long, and no covariance is asked
    fit = best_of_starts(lambda start: model.fit(start, disp=0), [near, far])
    sigma = _draw_sigma(np.asarray(fit.resid), len(y) - len(near), draws, rng)
    noise = np.ascontiguousarray((sigma * rng.standard_normal((draws, months))).T)
    simulated = fit.simulate(months, anchor="end", repetitions=draws, random_errors=noise)
    return middle + size * np.asarray(simulated).T


def _additive_likelihood(
    model: Any, checked: Callable, params: np.ndarray, fitted: np.ndarray, *rest: Any
) -> float:
    """Return what ETSModel's own method gives, without what that asks at each of 3,000 steps."""
    if len(rest) == 1:  # not asked by the optimiser
        return checked(params, fitted, *rest)
    y = model.endog
    model._smoothing_func(params, y, fitted, *rest)
    return -len(y) / 2 * (np.log(2 * np.pi * (np.add.reduce((y - fitted) ** 2) / len(y))) + 1)


def _draw_sigma(errors: np.ndarray, df: int, draws: int, rng: Generator) -> np.ndarray:
    """Draw the standard deviation of independent normal errors, shape (draws, 1)."""
    return np.sqrt((errors @ errors) / rng.chisquare(df, size=(draws, 1)))


def _size(changes: np.ndarray) -> float:
    size = float(np.std(changes))
    if size < 1e-12:
        raise EstimatorError("the rate does not vary from month to month")
    return size


METHODS: dict[str, Callable[..., np.ndarray]] = {  # (known, draws, rng) -> (draws, months)
    "last_value": partial(_draw_walk, lag=1),
    "seasonal_naive": partial(_draw_walk, lag=12),
    "linear_trend_ar1": partial(_draw_regression, in_office=False),
    "local_linear_trend": _draw_local_linear_trend,
    "damped_trend": _draw_damped_trend,
    "its_inauguration": partial(_draw_regression, in_office=True),
}
