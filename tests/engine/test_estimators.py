import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from support.folders import REFERENCE
from support.independent import segmented_design, simulate_ar1

from analysis.engine.estimators import (
    fit_negative_binomial,
    fit_newey_west,
    fit_prais_winsten,
    fit_quasi_poisson,
    newey_west_lags,
)
from analysis.engine.optimise import EstimatorError
from analysis.engine.state_space import fit_arima, fit_structural

LINEAR = [fit_newey_west, fit_prais_winsten, fit_arima, fit_structural]


def simulated(n=100, rho=0.5, seed=1):
    X = segmented_design(n, n // 2)
    return X @ [3.0, 0.1, -0.4, 0.2] + simulate_ar1(np.random.default_rng(seed), n, rho)[:, 0], X


def newey_west_by_hand(y, X, lags):
    """Bartlett weights 1 - j / (lags + 1), and n / (n - k)."""
    n, k = X.shape
    inverse = np.linalg.inv(X.T @ X)
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


def test_cochrane_orcutt_satisfies_its_own_two_equations():
    y, X = simulated(rho=0.6)
    found = fit_prais_winsten(y, X)
    rho = float(found.note.split()[2].rstrip(";"))
    residual = y - X @ found.estimate
    assert rho == pytest.approx(residual[1:] @ residual[:-1] / (residual @ residual), abs=0.02)
    exact = np.linalg.lstsq(X[1:] - rho * X[:-1], y[1:] - rho * y[:-1], rcond=None)[0]
    np.testing.assert_allclose(found.estimate, exact, atol=0.02)


@pytest.mark.parametrize("fit", LINEAR)
def test_noise_adds_no_bias_and_the_truth_is_inside_wide_intervals(fit):
    y, X = simulated(n=240, rho=0.3)
    found = fit(y, X)
    error = np.sqrt(np.diag(found.covariance))
    assert (np.abs(found.estimate - [3.0, 0.1, -0.4, 0.2])[1:] < 4 * error[1:]).all()
    assert (error[1:] > 0).all()


@pytest.mark.parametrize("fit", LINEAR)
@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_unit_of_the_outcome_changes_nothing_but_the_unit(fit, size):
    y, X = simulated()
    small, large = fit(y, X), fit(size * y, X)
    error = np.sqrt(np.diag(small.covariance))[1:]
    assert (np.abs(large.estimate / size - small.estimate)[1:] < 2e-3 * error).all()
    np.testing.assert_allclose(np.sqrt(np.diag(large.covariance))[1:] / size, error, rtol=5e-3)


@pytest.mark.parametrize("fit", LINEAR)
def test_raw_counter_of_months_changes_nothing_but_the_unit(fit):
    """SARIMAX as it comes stops at the OLS value on such a design and reports convergence."""
    y, X = simulated()
    stretched = X * [1, 12_000, 1, 12_000]
    found, plain = fit(y, stretched), fit(y, X)
    error = np.sqrt(np.diag(plain.covariance))
    back = found.estimate * [1, 12_000, 1, 12_000]
    assert (np.abs(back - plain.estimate)[1:] < 2e-3 * error[1:]).all()


def test_counts_grow_with_exposure():
    rng = np.random.default_rng(2)
    X = segmented_design(120, 60)
    exposure = rng.uniform(5, 10, 120)
    mean = exposure * np.exp(X @ [3.0, 0.02, 0.3, -0.1])
    deaths = rng.negative_binomial(20, 20 / (20 + mean)).astype(float)
    for fit in (fit_quasi_poisson, fit_negative_binomial):
        found = fit(deaths, X, exposure=exposure)
        error = np.sqrt(np.diag(found.covariance))
        assert (np.abs(found.estimate - [3.0, 0.02, 0.3, -0.1]) < 4 * error).all()
        half = fit(deaths, X, exposure=exposure / 2)
        np.testing.assert_allclose(half.estimate[1:], found.estimate[1:], atol=1e-5)
        assert half.estimate[0] - found.estimate[0] == pytest.approx(np.log(2), abs=1e-5)


def test_alpha_of_the_negative_binomial_is_the_simulated_one():
    rng = np.random.default_rng(3)
    X = np.ones((4000, 1))
    deaths = rng.negative_binomial(4, 4 / (4 + 50), 4000).astype(float)
    assert float(fit_negative_binomial(deaths, X).note.split()[-1]) == pytest.approx(0.25, abs=0.03)


def test_counts_that_vary_less_than_poisson_have_no_negative_binomial():
    deaths = np.tile([99.0, 100, 101], 20)
    message = r"vary no more than Poisson counts do \(dispersion 0.0"
    with pytest.raises(EstimatorError, match=message):
        fit_negative_binomial(deaths, np.ones((60, 1)))


@pytest.mark.parametrize("fit", [fit_quasi_poisson, fit_negative_binomial])
def test_separated_counts_have_no_maximum(fit):
    deaths = np.r_[np.zeros(30), np.random.default_rng(4).poisson(20, 30)].astype(float)
    with pytest.raises(EstimatorError, match="no maximum"):
        fit(deaths, segmented_design(60, 30))


def test_rho_that_has_not_settled_is_no_answer():
    y, X = simulated()
    with pytest.raises(EstimatorError, match="rho has not settled after 2 iterations"):
        fit_prais_winsten(y, X, iterations=2)


def test_order_of_least_aicc_is_taken():
    rng = np.random.default_rng(6)
    noise = rng.standard_normal(400)
    y = np.zeros(400)
    for i in range(2, 400):
        y[i] = 0.3 * y[i - 1] + 0.5 * y[i - 2] + noise[i]
    X = segmented_design(400, 200)
    assert fit_arima(y, X).note == "ARIMA(2,0,0)"
    assert fit_arima(y, X, order=(1, 0, 0)).note == "ARIMA(1,0,0)"


def test_quetiapine_comes_out_as_published():
    """Schaffer et al. (2021), doi:10.1186/s12874-021-01235-8: printed with R's arima.

    The likelihood is so flat that R itself gives -3284.75 or -3284.78 by the unit of the outcome.
    """
    y = pd.read_csv(REFERENCE / "quetiapine.csv")["dispensings"].to_numpy(float)
    since = np.arange(48) - 36
    X = np.column_stack([since >= 0, np.maximum(since + 1, 0)]).astype(float)
    found = fit_arima(y, X, order=(2, 1, 0), seasonal_order=(0, 1, 1, 12))
    np.testing.assert_allclose(found.estimate, [-3284.78, -1396.65], rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), [602.34, 106.63], rtol=1e-4)


def test_level_that_wanders_is_told_from_noise():
    rng = np.random.default_rng(7)
    X = segmented_design(200, 100)
    walk = fit_structural(np.cumsum(rng.standard_normal(200)), X).note
    noise = fit_structural(rng.standard_normal(200), X).note
    assert float(walk.split()[-1]) > 3
    assert float(noise.split()[-1]) < 0.05


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

    best = minimize_scalar(lambda r: -restricted(r)[0], bounds=(-8, 4), method="bounded")
    _, b, covariance = restricted(best.x)
    found, error = fit_structural(y, X), np.sqrt(np.diag(covariance))[1:]
    assert (np.abs(found.estimate - b)[1:] < 1e-3 * error).all()
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance))[1:], error, rtol=1e-3)
