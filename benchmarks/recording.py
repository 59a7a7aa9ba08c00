"""Write what a program of this folder recorded, and its hash into ``datapackage.json``."""

import json
from pathlib import Path

import pandas as pd

from analysis.checks import require
from mexico_tables.package import write_package


def write_record(table: pd.DataFrame, path: Path, *, float_format: str | None = None) -> None:
    """Write a table that the ``datapackage.json`` above it declares, together with its hash."""
    path = path.resolve()
    folder = next(each for each in path.parents if (each / "datapackage.json").is_file())
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    name = path.relative_to(folder).as_posix()
    declared = [resource["path"] for resource in package["resources"]]
    require(name in declared, f"{name}: declare it in {folder / 'datapackage.json'} first")
    text = table.to_csv(index=False, lineterminator="\n", float_format=float_format)
    write_package(folder, package, {}, {name: text.encode()})
