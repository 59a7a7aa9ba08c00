"""Coefficients with their covariance, and optimisers that are not believed but checked."""

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from analysis.checks import Array, OneLine, full_size, require, unit_size
from analysis.engine.gls import is_exact

SAME_OPTIMUM = 1e-3  # log-likelihood: two starts that end closer have found one optimum
MOST_RESTARTS = 5
MOST_STEPS = 10  # of Newton
SETTLED, CLOSE = 1e-9, 1e-5  # the last one, in standard errors: hoped for, and accepted
NO_VARIATION = "the model fits without any residual variation"


class EstimatorError(ValueError):
    """A model that has no answer for these data; the message is the reason."""


@dataclass(frozen=True, repr=False)
class Coefficients(OneLine):
    """What one estimator says of the design's k coefficients."""

    estimate: Array  # (k,)
    covariance: Array  # (k, k)
    df: float = np.inf  # of the Student t reference; infinite for the normal one
    note: str = ""
    dispersion: float = np.nan  # of counts: Pearson's chi-squared per degree of freedom


def best_of_starts(fit: Callable[[Array], Any], starts: Sequence[Array]) -> Any:
    """Return the best fit from `starts`; where they differ, go on until nothing is gained."""
    fits = [found for start in starts if (found := _attempt(fit, start)) is not None]
    require(bool(fits), "the optimiser failed from every start", EstimatorError)
    best = max(fits, key=lambda found: found.llf)
    if len(fits) > 1 and best.llf - min(found.llf for found in fits) < SAME_OPTIMUM:
        return best
    for _ in range(MOST_RESTARTS):
        again = _attempt(fit, np.asarray(best.params))
        if again is None or again.llf - best.llf < SAME_OPTIMUM:
            return best
        best = again
    raise EstimatorError("the likelihood still rises wherever the optimiser stops")


def _attempt(fit: Callable[[Array], Any], start: Array) -> Any:
    try:
        found = quietly(lambda: fit(start))
    except (np.linalg.LinAlgError, ValueError, FloatingPointError):
        return None
    usable = np.isfinite(found.llf) and np.isfinite(np.asarray(found.params)).all()
    return found if usable else None


def quietly(action: Callable[[], Any]) -> Any:
    """Return what `action` returns, without its warnings: the result is checked instead."""
    level, handlers = logging.root.level, [*logging.root.handlers]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return action()
    finally:
        logging.root.setLevel(level)  # pyfixest, when imported, has all libraries tell all they do
        logging.root.handlers[:] = handlers


def at_unit_scale(y: Array, X: Array) -> tuple[Array, Array, Callable[..., tuple[Array, Array]]]:
    """Return residuals (n,) and design (n, k), both of mean square 1, and the way back."""
    # what is fitted to residuals knows nothing of the outcome's level, line and unit
    (y, power), (X, sizes) = unit_size(y), unit_size(X, axis=0)
    Q, R = np.linalg.qr(X)
    start = np.linalg.solve(R, Q.T @ y)
    residual = (y - X.astype(np.longdouble) @ start).astype(float)  # digits below a high level
    require(not is_exact(residual, y), NO_VARIATION, EstimatorError)
    size, root = np.sqrt(residual @ residual), np.sqrt(len(y))
    inverse, power = size * np.linalg.inv(R), power - sizes[0]

    def back(b: Array, covariance: Array) -> tuple[Array, Array]:
        return in_units(start + inverse @ b, inverse @ covariance @ inverse.T, power)

    return residual / size * root, Q * root, back


def in_units(b: Array, covariance: Array, power: Array) -> tuple[Array, Array]:
    """Return coefficients (k,) and covariance (k, k), where b is to be multiplied by 2^power."""
    return full_size(b, power), full_size(covariance, np.add.outer(power, power))


def polish(model: Any, fit: Any) -> Any:
    """Go on from an optimum of a state-space model to digits that no processor changes."""
    further = _attempt(partial(_newton, model), fit)
    if further is None:  # the top is an edge: as near as quasi-Newton steps come
        options = {"method": "bfgs", "gtol": 1e-9, "maxiter": 200, "disp": 0, "cov_type": "none"}
        further = quietly(lambda: model.fit(fit.params, **options))
    return further if further.llf > fit.llf - 1e-8 else fit


def _newton(model: Any, fit: Any) -> Any:
    params, inverse = np.asarray(fit.params), np.asarray(fit.cov_params_approx)
    for _ in range(MOST_STEPS):
        step = inverse @ model.score(params)
        params = params + step
        size = np.abs(step / np.sqrt(np.diag(inverse))).max()
        if size <= SETTLED:
            break
    inside = model.transform_params(model.untransform_params(params))
    if not np.allclose(inside, params) or not size <= CLOSE:
        raise EstimatorError("no maximum inside the range of the parameters")
    return model.filter(params, cov_type="none")
