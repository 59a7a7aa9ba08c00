"""Rebuild the tables from a folder of figures: ``python -m analysis.mexico.compile FOLDER``."""

import argparse
import json
import zlib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import pandas as pd

from analysis.checks import name_some, require
from analysis.files import DATA_FOLDER, read_toml, sha256, write_together
from analysis.mexico.readings import Reading
from analysis.mexico.tables import ERRORS, load_descriptor

STATES = [f"MX{number:02d}" for number in range(1, 33)]
NUMBERS = ("integer", "number")  # kinds of fields; all others are read as text
LEVELS = dict.fromkeys(("month", "year"), "period")
LEVELS |= dict.fromkeys(("state", "municipality", "iso3"), "place")
FEW = 20  # victims or deaths: fewer may well become none
LARGEST_MOVE = 0.05  # of a closed year, from one release to the next
RECIPES = read_toml(DATA_FOLDER / "recipes.toml")[1]  # by table


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


def count_years(table: pd.DataFrame, *, whole: bool = True) -> dict[str, int]:
    """Return the deaths of every year, or of those only of which all twelve months are there."""
    by_month = table.drop(columns="state").groupby("month").sum().sum(axis=1)
    by_year = by_month.groupby(by_month.index.str[:4])
    return by_year.sum()[by_year.size() >= 12 * whole].to_dict()


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


def compare_releases(
    reading: Reading, old: pd.DataFrame, new: pd.DataFrame, months: tuple[str, str], *, accept: bool
) -> list[str]:
    """Tell what a release changes; unless told to `accept` it, refuse what is seldom true."""
    name, (last, found) = reading.table, months
    before, after = (_list_figures(table) for table in (old, new))
    gone, fresh = before.index.difference(after.index), after.index.difference(before.index)
    moved = (after - before).dropna()
    moved = moved[moved != 0]
    size, shift = before.groupby("year").sum(), moved.groupby("year").sum()
    closed = set(count_years(old) if "month" in old else size.index)
    closed -= {str(reading.registered - 1)}  # deaths of the last year are still being registered
    share = moved.abs().groupby("year").sum() / size  # what moves between states moves too
    large = sorted(closed.intersection(share.index[share > LARGEST_MOVE]))
    years = ", ".join(f"{y} {size[y]:,.10g} {change:+,.10g}" for y, change in shift.items())
    periods = (each.get_level_values("period") for each in (gone, fresh))
    spans = [f"{len(each):,} figures, {each.min()} to {each.max()}" for each in periods]
    odd = _find_odd(before, after, yearly=reading.registered > 0) if "month" in old else []
    faults = {
        f"hard to believe: {name_some(odd)}": len(odd) > 0,
        f"the release {found} is older than that of the table, {last}": "" < found < last,
        f"{spans[0]}, of the last release are missing": len(gone) > 0,
        f"closed years move by more than 5%, {large}: {years}": len(large) > 0,
        f"the release {last} itself has moved, {years}: a revision, which --release can date, "
        "or a changed file": found == last != "" and len(moved) > 0,
    }
    for fault, true in faults.items():
        require(accept or not true, f"{name}: {fault}. --accept-revisions takes it as it is.")
    said = [f"{name}: {after.sum():,} in all, {before.sum():,} before"] if "month" in old else []
    if len(fresh):
        said.append(f"{name}: new: {spans[1]}")
    if len(gone):
        said.append(f"{name}: no longer there: {spans[0]}")
    if moved.empty:
        return [*said, f"{name}: no figure of before has changed"]
    by_place = moved.groupby(level="place").sum()
    most = by_place[by_place.abs().nlargest(3).index]
    places = ", ".join(f"{place} {change:+,.10g}" for place, change in most.items())
    return [*said, f"{name}: {len(moved):,} figures changed: {years}; most in {places}"]


def _list_figures(table: pd.DataFrame) -> pd.Series:
    """Return every figure by year, period, place and column."""
    words = table.columns.intersection([*LEVELS, "name", "country"])
    figures = table.melt(words, var_name="column").rename(columns=LEVELS)
    if "period" not in figures:  # a column a year
        figures["period"] = figures["column"]
    figures["year"] = figures["period"].astype(str).str[:4]
    figures = figures[figures["place"] != "MX00"]  # the nation is the sum of the states
    return figures.set_index(["year", "period", "place", "column"])["value"]


def _find_odd(before: pd.Series, after: pd.Series, *, yearly: bool) -> list[str]:
    """Name what has all but vanished, and what of a whole new year is far from the last one's."""
    odd = []
    for level in ("place", "column"):
        was, now = (each.groupby(["year", level]).sum() for each in (before, after))
        gone = (was >= FEW) & (now.reindex(was.index, fill_value=0) < was / 10)
        odd += [f"{name} in {year}, {was[year, name]:,} before" for year, name in was.index[gone]]
    months = before.groupby("period").sum().tail(12)
    usual = before[before.index.isin(months.index, level="period")].groupby("place").sum()
    new = after[after.index.difference(before.index)]
    found = new.groupby(["period", "place"]).sum()
    none = [each for each in found.index[found == 0] if usual.get(each[1], 0) >= 12 * FEW]
    odd += [f"nobody in {name} in {month}" for month, name in none]
    if yearly:
        by_month = new.groupby("period").sum() / months.mean()
        by_place = (new.groupby("place").sum() / usual)[usual >= FEW]
        far = [by_month[~by_month.between(0.7, 1.5)], by_place[~by_place.between(0.25, 4)]]
        odd += [f"{name} has {x:.0%} of the usual deaths" for name, x in pd.concat(far).items()]
    return odd


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m analysis.mexico.compile", description=__doc__)
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
