import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.signal import lfilter
from support.independent import segmented_design, simulate_ar1

from analysis import fit_negative_binomial, fit_quasi_poisson
from analysis.engine.estimators import fit_newey_west, fit_prais_winsten, newey_west_lags
from analysis.engine.optimise import EstimatorError
from analysis.engine.state_space import fit_arima, fit_structural

LINEAR = [fit_newey_west, fit_prais_winsten, fit_arima, fit_structural]
TRUTH = [3.0, 0.1, -0.4, 0.2]


def simulated(n=100, rho=0.5, seed=1):
    X = segmented_design(n, n // 2)
    return X @ TRUTH + simulate_ar1(np.random.default_rng(seed), n, rho)[:, 0], X


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
    found = fit(*simulated(n=240, rho=0.3))
    assert (np.abs(found.estimate - TRUTH)[1:] < 4 * errors(found)[1:]).all()
    assert (errors(found)[1:] > 0).all()


@pytest.mark.parametrize("fit", LINEAR)
@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_unit_of_the_outcome_changes_nothing_but_the_unit(fit, size):
    y, X = simulated()
    small, large = fit(y, X), fit(size * y, X)
    assert (np.abs(large.estimate / size - small.estimate)[1:] < 2e-3 * errors(small)[1:]).all()
    np.testing.assert_allclose(errors(large)[1:] / size, errors(small)[1:], rtol=5e-3)


@pytest.mark.parametrize("fit", LINEAR)
def test_raw_counter_of_months_changes_nothing_but_the_unit(fit):
    """SARIMAX as it comes stops at the OLS value on such a design and reports convergence."""
    y, X = simulated()
    unit = [1, 12_000, 1, 12_000]
    found, plain = fit(y, X * unit), fit(y, X)
    apart = np.abs(found.estimate * unit - plain.estimate)
    assert (apart[1:] < 2e-3 * errors(plain)[1:]).all()


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


def test_alpha_of_the_negative_binomial_is_the_simulated_one():
    deaths = np.random.default_rng(3).negative_binomial(4, 4 / (4 + 50), 4000).astype(float)
    note = fit_negative_binomial(deaths, np.ones((4000, 1))).note
    assert float(note.split()[-1]) == pytest.approx(0.25, abs=0.03)


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

    best = minimize_scalar(lambda r: -restricted(r)[0], bounds=(-8, 4), method="bounded")
    _, b, covariance = restricted(best.x)
    found, error = fit_structural(y, X), np.sqrt(np.diag(covariance))[1:]
    assert (np.abs(found.estimate - b)[1:] < 1e-3 * error).all()
    np.testing.assert_allclose(errors(found)[1:], error, rtol=1e-3)
