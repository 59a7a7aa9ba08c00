from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.signal import lfilter
from statsmodels.discrete.discrete_model import NegativeBinomial
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.statespace.structural import UnobservedComponents
from support.folders import REFERENCE
from support.independent import segmented_design, simulate_ar1, whitening_matrix
from support.sweeps import sweep

from analysis import fit_negative_binomial, fit_quasi_poisson
from analysis.engine.estimators import (
    _bend,
    fit_newey_west,
    fit_poissons,
    fit_prais_winsten,
    newey_west_lags,
)
from analysis.engine.optimise import EstimatorError
from analysis.engine.state_space import _climb, _hessian, _weigh, fit_arima, fit_structural

LINEAR = [fit_newey_west, fit_prais_winsten, fit_arima, fit_structural]
FEWER = 0, 2, 3, 5, 9, 11  # of three sizes the outer ones, and of the slow ARIMA none
TRUTH = [3.0, 0.1, -0.4, 0.2]


def simulated(n=100, rho=0.5, seed=1):
    X = segmented_design(n, n // 2)
    return X @ TRUTH + simulate_ar1(np.random.default_rng(seed), n, rho)[:, 0], X


def whole_months(n):
    """Noise of ten binary digits and a counter of months: level and line are added without loss."""
    noise = np.round(1024 * simulate_ar1(np.random.default_rng(5), n, 0.5)[:, 0]) / 1024
    return noise, np.round(segmented_design(n, n // 2) * [1, 12, 1, 12])


def errors(fit):
    return np.sqrt(np.diag(fit.covariance))


def newey_west_by_hand(y, X, lags):
    """Bartlett weights 1 - j / (lags + 1), and n / (n - k)."""
    (n, k), inverse = X.shape, np.linalg.inv(X.T @ X)
    b = inverse @ X.T @ y
    scores = X * (y - X @ b)[:, None]
    middle = scores.T @ scores
    for j in range(1, lags + 1):
        part = scores[j:].T @ scores[:-j]
        middle += (1 - j / (lags + 1)) * (part + part.T)
    return b, n / (n - k) * inverse @ middle @ inverse


@pytest.mark.parametrize("lags", [None, 0, 7])
def test_newey_west_is_the_textbook_sum(lags):
    y, X = simulated()
    found = fit_newey_west(y, X, lags=lags)
    b, covariance = newey_west_by_hand(y, X, 4 if lags is None else lags)
    np.testing.assert_allclose(found.estimate, b, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8)
    assert found.df == 96


@pytest.mark.parametrize(("n", "lags"), [(48, 3), (100, 4), (143, 4), (156, 4), (1000, 6)])
def test_lags_follow_the_usual_rule(n, lags):
    assert newey_west_lags(n) == lags


def test_prais_winsten_satisfies_its_own_two_equations():
    y, X = simulated(rho=0.6)
    found = fit_prais_winsten(y, X)
    residual = y - X @ found.estimate
    rho = residual[1:] @ residual[:-1] / (residual[:-1] @ residual[:-1])
    assert found.note == f"rho = {rho:.2f}; first period kept"
    W = whitening_matrix(100, rho)
    b, rss = np.linalg.lstsq(W @ X, W @ y, rcond=None)[:2]
    np.testing.assert_allclose(found.estimate, b, rtol=1e-8)
    covariance = rss / 96 * np.linalg.inv(X.T @ W.T @ W @ X)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8)
    assert found.df == 96


def test_prais_winsten_of_proposition_99_is_the_printed_one():
    """Linden (2015), doi:10.1177/1536867X1501500208: California's sales, the tax of 1989."""
    table = pd.read_csv(REFERENCE / "smoking.csv", index_col="state")
    sales = table.loc["California", "1970":"2000"]
    found = fit_prais_winsten(sales, segmented_design(31, 19, per_year=1))
    printed = [[-6.084, -1.994], [2.725, 0.950]]
    np.testing.assert_array_equal(np.round([found.estimate, errors(found)], 3)[:, 2:], printed)


def test_errors_that_explode_have_no_prais_winsten():
    with pytest.raises(EstimatorError, match=r"rho = 1\.\d+ is not stationary"):
        fit_prais_winsten(1.1 ** np.arange(60.0), np.ones((60, 1)))


@pytest.mark.parametrize("fit", sweep(LINEAR, 0, 1, 3))
def test_noise_adds_no_bias_and_the_truth_is_inside_wide_intervals(fit):
    found = fit(*simulated(n=240, rho=0.3))
    assert (np.abs(found.estimate - TRUTH)[1:] < 4 * errors(found)[1:]).all()
    assert (errors(found)[1:] > 0).all()


@pytest.mark.parametrize(("fit", "size"), sweep(product(LINEAR, (1e-12, 1e-3, 1e12)), *FEWER))
def test_unit_of_the_outcome_changes_nothing_but_the_unit(fit, size):
    y, X = simulated()
    small, large = fit(y, X), fit(size * y, X)
    assert (np.abs(large.estimate / size - small.estimate)[1:] < 1e-6 * errors(small)[1:]).all()
    np.testing.assert_allclose(errors(large)[1:] / size, errors(small)[1:], rtol=1e-6)


ADDED = (2**38, 0), (2**-38, 0), (0, 2**28), (1e7, -1e6)  # a constant and a line


@pytest.mark.parametrize(("fit", "added"), sweep(product(LINEAR, ADDED), 0, 2, 4, 6, 12, 14))
@pytest.mark.parametrize("n", [24, pytest.param(96, marks=pytest.mark.slow)])
def test_constant_and_line_added_to_the_outcome_move_no_effect(fit, added, n):
    constant, line = added
    y, X = whole_months(n)
    plain, moved = fit(y, X), fit(y + constant + line * X[:, 1], X)
    apart = np.abs(moved.estimate - plain.estimate)[2:]
    assert (apart < 1e-6 * errors(plain)[2:]).all()
    np.testing.assert_allclose(errors(moved)[2:], errors(plain)[2:], rtol=1e-6)


@pytest.mark.parametrize(
    "seasonal", [(0, 0, 0, 0), pytest.param((0, 1, 1, 12), marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("constant", "size"), sweep([(2**38, 1), (0, 1e-12), (0, 1e12)], 0, 2))
def test_differenced_arima_knows_nothing_of_level_and_unit(seasonal, constant, size):
    y, X = whole_months(96)
    plain, moved = (
        fit_arima(outcome, X[:, 2:], order=(0, 1, 1), seasonal_order=seasonal)
        for outcome in (y, size * (y + constant + seasonal[1] * 2.0**20 * (np.arange(96) % 12)))
    )
    assert (np.abs(moved.estimate / size - plain.estimate) < 1e-6 * errors(plain)).all()
    np.testing.assert_allclose(errors(moved) / size, errors(plain), rtol=1e-6)


def test_column_that_differencing_takes_out_is_named():
    y, X = simulated()
    with pytest.raises(ValueError, match="column 1 away: leave that column of the design out"):
        fit_arima(y, X[:, [2, 1]], order=(0, 1, 1), seasonal_order=(0, 1, 1, 12))


@pytest.mark.parametrize("fit", sweep(LINEAR, 0, 1, 3))
def test_raw_counter_of_months_changes_nothing_but_the_unit(fit):
    """SARIMAX as it comes stops at the OLS value on such a design and reports convergence."""
    y, X = simulated()
    unit = [1, 12_000, 1, 12_000]
    found, plain = fit(y, X * unit), fit(y, X)
    apart = np.abs(found.estimate * unit - plain.estimate)
    assert (apart[1:] < 1e-6 * errors(plain)[1:]).all()


def test_counts_grow_with_exposure():
    rng = np.random.default_rng(2)
    X = segmented_design(120, 60)
    exposure = rng.uniform(5, 10, 120)
    truth = [3.0, 0.02, 0.3, -0.1]
    mean = exposure * np.exp(X @ truth)
    deaths = rng.negative_binomial(20, 20 / (20 + mean)).astype(float)
    for fit in (fit_quasi_poisson, fit_negative_binomial):
        found = fit(deaths, X, exposure=exposure)
        assert (np.abs(found.estimate - truth) < 4 * errors(found)).all()
        half = fit(deaths, X, exposure=exposure / 2)
        np.testing.assert_allclose(half.estimate[1:], found.estimate[1:], atol=1e-5)
        assert half.estimate[0] - found.estimate[0] == pytest.approx(np.log(2), abs=1e-5)


def test_poisson_regressions_at_once_are_each_one_of_statsmodels():
    rng, X = np.random.default_rng(7), segmented_design(120, 60)
    exposure = rng.uniform(5, 10, (120, 3))
    mean = exposure * np.exp(X @ TRUTH)[:, None] * [1e-3, 0.1, 1]
    deaths = rng.negative_binomial(20, 20 / (20 + mean)).astype(float)
    params, covariance, mu, dispersion = fit_poissons(deaths, X, exposure)
    for place in range(3):
        own, size = deaths[:, place], exposure[:, place]
        fit = GLM(own, X, family=Poisson(), exposure=size).fit(scale="X2")
        np.testing.assert_allclose(params[:, place], fit.params, rtol=1e-10)
        np.testing.assert_allclose(
            dispersion[place] * covariance[..., place], fit.cov_params(), rtol=1e-9
        )
        np.testing.assert_allclose(mu[:, place], fit.mu, rtol=1e-10)


def test_alpha_of_the_negative_binomial_is_the_simulated_one():
    deaths = np.random.default_rng(3).negative_binomial(4, 4 / (4 + 50), 4000).astype(float)
    note = fit_negative_binomial(deaths, np.ones((4000, 1))).note
    assert float(note.split()[-1]) == pytest.approx(0.25, abs=0.03)


def test_curvature_of_the_negative_binomial_is_statsmodels_own():
    rng, X = np.random.default_rng(2), segmented_design(60, 30)
    model = NegativeBinomial(rng.poisson(np.exp(X @ TRUTH)), X, exposure=rng.uniform(5, 10, 60))
    model._transparams = False  # as where it fits by Newton's method
    params = np.append(TRUTH, 0.2)
    np.testing.assert_allclose(_bend(model, params), model.hessian(params), rtol=1e-9)


def test_counts_that_vary_less_than_poisson_have_no_negative_binomial():
    message = r"vary no more than Poisson counts do \(dispersion 0.0"
    with pytest.raises(EstimatorError, match=message):
        fit_negative_binomial(np.tile([99.0, 100, 101], 20), np.ones((60, 1)))


@pytest.mark.parametrize("fit", [fit_quasi_poisson, fit_negative_binomial])
def test_separated_counts_have_no_maximum(fit):
    deaths = np.r_[np.zeros(30), np.random.default_rng(4).poisson(20, 30)].astype(float)
    with pytest.raises(EstimatorError, match="no maximum"):
        fit(deaths, segmented_design(60, 30))


def test_rho_that_has_not_settled_is_no_answer():
    with pytest.raises(EstimatorError, match="rho has not settled after 2 iterations"):
        fit_prais_winsten(*simulated(), iterations=2)


def test_order_of_least_aicc_is_taken():
    noise = np.random.default_rng(6).standard_normal(400)
    noise[:2] = 0
    y, X = lfilter([1], [1, -0.3, -0.5], noise), segmented_design(400, 200)
    assert fit_arima(y, X).note == "ARIMA(2,0,0)"
    assert fit_arima(y, X, order=(1, 0, 0)).note == "ARIMA(1,0,0)"


def arma_model(order, seasonal):
    rng = np.random.default_rng(3)
    y, X = simulate_ar1(rng, 80, 0.6)[:, 0], rng.standard_normal((80, 3))
    return SARIMAX(y, X, order=order, seasonal_order=seasonal)


@pytest.mark.parametrize(
    ("order", "seasonal"),
    [((1, 0, 1), (0, 0, 0, 0)), ((0, 0, 2), (0, 0, 0, 0)), ((2, 0, 1), (1, 0, 1, 4))],
)
def test_likelihood_of_arma_errors_is_statsmodels_own(order, seasonal):
    model = arma_model(order, seasonal)
    errors = [0.5, -0.3, 0.4, 0.3, -0.2][: len(model.start_params) - 4]
    params = np.array([0.7, -1.0, 2.0, *errors, 1.3])
    log_det, products = _weigh(model, params)
    left = np.append(-params[:3], 1.0)
    rest = 80 * np.log(2 * np.pi * 1.3) + left @ products @ left / 1.3
    assert -0.5 * (rest + log_det) == pytest.approx(model.loglike(params), rel=1e-10)
    curvature = model.hessian(params)
    scale = np.abs(curvature).max()
    np.testing.assert_allclose(_hessian(model, params), curvature, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("order", [(0, 0, 0), (2, 0, 0), (1, 0, 1)])
def test_search_with_closed_forms_ends_where_that_of_all_parameters_does(order):
    model = arma_model(order, (0, 0, 0, 0))
    full = model.fit(model.start_params, disp=0, maxiter=500)
    found = _climb(model, model.start_params)
    assert found.llf == pytest.approx(full.llf, abs=1e-4)
    np.testing.assert_allclose(found.params, full.params, rtol=0, atol=2e-2 * full.bse.max())


def test_level_that_wanders_is_told_from_noise():
    steps, noise = np.random.default_rng(7).standard_normal((2, 200))
    notes = [fit_structural(y, segmented_design(200, 100)).note for y in (steps.cumsum(), noise)]
    walking, still = (float(note.split()[-1]) for note in notes)
    assert walking > 3
    assert still < 0.05


def test_structural_model_is_the_restricted_likelihood_of_dense_matrices():
    """A random walk plus noise by generalised least squares, the ratio of variances on a grid."""
    n, rng = 90, np.random.default_rng(10)
    X = segmented_design(n, 60)
    y = X @ [1.0, 2, 3, 4] + rng.normal(size=n) + np.cumsum(0.5 * rng.normal(size=n))
    walk = np.minimum.outer(np.arange(n), np.arange(n)).astype(float)

    def restricted(log_ratio):
        factor = np.linalg.cholesky(np.eye(n) + np.exp(log_ratio) * walk)
        Q, R = np.linalg.qr(np.linalg.solve(factor, X))
        z = np.linalg.solve(factor, y)
        rss = z @ z - (Q.T @ z) @ (Q.T @ z)
        size = np.log(np.diag(factor)).sum() + np.log(np.abs(np.diag(R))).sum()
        b, inverse = np.linalg.solve(R, Q.T @ z), np.linalg.inv(R)
        return -(n - 4) / 2 * np.log(rss) - size, b, rss / (n - 4) * inverse @ inverse.T

    best = minimize_scalar(lambda r: -restricted(r)[0], bounds=(-8, 4), options={"xatol": 1e-8})
    _, b, covariance = restricted(best.x)
    found, error = fit_structural(y, X), np.sqrt(np.diag(covariance))[1:]
    assert (np.abs(found.estimate - b)[1:] < 1e-6 * error).all()
    np.testing.assert_allclose(errors(found)[1:], error, rtol=1e-6)


def test_structural_model_is_the_diffuse_kalman_filter_of_statsmodels():
    """Approximately diffuse, and optimised over both variances: equal as far as that goes."""
    y, X = simulated(rho=0.9)
    found, settings = fit_structural(y, X), {"mle_regression": False, "loglikelihood_burn": 0}
    model = UnobservedComponents(y, level="llevel", exog=X[:, 1:], **settings)
    theirs = model.fit([1.0, 1.0], method="bfgs", gtol=1e-8, disp=0, cov_type="none")
    ratio = theirs.params[1] / theirs.params[0]
    assert float(found.note.split()[-1]) == pytest.approx(ratio, rel=0.05)
    apart = np.abs(theirs.smoothed_state[1:, -1] - found.estimate[1:])
    assert (apart < 1e-4 * errors(found)[1:]).all()
    variances = np.diag(theirs.smoothed_state_cov[1:, 1:, -1])
    np.testing.assert_allclose(np.sqrt(variances), errors(found)[1:], rtol=1e-4)


def equals_least_squares(found, y, X):
    """The last three coefficients, those of level, slope and trend."""
    b, rss = np.linalg.lstsq(X, y, rcond=None)[:2]
    covariance = rss / (len(y) - X.shape[1]) * np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(found.estimate[1:], b[-3:], rtol=1e-7)
    np.testing.assert_allclose(found.covariance[1:, 1:], covariance[-3:, -3:], rtol=1e-7)


def test_level_that_does_not_move_leaves_least_squares():
    y, X = np.random.default_rng(1).standard_normal(60), segmented_design(60, 30)
    found = fit_structural(y, X)
    assert found.note == "level / noise variance 0"
    equals_least_squares(found, y, X)


def test_level_without_noise_leaves_least_squares_of_the_steps():
    steps, X = np.random.default_rng(2).standard_normal(60), segmented_design(60, 30)
    y = np.cumsum(lfilter([1, 0.2], 1, steps))
    found = fit_structural(y, X)
    assert found.note == "level / noise variance inf"
    equals_least_squares(found, np.diff(y), np.diff(X[:, 1:], axis=0))


def test_steps_that_come_to_a_matrix_without_inverse_are_no_maximum():
    X, exposure = np.column_stack([np.ones(5), np.arange(5) >= 2]), np.exp([50, -7, 19, -12, 20])
    with pytest.raises(EstimatorError, match="no maximum"):
        fit_quasi_poisson([0, 0, 0, 0, 2], X, exposure=exposure)
