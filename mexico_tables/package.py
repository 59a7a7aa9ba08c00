"""Check tables against ``datapackage.json``, and write them together with it."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from analysis.checks import require
from analysis.files import sha256, write_together
from analysis.mexico.tables import ERRORS

STATES = [f"MX{number:02d}" for number in range(1, 33)]


def write_package(
    into: Path, descriptor: dict, tables: Mapping[str, pd.DataFrame], others: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Write tables, other files and ``datapackage.json`` with their hashes, all or none."""
    paths = {resource["name"]: resource["path"] for resource in descriptor["resources"]}
    contents = dict(others)
    for name, table in tables.items():
        text = table.to_csv(index=False, lineterminator="\n").encode()
        packed = paths[name].endswith(".gz")
        # not by gzip, whose header differs from Python 3.13 on
        contents[paths[name]] = zlib.compress(text, 9, wbits=31) if packed else text
    for resource in descriptor["resources"]:
        if content := contents.get(resource["path"]):
            resource["bytes"], resource["hash"] = len(content), f"sha256:{sha256(content)}"
    package = json.dumps(descriptor, indent=2, ensure_ascii=False) + "\n"
    contents["datapackage.json"] = package.encode()
    write_together({Path(into) / name: content for name, content in contents.items()})
    return contents


def count_years(table: pd.DataFrame, *, whole: bool = True) -> dict[str, int]:
    """Return the deaths of every year, or of those only of which all twelve months are there."""
    by_month = table.drop(columns="state").groupby("month").sum().sum(axis=1)
    by_year = by_month.groupby(by_month.index.str[:4])
    return by_year.sum()[by_year.size() >= 12 * whole].to_dict()


def check_municipalities(tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse municipalities that do not add up to their states in each of their years."""
    table = tables["municipal_population"].drop(columns="name").set_index("municipality")
    by_state = table.groupby("MX" + table.index.str[:2]).sum()
    states = tables["population"].pivot(index="state", columns="year", values="population")
    states = states.rename(columns=str).reindex(STATES, columns=table.columns)
    off = [*states.index[by_state.reindex(STATES).ne(states).any(axis=1)]]
    require(not off, ERRORS["sums"].format(off=off[:6]))


def check_table(table: pd.DataFrame, resource: dict) -> None:
    """Hold a table against its key, its months and its fields in datapackage.json."""
    name, schema = resource["name"], resource["schema"]
    key, fields = schema["primaryKey"], schema["fields"]
    twice = table.loc[table.duplicated(key), key].head(3).to_numpy().tolist()
    require(not twice, f"{name}: {key} must be unique; found more than once {twice}")
    if "totals" in resource:
        wrong = table.loc[~table["month"].str.fullmatch(r"\d{4}-(0[1-9]|1[0-2])"), "month"].unique()
        require(len(wrong) == 0, f"{name}: months must look like 2006-12; found {[*wrong[:6]]}")
        months = pd.period_range(table["month"].min(), table["month"].max(), freq="M").astype(str)
        expected = pd.MultiIndex.from_product([months, STATES])
        missing = expected.difference(pd.MultiIndex.from_frame(table[["month", "state"]]))
        require(missing.empty, f"{name}: every state needs every month; missing {[*missing[:6]]}")
    same = list(table.columns) == [field["name"] for field in fields]
    require(same, f"{name}: columns {list(table)[:6]} are not those of datapackage.json")
    for field in fields:
        column, rules = table[field["name"]], field.get("constraints", {})
        label, kind = f"{name}: {field['name']}", field["type"]
        require(kind != "integer" or column.dtype.kind in "iu", f"{label} must be whole numbers")
        if "minimum" in rules:
            low = column[column < rules["minimum"]]
            require(low.empty, f"{label} must be at least {rules['minimum']}; found {low.min()}")
        if "pattern" in rules:
            wrong = column[~column.str.fullmatch(rules["pattern"])]
            require(wrong.empty, f"{label} has unknown codes {wrong.unique().tolist()[:6]}")
        if kind == "date":
            dates = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
            require(dates.notna().all(), f"{label} must be dates like 2006-12-11")
