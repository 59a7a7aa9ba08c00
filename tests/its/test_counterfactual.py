from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.independent import effect_rows, fit, monthly_values, noise, segmented_design

from analysis import PolicyShift, fit_its, load_policy_shifts, load_series
from analysis.engine.reml import draw_parameters
from analysis.its.counterfactual import draw_paths, simultaneous_band

KINDS = ("forecast", "segmented")
DRAWS = 2_000
SHIFT = PolicyShift("x", "2004-01")


def value_frame(n=72, level=10.0, **period):
    return monthly_values(level + 0.5 * np.arange(n) / 12 + 0.3 * noise(n, rho=0.6), **period)


def paths_of(result, kind):
    chosen = result.series, result.shift, result.scale, result.harmonics
    return draw_paths(*chosen, kind, DRAWS, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_gives_the_same_frame_and_another_seed_another(result, kind):
    again = fit_its(load_series("inegi"), result.shift)  # shares no draws with `result`
    excess = again.excess(24, kind=kind, draws=DRAWS)
    frame = again.counterfactual(kind, draws=DRAWS)
    pd.testing.assert_frame_equal(result.counterfactual(kind, draws=DRAWS), frame, check_exact=True)
    same = result.excess(24, kind=kind, draws=DRAWS)
    pd.testing.assert_frame_equal(same, excess, check_exact=True)
    other = result.counterfactual(kind, draws=DRAWS, seed=1)
    assert (other["low"] != frame["low"]).all()
    assert (result.excess(24, kind=kind, draws=DRAWS, seed=1) != excess).all(axis=None)


def test_changed_copy_of_a_result_draws_paths_of_its_own(result):
    result.excess(24, draws=DRAWS)
    changed = replace(result, harmonics=0).excess(24, draws=DRAWS)
    fitted = fit_its(load_series("inegi"), result.shift, harmonics=0).excess(24, draws=DRAWS)
    pd.testing.assert_frame_equal(changed, fitted, check_exact=True)


@pytest.mark.parametrize("until", [None, "2007-03"])
def test_segmented_counterfactual_equals_the_fit_before_the_shift(until):
    shift = replace(load_policy_shifts()["calderon-2006-12"], until=until)
    result = fit_its(load_series("inegi"), shift)
    expected = result.counterfactual("segmented", draws=DRAWS)["expected"]
    before = slice(None, result.n_before)
    np.testing.assert_allclose(expected.iloc[before], result.fitted.iloc[before], rtol=1e-9)
    assert abs(expected / result.fitted - 1).iloc[result.n_before + 12 :].min() > 0.01


def test_forecast_does_not_look_at_anything_from_the_shift_on(result):
    changed = result.series.copy()
    changed.iloc[result.n_before :: 2, 0] *= 3
    planted = fit_its(changed, result.shift)
    bands = ["expected", "low", "high"]
    same, found = (r.counterfactual("forecast", draws=DRAWS) for r in (result, planted))
    pd.testing.assert_frame_equal(found[bands], same[bands], check_exact=True)
    after = slice(result.n_before, None, 2)
    np.testing.assert_allclose(found["observed"].iloc[after], 3 * same["observed"].iloc[after])
    same, found = (r.counterfactual("segmented", draws=DRAWS) for r in (result, planted))
    assert (found["expected"] != same["expected"]).all()


def test_shift_that_comes_later_beside_it_leaves_the_forecast_alone(result):
    beside = replace(result.shift, beside=(PolicyShift("later", "2009-01"),))
    found = fit_its(result.series, beside).counterfactual("forecast", draws=DRAWS)
    expected = result.counterfactual("forecast", draws=DRAWS)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_forecast_paths_carry_ar1_noise_on_top_of_their_parameters(result):
    found = paths_of(result, "forecast")
    n, before = len(result.series), result.n_before
    y = np.log(1e5 * result.series["deaths"] / result.series["person_years"]).to_numpy()
    X = segmented_design(n, harmonics=2)
    rho, _, b = draw_parameters(y[:before], X[:before], np.random.default_rng(0), DRAWS)
    line = b @ X.T  # the same draws of the parameters, without noise
    np.testing.assert_allclose(rho, found.rho, rtol=1e-6)
    np.testing.assert_allclose(found.paths[:, :before].std(0), line[:, :before].std(0), rtol=0.1)
    tenths = [np.quantile(paths[:, before:], [0.1, 0.9], axis=0) for paths in (found.paths, line)]
    assert (np.ptp(tenths[0], axis=0) > np.ptp(tenths[1], axis=0)).all()
    start = y[before - 1] - found.paths[:, before - 1]
    error = np.column_stack([start, found.paths[:, before:] - trend_of(found.paths, X, before)])
    shock = (error[:, 1:] - found.rho[:, None] * error[:, :-1]) / found.sigma[:, None]
    assert shock.mean() == pytest.approx(0, abs=4 / np.sqrt(shock.size))
    assert shock.var() == pytest.approx(1, abs=4 * np.sqrt(2 / shock.size))
    assert shock[:, 0].mean() == pytest.approx(0, abs=4 / np.sqrt(DRAWS))  # from the last residual
    lagged = np.mean(shock[:, 1:] * shock[:, :-1])
    assert lagged == pytest.approx(0, abs=4 / np.sqrt(shock.size))


def trend_of(paths, X, before):
    """Each path's line after the shift, from its part before, which has no noise."""
    return np.linalg.lstsq(X[:before], paths[:, :before].T, rcond=None)[0].T @ X[before:].T


@pytest.mark.parametrize("kind", KINDS)
def test_band_holds_the_expected_and_95_percent_of_whole_paths(result, kind):
    frame = result.counterfactual(kind, draws=DRAWS)
    assert ((frame["low"] <= frame["expected"]) & (frame["expected"] <= frame["high"])).all()
    paths = np.exp(paths_of(result, kind).paths)
    low, high = frame["low"].to_numpy(), frame["high"].to_numpy()
    for part in (slice(None, result.n_before), slice(result.n_before, None)):
        inside = ((paths >= low) & (paths <= high))[:, part].all(axis=1)
        assert inside.mean() == pytest.approx(0.95, abs=2 / DRAWS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("months", [1, 24, None])
def test_rows_of_the_excess_say_the_same_thing(result, kind, months):
    excess = result.excess(months, kind=kind, draws=DRAWS)
    count = months or len(result.series) - result.n_before
    part = result.series.iloc[result.n_before : result.n_before + count]
    observed, person_years = part["deaths"].sum(), part["person_years"].sum()
    paths = np.exp(paths_of(result, kind).paths[:, result.n_before : result.n_before + count])
    expected = (paths * part["person_years"].to_numpy() / 1e5).sum(axis=1)
    quantiles = np.quantile(expected, [0.5, 0.975, 0.025])
    np.testing.assert_allclose(excess.loc["deaths"], observed - quantiles, rtol=1e-9)
    per_100k = excess.loc["deaths"] / (person_years / 1e5)
    np.testing.assert_array_equal(excess.loc["per_100k"], per_100k)
    np.testing.assert_allclose(excess.loc["percent"], 100 * (observed - quantiles) / quantiles)
    assert ((excess["low"] < excess["estimate"]) & (excess["estimate"] < excess["high"])).all()


def test_excess_of_values_is_a_total_and_a_mean_per_period():
    excess = fit_its(value_frame(), SHIFT).excess(12, draws=DRAWS)
    assert excess.index.tolist() == ["total", "mean", "percent"]
    np.testing.assert_allclose(excess.loc["mean"], excess.loc["total"] / 12, rtol=1e-12)


def test_interval_of_the_percent_is_in_order_where_values_turn_negative():
    frame = value_frame()
    frame.iloc[48:] -= 20.0
    percent = fit_its(frame, SHIFT).excess(12, draws=DRAWS).loc["percent"]
    assert percent.isna().all() or percent["low"] < percent["estimate"] < percent["high"]


def test_percent_is_missing_where_the_expected_may_be_nothing():
    excess = fit_its(value_frame(level=-2.0), SHIFT).excess(12, draws=DRAWS)
    assert excess.loc["percent"].isna().all()
    assert excess.loc["total"].notna().all()


@pytest.mark.parametrize("months", [0, -12, 25, 12.0, True, "12"])
def test_excess_over_months_that_are_not_there_is_refused(months):
    with pytest.raises(ValueError, match=r"multiple of 1 from 1 to 24, .* from 2004-01 on; found"):
        fit_its(value_frame(), SHIFT).excess(months)


def test_excess_over_part_of_a_quarter_is_refused():
    result = fit_its(value_frame(start="1990Q1", freq="Q"), PolicyShift("x", "2004Q1"))
    assert result.excess(6, draws=DRAWS).loc["total"].notna().all()
    with pytest.raises(ValueError, match="multiple of 3 from 3 to 48"):
        result.excess(4)


def test_unknown_kind_and_useless_draws_are_refused(result):
    with pytest.raises(ValueError, match="unknown kind 'naive'; use 'forecast' or 'segmented'"):
        result.counterfactual("naive")
    for draws in (99, 1e4, True):
        with pytest.raises(ValueError, match=f"whole number from 100 to 1,000,000; found {draws}"):
            result.excess(12, draws=draws)


@pytest.mark.parametrize("source", ["inegi", "sesnsp"])
def test_segmented_draws_reproduce_the_closed_form_mixture(source):
    shift = load_policy_shifts()["lopez-obrador-2018-12"]
    result, count = fit_its(load_series(source), shift), 20_000
    y = np.log(1e5 * result.series["deaths"] / result.series["person_years"]).to_numpy()
    X = segmented_design(len(y), result.n_before, harmonics=2)
    periods = [0, result.n_before, len(y) - 1]
    rows = X[periods]
    rows[:, 2:4] = 0
    mixture = fit(y, X, np.vstack([rows, effect_rows(8)]))
    draws = draw_paths(result.series, shift, "log", 2, "segmented", count, 0)
    for q in (0.025, 0.2, 0.5, 0.8, 0.975):
        error = 4 * np.sqrt(q * (1 - q) / count)  # four Monte Carlo standard errors
        for contrast, period in enumerate(periods):
            found = np.quantile(draws.paths[:, period], q)
            assert mixture.cdf(found, contrast) == pytest.approx(q, abs=error)
    mean = mixture.weight @ mixture.rho
    sd = np.sqrt(mixture.weight @ (mixture.rho - mean) ** 2)
    assert draws.rho.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(count))
    assert draws.rho.std() == pytest.approx(sd, rel=4 / np.sqrt(count))


def test_draws_from_a_short_series_have_the_tails_of_student_t():
    y, X, count = value_frame(12)["value"].to_numpy(), segmented_design(12, 6), 20_000
    _, _, b = draw_parameters(y, X, np.random.default_rng(0), count)
    mixture = fit(y, X, np.eye(4))
    for q in (0.005, 0.1, 0.5, 0.9, 0.995):
        error = 4 * np.sqrt(q * (1 - q) / count)
        for column in range(4):
            found = np.quantile(b[:, column], q)
            assert mixture.cdf(found, column) == pytest.approx(q, abs=error)


def test_range_of_months_shares_the_draws_equally():
    frame, ranges = value_frame(), [("2003-01", "2003-02"), ("2003-01", None), ("2003-02", None)]
    shifts = [PolicyShift("x", month, until=until) for month, until in ranges]
    both, first, second = (
        draw_paths(frame, shift, "value", 0, "segmented", 20_000, 0).paths[:, -1]
        for shift in shifts
    )
    for q in (0.1, 0.5, 0.9):
        at = np.quantile(both, q)
        mixed = ((first <= at).mean() + (second <= at).mean()) / 2
        assert mixed == pytest.approx(q, abs=4 * np.sqrt(2 * q * (1 - q) / 20_000))


@pytest.mark.parametrize("kind", KINDS)
def test_counterfactual_of_an_exact_line_is_the_line(kind):
    t = np.arange(72) / 12
    frame = monthly_values(5 + 2 * t + 3 * (t >= 4))
    found = fit_its(frame, SHIFT, harmonics=0).counterfactual(kind, draws=DRAWS)
    for column in ("expected", "low", "high"):
        np.testing.assert_allclose(found[column], 5 + 2 * t, rtol=1e-9)
    assert (found["low"] <= found["expected"]).all()
    assert (found["expected"] <= found["high"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.4, 0.7, 0.85])
def test_band_of_the_forecast_holds_whole_paths_of_series_without_a_shift(rho):
    count, cut, rng, inside = 1_000, 60, np.random.default_rng(7), []
    for _ in range(count):
        y = 3 + np.arange(84) / 12 + noise(84, rng, rho)
        shift = PolicyShift("none", "2005-01")
        paths = draw_paths(monthly_values(y), shift, "value", 0, "forecast", 1_000, 0).paths
        low, high = simultaneous_band(paths[:, cut:])
        inside.append(((low <= y[cut:]) & (y[cut:] <= high)).all())
    error = np.sqrt(0.95 * 0.05 / count)  # of the simulation: 0.7 points
    print(f"rho {rho}: {100 * np.mean(inside):.1f}% of whole paths inside")
    assert np.mean(inside) == pytest.approx(0.95, abs=3 * error + 0.015)
