"""The run's tables, sentences that know their rows, and what the national shifts say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
import pandas as pd

from analysis.its.comparison import ComparisonVerdict
from analysis.its.words import format_effect, significant
from analysis.mexico.sources import SOURCES


@dataclass(frozen=True)
class Findings:
    """The tables of a run that the answer is written from."""

    titles: dict[str, str]  # slug of a shift to its title
    estimates: pd.DataFrame  # rows of estimates.csv, national shifts
    states: pd.DataFrame  # of states/*--pooled.csv
    operations: pd.DataFrame  # of tables/operations-event-study.csv
    countries: pd.DataFrame  # of countries/*.csv
    claims: pd.DataFrame  # of claims.csv
    forecasts: pd.DataFrame  # of forecasts/*--claim-10.csv


@dataclass(frozen=True)
class Sentence:
    """A sentence and the rows whose numbers it tells."""

    text: str
    file: str
    rows: pd.DataFrame = field(repr=False)  # of the file: the columns that name a row


def headline_rows(found: Findings, estimand: str) -> pd.DataFrame:
    """Return the headline model's rows of one estimand, where it was estimated."""
    table = found.estimates
    chosen = (table["estimator"] == "reml") & (table["estimand"] == estimand)
    return table[chosen].dropna(subset=["estimate", "low", "high"])


def name_row(row: pd.Series, titles: dict[str, str], said: str = "") -> str:
    """Return a shift by its title, with its source and what is said of it."""
    parts = [SOURCES[row["source"]].name] if "source" in row else []
    return f"{titles[row['shift']]} ({', '.join([*parts, *([said] if said else [])])})"


def select_rows(table: pd.DataFrame, chosen: Callable[[pd.Series], bool]) -> list[pd.Series]:
    """Return the rows for which `chosen` is true."""
    return [row for _, row in table.iterrows() if chosen(row)]


def tell_trends(found: Findings) -> Sentence:
    """Say how many trends changed, and which."""
    slopes = headline_rows(found, "slope")
    bent = select_rows(slopes, significant)
    listed = "; ".join(
        name_row(row, found.titles, f"{row['estimate']:+.0f}% per year") for row in bent
    )
    return _sentence(
        f"Of {len(slopes)} estimates of a national shift (shift by source), {len(bent)} "
        f"{'shows' if len(bent) == 1 else 'show'} a change of trend whose 95% interval leaves zero "
        f"out{': ' + listed if bent else ''}.",
        slopes,
    )


def tell_steps(found: Findings) -> Sentence:
    """Say where a step was seen."""
    levels = headline_rows(found, "level")
    stepped = select_rows(levels, significant)
    listed = "; ".join(name_row(row, found.titles, f"{row['estimate']:+.0f}%") for row in stepped)
    where = f"in {len(stepped)} of {len(levels)}: {listed}" if stepped else "at none of them"
    return _sentence(
        f"A step at the date itself that leaves zero out is seen {where}; where an interval "
        "includes zero, these data do not tell an effect from none.",
        levels,
    )


def tell_trust(found: Findings) -> Sentence:
    """Say how far the estimates may be trusted."""
    slopes, titles = headline_rows(found, "slope"), found.titles
    flagged = slopes[slopes["flags"].fillna("") != ""]
    unit_root = slopes["flags"].fillna("").str.contains("near_unit_root").sum()
    verdicts = (
        slopes["comparison_verdict"]
        .value_counts()
        .reindex(get_args(ComparisonVerdict), fill_value=0)
    )
    said = {slug: _directions(rows) for slug, rows in slopes.groupby("shift", sort=False)}
    both = {slug: found for slug, found in said.items() if len(found) > 1}
    split = [titles[slug] for slug, found in both.items() if len(set(found)) > 1]
    agreement = "no shift has two sources to compare"
    if split:
        agreement = f"the two sources disagree on whether the trend changed at {'; '.join(split)}"
    elif both:
        agreement = "no shift divides the two sources"
    return _sentence(
        f"{len(flagged)} of the {len(slopes)} carry at least one warning, {unit_root} of them that "
        "the series wanders like a random walk; the estimators in use agree in "
        f"{verdicts['agree']}, their intervals differ in {verdicts['intervals differ']} and their "
        f"signs in {verdicts['sign differs']}; and {agreement}: a change of course at a date is "
        "not yet the work of the policy.",
        slopes,
    )


def tell_own_breaks(found: Findings) -> Sentence:
    """Say where the data put the break themselves."""
    slopes = headline_rows(found, "slope")

    def told(row: pd.Series) -> str:
        if row["date_verdict"] != "another date":
            return name_row(row, found.titles)
        side = "before" if row["months_off"] < 0 else "after"
        off = f"{row['own_break']}, {abs(row['months_off']):.0f} months {side}"
        return name_row(row, found.titles, off)

    said = {
        verdict: [told(row) for _, row in part.iterrows()]
        for verdict, part in slopes.groupby("date_verdict")
    }
    own, other, none = (
        said.get(verdict, []) for verdict in ("the official date", "another date", "no date")
    )
    return _sentence(
        f"Asked where they bend themselves, {len(own)} of {len(slopes)} series answer with the "
        f"official date, give or take three months{': ' + '; '.join(own) if own else ''}; "
        f"{len(other)} with another{': ' + '; '.join(other) if other else ''}; the remaining "
        f"{len(none)} with no date in particular.",
        slopes,
    )


def tell_deaths(found: Findings) -> Sentence:
    """Say what the changes were in deaths."""
    excess = headline_rows(found, "excess_deaths_forecast")
    apart = select_rows(excess, significant)
    listed = "; ".join(
        name_row(row, found.titles, format_effect(row, "deaths").replace(" deaths", "", 1))
        for row in apart
    )
    return _sentence(
        "In deaths, over the first 24 months or as many as there are, "
        f"{len(apart)} of {len(excess)} stand apart from what the months before alone would have "
        f"led to expect{': ' + listed if apart else ''}.",
        excess,
    )


def _directions(rows: pd.DataFrame) -> list[int]:
    """Return 1, -1 or 0 for each row: a rise, a fall, or an interval that includes zero."""
    return [int(np.sign(row["estimate"])) * significant(row) for _, row in rows.iterrows()]


def _sentence(text: str, rows: pd.DataFrame) -> Sentence:
    keys = ["shift", "source", "place", "estimator", "estimand"]
    return Sentence(text, "estimates.csv", rows[[name for name in keys if name in rows]])
