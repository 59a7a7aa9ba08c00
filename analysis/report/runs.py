"""Every run of a notebook, in one table: pytask, the site's menu and the RO-Crate read it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.its.shifts import PolicyShift
from analysis.mexico.shifts import load_policy_shifts
from analysis.mexico.sources import NATION, SOURCES

GROUPS = (
    "The argument",
    "National shifts",
    "Is the date special?",
    "Where did it happen?",
    "What would others have predicted?",
    "Joint operations",
    "Joint operations: is the date special?",
)
COMPARED = ("calderon-2006-12", "pena-nieto-2012-12", "lopez-obrador-2018-12")  # with countries
EVERY = {"sesnsp": 3, "inegi": 6}  # months between the origins of earlier forecasts
RECORDED = tuple(f"benchmarks/{name}.csv" for name in ("calibration", "windows", "pooling"))
RECORDED += ("tests/reference/*.csv",)


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
    group: str = GROUPS[0]
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
    forecasts = [_forecast(source) for source in EVERY]
    probabilities = tuple(run.tables[1] for run in forecasts)
    runs = [
        Run(
            "01-data",
            recorded=("benchmarks/gaps.csv",),
            tables=("tables/data-yearly.csv", "tables/gaps.csv"),
            figures=("data-series", "gaps"),
        ),
        Run(
            "02-claims",
            parameters={"probabilities": " ".join(probabilities)},
            reads=probabilities,
            tables=("claims.csv", "tables/claims-measures.csv"),
            figures=("claims",),
        ),
        *(run for shift in shifts.values() for run in _of_shift(shift)),
        Run(
            "06-operations",
            recorded=("benchmarks/operations.csv",),
            tables=("tables/operations-event-study.csv",),
            figures=("operations-event-study", "operations-randomisation"),
        ),
        *(_countries(shifts[slug]) for slug in COMPARED),
        *forecasts,
        Run(
            "11-municipalities",
            recorded=("benchmarks/places.csv",),
            tables=("municipalities/calderon-2006-12.csv",),
            figures=("municipalities-calderon-2006-12",),
        ),
        Run(
            "09-validation",
            recorded=RECORDED,
            tables=("tables/validation.csv", "tables/calibration.csv", "tables/certificates.csv"),
            figures=("coverage",),
        ),
    ]
    runs.append(_synthesis(runs))
    return {run.name: run for run in runs}


def _of_shift(shift: PolicyShift) -> Iterator[Run]:
    """The fit of a shift under each source, the doubts about its date, and the states."""
    national = shift.places == (NATION,)
    fits, doubts = GROUPS[1:3] if national else GROUPS[5:]
    for source in shift.sources:
        name, title = f"{shift.slug}--{source}", f"{shift.title} ({SOURCES[source].name})"
        chosen = {"shift": shift.slug, "source": source}
        yield Run(
            "03-policy-shift",
            name,
            chosen,
            tables=(f"shifts/{name}.csv",),
            figures=(name, f"{name}--comparison"),
            group=fits,
            title=title,
        )
        yield Run(
            "04-robustness",
            name,
            {**chosen, "jobs": 1},
            tables=tuple(f"robustness/{name}{part}.csv" for part in ("", "--curve", "--windows")),
            figures=tuple(f"{name}--{part}" for part in ("robustness", "curve", "windows")),
            group=doubts,
            title=f"{title}: is the date special?",
        )
        if national:
            yield Run(
                "05-states",
                name,
                chosen,
                tables=(f"states/{name}.csv", f"states/{name}--pooled.csv"),
                figures=(f"states--{name}", f"map--{name}"),
                group="Where did it happen?",
                title=f"{title}: state by state",
            )


def _countries(shift: PolicyShift) -> Run:
    return Run(
        "07-comparison-countries",
        shift.slug,
        {"shift": shift.slug},
        tables=(f"countries/{shift.slug}.csv",),
        figures=(f"countries--{shift.slug}", f"countries--{shift.slug}--choices"),
        group="What would others have predicted?",
        title=f"{shift.title}: comparison countries",
    )


def _forecast(source: str) -> Run:
    parts = ("", "--probabilities", "--origins", "--claim-10")
    return Run(
        "08-forecast",
        source,
        {"source": source, "every": EVERY[source]},
        tables=tuple(f"forecasts/{source}{part}.csv" for part in parts),
        figures=tuple(f"forecast--{source}{part}" for part in ("", "--coverage", parts[1])),
        group="What would others have predicted?",
        title=f"“Almost certain to get worse”? ({SOURCES[source].name})",
    )


def _synthesis(runs: list[Run]) -> Run:
    """What stands on one page rests on one table of each other run."""
    read = {"02-claims": 0, "03-policy-shift": 0, "04-robustness": 0, "05-states": 1}
    read |= {"06-operations": 0, "07-comparison-countries": 0, "08-forecast": 3, "09-validation": 2}
    return Run(
        "10-synthesis",
        reads=tuple(run.tables[read[run.notebook]] for run in runs if run.notebook in read),
        tables=(
            "estimates.csv",
            "estimates.parquet",
            "answer.md",
            "tables/answer-rows.csv",
            "tables/checklist.csv",
            "tables/operations.csv",
            *(f"tables/summary.{end}" for end in ("csv", "tex", "html")),
        ),
        figures=("summary",),
    )
