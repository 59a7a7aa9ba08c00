"""A probability on the scale of certainty, and what the record says of a method."""

import pandas as pd

from analysis.forecasts.paths import title_of

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


def describe_record(record: pd.DataFrame, *, least: float, fewest: int) -> str:
    """Return which methods enter the pool by `judge_record`, and which their record leaves out."""
    asked = record[record["years"] >= fewest]
    told = {
        slug: f"{title_of(slug)} ({row['held']:.0%} of {row['years']})"
        for slug, row in asked.iterrows()
    }
    held, failed = ([told[slug] for slug in asked.index[asked["kept"] == way]] for way in (1, 0))
    unknown = [title_of(slug) for slug in record.index.difference(asked.index)]
    return (
        f"Of the whole years one to three ahead that had ended before the freeze, the 95% bands "
        f"held at least {least:.0%} by {', '.join(held) or 'no method'}. Left out of the pool, "
        f"with less: {', '.join(failed) or 'none'}. With fewer than {fewest} years there is no "
        f"record, and nothing against a method: {', '.join(unknown) or 'none'}. Targets of "
        "neighbouring origins overlap and belong to one history: these shares are worth far fewer "
        "independent trials than their number."
    )
