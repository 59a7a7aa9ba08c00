import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.declared import states_of
from support.sweeps import sweep

from analysis import find_gaps
from analysis.checks import UnknownNameError
from analysis.mexico import record
from analysis.mexico.record import SOURCES, registered_shares
from analysis.mexico.sources import (
    _codes_by_name,
    check_place,
    load_series,
    load_states,
    source_ratio,
)
from analysis.mexico.tables import load_regions, load_table


@pytest.mark.parametrize(
    ("source", "first", "last", "months"),
    [("inegi", "2000-01", "2022-06", 270), ("sesnsp", "2015-01", "2025-06", 126)],
)
def test_series_is_monthly_counts_and_person_years(source, first, last, months):
    series = load_series(source)
    assert series.dtypes.astype(str).to_dict() == {"deaths": "int64", "person_years": "float64"}
    assert (series.index.freqstr, series.index.name) == ("M", "month")
    assert [str(month) for month in series.index[[0, -1]]] == [first, last]
    assert len(series) == months
    assert series.index.is_unique
    ratio = dict(zip(source_ratio().index.astype(str), source_ratio(), strict=True))
    assert series.attrs == {
        "source": source,
        "place": "MX00",
        "complete_through": last,
        "source_ratio": {"name": "SESNSP / INEGI", "by_month": ratio},
        "registered_share": series.attrs["registered_share"],
        "gaps": series.attrs["gaps"],
        "marked": series.attrs["marked"],
    }
    assert json.loads(json.dumps(series.attrs)) == series.attrs


def test_months_still_being_registered_are_cut_unless_asked_for():
    everything = load_series("inegi", complete_only=False)
    assert str(everything.index[-1]) == "2022-12"
    assert everything.loc["2022", "deaths"].sum() == 31048
    pd.testing.assert_frame_equal(everything.loc[:"2022-06"], load_series("inegi"))
    assert len(states_of("inegi", complete_only=False)) == 32 * 276


@pytest.mark.parametrize("source", sweep(SOURCES, 0))
def test_the_states_add_up_to_the_nation(source):
    by_month = states_of(source, complete_only=False).groupby("month").sum()
    nation = load_series(source, complete_only=False)
    assert by_month["deaths"].tolist() == nation["deaths"].tolist()
    assert by_month["person_years"].to_numpy() == pytest.approx(nation["person_years"], rel=1e-12)


# 36 months of ten states are still being registered while the nation is complete
@pytest.mark.parametrize(
    ("source", "rows"), sweep([("inegi", 32 * 270 - 41), ("sesnsp", 32 * 126)], 0)
)
def test_states_are_stacked_by_state_and_month(source, rows):
    states = states_of(source)
    assert states.index.names == ["state", "month"]
    assert states.shape == (rows, 2)
    assert len(states.index.unique("state")) == 32
    one = load_series(source, place="MX16")
    pd.testing.assert_frame_equal(states.loc["MX16"], one, check_freq=False)


@pytest.mark.parametrize("source", sweep(SOURCES, 0))
def test_states_carry_the_gaps_of_all_of_them(source):
    states = load_states(source)
    assert states.attrs["gaps"] == load_series(source).attrs["gaps"]
    assert len(states.attrs["gaps"]) == len(find_gaps(states)) > 0
    assert json.loads(json.dumps(states.attrs)) == states.attrs
    states.attrs["gaps"][0]["found"] = -1
    assert load_states(source).attrs["gaps"][0]["found"] >= 0
    assert states.loc[["MX05", "MX09"]].attrs == states.attrs


def test_deaths_are_those_of_the_table_femicides_among_them():
    assert load_series("inegi", start="2000-01", end="2000-01")["deaths"].tolist() == [1005]
    assert load_series("sesnsp", place="MX02")["deaths"].iloc[0] == 52
    assert load_series("sesnsp", start="2018-01", end="2018-12")["deaths"].sum() == 34662


def test_person_years_of_july_and_of_a_leap_february_are_those_worked_by_hand():
    # CONAPO, 1 July: 114,756,059 in 2010 and 116,446,180 in 2011. The middle of July is 15.5 of the
    # 365 days later: 114,827,831.26 persons, for 31 days of a year of 365.25.
    person_years = load_series("inegi")["person_years"]
    assert person_years["2010-07"] == pytest.approx(9_745_825.514335275, rel=1e-12)
    # 109,538,665 and 111,275,915 on 1 July 2007 and 2008, 366 days apart; the middle of February is
    # 229.5 days after the first: 110,628,006.19 persons, for 29 days of a year of 365.25.
    assert person_years["2008-02"] == pytest.approx(8_783_606.240841104, rel=1e-12)


@pytest.mark.parametrize("place", ["MX00", "MX09", "MX23"])
def test_population_takes_no_false_step_in_january_2010(place):
    series = load_series("inegi", place=place)
    population = series["person_years"] * 365.25 / series.index.days_in_month
    growth = population.pct_change().dropna()
    assert growth.abs().max() < 0.005
    assert growth["2010-01"] == pytest.approx(growth["2009-12"], abs=2e-4)


def test_several_places_are_added_up():
    places = ["MX08", "MX10", "MX25"]
    together = load_series("inegi", place=places)
    assert together.attrs["place"] == "MX08+MX10+MX25"
    assert together.loc["2007-02", "deaths"] == 30 + 15 + 27
    separate = sum(load_series("inegi", place=place)["person_years"] for place in places).dropna()
    assert together["person_years"].to_numpy() == pytest.approx(separate, rel=1e-12)


def test_start_and_end_are_both_included():
    months = load_series("inegi", start="2006-12", end=pd.Period("2012-11", "M")).index
    assert [str(month) for month in months[[0, -1]]] == ["2006-12", "2012-11"]
    assert len(months) == 72


def test_changing_a_loaded_frame_does_not_change_the_next():
    first = load_series("inegi")
    expected = first.copy()
    first.loc[:, "deaths"] = 0
    first["person_years"] *= 2
    first.attrs["place"] = "elsewhere"
    pd.testing.assert_frame_equal(load_series("inegi"), expected)
    assert load_series("inegi").attrs["place"] == "MX00"


def test_source_ratio_is_sesnsp_over_inegi_where_both_are_complete():
    ratio = source_ratio()
    assert [str(month) for month in ratio.index[[0, -1]]] == ["2015-01", "2022-06"]
    assert ratio["2015-01"] == pytest.approx(1387 / 1605, rel=1e-12)
    assert 0.89 < ratio["2015"].mean() < 0.91
    assert 0.99 < ratio["2018":"2021"].mean() < 1.01


# INEGI registered 36,685 deaths by homicide in 2018, 33,287 in 2022 and 14,006 in 2008
def test_share_of_the_registered_deaths_is_that_of_whole_years():
    shares = registered_shares()
    assert shares.loc[2018, "inegi"] == pytest.approx(34426 / 36685)
    assert shares.loc[2018, "sesnsp"] == pytest.approx(34662 / 36685)
    assert shares.loc[2008, "inegi"] == pytest.approx(14229 / 14006)
    completed = load_series("inegi", completed=True)["deaths"]["2022"].sum()
    assert shares.loc[2022, "inegi"] == pytest.approx(completed / 33287, abs=1e-4)
    assert [*shares.index[[0, -1]]] == [1990, 2024]
    assert shares["inegi"].last_valid_index() == 2022


def test_half_a_year_has_no_share(monkeypatch):
    longer = load_table("inegi_registered")
    longer.loc[len(longer)] = [2025, 30000]  # SESNSP's table ends with June
    given = {"inegi_registered": longer}
    monkeypatch.setattr(record, "load_table", lambda name: given.get(name, load_table(name)))
    assert registered_shares.__wrapped__().index[-1] == 2024


def test_deaths_are_scaled_to_the_registered_ones_of_their_year():
    counted, scaled = load_series("inegi"), load_series("inegi", registered=True)
    assert scaled["deaths"].dtype == counted["deaths"].dtype
    assert scaled["person_years"].equals(counted["person_years"])
    assert scaled.loc["2018-05", "deaths"] == round(
        counted.loc["2018-05", "deaths"] * 36685 / 34426
    )
    by_year = scaled["deaths"].groupby(scaled.index.year).sum()
    for year, registered in ((2008, 14006), (2018, 36685), (2020, 36773)):
        assert by_year[year] == pytest.approx(registered, abs=6)  # twelve roundings
    to_the_end = load_series("inegi", registered=True, completed=True)["deaths"]
    assert to_the_end["2022"].sum() == pytest.approx(33287, abs=6)
    assert to_the_end[:"2021-12"].equals(scaled.loc[:"2021-12", "deaths"])
    early = load_series("inegi", registered=True, start="1990-01", end="1990-12")["deaths"]
    assert early.sum() == pytest.approx(14493, abs=6)


def test_scaled_deaths_are_not_warned_of_as_those_counted():
    counted, scaled = (load_series("inegi", registered=each).attrs for each in (False, True))
    other = {name for name in counted if counted[name] != scaled[name]}
    assert other == {"source_ratio", "registered_share"}
    assert all(scaled[name] is None for name in other)


def test_shares_are_the_nations_alone_and_no_state_is_scaled():
    assert load_series("sesnsp", place="MX16").attrs["registered_share"] is None
    told = load_series("sesnsp").attrs["registered_share"]["by_year"]
    assert [*told] == ["INEGI", "SESNSP"]
    assert told["SESNSP"]["2018"] == pytest.approx(34662 / 36685)
    for source, place in (("inegi", "MX16"), ("sesnsp", "MX00")):
        with pytest.raises(ValueError, match=f"for INEGI and MX00; found '{source}' and .'{place}"):
            load_series(source, place=place, registered=True)


def test_source_ratio_is_missing_where_inegi_has_no_death():
    ratio = source_ratio("MX31")
    assert pd.isna(ratio["2015-08"])
    assert len(source_ratio("MX08")) == len(ratio) == 90
    assert len(source_ratio("MX08+MX10")) == 84  # Durango's record ends with 2021


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "inegy"}, "unknown source 'inegy'. Did you mean 'inegi'"),
        ({"place": "MX33"}, "unknown place 'MX33'; use 'MX00', the nation, or 'MX01' to 'MX32'"),
        ({"place": ["MX01", "mx14"]}, "unknown place 'mx14'; use its code 'MX14'"),
        ({"place": "Tamaulipaz"}, "unknown place 'Tamaulipaz'; did you mean 'MX28'"),
        ({"place": "Michoacán"}, "unknown place 'Michoacán'; use its code 'MX16'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(arguments, message):
    with pytest.raises(KeyError, match=f"^{message}"):
        load_series(**{"source": "inegi"} | arguments)


@pytest.mark.parametrize(
    ("name", "codes"),
    {
        "Distrito Federal": "'MX09'",
        "D.F.": "'MX09'",
        "cdmx": "'MX09'",
        "MX-DIF": "'MX09'",
        "MX-CMX": "'MX09'",
        "VERACRUZ DE IGNACIO DE LA LLAVE": "'MX30'",
        "Michoacan de Ocampo": "'MX16'",
        "Coahuila de Zaragoza": "'MX05'",
        "Edo. Méx.": "'MX15'",
        "BC": "'MX02'",
        "B.C.S.": "'MX03'",
        "Q. Roo": "'MX23'",
        "ROO": "'MX23'",
        "09": "'MX09'",
        9: "'MX09'",
        "México": "'MX00' or 'MX15'",
    }.items(),
)
def test_a_state_by_another_name_is_told_its_code(name, codes):
    for place in (name, [name, "MX01"]):
        with pytest.raises(KeyError, match=rf"^unknown place '?{name}'?; use its code {codes}$"):
            load_series("inegi", place=place)


def test_a_name_of_a_state_means_no_other_state():
    both = {name: codes for name, codes in _codes_by_name().items() if len(codes) > 1}
    assert both == {"mexico": ["MX00", "MX15"], "mex": ["MX00", "MX15"]}


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.binary(), st.booleans()))
def test_whatever_is_no_code_of_a_place_is_told_so(place):
    with pytest.raises(UnknownNameError, match=r"^unknown place "):
        check_place(place, "place")


@pytest.mark.parametrize("places", [pd.Index(["MX08", "MX25"]), np.array(["MX08", "MX25"])])
def test_places_may_be_any_sequence(places):
    pd.testing.assert_frame_equal(
        load_series("inegi", place=places), load_series("inegi", place=["MX08", "MX25"])
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"place": []}, "places must be different states, or MX00 alone; found"),
        ({"place": ["MX01", "MX01"]}, "places must be different states, or MX00 alone; found"),
        ({"place": ["MX00", "MX01"]}, "places must be different states, or MX00 alone; found"),
        ({"start": "2008-02", "end": "2008-01"}, "start 2008-02 is after end 2008-01"),
        ({"start": "1989-12"}, "1989-12 is outside .* 1990-01 to 2022-06"),
        ({"end": "2022-07"}, "2022-07 is outside .* need complete_only=False"),
        ({"end": "2023-01", "complete_only": False}, "2023-01 is outside .* 1990-01 to 2022-12"),
        ({"start": "soon"}, "start must be a month like '2021-05'; found 'soon'"),
        ({"start": "2006-13"}, "start must be a month like '2021-05'; found '2006-13'"),
    ],
)
def test_places_and_months_that_cannot_be_given_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_series("inegi", **arguments)


@pytest.mark.slow
def test_chiapas_is_declared_unreliable_where_its_years_are_unlike_any_other_states():
    declared = load_states("inegi").attrs["unreliable"]
    assert declared == json.loads(json.dumps(declared))
    assert [(each["place"], each["first"], each["last"]) for each in declared] == [
        ("MX07", "2000-01", "2012-03")
    ]
    assert load_states("sesnsp").attrs["unreliable"] == []
    deaths = load_states("inegi")["deaths"].unstack("state")
    yearly = np.log(deaths.groupby(deaths.index.year).sum().loc[2000:2012])
    moves = yearly.diff().abs().mean()
    assert moves["MX07"] > np.log(2)  # doubled or halved from year to year
    assert moves.drop("MX07").max() < np.log(1.5)
    after = deaths.loc["2012-04":"2021-12", "MX07"]
    assert deaths.loc["2012-01":"2012-03", "MX07"].max() < after.min() / 1.9
    marks = load_series("inegi", place="MX07").attrs["marked"]
    assert [mark["text"] for mark in marks if mark["name"] == "unreliable"] == [
        declared[0]["reason"]
    ]
    assert all(mark["name"] != "unreliable" for mark in load_series("inegi").attrs["marked"])


def test_every_state_has_one_region():
    regions = load_regions()
    assert regions.index.is_unique
    assert set(regions.index) == set(load_table("states")["state"])
    assert regions.value_counts().to_dict() == {
        "Centro Norte": 10,
        "Centro": 8,
        "Sur": 8,
        "Norte": 6,
    }
