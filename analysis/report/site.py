"""The front page, and the site of the answer and every executed notebook."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from analysis.files import write_atomically, write_table
from analysis.its.words import format_effect
from analysis.mexico.shifts import load_policy_shifts
from analysis.mexico.sources import NATION, SOURCES
from analysis.report.findings import Sentence

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


def make_report(
    configuration: Path, front: Mapping[str, Path], executed: Mapping[str, Path], site: Path
) -> None:
    """Build the report in a temporary folder and put it in place at once.

    Parameters
    ----------
    configuration : Path
        Folder with ``conf.py``, ``index.md`` and ``static/``.
    front : mapping
        Name in ``index.md`` to the file that the front page shows.
    executed : mapping
        Name of a run to its executed notebook, in the order of the contents.
    site : Path
        Folder of the finished site; an older one is replaced.

    Raises
    ------
    RuntimeError
        If Sphinx fails or warns; the message is Sphinx's.
    """
    with tempfile.TemporaryDirectory(dir=site.parent, prefix=".report-") as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        shutil.copytree(configuration, source, ignore=shutil.ignore_patterns("__pycache__"))
        for name, path in front.items():
            shutil.copy(path, source / name)
        _lay_out_notebooks(executed, source)
        _run_sphinx(source, built)
        shutil.rmtree(site, ignore_errors=True)
        built.rename(site)


def _lay_out_notebooks(executed: Mapping[str, Path], source: Path) -> None:
    groups: dict[str, list[str]] = {
        "The argument": [],
        "National shifts": [],
        "Is the date special?": [],
        "Where did it happen?": [],
        "What would others have predicted?": [],
        "Joint operations": [],
        "Joint operations: is the date special?": [],
    }
    for name, path in executed.items():
        group, title = _place(name)
        groups[group].append(name)
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if title:
            _retitle(notebook, title)
        (source / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with (source / "index.md").open("a", encoding="utf-8") as page:
        for caption, names in groups.items():
            lines = ["```{toctree}", ":maxdepth: 1", f":caption: {caption}", "", *names, "```"]
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


def _place(name: str) -> tuple[str, str]:
    """Return the group of a run in the report's contents, and the title of its page."""
    notebook, _, rest = name.partition("--")
    if not rest:
        return "The argument", ""
    if notebook == "08-forecast":
        title = f"“Almost certain to get worse”? ({SOURCES[rest].name})"
        return "What would others have predicted?", title
    if notebook == "07-comparison-countries":
        title = f"{load_policy_shifts()[rest].title}: comparison countries"
        return "What would others have predicted?", title
    slug, _, source = rest.rpartition("--")
    shift = load_policy_shifts()[slug]
    title = f"{shift.title} ({SOURCES[source].name})"
    national = shift.places == (NATION,)
    if notebook == "03-policy-shift":
        return "National shifts" if national else "Joint operations", title
    if notebook == "05-states":
        return "Where did it happen?", f"{title}: state by state"
    group = "Is the date special?" if national else "Joint operations: is the date special?"
    return group, f"{title}: is the date special?"


def _retitle(notebook: dict, title: str) -> None:
    """Give the first cell's heading the title of this run: the notebook itself serves many."""
    lines = "".join(notebook["cells"][0]["source"]).splitlines(keepends=True)
    notebook["cells"][0]["source"] = [f"# {title}\n", *lines[1:]]
