"""What a new release changes in a table, and what of that is seldom true."""

import pandas as pd

from analysis.checks import name_some, require
from mexico_tables.package import count_years
from mexico_tables.readings import Reading

LEVELS = dict.fromkeys(("month", "year"), "period")
LEVELS |= dict.fromkeys(("state", "municipality", "iso3"), "place")
FEW = 20  # victims or deaths: fewer may well become none
LARGEST_MOVE = 0.05  # of a closed year, from one release to the next


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
