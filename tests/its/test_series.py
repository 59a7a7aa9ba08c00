import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.its.series import check_frame, choose_scale, outcome, periods_per_year

INDEX = pd.period_range("2003-01", periods=8, freq="M", name="month")
COUNTS = pd.DataFrame({"deaths": range(8), "person_years": 200_000}, index=INDEX)
VALUES = pd.DataFrame({"value": range(-4, 4)}, index=INDEX)


def at(freq):
    return COUNTS.set_axis(pd.period_range("2003-01", periods=8, freq=freq))


@pytest.mark.parametrize(
    "frame",
    [COUNTS, VALUES, VALUES / 3, at("Q"), at("Q-JAN"), at("Y"), at("Y-JUN")]
    + [
        COUNTS.astype(dtype)
        for dtype in ("uint32", "int8", "float32", "float64", "Int64", "Float64")
    ],
)
def test_sound_series_is_returned_as_it_is(frame):
    before = frame.copy()
    found = check_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(found, frame, check_dtype=False)
    assert {str(dtype) for dtype in found.dtypes} <= {"int64", "float64"}


def test_periods_per_year_are_those_of_the_calendar():
    assert [periods_per_year(at(freq).index) for freq in ("M", "Q-JAN", "Y-JUN")] == [12, 4, 1]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (COUNTS["deaths"], "series must be a DataFrame; found pandas Series"),
        (COUNTS.to_timestamp(), r"series must have a PeriodIndex .* found Dat.*use"),
        (at("W"), "series must have a PeriodIndex of months, quarters or years; found W; use"),
        (at("2M"), "series must have a PeriodIndex of months, quarters or years; found 2M; use"),
        (COUNTS.reset_index(drop=True), "series must have a PeriodIndex .* found RangeIndex"),
        (COUNTS.astype(str), "deaths must be numbers; found str"),
        (COUNTS.astype({"person_years": object}), "person_years must be numbers; found object"),
        (COUNTS.assign(deaths=True), "deaths must be numbers; found bool"),
        (VALUES.astype("timedelta64[s]"), "value must be numbers; found timedelta"),
    ],
)
def test_wrong_type_is_named(frame, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        check_frame(frame)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (COUNTS.iloc[:0], "series is empty"),
        (COUNTS.set_axis([pd.NaT, *INDEX[1:]]), "periods must not be missing; found NaT"),
        (COUNTS.iloc[[0, 1, 1, 2]], r"periods must be unique; \['2003-02'\] appear more than once"),
        (COUNTS.iloc[::-1], r"periods must be in order; use frame\.sort_index\(\)"),
        (COUNTS.iloc[[0, 2, 4]], r"months must be .* missing \['2003-02', '2003-04'\]\. Reindex"),
        (at("Q").iloc[[0, 1, 3]], r"quarters must be consecutive; missing \['2003Q3'\]"),
        (at("Y").iloc[[0, 7]], r"years must be consecutive; missing \['2004', .*, '2009'\]"),
        (COUNTS[["deaths"]], r"series needs .* 'person_years', or 'value'; found \['deaths'\]"),
        (COUNTS.iloc[:, [0, 0, 1]], r"columns must be unique; \['deaths'\] appear twice"),
        (COUNTS - [1, 0], r"deaths must not be negative; found \[-1\] in \['2003-01'\]"),
        (COUNTS / [2, 1], r"deaths must be whole numbers; found \[0\.5, 1\.5, 2\.5\] in .*03-02"),
        (COUNTS.replace(2, np.nan), r"deaths must be finite and not missing;.* \['2003-03'\]"),
        (COUNTS.astype("Int64").replace(2, pd.NA), "deaths must be finite and not missing"),
        (COUNTS * [1, 0], r"person_years must be positive; found \[0, 0, 0\] .* and 2 more"),
        (COUNTS * [1, np.inf], "person_years must be finite and not missing"),
        (VALUES.replace(0, np.nan), r"value must be finite and not .* in \['2003-05'\]"),
    ],
)
def test_series_that_cannot_be_true_is_refused(frame, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        check_frame(frame)


runs = st.integers(-99, 99).map(lambda first: range(first, first + 4))
ordinals = runs | st.lists(st.integers(-2, 3), min_size=4, max_size=4)
indices = st.builds(pd.PeriodIndex.from_ordinals, ordinals, freq=st.sampled_from("MMQYWD"))
hole = pd.PeriodIndex(["2000-01", None, "2000-03", "2000-04"], freq="M")
indices |= st.sampled_from([hole, hole.to_timestamp(), pd.RangeIndex(4)])
hostile = st.integers(0, 9) | st.sampled_from([-1, 0.5, np.nan, np.inf, None, True, "1"])
cells = st.lists(st.integers(0, 3), min_size=4, max_size=4)
cells |= st.lists(hostile, min_size=4, max_size=4)
cells |= st.sampled_from(["Int64", "category"]).map(lambda t: pd.array([1, 0, None, 2], dtype=t))
columns = st.lists(st.tuples(st.sampled_from(["value", "other"]), cells), max_size=2)
columns |= st.tuples(st.tuples(st.just("deaths"), cells), st.tuples(st.just("person_years"), cells))


@given(index=indices, columns=columns)
def test_random_frame_is_sound_or_answered_with_a_message(index, columns):
    parts = [pd.Series(values, index, name=name) for name, values in columns]
    frame = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=index)
    refusal = None
    try:
        pd.testing.assert_frame_equal(check_frame(frame), frame, check_dtype=False)
    except (TypeError, ValueError) as error:
        refusal = str(error)
    if refusal is not None:
        assert " must " in refusal or " needs " in refusal
        return
    assert index.freqstr[0] in "MQY"
    assert np.diff(index.asi8).tolist() == [1, 1, 1]
    used = frame.drop(columns="other", errors="ignore").astype(float)
    assert np.isfinite(used).all(axis=None)
    if "deaths" in used:
        assert used["deaths"].isin(range(10)).all()
        assert used["person_years"].gt(0).all()


@pytest.mark.parametrize(
    ("frame", "scale", "message"),
    [
        (COUNTS.assign(value=1), None, "series has deaths and person_years, and 'value' beside"),
        (COUNTS, "value", "scale 'value' needs a column 'value'; found"),
        (VALUES, "log", "scale 'log' needs 'deaths' and 'person_years'; found"),
    ],
)
def test_scale_that_does_not_fit_the_frame_is_refused(frame, scale, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        choose_scale(frame, scale)


def test_period_without_deaths_is_kept_from_the_log_scale_by_name():
    message = r"^the log scale needs deaths in every period; none in \['2003-01'\]"
    with pytest.raises(ValueError, match=message):
        choose_scale(COUNTS, "log")
    assert choose_scale(COUNTS[1:], "log") == choose_scale(COUNTS, "log", empty=True) == "log"


def test_outcome_is_the_rate_per_100000_its_log_or_the_value():
    assert (choose_scale(COUNTS[1:], None), choose_scale(VALUES, None)) == ("log", "value")
    assert choose_scale(COUNTS, "rate") == "rate"
    assert outcome(COUNTS, "rate").tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]
    assert outcome(COUNTS.iloc[[2, 4]], "log") == pytest.approx([0, 0.6931471805599453], abs=1e-15)
    assert outcome(VALUES, "value").tolist() == [-4, -3, -2, -1, 0, 1, 2, 3]
