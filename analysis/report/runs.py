"""Every run of a notebook, in one table: pytask, the site's menu and the RO-Crate read it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.files import DATA_FOLDER, read_toml
from analysis.its.shifts import PolicyShift
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.shifts import INAUGURATIONS, load_policy_shifts

EVERY = {"sesnsp": 3, "inegi": 6}  # months between the origins of earlier forecasts
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
    runs = [
        _run("01-data"),
        _run("02-claims", reads=probabilities, probabilities=" ".join(probabilities)),
        *(run for shift in shifts.values() for run in _of_shift(shift)),
        _run("06-operations"),
        *(_run("07-comparison-countries", shifts[slug]) for slug in INAUGURATIONS),
        *forecasts,
        *(_run("11-municipalities", shifts[slug]) for slug in INAUGURATIONS),
        _run("09-validation"),
    ]
    told = [DECLARED[run.notebook].get("told", "").format(key=run.key) for run in runs]
    last = _run("10-synthesis", reads=tuple(filter(None, told)))
    small = (f"small--{slug}" for slug, shift in shifts.items() if shift.places == (NATION,))
    runs.append(replace(last, figures=(*last.figures, *small)))
    return {run.name: run for run in runs}


def _of_shift(shift: PolicyShift) -> Iterator[Run]:
    """The fit of a shift under each source, the doubts about its date, and the states."""
    national = shift.places == (NATION,)
    for source in shift.sources:
        yield _run("03-policy-shift", shift, source)
        yield _run("04-robustness", shift, source, jobs=1)
        if national:
            yield _run("05-states", shift, source)


def _run(
    notebook: str,
    shift: PolicyShift | None = None,
    source: str = "",
    *,
    reads: tuple[str, ...] = (),
    **parameters: Any,
) -> Run:
    """Return one run of a declared notebook, its patterns filled in."""
    block = DECLARED[notebook]
    parameters = block.get("parameters", {}) | parameters
    chosen = {"shift": shift.slug} if shift else {}
    chosen |= {"source": source} if source else {}
    key = "--".join(chosen.values())
    recorded, tables, figures = (
        tuple(path.format(key=key) for path in block.get(name, ()))
        for name in ("recorded", "tables", "figures")
    )
    named = {"shift": shift and shift.title, "source": source and SOURCES[source].name}
    title = block.get("title", "").format(**named)
    return Run(notebook, key, chosen | parameters, reads, recorded, tables, figures, title)
