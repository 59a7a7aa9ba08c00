import pandas as pd
import pytest
from support.forecast_series import probabilities_of

from analysis.forecasts.paths import POOL
from analysis.forecasts.words import describe_origins, describe_scores, describe_years, in_words


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1, "almost certain"), (0.95, "almost certain"), (0.949, "very likely"),
        (0.8, "very likely"), (0.55, "likely"), (0.5, "roughly even"), (0.44, "unlikely"),
        (0.19, "very unlikely"), (0.04, "almost no chance"), (0, "almost no chance"),
    ],
)  # fmt: skip
def test_words_follow_the_declared_scale(probability, words):
    assert in_words(probability) == words


def test_probability_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1; found"):
        in_words(1.2)


def test_years_are_described_with_their_intervals():
    came = pd.Series({2020: 20.0, 2022: 21.04, 2023: 19.0})
    said = describe_years(probabilities_of([[21, 22, 23]], came))
    assert "2022: 21.0 (21.0 to 21.0), came 21.0; 2023: 22.0 (22.0 to 22.0), came 19.0" in said
    assert "2024: 23.0 (23.0 to 23.0), came not known. The rate of 2020: 20.0." in said


def test_methods_whose_bands_failed_are_named():
    rows = [("last_value", "year 1", 9, 0.95), ("last_value", "year 2", 5, 0.9)]
    rows += [(POOL, "year 1", 9, 1.0), (POOL, "year 2", 4, 0.2)]
    rows.append(("damped_trend", "year 1", 9, 0.67))
    columns = ["method", "horizon", "origins", "covered_95"]
    said = describe_origins(pd.DataFrame(rows, columns=columns))
    assert "at most 9 origins" in said
    assert "are those of: last value, all, pooled." in said
    assert "did not: damped trend (ETS) (67% at worst)." in said


def test_best_and_worst_are_named_with_the_caution():
    scores = {"method": [POOL, "last_value"], "crps": [1.5, 3.25], "covered_95": [0.9, 1]}
    said = describe_scores(pd.DataFrame(scores | {"months": 50}))
    assert "On the 50 months that came, the best is all, pooled (CRPS 1.50" in said
    assert "the worst last value (3.25, 100%)" in said
    assert "one realisation" in said
