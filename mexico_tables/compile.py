"""Rebuild the tables from a folder of figures: ``python -m mexico_tables.compile FOLDER``."""

import argparse
import json
from copy import deepcopy
from pathlib import Path

import pandas as pd

from analysis.checks import require
from analysis.files import DATA_FOLDER, read_toml
from analysis.mexico.tables import ERRORS, load_descriptor
from mexico_tables.package import (
    STATES,
    check_municipalities,
    check_table,
    count_years,
    write_package,
)

NUMBERS = ("integer", "number")  # kinds of fields; all others are read as text
RECIPES = read_toml(Path(__file__).with_name("recipes.toml"))[1]  # by table


def compile_tables(folder: Path, into: Path = DATA_FOLDER) -> dict[str, bytes]:
    """Write all tables and ``datapackage.json``, or nothing if a check fails; return the files."""
    descriptor = deepcopy(load_descriptor(DATA_FOLDER))
    described = {resource["name"]: resource for resource in descriptor["resources"]}
    tables = {x: _compile_table(recipe, folder, described[x]) for x, recipe in RECIPES.items()}
    check_municipalities(tables)
    found = tables["states"]["state"].tolist() == STATES
    require(found, f"states.csv: expected {STATES[0]}..{STATES[-1]}")
    contents = {"states.geojson": _read_outlines(folder / "states.geojson")}
    for name in described.keys() - tables.keys() - {"state_outlines"}:  # made by `update` alone
        contents[f"{name}.csv"] = (DATA_FOLDER / f"{name}.csv").read_bytes()
    return write_package(into, descriptor, tables, contents)


def _compile_table(recipe: dict, folder: Path, resource: dict) -> pd.DataFrame:
    """Read, reshape and check one table; `resource` is what datapackage.json says of it."""
    schema = resource["schema"]
    columns = recipe.get("columns") or [field["name"] for field in schema["fields"]]
    words = [each["name"] for each in schema["fields"] if each["type"] not in NUMBERS]
    path = (DATA_FOLDER if recipe.get("own") else folder) / recipe["source"]
    table = _read(path, columns, ["states", "methodology", "commit", *words])
    if resource["name"] == "population":
        require(table["year"].diff().dropna().eq(1).all(), "population: years must be consecutive")
        off = table.loc[table["MX00"] != table[STATES].sum(axis=1), "year"].tolist()
        require(not off, f"population: states do not add up to MX00 in {off}")
    if "list" in recipe:
        listed = {recipe["list"]: table[recipe["list"]].str.split(";")}
        table = table.assign(**listed).explode(recipe["list"])
    for method, arguments in recipe.get("steps", {}).items():
        table = getattr(table, method)(**arguments)
    if recipe.get("ordered"):
        table = table.sort_values(schema["primaryKey"], ignore_index=True)
    check_table(table, resource)
    if "totals" in resource:
        _check_totals(table, resource)
    return table


def _read(path: Path, columns: list[str], words: list[str]) -> pd.DataFrame:
    source = path.name
    require(path.is_file(), f"{source} not found in {path.parent}")
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(words, str))
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"{source} cannot be read as CSV: {error}") from error
    missing = [name for name in columns if name not in table]
    extra = [name for name in table if name not in columns]
    fault = f"missing {missing}, unexpected {extra}, or in another order"
    require([*table] == columns, f"{source}: expected columns {columns[0]}..{columns[-1]}; {fault}")
    holes = table.columns[table.isna().any()].difference({"rate_per_100000", "count"})
    require(holes.empty, f"{source}: missing values in {list(holes)}")
    wordy = [name for name in table if name not in words and table[name].dtype.kind not in "iuf"]
    require(not wordy, f"{source}: {wordy[:6]} must be numbers")
    return table


def _read_outlines(path: Path) -> bytes:
    require(path.is_file(), f"{path.name} not found in {path.parent}")
    content = path.read_bytes()
    try:
        found = sorted(shape["properties"]["state"] for shape in json.loads(content)["features"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is not a GeoJSON of the states: {error!r}") from error
    require(found == STATES, f"{path.name}: expected the outlines of {STATES[0]}..{STATES[-1]}")
    return content


def _check_totals(table: pd.DataFrame, resource: dict) -> None:
    """Hold whole years against those of the release; one of another last month gets its own."""
    name, totals = resource["name"], resource["totals"]
    last, through = table["month"].max(), totals["through"]
    require(last >= through, f"{name} ends in {last}; the last release goes through {through}")
    if last > through:
        resource |= {"totals": {"through": last} | count_years(table), "release": last}
        return
    found = count_years(table, whole=False)
    known = {int(year): count for year, count in totals.items() if year != "through"}
    wrong = {year: found.get(str(year)) for year in known if found.get(str(year)) != known[year]}
    require(not wrong, ERRORS["totals"].format(name=name, wrong=wrong, known=known))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m mexico_tables.compile", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the publishers' figures")
    parser.add_argument("--into", type=Path, default=DATA_FOLDER, help="folder to write to")
    try:
        contents = compile_tables(**vars(parser.parse_args()))
    except ValueError as error:
        parser.exit(1, f"nothing written: {error}\n")
    for name, content in contents.items():
        print(f"{len(content):>9,} bytes  {name}")


if __name__ == "__main__":
    main()
