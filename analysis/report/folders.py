"""Where a notebook finds the project, and where it writes: a run of one's own has its own place."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from analysis.checks import check_known, require
from analysis.files import sha256
from analysis.mexico.record import SOURCES
from analysis.mexico.shifts import load_policy_shifts
from analysis.mexico.tables import check_file, forget_tables
from analysis.report.runs import declare_runs

SHOWN = ("shift", "source")  # what every name of a run tells
SAME_NUMBERS = ("results", "jobs", "progress")  # parameters that change no number
MARKS = ("^# Parameters\n", "(?m)^results: str = ")  # of papermill's cell, and of the notebook's


class Folders(NamedTuple):
    """The project, the results of the published runs, and where this run writes."""

    project: Path
    published: Path
    results: Path


def open_folders(notebook: str, namespace: Mapping[str, Any]) -> Folders:
    """Return the folders of a run of a notebook, by its stem and its ``globals()``.

    `results` is the project's where the parameters are those of a declared run, else
    ``results/explored/NAME``, whose name tells them, which is printed. A parameter that is unknown
    or of another type, a source that the shift does not declare, a changed record: all are refused.
    """
    pd.set_option("styler.format.escape", "html")  # texts in tables are text
    project = _find_project(notebook)
    # What is declared stands in runs.toml: whoever tries a value may save it in the notebook.
    declared = [run for run in declare_runs().values() if run.notebook == notebook]
    forget_tables()
    for path in (path for each in declared[0].recorded for path in project.glob(each)):
        check_file(path.stem, folder=path.parent)
    runs = [run.parameters for run in declared]
    given = _read_parameters(notebook, {**runs[0], "results": ""}, namespace)
    published = Path(given["results"]).resolve() if given["results"] else project / "results"
    compared = {name: value for name, value in given.items() if name not in SAME_NUMBERS}
    differing = [{n: v for n, v in compared.items() if v != run[n]} for run in runs]
    own = min(differing, key=lambda each: (len(each.keys() & SHOWN), len(each)))
    if not own:
        return Folders(project, published, published)
    shown = {name: given[name] for name in SHOWN if name in given}
    results = published / "explored" / _name(notebook, shown | own)
    print(f"Not a run of the published analysis: it writes to {results}")
    return Folders(project, published, results)


def _find_project(notebook: str) -> Path:
    """Return the nearest folder upwards with this notebook, not what a run keeps of it."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        results = folder.name == "results" and (folder.parent / "notebooks").is_dir()
        if (folder / f"notebooks/{notebook}.ipynb").is_file() and not results:
            return folder
    told = f"no folder from {here} upwards holds notebooks/{notebook}.ipynb"
    raise FileNotFoundError(f"{told}; run the notebook from a folder of the project")


def _read_parameters(
    notebook: str, known: Mapping[str, Any], namespace: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the parameters as `known`, each of its type, if no other was given."""
    for mark in MARKS:
        for cell in [cell for cell in namespace.get("In", ()) if re.search(mark, cell)][-1:]:
            names = [each for each in ast.walk(ast.parse(cell)) if isinstance(each, ast.Name)]
            for name in [each.id for each in names if isinstance(each.ctx, ast.Store)]:
                check_known(name, known, f"parameter of {notebook}")
    given = {name: namespace[name] for name in known if name in namespace}
    missing = [name for name in known if name not in given]
    require(not missing, f"{notebook}: the cell tagged parameters must set {missing}")
    for name, value in given.items():
        if type(value) is not type(known[name]):
            wanted = f"{name} must be of type {type(known[name]).__name__}; found {value!r}"
            raise TypeError(f"{wanted} (papermill takes text as it stands after -r)")
    check_known(given.get("source", "inegi"), SOURCES, "source")
    if "shift" in given:
        shifts = load_policy_shifts()
        check_known(given["shift"], shifts, "policy shift")
        sources, source = shifts[given["shift"]].sources, given.get("source")
        told = f"{given['shift']} declares the source {' and '.join(sources)}; found {source!r}"
        few = "whose months around the shift are too few, or none"
        require(source in (None, *sources), f"{told}, {few}")
    return given


def _name(notebook: str, own: Mapping[str, Any]) -> str:
    """Return a folder's name: ``03-policy-shift--calderon-2006-12--inegi--harmonics=4``."""
    parts = [value if name in SHOWN else f"{name}={value}" for name, value in own.items()]
    told = "--".join([notebook, *parts]).replace(":", "..")
    name = re.sub(r"[^A-Za-z0-9_.+=-]", "-", told)[:120]
    return name if name == told else f"{name}-{sha256(repr(own).encode())[:8]}"
