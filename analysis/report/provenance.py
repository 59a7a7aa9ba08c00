"""What a run was made from and what it made, as an RO-Crate: hashes, parameters, versions."""

import json
import os
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any, NamedTuple

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from analysis.files import sha256, write_atomically
from analysis.mexico.tables import load_descriptor

DISTRIBUTION = "mexico-homicide-its"


class Run(NamedTuple):
    """One executed notebook."""

    notebook: Path
    parameters: Mapping[str, Any]
    writes: list[Path]


def write_crate(results: Path, runs: Mapping[str, Run]) -> None:
    """Write ``ro-crate-metadata.json`` into `results`.

    Parameters
    ----------
    results : Path
        Folder of the results; what a run writes lies below it.
    runs : mapping
        Name to `Run`.

    Raises
    ------
    FileNotFoundError
        If a run's notebook or result is missing.

    References
    ----------
    Soiland-Reyes, S. et al. (2022). Packaging research artefacts with RO-Crate. Data Science 5,
    97-138. doi:10.3233/DS-210053
    """
    crate = ROCrate(gen_preview=False)
    crate.name = "Mexico's homicide rate and its policy shifts: one run of the analysis"
    crate.description = "Interrupted time series of official homicide figures, and their report."
    crate.license = "https://spdx.org/licenses/MIT"
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    crate.datePublished = datetime.fromtimestamp(seconds, UTC).date().isoformat()
    software = crate.add(ContextEntity(crate, "#software", properties=_describe_software()))
    tables = [_add_table(crate, resource) for resource in load_descriptor()["resources"]]
    notebooks = {run.notebook: _add_file(crate, run.notebook, results) for run in runs.values()}
    for name, run in runs.items():
        made = [_add_file(crate, path, results) for path in run.writes]
        values = [
            crate.add(
                ContextEntity(
                    crate,
                    f"#{name}-{key}",
                    properties={"@type": "PropertyValue", "name": key, "value": value},
                )
            )
            for key, value in run.parameters.items()
        ]
        crate.add_action(
            instrument=software,
            identifier=f"#{name}",
            object=[notebooks[run.notebook], *tables, *values],
            result=made,
            properties={"name": f"papermill {run.notebook.name}"},
        )
    content = json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n"
    write_atomically(results / "ro-crate-metadata.json", content.encode())


def _describe_software() -> dict[str, Any]:
    direct = sorted(
        {text.split(">")[0] for text in requires(DISTRIBUTION) or () if "extra ==" not in text}
    )
    return {
        "@type": "SoftwareApplication",
        "name": DISTRIBUTION,
        "version": version(DISTRIBUTION),
        "softwareRequirements": [
            f"Python {platform.python_version()}",
            *(f"{name} {version(name)}" for name in direct),
        ],
    }


def _add_table(crate: ROCrate, resource: Mapping[str, Any]) -> Any:
    described = {
        "name": resource["name"],
        "sha256": resource["hash"].removeprefix("sha256:"),
        "contentSize": str(resource["bytes"]),
    }
    path = f"../analysis/data/{resource['path']}"
    return crate.add(ContextEntity(crate, path, properties={"@type": "File", **described}))


def _add_file(crate: ROCrate, path: Path, results: Path) -> Any:
    content = path.read_bytes()
    described = {"name": path.name, "sha256": sha256(content), "contentSize": str(len(content))}
    if path.is_relative_to(results):
        return crate.add_file(dest_path=path.relative_to(results).as_posix(), properties=described)
    outside = f"../{path.parent.name}/{path.name}"
    return crate.add(ContextEntity(crate, outside, properties={"@type": "File", **described}))
