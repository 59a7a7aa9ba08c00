"""Regression with ARIMA errors, and a structural model, by maximum likelihood.

As in `analysis.engine.estimators`: an outcome (n,) and a design (n, k), `Coefficients` or an
`EstimatorError`.
"""

from functools import partial
from typing import Any

import numpy as np
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.statespace.structural import UnobservedComponents
from statsmodels.tsa.statespace.tools import diff

from analysis.checks import check_regression
from analysis.engine.optimise import (
    Coefficients,
    EstimatorError,
    best_of_starts,
    orthonormal,
    polish,
    quietly,
    residual_size,
)

Order = tuple[int, int, int]

ARMA_ORDERS = ((1, 0, 0), (2, 0, 0), (1, 0, 1))
PILED_UP = 0.95  # moving average beyond which a likelihood's edge passes for its top


def fit_arima(
    y: np.ndarray,
    X: np.ndarray,
    *,
    order: Order | None = None,
    seasonal_order: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Coefficients:
    """Fit a regression with ARIMA errors by maximum likelihood, from two starts.

    The outcome is brought to unit scale and the design to orthonormal columns first: with raw
    counters the optimiser stops where it started and reports convergence.

    Parameters
    ----------
    y, X : array, shapes (n,) and (n, k)
        Outcome and design; with differencing the design must hold no constant.
    order, seasonal_order : tuple
        (p, d, q) and (P, D, Q, s). By default the ARMA(1,0), (2,0) or (1,1) of least AICc.

    Returns
    -------
    Coefficients
        Those of the design, with the normal reference; the note names the order.

    Raises
    ------
    ValueError
        If the data or an order cannot be used; an EstimatorError if no order has an answer.

    References
    ----------
    Box, G. E. P. and Tiao, G. C. (1975). Intervention analysis with applications to economic and
    environmental problems. Journal of the American Statistical Association 70, 70-79.
    doi:10.1080/01621459.1975.10480264
    """
    y, X, _ = check_regression(y, X)
    _check_order(order, seasonal_order, X)
    Q, R = orthonormal(X)
    orders, fits, failures = [order] if order else ARMA_ORDERS, {}, []
    for tried in orders:
        differences = tried[1], seasonal_order[1], seasonal_order[3] or 1
        size = _residual_size(diff(y, *differences), diff(X, *differences))
        model = SARIMAX(y / size, exog=Q, order=tried, seasonal_order=seasonal_order)
        try:
            fit = best_of_starts(partial(_fit_state_space, model), _starts(model, X.shape[1]))
        except EstimatorError as error:
            failures.append(error)
            continue
        if order is None and np.abs(fit.maparams).max(initial=0) >= PILED_UP:
            failures.append(EstimatorError(f"ARMA{tried}: the moving average is not invertible"))
        else:
            fits[tried] = size, fit if order is None else polish(model, fit)
    if not fits:
        raise failures[0]
    chosen, (size, fit) = min(fits.items(), key=lambda item: item[1][1].aicc)
    k = X.shape[1]
    back = np.linalg.inv(R) * size
    parameters = quietly(lambda: np.asarray(fit.cov_params_approx))
    note = f"ARIMA{chosen}" + (f"{seasonal_order}" if any(seasonal_order) else "")
    covariance = back @ parameters[:k, :k] @ back.T
    return Coefficients(back @ fit.params[:k], covariance, note=note.replace(" ", ""))


def fit_structural(y: np.ndarray, X: np.ndarray) -> Coefficients:
    """Fit a random-walk level plus noise, with the design as regressors; its constant is the level.

    The regressors are part of the state, so the likelihood of the two variances is the diffuse
    (restricted) one.

    Parameters
    ----------
    y, X : array, shapes (n,) and (n, k)
        Outcome and design.

    Returns
    -------
    Coefficients
        With the normal reference, and missing for the constant; the note tells how the variance of
        the level's steps compares with that of the noise.

    Raises
    ------
    ValueError
        If the data cannot be used; an EstimatorError if there is no maximum.

    References
    ----------
    Harvey, A. C. and Durbin, J. (1986). The effects of seat belt legislation on British road
    casualties: a case study in structural time series modelling. Journal of the Royal Statistical
    Society A 149, 187-227. doi:10.2307/2981553
    """
    y, X, _ = check_regression(y, X)
    constant = (X[0] == X).all(axis=0)
    Q, R = orthonormal(X[:, ~constant])
    size = _residual_size(y, X)
    # approximately diffuse, and no period left out of the likelihood: the first ones say nothing of
    # a shift, and statsmodels' exact diffuse filter loses its way in regressors that are zero there
    model = UnobservedComponents(
        y / size, level="llevel", exog=Q, mle_regression=False, loglikelihood_burn=0
    )
    fit = best_of_starts(
        partial(_fit_state_space, model),
        [np.array([0.9, 0.01]), np.array([0.1, 0.5])],  # variances of the noise and of the level
    )
    fit = polish(model, fit)
    back = np.linalg.inv(R) * size
    k = X.shape[1]
    estimate, covariance = np.full(k, np.nan), np.full((k, k), np.nan)
    estimate[~constant] = back @ fit.smoothed_state[1:, -1]
    block = back @ fit.smoothed_state_cov[1:, 1:, -1] @ back.T
    covariance[np.ix_(~constant, ~constant)] = block
    noise, level = fit.params
    return Coefficients(estimate, covariance, note=f"level / noise variance {level / noise:.2g}")


def _starts(model: Any, k: int) -> list[np.ndarray]:
    near = quietly(lambda: np.asarray(model.start_params))
    far = near.copy()
    far[k:-1] = 0.0  # all but regression and variance
    return [near, far]


def _fit_state_space(model: Any, start: np.ndarray) -> Any:
    return model.fit(start, maxiter=500, disp=0, cov_type="none")


def _residual_size(y: np.ndarray, X: np.ndarray) -> np.floating:
    return residual_size(y - X @ np.linalg.lstsq(X, y, rcond=None)[0], y)


def _check_order(order: Order | None, seasonal_order: tuple, X: np.ndarray) -> None:
    for given, length in ((order or (0, 0, 0), 3), (seasonal_order, 4)):
        whole = isinstance(given, tuple | list) and all(
            isinstance(part, int | np.integer) and part >= 0 for part in given
        )
        if not whole or len(given) != length:
            raise ValueError(f"an order is {length} whole numbers from 0 up; found {given!r}")
    differenced = (order[1] if order else 0) + seasonal_order[1] > 0
    if differenced and (X[0] == X).all(axis=0).any():
        raise ValueError("differencing takes a constant out: leave that column of the design out")
