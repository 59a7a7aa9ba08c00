import pytest

from analysis.forecasts.paths import in_words


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
