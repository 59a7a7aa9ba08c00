"""One release of a table against the last: what is added, what moved, and what cannot be."""

import pandas as pd

from analysis.checks import name_some, require
from analysis.mexico.compile import check_months, check_schema, count_years
from analysis.mexico.readings import Reading

LEVELS = dict.fromkeys(("month", "year"), "period")
LEVELS |= dict.fromkeys(("state", "municipality", "iso3"), "place")
LARGEST_MOVE = 0.05  # of a closed year, from one release to the next


def complete_table(reading: Reading, old: pd.DataFrame | None, resource: dict) -> pd.DataFrame:
    """Return the table that a file gives, with the columns, years and order of the embedded one."""
    name, table, key = reading.table, reading.frame, resource["schema"]["primaryKey"]
    if reading.registered:
        table = _add_certificates(reading, old, resource["registered_through"])
    if name == "inegi_deaths":
        resource["registered_through"] = table["month"].max()
    if name == "population":
        table = table[table["year"].isin(old["year"])]
    if name == "municipal_population":
        for what, wanted, found in (
            ("years", old.columns[2:], table.columns[1:]),
            ("municipalities", old["municipality"], table["municipality"]),
        ):
            lost = sorted(set(wanted).difference(found))
            require(not lost, f"{name}: the file has not the {what} {name_some(lost)}")
        table = table.merge(old[["municipality", "name"]], how="left")
    twice = table.loc[table.duplicated(key), key].head(3).to_numpy().tolist()
    require(not twice, f"{name}: more than one row of {twice}")
    table = table[[field["name"] for field in resource["schema"]["fields"]]]
    table = table.sort_values(key, ignore_index=True)
    if "month" in table:
        check_months(table, name)
    check_schema(table, resource)
    return table


def _add_certificates(reading: Reading, old: pd.DataFrame, through: str) -> pd.DataFrame:
    """Add a year's certificates to the months in which the deaths occurred."""
    year, wanted, deaths = reading.registered, int(through[:4]) + 1, reading.frame
    why = "they are in it already" if year < wanted else "a year between is missing"
    fault = f"deaths registered in {year} are given, the table has those until {through}: {why}"
    require(year == wanted, f"inegi_deaths: {fault}. Give the file of {wanted}.")
    new = deaths[deaths["month"] >= f"{year}-01"]
    for word, number in (("month", 12), ("state", 32)):
        found = sorted(new[word].unique())
        fault = f"deaths of {year} in {len(found)} {word}s of {number}, {name_some(found)}"
        require(len(found) == number, f"inegi_deaths: {fault}: half a year, or a file that is cut")
    months = new["month"].unique()
    index = pd.MultiIndex.from_product([months, old["state"].unique()], names=["month", "state"])
    nobody = pd.DataFrame({"deaths": 0}, index).reset_index()
    late = deaths[deaths["month"] >= old["month"].min()]  # months before have no row
    return pd.concat([old, nobody, late]).groupby(["month", "state"], as_index=False).sum()


def compare_releases(
    reading: Reading, old: pd.DataFrame, new: pd.DataFrame, resource: dict, *, accept: bool
) -> list[str]:
    """Tell what a release changes; unless told to `accept` it, refuse what is seldom true."""
    name = reading.table
    before, after = (_list_figures(table) for table in (old, new))
    gone, fresh = before.index.difference(after.index), after.index.difference(before.index)
    moved = (after - before).dropna()
    moved = moved[moved != 0]
    size, shift = before.groupby("year").sum(), moved.groupby("year").sum()
    closed = set(count_years(old) if "month" in old else size.index)
    closed -= {str(reading.registered - 1)}  # deaths of the last year are still being registered
    share = moved.abs().groupby("year").sum() / size  # what moves between states moves too
    large = sorted(closed.intersection(share.index[share > LARGEST_MOVE]))
    years = ", ".join(f"{y} {size[y]:,.10g} {change:+,.6g}" for y, change in shift.items())
    last, found = resource.get("release", ""), name_release(reading, new)
    spans = [f"{len(each):,} figures, {_span(each)}" for each in (gone, fresh)]
    faults = {
        f"the release {found} is older than that of the table, {last}": "" < found < last,
        f"{spans[0]}, of the last release are missing": len(gone) > 0,
        f"closed years move by more than 5%, {large}: {years}": len(large) > 0,
        f"the release {last} itself has moved, {years}: a revision, which --release can date, "
        "or a changed file": found == last != "" and len(moved) > 0,
    }
    for fault, true in faults.items():
        require(accept or not true, f"{name}: {fault}. --accept-revisions takes it as it is.")
    said = []
    if "month" in old:
        said.append(f"{name}: {after.sum():,} in all, {before.sum():,} in the last release")
    if len(fresh):
        said.append(f"{name}: new: {spans[1]}")
    if len(gone):
        said.append(f"{name}: no longer there: {spans[0]}")
    if moved.empty:
        return [*said, f"{name}: no figure of before has changed"]
    by_place = moved.groupby(level="place").sum()
    most = by_place[by_place.abs().nlargest(3).index]
    places = ", ".join(f"{place} {change:+,.6g}" for place, change in most.items())
    return [*said, f"{name}: {len(moved):,} figures changed: {years}; most in {places}"]


def _list_figures(table: pd.DataFrame) -> pd.Series:
    """Return every figure by year, period, place and column."""
    figures = table.melt(
        table.columns.intersection([*LEVELS, "name", "country"]), var_name="column"
    )
    figures = figures.rename(columns=LEVELS)
    if "period" not in figures:  # a column a year
        figures["period"] = figures["column"]
    figures["year"] = figures["period"].astype(str).str[:4]
    figures = figures[figures["place"] != "MX00"]  # the nation is the sum of the states
    return figures.set_index(["year", "period", "place", "column"])["value"]


def _span(index: pd.MultiIndex) -> str:
    periods = index.get_level_values("period")
    return f"{periods.min()} to {periods.max()}" if len(index) else ""


def name_release(reading: Reading, table: pd.DataFrame) -> str:
    """Return the month of a release: as it is named, else the last month of the table."""
    return reading.release or (table["month"].max() if "month" in table else "")


def append_release(revisions: pd.DataFrame, victims: pd.DataFrame, release: str) -> pd.DataFrame:
    """Append the rows of a release that are new or changed since the releases before."""
    key = ["month", "state"]
    known = revisions.drop_duplicates(key, keep="last").drop(columns="release")
    both = victims.merge(known, how="left", indicator=True)
    fresh = both[both["_merge"] == "left_only"].assign(release=release)[revisions.columns]
    table = pd.concat([revisions, fresh], ignore_index=True)
    return table.drop_duplicates(["release", *key], keep="last", ignore_index=True)
