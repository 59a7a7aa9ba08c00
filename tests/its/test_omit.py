"""Periods left out: the same as periods never seen."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from support.declared import SHIFTS
from support.independent import effect_rows, monthly_values, noise, segmented_design
from support.independent_gaps import fit_seen
from support.sweeps import sweep

from analysis import PolicyShift, compare_estimators, fit_its, load_series
from analysis.engine.counts import split_noises, working_response
from analysis.its.comparison import ESTIMATORS
from analysis.its.design import build_design
from analysis.its.flags import find_flags
from analysis.its.model import prepare_model

SHIFT = PolicyShift("reform", "2003-06")  # position 41
OUT = ["2001-03", "2003-08", "2003-09"]
AT = [14, 43, 44]
VALUES = monthly_values(10 + noise(84, seed=5, rho=0.6))
RNG = np.random.default_rng(3)
COUNTS = pd.DataFrame({"deaths": RNG.poisson(400, 84), "person_years": 2e5}, index=VALUES.index)


def months(*texts):
    return tuple(pd.Period(text, "M") for text in texts)


def flags_of(result):
    """The flags but those of the date and of the estimators, which look at the whole again."""
    return list(find_flags(result._model, result._mixture))


def changed(frame, value):
    frame = frame.copy()
    frame.loc[months(*OUT), frame.columns[0]] = value
    return frame


@cache
def without_values():
    return fit_its(changed(VALUES, np.nan), SHIFT)


WAYS = {
    "rows that are not there": lambda: fit_its(VALUES.drop(list(months(*OUT))), SHIFT),
    "omit of the call": lambda: fit_its(VALUES, SHIFT, omit=OUT),
    "omit of the shift": lambda: fit_its(VALUES, replace(SHIFT, omit=OUT)),
    "a range": lambda: fit_its(VALUES, SHIFT, omit=["2003-08:2003-09", "2001-03"]),
    "some of each": lambda: fit_its(VALUES, replace(SHIFT, omit=OUT[0]), omit="2003-08:2003-09"),
    "twice": lambda: fit_its(VALUES, replace(SHIFT, omit=OUT), omit=OUT),
    "missing and omitted": lambda: fit_its(changed(VALUES, np.nan), SHIFT, omit=OUT[0]),
}


@pytest.mark.parametrize("way", sweep(WAYS, 0, 4, 6))
def test_every_way_to_leave_months_out_is_the_same(way):
    found, expected = WAYS[way](), without_values()
    pd.testing.assert_frame_equal(found.effects, expected.effects, rtol=1e-9)
    pd.testing.assert_frame_equal(found.memory, expected.memory, rtol=1e-9)
    pd.testing.assert_series_equal(found.fitted, expected.fitted, rtol=1e-9)
    assert found.shift.omit == months(*OUT)
    assert found.series.index.equals(VALUES.index)


@pytest.mark.slow
def test_months_left_out_are_months_never_seen():
    """Against the covariance of the other months alone; the months stay where they are in time."""
    X, keep = segmented_design(84, 41), ~np.isin(np.arange(84), AT)
    rows = effect_rows(4)
    rows = np.vstack([rows, rows[1] + rows[4]])
    frame = changed(VALUES, 14)
    expected = fit_seen(frame["value"].to_numpy(), X, rows, keep, after=41).summary()
    found = fit_its(frame, SHIFT, harmonics=0, omit=OUT).effects.to_numpy()
    width = np.append(np.tile((expected[:, 2] - expected[:, 1])[:, None], 3), np.ones((6, 1)), 1)
    assert (abs(found - expected) / width).max() < 5e-3
    whole = fit_its(frame, SHIFT, harmonics=0).effects.to_numpy()
    assert (abs(whole - expected) / width).max() > 0.1


@pytest.mark.parametrize("number", sweep([1, 40_000], 1))
def test_effects_are_the_same_whatever_number_stands_in_a_month_left_out(number):
    expected, found = (fit_its(f, SHIFT, omit=OUT) for f in (COUNTS, changed(COUNTS, number)))
    pd.testing.assert_frame_equal(found.effects, expected.effects, rtol=1e-8, atol=1e-9)
    pd.testing.assert_frame_equal(found.memory, expected.memory, rtol=1e-6)
    known = [name for name in ESTIMATORS if name not in ("arima", "structural")]  # these search
    compared = [
        compare_estimators(each.series, each.shift, estimators=known).drop(columns="note")
        for each in (expected, found)
    ]
    pd.testing.assert_frame_equal(compared[1], compared[0], rtol=1e-6, atol=1e-6)
    names = [[flag.name for flag in flags_of(result)] for result in (expected, found)]
    assert names[0] == names[1]


def test_month_without_deaths_that_is_left_out_keeps_the_log_scale():
    empty = changed(COUNTS, 0)
    found, expected = (fit_its(frame, SHIFT, omit=OUT) for frame in (empty, COUNTS))
    assert (found.scale, found._model.counted) == ("log", False)
    pd.testing.assert_frame_equal(found.effects, expected.effects, rtol=1e-9)


def test_every_month_left_out_has_a_column_of_its_own():
    design = build_design(VALUES.index, replace(SHIFT, omit="2003-08:2003-09"), harmonics=0)
    assert design.columns.tolist()[-2:] == ["omit:2003-08", "omit:2003-09"]
    assert design["omit:2003-08"].to_numpy().nonzero()[0].tolist() == [43]
    assert design["omit:2003-08"].sum() == 1
    given = build_design(VALUES.index, SHIFT, harmonics=0, omit=months("2000-01"))
    assert given.columns[-1] == "omit:2000-01"


def test_periods_to_leave_out_are_read_as_months_and_ranges():
    shift = PolicyShift("x", "2003-06", omit=["2003-01:2003-03", "2001-05", pd.Period("2003-02")])
    assert shift.omit == months("2001-05", "2003-01", "2003-02", "2003-03")
    assert PolicyShift("x", "2003-06", omit="2001-05").omit == months("2001-05")
    assert PolicyShift("x", "2003-06").omit == ()


@pytest.mark.parametrize(
    ("omit", "message"),
    [
        ("2003-03:2003-01", "x: the range '2003-03:2003-01' to omit ends before it begins"),
        ("2003-01:2003-02:2003-03", r"x: omit takes periods and ranges such as .*2003-03'"),
        ("2003-01:2003Q2", r"x: omit takes periods and ranges such as '2007-01:2007-02'; found"),
        ("2003-13", "x: omit must be a month, quarter or year .* found '2003-13'"),
        (["2003-01", 2003], "x: omit must be a month, quarter or year .* found 2003"),
        ("2003-01:", "x: omit must be a month, quarter or year .* found ''"),
    ],
)
def test_ranges_that_cannot_be_are_refused(omit, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        PolicyShift("x", "2003-06", omit=omit)
    with pytest.raises(ValueError, match="^reform" + message[1:]):
        fit_its(VALUES, SHIFT, omit=omit)


def test_months_outside_the_window_change_nothing():
    found = fit_its(VALUES, SHIFT, omit=["1999-01", "2030-01:2030-05"])
    pd.testing.assert_frame_equal(found.effects, fit_its(VALUES, SHIFT).effects)
    assert not prepare_model(VALUES, found.shift).omitted.any()


def test_fewest_months_count_without_those_left_out():
    frame, shift = VALUES.iloc[:18], PolicyShift("x", "2000-09")  # 8 before, 10 from it on
    assert fit_its(frame, shift, harmonics=0, omit=["2000-02", "2000-03"]).n_before == 8
    with pytest.raises(ValueError, match="x: 5 months before the shift and 10 from it on; at le"):
        fit_its(frame, shift, harmonics=0, omit="2000-02:2000-04")
    missing = frame.drop(frame.index[12:17])
    with pytest.raises(ValueError, match="x: 8 months before the shift and 5 from it on; at leas"):
        fit_its(missing, shift, harmonics=0)


def test_few_months_are_flagged_without_those_left_out():
    shift = PolicyShift("x", "2002-01")  # 24 before
    fits = [fit_its(VALUES, shift, omit=out) for out in ((), OUT)]
    names = [{flag.name for flag in flags_of(fit)} for fit in fits]
    assert ["few_months_before" in name for name in names] == [False, True]


@pytest.mark.parametrize("omit", sweep(["2005-02", "2005-01:2005-03"], 0))
def test_quarter_that_a_month_left_out_touches_is_left_out(omit):
    frame = monthly_values(noise(60, seed=4), "1998Q1", "Q")
    shift = PolicyShift("x", "2004-01")
    found = fit_its(frame, shift, omit=omit)
    pd.testing.assert_frame_equal(found.effects, fit_its(frame, shift, omit="2005Q1").effects)
    missing = frame.drop(pd.Period("2005Q1", "Q"))
    pd.testing.assert_frame_equal(found.effects, fit_its(missing, shift).effects, rtol=1e-9)
    assert np.flatnonzero(prepare_model(frame, found.shift).omitted).tolist() == [28]


def few_deaths():
    """Few a month, none in 2001-03 and none in an ordinary month."""
    frame = COUNTS.assign(deaths=np.random.default_rng(8).poisson(7, 84) + 1)
    frame.loc[months("2001-03", "2002-02"), "deaths"] = 0
    return frame


def test_month_of_zero_deaths_left_out_is_skipped_by_the_model_of_counts():
    """The recursion goes on without the month's update: its deaths say nothing."""
    frame = few_deaths()
    found = fit_its(frame, SHIFT, omit="2001-03", harmonics=0)
    assert found._model.counted
    deaths, exposure = frame["deaths"].to_numpy(float), np.full(84, 2.0)
    X, seen = segmented_design(84, 41), np.arange(84) != 14
    response, variance = working_response(deaths, X, exposure, 41, seen)
    assert np.isinf(variance[14])
    assert np.isfinite(variance[seen]).all()
    rows = effect_rows(4)
    mixture = split_noises(response[:, None], variance[:, None], X, rows, after=41)[0]
    expected = 100 * np.expm1(mixture.quantile(0.5)[0])
    np.testing.assert_allclose(found.effects["estimate"].iloc[:5], expected, rtol=1e-3, atol=1e-2)
    for deaths in (3, 500):
        other = frame.copy()
        other.loc["2001-03", "deaths"] = deaths
        again = fit_its(other, SHIFT, omit="2001-03", harmonics=0).effects
        pd.testing.assert_frame_equal(again, found.effects, rtol=1e-9)
    kept = fit_its(frame, SHIFT, harmonics=0).effects
    assert abs(kept - found.effects).loc["slope", "estimate"] > 0.05


def test_count_models_drop_the_months_left_out():
    whole = compare_estimators(COUNTS, replace(SHIFT, omit=OUT), estimators=["quasi_poisson"])
    other = changed(COUNTS, 90_000)
    again = compare_estimators(other, replace(SHIFT, omit=OUT), estimators=["quasi_poisson"])
    pd.testing.assert_frame_equal(again, whole, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", sweep(["forecast", "segmented"], 0))
def test_excess_leaves_them_out(kind):
    frames = COUNTS, changed(COUNTS, 9_000)
    one, other = (
        fit_its(frame, SHIFT, omit=OUT).excess(12, kind=kind, draws=500) for frame in frames
    )
    pd.testing.assert_frame_equal(other, one, rtol=1e-6)
    result = fit_its(COUNTS, SHIFT, omit=OUT)
    expected = result.counterfactual(kind, draws=500)
    assert expected.loc[months(*OUT), ["expected", "low", "high"]].isna().all(axis=None)
    told = expected.drop(list(months(*OUT)))
    assert told.loc[SHIFT.month if kind == "forecast" else told.index[0] :].notna().all(axis=None)
    part = COUNTS.iloc[41:53].drop(list(months(*OUT[1:])))
    per_100k, deaths = one.loc["per_100k"], one.loc["deaths"]
    np.testing.assert_allclose(per_100k, deaths / (part["person_years"].sum() / 1e5), rtol=1e-12)
    ends = np.sort(part["deaths"].sum() / (1 + one.loc["percent"] / 100))  # what was expected
    np.testing.assert_allclose(ends, np.sort(part["deaths"].sum() - deaths), rtol=1e-9)


def test_declared_holes_of_the_source_move_calderons_row():
    """The contract's figures: level -19.6% with the two months and -7.8% without."""
    series, shift = load_series("inegi"), SHIFTS["calderon-2006-12"]
    assert shift.omit == months("2007-01", "2007-02")
    named = {"level": [-7.8, -22.3, 9.4], "slope": [17.9, 0.9, 36.2]}
    named["effect_24m"] = [28.0, -9.4, 77.9]
    found = fit_its(series, shift).effects
    for name, numbers in named.items():
        np.testing.assert_allclose(found.loc[name].iloc[:3], numbers, atol=0.06)
    whole = fit_its(series, replace(shift, omit=())).effects
    logs = {"level": [-0.218586, -0.399691, -0.032511], "slope": [0.190385, 0.036415, 0.333203]}
    logs["effect_24m"] = [0.161593, -0.183819, 0.493349]
    for name, numbers in logs.items():
        near = 1e-3 * (numbers[2] - numbers[1])
        np.testing.assert_allclose(np.log1p(whole.loc[name].iloc[:3] / 100), numbers, atol=near)


def test_missing_months_of_counts_stay_an_error_that_names_omit():
    with pytest.raises(ValueError, match=r"missing \['2001-03'\]. Reindex .* leave .* with omit"):
        fit_its(COUNTS.drop(months("2001-03")[0]), SHIFT, omit="2001-03")
    with pytest.raises(ValueError, match="every value is missing"):
        fit_its(VALUES * np.nan, SHIFT)


def test_missing_values_beside_counts_are_left_out_and_missing_counts_name_the_cure():
    both = COUNTS.assign(value=VALUES["value"].to_numpy()[: len(COUNTS)])
    both.loc["2001-05", "value"] = np.nan
    alone = both[["value"]]
    expected = fit_its(alone, SHIFT, scale="value").effects
    pd.testing.assert_frame_equal(fit_its(both, SHIFT, scale="value").effects, expected)
    counts = COUNTS.astype(float)
    counts.loc["2001-05", "deaths"] = np.nan
    with pytest.raises(ValueError, match=r"\['2001-05'\].*leave the period out with omit"):
        fit_its(counts, SHIFT)
