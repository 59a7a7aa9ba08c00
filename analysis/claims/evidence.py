"""The figures that the claims meet: every count of every source, by year, and what goes with it."""

from dataclasses import dataclass

import pandas as pd

from analysis.claims.declared import CELL, HOMICIDE, WITH_FEMICIDE, Declared
from analysis.its.series import rate_of
from analysis.mexico.sources import SOURCES, load_series
from analysis.mexico.tables import load_descriptor, load_table

OCCURRED, REGISTERED = "deaths by year of death", "deaths by year of registration"
DISCARDED = "step function (discarded)"


@dataclass(frozen=True)
class Evidence:
    """The figures that the claims are measured with; every measure takes them from here."""

    yearly: pd.DataFrame  # as `tabulate_years` gives it
    series: dict[str, pd.DataFrame]  # source -> deaths and person_years by complete month
    ranking: pd.DataFrame  # rank, city, country, rate_per_100000
    probabilities: pd.DataFrame | None = None  # as `load_evidence` takes them


def load_evidence(declared: Declared, *, probabilities: pd.DataFrame | None = None) -> Evidence:
    """Load the embedded figures that the claims are measured with.

    Parameters
    ----------
    declared : Declared
        As `analysis.claims.declared.load_claims` gives it.
    probabilities : DataFrame, optional
        As `analysis.claims.forecast.worse_probabilities` gives them, of one or more sources:
        columns `source`, `freeze`, `method`, `year`, `than`, `probability`.

    Returns
    -------
    Evidence
    """
    series = {SOURCES[name].name: load_series(name) for name in SOURCES}
    yearly = tabulate_years(series, declared)
    return Evidence(yearly, series, load_table("city_ranking_2020"), probabilities)


def tabulate_years(series: dict[str, pd.DataFrame], declared: Declared) -> pd.DataFrame:
    """Return deaths and rates of whole years by source, count, vintage and population series.

    Parameters
    ----------
    series : dict
        ``"INEGI"`` and ``"SESNSP"`` to their monthly series, as `load_series` gives them.
    declared : Declared
        As `analysis.claims.declared.load_claims` gives it.

    Returns
    -------
    DataFrame
        Columns `CELL`, `year`, `deaths` (missing where only a rate is published), `rate` (deaths
        per 100,000 person-years; UNODC's per 100,000 people and year). A year with months missing
        or still being registered is left out.
    """
    issued = {r["name"]: r.get("published") for r in load_descriptor()["resources"]}
    years = {name: _whole_years(frame) for name, frame in series.items()}
    known = declared.published.assign(source="SESNSP", population="CONAPO")
    tables = [
        _label(years["INEGI"], "INEGI", OCCURRED, issued["inegi_deaths"]),
        _label(years["SESNSP"], "SESNSP", WITH_FEMICIDE, issued["sesnsp_victims"]),
        _label(_homicide_alone(years["SESNSP"]), "SESNSP", HOMICIDE, issued["sesnsp_victims"]),
        known[[*CELL, "year", "deaths"]],
        _label(_registered(), "INEGI", REGISTERED, issued["inegi_registered"]),
    ]
    counts = pd.concat(tables, ignore_index=True)
    days = 365 + pd.PeriodIndex(counts["year"].astype(str), freq="Y").is_leap_year
    people = load_table("population").query("state == 'MX00'").set_index("year")["population"]
    middle = counts["year"].map(people) * days / 365.25
    exact = counts["person_years"].fillna(middle)
    counts["rate"] = rate_of(counts["deaths"], exact)
    step = counts[counts["source"] == "INEGI"].assign(population=DISCARDED)
    sizes = declared.discarded["until_2009"], declared.discarded["from_2010"]
    people = step["year"].map(lambda year: sizes[year >= 2010])
    step["rate"] = rate_of(step["deaths"], people)
    rates = load_table("country_rates").query("iso3 == 'MEX'")[["year", "rate"]]
    rates = _label(rates, "UNODC", "rate as published", issued["country_rates"], "United Nations")
    table = pd.concat([counts, step, rates], ignore_index=True)
    return table[[*CELL, "year", "deaths", "rate"]]


def _whole_years(frame: pd.DataFrame) -> pd.DataFrame:
    by_year = frame.groupby(frame.index.year.rename("year"))
    return by_year.sum()[by_year.size() == 12].reset_index()


def _homicide_alone(years: pd.DataFrame) -> pd.DataFrame:
    table = load_table("sesnsp_victims")
    deaths = table.groupby(table["month"].str[:4].astype(int))["intentional_homicide"].sum()
    return years.assign(deaths=years["year"].map(deaths))


def _registered() -> pd.DataFrame:
    return load_table("inegi_registered").rename(columns={"registered_deaths": "deaths"})


def _label(
    years: pd.DataFrame, source: str, counted: str, vintage: str, population: str = "CONAPO"
) -> pd.DataFrame:
    labels = {"source": source, "counted": counted, "vintage": vintage, "population": population}
    return years.assign(**labels)
