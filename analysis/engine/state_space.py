"""Regression with ARIMA errors, and on a level that wanders, as in `analysis.engine.estimators`."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Annotated, Any

import numpy as np

from analysis.arguments import checked
from analysis.checks import Array, check_regression, is_whole, require, shown
from analysis.engine import optimise
from analysis.engine.optimise import Coefficients, EstimatorError

ARMA_ORDERS = ((1, 0, 0), (2, 0, 0), (1, 0, 1))
MOST = 2_400  # observations of a wandering level: time grows with their cube
PILED_UP = 0.95  # moving average beyond which a likelihood's edge passes for its top


def _read_orders(value: Any, name: str, length: int) -> tuple[int, ...]:
    """Read so many orders, for an annotation."""
    sizes = tuple(value) if isinstance(value, Sequence | np.ndarray) else ()
    limits = zip(sizes, (12, 12, 12, 60), strict=False)  # the last: periods in a season
    whole = len(sizes) == length and all(is_whole(x) and 0 <= x <= most for x, most in limits)
    wanted = f"{length} whole numbers from 0 to 12, such as {(1, 0, 0, 12)[-length:]}"
    require(whole, f"{name} must be {wanted}; found {shown(value)}")
    return tuple(int(part) for part in sizes)


@checked
def fit_arima(
    y: Array,
    X: Array,
    *,
    order: Annotated[tuple, partial(_read_orders, length=3)] | None = None,
    seasonal_order: Annotated[tuple, partial(_read_orders, length=4)] = (0, 0, 0, 0),
) -> Coefficients:
    """Fit a regression with ARIMA errors by maximum likelihood, from two starts.

    Differences are taken first, and residuals of least squares and orthonormal columns made of
    them: with raw counters the optimiser stops where it started and reports convergence.

    Parameters
    ----------
    y, X : array, shapes (n,) and (n, k)
        Outcome and design, of pandas matched by label. With differencing the design must hold
        nothing that it takes out.
    order, seasonal_order : tuple
        (p, d, q) and (P, D, Q, s). By default the ARMA(1,0), (2,0) or (1,1) of least AICc.

    Returns
    -------
    Coefficients
        Those of the design, with the normal reference; the note names the order. An EstimatorError
        if no order has an answer.

    References
    ----------
    Box and Tiao (1975), JASA 70, 70-79, doi:10.1080/01621459.1975.10480264
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    y, X, _ = check_regression(y, X)
    residual, Q, back = optimise.at_unit_scale(*_difference(y, X, order, seasonal_order))
    seasonal, k = (seasonal_order[0], 0, *seasonal_order[2:]), X.shape[1]
    fits, failures = {}, []
    for tried in [order] if order else ARMA_ORDERS:
        model = SARIMAX(residual, Q, order=(tried[0], 0, tried[2]), seasonal_order=seasonal)
        near = optimise.quietly(partial(getattr, model, "start_params"))
        far = np.append(np.zeros(len(near) - 1), 1.0)  # least squares, at unit scale
        model.hessian = partial(_hessian, model)
        try:
            fit = optimise.best_of_starts(partial(_climb, model), [near, far])
            if order is None and np.abs(fit.maparams).max(initial=0) >= PILED_UP:
                raise EstimatorError(f"ARMA{tried}: the moving average is not invertible")
            fits[tried] = fit
        except EstimatorError as error:
            failures.append(error)
    if not fits:
        raise failures[0]
    chosen, fit = min(fits.items(), key=lambda item: item[1].aicc)
    fit = optimise.polish(fit.model, fit)
    covariance = optimise.quietly(lambda: np.asarray(fit.cov_params_approx))[:k, :k]
    note = f"ARIMA{chosen}" + (f"{seasonal_order}" if any(seasonal_order) else "")
    return Coefficients(*back(fit.params[:k], covariance), note=note.replace(" ", ""))


def _climb(model: Any, start: Array) -> Any:
    """Return the fit at the top of the likelihood that is reached from `start`."""
    # coefficients and variance have closed forms: only the errors' parameters are searched for
    from scipy.optimize import minimize

    k, free = model.k_exog, model.untransform_params(start)

    def complete(errors: Array) -> tuple[float, Array]:
        params = model.transform_params(np.concatenate([free[:k], errors, free[-1:]]))
        log_det, products = _weigh(model, params)
        b = np.linalg.solve(products[:k, :k], products[:k, k])
        variance = (products[k, k] - products[k, :k] @ b) / model.nobs
        return model.nobs * np.log(variance) + log_det, np.r_[b, params[k:-1], variance]

    errors = free[k:-1]
    if len(errors):  # as near to the optimum as the choice of an order asks
        search: Any = minimize
        errors = search(lambda x: complete(x)[0], errors, method="BFGS", tol=1e-2).x
    return model.filter(complete(errors)[1], cov_type="none")


def _weigh(model: Any, params: Array) -> tuple[Any, Array]:
    """Return log |Sigma| and [X y]' Sigma^-1 [X y], X the design, of an ARMA's errors."""
    from scipy.signal import lfilter

    model.update(params)
    transition, selection = model.ssm["transition"], model.ssm["selection"]
    n, m = len(model.endog), len(transition)
    ar, ma, zeros = np.append(1.0, -transition[:, 0]), selection[:, 0], np.zeros((m, n))
    # less what the state before the first period, of variance `before`, does to all of them
    step, power = transition @ selection, transition
    before = step @ step.T
    while np.abs(power).max() > 1e-18 and abs(before[0, 0]) < 1e18:  # of twice as many steps
        before, power = before + power @ before @ power.T, power @ power
    faded = lfilter(ar, ma, lfilter(np.append(ma, 0.0), ar, zeros, zi=np.eye(m))[0])
    white = lfilter(ar, ma, np.hstack([model.exog, model.endog]), axis=0)
    size, seen = np.eye(m) + before @ (faded @ faded.T), faded @ white
    inner = white.T @ white - seen.T @ np.linalg.solve(size, before @ seen)
    sign, log_det = np.linalg.slogdet(size)
    return log_det + np.log(sign), inner


def _hessian(model: Any, params: Array, **_: Any) -> Array:
    """Return what the model's own method does, weighing once for all coefficients."""
    from statsmodels.tools.numdiff import approx_hess_cs

    k, weigh = model.k_exog, cache(lambda *x: _weigh(model, np.r_[params[:k], x, params[-1]]))

    def log_likelihood(x: Array) -> Any:
        (log_det, products), left = weigh(*x[k:-1]), np.append(-x[:k], 1.0)
        return -0.5 * (model.nobs * np.log(x[-1]) + log_det + left @ products @ left / x[-1])

    return approx_hess_cs(params, log_likelihood) / model.nobs


@checked
def fit_structural(y: Array, X: Array) -> Coefficients:
    """Fit a random-walk level plus noise, with the design as regressors; its constant is the level.

    By generalised least squares; the share of the level's steps in the variance is where the
    restricted likelihood is highest, from 0 (noise alone) to 1 (a random walk).

    Parameters
    ----------
    y, X : array, shapes (n,) and (n, k)
        Outcome and design; of pandas, rows are matched by label.

    Returns
    -------
    Coefficients
        With the normal reference, and missing for the constant; the note tells how the variance of
        the level's steps compares with the noise's. An EstimatorError if nothing varies.

    References
    ----------
    Harvey and Durbin (1986), JRSS A 149, 187-227, doi:10.2307/2981553
    """
    from statsmodels.regression.linear_model import OLS

    y, X, _ = check_regression(y, X)
    k, varies = X.shape[1], (X[0] != X).any(axis=0)
    y, Z, _ = check_regression(y, np.column_stack([np.ones(len(y)), X[:, varies]]))
    if len(y) > MOST:
        many = f"{len(y):,} observations are too many for a level that wanders: at most {MOST:,}"
        raise EstimatorError(f"{many} can be fitted. Use longer periods, or a part.")
    residual, Q, back = optimise.at_unit_scale(y, Z)
    covariance, ratio = _likeliest(residual, Q)
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), np.column_stack([residual, Q]))
    fit = OLS(whitened[:, 0], whitened[:, 1:]).fit()
    estimate, covariance = np.full(k, np.nan), np.full((k, k), np.nan)
    with_level, block = back(fit.params, fit.cov_params())
    estimate[varies], covariance[np.ix_(varies, varies)] = with_level[1:], block[1:, 1:]
    return Coefficients(estimate, covariance, note=f"level / noise variance {ratio:.2g}")


def _likeliest(residual: Array, Q: Array) -> tuple[Array, float]:
    """Return (1 - s) I + s walk (n, n) at the top of the restricted likelihood, and s / (1 - s)."""
    (n, k), complement = Q.shape, np.linalg.qr(Q, mode="complete")[0][:, Q.shape[1] :]
    walk = 1.0 + np.minimum.outer(np.arange(n), np.arange(n))
    # without the design (n, k), on the walk's axes, errors have variances 1 + s (spread - 1)
    spread, axes = np.linalg.eigh(complement.T @ walk @ complement)
    squares = ((complement @ axes).T @ residual) ** 2

    def profile(share: float | Array) -> tuple[Any, Any]:
        """Twice the log-likelihood and its slope."""
        variance = 1 + np.multiply.outer(share, spread - 1)
        slope, weighted = (spread - 1) / variance, squares / variance
        rss = weighted.sum(axis=-1)
        height = -(n - k) * np.log(rss) - np.log(variance).sum(axis=-1)
        return height, (n - k) * (weighted * slope).sum(axis=-1) / rss - slope.sum(axis=-1)

    shares = np.r_[0, 1 / (1 + np.geomspace(1e4 * spread[-1], 1e-4 * spread[0], 200)), 1]
    height, slope = profile(shares)
    top = int(height.argmax())
    low, high = max(top - 1, 0), min(top + 1, len(shares) - 1)
    share = shares[top]
    if slope[low] > 0 > slope[high]:  # else at an edge: noise alone, or a random walk
        from scipy.optimize import brentq

        share = brentq(lambda share: profile(share)[1], shares[low], shares[high], xtol=1e-15)
    covariance = (1 - share) * np.eye(n) + share * walk
    return covariance, share / (1 - share) if share < 1 else np.inf


def _difference(y: Array, X: Array, order: Any, seasonal: tuple) -> tuple[Array, Array]:
    from statsmodels.tsa.statespace.tools import diff

    times = order[1] if order else 0, seasonal[1], seasonal[3] or 1
    changes = diff(X, *times)
    gone = np.abs(changes).max(axis=0, initial=0) <= 1e-10 * np.abs(X).max(axis=0)
    which = f"column {gone.argmax()} away: leave that column of the design out"
    require(not gone.any(), f"differencing takes {which}")
    return check_regression(diff(y, *times), changes)[:2]
