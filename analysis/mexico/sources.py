"""The embedded tables as monthly series of deaths and person-years, by place and source."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Annotated

import numpy as np
import pandas as pd

from analysis.arguments import Month, check_several, checked
from analysis.checks import UnknownNameError, check_known, check_month, plain, require, shown
from analysis.files import DATA_FOLDER, read_toml
from analysis.mexico import record
from analysis.mexico.record import NATION
from analysis.mexico.tables import ERRORS, load_table

RATIO = "SESNSP / INEGI"
NAMES = read_toml(DATA_FOLDER / "place-names.toml")[1]  # of places by code, beside states.csv


def _squeeze(name: object) -> str:
    """Return a name without capitals, accents, spaces, ``MX`` and the zeros before a number."""
    return plain(str(name)).replace("_", "").removeprefix("mx").lstrip("0") or "0"


@cache
def _codes_by_name() -> dict[str, list[str]]:
    """Return the codes that each name of a place, squeezed, may mean."""
    table = load_table("states").set_index("state").T.to_dict("list")
    told = [(code, [code, *names, *table.get(code, [])]) for code, names in NAMES.items()]
    pairs = {(_squeeze(name), code) for code, names in told for name in names}
    return pd.DataFrame(sorted(pairs)).groupby(0)[1].agg(list).to_dict()


def check_place(place: object, name: str) -> str:
    """Return the code of a place, or raise a KeyError that tells the code of another name."""
    if isinstance(place, str) and place in NAMES:
        return str(place)
    # No name is taken for its code: a panel's places, and a shift's, are known by code alone.
    codes, squeezed = _codes_by_name(), _squeeze(place)
    meant = [squeezed] if squeezed in codes else get_close_matches(squeezed, codes, n=2, cutoff=0.7)
    cure = " or ".join(dict.fromkeys(repr(code) for each in meant for code in codes[each]))
    cure = f"use its code {cure}" if squeezed in codes else f"did you mean {cure}?"
    cure = cure if meant else f"use {NATION!r}, the nation, or 'MX01' to 'MX32'"
    raise UnknownNameError(f"unknown {name} {shown(place)}; {cure}")


def check_places(place: object, name: str = "place") -> list[str]:
    """Return the codes of one place or several, none twice."""
    places = list(check_several(place, name, check_place))
    fit = 0 < len(places) == len(set(places)) and (NATION not in places or len(places) == 1)
    require(fit, f"places must be different states, or {NATION} alone; found {places}")
    return places


@checked
def load_series(
    source: str,
    *,
    place: Annotated[str | Sequence[str], check_places] = NATION,
    start: Month | None = None,
    end: Month | None = None,
    complete_only: bool = True,
    completed: bool = False,
    registered: bool = False,
) -> pd.DataFrame:
    """Load deaths and person-years by month.

    Parameters
    ----------
    source : {"inegi", "sesnsp", "rnid"}
        INEGI counts death certificates by month of death (2000-01 on, earlier ones on request);
        SESNSP victims of intentional homicide and femicide by the month the file was opened
        (2015-01 on); RNID, in its place from 2026, once ``python -m analysis update`` has taken it.
    place : str or sequence of str
        ``"MX00"`` for the nation, ``"MX01"`` to ``"MX32"`` for a state; several are added up.
    start, end : str or Period, optional
        First and last month; default all, but INEGI's, known from 1990-01, from 2000-01.
    complete_only : bool
        Leave out the months that are still being registered in any of the places.
    completed : bool
        Keep them, their deaths divided by the share that `load_completeness` expects to be known,
        rounded: as they may stand a year later. For comparison, never as a finding.
    registered : bool
        Scale INEGI's deaths of the nation, rounded, to those registered in their year, where known:
        its months lack a changing share. For comparison: the scale steps each January.

    Returns
    -------
    DataFrame
        PeriodIndex `month` (freq "M"); columns `deaths` (int) and `person_years` (float,
        mid-month population x days in the month / 365.25). ``attrs`` hold `source`, `place`, and
        what a fit warns of: `complete_through`, `source_ratio`, `registered_share` (the nation's),
        `gaps` (`find_gaps`) in these places and months, `marked`, months with faults of their own.

    Raises
    ------
    KeyError, ValueError
        For an unknown source or place, months outside its coverage, unknown registered totals.
    """
    check_known(source, record.LOADED, "source")
    places = list(place)
    deaths = record.monthly_deaths(source)[places].sum(axis=1)
    complete = record.complete_through(source)[places].min()
    if completed:
        check_known(source, record.SOURCES, "source with a known completeness,")
        deaths = deaths / record.known_share(source, places, deaths.index)
    elif complete_only:
        deaths = deaths.loc[:complete]
    if registered:
        fault = f"registered=True is for INEGI and {NATION}; found {source!r} and {places}"
        require(source == "inegi" and places == [NATION], f"{fault}: no such totals are known")
        shares = record.registered_shares()[source].reindex(deaths.index.year)
        deaths = (deaths / shares.to_numpy()).dropna()
    series = deaths.round().astype(int).to_frame("deaths")
    known = series.index
    people = record.monthly_population().loc[known, places].sum(axis=1)
    series["person_years"] = people * (known.days_in_month / 365.25)
    since = pd.Period(load_table(record.LOADED[source].table)["month"].min(), "M")
    series = series.loc[_inside(start, known, since) : _inside(end, known, known[-1])]
    require(len(series) > 0, f"no months left: start {start} is after end {end}")
    joined, first, last = "+".join(places), str(series.index[0]), str(series.index[-1])
    ratio = source_ratio(joined).dropna().rename(str).to_dict()
    inside = [x for x in record.list_gaps(source) if x["first"] <= last and x["last"] >= first]
    series.attrs = {
        "source": source,
        "place": joined,
        "complete_through": str(complete),
        # These two are of the deaths as counted.
        "source_ratio": None if registered else {"name": RATIO, "by_month": ratio},
        "registered_share": None if registered or joined != NATION else _registered_share(source),
        "gaps": [dict(gap) for gap in inside if NATION in places or gap["place"] in places],
        "marked": record.list_marks(source, places),
    }
    return series


@checked
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
        own last complete month. ``attrs``: `gaps`, as in `load_series`, and `unreliable`, states
        and months whose record is declared so: `place`, `first`, `last`, `reason`.
    """
    return _load_states(source, complete_only).copy()


@cache
def _load_states(source: str, complete_only: bool) -> pd.DataFrame:
    states = load_table("states")["state"]
    frames = {code: load_series(source, place=code, complete_only=complete_only) for code in states}
    panel = pd.concat(frames, names=["state"])
    panel.attrs["gaps"] = [gap for frame in frames.values() for gap in frame.attrs["gaps"]]
    panel.attrs["unreliable"] = [dict(each) for each in record.LOADED[source].unreliable]
    return panel


def _registered_share(source: str) -> dict:
    """Return what a fit of the nation asks of `record.registered_shares`."""
    shares = record.registered_shares().rename(index=str)
    by_year = {record.LOADED[slug].name: shares[slug].dropna().to_dict() for slug in shares}
    return {"of": record.WORDS["registered"], "own": record.LOADED[source].name, "by_year": by_year}


@cache
def source_ratio(place: str = NATION) -> pd.Series:
    """Return `RATIO` by month, where both sources are complete; NaN without INEGI deaths."""
    codes = check_places(place.split("+"))  # joined as in ``attrs["place"]``
    last = {slug: record.complete_through(slug)[codes].min() for slug in ("inegi", "sesnsp")}
    inegi, sesnsp = (record.monthly_deaths(x).loc[: last[x], codes].sum(axis=1) for x in last)
    return (sesnsp / inegi.replace(0, np.nan)).reindex(sesnsp.index.intersection(inegi.index))


@checked
def load_completeness(source: str) -> pd.DataFrame:
    """Load how complete the months are that may still be filling up.

    Parameters
    ----------
    source : {"inegi", "sesnsp"}
        INEGI: the months of the table's last year, by what the months of 2021 lacked at its end of
        the deaths known now. SESNSP: the last three months, by what former releases printed.

    Returns
    -------
    DataFrame
        MultiIndex (`place`, `month`), the nation first; `deaths` as registered, `share` of those
        that will be known, `low`, `high` (95% for INEGI; for SESNSP the range over its releases).
    """
    check_known(source, record.SOURCES, "source")
    shares, deaths = record.known_shares(source).copy(), record.monthly_deaths(source)
    shares.insert(0, "deaths", [deaths.loc[month, place] for place, month in shares.index])
    return shares


def _inside(month: pd.Period | None, index: pd.PeriodIndex, default: pd.Period) -> pd.Period:
    month = default if month is None else month
    require(month in index, ERRORS["outside"].format(month=month, first=index[0], last=index[-1]))
    return month


def freeze_month(source: str, published: str | pd.Period) -> pd.Period:
    """Return the last month of `source` that an article of a month can have known."""
    check_known(source, record.SOURCES, "source")
    last = check_month(published, "published") - record.SOURCES[source].delay
    return last - last.month % 12 if record.SOURCES[source].whole_years else last
