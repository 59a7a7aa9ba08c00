"""Every line of pandas that a message advises makes a series of the same months, when it is run."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.its.series import check_frame, split_panel

MONTHS = pd.period_range("2003-01", periods=48, freq="M")
COUNTS = pd.DataFrame({"deaths": range(48), "person_years": 2e5}, index=MONTHS)
ROWS = COUNTS.reset_index(drop=True)
STAMPS = MONTHS.to_timestamp()
YEARS = pd.period_range("1955", periods=48, freq="Y")
QUARTERS = pd.period_range("2003Q1", periods=48, freq="Q")
DAYS = pd.period_range("2003-01-01", "2006-12-31", freq="D")
DAILY = pd.DataFrame({"deaths": 1, "person_years": 7e3}, index=DAYS)
FRAMES = {
    "dates": (COUNTS.set_axis(STAMPS), r"PeriodIndex\(frame\.index, freq='M'\)", MONTHS),
    "dates of a zone": (
        COUNTS.set_axis(STAMPS.tz_localize("UTC")),
        r"frame\.index\.astype\(str\)",
        MONTHS,
    ),
    "years as dates": (COUNTS.set_axis(YEARS.to_timestamp()), "freq='Y'", YEARS),
    "text": (COUNTS.set_axis(MONTHS.astype(str)), r"PeriodIndex\(frame\.index, freq='M'\)", MONTHS),
    "whole dates": (COUNTS.set_axis(STAMPS.strftime("%Y-%m-%d")), "freq='M'", MONTHS),
    "quarters": (COUNTS.set_axis(QUARTERS.astype(str)), "freq='Q'", QUARTERS),
    "whole years": (COUNTS.set_axis(YEARS.year), "freq='Y'", YEARS),
    "decimal years": (COUNTS.set_axis(YEARS.year.astype(float)), "freq='Y'", YEARS),
    "six digits": (COUNTS.set_axis(MONTHS.strftime("%Y%m").astype(int)), "freq='M'", MONTHS),
    "a column": (ROWS.assign(month=MONTHS.astype(str)), r"PeriodIndex\(frame\['month'\],", MONTHS),
    "a column of dates": (ROWS.assign(fecha=STAMPS), r"frame\['fecha'\]", MONTHS),
    "a column of years": (ROWS.assign(Year=YEARS.year), r"frame\['Year'\]", YEARS),
    "two columns": (ROWS.assign(year=MONTHS.year, month=MONTHS.month), "from_fields", MONTHS),
    "no dates": (ROWS.assign(state="MX01"), r"period_range\('2003-01'", MONTHS),
    "days": (DAILY.to_timestamp(), r"groupby.*'person_years': 'sum'", MONTHS),
    "days in a column": (DAILY.reset_index(names="day"), r"groupby.*'day'", MONTHS),
    "weeks": (DAILY.groupby(DAILY.index.asfreq("W")).sum(), "found W; use", None),
}


@pytest.mark.parametrize("name", FRAMES)
def test_advised_line_makes_the_months(name):
    frame, message, expected = FRAMES[name]
    with pytest.raises((TypeError, ValueError), match=message) as raised:
        check_frame(frame)
    made = eval(str(raised.value).partition("use ")[2], {"frame": frame, "pd": pd})
    index = check_frame(made).index
    assert expected is None or index.astype(str).tolist() == expected.astype(str).tolist()


def test_values_of_days_are_averaged_and_not_added():
    values = pd.DataFrame({"value": 2.0}, index=DAYS.to_timestamp())
    with pytest.raises(TypeError, match="'value': 'mean'"):
        check_frame(values)


@pytest.mark.parametrize("level", [STAMPS, MONTHS.astype(str)])
def test_advised_line_makes_the_months_of_a_panel(level):
    panel = pd.concat({"a": COUNTS.set_axis(level), "b": COUNTS.set_axis(level)})
    with pytest.raises(TypeError, match="second level must be months, found") as raised:
        split_panel(panel)
    exec(str(raised.value).partition("use ")[2], {"panel": panel, "pd": pd})
    assert list(split_panel(panel)) == ["a", "b"]
    with pytest.raises(TypeError, match="panel goes to fit_places"):
        check_frame(panel)


kinds = st.sampled_from([str, "category", object, "float32", "Int64", bool, complex, "string"])
years = st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=5)
indices = years.map(pd.Index) | st.lists(st.text(max_size=7), min_size=1, max_size=5).map(pd.Index)
indices |= years.map(lambda found: pd.PeriodIndex.from_ordinals(found, freq="M"))
indices |= st.lists(st.floats() | st.none(), min_size=1, max_size=5).map(pd.Index)


@given(index=indices, kind=kinds)
def test_any_index_and_any_kind_of_number_is_taken_or_answered(index, kind):
    frame = pd.DataFrame({"deaths": 1, "person_years": 9e4}, index=index)
    for each in (frame, frame.astype({"deaths": kind}), frame.reset_index(names="date")):
        refusal = None
        try:
            dtypes = check_frame(each).dtypes
        except (TypeError, ValueError) as error:
            refusal = str(error)
        if refusal is None:
            assert [str(dtype) for dtype in dtypes] in (["int64", "float64"], ["float64"] * 2)
        else:
            assert " must " in refusal


def test_columns_in_each_others_place_and_two_outcomes_are_told():
    mixed = COUNTS.rename(columns={"deaths": "person_years", "person_years": "deaths"}) + 1
    with pytest.raises(ValueError, match=r"person_years must not be below deaths \(are they mixed"):
        check_frame(mixed)
    with pytest.raises(TypeError, match=r"use frame.astype\({'deaths': float}\)"):
        check_frame(COUNTS.astype({"deaths": str}))
    many = COUNTS.assign(deaths=np.uint64(2**63 + 2**20), person_years=1e19)
    assert check_frame(many)["deaths"].eq(2.0**63 + 2**20).all()
