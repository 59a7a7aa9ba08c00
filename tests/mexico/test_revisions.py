import pandas as pd
import pytest
from support.declared import SHIFTS

from analysis import load_completeness, load_releases, load_series
from analysis.mexico.record import first_print_shares
from analysis.mexico.shifts import load_records


@pytest.fixture(scope="module")
def releases():
    return load_releases()


def test_every_release_is_whole_as_it_was_printed(releases):
    sizes = releases.groupby("release").size()
    assert len(sizes) == 23
    assert sizes[pd.Period("2023-07")] == 103 * 32
    assert sizes[pd.Period("2025-06")] == 126 * 32
    assert sizes[pd.Period("2019-01")] == 49 * 32 - 9  # months that Oaxaca had not reported
    yearly = releases["victims"].unstack("month").groupby("release").sum()
    of_2018 = yearly.loc[:, pd.period_range("2018-01", "2018-12", freq="M")].sum(axis=1)
    assert of_2018[[pd.Period("2019-01"), pd.Period("2025-06")]].to_list() == [34206, 34662]
    of_2023 = yearly.loc[:, pd.period_range("2023-01", "2023-12", freq="M")].sum(axis=1)
    assert of_2023[[pd.Period("2023-12"), pd.Period("2025-06")]].to_list() == [30523, 30572]


def test_the_newest_release_is_the_series(releases):
    newest = releases.loc[pd.Period("2025-06"), "victims"].groupby("month").sum()
    assert newest.to_list() == load_series("sesnsp")["deaths"].to_list()


def test_first_prints_are_compared_with_the_newest_count_by_age():
    index = pd.MultiIndex.from_tuples(
        [
            (pd.Period(release), pd.Period(month), state)
            for release, months in {"2024-03": 3, "2024-04": 4, "2024-12": 12}.items()
            for month in pd.period_range("2024-01", periods=months, freq="M").astype(str)
            for state in ("MX01", "MX02")
        ],
        names=["release", "month", "state"],
    )
    counts = pd.DataFrame({"victims": 100.0}, index)
    # March printed 90 in MX01 where 100 stand now, April 100
    counts.loc[(pd.Period("2024-03"), pd.Period("2024-03"), "MX01"), "victims"] = 90
    shares = first_print_shares(counts, pd.Period("2024-12"))
    assert shares.loc[("MX01", pd.Period("2024-12"))].to_list() == pytest.approx([0.95, 0.9, 1])
    assert shares.loc[("MX00", pd.Period("2024-12"))].to_list() == pytest.approx([0.975, 0.95, 1])
    assert (shares.loc["MX02"] == 1).all(axis=None)


def test_shares_of_states_are_about_one():
    shares = load_completeness("sesnsp")["share"]
    assert shares.between(0.95, 1.03).all()


def test_records_of_a_shift_are_what_its_window_can_use():
    shifts = SHIFTS
    calderon = load_records(shifts["calderon-2006-12"], "inegi")
    assert list(calderon) == ["as declared", "from 1994-01", "scaled to registered deaths"]
    assert str(calderon["from 1994-01"].index[0]) == "1994-01"
    lopez = load_records(shifts["lopez-obrador-2018-12"], "inegi")
    scaled = "scaled to registered deaths"
    assert list(lopez) == ["as declared", "with the months still open", "completed", scaled]
    last = [str(each.index[-1]) for each in lopez.values()]
    assert last == ["2022-06", "2022-12", "2022-12", "2022-06"]
    assert (
        lopez[scaled].loc["2018", "deaths"].sum() > lopez["as declared"].loc["2018", "deaths"].sum()
    )
    assert scaled not in load_records(shifts["michoacan-2006-12"], "inegi")
    assert list(load_records(shifts["sheinbaum-2024-10"], "sesnsp")) == ["as declared"]
