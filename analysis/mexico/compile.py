"""Rebuild the embedded tables from a folder of source figures.

``python -m analysis.mexico.compile FOLDER``. Every table is checked on the way in,
and nothing is written unless all of them pass.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analysis.checks import require
from analysis.files import sha256, write_atomically
from analysis.mexico.tables import DATA_FOLDER, load_descriptor

STATES = [f"MX{number:02d}" for number in range(1, 33)]

WORDS = {"month", "state", "states", "municipality", "name", "start", "operation"}
WORDS |= {"iso3", "country", "city", "iso_3166_2", "parents", "source", "note"}

# Yearly totals known independently of the files, to check a compilation against.
INEGI_TOTALS = {2000: 10559, 2007: 8837, 2011: 27330, 2018: 34426, 2020: 35787, 2022: 31048}
SESNSP_TOTALS = {2015: 18312, 2018: 34662, 2020: 35545, 2024: 30898, 2025: 13090}


def compile_inegi_deaths(folder: Path) -> pd.DataFrame:
    """Deaths by homicide by state and month of occurrence, from the wide source table."""
    wide = _read(folder, "inegi_deaths_by_homicide_state_month.csv", ["month", *STATES])
    table = wide.melt("month", var_name="state", value_name="deaths")
    table = _sorted(table, ["month", "state"])
    _check_months(table, "inegi_deaths")
    _check_totals(table.set_index("month")["deaths"], INEGI_TOTALS, "inegi_deaths")
    return table


def compile_sesnsp_victims(folder: Path) -> pd.DataFrame:
    """Victims of intentional homicide and of femicide by state and month."""
    columns = ["month", "state", "intentional_homicide", "femicide"]
    table = _sorted(_read(folder, "sesnsp_victims_state_month.csv", columns), ["month", "state"])
    _check_months(table, "sesnsp_victims")
    victims = table.set_index("month")[["intentional_homicide", "femicide"]].sum(axis=1)
    _check_totals(victims, SESNSP_TOTALS, "sesnsp_victims")
    return table


def compile_population(folder: Path) -> pd.DataFrame:
    """Mid-year population of the nation (MX00) and the states, one row per year and place."""
    source = "conapo_midyear_population_state_year.csv"
    wide = _read(folder, source, ["year", "MX00", *STATES])
    require(wide["year"].diff().dropna().eq(1).all(), f"{source}: years must be consecutive")
    gap = (wide["MX00"] - wide[STATES].sum(axis=1)).abs()
    require(gap.eq(0).all(), f"{source}: states do not add up to MX00 in {_years(wide, gap)}")
    table = wide.melt("year", var_name="state", value_name="population")
    return _sorted(table, ["year", "state"])


def compile_municipal_population(folder: Path) -> pd.DataFrame:
    """Mid-year population of every municipality, years as columns (a long table is 2 MB)."""
    source = "conapo_midyear_population_municipality_year.csv"
    years = [str(year) for year in range(2000, 2026)]
    table = _read(folder, source, ["municipality", "name", *years])
    table = _sorted(table, ["municipality"])
    by_state = table.groupby("MX" + table["municipality"].str[:2])[years].sum()
    states = compile_population(folder).pivot(index="state", columns="year", values="population")
    states = states.set_axis(states.columns.astype(str), axis=1).reindex(STATES, columns=years)
    gap = by_state.reindex(STATES).ne(states)
    off = gap.index[gap.any(axis=1)].tolist()
    require(not off, f"{source}: municipalities do not add up to the population of {off[:6]}")
    return table


def compile_military_operations(folder: Path) -> pd.DataFrame:
    """Start of the federal joint operations, one row per operation and state."""
    source = "military_operations.csv"
    table = _read(folder, source, ["operation", "start", "states"])
    table = table.assign(state=table["states"].str.split(";")).explode("state")
    return table[["operation", "start", "state"]]


def compile_states(folder: Path) -> pd.DataFrame:
    """Codes and names of the 32 states."""
    table = _read(folder, "states.csv", ["state", "iso_3166_2", "name"])
    require(list(table["state"]) == STATES, f"states.csv: expected {STATES[0]}..{STATES[-1]}")
    return table


def _copied(source: str, columns: list[str], key: list[str]) -> Callable[[Path], pd.DataFrame]:
    def compile_copy(folder: Path) -> pd.DataFrame:
        table = _read(folder, source, columns)
        require(not table.duplicated(key).any(), f"{source}: {key} must be unique")
        return table

    return compile_copy


def compile_municipal_changes(_: Path) -> pd.DataFrame:
    """Municipalities created since 2000: the project's own table, no publisher's, kept as it is."""
    columns = ["municipality", "name", "parents", "created", "source", "note"]
    return _copied("municipal_changes.csv", columns, ["municipality"])(DATA_FOLDER)


TABLES: dict[str, Callable[[Path], pd.DataFrame]] = {
    "inegi_deaths": compile_inegi_deaths,
    "sesnsp_victims": compile_sesnsp_victims,
    "population": compile_population,
    "municipal_population": compile_municipal_population,
    "municipal_changes": compile_municipal_changes,
    "inegi_registered": _copied(
        "inegi_registered_homicides_national_year.csv", ["year", "registered_deaths"], ["year"]
    ),
    "country_rates": _copied(
        "unodc_homicide_rate_country_year.csv",
        ["iso3", "country", "year", "rate"],
        ["iso3", "year"],
    ),
    "city_ranking_2020": _copied(
        "city_ranking_2020.csv", ["rank", "city", "country", "rate_per_100000"], ["rank"]
    ),
    "military_operations": compile_military_operations,
    "states": compile_states,
}


def compile_tables(folder: Path, into: Path = DATA_FOLDER) -> dict[str, bytes]:
    """Build every table from the source figures in `folder` and write them into `into`.

    Parameters
    ----------
    folder : Path
        Folder with the publishers' figures under the names that the compile functions read.
    into : Path
        Folder of the data package; its ``datapackage.json`` gets the new hashes and sizes.

    Returns
    -------
    dict
        File name to the bytes written.

    Raises
    ------
    ValueError
        If a file is missing or malformed or a sum does not add up; nothing is written then.
    """
    contents = {}
    resources = {
        resource["name"]: resource for resource in load_descriptor(DATA_FOLDER)["resources"]
    }
    for name, compile_table in TABLES.items():
        table = compile_table(Path(folder))
        _check_schema(table, resources[name])
        contents[f"{name}.csv"] = table.to_csv(index=False, lineterminator="\n").encode()
    contents["states.geojson"] = _read_outlines(Path(folder) / "states.geojson")
    descriptor = json.loads(json.dumps(load_descriptor(DATA_FOLDER)))
    for resource in descriptor["resources"]:
        content = contents[resource["path"]]
        resource["bytes"], resource["hash"] = len(content), f"sha256:{sha256(content)}"
    described = json.dumps(descriptor, indent=2, ensure_ascii=False) + "\n"
    contents["datapackage.json"] = described.encode()
    for name, content in contents.items():
        write_atomically(Path(into) / name, content)
    return contents


def _read(folder: Path, source: str, columns: list[str]) -> pd.DataFrame:
    path = folder / source
    require(path.is_file(), f"{source} not found in {folder}")
    text = dict.fromkeys(["month", "state", "states", "municipality", "name", "start"], str)
    text["parents"] = str
    try:
        table = pd.read_csv(path, dtype=text)
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"{source} cannot be read as CSV: {error}") from error
    found = list(table.columns)
    missing = [name for name in columns if name not in found]
    extra = [name for name in found if name not in columns]
    require(
        found == columns,
        f"{source}: expected columns {columns[0]}..{columns[-1]}; missing {missing}, "
        f"unexpected {extra}{'' if missing or extra else ', in another order'}",
    )
    holes = table.columns[table.isna().any()].difference({"rate_per_100000"})
    require(holes.empty, f"{source}: missing values in {list(holes)}")
    wordy = [name for name in table if name not in WORDS and table[name].dtype.kind not in "iuf"]
    require(not wordy, f"{source}: {wordy[:6]} must be numbers")
    return table


def _check_schema(table: pd.DataFrame, resource: dict) -> None:
    """Hold a compiled table against its fields in datapackage.json."""
    name = resource["name"]
    fields = resource["schema"]["fields"]
    require(
        list(table.columns) == [field["name"] for field in fields],
        f"{name}: columns {list(table.columns)[:6]} are not those of datapackage.json",
    )
    for field in fields:
        column, rules = table[field["name"]], field.get("constraints", {})
        label = f"{name}: {field['name']}"
        if field["type"] == "integer":
            require(column.dtype.kind in "iu", f"{label} must be whole numbers")
        if "minimum" in rules:
            low = column[column < rules["minimum"]]
            require(low.empty, f"{label} must be at least {rules['minimum']}; found {low.min()}")
        if "pattern" in rules:
            wrong = column[~column.str.fullmatch(rules["pattern"])]
            require(wrong.empty, f"{label} has unknown codes {wrong.unique().tolist()[:6]}")
        if field["type"] == "date":
            dates = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
            require(dates.notna().all(), f"{label} must be dates like 2006-12-11")


def _read_outlines(path: Path) -> bytes:
    require(path.is_file(), f"{path.name} not found in {path.parent}")
    content = path.read_bytes()
    try:
        found = sorted(shape["properties"]["state"] for shape in json.loads(content)["features"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is not a GeoJSON of the states: {error!r}") from error
    require(found == STATES, f"{path.name}: expected the outlines of {STATES[0]}..{STATES[-1]}")
    return content


def _sorted(table: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    require(not table.duplicated(key).any(), f"{key} must be unique")
    return table.sort_values(key, ignore_index=True)


def _check_months(table: pd.DataFrame, name: str) -> None:
    wrong = table.loc[~table["month"].str.fullmatch(r"\d{4}-(0[1-9]|1[0-2])"), "month"]
    found = wrong.unique().tolist()[:6]
    require(wrong.empty, f"{name}: months must look like 2006-12; found {found}")
    months = pd.period_range(table["month"].min(), table["month"].max(), freq="M").astype(str)
    expected = pd.MultiIndex.from_product([months, STATES])
    missing = expected.difference(pd.MultiIndex.from_frame(table[["month", "state"]]))
    require(missing.empty, f"{name}: every state needs every month; missing {list(missing[:6])}")


def _check_totals(by_month: pd.Series, expected: dict[int, int], name: str) -> None:
    found = by_month.groupby(by_month.index.str[:4].astype(int)).sum()
    wrong = {y: int(found.get(y, -1)) for y, known in expected.items() if found.get(y) != known}
    require(not wrong, f"{name}: yearly totals {wrong} differ from the published {expected}")


def _years(table: pd.DataFrame, gap: pd.Series) -> list[int]:
    return table.loc[gap.ne(0), "year"].tolist()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m analysis.mexico.compile", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the publishers' figures")
    parser.add_argument("--into", type=Path, default=DATA_FOLDER, help="folder to write to")
    arguments = parser.parse_args()
    try:
        contents = compile_tables(arguments.folder, arguments.into)
    except ValueError as error:
        parser.exit(1, f"nothing written: {error}\n")
    for name, content in contents.items():
        print(f"{len(content):>9,} bytes  {name}")


if __name__ == "__main__":
    main()
