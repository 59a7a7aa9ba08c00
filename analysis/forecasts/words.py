"""A probability on the scale of certainty."""

# ODNI, Intelligence Community Directive 203, Analytic Standards (2 January 2015), D.6.e(2)(a): the
# least probability of each word. The IPCC's nearest are "extremely likely" (0.95) and "virtually
# certain" (0.99).
CERTAINTY = {
    "almost certain": 0.95,
    "very likely": 0.80,
    "likely": 0.55,
    "roughly even": 0.45,
    "unlikely": 0.20,
    "very unlikely": 0.05,
    "almost no chance": 0.0,
}
SURE = "almost certain"  # the article's own words


def in_words(probability: float) -> str:
    """Return the word of `CERTAINTY` for a probability."""
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability lies between 0 and 1; found {probability}")
    return next(words for words, least in CERTAINTY.items() if probability >= least)
