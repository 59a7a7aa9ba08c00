"""The site: the answer first, then every executed notebook."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from analysis.report.runs import GROUPS, Run

FRONT = ("answer.md", "tables/summary.csv", "figures/summary.svg")  # what index.md shows


def make_report(configuration: Path, results: Path, runs: Mapping[str, Run]) -> None:
    """Build the report of all `runs`, in the menu's order, and put it at once into `results`."""
    site = results / "report"
    with tempfile.TemporaryDirectory(dir=results, prefix=".report-") as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        shutil.copytree(configuration, source, ignore=shutil.ignore_patterns("__pycache__"))
        for path in FRONT:
            shutil.copy(results / path, source)
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
    command = [sys.executable, *["-m", "sphinx", "-q", "-W", "-b", "html"], str(source), str(built)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Sphinx could not build the report:\n{done.stderr}")
    shutil.rmtree(built / ".doctrees", ignore_errors=True)
    (built / ".buildinfo").unlink(missing_ok=True)
