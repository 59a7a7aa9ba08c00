import numpy as np
import pandas as pd
import pytest
from support.forecast_series import counts
from support.measured_claims import EVIDENCE

from analysis import load_completeness, load_series
from analysis.claims import evidence
from analysis.claims.declared import HOMICIDE, WITH_FEMICIDE
from analysis.claims.evidence import OCCURRED, REGISTERED, SCALED, describe_known
from analysis.mexico.tables import load_table


@pytest.mark.parametrize(
    ("source", "counted", "year", "deaths"),
    [
        ("INEGI", OCCURRED, 2011, 27330),
        ("INEGI", REGISTERED, 2018, 36685),
        ("SESNSP", WITH_FEMICIDE, 2020, 35545),
        ("SESNSP", HOMICIDE, 2019, 34723),  # 35,693 less 970 of femicide
    ],
)
def test_yearly_deaths_are_the_publishers(source, counted, year, deaths):
    rows = EVIDENCE.yearly.query("source == @source and counted == @counted and year == @year")
    newest = rows[rows["vintage"] == rows["vintage"].max()]
    assert set(newest["deaths"]) == {deaths}


def test_rates_are_per_person_year_and_2020_has_366_days():
    population = load_table("population").set_index(["state", "year"])["population"]
    rows = EVIDENCE.yearly.query("counted == @REGISTERED").set_index(["population", "year"])["rate"]
    people = population["MX00", 2020] * 366 / 365.25
    assert rows["CONAPO", 2020] == pytest.approx(1e5 * 36773 / people, rel=1e-12)


def test_years_still_being_registered_are_left_out():
    last = EVIDENCE.yearly.groupby(["source", "counted"])["year"].max()
    assert last["INEGI", OCCURRED] == 2021
    assert last["SESNSP", WITH_FEMICIDE] == 2024


def test_observed_years_are_those_of_what_the_series_counts():
    sesnsp, inegi = (evidence.observed_years(EVIDENCE, name) for name in ("SESNSP", SCALED))
    assert sesnsp.index[-1] == 2024
    deaths, size = load_series("sesnsp", start="2020-01", end="2020-12").sum()
    assert deaths == 35_545
    assert sesnsp[2020] == pytest.approx(1e5 * 35_545 / size)
    assert inegi[2020] == pytest.approx(1e5 * 36_773 / size, rel=3e-4)
    assert inegi.index.tolist() == list(range(1990, 2025))
    own = evidence.yearly_rates(EVIDENCE.series[SCALED])  # one count for forecast and outcome
    pd.testing.assert_series_equal(own, inegi[own.index], rtol=3e-4, check_names=False)


@pytest.mark.parametrize(("source", "at"), [("sesnsp", "2021-04"), ("inegi", "2019-12")])
def test_last_months_are_as_complete_as_such_months_are_then(source, at):
    series = EVIDENCE.series[evidence.FORECAST[source]]
    known = evidence.freeze_source(series, source, pd.Period(at, "M"))
    shares = load_completeness(source)["share"].loc["MX00"]
    last = known.index[-len(shares) :]
    assert known["deaths"].drop(last).equals(series.loc[: last[0] - 1, "deaths"])
    kept = (known.loc[last, "deaths"] / series.loc[last, "deaths"]).to_numpy()
    assert kept / kept[0] == pytest.approx((shares / shares.iloc[0]).to_numpy(), abs=4e-4)
    same = source == "inegi"  # registered in the year: its total is known
    total = series.loc[last, "deaths"].sum()
    assert (abs(known.loc[last, "deaths"].sum() - total) <= 3) == same


def test_year_is_deaths_over_person_years_of_twelve_months():
    series = counts(30)
    series["person_years"] = np.linspace(1e6, 2e6, 30)
    rates = evidence.yearly_rates(series)
    assert rates.index.tolist() == [2015, 2016]
    deaths, size = series.loc["2016"].sum()
    assert rates[2016] == pytest.approx(1e5 * deaths / size)


def test_known_months_are_described_by_their_numbers():
    known = load_series("sesnsp", end="2021-04")
    said = describe_known(known, "sesnsp", "2021-05")
    assert "until 2021-04" in said
    assert f"76 months and {known['deaths'].sum():,} deaths." in said
    assert "of 2021-02 to 99.65% of 2021-04)" in said
    day = "The article's day is not known here: until about the 20th of 2021-05 only 2021-03"
    assert day in said


def test_source_that_comes_by_year_has_no_day_to_mind():
    said = describe_known(load_series("inegi", end="2019-12"), "inegi", "2021-05")
    assert "after it ends. The frozen series has 240 months" in said
    assert "deaths, scaled to the deaths registered in the year. Its last 12 months" in said
