"""Every run of a notebook, in one table: pytask, the site's menu and the RO-Crate read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.files import DATA_FOLDER, read_toml
from analysis.its.shifts import PolicyShift
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.shifts import INAUGURATIONS, load_policy_shifts

EVERY = {"sesnsp": 3, "inegi": 6}  # months between the origins of earlier forecasts
FILES = ("recorded", "tables", "figures")  # of a run, as below
DECLARED = read_toml(DATA_FOLDER / "runs.toml")[1]  # by notebook


@dataclass(frozen=True)
class Run:
    """A notebook with its parameters, the files it reads and writes, and its page on the site."""

    notebook: str  # its file's stem
    key: str = ""  # what tells it from other runs of this notebook
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reads: tuple[str, ...] = ()  # what other runs wrote, below results/
    recorded: tuple[str, ...] = ()  # the project's own files, patterns from its root
    tables: tuple[str, ...] = ()  # written below results/
    figures: tuple[str, ...] = ()  # written below results/figures/, without ending
    title: str = ""  # of the page; empty: the notebook's own heading

    @property
    def name(self) -> str:
        """Name of the run, of its task and of its page."""
        return f"{self.notebook}--{self.key}" if self.key else self.notebook

    @property
    def writes(self) -> tuple[str, ...]:
        """Every file that the run writes below ``results/``, but for the executed notebook."""
        drawn = (f"figures/{stem}.{end}" for stem in self.figures for end in ("svg", "png"))
        return (*self.tables, *drawn)


def declare_runs() -> dict[str, Run]:
    """Return the runs of the full analysis by name, in the order of the site's menu."""
    shifts = load_policy_shifts()
    forecasts = [_run("08-forecast", source=source, every=EVERY[source]) for source in EVERY]
    probabilities = tuple(run.tables[1] for run in forecasts)
    claims = _run("02-claims", probabilities=" ".join(probabilities))
    runs = [_run("01-data"), replace(claims, reads=probabilities)]
    for shift, source in ((each, name) for each in shifts.values() for name in each.sources):
        runs.append(_run("03-policy-shift", shift, source))
        runs.append(_run("04-robustness", shift, source, jobs=1))
        if shift.places == (NATION,):
            runs.append(_run("05-states", shift, source))
    compared = [shifts[slug] for slug in INAUGURATIONS]
    runs += [_run("06-operations"), *(_run("07-comparison-countries", each) for each in compared)]
    runs += [*forecasts, *(_run("11-municipalities", each) for each in compared)]
    runs.append(_run("09-validation"))
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
