import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.declared import states_of
from support.sweeps import sweep

from analysis import find_gaps, load_series, national_gaps
from analysis.mexico.record import SOURCES
from benchmarks.gaps import RECORD

MONTHS = pd.period_range("2001-01", periods=48, freq="M", name="month")
PER_DAY = MONTHS.days_in_month.to_numpy()


def make_panel(**places):
    frames = {
        place: pd.DataFrame({"deaths": deaths, "person_years": 1e5}, index=MONTHS)
        for place, deaths in places.items()
    }
    return pd.concat(frames, names=["state"])


def restless(seed=0, mean=40, places=8):
    rng = np.random.default_rng(seed)
    return {f"S{place}": rng.poisson(mean, len(MONTHS)) for place in range(places)}


def test_hole_is_found_with_what_its_neighbours_lead_to_expect():
    # Two deaths a day before, four after. March and April 2003 have 61 days: 3 a day are 183.
    deaths = np.where(MONTHS < "2003-03", 2, 4) * PER_DAY
    deaths[26:28] = 10, 5
    gaps = find_gaps(make_panel(A=deaths, B=PER_DAY))
    assert len(gaps) == 1
    gap = gaps.iloc[0]
    assert [gap["place"], str(gap["first"]), str(gap["last"])] == ["A", "2003-03", "2003-04"]
    assert gap[["months", "found"]].tolist() == [2, 15]
    assert gap[["expected", "missing"]].tolist() == pytest.approx([183, 168], rel=1e-12)


def test_chance_is_the_negative_binomials_at_the_lower_side():
    # A place that never moves has the least spread, 0.05: size 400. Below are 31 * 2 = 62 due.
    deaths = 2 * PER_DAY
    deaths[24] = 5
    gap = find_gaps(make_panel(A=deaths)).iloc[0]
    size, due = 400.0, 62.0
    term, total = (size / (size + due)) ** size, 0.0
    for number in range(6):
        total += term
        term *= (size + number) / (number + 1) * due / (size + due)
    assert gap["chance"] == pytest.approx(total, rel=1e-9)


def test_record_without_a_hole_has_no_gap():
    assert find_gaps(make_panel(**restless())).empty
    assert national_gaps(make_panel(**restless()), share=0).empty


def test_every_planted_hole_is_found_where_it_is():
    places = restless(1)
    for place, (first, months) in {"S1": (12, 1), "S4": (20, 3), "S6": (30, 6)}.items():
        places[place][first : first + months] //= 20
    gaps = find_gaps(make_panel(**places))
    assert gaps["place"].tolist() == ["S1", "S4", "S6"]
    assert gaps["first"].tolist() == [MONTHS[12], MONTHS[20], MONTHS[30]]
    assert gaps["months"].tolist() == [1, 3, 6]


@pytest.mark.parametrize("after", [0.2, 5])
def test_level_that_shifts_for_good_is_no_gap(after):
    places = restless(7)
    places["S0"][24:] = places["S0"][24:] * after
    assert find_gaps(make_panel(**places)).empty


def test_fall_that_lasts_or_leaves_more_than_half_is_no_gap():
    places = restless(3, mean=300)
    places["S0"][20:32] //= 4
    places["S1"][20:23] = places["S1"][20:23] * 0.55  # as in Chihuahua in March to May 2009
    assert find_gaps(make_panel(**places)).empty


def test_months_without_deaths_in_a_small_place_are_no_gap():
    places = restless(4, mean=1)
    assert (places["S0"] == 0).sum() > 10
    assert find_gaps(make_panel(**places)).empty
    assert find_gaps(make_panel(none=np.zeros(48, dtype=int))).empty


def test_hole_needs_three_months_on_either_side():
    places = restless(5)
    places["S0"][:2] = places["S1"][-3:] = 0
    assert find_gaps(make_panel(**places)).empty
    places["S2"][3] = places["S3"][-4] = 0
    assert find_gaps(make_panel(**places))["first"].tolist() == [MONTHS[3], MONTHS[-4]]


def test_less_evidence_is_enough_where_all_places_together_have_a_hole():
    places = restless(6, mean=12)
    places["S0"][24] = 1
    assert find_gaps(make_panel(**places)).empty
    for place in ("S1", "S2", "S3", "S4"):
        places[place] = 10 * places[place]
        places[place][24] = 0
    assert find_gaps(make_panel(**places))["place"].tolist() == ["S0", "S1", "S2", "S3", "S4"]


def test_what_is_a_hole_in_a_steady_place_is_none_in_a_restless_one():
    steady, restless_one = 2 * PER_DAY, np.where(np.arange(48) % 2, 1, 3) * PER_DAY
    steady[24] = restless_one[24] = 15
    assert find_gaps(make_panel(A=steady, B=restless_one))["place"].tolist() == ["A"]


def test_noise_of_counting_alone_is_no_restlessness():
    # Without it taken off, one death among Poisson counts of 15 has a chance of 3 in 10,000.
    places = restless(8, mean=15)
    places["S0"][24] = 1
    assert find_gaps(make_panel(**places))["place"].tolist() == ["S0"]


def test_national_gaps_are_the_months_that_hide_more_than_the_share():
    # A misses 60 of 62 deaths in January 2003; B has 62, C 620: 60 of 744 are 8.06%.
    deaths = 2 * PER_DAY
    deaths[24] = 2
    panel = make_panel(A=deaths, B=2 * PER_DAY, C=20 * PER_DAY)
    table = national_gaps(panel, share=0.08)
    assert [str(month) for month in table.index] == ["2003-01"]
    assert table.iloc[0].tolist() == [684, pytest.approx(60), pytest.approx(60 / 744), "A"]
    assert national_gaps(panel, share=0.081).empty


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda panel: panel.drop(columns="deaths"), ValueError, "A: .*'deaths'"),
        (lambda panel: panel.set_axis(["value", "x"], axis=1), ValueError, "A: gaps need deaths"),
        (lambda panel: panel.droplevel(0), TypeError, "MultiIndex"),
        (lambda panel: panel.drop(("B", MONTHS[5])), ValueError, "B: months must be consecutive"),
        (lambda panel: panel.drop(("B", MONTHS[0])), ValueError, "all places need the same"),
        (lambda panel: -panel, ValueError, "A: deaths must not be negative"),
        (lambda panel: panel.groupby("state").head(6), ValueError, "at least 7 months; found 6"),
    ],
)
def test_panel_that_cannot_be_used_is_refused(change, error, message):
    panel = make_panel(A=2 * PER_DAY, B=PER_DAY)
    with pytest.raises(error, match=message):
        find_gaps(change(panel))


def test_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match="share must be from 0 to below 1; found 5"):
        national_gaps(make_panel(A=PER_DAY), share=5)


@pytest.mark.slow
@given(st.lists(st.integers(0, 10**5), min_size=48, max_size=48), st.integers(7, 48))
def test_any_counts_are_judged_and_gaps_never_overlap(deaths, months):
    panel = make_panel(A=deaths, B=PER_DAY)
    panel = panel.groupby("state").head(months)
    before = panel.copy()
    gaps = find_gaps(panel)
    pd.testing.assert_frame_equal(panel, before)
    assert gaps["chance"].between(0, 0.01).all()
    assert (gaps["found"] < gaps["expected"] / 2).all()
    for _, own in gaps.groupby("place"):
        assert (own["first"].iloc[1:].to_numpy() > own["last"].iloc[:-1].to_numpy()).all()


@pytest.mark.slow
def test_holes_of_2007_are_found_in_the_states_that_have_them():
    gaps = find_gaps(states_of("inegi"))
    here = gaps[gaps["first"] == pd.Period("2007-01", "M")].set_index("place")
    assert here["found"].to_dict() == {"MX05": 2, "MX07": 9, "MX09": 38, "MX28": 8}
    assert here["last"].astype(str).to_dict() == {
        "MX05": "2007-02", "MX07": "2007-05", "MX09": "2007-02", "MX28": "2007-02",
    }  # fmt: skip
    # Mexico City: 64, 92, 77, 64, 62, 73 before, 75, 81, 95, 73, 76, 78 after; 184 days each.
    due = 59 * (432 + 478) / 2 / 184
    assert here.loc["MX09", "expected"] == pytest.approx(due, rel=1e-12)
    assert "MX08" not in set(gaps["place"])  # Chihuahua's spring of 2009 is most likely a true fall


def test_two_months_hide_much_of_the_nations_deaths_and_no_other_comes_near():
    shares = national_gaps(states_of("inegi"), share=0)["share"].sort_values(ascending=False)
    assert sorted(map(str, shares.index[:2])) == ["2007-01", "2007-02"]
    assert shares.iloc[1] > 0.15
    assert shares.iloc[2] < 0.05


@pytest.mark.slow
def test_months_that_a_state_did_not_report_are_gaps_of_the_other_source():
    gaps = find_gaps(states_of("sesnsp"))
    oaxaca = gaps[gaps["place"] == "MX20"]
    assert (oaxaca["months"].sum(), oaxaca["found"].sum()) == (7, 0)


@pytest.mark.parametrize("source", sweep(SOURCES, 0))
def test_series_carries_the_gaps_of_its_places_and_months(source):
    found = find_gaps(states_of(source))
    carried = load_series(source).attrs["gaps"]
    columns = ["place", "first", "last", "found", "expected"]
    assert carried == found.astype({"first": str, "last": str})[columns].to_dict("records")


def test_series_of_some_states_or_months_carries_no_others():
    part = load_series("inegi", place=["MX05", "MX09", "MX14"], start="2007-02")
    assert [gap["place"] for gap in part.attrs["gaps"]] == ["MX05", "MX09"]
    assert load_series("inegi", place="MX09", start="2007-03").attrs["gaps"] == []
    assert load_series("inegi", place="MX09", end="2006-12").attrs["gaps"] == []
    part.attrs["gaps"][0]["found"] = -1
    assert load_series("inegi", place="MX05").attrs["gaps"][0]["found"] == 2


def test_record_of_false_alarms_says_that_the_rule_is_seldom_wrong_and_often_blind():
    record = pd.read_csv(RECORD)
    alarms = record[record["measure"] == "false_alarms"].set_index("world")
    assert alarms.loc["as the states", "value"] < 1
    assert (alarms["mc_error"] < 0.2).all()
    power = record.pivot_table("value", ["measure", "mean_deaths"], "missing_percent")
    for name in ("found_alone", "found_together"):
        assert (power.loc[name].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert (power.loc["found_together"] >= power.loc["found_alone"]).all(axis=None)
    assert power.loc[("found_alone", 60), 90] > 80
