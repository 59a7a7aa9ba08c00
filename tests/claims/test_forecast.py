from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.forecast_series import CAME, CLAIM, forecast_of, probabilities_of

from analysis import load_series
from analysis.claims.forecast import claim_10, observed_years, worse_probabilities
from analysis.forecasts.paths import POOL
from analysis.forecasts.words import CERTAINTY, SURE, in_words


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1, "almost certain"),
        (0.95, "almost certain"),
        (0.949, "very likely"),
        (0.8, "very likely"),
        (0.55, "likely"),
        (0.5, "roughly even"),
        (0.44, "unlikely"),
        (0.19, "very unlikely"),
        (0.04, "almost no chance"),
        (0, "almost no chance"),
    ],
)
def test_words_follow_the_declared_scale(probability, words):
    assert in_words(probability) == words


def test_probability_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1; found"):
        in_words(1.2)


def test_probabilities_are_shares_of_one_set_of_draws():
    table = probabilities_of([[21, 21, 19], [21, 19, 19], [19, 19, 19], [21, 21, 21]])
    own = table[table["method"] == "last_value"].set_index("year")
    assert own["probability"].to_dict() == {
        "2022": 0.75,
        "2023": 0.5,
        "2024": 0.25,
        "every": 0.25,
        "any": 0.75,
    }
    assert own.loc["2023", ["low", "expected", "high"]].tolist() == pytest.approx([19, 20, 21])
    assert own["came"].tolist() == ["higher", "not higher", "higher", "not higher", "higher"]
    assert own.loc["2024", ["observed", "observed_than"]].tolist() == [25, 20]
    assert own["words"].tolist()[:2] == ["likely", "roughly even"]


def test_equal_rate_is_not_worse():
    table = probabilities_of([[20, 20, 20]], pd.Series(20.0, [2020, 2022, 2023, 2024]))
    assert (table["probability"] == 0).all()
    assert (table["came"] == "not higher").all()


def test_year_after_the_freeze_is_compared_draw_by_draw():
    made = forecast_of([[22, 21, 24], [30, 31, 29]], first="2020-01")
    table = worse_probabilities(
        {POOL: made}, CAME, CLAIM, source="SESNSP"
    )  # 2020 is drawn as 22 and 30
    assert table.set_index("year")["probability"].tolist() == [0, 0.5, 0.5, 0, 1]


def test_what_came_enters_no_probability():
    rates = [[21, 21, 19], [21, 19, 19]]
    one, other = probabilities_of(rates), probabilities_of(rates, 10 / CAME)
    columns = ["probability", "words", "expected", "low", "high"]
    pd.testing.assert_frame_equal(one[columns], other[columns])
    unknown = probabilities_of(rates, CAME.drop(2024))
    assert unknown["came"].tolist()[:5] == [
        "higher",
        "not higher",
        "not known",
        "not known",
        "not known",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"first": 2025, "last": 2025},
            r"last_value: the forecast has draws of .* and none of \[2025\]",
        ),
        ({"year": 2017}, "2017 is neither known in full"),
    ],
)
def test_years_without_draws_are_refused(options, message):
    claim = replace(CLAIM, parameters=CLAIM.parameters | options)
    with pytest.raises(ValueError, match=message):
        probabilities_of([[20, 20, 20]], claim=claim)


@pytest.mark.parametrize(
    ("rates", "came", "verdict"),
    [
        ([[21, 21, 21]], [21, 21, 21], "holds"),
        ([[21, 21, 21]], [21, 21, 19], "does not hold"),
        ([[21, 21, 21], [21, 19, 21]], [21, 21, 21], "does not hold"),
        ([[21, 21, 21]], [19, 19, 19], "does not hold"),
        ([[21, 21, 21]], [21, 21, np.nan], "holds"),  # of the years that are known, every one
        ([[21, 21, 21]], [19, 21, np.nan], "does not hold"),
        ([[21, 21, 21]], [np.nan] * 3, "cannot be judged with these data"),
    ],
)
def test_claim_holds_if_it_was_sure_and_came(rates, came, verdict):
    observed = pd.Series([20.0, *came], [2020, 2022, 2023, 2024]).dropna()
    table = probabilities_of(rates, observed)
    (row,) = claim_10(table, CLAIM, source="sesnsp").to_dict("records")
    assert row["claim_verdict"] == verdict
    assert row["claim"] == 10
    assert row["freeze"] == "2021-04"
    assert row["years"] == np.isfinite(came).sum()
    assert row["years_higher"] == sum(rate > 20 for rate in came)


def test_claim_counts_the_methods_that_were_sure():
    sure, unsure = [[21, 21, 21]], [[21, 21, 21], [21, 19, 19]]
    forecasts = {"last_value": forecast_of(sure), "damped_trend": forecast_of(unsure)}
    forecasts[POOL] = forecast_of([*sure, *unsure])
    table = worse_probabilities(forecasts, CAME, CLAIM, source="SESNSP")
    row = claim_10(table, CLAIM, source="sesnsp").iloc[0]
    assert row[["almost_certain", "methods", "years_higher", "years"]].tolist() == [1, 2, 2, 3]
    assert row[["highest", "highest_method"]].tolist() == [1, "last_value"]
    assert row["pool_every"] == pytest.approx(2 / 3)
    assert row["figure"] == (
        "probability 0.67 (likely) that every year of 2022-2024 would be worse than 2020; "
        "2 of 3 known were"
    )


def test_almost_certain_is_the_same_in_the_scale_and_in_the_claim():
    assert CERTAINTY[SURE] == CLAIM["sure"]
    assert SURE in CLAIM.words


def test_forecasts_of_two_freezes_are_not_joined():
    made = {"last_value": forecast_of([[20, 20, 20]]), POOL: forecast_of([[20] * 3], "2021-06")}
    with pytest.raises(ValueError, match=r"share one freeze; found \['2021-04', '2021-05'\]"):
        worse_probabilities(made, CAME, CLAIM, source="SESNSP")


def test_observed_years_are_those_of_the_source():
    sesnsp, inegi = observed_years("sesnsp"), observed_years("inegi")
    assert sesnsp.index[-1] == 2024
    part = load_series("sesnsp", start="2020-01", end="2020-12")
    assert part["deaths"].sum() == 35_545
    size = part["person_years"].sum()
    assert sesnsp[2020] == pytest.approx(1e5 * 35_545 / size)
    assert inegi[2020] == pytest.approx(1e5 * 36_773 / size)
    assert inegi.index.tolist() == list(range(2000, 2025))
