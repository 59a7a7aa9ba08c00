"""What a run was made from and what it made, as an RO-Crate: hashes, parameters, versions."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import metadata, requires, version
from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode

from analysis.files import DATA_FOLDER, hash_files, sha256, write_atomically
from analysis.mexico.tables import load_descriptor
from mexico_report.runs import Run, declare_runs
from notebooks.reached import reached_files
from report.exports import EXPORTS, READ

PROJECT = Path(__file__).parents[1]
RESULTS = PROJECT / "results"
RUNS = declare_runs()
FILES = [*reached_files("import mexico_report.runs"), Path(__file__)]
PACKAGE = PythonNode(value=hash_files(FILES, PROJECT), hash=True)
DISTRIBUTION = "mexico-homicide-its"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"  # which is one of RO-Crate 1.1
LICENCE = "https://spdx.org/licenses/MIT"
MEDIA = {
    ".R": "text/plain",
    ".csv": "text/csv",
    ".do": "text/plain",
    ".dta": "application/x-stata-dta",
    ".geojson": "application/geo+json",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
    ".txt": "text/plain",
    ".zip": "application/zip",
}


def map_inputs(project: Path, runs: Mapping[str, Run]) -> dict[str, Path]:
    """Return all that the runs are given, by where its copy lies below ``results``."""
    tables = [DATA_FOLDER / resource["path"] for resource in load_descriptor()["resources"]]
    own = [project / f"notebooks/{run.notebook}.ipynb" for run in runs.values()]
    own += [path for run in runs.values() for path in _find_recorded(project, run)]
    data = {
        f"inputs/data/{path.name}": path for path in (DATA_FOLDER / "datapackage.json", *tables)
    }
    return data | {f"inputs/{path.relative_to(project).as_posix()}": path for path in own}


def write_crate(results: Path, runs: Mapping[str, Run], exported: Sequence[str] = ()) -> None:
    """Write ``ro-crate-metadata.json`` and copies of the inputs into the project's `results`."""
    # Soiland-Reyes et al. (2022), Packaging research artefacts with RO-Crate, doi:10.3233/DS-210053
    # Leo et al. (2024), Recording provenance of workflow runs, doi:10.1371/journal.pone.0309210
    from rocrate.rocrate import ROCrate  # takes half a second to import

    crate = ROCrate(gen_preview=False, version="1.1")
    crate.metadata.extra_terms["sha256"] = "http://schema.org/sha256"  # is not in that version
    _describe_root(crate)
    software = _add_software(crate)
    tables = {f"inputs/data/{each['path']}": each for each in load_descriptor()["resources"]}
    given, copies = {}, {}
    for place, path in map_inputs(results.parent, runs).items():
        copies[results / place] = path.read_bytes()
        described = _describe_table(crate, tables[place]) if place in tables else {}
        given[place] = _add_file(crate, place, copies[results / place], **described)
    made = {
        path: _add_file(crate, path, (results / path).read_bytes())
        for name, run in runs.items()
        for path in (f"notebooks/{name}.ipynb", *run.writes)
    }
    always = [given[place] for place in tables]
    for name, run in runs.items():
        notebook = f"{run.notebook}.ipynb"
        recorded = [
            path.relative_to(results.parent) for path in _find_recorded(results.parent, run)
        ]
        read = [given[f"inputs/{path.as_posix()}"] for path in recorded]
        read += [made[path] for path in run.reads]
        values = [
            _add(crate, f"#{name}-{key}", "PropertyValue", name=key, value=value)
            for key, value in run.parameters.items()
        ]
        # Who ran it, and when, would make the same results other bytes: neither is recorded.
        action = crate.add_action(
            instrument=software,
            identifier=f"#{name}",
            object=[given[f"inputs/notebooks/{notebook}"], *always, *read, *values],
            result=[made[path] for path in (f"notebooks/{name}.ipynb", *run.writes)],
            properties={
                "name": f"papermill {notebook}",
                "description": f"{run.title or run.notebook}: the notebook run with its parameters",
            },
        )
        crate.root_dataset.append_to("mentions", action)
    if exported:
        files = [_add_file(crate, path, (results / path).read_bytes()) for path in exported]
        action = crate.add_action(
            instrument=software,
            identifier="#exports",
            object=[made[path] for path in READ],
            result=files,
            properties={
                "name": "report/task_exports.py",
                "description": "The estimates and the front page's tables for other programs",
            },
        )
        crate.root_dataset.append_to("mentions", action)
    content = json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n"
    for path, copy in copies.items():
        write_atomically(path, copy)
    write_atomically(results / "ro-crate-metadata.json", content.encode())


def _describe_root(crate: Any) -> None:
    crate.name = "Mexico's homicide rate and its policy shifts: one run of the analysis"
    crate.description = "Interrupted time series of official homicide figures, and their report."
    created = datetime.fromisoformat(load_descriptor()["created"]).timestamp()
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH", created))  # the data's date: the same bytes
    crate.datePublished = datetime.fromtimestamp(seconds, UTC).date().isoformat()
    root, work = crate.root_dataset, "CreativeWork"
    root["author"] = _add(crate, "#authors", "Organization", name=f"The {DISTRIBUTION} authors")
    root["license"] = _add(crate, LICENCE, work, name="MIT License", identifier=LICENCE)
    profile = _add(crate, PROFILE, work, name="Process Run Crate", version="0.5")
    root["conformsTo"] = profile


def _add_software(crate: Any) -> Any:
    needed = [text for text in requires(DISTRIBUTION) or () if "extra ==" not in text]
    direct = sorted({text.split(">")[0] for text in needed})
    needs = [f"Python {platform.python_version()}", *(f"{each} {version(each)}" for each in direct)]
    described = {"name": DISTRIBUTION, "version": version(DISTRIBUTION)}
    described |= {"softwareRequirements": needs, "license": {"@id": LICENCE}}
    addresses = [text.split(", ")[1] for text in metadata(DISTRIBUTION).get_all("Project-URL", [])]
    described |= {"url": addresses[0]} if addresses else {}
    return _add(crate, "#software", "SoftwareApplication", **described)


def _describe_table(crate: Any, resource: Mapping[str, Any]) -> dict[str, Any]:
    licence = resource["licenses"][0]
    described: dict[str, Any] = {"description": resource["title"], "license": licence["title"]}
    if address := licence.get("path"):
        named = {"name": licence["title"], "identifier": address}
        described["license"] = _add(crate, address, "CreativeWork", **named)
    return described


def _find_recorded(project: Path, run: Run) -> list[Path]:
    return [path for pattern in run.recorded for path in sorted(project.glob(pattern))]


def _add(crate: Any, identifier: str, kind: str, /, **described: Any) -> Any:
    from rocrate.model.contextentity import ContextEntity

    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **described}))


def _add_file(crate: Any, place: str, content: bytes, /, **described: Any) -> Any:
    own = {"name": Path(place).name, "encodingFormat": MEDIA[Path(place).suffix]}
    own |= {"sha256": sha256(content), "contentSize": str(len(content))}
    return crate.add_file(dest_path=place, properties=own | described)


INPUTS = map_inputs(PROJECT, RUNS)


def task_crate(
    made: list[Path] = [
        *(RESULTS / f"notebooks/{name}.ipynb" for name in RUNS),
        *(RESULTS / path for run in RUNS.values() for path in run.writes),
        *(RESULTS / path for path in EXPORTS),
    ],
    given: list[Path] = [*INPUTS.values()],
    package: Any = PACKAGE,
    copies: Annotated[list[Path], Product] = [RESULTS / place for place in INPUTS],
    crate: Annotated[Path, Product] = RESULTS / "ro-crate-metadata.json",
) -> None:
    """Say what the results were made from: inputs, parameters, versions, outputs."""
    write_crate(RESULTS, RUNS, EXPORTS)
