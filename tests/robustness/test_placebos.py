from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.declared import SHIFTS, states_of
from support.independent import monthly_values, simulate_ar1
from support.sweeps import sweep

from analysis import PolicyShift, fit_its, load_series
from analysis.robustness import placebos
from analysis.robustness.placebos import (
    JUDGED,
    Placebos,
    placebo_dates,
    placebo_places,
    vary_window,
)

SHIFT = PolicyShift("reform", "2003-06")
SIERRA = SHIFTS["sierra-madre-2007-02"]
OTHERS = ["MX03", "MX08", "MX10", "MX15", "MX16", "MX25", "MX31", "MX32"]


def values(periods=72):
    return monthly_values(simulate_ar1(np.random.default_rng(1), periods, 0.4)[:, 0])


def of_source(source, shift, others=OTHERS, **options):
    own = load_series(source, place=shift.places)
    panel = states_of(source)
    return placebo_places(panel if others is None else panel.loc[others], own, shift, **options)


def counts():
    index = pd.period_range("2000-01", periods=72, freq="M")
    deaths = np.random.default_rng(2).poisson(300, 72)
    return pd.DataFrame({"deaths": deaths, "person_years": 2e5}, index=index)


def judged(series, shift, **options):
    return fit_its(series, shift, **options).effects["estimate"].reindex(list(JUDGED))


def placebos_of(placebo, real, scale="value"):
    columns = dict.fromkeys(JUDGED, placebo) if isinstance(placebo, list) else placebo
    real = dict.fromkeys(JUDGED, real) if isinstance(real, int | float) else real
    return Placebos(pd.DataFrame(columns, dtype=float), pd.Series(real, dtype=float), scale)


@pytest.fixture(scope="module")
def sierra():
    return of_source("inegi", SIERRA)


@pytest.mark.parametrize(
    ("impact", "scale"), sweep([("level_and_slope", "log"), ("level", "rate"), ("slope", "log")], 0)
)
def test_placebo_date_is_a_fit_of_what_came_before(impact, scale):
    series, shift = counts(), replace(SHIFT, impact=impact)
    found = placebo_dates(series, shift, scale=scale, harmonics=1)
    before = series.loc[:"2003-05"]
    assert found.placebo.index.equals(before.index[12:30])
    for month, row in found.placebo.iloc[[0, 7, 17]].iterrows():
        fit = judged(before, replace(shift, month=month), scale=scale, harmonics=1)
        np.testing.assert_allclose(row, fit, rtol=1e-5)
    pd.testing.assert_series_equal(found.real, judged(series, shift, scale=scale, harmonics=1))
    assert found.scale == scale
    assert found.skipped == {}


@pytest.mark.slow
@pytest.mark.parametrize(("frequency", "fewest"), [("Q", 4), ("Y", 3)])
def test_other_frequencies_have_placebo_dates_too(frequency, fewest):
    series = values(40).set_axis(pd.period_range("1980", periods=40, freq=frequency))
    found, middle = placebo_dates(series, PolicyShift("x", series.index[24])), series.index[11]
    assert found.placebo.index.equals(series.index[fewest : 24 - fewest + 1])
    fit = judged(series.iloc[:24], PolicyShift("x", middle))
    np.testing.assert_allclose(found.placebo.loc[middle], fit, rtol=1e-5)


def test_months_from_the_shift_on_do_not_reach_the_placebo_dates():
    series, changed = counts(), counts()
    changed.loc["2002-04":, "deaths"] *= 5
    early = replace(SHIFT, month="2002-04")
    one, other = placebo_dates(series, early), placebo_dates(changed, early)
    pd.testing.assert_frame_equal(other.placebo, one.placebo)
    assert other.real["level"] > one.real["level"] + 100


@pytest.mark.slow
def test_window_of_the_shift_is_what_is_asked():
    cut = placebo_dates(values(), replace(SHIFT, start="2000-06", end="2005-06"))
    same = placebo_dates(values().loc["2000-06":"2005-06"], SHIFT)
    pd.testing.assert_frame_equal(cut.placebo, same.placebo)
    pd.testing.assert_series_equal(cut.real, same.real)


@pytest.mark.slow
def test_shift_beside_enters_if_it_came_before_and_its_neighbours_are_no_placebos():
    series = values()
    early, late = PolicyShift("early", "2002-01"), PolicyShift("late", "2004-06")
    both = replace(SHIFT, beside=(early, late))
    found = placebo_dates(series, both)
    assert found.placebo.index.equals(series.index[[*range(12, 21), *range(28, 30)]])
    month, before = series.index[15], series.loc[:"2003-05"]
    fit = judged(before, PolicyShift("x", month, beside=early))
    np.testing.assert_allclose(found.placebo.loc[month], fit, rtol=1e-5)
    pd.testing.assert_series_equal(found.real, judged(series, both))


@pytest.mark.slow
def test_shift_of_unknown_month_is_judged_by_its_average():
    series, shift = values(), replace(SHIFT, month="2002-04", until="2002-07")
    found = placebo_dates(series, shift)
    pd.testing.assert_series_equal(found.real, judged(series, shift))
    assert found.placebo.index[-1] == pd.Period("2001-04", "M")


def test_rank_counts_those_at_least_as_large_on_either_side():
    assert placebos_of([-5, 2, 3, 4, -1], 3).rank.loc["slope"].tolist() == [4, 6, 4 / 6]
    assert placebos_of([-1, 2, 0, 1, -1], -3).rank.loc["level"].tolist() == [1, 6, 1 / 6]
    assert placebos_of([-5, 4, 6, 7, -8], -3).rank.loc["level"].tolist() == [6, 6, 1]


def test_each_estimand_has_its_own_rank():
    placebo = {"level": [1, 2, 3], "slope": [10, 20, 30], "effect_12m": [5, np.nan, 7]}
    rank = placebos_of(placebo, {"level": 2.5, "slope": 40, "effect_12m": 1}).rank
    assert rank["rank"].tolist() == [2, 1, 3]
    assert rank["of"].tolist() == [4, 4, 3]
    assert rank["p"].tolist() == [2 / 4, 1 / 4, 1]


@pytest.mark.parametrize("real", [100, -50])
def test_halving_and_doubling_are_equally_large_on_the_log_scale(real):
    rank = placebos_of([90, -47, 101, -50.1, 0], real, "log").rank  # doubling is +100%
    assert rank.loc["level"].tolist() == [3, 6, 3 / 6]


def test_estimand_without_an_estimate_has_no_rank():
    rank = placebos_of([1, 2], {"level": 3, "slope": np.nan, "effect_12m": 1}).rank
    assert rank.loc["slope"].isna().all()
    assert rank.drop("slope").notna().all(axis=None)
    level_only = placebo_dates(values(), replace(SHIFT, impact="level"))
    assert level_only.rank["p"].isna().tolist() == [False, True, False]


def test_effect_after_a_year_needs_a_year():
    found = placebo_dates(values(38), PolicyShift("x", "2002-06"))
    assert found.placebo.notna().all(axis=None)
    assert found.rank["p"].isna().tolist() == [False, False, True]


def test_own_states_are_no_placebos_and_states_without_deaths_are_named(sierra):
    states = set(OTHERS)
    assert SIERRA.places == ("MX08", "MX10", "MX25")
    assert set(sierra.placebo.index) == states - set(SIERRA.places) - set(sierra.skipped)
    assert not set(sierra.skipped) & set(SIERRA.places)
    assert "MX03" in sierra.skipped
    assert pd.Series(sierra.skipped).str.startswith("the log scale needs deaths").all()
    assert (sierra.rank["of"] == len(sierra.placebo) + 1).all()


def test_placebo_place_is_a_fit_of_its_series(sierra):
    for place in ("MX16", "MX32"):
        fit = judged(load_series("inegi", place=place), SIERRA)
        np.testing.assert_allclose(sierra.placebo.loc[place], fit, rtol=1e-5)
    own = load_series("inegi", place=SIERRA.places)
    np.testing.assert_allclose(sierra.real, judged(own, SIERRA), rtol=1e-5)


@pytest.mark.slow
def test_nation_is_set_beside_every_state():
    shift = SHIFTS["lopez-obrador-2018-12"]
    found = of_source("sesnsp", shift, others=None, scale="rate")
    assert len(found.placebo) == 32
    assert found.skipped == {}
    assert (found.rank["of"] == 33).all()
    np.testing.assert_allclose(found.real, judged(load_series("sesnsp"), shift, scale="rate"))


@pytest.mark.parametrize("use", sweep([placebo_dates, vary_window], 0))
def test_callers_frame_is_left_alone(use, monkeypatch):
    monkeypatch.setattr(placebos, "MOST_MONTHS", 0)
    monkeypatch.setattr(placebos, "LONGEST_TRANSITION", 1)
    series = counts()
    series.attrs["note"] = ["mine"]
    before = series.copy(deep=True)
    use(series, SHIFT)
    pd.testing.assert_frame_equal(series, before)
    assert series.attrs == {"note": ["mine"]}


@pytest.mark.parametrize(
    ("series", "shift", "options", "message"),
    [
        (values(), PolicyShift("x", "2001-11"), {}, "x: 22 periods before .* date: 12 are needed"),
        (counts(), SHIFT, {"scale": "value"}, "needs a column 'value'"),
        (counts().assign(deaths=0), SHIFT, {}, r"log scale needs deaths .* \['2000-01', '2000-02"),
        (values(), PolicyShift("x", "2010-01"), {}, "x: the shift at 2010-01 is outside"),
        (values(), SHIFT, {"harmonics": -1}, "whole number from 0 to 6; found -1"),
        (values()["value"], SHIFT, {}, "series must be a DataFrame; found pandas Series"),
    ],
)
def test_placebo_dates_refuse(series, shift, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        placebo_dates(series, shift, **options)


def test_place_of_the_shift_without_deaths_is_refused_and_the_rate_takes_it():
    shift = PolicyShift("x", "2006-12", places="MX31", end="2012-11")
    few = ["MX16", "MX31"]
    with pytest.raises(ValueError, match=r"log scale needs deaths .* \['2000-10', '2004-08'"):
        of_source("inegi", shift, few)
    assert [*of_source("inegi", shift, few, scale="rate").placebo.index] == ["MX16"]


def test_series_in_the_place_of_a_panel_is_refused():
    with pytest.raises(TypeError, match="panel must be a DataFrame; found 'inegi'"):
        placebo_places("inegi", counts(), SHIFT)
    with pytest.raises(TypeError, match="a single series goes to fit_its"):
        placebo_places(counts(), counts(), SHIFT)


SECOND = {
    "must be in order": lambda frame: frame.iloc[[0, 2, 1, *range(3, len(frame))]],
    "must be unique": lambda frame: frame.iloc[[0, 1, 1, *range(3, len(frame))]],
    "deaths must be whole numbers": lambda frame: frame.assign(deaths=frame["deaths"] + 0.5),
    "deaths must be finite": lambda frame: frame.assign(
        deaths=frame["deaths"].replace(305, np.nan)
    ),
    "person_years must be positive": lambda frame: frame.assign(person_years=0.0),
}


@pytest.mark.parametrize("message", SECOND)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_every_place_is_checked_not_the_first_of_those_alike_alone(message, order):
    sound = counts()
    faulty = SECOND[message](sound)
    assert not faulty.equals(sound)
    parts = [{"sound": sound}, {"faulty": faulty}]
    panel = pd.concat(parts[order[0]] | parts[order[1]])
    with pytest.raises(ValueError, match=f"^faulty: .*{message}"):
        placebo_places(panel, sound, SHIFT)


@pytest.mark.slow
def test_dates_in_months_that_do_not_vary_are_skipped_with_the_reason():
    months = pd.period_range("2000-01", periods=90, freq="M")
    value = np.r_[np.full(60, 5.0), 5 + np.random.default_rng(0).standard_normal(30)]
    found = placebo_dates(pd.DataFrame({"value": value}, months), PolicyShift("x", "2005-01"))
    assert found.placebo.empty
    assert len(found.skipped) == 60 - 24 + 1
    assert set(found.skipped.values()) == {"its months do not vary"}
    assert found.rank.loc["slope", "rank"] == 1
    assert found.rank.loc["slope", "of"] == 1
