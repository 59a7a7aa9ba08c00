"""Every run of a notebook, in one table, and where a run of one's own writes."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from analysis.checks import check_known, require
from analysis.files import DATA_FOLDER, read_toml, sha256
from analysis.its.shifts import PolicyShift
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.shifts import INAUGURATIONS, load_policy_shifts
from analysis.mexico.tables import check_file, forget_tables

EVERY = {"sesnsp": 3, "inegi": 6}  # months between the origins of earlier forecasts
FIGURE = ("figures/{}.svg", "figures/{}.png", "exports/figures/{}.pdf")
FILES = ("recorded", "tables", "figures")  # of a run, as below
DECLARED = read_toml(DATA_FOLDER / "runs.toml")[1]  # by notebook
SHOWN = ("shift", "source")  # what every name of a run tells
SAME_NUMBERS = ("results", "jobs", "progress")  # parameters that change no number
MARKS = ("^# Parameters\n", "(?m)^results: str = ")  # of papermill's cell, and of the notebook's


@dataclass(frozen=True)
class Run:
    """A notebook with its parameters, the files it reads and writes, and its page on the site."""

    notebook: str  # its file's stem
    key: str = ""  # what tells it from other runs of this notebook
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reads: tuple[str, ...] = ()  # what other runs wrote, below results/
    recorded: tuple[str, ...] = ()  # the project's own files, patterns from its root
    tables: tuple[str, ...] = ()  # written below results/
    figures: tuple[str, ...] = ()  # written as FIGURE says, without ending
    title: str = ""  # of the page; empty: the notebook's own heading

    @property
    def name(self) -> str:
        """Name of the run, of its task and of its page."""
        return f"{self.notebook}--{self.key}" if self.key else self.notebook

    @property
    def writes(self) -> tuple[str, ...]:
        """Every file that the run writes below ``results/``, but for the executed notebook."""
        return (*self.tables, *(place.format(stem) for stem in self.figures for place in FIGURE))


def declare_runs() -> dict[str, Run]:
    """Return the runs of the full analysis by name, in the order of the site's menu."""
    shifts = load_policy_shifts()
    forecasts = [_run("08-forecast", source=source, every=EVERY[source]) for source in EVERY]
    probabilities = tuple(run.tables[1] for run in forecasts)
    claims = _run("02-claims", probabilities=" ".join(probabilities))
    runs = [_run("00-start"), _run("01-data"), replace(claims, reads=probabilities)]
    for shift, source in ((each, name) for each in shifts.values() for name in each.sources):
        runs.append(_run("03-policy-shift", shift, source))
        runs.append(_run("04-robustness", shift, source, jobs=1))
        if shift.places == (NATION,):
            runs.append(_run("05-states", shift, source))
    compared = [shifts[slug] for slug in INAUGURATIONS]
    runs += [_run("06-operations"), *(_run("07-comparison-countries", each) for each in compared)]
    runs += [*forecasts, *(_run("11-municipalities", each) for each in compared)]
    runs += [_run("09-validation"), _run("12-your-own-series")]
    told = (DECLARED[run.notebook].get("told", "").format(key=run.key) for run in runs)
    small = (f"small--{slug}" for slug, shift in shifts.items() if shift.places == (NATION,))
    last, reads = _run("10-synthesis"), tuple(filter(None, told))
    runs.append(replace(last, reads=reads, figures=(*last.figures, *small)))
    return {run.name: run for run in runs}


def _run(notebook: str, shift: PolicyShift | None = None, source: str = "", **given: Any) -> Run:
    """Return one run of a declared notebook, its patterns filled in, without what it reads."""
    block = DECLARED[notebook]
    parameters = block.get("parameters", {}) | given
    chosen = {"shift": shift.slug} if shift else {}
    chosen |= {"source": source} if source else {}
    key = "--".join(chosen.values())
    files = ([path.format(key=key) for path in block.get(name, ())] for name in FILES)
    named = {"shift": shift and shift.title, "source": source and SOURCES[source].name}
    title = block.get("title", "").format(**named)
    return Run(notebook, key, chosen | parameters, (), *map(tuple, files), title=title)


class Folders(NamedTuple):
    """The project, the results of the published runs, and where this run writes."""

    project: Path
    published: Path
    results: Path


def open_folders(notebook: str, namespace: Mapping[str, Any]) -> Folders:
    """Return the folders of a run of a notebook, by its stem and its ``globals()``."""
    # `results` is the project's where the parameters are those of a declared run, else
    # ``results/explored/NAME``, whose name tells them and is printed.
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


def _read_parameters(notebook: str, known: Mapping, namespace: Mapping) -> dict[str, Any]:
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
        require(source in (None, *sources), f"{told}: too few months around the shift, or none")
    return given


def _name(notebook: str, own: Mapping[str, Any]) -> str:
    """Return a folder's name: ``03-policy-shift--calderon-2006-12--inegi--harmonics=4``."""
    parts = [value if name in SHOWN else f"{name}={value}" for name, value in own.items()]
    told = "--".join([notebook, *parts]).replace(":", "..")
    name = re.sub(r"[^A-Za-z0-9_.+=-]", "-", told)[:120]
    return name if name == told else f"{name}-{sha256(repr(own).encode())[:8]}"
