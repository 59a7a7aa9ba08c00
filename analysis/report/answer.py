"""The answer: ten sentences by rule, each with the rows it rests on, and the front page's table."""

from pathlib import Path
from typing import get_args

import pandas as pd

from analysis.claims.declared import ClaimVerdict
from analysis.files import write_atomically, write_table
from analysis.its.words import format_effect, name_trends, significant
from analysis.mexico.sources import SOURCES
from analysis.report.findings import TELLERS, Findings, Sentence
from analysis.synthetic.placebos import CONFIDENCE
from analysis.synthetic.words import GOOD_FIT, POOR_FIT

NONE = "not estimated"
HEADLINES = {"reml": "", "reml_common_months": ", months that both sources have"}
OPERATION_MONTHS = 12  # horizon of the joint operations' sentence


def write_sentences(found: Findings) -> list[Sentence]:
    """Return the ten sentences of the answer, in their order."""
    return [tell(found) for tell in (*TELLERS, _operations, _countries, _claims, _forecast)]


def trace_table(sentences: list[Sentence]) -> pd.DataFrame:
    """Return the rows that each sentence rests on: its number, a file, and what names the row."""
    lines = [
        (number, said.file.format(**key), ", ".join(f"{name}={key[name]}" for name in key))
        for number, said in enumerate(sentences, start=1)
        for key in said.rows.to_dict("records")
    ]
    table = pd.DataFrame(lines, columns=["sentence", "file", "row"])
    return table.drop_duplicates(ignore_index=True)


def summary_table(estimates: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """Return rows of ``estimates.csv`` as words, a row or two per shift (by title) and source."""
    rows = []
    headline = estimates[estimates["estimator"].isin(HEADLINES)]
    keys = ["shift", "source", "estimator"]
    for (slug, source, estimator), part in headline.groupby(keys, sort=False):
        cells = {
            row["estimand"]: format_effect(row, row["unit"], named=row["unit"] != "deaths")
            for _, row in part.iterrows()
        }
        first, numbers = part.iloc[0], part.set_index("estimand")["estimate"]
        flags = first["flags"] if isinstance(first["flags"], str) else ""
        row = {
            "Shift": titles[slug] + HEADLINES[estimator],
            "Source": SOURCES[source].name,
            "Step at the date": cells.get("level", NONE),
            "Trend": name_trends(numbers["pre_trend"], numbers["post_trend"]),
            "Change of trend": cells.get("slope", NONE),
            "After 24 months": cells.get("effect_24m", NONE),
            "Excess deaths": cells.get("excess_deaths_forecast", NONE),
            "Months": f"{first['n_before']} + {first['n_after']}",
            "Memory": f"{first['phi']:.2f}",
            "Noise": f"{first['noise']:.2f}",
            "Estimators": first["comparison_verdict"],
            "The data's own break": f"{first['own_break']} ({first['months_off']:+.0f} months)",
            "Warnings": flags.replace(" ", ", ").replace("_", " ") or "none",
        }
        if HEADLINES[estimator]:  # these are said of all months
            row |= dict.fromkeys(list(row)[-3:], "as above")
        rows.append(row)
    return pd.DataFrame(rows)


def write_front_page(sentences: list[Sentence], summary: pd.DataFrame, results: Path) -> None:
    """Write the front page's words and the summary table as CSV, LaTeX and HTML."""
    words = "\n".join(f"{number}. {said.text}" for number, said in enumerate(sentences, start=1))
    write_atomically(results / "answer.md", (words + "\n").encode())
    write_table(summary, results / "tables/summary.csv")
    latex = summary.to_latex(index=False, escape=True, column_format="l" * summary.shape[1])
    write_atomically(results / "tables/summary.tex", latex.encode())
    write_atomically(results / "tables/summary.html", summary.to_html(index=False).encode())


def _operations(found: Findings) -> Sentence:
    table = found.operations
    keys = {"block": "average", "label": "headline", "method": "score bootstrap", "unit": "percent"}
    average = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)]
    row = average[average["months"] == OPERATION_MONTHS].iloc[0]
    longest = average.loc[average["months"].idxmax()]
    meaning = ("neither leaves zero out", "one of the two leaves zero out", "both leave zero out")
    apart = significant(row) + significant(longest)
    return Sentence(
        "Against the states that no joint operation reached, homicides in those that one did "
        f"changed by {format_effect(row, 'percent')} over the first {OPERATION_MONTHS} months and "
        f"by {format_effect(longest, 'percent')} over the first {longest['months']:.0f}: "
        f"{meaning[apart]}, and the states under an operation are few.",
        "tables/operations-event-study.csv",
        pd.DataFrame([row, longest])[["block", "label", "method", "months", "unit"]],
    )


def _countries(found: Findings) -> Sentence:
    rows = found.countries.query("estimand in ('average_gap', 'explained_before')")
    gaps = rows[rows["estimand"] == "average_gap"]
    share = rows[rows["estimand"] == "explained_before"].set_index("shift")["estimate"]
    told, apart = [], 0
    for _, row in gaps.iterrows():
        followed, gap = share[row["shift"]], format_effect(row, "deaths per 100,000")
        fit = "followed in part" if followed >= POOR_FIT else "missed"
        fit = "followed" if followed >= GOOD_FIT else fit
        told.append(f"{found.titles[row['shift']]} {gap}, the years before {fit} ({followed:.0%})")
        apart += significant(row)
    return Sentence(
        "Against a mixture of Latin American countries the yearly rate differed on average by "
        f"({CONFIDENCE:.0%} intervals; in brackets at the end the share of the variance before "
        f"that the mixture explains): {'; '.join(told)}; {apart} of the {len(gaps)} leave zero "
        "out.",
        "countries/{shift}.csv",
        rows[["shift", "estimand"]],
    )


def _claims(found: Findings) -> Sentence:
    claims = found.claims
    stray = set(claims["claim_verdict"]) - set(get_args(ClaimVerdict))
    if stray:
        raise ValueError(f"claims.csv has verdicts that are none: {sorted(stray)}; run `pytask`")
    numbers = claims["number"].astype(str).groupby(claims["claim_verdict"]).agg(", ".join)
    told = [f"{name}: {numbers[name]}" for name in get_args(ClaimVerdict) if name in numbers]
    return Sentence(
        f"The article's {len(claims)} claims with a figure, by their number: {'; '.join(told)}.",
        "claims.csv",
        claims[["number", "slug"]],
    )


def _forecast(found: Findings) -> Sentence:
    parts = [
        f"with {SOURCES[row['source']].name}'s figures until {row['freeze']}, "
        f"{row['pool_every']:.2f} for methods taken together, {row['almost_certain']} of "
        f"{row['methods']} of them almost certain; {row['years_higher']} of {row['years']} "
        "years were"
        for _, row in found.forecasts.iterrows()
    ]
    return Sentence(
        "“Almost certain to get worse”: what could be known then gave this probability that every "
        f"year asked for would be worse than {found.forecasts['than'].iloc[0]}: "
        f"{'; '.join(parts)}.",
        "forecasts/{source}--claim-10.csv",
        found.forecasts[["claim", "source"]],
    )
