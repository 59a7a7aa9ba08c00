"""The claim about what would come: whether every year was worse, and almost certain to be."""

import pandas as pd

from analysis.claims.declared import Claim
from analysis.claims.evidence import DISCARDED, Evidence
from analysis.claims.rows import (
    RATE,
    Cell,
    Measured,
    answer,
    by_cell,
    collect,
    make_row,
    name_cell,
    only_part,
)
from analysis.forecasts.paths import POOL


def asked_years(claim: Claim) -> list[int]:
    """Return the years that a claim asks about."""
    return list(range(claim["first"], claim["last"] + 1))


def outcome_rows(
    claim: Claim, cell: Cell, rates: pd.Series, chance: float | None
) -> list[dict[str, object]]:
    """Return what one way of counting says of the two parts of the rule.

    Parameters
    ----------
    claim : Claim
        Its years, and from what probability on they were almost certain.
    cell : tuple
        The way of counting, values of `CELL`.
    rates : Series
        Rate by year; years that the count does not have may be missing or left out.
    chance : float or None
        The pooled probability, by forecasts from this source, that every year would be worse.
        Without one, the count can refute the claim and not bear it out.

    Returns
    -------
    list of dict
        Rows as `make_row` gives them; none if no year can be compared.
    """
    years, base, known = asked_years(claim), claim["year"], rates.dropna()
    later = known[known.index.isin(years)]
    if base not in known or later.empty:
        return []
    change = 100 * (later.min() / known[base] - 1)
    higher = answer((later > known[base]).all())
    worse = make_row(cell, _lowest(claim), change, "percent", holds=higher)
    if chance is None:
        return [only_part(worse)]
    name = f"pooled probability that every year of {years[0]} to {years[-1]} would be worse"
    return [
        worse,
        make_row(cell, name, chance, "probability", holds=answer(chance >= claim["sure"])),
    ]


def pooled_chance(claim: Claim, probabilities: pd.DataFrame, source: str) -> float | None:
    """Return the pooled probability that every year would be worse; None without a forecast.

    Parameters
    ----------
    claim : Claim
        Its years must be those that the forecasts were asked about.
    probabilities : DataFrame
        As `analysis.claims.forecast.worse_probabilities` gives it, of one or more sources.
    source : str
        A name in its column `source`.

    Raises
    ------
    ValueError
        If the forecasts were asked about other years.
    """
    own = probabilities[(probabilities["source"] == source) & (probabilities["method"] == POOL)]
    if own.empty:
        return None
    by_year = own.set_index("year")["probability"]
    found = sorted(int(year) for year in by_year.index if year.isdigit())
    if found != asked_years(claim) or set(own["than"]) != {claim["year"]}:
        raise ValueError(
            f"the forecasts from {source} were asked about {found} against "
            f"{sorted(set(own['than']))}, claim {claim.number} about {asked_years(claim)} against "
            f"{claim['year']}; run 08-forecast again"
        )
    return float(by_year["every"])


def measure_outcome(claim: Claim, evidence: Evidence) -> Measured:
    """Measure whether every later year was worse, and how sure of it the forecasts had been."""
    rows, said, base, chances = [], [], claim["year"], evidence.probabilities
    for cell, rates in by_cell(claim, evidence, "rate"):
        later = rates[rates.index > base]
        if base not in rates or later.empty:
            continue
        change = 100 * (later.mean() / rates[base] - 1)
        rows += [make_row(cell, f"rate of {year}", rate, RATE) for year, rate in later.items()]
        rows.append(make_row(cell, f"mean rate after {base} against {base}", change, "percent"))
        chance = None if chances is None else pooled_chance(claim, chances, cell[0])
        parts = outcome_rows(claim, cell, rates, chance)
        rows += parts
        if parts and cell[-1] != DISCARDED:
            asked = later[later.index.isin(asked_years(claim))]
            listed = ", ".join(f"{rate:.1f} in {year}" for year, rate in asked.items())
            said.append(f"{name_cell(cell)}: {listed}, against {rates[base]:.1f} ({change:+.1f}%)")
    shown = [] if chances is None else _forecast_rows(claim, chances)
    finding = (
        f"rates per 100,000 person-years (in brackets: the mean of all full years after {base} "
        f"against {base}): {'; '.join(said)}. {_describe_chances(claim, chances)}"
    )
    return Measured(claim, collect(rows + shown), _lowest(claim), finding)


def _lowest(claim: Claim) -> str:
    years = asked_years(claim)
    return f"lowest rate of {years[0]} to {years[-1]} against {claim['year']}"


def _forecast_rows(claim: Claim, chances: pd.DataFrame) -> list[dict[str, object]]:
    """Every probability of every method, beside what came; the pool's has answered already."""
    rows = []
    for _, chance in chances.iterrows():
        cell = (f"forecast from {chance['source']}", chance["method"], chance["freeze"], "CONAPO")
        year = chance["year"] if chance["year"].isdigit() else f"{chance['year']} year"
        measure = f"probability of a rate above {claim['year']}'s, {year}"
        rows.append(make_row(cell, measure, chance["probability"], "probability"))
    return rows


def _describe_chances(claim: Claim, chances: pd.DataFrame | None) -> str:
    if chances is None:
        return "Whether it was almost certain is asked in 08-forecast, whose result is not here."
    years, said = asked_years(claim), []
    for source, own in chances[chances["year"] == "every"].groupby("source", sort=False):
        single = own.loc[own["method"] != POOL, "probability"]
        pooled = pooled_chance(claim, chances, source)
        said.append(
            f"{source}'s months until {own['freeze'].iloc[0]}: {pooled:.2f} pooled, "
            f"{single.min():.2f} to {single.max():.2f} by single methods"
        )
    return (
        f"That every year of {years[0]} to {years[-1]} would be worse had, by forecasts from "
        f"{'; from '.join(said)}; from {claim['sure']:.2f} on it would have been almost certain."
    )
