from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from support.declared import SHIFTS
from support.independent import monthly_values, noise, segmented_design
from support.independent_law import covariance, fit_law
from support.sweeps import sweep

from analysis import PolicyShift, fit_its, load_series
from analysis.engine.draws import draw_parameters
from analysis.its.counterfactual import draw_paths, simultaneous_band
from analysis.its.model import prepare_model
from analysis.its.words import describe_excess

KINDS = ("forecast", "segmented")
DRAWS = 2_000
SHIFT = PolicyShift("x", "2004-01")


def value_frame(n=72, level=10.0, **period):
    return monthly_values(level + 0.5 * np.arange(n) / 12 + 0.3 * noise(n, rho=0.6), **period)


def paths_of(result, kind):
    return draw_paths(result._model, kind, DRAWS, 0)


def kept(result, count=None):
    """Positions from the shift on, the first `count` of them, that were not left out."""
    places = range(len(result.series))[result.n_before :][:count]
    out = result.series.index.isin(result.shift.omit)
    return [place for place in places if not out[place]]


@pytest.mark.parametrize("kind", sweep(KINDS, 0))
def test_same_seed_gives_the_same_frame_and_another_seed_another(result, kind):
    again = fit_its(load_series("inegi"), result.shift)  # shares no draws with `result`
    excess = again.excess(24, kind=kind, draws=DRAWS)
    frame = again.counterfactual(kind, draws=DRAWS)
    pd.testing.assert_frame_equal(result.counterfactual(kind, draws=DRAWS), frame, check_exact=True)
    same = result.excess(24, kind=kind, draws=DRAWS)
    pd.testing.assert_frame_equal(same, excess, check_exact=True)
    other = result.counterfactual(kind, draws=DRAWS, seed=1)
    assert (other["low"] != frame["low"]).iloc[result.n_before :].all()
    assert (result.excess(24, kind=kind, draws=DRAWS, seed=1) != excess).all(axis=None)


def test_copy_of_a_result_keeps_draws_of_its_own(result):
    result.excess(24, draws=DRAWS)
    copy = replace(result)
    assert (copy._drawn == {}, result._drawn != {}) == (True, True)
    pd.testing.assert_frame_equal(copy.excess(24, draws=DRAWS), result.excess(24, draws=DRAWS))


@pytest.mark.parametrize("until", [pytest.param(None, marks=pytest.mark.slow), "2007-03"])
def test_segmented_counterfactual_is_what_was_observed_before_the_shift(until):
    shift = replace(SHIFTS["calderon-2006-12"], until=until)
    result = fit_its(load_series("inegi"), shift)
    found = result.counterfactual("segmented", draws=DRAWS)
    before = slice(None, result.n_before)
    for column in ("expected", "low", "high"):
        np.testing.assert_allclose(found[column].iloc[before], result.observed.iloc[before])
    assert abs(found["expected"] / result.observed - 1).iloc[kept(result)[12:]].min() > 0.01


@pytest.mark.parametrize(("estimand", "later"), [("level", 0), ("effect_12m", 12)])
def test_segmented_counterfactual_takes_the_effect_out(result, estimand, later):
    found = result.counterfactual("segmented").iloc[result.n_before + later]
    effect = 100 * (found["observed"] / found["expected"] - 1)
    estimate, low, high, _ = result.effects.loc[estimand]
    assert effect == pytest.approx(estimate, abs=0.02 * (high - low))  # 20,000 draws
    assert found["low"] < found["observed"] / (1 + high / 100)  # a band of whole paths is wider
    assert found["high"] > found["observed"] / (1 + low / 100)


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
    assert (found["expected"] != same["expected"]).iloc[kept(result)].all()


def test_shift_that_comes_later_beside_it_leaves_the_forecast_alone(result):
    beside = replace(result.shift, beside=(PolicyShift("later", "2009-01"),))
    found = fit_its(result.series, beside).counterfactual("forecast", draws=DRAWS)
    expected = result.counterfactual("forecast", draws=DRAWS)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_forecast_paths_carry_their_errors_on_top_of_their_parameters(result):
    paths = paths_of(result, "forecast")
    n, before = len(result.series), result.n_before
    y = np.log(1e5 * result.series["deaths"] / result.series["person_years"]).to_numpy()
    X = result._model.designs[0].drop(columns=["level", "slope"]).to_numpy()[:, :6]
    drawn = draw_parameters(y[:before], X[:before], np.random.default_rng(0), DRAWS)
    line = drawn.b @ X.T  # the same draws of the parameters, without errors
    np.testing.assert_allclose(paths[:, :before], line[:, :before], rtol=1e-9)
    reach = np.ptp(np.quantile(paths[:, before:], [0.1, 0.9], axis=0), axis=0)
    assert reach[0] < reach[11] < reach[23] < reach[-1]  # the farther, the less is known
    known, shock = drawn.known, np.empty((n - before, DRAWS))
    for period, error in enumerate((paths - line).T[before:]):
        shock[period] = error - known
        known = drawn.phi * known + (drawn.phi - drawn.theta) * shock[period]
    shock /= drawn.sigma
    assert shock.mean() == pytest.approx(0, abs=4 / np.sqrt(shock.size))
    assert shock.var() == pytest.approx(1, abs=4 * np.sqrt(2 / shock.size))
    assert shock[0].mean() == pytest.approx(0, abs=4 / np.sqrt(DRAWS))  # from what was known
    lagged = np.mean(shock[1:] * shock[:-1])
    assert lagged == pytest.approx(0, abs=4 / np.sqrt(shock.size))


def test_forecast_starts_from_what_the_errors_before_say_of_the_next(result):
    """The conditional mean of the first error by dense algebra; theta^84 of the start is left."""
    before = result.n_before
    y = np.log(1e5 * result.series["deaths"] / result.series["person_years"]).to_numpy()[:before]
    X = segmented_design(before, harmonics=2)
    drawn = draw_parameters(y, X, np.random.default_rng(0), DRAWS)
    known = [number for number in range(DRAWS) if drawn.theta[number] ** before < 1e-7][:15]
    assert len(known) == 15
    for number in known:
        V = covariance(before + 1, drawn.phi[number], drawn.theta[number])
        expected = V[-1, :-1] @ np.linalg.solve(V[:-1, :-1], y - X @ drawn.b[number])
        assert drawn.known[number] == pytest.approx(expected, abs=1e-4 * drawn.sigma[number])


@pytest.mark.parametrize("kind", KINDS)
def test_band_holds_the_expected_and_95_percent_of_whole_paths(kind):
    shift = replace(SHIFTS["calderon-2006-12"], omit=())
    result = fit_its(load_series("inegi"), shift)
    frame = result.counterfactual(kind, draws=DRAWS)
    before, after = frame.iloc[: result.n_before], frame.iloc[result.n_before :]
    assert before["expected"].isna().all() == (kind == "forecast")
    assert ((after["low"] <= after["expected"]) & (after["expected"] <= after["high"])).all()
    paths = np.exp(paths_of(result, kind))[:, result.n_before :]
    inside = ((paths >= after["low"].to_numpy()) & (paths <= after["high"].to_numpy())).all(axis=1)
    assert inside.mean() == pytest.approx(0.95, abs=2 / DRAWS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("months", sweep([1, 24, None], 1))
def test_rows_of_the_excess_say_the_same_thing(result, kind, months):
    excess = result.excess(months, kind=kind, draws=DRAWS)
    places = kept(result, months)
    part = result.series.iloc[places]
    observed, person_years = part["deaths"].sum(), part["person_years"].sum()
    paths = np.exp(paths_of(result, kind)[:, places])
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


def test_excess_over_months_that_are_not_there_is_refused():
    result = fit_its(value_frame(), SHIFT)
    message = r"months must be a (multiple of 1 from 1 to 24, .* from 2004-01 on|whole.*); found"
    for months in (0, -12, 25, 12.0, True, "12"):
        with pytest.raises(ValueError, match=message):
            result.excess(months)


def test_excess_over_part_of_a_quarter_is_refused():
    result = fit_its(value_frame(start="1990Q1", freq="Q"), PolicyShift("x", "2004Q1"))
    assert result.excess(6, draws=DRAWS).loc["total"].notna().all()
    with pytest.raises(ValueError, match="multiple of 3 from 3 to 48"):
        result.excess(4)


def test_unknown_kind_and_useless_draws_are_refused(result):
    with pytest.raises(
        ValueError, match=r"kind must be one of \['forecast', 'segmented'\]; found 'naive'"
    ):
        result.counterfactual("naive")
    for draws in (99, 1e4, True):
        with pytest.raises(ValueError, match=f"whole number from 100 to 1,000,000; found {draws}"):
            result.excess(12, draws=draws)


@pytest.mark.slow  # the draws' quantiles are asked of the engine among the fast tests
@pytest.mark.parametrize("source", ["inegi", "sesnsp"])
def test_segmented_draws_reproduce_the_closed_form_mixture(source):
    shift = SHIFTS["lopez-obrador-2018-12"]
    result, count = fit_its(load_series(source), shift), 20_000
    y = np.log(1e5 * result.series["deaths"] / result.series["person_years"]).to_numpy()
    n, first = len(y), result.n_before
    X, periods = segmented_design(n, first, harmonics=2), [first, first + 12, n - 1]
    rows = X[periods] * np.isin(np.arange(8), (2, 3))
    mixture = fit_law(y, X, rows, after=first, sizes=(12, 16, 24))
    effects = y - draw_paths(result._model, "segmented", count, 0)
    for q in (0.025, 0.2, 0.5, 0.8, 0.975):
        error = 4 * np.sqrt(q * (1 - q) / count) + 1e-3  # four Monte Carlo standard errors
        for contrast, period in enumerate(periods):
            found = np.quantile(effects[:, period], q)
            assert mixture.cdf(found, contrast) == pytest.approx(q, abs=error)
    drawn = draw_parameters(y, X, np.random.default_rng(0), count, after=first)
    laws = {"phi": mixture.rho, "theta": mixture.theta, "ratio": mixture.ratio}
    for name, values in laws.items():
        mean = mixture.weight @ values
        sd = np.sqrt(mixture.weight @ (values - mean) ** 2)
        assert getattr(drawn, name).mean() == pytest.approx(mean, abs=0.05 * sd)
        assert getattr(drawn, name).std() == pytest.approx(sd, rel=0.05)


def test_draws_from_a_short_series_have_the_tails_of_student_t():
    y, X, count = value_frame(12)["value"].to_numpy(), segmented_design(12, 6), 20_000
    b = draw_parameters(y, X, np.random.default_rng(0), count).b
    mixture = fit_law(y, X, np.eye(4))
    for q in (0.005, 0.1, 0.5, 0.9, 0.995):
        error = 4 * np.sqrt(q * (1 - q) / count)
        for column in range(4):
            found = np.quantile(b[:, column], q)
            assert mixture.cdf(found, column) == pytest.approx(q, abs=error)


def test_range_of_months_shares_the_draws_equally():
    frame, ranges = value_frame(), [("2003-01", "2003-02"), ("2003-01", None), ("2003-02", None)]
    shifts = [PolicyShift("x", month, until=until) for month, until in ranges]
    models = [prepare_model(frame, shift, harmonics=0) for shift in shifts]
    both, first, second = (draw_paths(model, "segmented", 5_000, 0)[:, -1] for model in models)
    for q in (0.1, 0.5, 0.9):
        at = np.quantile(both, q)
        mixed = ((first <= at).mean() + (second <= at).mean()) / 2
        assert mixed == pytest.approx(q, abs=4 * np.sqrt(2 * q * (1 - q) / 5_000))


def counted(deaths):
    frame = value_frame(len(deaths))
    return pd.DataFrame({"deaths": deaths, "person_years": 1e5}, index=frame.index)


@pytest.mark.parametrize("kind", sweep(KINDS, 0))
def test_months_before_that_do_not_vary_say_nothing_of_those_after(kind):
    deaths = np.full(72, 50)
    deaths[48:] = np.random.default_rng(0).poisson(80, 24)
    result = fit_its(counted(deaths), SHIFT)
    why = "the deaths before the shift do not vary, and nothing says how they would have"
    found, excess = (
        result.counterfactual(kind, draws=DRAWS),
        result.excess(12, kind=kind, draws=DRAWS),
    )
    assert found.attrs["note"] == f"from 2004-01 on {why}"
    assert found[["expected", "low", "high"]].iloc[48:].isna().all(axis=None)
    assert found["observed"].notna().all()
    assert (excess.attrs["note"], excess.isna().all(axis=None)) == (why, True)
    told = describe_excess(result, 12, kind)
    side = {"forecast": "By the months before", "segmented": "By the whole window"}[kind]
    assert told == f"**{side}**: no number of deaths: {why}."
    deaths[10] = 51
    excess = fit_its(counted(deaths), replace(SHIFT, omit="2000-11")).excess(12, draws=DRAWS)
    assert excess.attrs["note"] == why
    values = monthly_values(np.where(np.arange(72) == 10, np.nan, deaths))
    why = why.replace("deaths", "values")
    assert fit_its(values, SHIFT).excess(12, draws=DRAWS).attrs["note"] == why


@pytest.mark.parametrize("before", [np.arange(48) * 0.1, np.sin(np.arange(48) * np.pi / 6)])
def test_months_before_on_a_line_or_a_season_alone_say_nothing_of_those_after(before):
    values = np.r_[before, before[-1] + np.random.default_rng(0).normal(size=24)]
    result = fit_its(monthly_values(values), SHIFT)
    why = (
        "the values before the shift do not vary about their line and season, and nothing says how "
        "they would have"
    )
    assert result.excess(draws=DRAWS).attrs["note"] == why
    assert result.counterfactual(draws=DRAWS).attrs["note"] == f"from 2004-01 on {why}"


def test_band_wider_than_ten_times_the_observed_rate_is_no_number():
    """Twelve months that wander say nothing of the sixtieth after them, and little of the first."""
    steps = np.random.default_rng(1).normal(0, 0.3, 72)
    deaths = np.round(200 * np.exp(np.cumsum(steps) - np.cumsum(steps)[11])).astype(int) + 1
    result = fit_its(counted(deaths), PolicyShift("x", "2001-01"), harmonics=0)
    found = result.counterfactual("forecast", draws=DRAWS)
    why = "the band is wider than 10 times the observed rate"
    missing = found["expected"].isna().to_numpy()
    assert missing[:12].all()  # what the forecast is fitted to
    first = 12 + int(missing[12:].argmax())
    assert 12 < first < 60
    assert missing[first:].all()
    assert not missing[12:first].any()
    assert result.excess(first - 12, draws=DRAWS).notna().all(axis=None)
    asked = result.excess(first - 11, draws=DRAWS)  # one month further than anyone could believe
    assert (asked.isna().all(axis=None), asked.attrs["note"]) == (True, found.attrs["note"])
    assert found.attrs["note"] == f"from {found.index[first]} on {why}"
    believed = found.iloc[12:first]
    observed = result.observed.iloc[12:].mean()
    assert (believed["high"] - believed["low"]).max() <= 10 * observed
    excess = result.excess(60, draws=DRAWS)
    assert (excess.isna().all(axis=None), excess.attrs["note"]) == (True, why)
    assert describe_excess(result, 60, "forecast").endswith(f"no number of deaths: {why}.")


def test_expected_rate_below_zero_is_no_number():
    deaths = np.round(np.linspace(100, 12, 48)).astype(int)
    deaths = np.append(deaths, np.full(24, 40)) + np.random.default_rng(2).integers(0, 3, 72)
    result = fit_its(counted(deaths), SHIFT, scale="rate", harmonics=0)
    found = result.counterfactual("forecast", draws=DRAWS)
    first = 48 + int(found["expected"].iloc[48:].isna().to_numpy().argmax())
    assert 48 < first < 72
    assert (found["expected"].iloc[48:first] >= 0).all()
    why = "the expected rate falls below zero"
    assert found.attrs["note"] == f"from {found.index[first]} on {why}"
    excess = result.excess(24, draws=DRAWS)
    assert (excess.isna().all(axis=None), excess.attrs["note"]) == (True, why)
    assert "note" not in result.excess(1, draws=DRAWS).attrs


def test_projection_that_can_be_believed_has_no_note(result):
    for kind in KINDS:
        assert "note" not in result.counterfactual(kind, draws=DRAWS).attrs
        assert "note" not in result.excess(12, kind=kind, draws=DRAWS).attrs


@pytest.mark.parametrize("kind", KINDS)
def test_the_path_of_an_exact_line_is_the_line_and_told_in_words_alone(kind):
    t = np.arange(72) / 12
    model = prepare_model(monthly_values(5 + 2 * t + 3 * (t >= 4)), SHIFT, harmonics=0)
    _, low, high = simultaneous_band(draw_paths(model, kind, DRAWS, 0))
    np.testing.assert_allclose([low, high], [5 + 2 * t] * 2, rtol=1e-9)
    found = fit_its(model.window, SHIFT, harmonics=0).counterfactual(kind, draws=DRAWS)
    assert "do not vary about their line and season" in found.attrs["note"]
    assert found["expected"].iloc[48:].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "held"), [(0.4, 0.99), (0.7, 0.95), (0.85, 0.95)])
def test_band_of_the_forecast_holds_whole_paths_of_series_without_a_shift(rho, held):
    """Of errors that forget quickly more: 60 months do not rule out a slow drift beneath them.

    300 pasts with 200 futures of each: a Monte Carlo error of 0.3 to 0.45 points. It is allowed as
    much as 1,000 pasts with one future would need.
    """
    count, cut, futures, rng = 300, 60, 200, np.random.default_rng(7)
    line, model, inside = 3 + np.arange(84) / 12, None, []
    for _ in range(count):
        past, shocks = noise(cut, rng, rho), rng.standard_normal((84 - cut, futures))
        ahead, _ = lfilter([1], [1, -rho], shocks, axis=0, zi=np.full((1, futures), rho * past[-1]))
        window = monthly_values(line + np.append(past, ahead[:, 0]))
        model = model or prepare_model(window, PolicyShift("none", "2005-01"), harmonics=0)
        paths = draw_paths(replace(model, window=window), "forecast", 1_000, 0)
        _, low, high = simultaneous_band(paths[:, cut:] - line[cut:])
        held_by = (low[:, None] <= ahead) & (ahead <= high[:, None])
        inside.append(held_by.all(axis=0).mean())
    error = np.std(inside) / np.sqrt(count)
    share = f"{100 * np.mean(inside):.1f}% (+-{100 * error:.2f})"
    print(f"rho {rho}: {share} of whole paths inside")
    single = np.sqrt(held * (1 - held) / 1_000)
    assert error < np.sqrt(0.95 * 0.05 / 1_000)
    assert np.mean(inside) == pytest.approx(held, abs=3 * single + (held == 0.95) * 0.015)


def test_no_more_deaths_are_too_many_than_there_were():
    """On the rate scale few deaths leave an interval of expected deaths that reaches below zero."""
    deaths = np.random.default_rng(19).poisson(0.5, 120)
    result = fit_its(counted(deaths), PolicyShift("s", "2005-01"), scale="rate")
    excess = result.excess(draws=DRAWS)
    assert excess.isna().all(axis=None)
    assert excess.attrs["note"]
    observed = counted(deaths)["deaths"].iloc[60:72].sum()
    told = result.excess(12, draws=DRAWS).T["deaths"]
    assert np.isnan(told["high"]) or told["high"] <= observed
