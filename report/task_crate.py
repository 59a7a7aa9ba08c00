"""What a run was made from and what it made, as an RO-Crate: hashes, parameters, versions."""

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import requires, version
from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode

from analysis.files import hash_files, sha256, write_atomically
from analysis.mexico.tables import load_descriptor
from analysis.report.runs import Run, declare_runs
from notebooks.reached import reached_files
from report.exports import EXPORTS, READ

PROJECT = Path(__file__).parents[1]
RESULTS = PROJECT / "results"
RUNS = declare_runs()
FILES = [*reached_files("import analysis.report.runs"), Path(__file__)]
PACKAGE = PythonNode(value=hash_files(FILES, PROJECT), hash=True)
DISTRIBUTION = "mexico-homicide-its"


def write_crate(results: Path, runs: Mapping[str, Run], exported: Sequence[str] = ()) -> None:
    """Write ``ro-crate-metadata.json`` into `results`, a folder of the project's."""
    # Soiland-Reyes et al. (2022), Packaging research artefacts with RO-Crate, doi:10.3233/DS-210053
    from rocrate.rocrate import ROCrate  # takes half a second to import

    crate = ROCrate(gen_preview=False)
    crate.name = "Mexico's homicide rate and its policy shifts: one run of the analysis"
    crate.description = "Interrupted time series of official homicide figures, and their report."
    crate.license = "https://spdx.org/licenses/MIT"
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    crate.datePublished = datetime.fromtimestamp(seconds, UTC).date().isoformat()
    software = _add(crate, "#software", "SoftwareApplication", **_describe_software())
    tables = [_add_table(crate, resource) for resource in load_descriptor()["resources"]]
    project, add = results.parent, cache(partial(_add_file, crate, results=results))
    for name, run in runs.items():
        recorded = [path for pattern in run.recorded for path in sorted(project.glob(pattern))]
        read = [results / path for path in run.reads] + recorded
        values = [
            _add(crate, f"#{name}-{key}", "PropertyValue", name=key, value=value)
            for key, value in run.parameters.items()
        ]
        notebook = add(project / f"notebooks/{run.notebook}.ipynb")
        crate.add_action(
            instrument=software,
            identifier=f"#{name}",
            object=[notebook, *tables, *map(add, read), *values],
            result=[add(results / path) for path in (f"notebooks/{name}.ipynb", *run.writes)],
            properties={"name": f"papermill {run.notebook}.ipynb"},
        )
    if exported:
        crate.add_action(
            instrument=software,
            identifier="#exports",
            object=[add(results / path) for path in READ],
            result=[add(results / path) for path in exported],
            properties={"name": "report/task_exports.py"},
        )
    content = json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n"
    write_atomically(results / "ro-crate-metadata.json", content.encode())


def _describe_software() -> dict[str, Any]:
    needed = [text for text in requires(DISTRIBUTION) or () if "extra ==" not in text]
    direct = sorted({text.split(">")[0] for text in needed})
    needs = [f"Python {platform.python_version()}", *(f"{each} {version(each)}" for each in direct)]
    return {"name": DISTRIBUTION, "version": version(DISTRIBUTION), "softwareRequirements": needs}


def _add(crate: Any, identifier: str, kind: str, **described: Any) -> Any:
    from rocrate.model.contextentity import ContextEntity

    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **described}))


def _add_table(crate: Any, resource: Mapping[str, Any]) -> Any:
    described = {"name": resource["name"], "sha256": resource["hash"].removeprefix("sha256:")}
    described["contentSize"] = str(resource["bytes"])
    return _add(crate, f"../analysis/data/{resource['path']}", "File", **described)


def _add_file(crate: Any, path: Path, results: Path) -> Any:
    content = path.read_bytes()
    described = {"name": path.name, "sha256": sha256(content), "contentSize": str(len(content))}
    if path.is_relative_to(results):
        return crate.add_file(dest_path=path.relative_to(results).as_posix(), properties=described)
    return _add(crate, f"../{path.relative_to(results.parent).as_posix()}", "File", **described)


def task_crate(
    made: list[Path] = [
        *(RESULTS / f"notebooks/{name}.ipynb" for name in RUNS),
        *(RESULTS / path for run in RUNS.values() for path in run.writes),
        *(RESULTS / path for path in EXPORTS),
    ],
    package: Any = PACKAGE,
    crate: Annotated[Path, Product] = RESULTS / "ro-crate-metadata.json",
) -> None:
    """Say what the results were made from: inputs, parameters, versions, outputs."""
    write_crate(RESULTS, RUNS, EXPORTS)
