"""Bring the embedded tables up to date from the publishers' own files, all of them or none."""

import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from analysis.checks import name_some, require
from analysis.mexico import readings
from analysis.mexico.compile import check_municipalities, count_years, write_package
from analysis.mexico.readers import LARGEST, LAYOUTS, Sheet, explained, open_sheets, plain
from analysis.mexico.releases import append_release, compare_releases, complete_table, name_release
from analysis.mexico.tables import DATA_FOLDER, forget_tables, load_descriptor, load_table

SHORT = [month[:3] for month in readings.MONTHS]
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
    into = Path(into)
    base = into if (into / "datapackage.json").is_file() else DATA_FOLDER
    forget_tables()
    descriptor = deepcopy(load_descriptor(base))
    resources = {each["name"]: each for each in descriptor["resources"]}
    given = [reading for file in files for reading in read_file(Path(file), release)]
    require(len(given) > 0, "no file was given")
    names = [name for name in resources if name != "state_outlines"]
    tables = {name: load_table(name, folder=base) for name in names}
    before = dict(tables)
    said = []
    for reading in sorted(given, key=lambda each: (each.table, each.release, each.registered)):
        name, old = reading.table, tables.get(reading.table)
        if old is None:
            resources[name] = deepcopy(resources["sesnsp_victims"]) | LAYOUTS[name]
            descriptor["resources"].append(resources[name])
        resource = resources[name]
        new = tables[name] = complete_table(reading, old, resource)
        said.append(f"{name}: {reading.said}")
        if old is not None:
            said += compare_releases(reading, old, new, resource, accept=accept_revisions)
        if named := name_release(reading, new):
            resource["release"] = named
        if name != "inegi_deaths" and named:  # a year's deaths are published long after it
            resource["published"] = named
        if "month" in new:
            resource["totals"] = {"through": new["month"].max()} | count_years(new)
        if name == "sesnsp_victims" and "sesnsp_revisions" in tables:
            revisions = tables["sesnsp_revisions"]
            tables["sesnsp_revisions"] = append_release(revisions, new, named)
    changed = [name for name in tables if tables[name] is not before.get(name)]
    # States may come before their municipalities, if the user says so.
    if "municipal_population" in changed or ("population" in changed and not accept_revisions):
        check_municipalities(tables)
    if dry_run:
        return [*said, "nothing written: --dry-run"]
    others = {} if base == into else {path.name: path.read_bytes() for path in base.glob("*.*")}
    write_package(into, descriptor, {name: tables[name] for name in changed}, others)
    forget_tables()
    return [*said, f"written to {into}: {', '.join(changed)}, datapackage.json"]


def read_file(path: Path, release: str = "") -> list[readings.Reading]:
    """Return what a file holds for the study's tables; say why if that is nothing."""
    with explained(path.name):
        require(path.is_file(), f"no file {path}")
        require(path.stat().st_size <= LARGEST, f"it is larger than {LARGEST:,} bytes")
        sheets = open_sheets(path.name, path.read_bytes())
        known = [(sheet, recognise(sheet.header)) for sheet in sheets]
        usable = [(sheet, layout) for sheet, layout in known if "reader" in layout]
        require(len(usable) > 0, "; ".join(_explain(*each) for each in known[:4]))
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
        taken.append(replace(reading, release=release or month))
    return taken


def recognise(header: list[str]) -> dict:
    """Return the first layout whose words are those of the header, or an empty one."""
    words = set(header)
    for layout in LAYOUTS["layout"]:
        has, some, lacks = (set(layout.get(key, [])) for key in ("has", "any", "lacks"))
        if has <= words and (not some or some & words) and not lacks & words:
            return layout
    return {}


def _explain(sheet: Sheet, layout: dict) -> str:
    """Say why a table is none of the study's."""
    unknown = f"{sheet.name} is no table that is known; its columns are {name_some(sheet.header)}"
    return f"{layout['title']}: {layout.get('refuse')}" if layout else sheet.fault or unknown
