"""The answer: ten sentences written from the results by rule, each with the rows it rests on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
import pandas as pd

from analysis.claims import Verdict as ClaimVerdict
from analysis.country_sentences import GOOD_FIT, POOR_FIT
from analysis.outputs import significant
from analysis.panel import Verdict
from analysis.sentences import format_effect
from analysis.sources import SOURCES
from analysis.synthetic_placebos import LEVEL

OPERATION_MONTHS = 12  # horizon of the joint operations' sentence


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
    chosen = (table["estimator"] == "reml") & (table["estimand"] == estimand)
    return table[chosen].dropna(subset=["estimate", "low", "high"])


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
    unit_root = slopes["flags"].fillna("").str.contains("near_unit_root").sum()
    verdicts = slopes["verdict"].value_counts().reindex(get_args(Verdict), fill_value=0)
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


def _directions(rows: pd.DataFrame) -> list[int]:
    """Return 1, -1 or 0 for each row: a rise, a fall, or an interval that includes zero."""
    return [int(np.sign(row["estimate"])) * significant(row) for _, row in rows.iterrows()]


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
    told = spread.dropna(subset=["prediction_low", "prediction_high"])
    either = told[(told["prediction_low"] < 0) & (told["prediction_high"] > 0)]
    alike = int((either["tau"] == 0).sum())
    weighted = slopes[slopes["method"] == "weighted_average"]
    furthest = weighted.loc[weighted["minus_national"].abs().idxmax()]
    rows = pd.concat([average, spread, weighted])
    return Sentence(
        f"Averaged over the states, the change of trend leaves zero out at {len(apart)} of "
        f"{len(average)}{': ' + listed if apart else ''}; at {len(either)} of {len(told)} the "
        "effect to be expected in a further state may have either sign, at "
        f"{alike} of them although no difference between the states was found; and their average, "
        f"weighted by population, stands as much as {abs(furthest['minus_national']):.0f}% "
        f"{'above' if furthest['minus_national'] > 0 else 'below'} the national line as a factor, "
        f"at {_named(furthest, found.titles)}.",
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
        f"{meaning.get(apart, 'both leave zero out')}, and the states under an operation are few.",
        "tables/operations-event-study.csv",
        pd.DataFrame([row, longest])[["block", "label", "method", "months", "unit"]],
    )


def _countries(found: Findings) -> Sentence:
    gaps = found.countries[found.countries["estimand"] == "average_gap"]
    chosen = found.countries["estimand"].isin(["average_gap", "explained_before"])
    share = found.countries[found.countries["estimand"] == "explained_before"]
    share = share.set_index("shift")["estimate"]

    def told(row: pd.Series) -> str:
        followed = share[row["shift"]]
        fit = "followed" if followed >= GOOD_FIT else "missed"
        fit = "followed in part" if POOR_FIT <= followed < GOOD_FIT else fit
        gap = format_effect(row, "deaths per 100,000")
        return f"{found.titles[row['shift']]} {gap}, the years before {fit} ({followed:.0%})"

    listed = "; ".join(told(row) for _, row in gaps.iterrows())
    apart = _select(gaps, significant)
    return Sentence(
        "Against a mixture of Latin American countries the yearly rate differed on average by "
        f"({LEVEL:.0%} intervals; in brackets at the end the share of the variance before that the "
        f"mixture explains): {listed}; {len(apart)} of the {len(gaps)} leave zero out.",
        "countries/{shift}.csv",
        found.countries.loc[chosen, ["shift", "estimand"]],
    )


def _claims(found: Findings) -> Sentence:
    claims = found.claims
    parts = []
    stray = set(claims["verdict"]) - set(get_args(ClaimVerdict))
    if stray:
        raise ValueError(f"claims.csv has verdicts that are none: {sorted(stray)}; run `pytask`")
    for verdict in get_args(ClaimVerdict):
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
            f"{row['methods']} of them almost certain; {row['years_higher']} of {row['years']} "
            "years were"
        )
    return Sentence(
        "“Almost certain to get worse”: what could be known then gave this probability that every "
        f"year asked for would be worse than {found.forecasts['than'].iloc[0]}: "
        f"{'; '.join(parts)}.",
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
