import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import brentq
from support import independent
from support.independent import monthly_values, segmented_design, simulate_ar1

from analysis import PolicyShift, fit_many, load_policy_shifts, load_series
from analysis.validation.certificates import COLUMNS, _least_effects, certificate

SHIFT = PolicyShift("middle", "2005-01")
ROWS = ["level", "slope", "effect_12m", "effect_24m"]


def noisy_values(n=120, rho=0.5, size=1.0, seed=1):
    return monthly_values(size * simulate_ar1(np.random.default_rng(seed), n, rho)[:, 0])


def certified(series, shift=SHIFT, **options):
    return certificate(series, shift, simulations=200, **options)


@pytest.fixture(scope="module")
def calderon():
    shift = load_policy_shifts()["calderon-2006-12"]
    series = load_series("inegi", start=shift.start, end=shift.end)
    return series, shift, certificate(series, shift, simulations=1000)


def test_a_row_for_every_value_of_rho_and_every_estimand(calderon):
    table = calderon[2]
    assert table.columns.tolist() == COLUMNS
    assert table["estimand"].tolist() == ROWS * 3
    assert table["rho_setting"].unique().tolist() == ["2.5% quantile", "median", "97.5% quantile"]
    assert table["rho"].is_monotonic_increasing
    assert (table["month"] == "2006-12").all()
    assert (table["simulations"] == 1000).all()


def test_size_and_coverage_are_two_sides_of_one_count(calderon):
    table = calderon[2]
    np.testing.assert_allclose(table["size"] + table["coverage"], 100)
    share = table["size"] / 100
    np.testing.assert_allclose(table["mc_error"], 100 * np.sqrt(share * (1 - share) / 1000))


def test_rise_and_fall_are_equally_far_on_the_log_scale(calderon):
    rise, fall = (1 + calderon[2][name] / 100 for name in ("mde_rise", "mde_fall"))
    np.testing.assert_allclose(rise * fall, 1)
    assert (rise > 1).all()


# The certificate adds no effect to any series. Here it is added, to other series of the same errors
# and on top of a line and a season, and the intervals that find it are counted.
@pytest.mark.parametrize("sign", ["mde_rise", "mde_fall"])
@pytest.mark.parametrize("row", [4, 5, 7])  # at the median of rho: level, slope, effect_24m
def test_an_effect_of_the_stated_size_is_found_in_eighty_percent(calderon, row, sign):
    series, _, table = calderon
    stated, n, first = table.loc[row], len(series), series.index.get_loc("2006-12")
    X = segmented_design(n, first, harmonics=2)
    effect = np.log1p(stated[sign] / 100)
    truth = np.array([2.5, -0.1, 0, 0, 0.05, 0.02, -0.03, 0.01])
    contrast = np.zeros(8)
    contrast[2:4] = {"level": (1, 0), "slope": (0, 1), "effect_24m": (1, 2)}[stated["estimand"]]
    truth += effect * contrast / (contrast @ contrast)
    noise = simulate_ar1(np.random.default_rng(row), n, stated["rho"], 3000)
    fits = fit_many((X @ truth)[:, None] + stated["sigma"] * noise, X, contrast)
    found = fits.low > 0 if effect > 0 else fits.high < 0
    error = 100 * np.sqrt(0.8 * 0.2 * (1 / 3000 + 1 / 1000))
    assert abs(100 * found.mean() - 80) < 4 * error
    covered = 100 * ((fits.low <= effect) & (fits.high >= effect)).mean()
    assert abs(covered - stated["coverage"]) < 4 * stated["mc_error"] * np.sqrt(1 + 1000 / 3000)


def test_with_little_autocorrelation_the_least_effect_is_that_of_the_textbook():
    series, shift = noisy_values(n=480, rho=0.0), PolicyShift("middle", "2020-01")
    table = certificate(series, shift, harmonics=0, simulations=4000)
    stated = table.set_index("rho_setting").loc["median"].set_index("estimand")
    X, rho, df = segmented_design(480, 240), stated["rho"].iloc[0], 476
    assert abs(rho) < 0.15
    correlation = independent.ar1_correlation(480, rho)
    covariance = np.linalg.inv(X.T @ np.linalg.solve(correlation / (1 - rho**2), X))
    reach = stats.t.ppf(0.975, df)
    steps = brentq(lambda steps: stats.nct.sf(reach, df, steps) - 0.8, 1, 5)
    for name, column in (("level", 2), ("slope", 3)):
        se = stated.loc[name, "sigma"] * np.sqrt(covariance[column, column])
        assert stated.loc[name, "mde_rise"] == pytest.approx(steps * se, rel=0.03)
        assert stated.loc[name, "mde_fall"] == -stated.loc[name, "mde_rise"]


def test_sigma_is_the_unbiased_one_given_rho():
    series, X = noisy_values(n=36), segmented_design(36, 18)
    shift = PolicyShift("middle", "2001-07")
    for row in certificate(series, shift, harmonics=0, simulations=20).itertuples():
        W = independent.whitening_matrix(36, row.rho)
        rss = np.linalg.lstsq(W @ X, W @ series["value"].to_numpy(), rcond=None)[1][0]
        assert row.sigma == pytest.approx(np.sqrt(rss / 32), rel=1e-9)


def test_least_effect_is_an_order_statistic():
    low, high = np.arange(-10.0, 0.0), np.arange(1.0, 11.0)
    rise, fall, _ = _least_effects(low, high, "value")
    # -low and high are 1, …, 10 each: a rise of 8.01 exceeds 8 of 10.
    assert 8 <= rise <= 9
    assert fall == -rise


def test_stated_error_of_the_least_effect_is_its_spread():
    X = segmented_design(60, 30)
    fits = fit_many(simulate_ar1(np.random.default_rng(3), 60, 0.6, 200 * 100), X, np.eye(4)[2])
    ends = fits.low.reshape(100, 200), fits.high.reshape(100, 200)
    found = np.array([_least_effects(low, high, "value") for low, high in zip(*ends, strict=True)])
    assert found[:, 2].mean() == pytest.approx(found[:, 0].std(), rel=0.3)


def test_ten_times_the_values_ten_times_the_least_effect():
    small, large = (certified(noisy_values(size=size)) for size in (1, 10))
    np.testing.assert_allclose(large["mde_rise"], 10 * small["mde_rise"], rtol=1e-6)
    pd.testing.assert_series_equal(large["size"], small["size"])


def test_adding_a_shift_and_a_line_changes_nothing():
    series = noisy_values()
    moved = series + (segmented_design(120, 60) @ [50, -3, 8, 2])[:, None]
    pd.testing.assert_frame_equal(certified(series), certified(moved), rtol=1e-6)


def test_same_seed_same_numbers_and_the_series_stays_as_it_was():
    series = noisy_values()
    before = series.copy()
    first, again, other = (certified(series, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first["mde_rise"] != other["mde_rise"]).all()
    pd.testing.assert_frame_equal(series, before)


def test_estimands_without_an_answer_have_no_row():
    short = certified(noisy_values(n=78))
    assert short["estimand"].unique().tolist() == ["level", "slope", "effect_12m"]
    step = certified(noisy_values(), PolicyShift("step", "2005-01", impact="level"))
    assert step["estimand"].unique().tolist() == ["level", "effect_12m", "effect_24m"]


def test_a_range_of_months_is_certified_at_its_first():
    several, series = PolicyShift("range", "2005-01", until="2005-03"), noisy_values()
    pd.testing.assert_frame_equal(certified(series, several), certified(series))


def test_rates_have_least_effects_in_deaths_per_100k(calderon):
    series, shift, table = calderon
    rate = certified(series, shift, scale="rate")
    assert (rate["mde_fall"] == -rate["mde_rise"]).all()
    assert rate.loc[4, "mde_rise"] < 5 < table.loc[4, "mde_rise"]  # the rate is near ten


@pytest.mark.parametrize("wrong", [0, 19, True, 100.0, "many"])
def test_useless_number_of_simulations_is_refused(wrong):
    message = "simulations must be a whole number from 20 to 1,000,000; found"
    with pytest.raises(ValueError, match=message):
        certificate(noisy_values(), SHIFT, simulations=wrong)


def test_months_without_deaths_are_refused_on_the_log_scale(calderon):
    series, shift, _ = calderon
    empty = series.assign(deaths=series["deaths"].where(series.index != "2003-05", 0))
    with pytest.raises(ValueError, match=r"needs deaths in every period; none in \['2003-05'\]"):
        certificate(empty, shift)


def test_a_series_without_noise_is_refused():
    exact = monthly_values(segmented_design(120, 60) @ [1, 2, 3, 4])
    with pytest.raises(ValueError, match="without any residual variation: there is no error"):
        certificate(exact, SHIFT, simulations=100)
