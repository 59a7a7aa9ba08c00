"""What was known, what was expected and what the scores say, in words."""

import numpy as np
import pandas as pd

from analysis.claim_evidence import HOMICIDE
from analysis.forecast_verdicts import CERTAINTY, SURE, in_words
from analysis.forecasts import POOL, title_of
from analysis.freezes import RELEASES
from analysis.sources import SOURCES

BELIEVED = 0.90  # share of targets that a 95% band must have held at every horizon
FEWEST_ORIGINS = 5  # with fewer a horizon is not judged


def describe_known(known: pd.DataFrame, source: str, published: str, yearly: pd.DataFrame) -> str:
    """Return what was available at the freeze, and what was not.

    Parameters
    ----------
    known : DataFrame
        The frozen series.
    source : str
        Slug of its source.
    published : str
        Month of the article.
    yearly : DataFrame
        As `analysis.claim_evidence.tabulate_years` gives it: every vintage of the yearly totals.
    """
    last, release, name = known.index[-1], RELEASES[source], SOURCES[source].name
    caution = release.caution.format(published=published, month=last, before=last - 1)
    revised = {"inegi": "later registrations of these months are in it"}.get(
        source, _describe_revision(yearly, name, published)
    )
    return (
        f"An article of {published} could know {name} until {last}: {release.reason}. "
        f"{caution}{' ' if caution else ''}The frozen series has {len(known)} months and "
        f"{known['deaths'].sum():,} deaths as they are counted today, not as they stood then: "
        f"{revised}, and the population is CONAPO's of 2023."
    )


def _describe_revision(yearly: pd.DataFrame, name: str, published: str) -> str:
    """The last vintage before the article against the newest one, over the years they share."""
    own = yearly[(yearly["source"] == name) & (yearly["counted"] == HOMICIDE)]
    totals = own.pivot_table(index="year", columns="vintage", values="deaths")
    then = [vintage for vintage in totals.columns[:-1] if vintage <= published]
    if not then:
        return "what stood then is not in these data"
    both = totals[[then[-1], totals.columns[-1]]].dropna()
    before, now = both.sum()
    years = " and ".join(str(year) for year in both.index)
    return (
        f"its intentional homicides of {years} are {100 * (now / before - 1):+.1f}% against what "
        f"was published in {then[-1]}"
    )


def describe_origins(summary: pd.DataFrame) -> str:
    """Return which bands held on earlier origins, in words."""
    judged = summary[summary["origins"] >= FEWEST_ORIGINS]
    worst = judged.groupby("method", sort=False)["covered_95"].min()
    held = [title_of(slug) for slug in worst.index[worst >= BELIEVED]]
    failed = [
        f"{title_of(slug)} ({100 * share:.0f}% at worst)"
        for slug, share in worst[worst < BELIEVED].items()
    ]
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
    parts = [
        f"{row['year']}: {row['expected']:.1f} ({row['low']:.1f} to {row['high']:.1f}), came "
        + ("not known" if np.isnan(row["observed"]) else f"{row['observed']:.1f}")
        for _, row in years.iterrows()
    ]
    than, rate = years["than"].iloc[0], years["observed_than"].iloc[0]
    return (
        f"Pooled, the yearly rates expected, in deaths per 100,000 person-years with 95% "
        f"intervals: {'; '.join(parts)}. The rate of {than}: "
        f"{'not known' if np.isnan(rate) else f'{rate:.1f}'}."
    )


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


def describe_claim(row: pd.Series) -> str:
    """Return the answer to claim 10, in words."""
    return (
        f"**“Almost certain to get worse”: {row['verdict']}** ({SOURCES[row['source']].name}). "
        f"With the months until {row['freeze']}, {row['almost_certain']} of {row['methods']} "
        f"methods gave a probability of {CERTAINTY[SURE]:.2f} or more to a rate above that of "
        f"{row['than']} in every year asked about; the highest was {row['highest']:.2f} "
        f"({title_of(row['highest_method'])}). Pooled: {row['pool_every']:.2f} for every year "
        f"({in_words(row['pool_every'])}), {row['pool_any']:.2f} for at least one "
        f"({in_words(row['pool_any'])}). What came: {row['years_higher']} of {row['years']} years "
        "were higher."
    )
