"""Write what a program of this folder recorded, and its hash into ``datapackage.json``."""

import json
from pathlib import Path

import pandas as pd

from analysis.checks import require
from analysis.mexico.compile import write_package

HERE = Path(__file__).parent


def write_record(
    table: pd.DataFrame, path: Path, *, folder: Path = HERE, float_format: str | None = None
) -> None:
    """Write a table that ``datapackage.json`` of `folder` declares, together with its hash."""
    name, descriptor = path.relative_to(folder).as_posix(), folder / "datapackage.json"
    package = json.loads(descriptor.read_text(encoding="utf-8"))
    declared = [resource["path"] for resource in package["resources"]]
    require(name in declared, f"{name}: declare it in {descriptor} first")
    text = table.to_csv(index=False, lineterminator="\n", float_format=float_format)
    write_package(folder, package, {}, {name: text.encode()})
