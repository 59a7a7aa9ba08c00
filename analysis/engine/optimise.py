"""Coefficients with their covariance, and optimisers that are not believed but checked."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.engine.errors import EXACT

SAME_OPTIMUM = 1e-3  # log-likelihood: two starts that end closer have found one optimum
MOST_RESTARTS = 5
NO_VARIATION = "the model fits without any residual variation"


class EstimatorError(ValueError):
    """A model that has no answer for these data; the message is the reason."""


@dataclass(frozen=True)
class Coefficients:
    """What one estimator says of the design's k coefficients."""

    estimate: np.ndarray  # (k,)
    covariance: np.ndarray  # (k, k)
    df: float = np.inf  # of the Student t reference; infinite for the normal one
    note: str = ""
    dispersion: float = np.nan  # of counts: Pearson's chi-squared per degree of freedom


def best_of_starts(fit: Callable[[np.ndarray], Any], starts: Sequence[np.ndarray]) -> Any:
    """Return the best of the fits from `starts`; where they differ, go on until nothing is gained.

    What an optimiser says of its own convergence is not asked.
    """
    fits = [found for start in starts if (found := _attempt(fit, start)) is not None]
    if not fits:
        raise EstimatorError("the optimiser failed from every start")
    best = max(fits, key=lambda found: found.llf)
    gap = best.llf - min(found.llf for found in fits) if len(fits) > 1 else np.inf
    for _ in range(MOST_RESTARTS):
        if gap < SAME_OPTIMUM:
            return best
        again = _attempt(fit, np.asarray(best.params))
        if again is None or again.llf - best.llf < SAME_OPTIMUM:
            return best
        gap, best = again.llf - best.llf, again
    raise EstimatorError("the likelihood still rises wherever the optimiser stops")


def _attempt(fit: Callable[[np.ndarray], Any], start: np.ndarray) -> Any:
    try:
        found = quietly(lambda: fit(start))
    except (np.linalg.LinAlgError, ValueError, FloatingPointError):
        return None
    usable = np.isfinite(found.llf) and np.isfinite(np.asarray(found.params)).all()
    return found if usable else None


def quietly(action: Callable[[], Any]) -> Any:
    """Return what `action` returns, without its warnings: the result is checked instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return action()


def orthonormal(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return columns of mean square 1 that span those of `X`, and what makes `X` of them."""
    Q, R = np.linalg.qr(X)
    return Q * np.sqrt(len(X)), R / np.sqrt(len(X))


def residual_size(residual: np.ndarray, y: np.ndarray) -> np.floating:
    """Return the standard deviation of what is left of `y`, or raise an EstimatorError if none."""
    if residual @ residual <= EXACT * (y @ y):
        raise EstimatorError(NO_VARIATION)
    return np.std(residual)


def polish(model: Any, fit: Any) -> Any:
    """Go on from an optimum to digits that do not depend on where the optimiser came from."""
    options = {"method": "bfgs", "gtol": 1e-9, "maxiter": 200, "disp": 0, "cov_type": "none"}
    further = quietly(lambda: model.fit(fit.params, **options))
    return further if further.llf > fit.llf else fit
