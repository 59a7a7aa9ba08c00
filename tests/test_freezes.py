import pandas as pd
import pytest
from forecast_series import counts

from analysis import load_series, sources
from analysis.freezes import freeze, freeze_month

AT = "2021-04"


@pytest.mark.parametrize(
    ("source", "published", "last"),
    [
        ("sesnsp", "2021-05", "2021-04"),
        ("sesnsp", "2021-01", "2020-12"),
        ("inegi", "2021-05", "2019-12"),
        ("inegi", "2020-10", "2019-12"),
        ("inegi", "2020-09", "2018-12"),
    ],
)
def test_source_is_frozen_at_what_was_published(source, published, last):
    assert freeze_month(source, published) == pd.Period(last, "M")
    assert freeze_month(source, pd.Period(published, "M")) == pd.Period(last, "M")


def test_freeze_keeps_the_months_until_then_and_copies():
    series = load_series("sesnsp")
    before = series.copy(deep=True)
    known = freeze(series, at=AT)
    pd.testing.assert_frame_equal(known.loc[:"2020-06"], series.loc[:"2020-06"])
    pd.testing.assert_series_equal(known["deaths"], series.loc[:AT, "deaths"])
    carried = known["person_years"] / series.loc[:AT, "person_years"] - 1
    assert 0 < carried.abs().max() < 0.002
    known.loc[AT, "deaths"] = 0
    pd.testing.assert_frame_equal(series, before)


@pytest.mark.parametrize(
    ("frame", "at", "message"),
    [
        (counts(), "2014-12", "freeze at 2014-12 is outside the series, 2015-01 to 2021-12"),
        (counts(), "2022-01", "outside the series"),
        (counts(), "May 21st", "at must be a month like '2021-05'; found 'May 21st'"),
        (counts(), "2017-11", "35 months until 2017-11 are too few .* at least 36"),
        (counts().assign(deaths=[0, *[5] * 83]), AT, r"log scale needs deaths .* \['2015-01'\]"),
        (counts().drop(columns="person_years"), AT, "needs the columns"),
        (counts().assign(value=1.0)[["value"]], AT, "months with the columns 'deaths'"),
        (counts().drop(pd.Period("2016-03", "M")), AT, r"missing \['2016-03'\]"),
        (counts().set_axis(pd.period_range("1900", periods=84, freq="Y")), AT, "needs months"),
        (counts()["deaths"], AT, "must be a DataFrame, found Series"),
    ],
)
def test_freeze_refuses(frame, at, message):
    with pytest.raises((TypeError, ValueError), match=message):
        freeze(frame, at=at)


def test_unknown_source_is_named():
    with pytest.raises(KeyError, match="Did you mean 'inegi'"):
        freeze_month("inegy", "2021-05")


@pytest.mark.parametrize(("source", "at"), [("sesnsp", "2021-04"), ("inegi", "2019-12")])
def test_no_population_of_a_later_mid_year_is_seen(monkeypatch, source, at):
    before = freeze(load_series(source), at=at)
    later = int(at[:4]) + (at[5:] > "06")
    population = sources.load_table("population")
    population.loc[population["year"] >= later, "population"] *= 2
    real = sources.load_table
    monkeypatch.setattr(
        sources, "load_table", lambda name: population if name == "population" else real(name)
    )
    sources._monthly_population.cache_clear()
    try:
        planted = load_series(source)
        raw = planted.loc[:at, "person_years"]
        found = freeze(planted, at=at)
    finally:
        sources._monthly_population.cache_clear()
    assert (raw / before["person_years"]).max() > 1.3  # the plant reached the months before
    pd.testing.assert_frame_equal(found, before)
