"""Write what a program of this folder recorded, and its hash into ``datapackage.json``."""

from copy import deepcopy
from pathlib import Path

import pandas as pd

from analysis.checks import require
from analysis.mexico.compile import write_package
from analysis.mexico.tables import load_descriptor

HERE = Path(__file__).parent


def write_record(
    table: pd.DataFrame, path: Path, *, folder: Path = HERE, float_format: str | None = None
) -> None:
    """Write a table that ``datapackage.json`` of `folder` declares, together with its hash."""
    name, descriptor = path.relative_to(folder).as_posix(), deepcopy(load_descriptor(folder))
    declared = [resource["path"] for resource in descriptor["resources"]]
    require(name in declared, f"{name}: declare it in {folder / 'datapackage.json'} first")
    text = table.to_csv(index=False, lineterminator="\n", float_format=float_format)
    write_package(folder, descriptor, {}, {name: text.encode()})
