"""The figures that the claims meet, by year and as they were known, and what goes with them."""

from dataclasses import dataclass

import pandas as pd

from analysis.claims.declared import CELL, HOMICIDE, WITH_FEMICIDE, Declared
from analysis.its.series import rate_of
from analysis.mexico.record import SOURCES
from analysis.mexico.sources import load_series
from analysis.mexico.tables import load_descriptor, load_table

OCCURRED, REGISTERED = "deaths by year of death", "deaths by year of registration"
DISCARDED = "step function (discarded)"
PRESS = "press, not re-derived"  # rates as INEGI gave them then, with the population of the day


@dataclass(frozen=True)
class Evidence:
    """The figures that the claims are measured with; every measure takes them from here."""

    yearly: pd.DataFrame  # as `tabulate_years` gives it
    series: dict[str, pd.DataFrame]  # source -> deaths and person_years by complete month
    ranking: pd.DataFrame  # rank, city, country, rate_per_100000
    probabilities: pd.DataFrame  # as `worse_probabilities` gives them, by source; or empty


def load_evidence(declared: Declared, *, probabilities: pd.DataFrame | None = None) -> Evidence:
    """Load the embedded figures that the claims are measured with, beside forecasts if given."""
    series = {SOURCES[name].name: load_series(name) for name in SOURCES}
    if probabilities is None:
        probabilities = pd.DataFrame(columns=["source", "method"])
    yearly, ranking = tabulate_years(series, declared), load_table("city_ranking_2020")
    return Evidence(yearly, series, ranking, probabilities)


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
    step = counts[counts["source"] == "INEGI"].assign(population=DISCARDED)
    sizes = declared.discarded["until_2009"], declared.discarded["from_2010"]
    people = step["year"].map(lambda year: sizes[year >= 2010])
    step["rate"] = rate_of(step["deaths"], people)
    press = issued["inegi_press_rates"]
    rates = {
        ("UNODC", "rate as published", issued["country_rates"], "United Nations"): load_table(
            "country_rates"
        ).query("iso3 == 'MEX'"),
        ("INEGI", "rate as published", press, PRESS): load_table("inegi_press_rates"),
    }
    told = pd.concat(rates, names=CELL).reset_index()
    return pd.concat([counts, step, told], ignore_index=True)[[*CELL, "year", "deaths", "rate"]]


def sum_years(months: pd.DataFrame) -> pd.DataFrame:
    """Return the sums of each calendar year that has its twelve months, index `year`."""
    by_year = months.groupby(months.index.year.rename("year"))
    return by_year.sum()[by_year.size() == 12]


def yearly_rates(series: pd.DataFrame) -> pd.Series:
    """Return the rate of each full calendar year: deaths over person-years, per 100,000."""
    sums = sum_years(series)
    return rate_of(sums["deaths"], sums["person_years"]).rename("rate")


def observed_years(source: str) -> pd.Series:
    """Return the nation's rate of each full year, as far as the source tells it today."""
    if source != "inegi":
        return yearly_rates(load_series(source))
    # By year of registration, published for later years than deaths by month of occurrence. These
    # rates are compared with each other only.
    series = load_series("inegi").combine_first(load_series("sesnsp"))  # the same population
    deaths = load_table("inegi_registered").set_index("year")["registered_deaths"]
    return rate_of(deaths, sum_years(series)["person_years"]).dropna().rename("rate")


def describe_known(known: pd.DataFrame, source: str, published: str, yearly: pd.DataFrame) -> str:
    """Return what an article of a month could know of a source's slug, and what it could not."""
    last, told = known.index[-1], SOURCES[source]
    caution = told.caution.format(published=published, month=last, before=last - 1)
    revised = "later registrations of these months are in it"
    if source != "inegi":
        revised = _describe_revision(yearly, told.name, published)
    return (
        f"An article of {published} could know {told.name} until {last}: {told.released}. "
        f"{caution}{' ' if caution else ''}The frozen series has {len(known)} months and "
        f"{known['deaths'].sum():,} deaths as they are counted today, not as they stood then: "
        f"{revised}, and the population is CONAPO's of 2023."
    )


def _describe_revision(yearly: pd.DataFrame, name: str, published: str) -> str:
    """The last vintage before the article against the newest one, over the years they share."""
    own = yearly[(yearly["source"] == name) & (yearly["counted"] == HOMICIDE)]
    totals = own.pivot_table(index="year", columns="vintage", values="deaths")
    then = [vintage for vintage in totals.columns[:-1] if vintage <= published]
    if not then:
        return "what stood then is not in these data"
    both = totals[[then[-1], totals.columns[-1]]].dropna()
    before, now = both.sum()
    return (
        f"its intentional homicides of {' and '.join(both.index.astype(str))} are "
        f"{100 * (now / before - 1):+.1f}% against what was published in {then[-1]}"
    )
