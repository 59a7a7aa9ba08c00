"""The front page: the summary table of every shift, the reporting checklist, the files for it."""

from pathlib import Path

import pandas as pd

from analysis.files import write_atomically, write_table
from analysis.findings import Sentence
from analysis.sentences import format_effect
from analysis.sources import SOURCES

NONE = "not estimated"


def summary_table(estimates: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """Return one row of words per shift and source, for a reader.

    Parameters
    ----------
    estimates : DataFrame
        Rows of ``estimates.csv``.
    titles : dict
        Slug to the shift's title.

    Returns
    -------
    DataFrame
        Columns of text; estimates with their 95% intervals.
    """
    rows = []
    headline = estimates[estimates["estimator"] == "reml"]
    for (slug, source), part in headline.groupby(["shift", "source"], sort=False):
        cells = {row["estimand"]: format_effect(row, row["unit"]) for _, row in part.iterrows()}
        first = part.iloc[0]
        flags = first["flags"] if isinstance(first["flags"], str) else ""
        rows.append(
            {
                "Shift": titles[slug],
                "Source": SOURCES[source].name,
                "Step at the date": cells.get("level", NONE),
                "Change of trend": cells.get("slope", NONE),
                "After 24 months": cells.get("effect_24m", NONE),
                "Excess deaths": cells.get("excess_deaths_forecast", NONE).replace(" deaths", ""),
                "Months": f"{first['n_before']} + {first['n_after']}",
                "Rho": f"{first['rho']:.2f}",
                "Estimators": first["verdict"],
                "The data's own break": f"{first['own_break']} ({first['months_off']:+.0f} months)",
                "Warnings": flags.replace(" ", ", ").replace("_", " ") or "none",
            }
        )
    return pd.DataFrame(rows)


def write_front_page(sentences: list[Sentence], summary: pd.DataFrame, results: Path) -> None:
    """Write the front page's words and the summary table as CSV, LaTeX and HTML."""
    words = "\n".join(f"{number}. {said.text}" for number, said in enumerate(sentences, start=1))
    write_atomically(results / "answer.md", (words + "\n").encode())
    write_table(summary, results / "tables/summary.csv")
    latex = summary.to_latex(index=False, escape=True, column_format="l" * summary.shape[1])
    write_atomically(results / "tables/summary.tex", latex.encode())
    write_atomically(results / "tables/summary.html", summary.to_html(index=False).encode())
