"""The textbook estimators of a segmented regression, each fitted by statsmodels and then checked.

Every function takes an outcome (n,) and a design (n, k) and returns `Coefficients`, or raises an
`EstimatorError` that says why the model has no answer for these data.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from statsmodels.discrete.discrete_model import NegativeBinomial
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.regression.linear_model import GLSAR, OLS
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.statespace.structural import UnobservedComponents
from statsmodels.tsa.statespace.tools import diff

Order = tuple[int, int, int]

ARMA_ORDERS = ((1, 0, 0), (2, 0, 0), (1, 0, 1))
SAME_OPTIMUM = 1e-3  # log-likelihood: two starts that end closer have found one optimum
MOST_RESTARTS = 5
FLAT = 1e-4  # score, in standard errors, at a maximum of the likelihood
NOT_IDENTIFIED = 1e-10  # reciprocal condition number of the information matrix


class EstimatorError(ValueError):
    """A model that has no answer for these data; the message is the reason."""


@dataclass(frozen=True)
class Coefficients:
    """What one estimator says of the design's k coefficients."""

    estimate: np.ndarray  # (k,)
    covariance: np.ndarray  # (k, k)
    df: float = np.inf  # of the Student t reference; infinite for the normal one
    note: str = ""


def newey_west_lags(n: int) -> int:
    """Return the usual number of lags, floor(4 (n / 100)^(2/9))."""
    return int(4 * (n / 100) ** (2 / 9))


def fit_newey_west(y: np.ndarray, X: np.ndarray, *, lags: int | None = None) -> Coefficients:
    """Fit by ordinary least squares with Newey-West errors, n / (n - k) correction, Student t.

    Parameters
    ----------
    y, X : array, shapes (n,) and (n, k)
        Outcome and design.
    lags : int, optional
        Default floor(4 (n / 100)^(2/9)).

    References
    ----------
    Newey, W. K. and West, K. D. (1987). A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix. Econometrica 55, 703-708. doi:10.2307/1913610
    """
    lags = newey_west_lags(len(y)) if lags is None else lags
    settings = {"maxlags": lags, "use_correction": True}
    fit = OLS(y, X).fit(cov_type="HAC", cov_kwds=settings, use_t=True)
    return Coefficients(fit.params, fit.cov_params(), fit.df_resid, f"{lags} lags")


def fit_prais_winsten(y: np.ndarray, X: np.ndarray, *, iterations: int = 1000) -> Coefficients:
    """Fit by feasible generalised least squares with AR(1) errors, iterated until rho settles.

    statsmodels' GLSAR leaves the first period out (as Cochrane and Orcutt did).

    References
    ----------
    Cochrane, D. and Orcutt, G. H. (1949). Application of least squares regression to relationships
    containing auto-correlated error terms. Journal of the American Statistical Association 44,
    32-61. doi:10.1080/01621459.1949.10483290
    """
    model = GLSAR(y, X, rho=1)
    fit = model.iterative_fit(maxiter=iterations, rtol=1e-8)
    rho = float(np.squeeze(model.rho))
    if not fit.converged:
        raise EstimatorError(f"rho has not settled after {iterations} iterations")
    if not abs(rho) < 1:
        raise EstimatorError(f"rho = {rho:.3f} is not stationary")
    note = f"rho = {rho:.2f}; first period left out"
    return Coefficients(fit.params, fit.cov_params(), fit.df_resid, note)


def fit_quasi_poisson(
    deaths: np.ndarray, X: np.ndarray, *, exposure: np.ndarray | None = None
) -> Coefficients:
    """Fit a log-linear model of counts whose variance is proportional to the mean, normal errors.

    Parameters
    ----------
    deaths, X : array, shapes (n,) and (n, k)
        Counts and design.
    exposure : array, shape (n,), optional
        Its log is the offset; default 1.

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd ed.
    doi:10.1007/978-1-4899-3242-6
    """
    fit = _fit_poisson(deaths, X, exposure)
    return Coefficients(fit.params, fit.cov_params(), note=f"dispersion {fit.scale:.2f}")


def fit_negative_binomial(
    deaths: np.ndarray, X: np.ndarray, *, exposure: np.ndarray | None = None
) -> Coefficients:
    """Fit a log-linear model with variance mean + alpha mean^2; parameters as quasi-Poisson.

    References
    ----------
    Cameron, A. C. and Trivedi, P. K. (1986). Econometric models based on count data. Journal of
    Applied Econometrics 1, 29-53. doi:10.1002/jae.3950010104
    """
    poisson = _fit_poisson(deaths, X, exposure)
    expected = poisson.mu
    moment = ((deaths - expected) ** 2 - expected).sum() / (expected**2).sum()
    if poisson.scale <= 1 or moment <= 0:
        raise EstimatorError(
            f"counts vary no more than Poisson counts do (dispersion {poisson.scale:.2f})"
        )
    Q, R = _orthonormal(X)
    model = NegativeBinomial(deaths, Q, exposure=exposure)
    start = R @ poisson.params
    fit = _best_of_starts(
        lambda params: model.fit(params, method="bfgs", maxiter=500, disp=0),
        [np.append(start, alpha) for alpha in (moment, 10 * moment)],
    )
    k = X.shape[1]
    back = np.linalg.inv(R)
    covariance = back @ fit.cov_params()[:k, :k] @ back.T
    return Coefficients(back @ fit.params[:k], covariance, note=f"alpha = {fit.params[k]:.3g}")


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

    References
    ----------
    Box, G. E. P. and Tiao, G. C. (1975). Intervention analysis with applications to economic and
    environmental problems. Journal of the American Statistical Association 70, 70-79.
    doi:10.1080/01621459.1975.10480264
    """
    Q, R = _orthonormal(X)
    orders, fits, failures = [order] if order else ARMA_ORDERS, {}, []
    for tried in orders:
        differences = tried[1], seasonal_order[1], seasonal_order[3] or 1
        size = _residual_size(diff(y, *differences), diff(X, *differences))
        model = SARIMAX(y / size, exog=Q, order=tried, seasonal_order=seasonal_order)
        near = _quietly(lambda model=model: np.asarray(model.start_params))
        far = near.copy()
        far[X.shape[1] : -1] = 0.0  # all but regression and variance
        try:
            fits[tried] = size, _best_of_starts(partial(_fit_state_space, model), [near, far])
        except EstimatorError as error:
            failures.append(error)
    if not fits:
        raise failures[0]
    chosen, (size, fit) = min(fits.items(), key=lambda item: item[1][1].aicc)
    k = X.shape[1]
    back = np.linalg.inv(R) * size
    parameters = _quietly(lambda: np.asarray(fit.cov_params_approx))
    note = f"ARIMA{chosen}" + (f"{seasonal_order}" if any(seasonal_order) else "")
    covariance = back @ parameters[:k, :k] @ back.T
    return Coefficients(back @ fit.params[:k], covariance, note=note.replace(" ", ""))


def fit_structural(y: np.ndarray, X: np.ndarray) -> Coefficients:
    """Fit a random-walk level plus noise, with the design as regressors; its constant is the level.

    The regressors are part of the state, so the likelihood of the two variances is the diffuse
    (restricted) one.

    References
    ----------
    Harvey, A. C. and Durbin, J. (1986). The effects of seat belt legislation on British road
    casualties: a case study in structural time series modelling. Journal of the Royal Statistical
    Society A 149, 187-227. doi:10.2307/2981553
    """
    constant = (X[0] == X).all(axis=0)
    Q, R = _orthonormal(X[:, ~constant])
    size = _residual_size(y, X)
    model = UnobservedComponents(
        y / size, level="llevel", exog=Q, mle_regression=False, use_exact_diffuse=True
    )
    fit = _best_of_starts(
        partial(_fit_state_space, model),
        [np.array([0.9, 0.01]), np.array([0.1, 0.5])],  # variances of the noise and of the level
    )
    back = np.linalg.inv(R) * size
    k = X.shape[1]
    estimate, covariance = np.full(k, np.nan), np.full((k, k), np.nan)
    estimate[~constant] = back @ fit.smoothed_state[1:, -1]
    block = back @ fit.smoothed_state_cov[1:, 1:, -1] @ back.T
    covariance[np.ix_(~constant, ~constant)] = block
    noise, level = fit.params
    return Coefficients(estimate, covariance, note=f"level / noise variance {level / noise:.2g}")


def _fit_poisson(deaths: np.ndarray, X: np.ndarray, exposure: np.ndarray | None) -> Any:
    if not np.any(deaths):
        raise EstimatorError("no maximum: there are no deaths at all")
    model = GLM(deaths, X, family=Poisson(), exposure=exposure)
    fit = _quietly(lambda: model.fit(scale="X2", maxiter=200))
    information = X.T @ (fit.mu[:, None] * X)
    size = np.sqrt(np.diag(information))
    values = np.linalg.eigvalsh(information / np.outer(size, size)) if size.min() > 0 else [0.0]
    if values[0] < NOT_IDENTIFIED or fit.mu.min() < 1e-6:
        raise EstimatorError("no maximum: some periods have no deaths and a term fits them exactly")
    if (np.abs(X.T @ (deaths - fit.mu)) > FLAT * size).any():
        raise EstimatorError("the likelihood still rises where the optimiser stopped")
    return fit


def _fit_state_space(model: Any, start: np.ndarray) -> Any:
    return model.fit(start, maxiter=500, disp=0, cov_type="none")


def _best_of_starts(fit: Callable[[np.ndarray], Any], starts: Sequence[np.ndarray]) -> Any:
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
        found = _quietly(lambda: fit(start))
    except (np.linalg.LinAlgError, ValueError, FloatingPointError):
        return None
    usable = np.isfinite(found.llf) and np.isfinite(np.asarray(found.params)).all()
    return found if usable else None


def _quietly(action: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they would say is checked by `_best_of_starts`
        return action()


def _orthonormal(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    Q, R = np.linalg.qr(X)
    return Q * np.sqrt(len(X)), R / np.sqrt(len(X))


def _residual_size(y: np.ndarray, X: np.ndarray) -> float:
    return float(np.std(y - X @ np.linalg.lstsq(X, y, rcond=None)[0]))
