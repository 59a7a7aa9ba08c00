"""Bring the embedded tables up to date from the publishers' own files, all of them or none."""

import argparse
import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.checks import name_some, plain, require
from analysis.files import DATA_FOLDER
from analysis.mexico.tables import (
    ERRORS,
    explained,
    forget_tables,
    load_descriptor,
    load_table,
)
from mexico_tables import package, readings
from mexico_tables.files import LARGEST, LAYOUTS, Sheet, fetch_file, open_sheets
from mexico_tables.readings import MONTHS, Reading
from mexico_tables.revisions import compare_releases

SHORT = [month[:3] for month in MONTHS]
TABLE = re.compile(r"^[^:]*\.(csv|xlsx|dbf|zip):", re.IGNORECASE)
RELEASE = re.compile(rf"(?:^|_)({'|'.join(SHORT)})[a-z]*_?(?:20)?([0-9]{{2}})(?![0-9])")


def update_tables(
    files: Iterable[Path],
    *,
    into: Path = DATA_FOLDER,
    release: str = "",
    accept_revisions: bool = False,
    dry_run: bool = False,
) -> list[str]:
    """Take files into the tables of a folder, in the order of their months; tell what changed."""
    fits = re.fullmatch(r"([0-9]{4}-(0[1-9]|1[0-2]))?", release)
    require(bool(fits), f"--release must be a month like 2026-02; found {release!r}")
    base = into if (into / "datapackage.json").is_file() else DATA_FOLDER
    forget_tables()
    descriptor = deepcopy(load_descriptor(base))
    resources = {each["name"]: each for each in descriptor["resources"]}
    given = [reading for file in files for reading in read_file(Path(file), release)]
    require(len(given) > 0, "no file was given")
    held = {x: load_table(x, folder=base) for x in resources if x != "state_outlines"}
    before, said = dict(held), []
    for reading in sorted(given, key=lambda each: (each.table, each.registered, each.release)):
        name, old = reading.table, held.get(reading.table)
        if old is None:
            require(accept_revisions or not reading.absent, ERRORS["cut"].format(reading=reading))
            resources[name] = deepcopy(resources["sesnsp_victims"]) | LAYOUTS[name]
            descriptor["resources"].append(resources[name])
        resource = resources[name]
        with explained(reading.origin):
            new = held[name] = _complete_table(reading, old, resource)
        last = new["month"].max() if "month" in new else ""
        named = reading.release or last
        said.append(f"{name}: {reading.said}")
        if old is not None:
            months = resource.get("release", ""), named
            said += compare_releases(reading, old, new, months, accept=accept_revisions)
        if named:
            resource["release"] = named
        if last:
            resource["totals"] = {"through": last} | package.count_years(new)
        if name.endswith("_victims"):
            resource["published"] = named
        if name == "sesnsp_victims" and "sesnsp_revisions" in held:
            held["sesnsp_revisions"] = _append_release(held["sesnsp_revisions"], new, named)
    changed = [name for name in held if held[name] is not before.get(name)]
    # States may come before their municipalities, if the user says so.
    if "municipal_population" in changed or ("population" in changed and not accept_revisions):
        package.check_municipalities(held)
    if dry_run:
        return [*said, "nothing written: --dry-run"]
    others = {} if base == into else {path.name: path.read_bytes() for path in base.glob("*.*")}
    package.write_package(into, descriptor, {name: held[name] for name in changed}, others)
    forget_tables()
    return [*said, f"written to {into}: {', '.join(changed)}, datapackage.json"]


def read_file(path: Path, release: str = "") -> list[Reading]:
    """Return what a file holds for the study's tables; say why if that is nothing."""
    with explained(path.name):
        require(path.is_file(), f"no file {path}")
        require(path.stat().st_size <= LARGEST, f"it is larger than {LARGEST:,} bytes")
        sheets = open_sheets(path.name, path.read_bytes())
        known = [(sheet, recognise(sheet)) for sheet in sheets]
        usable = [(sheet, layout) for sheet, layout in known if "reader" in layout]
        parts = [[layout[x] for x in ("title", "refuse") if x in layout] for _, layout in known[:4]]
        require(len(usable) > 0, "; ".join(map(": ".join, parts)) or "it is empty")
        damaged = [sheet.fault for sheet in sheets if TABLE.search(sheet.fault)]
        require(not damaged, "; ".join(damaged[:4]))
    taken = []
    for sheet, layout in usable:
        named = RELEASE.findall(plain(f"{path.name} {sheet.name}"))
        month = f"20{named[-1][1]}-{SHORT.index(named[-1][0]) + 1:02d}" if named else ""
        also = re.compile(layout.get("also", ""))
        words = {*layout["has"], *layout.get("any", []), *filter(also.fullmatch, sheet.header)}
        with explained(sheet.name):
            frame = sheet.read(words)
            require(len(frame) > 0, "a header but no rows. Is the file cut?")
            reading = getattr(readings, layout["reader"])(frame, release or month)
        origin = f"{sheet.name}, {layout['title']}, {reading.said}"
        named = "" if reading.registered else release or month
        taken.append(replace(reading, release=named, origin=origin))
    return taken


def recognise(sheet: Sheet) -> dict:
    """Return the first layout whose words are those of the header, or why none of them is."""
    words = set(sheet.header)
    for layout in LAYOUTS["layout"]:
        has, some, lacks = (set(layout.get(key, [])) for key in ("has", "any", "lacks"))
        if has <= words and (not some or some & words) and not lacks & words:
            return layout
    unknown = f"{sheet.name} is no table that is known; its columns are {name_some(sheet.header)}"
    return {"refuse": sheet.fault or unknown}


def _complete_table(reading: Reading, old: pd.DataFrame | None, resource: dict) -> pd.DataFrame:
    """Return the table that a file gives, with the columns, years and order of the embedded one."""
    name, table = reading.table, reading.frame
    if reading.registered:
        table = _add_certificates(reading, old, resource["registered_through"])
    if name == "inegi_deaths":
        last = resource["registered_through"] = table["month"].max()
        require(last.endswith("-12"), f"{name} ends in {last}: half a year is not a year")
    if name == "population":
        table = table[table["year"].isin(old["year"])]
    if name == "municipal_population":
        lost = [*old.columns[2:].difference(table.columns)]
        lost += sorted(set(old["municipality"]).difference(table["municipality"]))
        require(not lost, f"{name}: years or municipalities are missing: {name_some(lost)}")
        table = table.merge(old[["municipality", "name"]], how="left")
    columns = [field["name"] for field in resource["schema"]["fields"]]
    table = table[columns].sort_values(resource["schema"]["primaryKey"], ignore_index=True)
    package.check_table(table, resource)
    return table


def _add_certificates(reading: Reading, old: pd.DataFrame, through: str) -> pd.DataFrame:
    """Add a year's certificates to the months in which the deaths occurred."""
    year, due, deaths = reading.registered, int(through[:4]) + 1, reading.frame
    why = "they are in it already" if year < due else "a year between is missing"
    require(year == due, ERRORS["year"].format(year=year, through=through, why=why, due=due))
    new = deaths[deaths["month"] >= f"{year}-01"]
    for word, number in (("month", 12), ("state", 32)):
        found = sorted(new[word].unique())
        fault = f"deaths of {year} in {len(found)} {word}s of {number}, {name_some(found)}"
        require(len(found) == number, f"inegi_deaths: {fault}: half a year, or a file that is cut")
    months = [*old["month"].unique(), *sorted(new["month"].unique())]
    index = pd.MultiIndex.from_product([months, old["state"].unique()], names=["month", "state"])
    both = pd.concat([old, deaths]).groupby(["month", "state"])["deaths"].sum()
    return both.reindex(index, fill_value=0).reset_index()  # months before have no row


def _append_release(revisions: pd.DataFrame, victims: pd.DataFrame, release: str) -> pd.DataFrame:
    """Append the rows of a release that are new or changed since the releases before."""
    key = ["month", "state"]
    known = revisions.drop_duplicates(key, keep="last").drop(columns="release")
    if release < revisions["release"].max():
        return revisions  # an older one tells nothing of what came after
    fresh = victims.merge(known, how="left_anti").assign(release=release)[revisions.columns]
    table = pd.concat([revisions, fresh], ignore_index=True)
    return table.drop_duplicates(["release", *key], keep="last", ignore_index=True)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description="The study's commands.")
    told = "bring the embedded tables up to date from the publishers' files (docs/update.md)"
    update = parser.add_subparsers(dest="command").add_parser("update", help=told, description=told)
    update.add_argument("files", nargs="*", type=Path, metavar="FILE", help="CSV, XLSX, DBF or ZIP")
    update.add_argument("--fetch", action="append", default=[], metavar="URL", help="download it")
    update.add_argument("--into", type=Path, default=DATA_FOLDER, help="folder of the tables")
    update.add_argument("--release", default="", metavar="YYYY-MM", help="month of the release")
    update.add_argument("--accept-revisions", action="store_true", help="take what moves the past")
    update.add_argument("--dry-run", action="store_true", help="write nothing")
    given = vars(parser.parse_args(arguments))
    if given.pop("command") is None:
        parser.print_help()
        return
    try:
        for url in given.pop("fetch"):
            path, line = fetch_file(url)
            print(line)
            given["files"].append(path)
        said = update_tables(**given)
    except Exception as error:  # whatever it is, the user is told in a sentence
        parser.exit(1, f"nothing written: {error}\n")
    print("\n".join(said))
