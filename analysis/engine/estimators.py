"""The textbook estimators of a segmented regression, all but Poisson's fitted by statsmodels.

Every function takes an outcome (n,) and a design (n, k) and returns `Coefficients`, or raises an
`EstimatorError` that says why the model has no answer for these data.
"""

from typing import Annotated, Any

import numpy as np
from scipy.special import digamma, stdtr, xlogy, zeta

from analysis.arguments import Count, checked, whole
from analysis.checks import Array, check_regression, check_whole, require, unit_size
from analysis.engine import optimise
from analysis.engine.optimise import Coefficients, EstimatorError

SETTLED = 1e-10  # change of rho from one iteration to the next
EXACT_COUNTS = 1e-18  # residual over total sum of squares of counts: fitted to all digits
MOST_STEPS = 200  # of a Poisson regression
FLAT = 1e-4  # score, in standard errors, at a maximum of the likelihood
NOT_IDENTIFIED = 1e-10  # reciprocal condition number of the information matrix


def newey_west_lags(n: int) -> int:
    """Return the usual number of lags, floor(4 (n / 100)^(2/9))."""
    return int(4 * (n / 100) ** (2 / 9))


@checked
def fit_newey_west(
    y: Array, X: Array, *, lags: Annotated[int, whole(0)] | None = None
) -> Coefficients:
    """Fit by ordinary least squares with Newey-West errors, n / (n - k) correction, Student t.

    Parameters
    ----------
    y, X : array, shapes (n,) and (n, k)
        Outcome and design; of pandas, rows are matched by label.
    lags : int, optional
        Default floor(4 (n / 100)^(2/9)).

    Returns
    -------
    Coefficients
        With n - k degrees of freedom; an EstimatorError if nothing varies about the fit.

    References
    ----------
    Newey and West (1987), Econometrica 55, 703-708, doi:10.2307/1913610
    """
    from statsmodels.regression.linear_model import OLS

    y, X, _ = check_regression(y, X)
    lags = newey_west_lags(len(y)) if lags is None else check_whole(lags, "lags", 0, len(y) - 1)
    settings = {"maxlags": lags, "use_correction": True}
    residual, Q, back = optimise.at_unit_scale(y, X)
    fit = OLS(residual, Q).fit(cov_type="HAC", cov_kwds=settings, use_t=True)
    return Coefficients(*back(fit.params, fit.cov_params()), fit.df_resid, f"{lags} lags")


def newey_west_many(outcomes: Array, X: Array, *, gone: int = 0) -> tuple[Array, Array]:
    """Return the first coefficient and its p as `fit_newey_west` has them, of outcomes (n, N).

    `gone`: columns that were taken out of both beforehand, by `gls.take_out`.
    """
    first = np.eye(1, X.shape[1])
    estimate, se = (found[0] for found in newey_west_contrasts(outcomes, X, first, gone=gone))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(estimate) / se
    return estimate, 2 * stdtr(len(X) - X.shape[1] - gone, -ratio)


def newey_west_contrasts(y: Array, X: Array, C: Array, *, gone: int = 0) -> tuple[Array, Array]:
    """Return contrasts `C` (m, k) and their standard errors, each (m, N), of outcomes (n, N)."""
    n, df, inverse = len(X), len(X) - X.shape[1] - gone, np.linalg.pinv(X)
    lags = newey_west_lags(n)
    coefficients = inverse @ y
    scores = (C @ inverse)[..., None] * (y - X @ coefficients)
    variance = np.einsum("mij,mij->mj", scores, scores)
    for lag in range(1, lags + 1):
        product = np.einsum("mij,mij->mj", scores[:, lag:], scores[:, :-lag])
        variance += 2 * (1 - lag / (lags + 1)) * product
    return C @ coefficients, np.sqrt(variance * n / df)


@checked
def fit_prais_winsten(y: Array, X: Array, *, iterations: Count = 1000) -> Coefficients:
    """Fit by feasible generalised least squares with AR(1) errors, iterated until rho settles.

    As Stata's ``prais``: the first period is kept; rho is the residuals' slope on those before.

    Parameters
    ----------
    y, X : array, shapes (n,) and (n, k)
        Outcome and design; of pandas, rows are matched by label.
    iterations : int
        The most that are tried.

    Returns
    -------
    Coefficients
        With Student t, n - k degrees of freedom; the note has rho. An EstimatorError if it does not
        settle inside (-1, 1).

    References
    ----------
    Prais and Winsten (1954), Cowles Commission Discussion Paper, Statistics 383
    """
    from statsmodels.regression.linear_model import OLS

    y, X, _ = check_regression(y, X)
    residual, Q, back = optimise.at_unit_scale(y, X)
    both, rho = np.column_stack([residual, Q]), 0.0
    for _ in range(iterations):
        white = np.concatenate([np.sqrt(1 - rho**2) * both[:1], both[1:] - rho * both[:-1]])
        fit, before = OLS(white[:, 0], white[:, 1:]).fit(), rho
        left = residual - Q @ fit.params
        rho = float(left[1:] @ left[:-1] / (left[:-1] @ left[:-1]))
        require(abs(rho) < 1, f"rho = {rho:.3f} is not stationary", EstimatorError)
        if abs(rho - before) < SETTLED:
            note = f"rho = {rho:.2f}; first period kept"
            return Coefficients(*back(fit.params, fit.cov_params()), fit.df_resid, note)
    raise EstimatorError(f"rho has not settled after {iterations} iterations")


@checked
def fit_quasi_poisson(deaths: Array, X: Array, *, exposure: Array | None = None) -> Coefficients:
    """Fit a log-linear model of counts whose variance is proportional to the mean, normal errors.

    Parameters
    ----------
    deaths, X : array, shapes (n,) and (n, k)
        Counts and design; of pandas, rows are matched by label, the exposure's too.
    exposure : array, shape (n,), optional
        Its log is the offset; default 1.

    Returns
    -------
    Coefficients
        On the log scale, with the `dispersion`; an EstimatorError if the likelihood has no maximum.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, doi:10.1007/978-1-4899-3242-6
    """
    deaths, X, exposure = check_regression(deaths, X, exposure, counts=True)
    X, sizes = unit_size(X, axis=0)
    params, covariance, _, dispersion = (x[..., 0] for x in fit_poissons(deaths, X, exposure))
    found = optimise.in_units(params, dispersion * covariance, -sizes[0])
    note = f"dispersion {dispersion:.2f}"
    return Coefficients(*found, note=note, dispersion=float(dispersion))


@checked
def fit_negative_binomial(
    deaths: Array, X: Array, *, exposure: Array | None = None
) -> Coefficients:
    """Fit a log-linear model of counts with variance mean + alpha mean^2.

    Standard errors are from the observed information of all parameters (R's ``glm.nb``: expected).

    Parameters
    ----------
    deaths, X, exposure
        As in `fit_quasi_poisson`.

    Returns
    -------
    Coefficients
        On the log scale; the note has alpha. An EstimatorError if they vary no more than Poisson's.

    References
    ----------
    Cameron and Trivedi (1986), Journal of Applied Econometrics 1, 29-53, doi:10.1002/jae.3950010104
    """
    from statsmodels.discrete.discrete_model import NegativeBinomial

    deaths, X, exposure = check_regression(deaths, X, exposure, counts=True)
    X, sizes = unit_size(X, axis=0)
    params, _, mu, dispersion = (x[..., 0] for x in fit_poissons(deaths, X, exposure))
    moment = ((deaths - mu) ** 2 - mu).sum() / (mu**2).sum()
    no_more = f"counts vary no more than Poisson counts do (dispersion {dispersion:.2f})"
    require(bool(dispersion > 1 and moment > 0), no_more, EstimatorError)
    model = NegativeBinomial(deaths, X, exposure=exposure)
    model.hessian = lambda at: _bend(model, at)  # as its own, which sums each entry for itself
    starts = [np.append(params, alpha) for alpha in (moment / 3, moment / 30)]
    # Newton's steps from below: from above the maximum they run away
    options = {"method": "newton", "tol": 1e-12, "maxiter": 100, "disp": 0}
    fit = optimise.best_of_starts(lambda start: model.fit(start, **options), starts)
    both = optimise.in_units(fit.params[:-1], fit.cov_params()[:-1, :-1], -sizes[0])
    return Coefficients(*both, note=f"alpha = {fit.params[-1]:.3g}")


def _bend(model: Any, params: Array) -> Array:
    """Return the second derivatives of the log-likelihood of a negative binomial regression."""
    y, X, mu, a = model.endog, model.exog, model.predict(params[:-1]), 1 / params[-1]
    left, total = y - mu, a + mu
    along = -(a**2) * (mu * left / total**2) @ X
    slope = digamma(a + y) - digamma(a) - np.log1p(mu / a) - left / total
    curve = zeta(2, a + y) - zeta(2, a) + 1 / a - 1 / total + left / total**2
    own = (2 * a**3 * slope + a**4 * curve).sum()
    return np.block([[-(X.T * (a * mu * (a + y) / total**2)) @ X, along[:, None]], [along, own]])


def fit_poissons(deaths: Array, X: Array, exposure: Array | None) -> tuple[Array, ...]:
    """Fit Poisson regressions to counts and exposures (n, N) of one design that were checked.

    Returns coefficients (k, N) and their covariance by the counts' own variance (k, k, N), what is
    expected (n, N) and the dispersion (N,); an EstimatorError if a likelihood has no maximum.
    """
    deaths = deaths.reshape(len(X), -1)
    none = not deaths.any(axis=0).all()
    require(not none, "no maximum: there are no deaths at all", EstimatorError)
    exposure = np.ones(deaths.shape) if exposure is None else exposure.reshape(deaths.shape)
    (Q, R), moving = np.linalg.qr(X), np.ones(deaths.shape[1], dtype=bool)
    b, spread = np.zeros((len(R), len(moving))), np.zeros((len(moving), *R.shape))
    with np.errstate(all="ignore"):  # what is no maximum is found at the end
        mu, before = (deaths + deaths.mean(axis=0)) / 2, np.inf
        line, last = np.log(mu / exposure), _dispersion(deaths, mu, X)
        # the steps and the end of statsmodels' GLM: a deviance over the dispersion a step before
        for _ in range(MOST_STEPS + 1):
            deviance = 2 * (xlogy(deaths, deaths / mu) - deaths + mu).sum(axis=0) / last
            moving &= ~(np.abs(before - deviance) <= 1e-8)
            if not moving.any():
                break
            before, last = deviance, _dispersion(deaths, mu, X)
            weighted = mu.T[moving][..., None] * Q
            moments = weighted.transpose(0, 2, 1) @ (line + deaths / mu - 1).T[moving][..., None]
            try:
                spread[moving] = np.linalg.inv(Q.T @ weighted)
            except np.linalg.LinAlgError:
                break
            b[:, moving] = (spread[moving] @ moments)[..., 0].T
            line = Q @ b
            mu = exposure * np.exp(line)
    mu = np.where(mu / deaths.max(axis=0) < 1e10, mu, 0)  # elsewhere the steps have run away
    for own, mean in zip(deaths.T, mu.T, strict=True):
        _check_maximum(own, X, mean)
    back = np.linalg.inv(R)
    return back @ b, (back @ spread @ back.T).transpose(1, 2, 0), mu, _dispersion(deaths, mu, X)


def _dispersion(deaths: Array, mu: Array, X: Array) -> Array:
    """Return Pearson's chi-squared per degree of freedom, (N,)."""
    return (((deaths - mu) / np.sqrt(mu)) ** 2).sum(axis=0) / (len(X) - X.shape[1])


def _check_maximum(deaths: Array, X: Array, mu: Array) -> None:
    """Raise an EstimatorError unless expected counts are those at the maximum of the likelihood."""
    unit = deaths.max()  # the squares of huge counts are no numbers
    varies = (((deaths - mu) / unit) ** 2).sum() > EXACT_COUNTS * ((deaths / unit) ** 2).sum()
    require(bool(varies), optimise.NO_VARIATION, EstimatorError)
    information = X.T @ (mu[:, None] * X)
    size = np.sqrt(np.diag(information))
    values = np.linalg.eigvalsh(information / np.outer(size, size)) if size.min() > 0 else [0.0]
    if values[0] < NOT_IDENTIFIED or mu.min() < 1e-6:
        raise EstimatorError("no maximum: some periods have no deaths and a term fits them exactly")
    rises = bool((np.abs(X.T @ (deaths - mu)) > FLAT * size).any())
    require(not rises, "the likelihood still rises where the optimiser stopped", EstimatorError)
