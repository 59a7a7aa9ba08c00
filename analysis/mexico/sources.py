"""The embedded tables as monthly series of deaths and person-years, by place and source."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from unicodedata import normalize

import numpy as np
import pandas as pd

from analysis.checks import UnknownNameError, check_known, check_month, read_period, require
from analysis.mexico.gaps import search_gaps
from analysis.mexico.tables import DATA_FOLDER, load_descriptor, load_table, read_toml

NATION = "MX00"
RATIO = "SESNSP / INEGI"


@dataclass(frozen=True)
class Source:
    """One publisher's way of counting homicides, as ``sources.toml`` declares it."""

    slug: str
    name: str
    title: str
    table: str
    columns: list[str]  # their sum is `deaths`
    complete_through: pd.Period  # last month whose count is no longer filling up
    reason: str  # why that month
    delay: int  # months from the end of a period until it is published
    whole_years: bool  # is it published in whole calendar years?
    released: str  # both in words
    studied: bool  # does the study run on it?
    caution: str  # with {published}: the article, {month}: the freeze, {before}: before it


def _declare(block: dict) -> Source:
    """Return a source, complete but for the last months of its table, which are still open."""
    last = pd.Period(load_table(block["table"])["month"].max(), "M") - block.pop("open_months")
    return Source(**block, complete_through=last)


TABLES = {resource["name"] for resource in load_descriptor()["resources"]}
DECLARED = read_toml(DATA_FOLDER / "sources.toml")[1]["source"]
LOADED = {each["slug"]: _declare(each) for each in DECLARED if each["table"] in TABLES}
SOURCES = {slug: source for slug, source in LOADED.items() if source.studied}


def load_series(
    source: str,
    *,
    place: str | Sequence[str] = NATION,
    start: str | pd.Period | None = None,
    end: str | pd.Period | None = None,
    complete_only: bool = True,
) -> pd.DataFrame:
    """Load deaths and person-years by month.

    Parameters
    ----------
    source : {"inegi", "sesnsp", "rnid"}
        INEGI counts death certificates by month of death (2000-01 on); SESNSP counts victims of
        intentional homicide and femicide by the month the file was opened (2015-01 on). RNID, the
        registry that took SESNSP's place in 2026, is there once ``analysis update`` has taken it.
    place : str or sequence of str
        ``"MX00"`` for the nation, ``"MX01"`` to ``"MX32"`` for a state; several are added up.
    start, end : str or Period, optional
        First and last month; default all.
    complete_only : bool
        Leave out the months that are still being registered.

    Returns
    -------
    DataFrame
        PeriodIndex `month` (freq "M"); columns `deaths` (int) and `person_years` (float,
        mid-month population x days in the month / 365.25). ``attrs`` hold `source`, `place`, and
        what a fit warns of: `complete_through`, `source_ratio`, and `gaps`, those of `find_gaps` in
        these places and months.

    Raises
    ------
    KeyError
        For an unknown source or place, with the nearest known names.
    ValueError
        For months outside the source's coverage.
    """
    check_known(source, LOADED, "source")
    places = _check_places(place)
    series = _monthly_deaths(source)[places].sum(axis=1).to_frame("deaths")
    people = _monthly_population().loc[series.index, places].sum(axis=1)
    series["person_years"] = people * (series.index.days_in_month / 365.25)
    complete = LOADED[source].complete_through
    if complete_only:
        series = series.loc[:complete]
    known = series.index
    series = series.loc[_month(start, known, known[0]) : _month(end, known, known[-1])]
    require(len(series) > 0, f"no months left: start {start} is after end {end}")
    joined = "+".join(places)
    series.attrs = {
        "source": source,
        "place": joined,
        "complete_through": str(complete),
        "source_ratio": {"name": RATIO, "by_month": dict(_ratio_by_month(joined))},
        "gaps": [
            dict(gap)
            for gap in _gaps(source)
            if (NATION in places or gap["place"] in places)
            and gap["first"] <= str(series.index[-1])
            and gap["last"] >= str(series.index[0])
        ],
    }
    return series


def load_states(source: str, *, complete_only: bool = True) -> pd.DataFrame:
    """Load all 32 states.

    Parameters
    ----------
    source, complete_only
        As in `load_series`.

    Returns
    -------
    DataFrame
        MultiIndex (`state`, `month`); columns `deaths` and `person_years`.
    """
    states = load_table("states")["state"]
    frames = {code: load_series(source, place=code, complete_only=complete_only) for code in states}
    panel = pd.concat(frames, names=["state"])
    panel.attrs["gaps"] = [gap for frame in frames.values() for gap in frame.attrs["gaps"]]
    return panel


def source_ratio(place: str = NATION) -> pd.Series:
    """Return `RATIO` by month, where both sources are complete; NaN without INEGI deaths."""
    codes = _check_places(place.split("+"))  # joined as in ``attrs["place"]``
    inegi, sesnsp = (
        _monthly_deaths(slug)[codes].sum(axis=1).loc[: SOURCES[slug].complete_through]
        for slug in ("inegi", "sesnsp")
    )
    return (sesnsp / inegi.replace(0, np.nan)).reindex(sesnsp.index.intersection(inegi.index))


@cache
def _ratio_by_month(place: str) -> dict[str, float]:
    return source_ratio(place).dropna().rename(str).to_dict()


@cache
def _gaps(source: str) -> list[dict]:
    """Return the gaps of all states as plain records: pandas compares ``attrs`` with ``==``."""
    deaths = _monthly_deaths(source).drop(columns=NATION)
    gaps = search_gaps(deaths.loc[: LOADED[source].complete_through])
    gaps[["first", "last"]] = gaps[["first", "last"]].astype(str)
    return gaps[["place", "first", "last", "found", "expected"]].to_dict("records")


@cache
def _monthly_deaths(source: str) -> pd.DataFrame:
    table = load_table(LOADED[source].table)
    table["deaths"] = table[LOADED[source].columns].sum(axis=1)
    wide = table.pivot(index="month", columns="state", values="deaths")
    wide.index = pd.PeriodIndex(wide.index, freq="M", name="month")
    wide.insert(0, NATION, wide.sum(axis=1))
    return wide


@cache
def _monthly_population() -> pd.DataFrame:
    """Population at the middle of each month, between CONAPO's figures for 1 July."""
    yearly = load_table("population").pivot(index="year", columns="state", values="population")
    months = pd.period_range(f"{yearly.index[0]}-07", f"{yearly.index[-1]}-06", freq="M")
    days = days_from_july(months, yearly.index)
    return pd.DataFrame({code: np.interp(*days, column) for code, column in yearly.items()}, months)


def days_from_july(months: pd.PeriodIndex, years: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each month, and 1 July of each year, in days from the first of these."""
    middle = months.to_timestamp() + pd.to_timedelta(months.days_in_month / 2, unit="D")
    july = pd.to_datetime([f"{year}-07-01" for year in years])
    return (middle - july[0]) / pd.Timedelta("1D"), (july - july[0]) / pd.Timedelta("1D")


def _check_places(place: str | Sequence[str]) -> list[str]:
    names = {NATION: "the nation"} | dict(load_table("states")[["state", "name"]].to_numpy())
    codes = {_plain(name): code for code, name in names.items()}
    places = [place] if isinstance(place, str) else list(place or [])
    for code in places:
        if known := codes.get(_plain(str(code))):
            raise UnknownNameError(f"unknown place {code!r}; use its code {known!r}")
        check_known(code, names, "place")
    if not places or len(set(places)) < len(places) or (NATION in places and len(places) > 1):
        raise ValueError(f"places must be different states, or {NATION} alone; found {places}")
    return places


def _plain(name: str) -> str:
    """Return a name without capitals and accents."""
    return normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()


def _month(month: str | pd.Period | None, index: pd.PeriodIndex, default: pd.Period) -> pd.Period:
    period = default if month is None else read_period(month)
    require(period is not None, f"expected a month like '2006-12', found {month!r}")
    fault = f"{period} is outside the source's complete months, {index[0]} to {index[-1]}"
    hint = "months still being registered need complete_only=False"
    require(index[0] <= period <= index[-1], f"{fault}; {hint}")
    return period


def freeze_month(source: str, published: str | pd.Period) -> pd.Period:
    """Return the last month of `source` that an article of a month can have known."""
    check_known(source, SOURCES, "source")
    last = check_month(published, "published") - SOURCES[source].delay
    return last - last.month % 12 if SOURCES[source].whole_years else last
