import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from support.declared import SHIFTS

from analysis import fit_its, load_completeness, load_series, load_states
from analysis.its.flags import find_flags
from analysis.mexico.record import (
    ALIKE,
    YEARLY,
    YEARLY_NATION,
    complete_through,
    estimate_shares,
    months_complete,
)
from analysis.mexico.tables import load_table

MONTHS = pd.period_range("2020-01", periods=12, freq="M")


def flags_of(series, shift):
    result = fit_its(series, shift)
    return {flag.name: flag for flag in find_flags(result._model, result._mixture)}


@pytest.fixture(scope="module")
def registration():
    """Missing and known deaths of 1992-2007 by year, state and month, a year after each ended."""
    table = load_table("inegi_registration")
    table = table[table["state"] != "abroad"]
    when = table["month"].str.split("-", expand=True).astype(int)
    table = table.assign(year=when[0], of_year=when[1], lag=table["registered"] - when[0])
    keys = ["year", "state", "of_year"]
    states = sorted(table["state"].unique())
    every = pd.MultiIndex.from_product([range(1992, 2008), states, range(1, 13)], names=keys)
    missing, known = (
        table[table["lag"].isin(lags)].groupby(keys)["deaths"].sum().reindex(every, fill_value=0)
        for lags in ([1], [0, 1])
    )
    return missing.unstack("of_year"), known.unstack("of_year")


def expect_missing(registration, year, alike):
    """The shape before yearly change, and how many deaths of `year` are still to come."""
    (late, known), (late_now, known_now) = (
        [part.loc[y] for part in registration] for y in (year - 1, year)
    )
    pattern = (late.sum() / known.sum()).to_numpy()
    certain = alike + late.sum(axis=1)
    factor = certain / (alike + (known * pattern).sum(axis=1))
    share = np.minimum(np.outer(factor, pattern), 0.9)
    due = ((known_now - late_now) * share / (1 - share)).sum(axis=1)
    return certain, due, late_now.sum(axis=1)


@pytest.mark.slow
def test_constants_are_those_that_the_registration_of_1992_to_2007_makes_likeliest(registration):
    def unlikely(logs):
        alike, yearly = np.exp(logs)
        total = 0.0
        for year in range(1993, 2008):
            certain, due, found = expect_missing(registration, year, alike)
            shape = 1 / (1 / certain + yearly**2)
            total -= stats.nbinom.logpmf(found, shape, shape / (shape + due)).sum()
        return total

    best = optimize.minimize(unlikely, np.log([3, 0.3]), method="Nelder-Mead").x
    assert np.exp(best) == pytest.approx([ALIKE, YEARLY], rel=0.02)


def test_yearly_change_of_the_nation_is_that_of_1993_to_2007(registration):
    late, known = (part.groupby("year").sum() for part in registration)
    logs, counting = [], []
    for year in range(1993, 2008):
        share = late.loc[year - 1] / known.loc[year - 1]
        due = ((known - late).loc[year] * share / (1 - share)).sum()
        logs.append(np.log(late.loc[year].sum() / due))
        counting.append(1 / late.loc[year - 1].sum() + 1 / late.loc[year].sum())
    beyond = np.mean(np.square(logs)) - np.mean(counting)
    assert np.sqrt(beyond) == pytest.approx(YEARLY_NATION, abs=0.01)


def test_intervals_hold_what_came_in_a_year_later(registration):
    inside = []
    for year in range(1993, 2008):
        certain, due, found = expect_missing(registration, year, ALIKE)
        shape = 1 / (1 / certain + YEARLY**2)
        low, high = (
            stats.nbinom.ppf(tail, shape, shape / (shape + due)) for tail in (0.025, 0.975)
        )
        inside.append((found >= low) & (found <= high))
    assert np.mean(inside) == pytest.approx(0.97, abs=0.005)  # of 480 states and years


def test_shares_are_those_worked_by_hand():
    later = pd.DataFrame({"A": [100] * 12, "B": [300] * 12}, MONTHS)
    first = later.copy()
    first.loc["2020-12"] = [80, 280]
    shares = estimate_shares(first, later, "all")
    assert list(shares.index.unique("place")) == ["all", "A", "B"]
    assert shares.loc[("all", 12), "share"] == pytest.approx(1 - 40 / 400)
    # A lacks 20 where the nation's tenth makes 10 due, B 20 where 30 are
    assert shares.loc[("A", 12), "share"] == pytest.approx(1 - 0.1 * (ALIKE + 20) / (ALIKE + 10))
    assert shares.loc[("B", 12), "share"] == pytest.approx(1 - 0.1 * (ALIKE + 20) / (ALIKE + 30))
    assert (shares.loc["A"].iloc[:11] == 1).all(axis=None)
    assert (shares["low"] <= shares["share"]).all()
    assert (shares["share"] <= shares["high"]).all()
    assert months_complete(shares).to_dict() == {"all": 11, "A": 11, "B": 11}
    with pytest.raises(ValueError, match="a later release has fewer deaths"):
        estimate_shares(later, first, "all")


@pytest.mark.slow
def test_completeness_of_the_nation_is_what_two_releases_say_of_2021():
    municipal = load_table("municipal_deaths")
    first = municipal[municipal["year"] == 2021].groupby("month")["homicides"].sum()
    later = load_states("inegi", complete_only=False)["deaths"].groupby("month").sum()["2021"]
    nation = load_completeness("inegi").loc["MX00"]
    assert nation["share"].to_numpy() == pytest.approx(first.to_numpy() / later.to_numpy())
    percent = (100 * nation["share"]).round(1).to_list()
    assert percent[:5] == [99.1, 99.2, 99.0, 98.9, 99.3]
    assert percent[9:] == [97.6, 94.9, 93.5]
    assert [str(month) for month in nation.index[[0, -1]]] == ["2022-01", "2022-12"]
    assert nation["deaths"].sum() == 31048
    assert (nation["deaths"] / nation["share"]).sum() == pytest.approx(31721, abs=1)


def test_states_end_where_their_own_months_are_complete():
    last = complete_through("inegi").astype(str)
    assert last["MX00"] == "2022-06"
    short = last[last != "2022-06"].to_dict()
    # Baja California Sur, Mexico City, Durango and Tamaulipas have fallen against SESNSP
    assert {place for place in short if short[place] == "2021-12"} == {
        "MX03", "MX09", "MX10", "MX21", "MX28"
    }  # fmt: skip
    assert short["MX02"] == short["MX14"] == "2022-02"
    assert len(short) == 10
    assert set(complete_through("sesnsp").astype(str)) == {"2025-06"}
    assert str(load_series("inegi", place="MX21").index[-1]) == "2021-12"
    assert str(load_series("inegi", place=["MX01", "MX14"]).index[-1]) == "2022-02"


def test_completed_months_have_their_deaths_divided_by_the_share():
    given, completed = (
        load_series("inegi", place="MX14", **options)["deaths"]
        for options in ({"complete_only": False}, {"completed": True})
    )
    share = load_completeness("inegi").loc["MX14", "share"]
    assert completed["2022-12"] == round(given["2022-12"] / share["2022-12"])
    assert completed["2022-12"] > given["2022-12"]
    pd.testing.assert_series_equal(completed[:"2021-12"], given[:"2021-12"])
    assert completed.dtype == given.dtype


def test_the_last_month_of_sesnsp_is_provisional_and_flagged_in_sheinbaums_window():
    share = load_completeness("sesnsp").loc["MX00"]
    assert [str(month) for month in share.index] == ["2025-04", "2025-05", "2025-06"]
    assert share.loc["2025-06", "share"] == pytest.approx(0.9965, abs=1e-4)
    assert share.loc["2025-06", "low"] == pytest.approx(0.9905, abs=1e-4)
    shifts = SHIFTS
    series = load_series("sesnsp")
    flags = flags_of(series, shifts["sheinbaum-2024-10"])
    assert "first print had 99.7% of today's count on average" in flags["provisional_month"].text
    assert "provisional_month" not in flags_of(series, shifts["lopez-obrador-2018-12"])


def test_months_of_the_1990s_come_when_asked_for_and_are_marked():
    long = load_series("inegi", start="1990-01")
    assert len(long) == 390
    by_year = long["deaths"].groupby(long.index.year).sum()
    assert by_year[[1990, 1999]].to_list() == [14371, 12064]
    pd.testing.assert_frame_equal(long["2000-01":], load_series("inegi"))
    registered = load_table("inegi_registered").set_index("year")["registered_deaths"]
    assert (by_year.loc[1994:1999] / registered.loc[1994:1999]).between(0.98, 1.02).all()
    calderon = SHIFTS["calderon-2006-12"]
    assert "years_imputed" in flags_of(long, calderon)
    sound = load_series("inegi", start="1994-01")
    assert "years_imputed" not in flags_of(sound, calderon)
    early = long.loc["1990-01":"1990-12", "person_years"].sum()
    population = load_table("population").set_index(["year", "state"])["population"]
    assert early == pytest.approx(population[(1990, "MX00")], rel=2e-3)
