"""What each source counts: its deaths by month and place, and which months to beware of.

How complete is a month, by place and age, two releases say of the same months. INEGI: the share of
a month's deaths that is missing at the end of its year is the nation's for that month of the year,
times a factor of the place, shrunk to 1, the less the more deaths stand behind it. The constants
are those that the registration of 1992-2007 makes likeliest; there the intervals of 480 states and
years held 97%. SESNSP: what its releases printed, and how that changed since.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.checks import require
from analysis.files import DATA_FOLDER, read_toml
from analysis.language import Words, say_month
from analysis.mexico.gaps import search_gaps
from analysis.mexico.tables import load_descriptor, load_table

NATION = "MX00"
IMPUTED = pd.period_range("1990-01", "1993-12", freq="M")
WORDS = Words("record-words.toml")
ENOUGH = 0.98  # of the deaths that are known a year later: a month with less is not complete
HOLLOW = 0.85  # of last year's ratio to another source: what is below is still being registered
ALIKE = 4.2  # missing deaths that a factor of 1 weighs against a place's own
YEARLY, YEARLY_NATION = 0.40, 0.09  # coefficient of variation of a factor from year to year
TAIL = 0.025
AGES = 3  # last months of a release that may still move
COUNTS = ["intentional_homicide", "femicide"]


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
        return first_print_shares(load_releases(), deaths.index[-1])
    table = load_table("municipal_deaths").query("year == year.max()")
    first = table.groupby(["month", "MX" + table["ent_mun"].str[:2]])["homicides"].sum().unstack()
    later = deaths.loc[f"{table['year'].iloc[0]}"].drop(columns=NATION)
    first = first.reindex(columns=later.columns).fillna(0).set_axis(later.index)
    shares = estimate_shares(first, later, NATION)
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
        position = np.minimum(position, len(deaths) - 13 + months_complete(known_shares(source)))
        # what has fallen against the other source is late in coming, whatever it was last year
        other, half = monthly_deaths("sesnsp"), deaths.index[-12 : last + 1]
        if half.isin(other.index).all():
            position[find_hollow(deaths, other, half) < HOLLOW] = len(deaths) - 13
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
        text = WORDS["years_imputed"].format(imputed=_imputed_deaths(told.earlier))
        marks.append(("years_imputed", IMPUTED[0], IMPUTED[-1], text))
    if source == "sesnsp" and _newest_release() == str(last):
        share = known_shares(source).loc[(NATION, last)]
        text = WORDS["provisional_month"].format(last=say_month(last), share=share)
        marks.append(("provisional_month", last, last, text))
    names = ("name", "first", "last", "text")
    return [dict(zip(names, map(str, mark), strict=True)) for mark in marks]


@cache
def _imputed_deaths(table: str) -> int:
    early = load_table(table)
    return early.loc[early["month"] <= str(IMPUTED[-1]), "year_imputed"].sum()


@cache
def _newest_release() -> str:
    return load_table("sesnsp_revisions")["release"].max()


def estimate_shares(first: pd.DataFrame, later: pd.DataFrame, nation: str) -> pd.DataFrame:
    """Return by place and month, 1 to 12, which share of deaths is known at the end of a year."""
    # from one year's deaths, months (12) by place, as known at its end and a year later; `low` and
    # `high` are the ends of 95% for the months of another year
    from scipy.special import gammaincinv

    missing = later - first
    require(bool((missing >= 0).all(axis=None)), "a later release has fewer deaths than the first")
    pattern = (missing.sum(axis=1) / later.sum(axis=1)).to_numpy()
    late, due = missing.sum(), (later * pattern[:, None]).sum()
    factor = np.append(1.0, (ALIKE + late) / (ALIKE + due))  # the nation's first
    certain = pd.Series(np.append(late.sum(), ALIKE + late))
    shape = 1 / (1 / certain + np.append(YEARLY_NATION, [YEARLY] * len(late)) ** 2)
    tails = {"low": 1 - TAIL, "high": TAIL}
    tails = {name: gammaincinv(shape, tail) / shape for name, tail in tails.items()}
    factors = {"share": factor} | {name: factor * tail for name, tail in tails.items()}
    known = {x: (1 - np.outer(each, pattern)).clip(0, 1).ravel() for x, each in factors.items()}
    places = [nation, *late.index]
    index = pd.MultiIndex.from_product([places, range(1, 13)], names=["place", "month"])
    return pd.DataFrame(known, index)


def months_complete(shares: pd.DataFrame) -> pd.Series:
    """Return by place how many months of a year are complete: all before the first that is not."""
    enough = shares["share"].unstack("month").to_numpy() >= ENOUGH
    months = np.where(enough.all(axis=1), enough.shape[1], enough.argmin(axis=1))
    return pd.Series(months, shares.index.unique("place"))


def find_hollow(deaths: pd.DataFrame, other: pd.DataFrame, months: pd.PeriodIndex) -> pd.Series:
    """Return by place the ratio of two sources in `months`, relative to those of a year before."""
    now, then = (deaths.loc[part].sum() / other.loc[part].sum() for part in (months, months - 12))
    return now / then


@checked
def load_releases() -> pd.DataFrame:
    """Load the victims that SESNSP's releases printed, by month and state.

    Returns
    -------
    DataFrame
        MultiIndex (`release`, `month`, both Periods, `state`); `intentional_homicide`, `femicide`
        (missing in the releases of 2017-12 to 2019-01, which are here as a sum) and `victims`,
        their sum. 23 releases: of 2019-02 to 2023-06 none was to be had.
    """
    changes = load_table("sesnsp_revisions").set_index(["release", "month", "state"])
    printed = changes.reindex(pd.MultiIndex.from_product(changes.index.levels))
    known = printed.groupby(["month", "state"]).ffill().dropna()  # what has no row did not change
    table = known.astype(int).reset_index()
    table["victims"] = table[COUNTS].sum(axis=1)
    table = pd.concat([load_table("sesnsp_releases_2018"), table], ignore_index=True)
    for name in ("release", "month"):
        codes, words = pd.factorize(table[name])  # reading each text once is much faster
        table[name] = pd.PeriodIndex(words, freq="M")[codes]
    return table.set_index(["release", "month", "state"]).sort_index()[[*COUNTS, "victims"]]


def first_print_shares(releases: pd.DataFrame, last: pd.Period) -> pd.DataFrame:
    """Return which share of today's count former releases printed of months as old as the last."""
    # MultiIndex (place, month), the `AGES` months up to the last, by their age in the newest
    # release; the share is that of the sums over releases, with the lowest and the highest
    printed = releases["victims"].unstack("state")
    printed = printed[printed.index.get_level_values("month") >= pd.Period("2023-01", "M")]
    printed.insert(0, "MX00", printed.sum(axis=1))
    newest = printed.index.get_level_values("release").max()
    today, former = printed.loc[newest], printed.index.unique("release").drop(newest)
    shares = {}
    for back in range(AGES):
        pairs = [(release, release - (newest - last).n - back) for release in former]
        first = printed.loc[printed.index.isin(pairs)].droplevel("release")
        now = today.loc[first.index]
        share = first / now.replace(0, np.nan)
        ends = {"low": share.min(), "high": share.max()}
        shares[last - back] = pd.DataFrame({"share": first.sum() / now.sum()} | ends)
    return pd.concat(shares, names=["month", "place"]).swaplevel().sort_index()
