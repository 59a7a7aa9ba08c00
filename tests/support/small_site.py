"""The results of a whole run in small: notebooks that say next to nothing, and their site."""

import json
import shutil

import pandas as pd
from support.folders import ROOT
from support.published import published_estimates

from analysis.files import write_table
from analysis.mexico.record import NATION
from mexico_report.cards import make_cards
from report.exports import EXPORTS
from report.pages import lay_out_notebooks, read_notebooks, write_pages

HEADING = "# The heading\n\n**Question.** What?\n\n**Reads** it."
CLAIM = {"number": 1, "slug": "x", "claim": "a record", "verdict": "holds", "line": "A line."}
CLAIM |= {"close_call": "", "quoted": "“A record”", "changed": "yes", "change": "The rule."}
CLAIM |= {"finding": "All of it."}
SPANISH = "# Una página\n\n![Hallazgo](figures/es/x.svg)\n"


def notebook(alts, outputs=()):
    """Return an executed notebook that shows figures (name and words) and other outputs."""
    cells = [{"cell_type": "markdown", "metadata": {}, "source": HEADING.splitlines(True)}]
    shown = [
        {"data": {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>"}}
        | {"metadata": {"image/svg+xml": {"alt": alt, "name": name}}}
        for name, alt in alts
    ]
    shown += [{"data": {kind: text}, "metadata": {}} for kind, text in outputs]
    for number, each in enumerate(shown):
        cell = {"cell_type": "code", "id": f"x-{number}", "metadata": {}, "source": ["x"]}
        output = {"output_type": "display_data", **each}
        cells.append(cell | {"execution_count": 1, "outputs": [output]})
    cells[0]["id"] = "x"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


def write_results(results, runs, shifts, *, finding="Finding of", claim=CLAIM, spanish=SPANISH):
    """Write what the pages rest on: notebooks, claims in both languages, cards, Spanish words."""
    for name in ("notebooks", "shifts", "figures/es", "tables"):
        (results / name).mkdir(parents=True)
    figures = ["rate", "es/rate", "claims", "es/claims", "map--calderon-2006-12--inegi"]
    figures.append("es/map--calderon-2006-12--inegi")
    figures += [run.key for run in runs.values() if run.notebook == "03-policy-shift"]
    for name in runs:
        alts = [(each, f"{finding} {each}") for each in figures if name == "01-data"]
        (results / f"notebooks/{name}.ipynb").write_text(notebook(alts), encoding="utf-8")
        if name.startswith("03-policy-shift"):
            told = results / f"shifts/{name.removeprefix('03-policy-shift--')}.es.md"
            told.write_text(spanish, encoding="utf-8")
    (results / "shifts/withdrawn-2001-01--inegi.es.md").write_text(spanish)  # declared no more
    rows = published_estimates()
    rows = rows[(rows["place"] == NATION) & rows["shift"].isin([*shifts])]
    write_table(make_cards(rows, shifts), results / "tables/cards.csv")
    both = [claim, claim | {"number": 2, "changed": ""}]
    claims = [each | {"language": code} for code in ("en", "es") for each in both]
    write_table(pd.DataFrame(claims), results / "tables/claims-told.csv")
    for path in EXPORTS:  # the pages hand them on unread
        (results / path).parent.mkdir(exist_ok=True)
        (results / path).write_text("x")


def lay_out_site(results, source, runs):
    """Write the source of the site from such results."""
    kept = shutil.ignore_patterns("*.pyc", "task_*")
    shutil.copytree(ROOT / "report", source, ignore=kept, dirs_exist_ok=True)
    executed = read_notebooks(results, runs)
    write_pages(results, source, runs, executed)
    lay_out_notebooks(executed, runs, source)
