import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import gammaln
from scipy.stats import t as student

from analysis.engine.draws import PROCESSES, process_covariance, simulate_errors

LAGS = np.arange(60)


def ar1(rho):
    return rho**LAGS / (1 - rho**2)


def noisy(autocovariance, share):
    """Add white noise of that share of the variance."""
    return autocovariance + (LAGS == 0) * autocovariance[0] * share / (1 - share)


def arma(phi, theta):
    """ARMA(1,1), (1 - phi B) u = (1 - theta B) e."""
    first = (phi - theta) * (1 - phi * theta) / (1 - phi**2)
    variance = (1 + theta**2 - 2 * phi * theta) / (1 - phi**2)
    return np.append(variance, first * phi ** LAGS[:-1])


def ar2(first, second):
    """By the Yule-Walker equations, from the first two autocorrelations."""
    variance = (1 - second) / (1 + second) / ((1 - second) ** 2 - first**2)
    found = [variance, variance * first / (1 - second)]
    for _ in LAGS[2:]:
        found.append(first * found[-1] + second * found[-2])
    return np.array(found)


def seasonal(rho, yearly):
    """Two AR, of one month and of one year: the sum over years of the product of their own."""
    years = np.arange(-60, 61)
    monthly = rho ** abs(np.subtract.outer(LAGS, 12 * years)) / (1 - rho**2)
    return monthly @ (yearly ** abs(years) / (1 - yearly**2))


def arfima(d):
    log = gammaln(1 - 2 * d) - gammaln(d) - gammaln(1 - d) + gammaln(LAGS + d)
    return np.exp(log - gammaln(LAGS + 1 - d))


CLOSED = [
    ("ar1", 0.6, ar1(0.6)),
    ("ar1", -0.3, ar1(-0.3)),
    ("heavy_tails", 0.8, ar1(0.8)),
    ("ar1_noise", 0.95, noisy(ar1(0.95), 0.5)),
    ("ar1_much_noise", 0.8, noisy(ar1(0.8), 0.75)),
    ("arma", 0.9, arma(0.9, 0.4)),
    ("ar2", 0.6, ar2(0.6, 0.3)),
    ("seasonal_noise", 0.8, noisy(seasonal(0.8, 0.4), 0.5)),
    ("arfima", 0.4, arfima(0.4)),
]


@pytest.mark.parametrize(("process", "rho", "expected"), CLOSED)
def test_autocovariances_are_those_of_the_textbook(process, rho, expected):
    covariance = process_covariance(process, 60, rho)
    np.testing.assert_allclose(covariance[0], expected, rtol=1e-9)
    np.testing.assert_allclose(covariance[20:, 20], expected[:40], rtol=1e-9)
    np.testing.assert_array_equal(covariance, covariance.T)


def test_third_order_satisfies_the_yule_walker_equations():
    found = process_covariance("ar3", 60, 0.4)[0]
    before = 0.4 * found[2:-1] + 0.2 * found[1:-2] + 0.2 * found[:-3]
    np.testing.assert_allclose(found[3:], before, rtol=1e-9)
    assert found[0] - found[1:4] @ [0.4, 0.2, 0.2] == pytest.approx(1)


def test_local_level_starts_at_zero_and_its_changes_are_a_moving_average():
    covariance = process_covariance("local_level", 30, 0.2)
    np.testing.assert_allclose(np.diag(covariance), 1 + 0.2 * np.arange(30))
    change = np.diff(np.eye(30), axis=0)
    moved = change @ covariance @ change.T
    np.testing.assert_allclose(moved, np.eye(29) * 2.2 - np.eye(29, k=1) - np.eye(29, k=-1))


@pytest.mark.parametrize("process", [name for name in PROCESSES if "doubled" not in name])
def test_simulated_series_have_the_covariance(process):
    rho = 0.2 if process in ("arfima", "local_level", "ar3") else 0.6
    expected = process_covariance(process, 20, rho)
    errors = simulate_errors(process, 20, 40_000, np.random.default_rng(4), rho=rho)
    assert errors.shape == (20, 40_000)
    size = np.sqrt(np.diag(expected))
    # Standard error of a covariance from 40,000 normal values: 0.7%; heavier tails need more room.
    room = 0.15 if process == "heavy_tails" else 0.035
    found = errors @ errors.T / 40_000
    assert (abs(found - expected) < room * np.outer(size, size)).all()


@pytest.mark.parametrize(("process", "factor"), [("sd_doubled", 2), ("variance_doubled", 2**0.5)])
def test_innovations_grow_in_the_shifts_own_month(process, factor):
    rng = np.random.default_rng
    errors = simulate_errors(process, 100, 4000, rng(5), rho=0.6, shift_at=88)
    spread = lfilter([1, -0.6], [1], errors, axis=0)[1:].std(axis=1)  # standard error 1.1%
    np.testing.assert_allclose(spread[:87], 1, rtol=0.05)
    np.testing.assert_allclose(spread[87:], factor, rtol=0.05)
    steady = simulate_errors("ar1", 100, 4000, rng(5), rho=0.6)
    np.testing.assert_allclose(errors[:88], steady[:88], atol=1e-12)
    middle = simulate_errors(process, 100, 20, rng(5), rho=0.6)
    given = simulate_errors(process, 100, 20, rng(5), rho=0.6, shift_at=50)
    np.testing.assert_array_equal(middle, given)


def test_heavy_tails_are_student_with_three_degrees_of_freedom():
    errors = simulate_errors("heavy_tails", 100, 4000, np.random.default_rng(6), rho=0.6)
    e = abs(lfilter([1, -0.6], [1], errors, axis=0)[1:]).ravel()
    for bound in (1, 3, 6):
        expected = 2 * student.sf(bound * np.sqrt(3), 3)
        assert (e > bound).mean() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("process", ["arma", "heavy_tails", "sd_doubled"])
def test_series_come_again_and_more_of_them_leave_the_first_as_they_were(process):
    one, again, many = (
        simulate_errors(process, 30, count, np.random.default_rng(7), rho=0.5)
        for count in (5, 5, 50)
    )
    np.testing.assert_array_equal(one, again)
    np.testing.assert_allclose(many[:, :5], one, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("process", "rho", "message"),
    [
        ("ar_1", 0.5, "unknown process 'ar_1'. Did you mean 'ar1'"),
        ("ar1", 1.0, "ar1 with rho = 1.0 is not stationary"),
        ("ar2", 0.7, "ar2 with rho = 0.7 is not stationary"),
        ("arfima", 0.5, r"must lie between 0 and 0.5; found 0.5"),
        ("local_level", 0.0, r"steps must be positive; found 0.0"),
    ],
)
def test_a_process_that_cannot_be_is_named(process, rho, message):
    with pytest.raises((KeyError, ValueError), match=message):
        process_covariance(process, 48, rho)


@pytest.mark.parametrize("outside", [0, 48])
def test_a_shift_outside_the_series_is_refused(outside):
    with pytest.raises(ValueError, match=f"shift_at must be .* from 1 to 47; found {outside}"):
        simulate_errors("ar1", 48, 1, np.random.default_rng(0), rho=0.4, shift_at=outside)
