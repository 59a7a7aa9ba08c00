"""The answer: ten sentences by rule, each with the rows it rests on, and the front page's table."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.files import DATA_FOLDER, read_toml, write_atomically, write_table
from analysis.its.words import WORDS as FIT_WORDS
from analysis.its.words import format_effect, name_trends
from analysis.language import literal
from analysis.mexico.record import SOURCES
from analysis.report.findings import TELLERS, WORDS, Findings

SUMMARY = read_toml(DATA_FOLDER / "summary.toml")[1]  # the columns of the table of shifts
HEADLINES = {"reml": "", "reml_common_months": ", months that both sources have"}


class Sentence(NamedTuple):
    """A sentence and the rows whose numbers it tells."""

    text: str
    page: str
    file: str
    rows: pd.DataFrame  # of the file: the columns that name a row


def write_sentences(found: Findings) -> list[Sentence]:
    """Return the sentences of ``answer.toml``, in their order, filled in from a run."""
    sentences = []
    for block, tell in zip(WORDS.values(), TELLERS, strict=True):
        told, rows = tell(found)
        text, rested = block["text"].format(**told), rows[block["keys"]]
        sentences.append(Sentence(text, block["page"], block["file"], rested))
    return sentences


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
    rows, keys = [], ["shift", "source", "estimator"]
    headline = estimates[estimates["estimator"].isin(HEADLINES)].fillna({"flags": ""})
    for (slug, source, estimator), part in headline.groupby(keys, sort=False):
        first, numbers = part.iloc[0], part.set_index("estimand")["estimate"]
        told = defaultdict(lambda: "not estimated", first)
        for _, row in part.iterrows():
            told[row["estimand"]] = format_effect(row, row["unit"], named=row["unit"] != "deaths")
        told |= {"title": titles[slug] + HEADLINES[estimator], "name": SOURCES[source].name}
        told |= {"trend": name_trends(numbers["pre_trend"], numbers["post_trend"])}
        warned = ", ".join(FIT_WORDS["flags"][name]["title"] for name in first["flags"].split())
        told["warnings"] = warned.lower() or "none"
        row = {column: form.format_map(told) for column, form in SUMMARY.items()}
        if HEADLINES[estimator]:  # these are said of all months
            row |= dict.fromkeys(list(row)[-3:], "as above")
        rows.append(row)
    return pd.DataFrame(rows)


def write_front_page(sentences: list[Sentence], summary: pd.DataFrame, results: Path) -> None:
    """Write the front page's words and the summary table as CSV, LaTeX and HTML."""
    words = (f"{number}. {literal(each.text)}\n" for number, each in enumerate(sentences, start=1))
    write_atomically(results / "answer.md", "".join(words).encode())
    write_table(summary, results / "tables/summary.csv")
    latex = summary.to_latex(index=False, escape=True, column_format="l" * summary.shape[1])
    write_atomically(results / "tables/summary.tex", latex.encode())
    write_atomically(results / "tables/summary.html", summary.to_html(index=False).encode())
