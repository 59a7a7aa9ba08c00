import numpy as np
import pandas as pd
import pytest

from analysis.its.design import build_design, cut_window, first_position, outside_window, window_of
from analysis.its.shifts import PolicyShift

MONTHS = pd.period_range("2000-01", periods=6, freq="M")
LAW = PolicyShift("law", "2000-04")
TAX, WAR = PolicyShift("tax", "2000-03"), PolicyShift("war", "2000-02", impact="level")


def series(periods, freq="M"):
    index = pd.period_range("2000-01", periods=periods, freq=freq)
    return pd.DataFrame({"deaths": 9, "person_years": 1e5}, index=index)


def test_design_of_six_months_is_the_one_written_by_hand():
    high = 0.8660254037844386  # the sine of 60 degrees
    expected = {
        "const": [1, 1, 1, 1, 1, 1],
        "trend": [0, 1 / 12, 2 / 12, 3 / 12, 4 / 12, 5 / 12],
        "level": [0, 0, 0, 1, 1, 1],
        "slope": [0, 0, 0, 0, 1 / 12, 2 / 12],
        "sin1": [0.5, high, 1, high, 0.5, 0],
        "cos1": [high, 0.5, 0, -0.5, -high, -1],
    }
    design = build_design(MONTHS, LAW, harmonics=1)
    assert design.columns.tolist() == list(expected)
    assert pytest.approx(np.array(list(expected.values())), abs=1e-15) == design.to_numpy().T
    assert design.index.equals(MONTHS)


def test_quarters_follow_the_calendar():
    design = build_design(pd.period_range("2000Q2", periods=4, freq="Q"))
    expected = [[1] * 4, [0, 0.25, 0.5, 0.75], [0, -1, 0, 1], [-1, 0, 1, 0], [1, -1, 1, -1]]
    assert pytest.approx(np.array(expected), abs=1e-15) == design.to_numpy().T


@pytest.mark.parametrize("impact", ["level_and_slope", "level", "slope"])
def test_impact_decides_the_terms(impact):
    design = build_design(MONTHS, PolicyShift("law", "2000-04", impact=impact), harmonics=0)
    assert design.columns.tolist() == ["const", "trend", *impact.split("_and_")]


def test_harmonics_go_as_far_as_the_frequency():
    def season(freq, harmonics):
        design = build_design(series(48, freq).index, harmonics=harmonics)
        assert np.linalg.matrix_rank(design) == design.shape[1]
        return " ".join(design.columns[2:])

    assert season("M", 0) == season("Y", 2) == ""
    assert season("M", 2) == "sin1 cos1 sin2 cos2"
    assert season("M", 6) == "sin1 cos1 sin2 cos2 sin3 cos3 sin4 cos4 sin5 cos5 cos6"
    assert season("Q", 2) == season("Q", 3) == "sin1 cos1 cos2"


@pytest.mark.parametrize("harmonics", [-1, 1.0, "2", None, True])
def test_harmonics_must_be_a_whole_number(harmonics):
    with pytest.raises(ValueError, match="harmonics must be a whole number from 0 to 6; found"):
        build_design(MONTHS, harmonics=harmonics)


def test_shifts_beside_get_terms_of_their_own_unless_exchanged():
    shift = PolicyShift("law", "2000-04", beside=[TAX])
    design = build_design(MONTHS, shift, harmonics=1)
    terms = ["level", "slope", "level:tax", "slope:tax", "sin1", "cos1"]
    assert design.columns[2:].tolist() == terms
    assert design["level:tax"].tolist() == [0, 0, 1, 1, 1, 1]
    assert design["slope:tax"].tolist() == [0, 0, 0, 1 / 12, 2 / 12, 3 / 12]
    other = build_design(MONTHS, shift, harmonics=0, beside=[WAR])
    assert other.columns[2:].tolist() == ["level", "slope", "level:war"]
    pd.testing.assert_frame_equal(build_design(MONTHS, shift, beside=()), build_design(MONTHS, LAW))


def test_one_month_of_a_range_can_be_chosen():
    shift = PolicyShift("law", "2000-03", until="2000-05")
    assert build_design(MONTHS, shift)["level"].tolist() == [0, 0, 1, 1, 1, 1]
    design = build_design(MONTHS, shift, month=shift.months[-1])
    assert design["level"].tolist() == [0, 0, 0, 0, 1, 1]
    assert design["slope"].tolist() == [0, 0, 0, 0, 0, 1 / 12]


def test_first_treated_period_lies_wholly_under_the_policy():
    def first(freq, month):
        index, shift = series(120, freq).index, PolicyShift("law", month)
        treated = build_design(index, shift)["level"].eq(1).to_numpy().argmax()
        assert treated == first_position(index, shift.month)
        return str(index[treated])

    assert [first("Y", month) for month in ("2006-12", "2007-01", "2006Q4")] == ["2007"] * 3
    assert [first("Q", month) for month in ("2008-07", "2008-08")] == ["2008Q3", "2008Q4"]
    assert [first("M", month) for month in ("2008-07", "2008Q3")] == ["2008-07"] * 2


def test_window_is_a_copy_of_the_periods_that_lie_wholly_inside():
    def window(periods, freq, start, end):
        frame = series(periods, freq)
        part = cut_window(frame, PolicyShift("law", "2005-01", start=start, end=end))
        part.loc[:, "deaths"] = 0
        pd.testing.assert_frame_equal(frame, series(periods, freq))
        return f"{part.index[0]} {part.index[-1]}"

    assert window(120, "M", None, None) == window(120, "M", "1990", "2030") == "2000-01 2009-12"
    assert window(120, "M", "2003-02", "2007-11") == "2003-02 2007-11"
    assert window(120, "M", "2003", "2007") == "2003-01 2007-12"
    assert window(40, "Q", "2003-02", "2007-11") == "2003Q2 2007Q3"
    assert window(10, "Y", "2001-12", "2008-11") == "2002 2007"


@pytest.mark.parametrize(("freq", "fewest"), [("M", 6), ("Q", 3), ("Y", 3)])
def test_fewest_periods_on_either_side_are_enough(freq, fewest):
    frame = series(2 * fewest, freq)
    shift = PolicyShift("law", frame.index[fewest])
    assert len(cut_window(frame, shift)) == 2 * fewest
    for short in (frame.iloc[1:], frame.iloc[:-1]):
        with pytest.raises(ValueError, match=rf"^law: \d .* at least {fewest} are needed on eith"):
            cut_window(short, shift)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"month": "1999-12"}, "the shift at 1999-12 is outside the series.* 2000-01 to 2001-12"),
        ({"month": "2002-01"}, "the shift at 2002-01 is outside the series"),
        ({"month": "2000-01"}, "0 months before the shift and 24 from it on; at least 6 are need"),
        ({"month": "2001-01", "until": "2001-10"}, "12 months before the shift and 3 from it on"),
        ({"month": "2000-12", "start": "2000-09"}, "3 months before the shift and 13 from it on"),
        ({"month": "2000-12", "end": "2001-02"}, "11 months before the shift and 3 from it on"),
        ({"month": "2009-01", "start": "2008-01"}, "its window 2008-01 to the last holds nothing"),
    ],
)
def test_shift_that_the_series_cannot_carry_is_refused(fields, message):
    with pytest.raises(ValueError, match=f"^law: {message}"):
        cut_window(series(24), PolicyShift("law", **fields))


def test_window_checks_the_frame_first():
    with pytest.raises(ValueError, match=r"months must be consecutive; missing \['2000-03'\]"):
        cut_window(series(24).drop("2000-03"), PolicyShift("law", "2001-01"))


def beside(month, **fields):
    return PolicyShift("law", "2005-01", beside=PolicyShift("tax", month, **fields))


@pytest.mark.parametrize("month", ["2005-01", "2005-02", "2009-12", "2000-02"])
def test_shift_beside_that_no_data_tell_apart_is_named(month):
    told = rf"tax \({month}\), cannot be told apart from law \(2005-01\) in .* Correct a month"
    with pytest.raises(ValueError, match=f"^law: the shift beside it, {told}"):
        window_of(series(120), beside(month), 2)
    if month != "2005-01":
        window_of(series(120), beside(month, impact="level"), 2)


@pytest.mark.parametrize("month", ["1990-01", "2000-01", "2010-01", "2030-01"])
def test_shift_beside_that_begins_outside_the_window_has_no_columns_and_is_told(month):
    shift, index = beside(month), series(120).index
    pd.testing.assert_frame_equal(
        build_design(index, shift), build_design(index, PolicyShift("law", "2005-01"))
    )
    assert outside_window(index, shift) == [f"tax ({month})"]
    late = PolicyShift("law", "2005-01", omit=["2009-12:2010-02", "1999-12"])
    assert outside_window(index, late) == ["1999-12, 2010-01 to 2010-02"]


def test_season_and_terms_that_the_kept_periods_cannot_carry_are_told():
    year_round = [f"{year}-{month:02}" for year in range(2000, 2010) for month in range(1, 9)]
    shift = PolicyShift("law", "2005-01", omit=year_round)
    with pytest.raises(ValueError, match=r"keeps too little of the year for 6 pairs of waves"):
        window_of(series(120), shift, 6)
    short = PolicyShift("law", "2005-01", start="2004-06", end="2005-07")
    with pytest.raises(ValueError, match=r"keeps 14 periods for 15 terms .* use fewer harmonics"):
        window_of(series(120), short, 6)
