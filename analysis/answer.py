"""The answer: ten sentences written from the results by rule, each with the rows it rests on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

import pandas as pd

from analysis.outputs import significant
from analysis.panel import Verdict
from analysis.sentences import format_effect
from analysis.sources import SOURCES

OPERATION_MONTHS = 12  # horizon of the joint operations' sentence
VERDICTS = (
    "holds",
    "holds under one source",
    "revised since",
    "does not hold",
    "cannot be judged with these data",
)


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


def write_sentences(found: Findings) -> list[Sentence]:
    """Return the ten sentences of the answer.

    Parameters
    ----------
    found : Findings
        The tables of a run.

    Returns
    -------
    list of Sentence
        On the change of trend, the step, how far to trust them, where the data put their breaks,
        deaths, states, joint operations, other countries, the article's claims, and its forecast.
    """
    return [write(found) for write in SENTENCES]


def trace_table(sentences: list[Sentence]) -> pd.DataFrame:
    """Return one row for each row of a result that a sentence rests on.

    Columns `sentence` (its number), `file` below the results, and `row`: the values that name it,
    such as ``shift=calderon-2006-12, source=inegi, estimator=reml, estimand=slope``.
    """
    lines = []
    for number, sentence in enumerate(sentences, start=1):
        for key in sentence.rows.to_dict("records"):
            row = ", ".join(f"{name}={value}" for name, value in key.items())
            file = sentence.file.format(**key)
            lines.append({"sentence": number, "file": file, "row": row})
    return pd.DataFrame(lines).drop_duplicates(ignore_index=True)


def _headline(found: Findings, estimand: str) -> pd.DataFrame:
    table = found.estimates
    return table[(table["estimator"] == "reml") & (table["estimand"] == estimand)]


def _sentence(text: str, rows: pd.DataFrame) -> Sentence:
    keys = ["shift", "source", "place", "estimator", "estimand"]
    return Sentence(text, "estimates.csv", rows[[name for name in keys if name in rows]])


def _named(row: pd.Series, titles: dict[str, str], said: str = "") -> str:
    parts = [SOURCES[row["source"]].name] if "source" in row else []
    return f"{titles[row['shift']]} ({', '.join([*parts, *([said] if said else [])])})"


def _select(table: pd.DataFrame, chosen: Callable[[pd.Series], bool]) -> list[pd.Series]:
    return [row for _, row in table.iterrows() if chosen(row)]


def _trends(found: Findings) -> Sentence:
    slopes = _headline(found, "slope")
    bent = _select(slopes, significant)
    listed = "; ".join(
        _named(row, found.titles, f"{row['estimate']:+.0f}% per year") for row in bent
    )
    return _sentence(
        f"Of {len(slopes)} estimates of a national shift (shift by source), {len(bent)} "
        f"{'shows' if len(bent) == 1 else 'show'} a change of trend whose 95% interval leaves zero "
        f"out{': ' + listed if bent else ''}.",
        slopes,
    )


def _steps(found: Findings) -> Sentence:
    levels = _headline(found, "level")
    stepped = _select(levels, significant)
    listed = "; ".join(_named(row, found.titles, f"{row['estimate']:+.0f}%") for row in stepped)
    where = f"in {len(stepped)} of {len(levels)}: {listed}" if stepped else "at none of them"
    return _sentence(
        f"A step at the date itself that leaves zero out is seen {where}; where an interval "
        "includes zero, these data do not tell an effect from none.",
        levels,
    )


def _trust(found: Findings) -> Sentence:
    slopes, titles = _headline(found, "slope"), found.titles
    flagged = slopes[slopes["flags"].fillna("") != ""]
    unit_root = slopes["flags"].str.contains("near_unit_root").sum()
    verdicts = slopes["verdict"].value_counts().reindex(get_args(Verdict), fill_value=0)
    both = slopes.groupby("shift")["source"].nunique()
    split = [
        titles[slug]
        for slug in both[both > 1].index
        if len({significant(row) for _, row in slopes[slopes["shift"] == slug].iterrows()}) > 1
    ]
    agreement = (
        f"the two sources disagree on whether the trend changed at {'; '.join(split)}"
        if split
        else "no shift divides the two sources"
    )
    return _sentence(
        f"{len(flagged)} of the {len(slopes)} carry at least one warning, {unit_root} of them that "
        "the series wanders like a random walk; the estimators in use agree in "
        f"{verdicts['agree']}, their intervals differ in {verdicts['intervals differ']} and their "
        f"signs in {verdicts['sign differs']}; and {agreement}: a change of course at a date is "
        "not yet the work of the policy.",
        slopes,
    )


def _own_breaks(found: Findings) -> Sentence:
    slopes = _headline(found, "slope")

    def told(row: pd.Series) -> str:
        if row["date_verdict"] != "another date":
            return _named(row, found.titles)
        side = "before" if row["months_off"] < 0 else "after"
        off = f"{row['own_break']}, {abs(row['months_off']):.0f} months {side}"
        return _named(row, found.titles, off)

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


def _deaths(found: Findings) -> Sentence:
    excess = _headline(found, "excess_deaths_forecast")
    apart = _select(excess, significant)
    listed = "; ".join(
        _named(row, found.titles, format_effect(row, "deaths").replace(" deaths", "", 1))
        for row in apart
    )
    return _sentence(
        "In deaths, over the first 24 months or as many as there are, "
        f"{len(apart)} of {len(excess)} stand apart from what the months before alone would have "
        f"led to expect{': ' + listed if apart else ''}.",
        excess,
    )


def _states(found: Findings) -> Sentence:
    slopes = found.states[found.states["estimand"] == "slope"]
    average = slopes[slopes["method"] == "average"]
    apart = _select(average, significant)
    listed = "; ".join(
        _named(row, found.titles, f"{row['estimate']:+.0f}% per year") for row in apart
    )
    spread = slopes[slopes["method"] == "random_effects_shared"]
    wide = [row for row in _select(spread, lambda _: True) if row["prediction_low"] < 0]
    wide = [row for row in wide if row["prediction_high"] > 0]
    weighted = slopes[slopes["method"] == "weighted_average"]
    furthest = weighted.loc[weighted["minus_national"].abs().idxmax()]
    rows = pd.concat([average, spread, weighted])
    return Sentence(
        f"Averaged over the states, the change of trend leaves zero out at {len(apart)} of "
        f"{len(average)}{': ' + listed if apart else ''}; but at {len(wide)} of {len(spread)} the "
        "states differ so much that a further one could as well have gone the other way, and their "
        "average, weighted by population, departs from the national line by as much as "
        f"{furthest['minus_national']:+.0f}%, at {_named(furthest, found.titles)}.",
        "states/{shift}--{source}--pooled.csv",
        rows[["shift", "source", "estimand", "method"]],
    )


def _operations(found: Findings) -> Sentence:
    table = found.operations
    average = table[
        (table["block"] == "average")
        & (table["label"] == "headline")
        & (table["method"] == "score bootstrap")
        & (table["unit"] == "percent")
    ]
    row = average[average["months"] == OPERATION_MONTHS].iloc[0]
    longest = average.loc[average["months"].idxmax()]
    meaning = {0: "neither leaves zero out", 1: "one of the two leaves zero out"}
    apart = significant(row) + significant(longest)
    return Sentence(
        "Against the states that no joint operation reached, homicides in those that one did "
        f"changed by {format_effect(row, 'percent')} over the first {OPERATION_MONTHS} months and "
        f"by {format_effect(longest, 'percent')} over the first {longest['months']:.0f}: "
        f"{meaning.get(apart, 'both leave zero out')}, and eight treated states are few.",
        "tables/operations-event-study.csv",
        pd.DataFrame([row, longest])[["block", "label", "method", "months", "unit"]],
    )


def _countries(found: Findings) -> Sentence:
    gaps = found.countries[found.countries["estimand"] == "average_gap"]
    listed = "; ".join(
        f"{found.titles[row['shift']]} {format_effect(row, 'deaths per 100,000')}"
        for _, row in gaps.iterrows()
    )
    apart = _select(gaps, significant)
    return Sentence(
        "Against a mixture of Latin American countries that moved like Mexico before, the yearly "
        f"rate stood apart under each administration by (90% intervals): {listed}; "
        f"{len(apart)} of the {len(gaps)} leave zero out.",
        "countries/{shift}.csv",
        gaps[["shift", "estimand"]],
    )


def _claims(found: Findings) -> Sentence:
    claims = found.claims
    parts = []
    for verdict in VERDICTS:
        numbers = claims.loc[claims["verdict"] == verdict, "number"]
        if len(numbers):
            parts.append(f"{verdict}: {', '.join(str(number) for number in numbers)}")
    return Sentence(
        f"The article's {len(claims)} claims with a figure, by their number: {'; '.join(parts)}.",
        "claims.csv",
        claims[["number", "slug"]],
    )


def _forecast(found: Findings) -> Sentence:
    parts = []
    for _, row in found.forecasts.iterrows():
        parts.append(
            f"with {SOURCES[row['source']].name}'s figures until {row['freeze']}, "
            f"{row['pool_every']:.2f} for methods taken together, {row['almost_certain']} of "
            f"{row['methods']} of them almost certain; {row['years_higher']} of {row['years']} were"
        )
    return Sentence(
        "“Almost certain to get worse”: what could be known then gave every year from 2022 to 2024 "
        f"this probability of being worse than 2020: {'; '.join(parts)}.",
        "forecasts/{source}--claim-10.csv",
        found.forecasts[["claim", "source"]],
    )


SENTENCES = (
    _trends,
    _steps,
    _trust,
    _own_breaks,
    _deaths,
    _states,
    _operations,
    _countries,
    _claims,
    _forecast,
)
