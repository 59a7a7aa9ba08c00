from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.forecast_series import CAME, CLAIM, forecast_of, probabilities_of
from support.measured_claims import EVIDENCE, measure, plant, value
from support.sweeps import sweep

from analysis.claims import outcome
from analysis.claims.declared import WITH_FEMICIDE, answer_cells, judge_claim
from analysis.claims.evidence import BY_UNODC, OCCURRED, REGISTERED
from analysis.claims.outcome import claim_10, pooled_chance, worse_probabilities
from analysis.claims.rows import collect
from analysis.forecasts.paths import BASE_RATE, CERTAINTY, POOL, SURE

COUNTED = {"sesnsp": WITH_FEMICIDE, "inegi": REGISTERED}  # what 08-forecast sets beside a source
NAMES = {"sesnsp": "SESNSP", "inegi": "INEGI"}
CELL = ("SESNSP", "x", "1", "CONAPO")


def with_rates(*rates, start=2020):
    """Evidence in which every count has these rates from `start` on, as far as it goes."""
    yearly = EVIDENCE.yearly.copy()
    for year, rate in enumerate(rates, start):
        yearly.loc[yearly["year"] == year, "rate"] = rate
    return replace(EVIDENCE, yearly=yearly)


def rates_of(evidence, source):
    rows = evidence.yearly.query("population == 'CONAPO'")
    rows = rows[(rows["source"] == NAMES[source]) & (rows["counted"] == COUNTED[source])]
    return rows[rows["vintage"] == rows["vintage"].max()].set_index("year")["rate"]


def forecasts_of(share, evidence, source):
    """Probabilities of a pool of which this share of the draws is worse in every year."""
    draws = [[99] * 3] * round(100 * share) + [[1] * 3] * round(100 * (1 - share))
    made = {"last_value": forecast_of(draws[::-1][:2]), POOL: forecast_of(draws)}
    came, name = rates_of(evidence, source), NAMES[source]
    return worse_probabilities(made, came, CLAIM, source=name, base_rate=(1, 4))


def test_years_are_those_that_the_claim_asks_about():
    assert CLAIM.years == [2022, 2023, 2024]


@pytest.mark.parametrize(
    ("rates", "chance", "verdict"),
    [
        ([20, 9, 21, 22, 23], 0.95, "holds"),  # 2021 is not asked about
        ([20, 30, 21, 22, 23], 0.949, "does not hold"),
        ([20, 30, 21, 20, 23], 0.99, "does not hold"),  # an equal rate is not worse
        ([20, 30, 19, 50, 50], 0.99, "does not hold"),  # nor is a higher mean
        ([20, 30, 21, 22, np.nan], 0.99, "holds"),  # of the years that the count has
        ([20, 30], 0.99, "cannot be judged with these data"),
        ([np.nan, 30, 21, 22, 23], 0.99, "cannot be judged with these data"),
        ([20, 30, 21, 22, 23], None, "cannot be judged with these data"),
        ([20, 30, 21, 19, 23], None, "does not hold"),
    ],
)
def test_rule_asks_for_every_year_and_for_certainty(rates, chance, verdict):
    series = pd.Series(rates, range(2020, 2020 + len(rates)), dtype=float)
    assert judge_claim(collect(outcome.outcome_rows(CLAIM, CELL, series, chance))) == verdict


@pytest.mark.parametrize("source", ["sesnsp", "inegi"])
@pytest.mark.parametrize("share", sweep([0.97, 0.94], 0))
@pytest.mark.parametrize(
    "rates",
    sweep(
        [[20, 21, 21, 22, 23], [20, 30, 19, 50, 50], [20, 19, 19, 18, 17], [20, 9, 21, 21, 21]],
        0,
        1,
    ),
)
def test_both_notebooks_say_the_same_of_a_source(rates, share, source):
    evidence = with_rates(*rates)
    chances = forecasts_of(share, evidence, source)
    answers = {"holds": "yes", "does not hold": "no"}
    said = claim_10(chances, CLAIM, source=source)["claim_verdict"].item()
    measured = measure("almost-certain-worse", replace(evidence, probabilities=chances))
    cells = answer_cells(measured.rows).query("source == @NAMES[@source]")
    own = cells[cells["counted"] == COUNTED[source]]
    assert own["holds"].tolist() == [answers[said]]
    expected = "holds" if min(rates[2:]) > 20 and share > 0.95 else "does not hold"
    assert said == expected == measured.claim_verdict


def test_sources_that_part_hold_under_one():
    evidence = with_rates(20, 21, 21, 22, 23)
    tables = [forecasts_of(0.97, evidence, "sesnsp"), forecasts_of(0.5, evidence, "inegi")]
    both = pd.concat(tables, ignore_index=True)
    measured = measure("almost-certain-worse", replace(evidence, probabilities=both))
    assert measured.claim_verdict == "holds under one source"
    said = measured.finding
    ends = "between 0.00 (last value) and 0.00 (last value) by single methods"
    told = f"SESNSP's months until April 2021 {ends} and so by any mixture of them,"
    assert f"{told} and 0.97 (almost certain) by those pooled" in said
    assert "beside a base rate of 0.25 by INEGI's registered deaths" in said
    assert "From 0.95 on it would have been almost certain." in said


def test_forecast_answers_for_its_own_count_alone():
    chances = forecasts_of(0.25, EVIDENCE, "sesnsp")
    measured = measure("almost-certain-worse", replace(EVIDENCE, probabilities=chances))
    name = "pooled probability that every year of 2022 to 2024 would be worse"
    assert value(measured, name, counted=WITH_FEMICIDE) == 0.25
    assert (measured.rows["measure"] == name).sum() == 1
    assert name not in set(measure("almost-certain-worse").rows["measure"])


def test_forecasts_of_other_years_are_refused():
    chances = forecasts_of(0.5, EVIDENCE, "sesnsp")
    later = replace(CLAIM, parameters=CLAIM.parameters | {"last": 2023})
    message = r"\[2022, 2023, 2024\] against \[2020\], claim 10 about \[2022, 2023\] against 2020"
    with pytest.raises(ValueError, match=message):
        pooled_chance(later, chances, "SESNSP")
    assert pooled_chance(CLAIM, chances, "INEGI") is None


def test_rates_that_came_are_those_worked_by_hand():
    measured, lowest = measure("almost-certain-worse"), "lowest rate of 2022 to 2024 against 2020"
    after, mean = [27.967503, 25.881496, 24.858995], "mean rate after 2020 against 2020"
    for name, rate in ((mean, np.mean(after)), (lowest, after[-1])):
        change = 100 * (rate / 29.001005 - 1)
        assert value(measured, name, counted=BY_UNODC) == pytest.approx(change, abs=1e-4)
    assert measured.decides == lowest
    assert not (measured.rows["measure"] == lowest)[measured.rows["counted"] == OCCURRED].any()


def test_one_higher_year_is_not_enough():
    planted = plant(40.0, "rate", counted=BY_UNODC, year=2023)
    assert measure("almost-certain-worse", planted).claim_verdict == "does not hold"


def test_probabilities_are_shares_of_one_set_of_draws():
    table = probabilities_of([[21, 21, 19], [21, 19, 19], [19, 19, 19], [21, 21, 21]])
    own = table[table["method"] == "last_value"].set_index("year")
    assert own.index.tolist() == ["2022", "2023", "2024", "every"]
    assert own["probability"].tolist() == [0.75, 0.5, 0.25, 0.25]
    assert own.loc["2023", ["low", "expected", "high"]].tolist() == pytest.approx([19, 20, 21])
    assert own["came"].tolist() == ["higher", "not higher", "higher", "not higher"]
    assert own.loc["2024", ["observed", "observed_than"]].tolist() == [25, 20]
    assert own["words"].tolist()[:2] == ["likely", "roughly even"]


def test_equal_rate_is_not_worse():
    table = probabilities_of([[20, 20, 20]], pd.Series(20.0, [2020, 2022, 2023, 2024]))
    assert (table.loc[table["method"] != BASE_RATE, "probability"] == 0).all()
    assert (table["came"] == "not higher").all()


def test_year_after_the_freeze_is_compared_draw_by_draw():
    made = forecast_of([[22, 21, 24], [30, 31, 29]], first="2020-01")
    table = worse_probabilities({POOL: made}, CAME, CLAIM, source="SESNSP", base_rate=(1, 4))
    # 2020 is drawn as 22 and 30
    assert table.set_index("year")["probability"].tolist() == [0.25, 0, 0.5, 0.5, 0]


def test_what_came_enters_no_probability():
    rates = [[21, 21, 19], [21, 19, 19]]
    one, other = probabilities_of(rates), probabilities_of(rates, 10 / CAME)
    columns = ["probability", "words", "expected", "low", "high"]
    pd.testing.assert_frame_equal(one[columns], other[columns])
    unknown = probabilities_of(rates, CAME.drop(2024))
    assert unknown["came"].tolist()[1:5] == ["higher", "not higher", *["not known"] * 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first": 2025, "last": 2025}, r"last_value: .* has draws of .* and none of \[2025\]"),
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
    assert (row["claim"], row["claim_verdict"], row["freeze"]) == (10, verdict, "2021-04")
    assert row["years"] == np.isfinite(came).sum()
    assert row["years_higher"] == sum(rate > 20 for rate in came)


def test_claim_tells_base_rate_range_and_pool_in_this_order():
    sure, unsure = [[21, 21, 21]], [[21, 21, 21], [21, 19, 19]]
    forecasts = {"last_value": forecast_of(sure), "damped_trend": forecast_of(unsure)}
    forecasts[POOL] = forecast_of([*sure, *unsure])
    table = worse_probabilities(forecasts, CAME, CLAIM, source="SESNSP", base_rate=(1, 4))
    assert table["method"].iloc[0] == BASE_RATE
    row = claim_10(table, CLAIM, source="sesnsp").iloc[0]
    assert row[["almost_certain", "methods", "years_higher", "years"]].tolist() == [1, 2, 2, 3]
    assert row[["base_rate", "lowest", "highest"]].tolist() == [0.25, 0.5, 1]
    assert row["pool_every"] == pytest.approx(2 / 3)
    assert row["figure"] == (
        "that every year of 2022-2024 would be worse than 2020 had, with SESNSP's months until "
        "April 2021 between 0.50 (damped trend (ETS)) and 1.00 (last value) by single methods and "
        "so by any mixture of them, and 0.67 (likely) by those pooled that their record keeps, "
        "beside a base rate of 0.25 by INEGI's registered deaths; 1 of 2 methods gave 0.95 or "
        "more; 2 of 3 known years were worse"
    )


def test_almost_certain_is_the_same_in_the_scale_and_in_the_claim():
    assert CERTAINTY[SURE] == CLAIM["sure"]
    assert SURE in CLAIM.say("words")


def test_forecasts_of_two_freezes_are_not_joined():
    made = {"last_value": forecast_of([[20, 20, 20]]), POOL: forecast_of([[20] * 3], "2021-06")}
    with pytest.raises(ValueError, match=r"share one freeze; found \['2021-04', '2021-05'\]"):
        worse_probabilities(made, CAME, CLAIM, source="SESNSP", base_rate=(1, 4))
