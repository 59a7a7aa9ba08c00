"""The figures that the claims meet, by year and as they were known, and what goes with them."""

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from analysis.claims.declared import CELL, HOMICIDE, TOLD, WITH_FEMICIDE, Declared, say
from analysis.forecasts.paths import freeze
from analysis.its.series import rate_of
from analysis.its.shifts import PolicyShift
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.shifts import load_policy_shifts
from analysis.mexico.sources import load_completeness, load_series
from analysis.mexico.tables import load_descriptor, load_table

OCCURRED, REGISTERED = "deaths by year of death", "deaths by year of registration"
BY_UNODC = "deaths by year of registration, rated by UNODC"  # INEGI's, over another population
PRESS = "press, not re-derived"  # rates as INEGI gave them then, with the population of the day
SCALED = "INEGI as registered"
# monthly series -> its source and what it counts
MODELLED = {"SESNSP": ("SESNSP", WITH_FEMICIDE), "INEGI": ("INEGI", OCCURRED)}
MODELLED[SCALED] = "INEGI", REGISTERED
FORECAST = {"sesnsp": "SESNSP", "inegi": SCALED}  # the monthly series whose later years are known
Cell = tuple[str, str, str, str]  # values of CELL


@dataclass(frozen=True, eq=False)  # each is itself alone, so that what is fitted to it can be kept
class Evidence:
    """The figures that the claims are measured with; every measure takes them from here."""

    yearly: pd.DataFrame  # as `tabulate_years` gives it
    series: dict[str, pd.DataFrame]  # by `MODELLED`: deaths and person_years by complete month
    shifts: dict[str, PolicyShift]  # by slug
    ranking: pd.DataFrame  # rank, city, country, rate_per_100000
    probabilities: pd.DataFrame  # as `worse_probabilities` gives them, by source; or empty


def load_evidence(declared: Declared, *, probabilities: pd.DataFrame | None = None) -> Evidence:
    """Load the embedded figures that the claims are measured with, beside forecasts if given."""
    series = {SOURCES[name].name: load_series(name) for name in SOURCES}
    series[SCALED] = load_series("inegi", registered=True)
    if probabilities is None:
        probabilities = pd.DataFrame(columns=["source", "method", "year"])
    yearly, ranking = tabulate_years(series, declared), load_table("city_ranking_2020")
    return Evidence(yearly, series, load_policy_shifts(), ranking, probabilities)


def tabulate_years(series: dict[str, pd.DataFrame], declared: Declared) -> pd.DataFrame:
    """Return `deaths` and `rate` of whole years, fully registered, by `CELL` and `year`."""
    # Rates are per 100,000 person-years; UNODC's, without deaths, per 100,000 people and year.
    issued = {r["name"]: r.get("published") for r in load_descriptor()["resources"]}
    inegi, sesnsp = (sum_years(series[name]) for name in ("INEGI", "SESNSP"))
    victims = load_table("sesnsp_victims")
    alone = victims.groupby(victims["month"].str[:4].astype(int))["intentional_homicide"].sum()
    registered = load_table("inegi_registered").set_index("year")
    printed = declared.published.set_index("year").groupby(CELL[1:3], sort=False)["deaths"]
    tables = {
        ("INEGI", OCCURRED, issued["inegi_deaths"]): inegi,
        ("SESNSP", WITH_FEMICIDE, issued["sesnsp_victims"]): sesnsp,
        ("SESNSP", HOMICIDE, issued["sesnsp_victims"]): sesnsp.assign(deaths=alone),
        **{("SESNSP", *cell): deaths.to_frame() for cell, deaths in printed},
        ("INEGI", REGISTERED, issued["inegi_registered"]): registered.set_axis(["deaths"], axis=1),
    }
    counts = pd.concat(tables, names=[*CELL[:3], "year"]).reset_index().assign(population="CONAPO")
    days = 365 + pd.PeriodIndex(counts["year"].astype(str), freq="Y").is_leap_year
    people = load_table("population").query("state == 'MX00'").set_index("year")["population"]
    exact = counts["person_years"].fillna(counts["year"].map(people) * days / 365.25)
    counts["rate"] = rate_of(counts["deaths"], exact)
    by_unodc = "INEGI", BY_UNODC, issued["country_rates"], "United Nations"
    by_press = "INEGI", "rate as published", issued["inegi_press_rates"], PRESS
    rates = {by_unodc: load_table("country_rates").query("iso3 == 'MEX'")}
    rates[by_press] = load_table("inegi_press_rates")
    told = pd.concat(rates, names=CELL).reset_index()
    return pd.concat([counts, told], ignore_index=True)[[*CELL, "year", "deaths", "rate"]]


def sum_years(months: pd.DataFrame) -> pd.DataFrame:
    """Return the sums of each calendar year that has its twelve months, index `year`."""
    by_year = months.groupby(months.index.year.rename("year"))
    return by_year.sum()[by_year.size() == 12]


def yearly_rates(series: pd.DataFrame) -> pd.Series:
    """Return the rate of each full calendar year: deaths over person-years, per 100,000."""
    sums = sum_years(series)
    return rate_of(sums["deaths"], sums["person_years"]).rename("rate")


@lru_cache(maxsize=32)
def modelled_cell(evidence: Evidence, name: str) -> Cell:
    """Return what a monthly series is: its source, count, newest vintage and population."""
    (source, counted), yearly = MODELLED[name], evidence.yearly
    own = (yearly["source"] == source) & (yearly["counted"] == counted)
    return source, counted, yearly.loc[own, "vintage"].max(), "CONAPO"


@lru_cache(maxsize=32)
def observed_years(evidence: Evidence, name: str) -> pd.Series:
    """Return the yearly rates of what a monthly series counts, as far as they are known today."""
    own = evidence.yearly[CELL] == pd.Series(modelled_cell(evidence, name), CELL)
    return evidence.yearly[own.all(axis=1)].set_index("year")["rate"].dropna()


def freeze_source(series: pd.DataFrame, source: str, at: pd.Period) -> pd.DataFrame:
    """Cut a source's series at a month, its last months as complete as such months are then."""
    known, shares = freeze(series, at=at), load_completeness(source)["share"].loc[NATION]
    counted = known["deaths"].iloc[-len(shares) :]
    then = counted * shares.to_numpy()
    if source == "inegi":  # the year's total is of what was registered in it, and no longer grows
        then *= counted.sum() / then.sum()
    known.loc[then.index, "deaths"] = then.round().astype(int)
    return known


def describe_known(known: pd.DataFrame, source: str, published: str) -> str:
    """Return what an article of a month could know of a source's slug, and what it could not."""
    last, shares = known.index[-1], load_completeness(source)["share"].loc[NATION]
    caution = SOURCES[source].caution.format(published=published, month=last, before=last - 1)
    told = {"published": published, "source": SOURCES[source], "last": last, "months": len(known)}
    told |= {"caution": caution and f"{caution} ", "deaths": known["deaths"].sum()}
    told |= {"open": len(shares), "opening": last - len(shares) + 1, "scaled": "", "kept": ""}
    if source == "inegi":
        counted = known["deaths"].iloc[-len(shares) :].to_numpy()
        shares = shares * (counted / shares).sum() / counted.sum()
        told |= {"scaled": TOLD["scaled"], "kept": TOLD["kept"]}
    return say("known", first=shares.iloc[0], least=shares.iloc[-1], **told)
