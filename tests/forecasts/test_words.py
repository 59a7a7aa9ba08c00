import pandas as pd
import pytest
from support.forecast_series import CAME, CLAIM, forecast_of, probabilities_of
from support.measured_claims import EVIDENCE, plant

from analysis import load_series
from analysis.claims.declared import HOMICIDE
from analysis.claims.forecast import claim_10, describe_claim, describe_known, worse_probabilities
from analysis.forecasts.paths import POOL
from analysis.forecasts.words import describe_origins, describe_scores, describe_years


def test_years_are_described_with_their_intervals():
    came = pd.Series({2020: 20.0, 2022: 21.04, 2023: 19.0})
    said = describe_years(probabilities_of([[21, 22, 23]], came))
    assert "2022: 21.0 (21.0 to 21.0), came 21.0; 2023: 22.0 (22.0 to 22.0), came 19.0" in said
    assert "2024: 23.0 (23.0 to 23.0), came not known. The rate of 2020: 20.0." in said


def test_known_months_are_described_by_their_numbers():
    known = load_series("sesnsp", end="2021-04")
    said = describe_known(known, "sesnsp", "2021-05", EVIDENCE.yearly)
    assert "until 2021-04" in said
    assert f"76 months and {known['deaths'].sum():,} deaths" in said
    assert "not as they stood then" in said
    assert (
        "The article's day is not known here: until about the 20th of 2021-05 only 2021-03" in said
    )


@pytest.mark.parametrize(
    ("published", "yearly", "revision"),
    [
        # (34,723 + 34,569) / (34,648 + 34,515) and 34,723 / 34,582
        ("2021-05", EVIDENCE.yearly, "of 2019 and 2020 are +0.2% against what was published in "
         "2021-01"),
        ("2020-12", EVIDENCE.yearly, "of 2019 are +0.4% against what was published in 2020-01"),
        ("2019-12", EVIDENCE.yearly, "then: what stood then is not in these data"),
        ("2021-05", plant(44_569, counted=HOMICIDE, vintage="2025-06", year=2020).yearly,
         "are +14.6% against"),
    ],
)  # fmt: skip
def test_revision_since_is_computed_from_the_vintages(published, yearly, revision):
    known = load_series("sesnsp", end="2019-10")
    assert revision in describe_known(known, "sesnsp", published, yearly)


def test_source_that_comes_by_year_has_no_day_to_mind():
    said = describe_known(load_series("inegi", end="2019-12"), "inegi", "2021-05", EVIDENCE.yearly)
    assert "after it ends. The frozen series has 240 months" in said
    assert "later registrations of these months are in it, and the population" in said


def test_methods_whose_bands_failed_are_named():
    summary = pd.DataFrame(
        {
            "method": ["last_value", "last_value", POOL, POOL, "damped_trend"],
            "horizon": ["year 1", "year 2", "year 1", "year 2", "year 1"],
            "origins": [9, 5, 9, 4, 9],
            "covered_95": [0.95, 0.9, 1.0, 0.2, 0.67],
        }
    )
    said = describe_origins(summary)
    assert "at most 9 origins" in said
    assert "are those of: last value, all, pooled." in said
    assert "did not: damped trend (ETS) (67% at worst)." in said


def test_best_and_worst_are_named_with_the_caution():
    scores = pd.DataFrame(
        {"method": [POOL, "last_value"], "months": 50, "crps": [1.5, 3.25], "covered_95": [0.9, 1]}
    )
    said = describe_scores(scores)
    assert "On the 50 months that came, the best is all, pooled (CRPS 1.50" in said
    assert "the worst last value (3.25, 100%)" in said
    assert "one realisation" in said


def test_claim_is_described_with_the_methods_that_were_sure():
    sure, unsure = [[21, 21, 21]], [[21, 21, 21], [21, 19, 19]]
    forecasts = {"last_value": forecast_of(sure), "damped_trend": forecast_of(unsure)}
    forecasts[POOL] = forecast_of([*sure, *unsure])
    table = worse_probabilities(forecasts, CAME, CLAIM, source="SESNSP")
    row = claim_10(table, CLAIM, source="sesnsp").iloc[0]
    said = describe_claim(row)
    assert "does not hold** (SESNSP)" in said
    assert "1 of 2 methods" in said
    assert "the highest was 1.00 (last value)" in said
