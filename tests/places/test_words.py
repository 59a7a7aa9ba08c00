import numpy as np
import pandas as pd
import pytest

from analysis.places import words
from analysis.places.effects import PlaceEffects


def place_effects(rows):
    columns = ["place", "estimate", "low", "high", "p", "q", "doubt", "left_out"]
    table = pd.DataFrame(rows, columns=columns)
    same = {"estimator": "count_reml", "estimand": "slope", "comparison_verdict": "agree"}
    effects = table.drop(columns="left_out").assign(note="", **same)
    after = effects.assign(estimand="post_trend", estimate=effects["estimate"] - 20)
    both = pd.concat([effects, after], ignore_index=True)
    return PlaceEffects(None, both, table.set_index("place")[["left_out"]], {})


def test_places_are_counted_by_what_was_found():
    rows = [
        ["A", 30.0, 10.0, 50.0, 0.001, 0.004, "", "2007-01"],
        ["B", -60.0, -70.0, -50.0, 0.001, 0.004, "", "2007-01"],
        ["C", 5.0, -5.0, 15.0, 0.3, 0.4, "", ""],
        ["D", 80.0, 60.0, 90.0, 0.001, 0.004, "the estimators' signs differ", ""],
        ["F", 12.0, 5.0, 15.0, 0.001, 0.004, "", ""],
        ["E", np.nan, np.nan, np.nan, np.nan, np.nan, "record unreliable", "2003-01 to 2003-02"],
    ]
    assert words.describe_places(place_effects(rows), {"B": "Bee", "D": "Dee"}) == (
        "Of 6 states, the yearly trend is higher after the shift than before it in 2 and lower in "
        "1, each standing out with a false-discovery rate of 5%; 1 stand out neither way. A higher "
        "trend is not yet a rise: after the shift the rate rises (a trend above zero) in 1 of the "
        "2.\n\nNo reliable estimate: Dee (the estimators' signs differ); E (record unreliable)."
        "\n\nHoles left out: A, Bee (2007-01)."
    )


def test_nothing_found_is_no_finding_of_nothing():
    fitted = place_effects([["A", 3.0, -5.0, 15.0, 0.3, 0.4, "", ""]])
    assert words.describe_places(fitted, {}) == (
        "Of 1 states, the yearly trend is higher after the shift than before it in 0 and lower in "
        "0, each standing out with a false-discovery rate of 5%; 1 stand out neither way."
    )


@pytest.fixture
def pooled():
    methods = ["average", "weighted_average", "random_effects", "random_effects_shared"]
    table = pd.DataFrame({"estimate": [20.0, 32, 20, 20], "low": [10.0, 22, 15, 10]}, methods)
    table["high"], table["tau"] = [30.0, 42, 25, 30], [np.nan, np.nan, 0.2, 0.26]
    table = table.assign(
        trend_before=[-1.6, -2, np.nan, np.nan], trend_after=[18, 29, *[np.nan] * 2]
    )
    return table.assign(p=0.01, note="", above=97.0, above_low=61.0, above_high=100.0)


def test_the_difference_from_the_nation_is_a_ratio_of_factors(pooled):
    columns = ["estimate", "low", "high", "p"]
    keys = pd.MultiIndex.from_product([["count_reml", "reml"], ["slope"]])
    nation = pd.DataFrame([[10.0, 0.0, 20.0, 0.05], [12.0, 1.0, 23.0, 0.04]], keys, columns)
    table = words.compare_with_nation(pooled, nation, "slope")
    assert table.loc["weighted_average", "minus_national"] == pytest.approx(20.0)
    assert table.loc["national", "minus_national"] == 0
    text = words.describe_pooled(table)
    assert "trend went from -2% before the shift to +18% after it, a change of +20.0% per" in text
    assert "as a random effect the change is +20.0% per year (+10.0 to +30.0)" in text
    assert "by the same estimator, gives +10.0% per year (+0.0 to +20.0); by the headline" in text
    assert "The weighted average is the higher of the two" in text
    fallen = words.describe_pooled(table.assign(minus_national=-1.0))
    assert "The weighted average is the lower of the two" in fallen
    assert "the states' own changes have a standard deviation of 30% (tau)" in text
    assert "97% are above zero (61 to 100% as the average moves" in text
    alike = words.describe_pooled(table.assign(tau=0.0))
    assert "that cannot be told from nothing (tau), so that nothing is said of their signs" in alike
    assert "above zero" not in alike
    assert "national" not in pooled.index


def pooled_records(averages):
    columns = ["record", "method", "estimate", "low", "high", "places"]
    rows = [[name, "average", *numbers] for name, *numbers in averages]
    rows += [[name, "random_effects_shared", 1.0, 0.5, 2.0, 9] for name, *_ in averages]
    return pd.DataFrame(rows, columns=columns).set_index(["record", "method"])


def test_how_the_average_moves_with_the_record_is_told():
    moved = [("all", -14.0, -26.0, -0.5, 32), ("less", -5.0, -20.0, 11.0, 32)]
    moved.append(("least", 1.5, -15.0, 15.0, 31))
    assert words.describe_records(pooled_records(moved)) == (
        "the simple average has different signs in the three records; its interval leaves zero out "
        "only all"
    )
    kept = [("all", 20.0, 9.0, 33.0, 32), ("less", 19.0, 8.0, 31.0, 32), moved[2]]
    text = words.describe_records(pooled_records(kept))
    told = "has one sign in the three records; its interval leaves zero out only all and less"
    assert text.endswith(told)
    sure = [kept[0], kept[1], ("least", 19.0, 8.0, 31.0, 32)]
    assert words.describe_records(pooled_records(sure)).endswith("zero out in all of them")
    same = [("all", 20.0, 9.0, 33.0, 32), ("less", 20.0, 9.0, 33.0, 32)]
    same.append(("least", 20.0 + 1e-12, 9.0, 33.0, 32))  # by another order of the sums
    assert words.describe_records(pooled_records(same)).startswith("in this window no state has")


def test_effects_are_shown_with_their_trends_and_a_dash_for_what_is_missing(pooled):
    shown = words.show_effects(pooled.rename(words.WORDS["methods"]), "Way").data
    assert shown.columns.tolist() == [
        "Way", "Trend before → after, % a year", "Change, %", "95% interval"
    ]  # fmt: skip
    assert shown.iloc[0].tolist() == ["simple average", "-2 → +18", "+20.0", "+10.0 to +30.0"]
    assert shown.iloc[3, 1] == "–"
    missing = pd.DataFrame({"deaths": [1234], "places": [3], "estimate": [np.nan]}, ["South"])
    shown = words.show_effects(missing.assign(low=np.nan, high=np.nan), "Region").data
    assert shown.iloc[0].tolist() == ["South", "1,234", "3", "–", "–"]
