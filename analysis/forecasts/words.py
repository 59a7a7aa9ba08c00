"""A probability on the scale of certainty, and what records and scores say."""

import numpy as np
import pandas as pd

from analysis.forecasts.paths import POOL, title_of

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


BELIEVED = 0.90  # share of targets that a 95% band must have held at every horizon
FEWEST_ORIGINS = 5  # with fewer a horizon is not judged


def describe_origins(summary: pd.DataFrame) -> str:
    """Return which bands held on earlier origins, in words."""
    judged = summary[summary["origins"] >= FEWEST_ORIGINS]
    worst = judged.groupby("method", sort=False)["covered_95"].min()
    held = [title_of(slug) for slug in worst.index[worst >= BELIEVED]]
    below = worst[worst < BELIEVED].items()
    failed = [f"{title_of(slug)} ({100 * share:.0f}% at worst)" for slug, share in below]
    return (
        f"Over at most {summary['origins'].max()} origins before the freeze, the 95% bands that "
        f"held at least {100 * BELIEVED:.0f}% of the targets at every horizon with "
        f"{FEWEST_ORIGINS} origins or more are those of: "
        f"{', '.join(held) or 'no method'}. Those that did not: {', '.join(failed) or 'none'}. "
        "Targets of neighbouring origins overlap and belong to one history: these shares are worth "
        "far fewer independent trials than their number of origins."
    )


def describe_years(probabilities: pd.DataFrame) -> str:
    """Return the pool's forecast of each year's rate beside what came, in words."""
    years = probabilities[(probabilities["method"] == POOL) & probabilities["expected"].notna()]
    parts = []
    for _, row in years.iterrows():
        drawn = f"{row['expected']:.1f} ({row['low']:.1f} to {row['high']:.1f})"
        parts.append(f"{row['year']}: {drawn}, came {_rate_in_words(row['observed'])}")
    than, rate = years["than"].iloc[0], years["observed_than"].iloc[0]
    return (
        f"Pooled, the yearly rates expected, in deaths per 100,000 person-years with 95% "
        f"intervals: {'; '.join(parts)}. The rate of {than}: {_rate_in_words(rate)}."
    )


def _rate_in_words(rate: float) -> str:
    return "not known" if np.isnan(rate) else f"{rate:.1f}"


def describe_scores(scores: pd.DataFrame) -> str:
    """Return which method came nearest to what came, with the caution it needs."""
    best, worst = scores.iloc[0], scores.iloc[-1]
    return (
        f"On the {best['months']} months that came, the best is {title_of(best['method'])} (CRPS "
        f"{best['crps']:.2f} per 100,000, {100 * best['covered_95']:.0f}% of months inside its 95% "
        f"band), the worst {title_of(worst['method'])} ({worst['crps']:.2f}, "
        f"{100 * worst['covered_95']:.0f}%). This is one realisation, and its months go up and "
        "down together: it ranks what happened, not the methods."
    )
