"""The embedded tables as monthly series of deaths and person-years, by place and source."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from unicodedata import normalize

import numpy as np
import pandas as pd

from analysis.checks import UnknownNameError, check_known, check_month, read_period, require
from analysis.mexico.completeness import HOLLOW, estimate_shares, find_hollow, months_complete
from analysis.mexico.gaps import search_gaps
from analysis.mexico.revisions import first_print_shares, load_releases
from analysis.mexico.tables import DATA_FOLDER, load_table, read_toml

NATION = "MX00"
RATIO = "SESNSP / INEGI"
IMPUTED = pd.period_range("1990-01", "1993-12", freq="M")


@dataclass(frozen=True)
class Source:
    """One publisher's way of counting homicides, as ``sources.toml`` declares it."""

    slug: str
    name: str
    title: str
    table: str
    columns: list[str]  # their sum is `deaths`
    earlier: str  # table of the months before these, given on request; or ""
    registering: int  # months that the record is given to fill up
    reason: str  # why so many
    delay: int  # months from the end of a period until it is published
    whole_years: bool  # is it published in whole calendar years?
    released: str  # both in words
    caution: str  # with {published}: the article, {month}: the freeze, {before}: before it

    @property
    def complete_through(self) -> pd.Period:
        """Return the nation's last month whose count is no longer filling up."""
        return complete_through(self.slug)[NATION]


SOURCES = {
    block["slug"]: Source(**block) for block in read_toml(DATA_FOLDER / "sources.toml")[1]["source"]
}


def load_series(
    source: str,
    *,
    place: str | Sequence[str] = NATION,
    start: str | pd.Period | None = None,
    end: str | pd.Period | None = None,
    complete_only: bool = True,
    completed: bool = False,
) -> pd.DataFrame:
    """Load deaths and person-years by month.

    Parameters
    ----------
    source : {"inegi", "sesnsp"}
        INEGI counts death certificates by month of death (2000-01 on, earlier ones on request);
        SESNSP counts victims of intentional homicide and femicide by the month the file was opened
        (2015-01 on).
    place : str or sequence of str
        ``"MX00"`` for the nation, ``"MX01"`` to ``"MX32"`` for a state; several are added up.
    start, end : str or Period, optional
        First and last month; default all, but INEGI's from 2000-01. It has months from 1990-01; in
        1990-1993 some certificates lack the year of death (`load_table("inegi_deaths_1990s")`).
    complete_only : bool
        Leave out the months that are still being registered in any of the places.
    completed : bool
        Keep them, their deaths divided by the share that `load_completeness` expects to be known,
        rounded: as they may stand a year later. For comparison, never as a finding.

    Returns
    -------
    DataFrame
        PeriodIndex `month` (freq "M"); columns `deaths` (int) and `person_years` (float,
        mid-month population x days in the month / 365.25). ``attrs`` hold `source`, `place`, and
        what a fit warns of: `complete_through`, `source_ratio`, `gaps`, those of `find_gaps` in
        these places and months, and `marked`, months with a fault of their own.

    Raises
    ------
    KeyError
        For an unknown source or place, with the nearest known names.
    ValueError
        For months outside the source's coverage.
    """
    check_known(source, SOURCES, "source")
    places = _check_places(place)
    series = monthly_deaths(source)[places].sum(axis=1).to_frame("deaths")
    known = series.index
    people = _monthly_population().loc[known, places].sum(axis=1)
    series["person_years"] = people * (known.days_in_month / 365.25)
    complete = complete_through(source)[places].min()
    if completed:
        series["deaths"] = (
            (series["deaths"] / _known_share(source, places, known)).round().astype(int)
        )
    elif complete_only:
        series, known = series.loc[:complete], known[known <= complete]
    since = pd.Period(load_table(SOURCES[source].table)["month"].min(), "M")
    series = series.loc[_month(start, known, since) : _month(end, known, known[-1])]
    require(len(series) > 0, f"no months left: start {start} is after end {end}")
    joined, inside = "+".join(places), (str(series.index[0]), str(series.index[-1]))
    series.attrs = {
        "source": source,
        "place": joined,
        "complete_through": str(complete),
        "source_ratio": {"name": RATIO, "by_month": dict(_ratio_by_month(joined))},
        "gaps": [
            dict(gap)
            for gap in _gaps(source)
            if (NATION in places or gap["place"] in places)
            and gap["first"] <= inside[1]
            and gap["last"] >= inside[0]
        ],
        "marked": [dict(mark) for mark in _marked(source)],
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
        MultiIndex (`state`, `month`); columns `deaths` and `person_years`. A state ends with its
        own last complete month.
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
        monthly_deaths(slug)[codes].sum(axis=1).loc[: complete_through(slug)[codes].min()]
        for slug in ("inegi", "sesnsp")
    )
    return (sesnsp / inegi.replace(0, np.nan)).reindex(sesnsp.index.intersection(inegi.index))


@cache
def _ratio_by_month(place: str) -> dict[str, float]:
    return source_ratio(place).dropna().rename(str).to_dict()


@cache
def _gaps(source: str) -> list[dict]:
    """Return the gaps of all states as plain records: pandas compares ``attrs`` with ``==``."""
    deaths = monthly_deaths(source).drop(columns=NATION).loc[: complete_through(source).min()]
    since = load_table(SOURCES[source].table)["month"].min()
    parts = deaths.loc[: pd.Period(since, "M") - 1], deaths.loc[since:]
    gaps = pd.concat([search_gaps(part) for part in parts if len(part)], ignore_index=True)
    gaps[["first", "last"]] = gaps[["first", "last"]].astype(str)
    return gaps[["place", "first", "last", "found", "expected"]].to_dict("records")


def load_completeness(source: str) -> pd.DataFrame:
    """Load how complete the months are that may still be filling up.

    Parameters
    ----------
    source : {"inegi", "sesnsp"}
        INEGI: the months of the table's last year, by what the months of 2021 lacked at the end of
        2021 of the deaths that were known a year later. SESNSP: the last three months, by what
        former releases printed of theirs.

    Returns
    -------
    DataFrame
        MultiIndex (`place`, `month`), the nation first; `deaths` as registered, `share` of those
        that will be known, `low`, `high` (95% for INEGI; for SESNSP the range over its releases).

    Raises
    ------
    KeyError
        For an unknown source.
    """
    check_known(source, SOURCES, "source")
    shares, deaths = _shares(source).copy(), monthly_deaths(source)
    shares.insert(0, "deaths", [deaths.loc[month, place] for place, month in shares.index])
    return shares


@cache
def _shares(source: str) -> pd.DataFrame:
    deaths = monthly_deaths(source)
    if source != "inegi":
        return first_print_shares(load_releases(), deaths.index[-1])
    first = load_table("municipal_deaths")
    first = first[first["year"] == first["year"].max()]
    first = first.groupby(["month", "MX" + first["ent_mun"].str[:2]])["homicides"].sum().unstack()
    later = deaths.loc[f"{load_table('municipal_deaths')['year'].max()}"].drop(columns=NATION)
    first = first.reindex(columns=later.columns).fillna(0).set_axis(later.index)
    shares = estimate_shares(first, later, NATION)
    last = deaths.index[-12:]
    return shares.set_index(shares.index.set_levels(last, level="month"))


@cache
def complete_through(source: str) -> pd.Series:
    """Return by place the last month that is no longer filling up."""
    deaths, told = monthly_deaths(source), SOURCES[source]
    last = len(deaths) - 1 - told.registering
    position = pd.Series(last, deaths.columns)
    if told.registering:
        own = len(deaths) - 13 + months_complete(_shares(source))
        position = np.minimum(position, own)
        # what has fallen against the other source is late in coming, whatever it was last year
        other, half = monthly_deaths("sesnsp"), deaths.index[-12 : last + 1]
        if half.isin(other.index).all():
            hollow = find_hollow(deaths, other, half) < HOLLOW
            position[hollow] = len(deaths) - 13
    return pd.Series(deaths.index[position], deaths.columns)


def _known_share(source: str, places: list[str], months: pd.PeriodIndex) -> pd.Series:
    shares, deaths = _shares(source)["share"].unstack("place"), monthly_deaths(source)
    weights = deaths.loc[shares.index, places]
    due = (weights / shares[places]).sum(axis=1)
    return (weights.sum(axis=1) / due).where(due > 0, 1).reindex(months, fill_value=1.0)


@cache
def _marked(source: str) -> list[dict]:
    """Return the months that carry a fault of their own: `name`, `first`, `last`, `text`."""
    told, last = SOURCES[source], monthly_deaths(source).index[-1]
    marks = []
    if told.earlier:
        imputed = load_table(told.earlier)["year_imputed"].sum()
        text = f"years imputed: {imputed:,} deaths of the nation in 1990-1993 have no year of death"
        marks.append(("years_imputed", IMPUTED[0], IMPUTED[-1], text))
    if not told.registering:
        share = _shares(source).loc[(NATION, last)]
        text = (
            f"provisional month: the count of {last} is its first print; a first print had "
            f"{share['share']:.1%} of today's count on average ({share['low']:.1%} to "
            f"{share['high']:.1%})"
        )
        marks.append(("provisional_month", last, last, text))
    return [
        dict(zip(("name", "first", "last", "text"), map(str, mark), strict=True)) for mark in marks
    ]


@cache
def monthly_deaths(source: str) -> pd.DataFrame:
    """Return deaths by month and place, the nation first."""
    told = SOURCES[source]
    table = load_table(told.table)
    table["deaths"] = table[told.columns].sum(axis=1)
    earlier = [load_table(told.earlier)] if told.earlier else []
    table = pd.concat([*earlier, table])
    wide = table.pivot(index="month", columns="state", values="deaths")
    wide.index = pd.PeriodIndex(wide.index, freq="M", name="month")
    wide.insert(0, NATION, wide.sum(axis=1))
    return wide


@cache
def _monthly_population() -> pd.DataFrame:
    """Population at the middle of each month, between CONAPO's figures for 1 July."""
    yearly = load_table("population").pivot(index="year", columns="state", values="population")
    first = yearly.index[0]
    yearly.loc[first - 1] = 2 * yearly.loc[first] - yearly.loc[first + 1]  # for half a year
    yearly = yearly.sort_index()
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
