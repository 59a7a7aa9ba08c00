"""The run's tables, sentences that know their rows, and what the shifts say."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from analysis.its.series import as_percent
from analysis.its.words import format_effect, name_trends, significant
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


def headline_rows(found: Findings, estimand: str, estimator: str = "reml") -> pd.DataFrame:
    """Return the headline model's rows of one estimand, where it was estimated."""
    rows = found.estimates.query("estimator == @estimator and estimand == @estimand")
    return rows.dropna(subset=["estimate", "low", "high"])


def name_row(row: pd.Series, titles: dict[str, str], said: str = "") -> str:
    """Return a shift by its title, with its source and what is said of it."""
    return f"{titles[row['shift']]} ({SOURCES[row['source']].name}{', ' + said if said else ''})"


def name_significant(
    table: pd.DataFrame, titles: dict[str, str], say: Callable[[pd.Series], str]
) -> list[str]:
    """Return the rows whose interval leaves zero out, by name and what is to `say` of them."""
    return [name_row(row, titles, say(row)) for _, row in table.iterrows() if significant(row)]


def list_names(names: list[str]) -> str:
    """Return the end of a sentence that lists names, if there are any."""
    return f": {'; '.join(names)}" if names else ""


def tell_trends(found: Findings) -> Sentence:
    """Say how many trends changed, and which."""
    slopes = headline_rows(found, "slope")
    bent = name_significant(slopes, found.titles, lambda row: tell_course(found, row))
    shown = f"{len(bent)} {'shows' if len(bent) == 1 else 'show'}"
    return _sentence(
        f"Of {len(slopes)} estimates of a national shift (shift by source), {shown} a change of "
        f"trend whose 95% interval leaves zero out{list_names(bent)}.",
        pd.concat([slopes, *(headline_rows(found, name) for name in ("pre_trend", "post_trend"))]),
    )


def tell_course(found: Findings, row: pd.Series) -> str:
    """Return the yearly trend before and after a shift, the row of whose change is given."""
    keys, estimates = ["shift", "source", "estimator"], found.estimates
    same = estimates[(estimates[keys] == row[keys]).all(axis=1)].set_index("estimand")["estimate"]
    return name_trends(same["pre_trend"], same["post_trend"])


def tell_steps(found: Findings) -> Sentence:
    """Say where a step was seen."""
    levels = headline_rows(found, "level")
    stepped = name_significant(levels, found.titles, lambda row: f"{row['estimate']:+.0f}%")
    where = f"in {len(stepped)} of {len(levels)}{list_names(stepped)}"
    where = where if stepped else "at none of them"
    return _sentence(
        f"A step at the date itself that leaves zero out is seen {where}; where an interval "
        "includes zero, these data do not tell an effect from none.",
        levels,
    )


def tell_trust(found: Findings) -> Sentence:
    """Say how far the estimates may be trusted."""
    slopes, common = (headline_rows(found, "slope", x) for x in ("reml", "reml_common_months"))
    flags, verdicts = slopes["flags"].fillna(""), Counter(slopes["comparison_verdict"])
    flagged, wandering = (flags != "").sum(), flags.str.contains("wandering").sum()
    signs = np.sign(common["estimate"]).where(common["low"] * common["high"] > 0, 0)
    both = signs.groupby(common["shift"], sort=False).agg(["size", "nunique"]).query("size > 1")
    split = [found.titles[slug] for slug in both.index[both["nunique"] > 1]]
    agreement = "no shift divides the two sources"
    if split:
        agreement = f"the two sources disagree on whether the trend changed at {'; '.join(split)}"
    agreement += ", on the months that both have"
    agreement = agreement if len(both) else "no shift has two sources to compare"
    return _sentence(
        f"{flagged} of the {len(slopes)} carry at least one warning, {wandering} of them that the "
        "series wanders like a random walk; the estimators in use agree in "
        f"{verdicts['agree']}, their intervals differ in {verdicts['intervals differ']} and their "
        f"signs in {verdicts['sign differs']}; and {agreement}: a change of course at a date is "
        "not yet the work of the policy.",
        pd.concat([slopes, common]),
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

    own, other, none = (
        [told(row) for _, row in slopes[slopes["date_verdict"] == verdict].iterrows()]
        for verdict in ("the official date", "another date", "no date")
    )
    return _sentence(
        f"Asked where they bend themselves, {len(own)} of {len(slopes)} series answer with the "
        f"official date, give or take three months{list_names(own)}; {len(other)} with another"
        f"{list_names(other)}; the remaining {len(none)} with no date in particular.",
        slopes,
    )


def tell_deaths(found: Findings) -> Sentence:
    """Say what the changes were in deaths."""
    excess = headline_rows(found, "excess_deaths_forecast")
    told = partial(format_effect, unit="deaths", named=False)
    apart = name_significant(excess, found.titles, told)
    return _sentence(
        "In deaths, over the first 24 months or as many as there are, "
        f"{len(apart)} of {len(excess)} stand apart from what the months before alone would have "
        f"led to expect{list_names(apart)}.",
        excess,
    )


def tell_states(found: Findings) -> Sentence:
    """Say how the states differ in their change of trend."""
    slopes = found.states[found.states["estimand"] == "slope"]
    methods = ("average", "random_effects_shared", "weighted_average")
    average, spread, weighted = (slopes[slopes["method"] == method] for method in methods)
    apart = name_significant(
        average, found.titles, lambda row: name_trends(row["trend_before"], row["trend_after"])
    )
    differ = as_percent(spread["tau"])
    furthest = weighted.loc[weighted["minus_national"].abs().idxmax()]
    rows = pd.concat([average, spread, weighted])
    return Sentence(
        f"Averaged over the states, the change of trend leaves zero out at {len(apart)} of "
        f"{len(average)}{list_names(apart)}; between the states it has a standard deviation of "
        f"{differ.min():.0f} to {differ.max():.0f}%, of zero at {(differ == 0).sum()} of "
        f"{len(spread)}; and their average, "
        f"weighted by population, stands as much as {abs(furthest['minus_national']):.0f}% "
        f"{'above' if furthest['minus_national'] > 0 else 'below'} the national line as a factor, "
        f"at {name_row(furthest, found.titles)}.",
        "states/{shift}--{source}--pooled.csv",
        rows[["shift", "source", "estimand", "method"]],
    )


TELLERS = (tell_trends, tell_steps, tell_trust, tell_own_breaks, tell_deaths, tell_states)


def _sentence(text: str, rows: pd.DataFrame) -> Sentence:
    keys = ["shift", "source", "place", "estimator", "estimand"]
    return Sentence(text, "estimates.csv", rows[[name for name in keys if name in rows]])
