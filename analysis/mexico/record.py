"""What each source counts: its deaths by month and place, and which months to beware of."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd

from analysis.files import DATA_FOLDER, read_toml
from analysis.language import Words, say_month
from analysis.mexico import completeness
from analysis.mexico.completeness import HOLLOW, load_releases
from analysis.mexico.gaps import search_gaps
from analysis.mexico.tables import load_descriptor, load_table

NATION = "MX00"
IMPUTED = pd.period_range("1990-01", "1993-12", freq="M")
WORDS = Words("record-words.toml")


class Source(SimpleNamespace):
    """One publisher's way of counting homicides: the keys that ``sources.toml`` explains."""

    @property
    def complete_through(self) -> pd.Period:
        """Return the nation's last month whose count is no longer filling up."""
        return complete_through(self.slug)[NATION]


TABLES = {resource["name"] for resource in load_descriptor()["resources"]}
DECLARED = read_toml(DATA_FOLDER / "sources.toml")[1]["source"]
LOADED = {block["slug"]: Source(**block) for block in DECLARED if block["table"] in TABLES}
SOURCES = {slug: source for slug, source in LOADED.items() if source.studied}


@cache
def monthly_deaths(source: str) -> pd.DataFrame:
    """Return deaths by month and place, the nation first."""
    told = LOADED[source]
    table = load_table(told.table)
    table["deaths"] = table[told.columns].sum(axis=1)
    if told.earlier:
        table = pd.concat([load_table(told.earlier), table])
    wide = table.pivot(index="month", columns="state", values="deaths")
    wide.index = pd.PeriodIndex(wide.index, freq="M", name="month")
    wide.insert(0, NATION, wide.sum(axis=1))
    return wide


@cache
def monthly_population() -> pd.DataFrame:
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


@cache
def known_shares(source: str) -> pd.DataFrame:
    """Return what `analysis.load_completeness` does, without the deaths."""
    deaths = monthly_deaths(source)
    if source != "inegi":
        return completeness.first_print_shares(load_releases(), deaths.index[-1])
    table = load_table("municipal_deaths").query("year == year.max()")
    state = "MX" + table["ent_mun"].str[:2]
    first = table.groupby(["month", state])["homicides"].sum().unstack()
    later = deaths.loc[f"{table['year'].iloc[0]}"].drop(columns=NATION)
    first = first.reindex(columns=later.columns).fillna(0).set_axis(later.index)
    shares = completeness.estimate_shares(first, later, NATION)
    return shares.set_index(shares.index.set_levels(deaths.index[-12:], level="month"))


def known_share(source: str, places: list[str], months: pd.PeriodIndex) -> pd.Series:
    """Return by month which share of the places' deaths is expected to be known."""
    shares, deaths = known_shares(source)["share"].unstack("place"), monthly_deaths(source)
    weights = deaths.loc[shares.index, places]
    due = (weights / shares[places]).sum(axis=1)
    return (weights.sum(axis=1) / due).where(due > 0, 1).reindex(months, fill_value=1.0)


@cache
def registered_shares() -> pd.DataFrame:
    """Return each source's share of the nation's registered deaths by whole year, completed."""
    registered = load_table("inegi_registered").set_index("year")["registered_deaths"]
    shares = {}
    for source in SOURCES:
        counted = monthly_deaths(source)[NATION]
        deaths = counted / known_share(source, [NATION], counted.index)
        shares[source] = deaths.groupby(deaths.index.year).sum(min_count=12) / registered
    return pd.DataFrame(shares).dropna(how="all").rename_axis("year")


@cache
def complete_through(source: str) -> pd.Series:
    """Return by place the last month that is no longer filling up."""
    deaths, open_months = monthly_deaths(source), LOADED[source].open_months
    last = len(deaths) - 1 - open_months
    position = pd.Series(last, deaths.columns)
    if open_months:
        own = len(deaths) - 13 + completeness.months_complete(known_shares(source))
        position = np.minimum(position, own)
        # what has fallen against the other source is late in coming, whatever it was last year
        other, half = monthly_deaths("sesnsp"), deaths.index[-12 : last + 1]
        if half.isin(other.index).all():
            hollow = completeness.find_hollow(deaths, other, half) < HOLLOW
            position[hollow] = len(deaths) - 13
    return pd.Series(deaths.index[position], deaths.columns)


@cache
def list_gaps(source: str) -> list[dict]:
    """Return the gaps of all states as plain records: pandas compares ``attrs`` with ``==``."""
    deaths = monthly_deaths(source).drop(columns=NATION).loc[: complete_through(source).min()]
    since = load_table(LOADED[source].table)["month"].min()
    parts = deaths.loc[: pd.Period(since, "M") - 1], deaths.loc[since:]
    gaps = pd.concat([search_gaps(part) for part in parts if len(part)], ignore_index=True)
    gaps[["first", "last"]] = gaps[["first", "last"]].astype(str)
    return gaps[["place", "first", "last", "found", "expected"]].to_dict("records")


def list_marks(source: str, places: list[str]) -> list[dict]:
    """Return the months that carry a fault of their own: `name`, `first`, `last`, `text`."""
    told, last = LOADED[source], monthly_deaths(source).index[-1]
    own = (block for block in told.unreliable if block["place"] in places)
    marks = [("unreliable", each["first"], each["last"], each["reason"]) for each in own]
    if told.earlier:
        early = load_table(told.earlier)
        imputed = early.loc[early["month"] <= str(IMPUTED[-1]), "year_imputed"].sum()
        text = WORDS["years_imputed"].format(imputed=imputed)
        marks.append(("years_imputed", IMPUTED[0], IMPUTED[-1], text))
    if source == "sesnsp" and load_table("sesnsp_revisions")["release"].max() == str(last):
        share = known_shares(source).loc[(NATION, last)]
        text = WORDS["provisional_month"].format(last=say_month(last), share=share)
        marks.append(("provisional_month", last, last, text))
    table = pd.DataFrame(marks, columns=["name", "first", "last", "text"])
    return table.astype(str).to_dict("records")
