"""Do 95% intervals hold the truth in 95% of simulated series? Marked slow; numbers with ``-s``."""

import numpy as np
import pytest
from scipy.integrate import quad
from statsmodels.regression.linear_model import GLS
from support import independent
from support.independent import effect_rows, fit, segmented_design, simulate_ar1

from analysis import fit_many, load_series
from analysis.engine import reml
from analysis.engine.errors import RHO_RANGE, rho_nodes
from analysis.engine.reml import integrate_rho, screen_many

WINDOWS = {
    "calderon": ("inegi", "MX00", "2000-01", "2012-11", "2006-12"),
    "pena nieto": ("inegi", "MX00", "2006-12", "2018-11", "2012-12"),
    "lopez obrador": ("sesnsp", "MX00", "2015-01", "2024-09", "2018-12"),
    "sheinbaum": ("sesnsp", "MX00", "2018-12", "2025-06", "2024-10"),
    "michoacan": ("inegi", "MX16", "2000-01", "2012-11", "2006-12"),
}
SIMULATED = [(n, rho) for n in (12, 30, 100) for rho in (-0.3, 0.5, 0.9, 0.99)]


def real_window(name):
    source, place, start, end, shift = WINDOWS[name]
    series = load_series(source, place=place, start=start, end=end)
    X = segmented_design(len(series), series.index.get_loc(shift), harmonics=2)
    return np.log(1e5 * series["deaths"] / series["person_years"]).to_numpy(), X


def simulated(n, rho):
    X = segmented_design(n, n // 2)
    seed = np.random.default_rng([n, int(1000 * (rho + 1))])
    return X @ [1, 0.3, -0.5, 1] + simulate_ar1(seed, n, rho)[:, 0], X


def assert_rows_equal(found, others):
    """Hold each row of a fit against a fit of its own."""
    for row, other in enumerate(others):
        for name in ("estimate", "low", "high", "p"):
            ours, own = getattr(found, name)[row], getattr(other, name)[0]
            np.testing.assert_allclose(ours, own, rtol=1e-9, atol=1e-9)


def assert_agrees(found, expected, row=0):
    width = expected[:, 2] - expected[:, 1]
    assert (abs(found.estimate[row] - expected[:, 0]) < 1e-8 * width).all()
    assert (abs(found.low[row] - expected[:, 1]) < 1e-6 * width).all()
    assert (abs(found.high[row] - expected[:, 2]) < 1e-6 * width).all()
    np.testing.assert_allclose(found.p[row], expected[:, 3], rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", WINDOWS)
def test_real_windows_agree_with_the_independent_implementation(name):
    y, X = real_window(name)
    C = effect_rows(X.shape[1])
    assert_agrees(fit_many(y, X, C), fit(y, X, C).summary())


@pytest.mark.parametrize(("n", "rho"), SIMULATED)
def test_simulated_series_agree_with_the_independent_implementation(n, rho):
    y, X = simulated(n, rho)
    assert_agrees(fit_many(y, X, np.eye(4)), fit(y, X, np.eye(4)).summary())


@pytest.mark.parametrize("case", [*WINDOWS, *SIMULATED])
def test_doubling_the_nodes_moves_no_end_of_an_interval(case):
    y, X = real_window(case) if case in WINDOWS else simulated(*case)
    C = np.eye(X.shape[1])
    nodes = len(integrate_rho(y, X, C).rho)
    coarse, fine = (integrate_rho(y, X, C, nodes=count) for count in (nodes, 2 * nodes))
    width = fine.quantile(0.975) - fine.quantile(0.025)
    for q in (0.025, 0.5, 0.975):
        assert (abs(coarse.quantile(q) - fine.quantile(q)) < 1e-6 * width).all()


def test_nodes_integrate_powers_of_rho():
    rho, weight = rho_nodes(40)
    low, high = RHO_RANGE
    assert (low, high) == (-0.5, 0.995)
    for power in (0, 1, 6):
        expected = (high ** (power + 1) - low ** (power + 1)) / (power + 1)
        assert weight @ rho**power == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [2, 8, 9])  # 4 at a time: the last chunk may hold one
def test_many_series_equal_a_loop_over_them(monkeypatch, count):
    monkeypatch.setattr(reml, "SERIES", 4)
    _, X = simulated(40, 0.5)
    y = np.hstack([simulate_ar1(np.random.default_rng(5), 40, r, count) for r in (0.2, 0.98)])
    y = y[:, ::2]
    assert y.shape[1] == count
    together = fit_many(y, X, np.eye(4))
    assert together.estimate.shape == (count, 4)
    assert_rows_equal(together, (fit_many(v, X, np.eye(4)) for v in y.T))


@pytest.mark.parametrize("count", [2, 8, 9])
def test_many_designs_equal_a_loop_over_them(monkeypatch, count):
    monkeypatch.setattr(reml, "DESIGNS", 4)
    y, _ = simulated(60, 0.8)
    designs = np.stack([segmented_design(60, first) for first in range(20, 20 + count)])
    C = effect_rows(4)
    assert_rows_equal(fit_many(y, designs, C), (fit_many(y, X, C) for X in designs))
    single = [integrate_rho(y, X, C).log_marginal[0] for X in designs]
    assert integrate_rho(y, designs, C).log_marginal == pytest.approx(single, abs=1e-9)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.999])
def test_interval_holds_its_confidence(confidence):
    y, X = simulated(30, 0.9)
    found = fit_many(y, X, np.eye(4), confidence=confidence)
    expected = fit(y, X, np.eye(4))
    tail = pytest.approx((1 - confidence) / 2, abs=1e-8)
    for column in range(4):
        assert expected.cdf(found.low[0, column], column) == tail
        assert 1 - expected.cdf(found.high[0, column], column) == tail


def test_turning_the_sign_mirrors_the_interval_and_keeps_p():
    y, X = real_window("calderon")
    up, down = (fit_many(sign * y, X, effect_rows(8)) for sign in (1, -1))
    np.testing.assert_allclose(down.low, -up.high, rtol=1e-9)
    np.testing.assert_allclose(down.estimate, -up.estimate, rtol=1e-9)
    np.testing.assert_allclose(down.p, up.p, rtol=1e-8)
    assert ((up.p < 0.05) == (up.low * up.high > 0)).all()
    assert up.p.min() < 0.05 < up.p.max()


def test_coefficients_given_rho_equal_statsmodels_gls():
    y, X = real_window("pena nieto")
    mixture = integrate_rho(y, X, np.eye(8))
    for g in (0, 15, 30, len(mixture.rho) - 1):
        model = GLS(y, X, sigma=independent.ar1_correlation(len(y), mixture.rho[g])).fit()
        np.testing.assert_allclose(mixture.mean[0, :, g], model.params, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(mixture.scale[0, :, g], model.bse, rtol=1e-7)


def assert_log_marginals_differ_as_integrals(y, X, pairs):
    def likelihood(rho, *pair):
        return np.exp(independent.restricted_loglik(*pair, rho))

    first, second = (np.log(quad(likelihood, *RHO_RANGE, args=pair)[0]) for pair in pairs)
    found = integrate_rho(y, X, np.eye(4)).log_marginal
    assert found[1] - found[0] == pytest.approx(second - first, abs=1e-7)


def test_log_marginal_is_the_integral_of_the_restricted_likelihood():
    y, X = simulated(30, 0.5)
    series = np.column_stack([y, X @ [5, 1, 0, 0] + 3 * (y - y.mean()) ** 2])
    assert_log_marginals_differ_as_integrals(series, X, [(v, X) for v in series.T])


def test_log_marginal_compares_designs_by_the_determinant_of_their_own_columns():
    y, _ = simulated(30, 0.5)
    designs = np.stack([segmented_design(30, first) for first in (9, 20)])
    assert_log_marginals_differ_as_integrals(y, designs, [(y, X) for X in designs])


@pytest.mark.parametrize("coefficients", [[2.0, -0.3, 1.5, 0.25], [5.0, 2.0, 3.0, 0.0]])
def test_exact_line_gives_exact_estimates_and_no_p_screened_or_not(coefficients):
    X = segmented_design(60, 25)
    noise = simulate_ar1(np.random.default_rng(2), 60, 0.4)[:, 0]
    both = np.column_stack([X @ coefficients, noise])
    found = fit_many(both, X, np.eye(4))
    np.testing.assert_array_equal(found.low[0], found.estimate[0])
    np.testing.assert_array_equal(found.high[0], found.estimate[0])
    assert_agrees(found, fit(noise, X, np.eye(4)).summary(), row=1)
    screened = screen_many(both, X, np.eye(4))
    for estimate, p in ((found.estimate, found.p), screened):
        np.testing.assert_allclose(estimate[0], coefficients, rtol=0, atol=1e-9)
        assert np.isnan(p[0]).all()
        assert np.isfinite(p[1]).all()


def test_noise_far_below_the_level_of_the_series_is_not_taken_for_an_exact_fit():
    X = segmented_design(60, 25)
    far = simulate_ar1(np.random.default_rng(3), 60, 0.4)[:, 0] + 1e8
    above, same = (fit_many(y, X, np.eye(4)[2:]) for y in (far, far - 1e8))
    for name in ("estimate", "low", "high", "p"):
        np.testing.assert_allclose(getattr(above, name), getattr(same, name), atol=1e-7)


Y, X12, ALL = np.arange(12.0) ** 2, segmented_design(12, 6), np.eye(4)
HOLE = np.where(np.arange(12) == 3, np.nan, Y)
ENDLESS = X12 + np.r_[np.inf, np.zeros(11)][:, None]
BAD = {
    "rows differ": ((Y[:11], X12, ALL), r"expected outcomes \(n,\).*found \(11,\), \(12, 4\)"),
    "no series": ((np.empty((12, 0)), X12, ALL), r"found \(12, 0\)"),
    "contrasts too short": ((Y, X12, np.eye(3)), "contrasts need 4 columns.*found 3"),
    "both many": ((np.c_[Y, Y], np.stack([X12, X12]), ALL), "loop over one"),
    "too few": ((Y[:6], X12[3:9], ALL), "6 periods are too few for 4 coefficients.*7 are"),
    "missing outcome": ((HOLE, X12, ALL), "outcomes must be finite"),
    "infinite design": ((Y, ENDLESS, ALL), "design must be"),
    "missing contrast": ((Y, X12, np.full(4, np.nan)), "contrasts must be finite"),
    "dependent columns": ((Y, X12[:, [0, 1, 1, 2]], ALL), "column 2 adds nothing"),
}


@pytest.mark.parametrize("function", [fit_many, screen_many])
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name, function):
    arguments, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        function(*arguments)


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, float("nan")])
def test_confidence_outside_zero_and_one_is_refused(confidence):
    with pytest.raises(ValueError, match=f"between 0 and 1; found {confidence}"):
        fit_many(Y, X12, np.eye(4), confidence=confidence)


def assert_means_equal(mean, mixtures):
    expected = [mixture.mean @ mixture.weight for mixture in mixtures]
    np.testing.assert_allclose(mean, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("jobs", [1, 2])
def test_screening_many_series_gives_the_mixtures_mean_and_the_fits_p(monkeypatch, jobs):
    monkeypatch.setattr(reml, "SERIES", 4)
    _, X = simulated(40, 0.5)
    y = X @ [1, 0.3, -0.5, 1] + simulate_ar1(np.random.default_rng(6), 40, 0.7, 9).T
    C = effect_rows(4)
    mean, p = screen_many(y.T, X, C, jobs=jobs)
    assert mean.shape == p.shape == (9, 5)
    assert_means_equal(mean, (fit(series, X, C) for series in y))
    np.testing.assert_allclose(p, fit_many(y.T, X, C).p, rtol=1e-12, atol=0)
    assert p.min() < 0.05 < p.max()


def test_screening_many_designs_gives_the_mixtures_mean_and_the_fits_p():
    y, _ = simulated(60, 0.8)
    designs = np.stack([segmented_design(60, first) for first in (20, 31, 40)])
    mean, p = screen_many(y, designs, np.eye(4))
    assert_means_equal(mean, (fit(y, X, np.eye(4)) for X in designs))
    np.testing.assert_allclose(p, fit_many(y, designs, np.eye(4)).p, rtol=1e-12, atol=0)


@pytest.mark.parametrize("jobs", [0, 1.5, True])
def test_number_of_threads_is_checked(jobs):
    with pytest.raises(ValueError, match=f"whole number from 1 up; found {jobs}"):
        screen_many(Y, X12, np.eye(4), jobs=jobs)


SERIES = 4_000
TRUTH = np.array([0.5, -1.0])  # level, slope
# Standard error of a simulated coverage near 95%: 0.34 points with 4,000 series.
ERROR = 100 * np.sqrt(0.95 * 0.05 / SERIES)
UNTRIED = [(60, 0.6, 40, 0), (120, 0.85, 30, 0), (80, 0.0, 40, 0), (80, -0.3, 50, 0)]
UNTRIED += [(155, 0.7, 83, 2), (79, 0.35, 70, 2), (144, 0.9, 72, 2)]
# The published table: 2,000 series a cell (standard error 0.49), rounded to whole percents.
PUBLISHED = [(48, 0.4, (95, 97)), (48, 0.8, (94, 95)), (100, 0.9, (93, 95)), (156, 0.9, (94, 95))]


def simulate(n, rho, shift, *, harmonics=0, seed=0):
    X = segmented_design(n, shift, harmonics=harmonics)
    line = X @ np.concatenate([[1.0, 0.3], TRUTH, np.full(2 * harmonics, 0.3)])
    noise = simulate_ar1(np.random.default_rng([n, shift, seed]), n, rho, SERIES)
    return line[:, None] + noise, X, np.eye(X.shape[1])[2:4]


def coverage(fits, setting):
    """Percent of the intervals for level and slope that hold the truth."""
    found = 100 * ((fits.low <= TRUTH) & (fits.high >= TRUTH)).mean(axis=0)
    print(f"{setting}: level {found[0]:.2f}%, slope {found[1]:.2f}% (+-{ERROR:.2f})")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rho", "shift", "harmonics"), UNTRIED)
def test_intervals_cover_where_they_were_not_tried_before(n, rho, shift, harmonics):
    fits = fit_many(*simulate(n, rho, shift, harmonics=harmonics))
    found = coverage(fits, f"n {n}, rho {rho}, shift {shift}, {harmonics} harmonics")
    assert (abs(found - 95) <= 3 * ERROR + 1.5).all()


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rho", "published"), PUBLISHED)
def test_cells_of_the_published_table_are_reproduced(n, rho, published):
    fits = fit_many(*simulate(n, rho, n // 2))
    found = coverage(fits, f"n {n}, rho {rho}, published {published}")
    difference = np.sqrt(ERROR**2 + 100**2 * 0.95 * 0.05 / 2_000)
    assert (abs(found - published) <= 3 * difference + 0.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.3, 0.9])
def test_estimates_centre_on_the_truth(rho):
    fits = fit_many(*simulate(100, rho, 60, seed=1))
    error = fits.estimate.std(axis=0) / np.sqrt(SERIES)
    assert (abs(fits.estimate.mean(axis=0) - TRUTH) <= 4 * error).all()


@pytest.mark.slow
# A limit of the method, not of this implementation: 10,000 series gave 87.5% for the slope (82% to
# 80% from rho 0.99 on), and 94.2% for the level. A result there carries the near-unit-root flag.
def test_near_a_unit_root_the_interval_of_the_slope_covers_less_and_most_series_are_flagged():
    series = simulate(144, 0.97, 72, harmonics=2)
    level, slope = coverage(fit_many(*series), "n 144, rho 0.97, shift 72, 2 harmonics")
    mixture = integrate_rho(*series)
    flagged = 100 * (mixture.weight[:, mixture.rho > 0.9].sum(axis=1) > 0.5).mean()
    print(f"flagged as near a unit root: {flagged:.1f}%")
    assert abs(level - 94.2) <= 3 * ERROR + 1
    assert abs(slope - 87.5) <= 3 * 1.5 * ERROR + 1  # there the error is half as large again
    assert flagged > 75
