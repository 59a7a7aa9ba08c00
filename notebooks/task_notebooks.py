"""Which notebook runs with which parameters into which result; ``pytask`` runs what has changed."""

from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode, task

from analysis.engine.executors import package_hash, register_cluster
from analysis.mexico.shifts import load_policy_shifts
from analysis.mexico.sources import NATION
from analysis.report.notebooks import run_notebook
from analysis.report.site import make_report

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
REPORT = HERE.parent / "report"
register_cluster(HERE.parent)
# One input to every task: with one for each file, comparing them all would take seconds.
PACKAGE = PythonNode(value=package_hash(), hash=True)
CONFIGURATION = sorted(
    path for path in REPORT.rglob("*.*") if path.suffix in {".py", ".md", ".css"}
)

REFERENCES = [
    *sorted((HERE.parent / "tests/reference").glob("*.csv")),
    HERE.parent / "benchmarks/calibration.csv",
    HERE.parent / "benchmarks/pooling.csv",
]

PROBABILITIES = [f"forecasts/{source}--probabilities.csv" for source in ("sesnsp", "inegi")]

# Name of the run -> notebook, parameters, files it reads, files it writes (below
# results/, unless the path is absolute).
RUNS: dict[str, tuple[str, dict[str, Any], list[str], list[str]]] = {
    "01-data": ("01-data", {}, [], ["tables/data-yearly.csv", "figures/data-series.svg"]),
    "02-claims": (
        "02-claims",
        {"probabilities": " ".join(PROBABILITIES)},
        PROBABILITIES,
        ["claims.csv", "tables/claims-measures.csv", "figures/claims.svg"],
    ),
}
for _shift in load_policy_shifts().values():
    for _source in _shift.sources:
        _name = f"{_shift.slug}--{_source}"
        RUNS[f"03-policy-shift--{_name}"] = (
            "03-policy-shift",
            {"shift": _shift.slug, "source": _source},
            [],
            [f"shifts/{_name}.csv", f"figures/{_name}.svg"],
        )
        RUNS[f"04-robustness--{_name}"] = (
            "04-robustness",
            {"shift": _shift.slug, "source": _source, "jobs": 1},
            [],
            [f"robustness/{_name}.csv", f"robustness/{_name}--curve.csv"],
        )
        if _shift.places == (NATION,):
            RUNS[f"05-states--{_name}"] = (
                "05-states",
                {"shift": _shift.slug, "source": _source},
                [],
                [
                    f"states/{_name}.csv",
                    f"states/{_name}--pooled.csv",
                    f"figures/states--{_name}.svg",
                    f"figures/map--{_name}.svg",
                ],
            )
RUNS["06-operations"] = (
    "06-operations",
    {},
    [str(HERE.parent / "benchmarks/operations.csv")],
    [
        "tables/operations-event-study.csv",
        "figures/operations-event-study.svg",
        "figures/operations-randomisation.svg",
    ],
)
for _slug in ("calderon-2006-12", "pena-nieto-2012-12", "lopez-obrador-2018-12"):
    RUNS[f"07-comparison-countries--{_slug}"] = (
        "07-comparison-countries",
        {"shift": _slug},
        [],
        [
            f"countries/{_slug}.csv",
            f"figures/countries--{_slug}.svg",
            f"figures/countries--{_slug}--choices.svg",
        ],
    )
for _source, _every in (("sesnsp", 3), ("inegi", 6)):
    RUNS[f"08-forecast--{_source}"] = (
        "08-forecast",
        {"source": _source, "every": _every},
        [],
        [
            f"forecasts/{_source}.csv",
            f"forecasts/{_source}--claim-10.csv",
            f"forecasts/{_source}--probabilities.csv",
            f"forecasts/{_source}--origins.csv",
            f"figures/forecast--{_source}.svg",
            f"figures/forecast--{_source}--coverage.svg",
            f"figures/forecast--{_source}--probabilities.svg",
        ],
    )
RUNS["11-municipalities"] = (
    "11-municipalities",
    {},
    [str(HERE.parent / "benchmarks/places.csv")],
    ["municipalities/calderon-2006-12.csv"],
)
RUNS["09-validation"] = (
    "09-validation",
    {},
    [str(path) for path in REFERENCES],
    ["tables/validation.csv", "tables/calibration.csv", "tables/certificates.csv"],
)
RUNS["10-synthesis"] = (
    "10-synthesis",
    {},
    [
        *(written[0] for run, (_, _, _, written) in RUNS.items() if run[:2] in ("02", "03", "04")),
        *(written[1] for run, (_, _, _, written) in RUNS.items() if run[:2] in ("05", "08")),
        *(written[0] for run, (_, _, _, written) in RUNS.items() if run[:2] in ("06", "07")),
        "tables/certificates.csv",
    ],
    [
        "estimates.csv",
        "estimates.parquet",
        "answer.md",
        "tables/answer-rows.csv",
        "tables/checklist.csv",
        "tables/summary.csv",
        "figures/summary.svg",
    ],
)

for _name, (_notebook, _parameters, _reads, _writes) in RUNS.items():

    @task(id=_name)
    def task_notebook(
        notebook: Path = HERE / f"{_notebook}.ipynb",
        parameters: dict[str, Any] = _parameters,
        package: Any = PACKAGE,
        reads: list[Path] = [RESULTS / name for name in _reads],  # noqa: B006
        executed: Annotated[Path, Product] = RESULTS / f"notebooks/{_name}.ipynb",
        writes: Annotated[list[Path], Product] = [RESULTS / name for name in _writes],  # noqa: B006
    ) -> None:
        """Execute one notebook with its parameters."""
        run_notebook(notebook, executed, parameters)


def task_report(
    executed: dict[str, Path] = {name: RESULTS / f"notebooks/{name}.ipynb" for name in RUNS},  # noqa: B006
    front: dict[str, Path] = {  # noqa: B006
        "answer.md": RESULTS / "answer.md",
        "summary.csv": RESULTS / "tables/summary.csv",
        "summary.svg": RESULTS / "figures/summary.svg",
    },
    configuration: list[Path] = CONFIGURATION,
    package: Any = PACKAGE,
    index: Annotated[Path, Product] = RESULTS / "report/index.html",
) -> None:
    """Build the report, a site that opens from disk, from the executed notebooks."""
    make_report(REPORT, front, executed, index.parent)


MADE = {
    name: [HERE / f"{notebook}.ipynb", *(RESULTS / path for path in writes)]
    for name, (notebook, _, _, writes) in RUNS.items()
}


def task_crate(
    made: dict[str, list[Path]] = MADE,
    package: Any = PACKAGE,
    crate: Annotated[Path, Product] = RESULTS / "ro-crate-metadata.json",
) -> None:
    """Say what the results were made from: inputs, parameters, versions, outputs."""
    from analysis.report.provenance import Run, write_crate  # takes half a second to import

    write_crate(
        crate.parent,
        {name: Run(paths[0], RUNS[name][1], paths[1:]) for name, paths in made.items()},
    )
