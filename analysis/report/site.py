"""The front page, and the site of the answer and every executed notebook."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analysis.files import hash_files, sha256, write_atomically, write_table
from analysis.its.words import format_effect
from analysis.mexico.sources import SOURCES
from analysis.report.findings import Sentence
from analysis.report.runs import GROUPS, Run

NONE = "not estimated"
# Name in index.md to the result that the front page shows.
FRONT = {
    "answer.md": "answer.md",
    "summary.csv": "tables/summary.csv",
    "summary.svg": "figures/summary.svg",
}


def summary_table(estimates: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """Return rows of ``estimates.csv`` as words, one row per shift (by its title) and source."""
    rows = []
    headline = estimates[estimates["estimator"] == "reml"]
    for (slug, source), part in headline.groupby(["shift", "source"], sort=False):
        cells = {
            row["estimand"]: format_effect(row, row["unit"], named=row["unit"] != "deaths")
            for _, row in part.iterrows()
        }
        first = part.iloc[0]
        flags = first["flags"] if isinstance(first["flags"], str) else ""
        rows.append(
            {
                "Shift": titles[slug],
                "Source": SOURCES[source].name,
                "Step at the date": cells.get("level", NONE),
                "Change of trend": cells.get("slope", NONE),
                "After 24 months": cells.get("effect_24m", NONE),
                "Excess deaths": cells.get("excess_deaths_forecast", NONE),
                "Months": f"{first['n_before']} + {first['n_after']}",
                "Rho": f"{first['rho']:.2f}",
                "Estimators": first["comparison_verdict"],
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


@dataclass(kw_only=True)
class SiteNode:
    """The folder of the site as one product of a task: a page edited or deleted is noticed."""

    folder: Path  # not `path`: pytask would take it for a file
    name: str = "site"
    attributes: dict = field(default_factory=dict)

    @property
    def signature(self) -> str:
        """Return what tells this node from others."""
        return sha256(self.folder.as_posix().encode())

    def state(self) -> str | None:
        """Return a hash of all files, or None where there is no site."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return hash_files(files) if files else None

    def load(self, is_product: bool = False) -> Path:
        """Return the folder."""
        return self.folder

    def save(self, value: object) -> None:
        """The task itself has written the site."""


def make_report(configuration: Path, results: Path, runs: Mapping[str, Run]) -> None:
    """Build the report of all `runs` in a temporary folder and put it at once into `results`.

    `configuration` holds ``conf.py``, ``index.md`` and ``static/``; `runs` are in the menu's order.
    """
    site = results / "report"
    with tempfile.TemporaryDirectory(dir=results, prefix=".report-") as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        shutil.copytree(configuration, source, ignore=shutil.ignore_patterns("__pycache__"))
        for name, path in FRONT.items():
            shutil.copy(results / path, source / name)
        _lay_out_notebooks(results / "notebooks", runs, source)
        _run_sphinx(source, built)
        shutil.rmtree(site, ignore_errors=True)
        built.rename(site)


def _lay_out_notebooks(executed: Path, runs: Mapping[str, Run], source: Path) -> None:
    for name, run in runs.items():
        notebook = json.loads((executed / f"{name}.ipynb").read_text(encoding="utf-8"))
        if run.title:  # the notebook serves many runs: its heading is that of this one
            first = notebook["cells"][0]
            first["source"] = [f"# {run.title}\n", *"".join(first["source"]).splitlines(True)[1:]]
        (source / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with (source / "index.md").open("a", encoding="utf-8") as page:
        for group in GROUPS:
            names = [name for name, run in runs.items() if run.group == group]
            lines = ["```{toctree}", ":maxdepth: 1", f":caption: {group}", "", *names, "```"]
            page.write("\n" + "\n".join(lines) + "\n")


def _run_sphinx(source: Path, built: Path) -> None:
    """Run Sphinx; a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(source), str(built)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Sphinx could not build the report:\n{done.stderr}")
    shutil.rmtree(built / ".doctrees", ignore_errors=True)
    (built / ".buildinfo").unlink(missing_ok=True)
