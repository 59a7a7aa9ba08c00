"""The methods by their titles, and a probability on the scale of certainty."""

from analysis.language import Words

CERTAINTY = Words("forecasts-words.toml", "certainty")  # the least probability of each word
TITLES = Words("forecasts-words.toml", "methods")
SURE = "almost certain"  # the article's own words


def in_words(probability: float) -> str:
    """Return the word of `CERTAINTY` for a probability."""
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability lies between 0 and 1; found {probability}")
    return next(words for words, least in CERTAINTY.items() if probability >= least)
