import numpy as np
import pandas as pd
import pytest

from analysis.places import words
from analysis.places.effects import PlaceEffects


def place_effects(rows):
    columns = ["place", "estimate", "low", "high", "p", "q", "doubt", "empty_months"]
    table = pd.DataFrame(rows, columns=columns)
    same = {"estimator": "count_reml", "estimand": "slope", "comparison_verdict": "agree"}
    effects = table.drop(columns="empty_months").assign(note="", **same)
    trends = [
        effects.assign(estimand=f"{side}_trend", estimate=size)
        for side, size in (("pre", 5.0), ("post", -58.0))
    ]
    effects = pd.concat([effects, *trends])
    return PlaceEffects(None, effects, table.set_index("place")[["empty_months"]], {})


def test_places_are_counted_by_what_was_found():
    rows = [
        ["A", 30.0, 10.0, 50.0, 0.001, 0.004, "", 0],
        ["B", -60.0, -70.0, -50.0, 0.001, 0.004, "", 3],
        ["C", 5.0, -5.0, 15.0, 0.3, 0.4, "", 0],
        ["D", 80.0, 60.0, 90.0, 0.001, 0.004, "the estimators' signs differ", 0],
        ["E", 300.0, 200.0, 400.0, 0.001, 0.004, "a hole in the record near the shift, 2007-01", 0],
    ]
    text = words.describe_places(place_effects(rows), {"B": "Bee", "D": "Dee"})
    assert text.startswith("Of 5 states, 1 show a rise of the yearly trend and 1 a fall")
    largest = "that of Bee, -60.0% per year (-70.0 to -50.0) (+5% → -58% a year)."
    assert f"1 show neither. The largest is {largest}" in text
    doubts = "Dee (the estimators' signs differ); E (a hole in the record near the shift, 2007-01)"
    assert f"No reliable estimate: {doubts}." in text
    assert "1 states have months without a death" in text


def test_nothing_found_names_no_largest():
    fitted = place_effects([["A", 3.0, -5.0, 15.0, 0.3, 0.4, "", 0]])
    assert words.describe_places(fitted, {}) == (
        "Of 1 states, 0 show a rise of the yearly trend and 0 a fall that stand out with a "
        "false-discovery rate of 5%; 1 show neither."
    )


MISSING = [np.nan, np.nan]


@pytest.fixture
def pooled():
    methods = ["average", "weighted_average", "random_effects", "random_effects_shared"]
    table = pd.DataFrame({"estimate": [20.0, 32, 20, 20], "low": [10.0, 22, 15, 10]}, methods)
    table["high"], table["tau"] = [30.0, 42, 25, 30], [np.nan, np.nan, 0.2, 0.26]
    table = table.assign(
        trend_before=[-1.6, -2, np.nan, np.nan], trend_after=[18, 29, *[np.nan] * 2]
    )
    return table.assign(p=0.01, note="")


def test_the_difference_from_the_nation_is_a_ratio_of_factors(pooled):
    columns = ["estimate", "low", "high", "p"]
    keys = pd.MultiIndex.from_product([["count_reml", "reml"], ["slope"]])
    nation = pd.DataFrame([[10.0, 0.0, 20.0, 0.05], [12.0, 1.0, 23.0, 0.04]], keys, columns)
    table = words.compare_with_nation(pooled, nation, "slope")
    assert table.loc["weighted_average", "minus_national"] == pytest.approx(20.0)
    assert table.loc["national", "minus_national"] == 0
    text = words.describe_pooled(table)
    together = "+20.0% per year (+10.0 to +30.0) (-2% → +18% a year); as a random effect +20.0% per"
    assert f"the average of the states' changes is {together}" in text
    assert "by the same estimator, gives +10.0% per year (+0.0 to +20.0); by the headline" in text
    assert "The average is 20.0% higher as a factor" in text
    assert "the states' own changes have a standard deviation of 30% (tau)" in text
    assert "widen the random-effects interval by 100%" in text
    assert "national" not in pooled.index


def test_recorded_size_is_told_by_rho():
    rows = [
        (0.5, True, 400, "count_reml", 4.0, 1.0),
        (0.5, True, 400, "count_reml", 6.0, 1.0),
        (0.95, True, 400, "count_reml", 19.0, 2.0),
        (0.95, False, 300, "count_reml", 14.0, 2.0),
        (0.95, True, 400, "quasi_poisson", 76.0, 2.0),
        (0.95, True, 20, "count_reml", 55.0, 9.0),
    ]
    columns = ["rho", "enough", "series", "estimator", "false_alarms", "mc_error"]
    text = words.describe_size(pd.DataFrame(rows, columns=columns))
    assert "at rho 0.5, 4 to 6% (mean 5.0, within three" in text
    assert "at rho 0.95, 19 to 19% (mean 19.0, outside three" in text
    assert "with fewer deaths 14 to 14%" in text
    assert text.endswith("Quasi-Poisson regression goes up to 76%.")
