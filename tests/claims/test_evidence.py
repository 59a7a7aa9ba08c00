import pytest
from support.measured_claims import EVIDENCE

from analysis.claims.declared import HOMICIDE, WITH_FEMICIDE
from analysis.claims.evidence import DISCARDED, OCCURRED, REGISTERED
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
    assert rows[DISCARDED, 2009] == pytest.approx(1e5 * 19803 / 97.5e6)
    assert rows[DISCARDED, 2010] == pytest.approx(1e5 * 25757 / 112.3e6)


def test_years_still_being_registered_are_left_out():
    last = EVIDENCE.yearly.groupby(["source", "counted"])["year"].max()
    assert last["INEGI", OCCURRED] == 2021
    assert last["SESNSP", WITH_FEMICIDE] == 2024
