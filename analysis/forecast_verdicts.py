"""The probability that it would get worse, in words on a scale, and the verdict on claim 10."""

import numpy as np
import pandas as pd

from analysis.claim_outcomes import asked_years, outcome_rows, pooled_chance
from analysis.claim_rows import collect
from analysis.claims import Claim, judge
from analysis.forecast_scores import yearly_rates
from analysis.forecasts import POOL, Forecast
from analysis.sources import NATION, SOURCES, load_series
from analysis.tables import load_table

# ODNI, Intelligence Community Directive 203, Analytic Standards (2 January 2015), D.6.e(2)(a): the
# least probability of each word. The IPCC's nearest are "extremely likely" (0.95) and "virtually
# certain" (0.99).
CERTAINTY = {
    "almost certain": 0.95,
    "very likely": 0.80,
    "likely": 0.55,
    "roughly even": 0.45,
    "unlikely": 0.20,
    "very unlikely": 0.05,
    "almost no chance": 0.0,
}
SURE = "almost certain"  # the article's own words


def in_words(probability: float) -> str:
    """Return the word of `CERTAINTY` for a probability."""
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability lies between 0 and 1; found {probability}")
    return next(words for words, least in CERTAINTY.items() if probability >= least)


def observed_years(source: str) -> pd.Series:
    """Return the nation's rate of each full year, as far as the source tells it today.

    SESNSP by month; INEGI by year of registration, whose last years are published while deaths by
    month of occurrence end earlier. Rates by registration are compared with each other only.
    """
    if source != "inegi":
        return yearly_rates(load_series(source))
    table = load_table("inegi_registered").set_index("year")["registered_deaths"]
    frames = [load_series(name, place=NATION)["person_years"] for name in SOURCES]
    person_years = pd.concat(frames)  # the population is the same under every source
    person_years = person_years[~person_years.index.duplicated()]
    grouped = person_years.groupby(person_years.index.year)
    full = grouped.sum()[grouped.size() == 12]
    return (1e5 * table / full).dropna().rename_axis("year").rename("rate")


def worse_probabilities(
    forecasts: dict[str, Forecast],
    observed: pd.Series,
    claim: Claim,
    *,
    source: str,
) -> pd.DataFrame:
    """Return the probability that each method gave to a higher rate than in the claim's year.

    Parameters
    ----------
    forecasts : dict
        Method to `Forecast`.
    observed : Series
        Rate by year, for what came; it plays no part in the probabilities.
    claim : Claim
        Its years are asked about. The year of comparison is taken as counted if it ended before the
        freeze, and otherwise drawn with the rest.
    source : str
        Name of the source that was forecast, for the table.

    Returns
    -------
    DataFrame
        One row per `method` and `year`, then "every" and "any" of them: `source`, `freeze` (last
        month that the methods were given), `than`, `probability`, its `words`, `expected`, `low`,
        `high` (median and 95% interval of the year's rate), `observed`, `observed_than`, and
        `came`: "higher", "not higher" or "not known".

    Raises
    ------
    ValueError
        If a forecast does not reach the years asked about.
    """
    rows, years, than = [], asked_years(claim), claim["year"]
    for slug, made in forecasts.items():
        drawn = made.yearly()
        base = _base(made, drawn, than)
        missing = [year for year in years if year not in drawn]
        if missing:
            raise ValueError(
                f"{slug}: the forecast has draws of {list(drawn)} and none of {missing}; freeze "
                "earlier, forecast further, or ask about other years"
            )
        worse = np.column_stack([drawn[year] > base for year in years])
        came = [_came(observed, year, than) for year in years]
        for column, year in enumerate(years):
            low, expected, high = drawn[year].quantile([0.025, 0.5, 0.975])
            rate = {"expected": expected, "low": low, "high": high}
            rate["observed"] = observed.get(year, np.nan)
            rows.append([slug, str(year), worse[:, column].mean(), rate, came[column]])
        rows.append([slug, "every", worse.all(axis=1).mean(), {}, _joined(came, all)])
        rows.append([slug, "any", worse.any(axis=1).mean(), {}, _joined(came, any)])
    table = pd.DataFrame(
        [
            {"method": slug, "year": year, "than": than, "probability": p, "words": in_words(p)}
            | rate
            for slug, year, p, rate, _ in rows
        ]
    )
    came = [row[-1] for row in rows]
    table = table.assign(observed_than=observed.get(than, np.nan), came=came)
    frozen = {str(made.known.index[-1]) for made in forecasts.values()}
    if len(frozen) > 1:
        raise ValueError(f"forecasts must share one freeze; found {sorted(frozen)}")
    table.insert(0, "source", source)
    table.insert(1, "freeze", frozen.pop())
    return table


def claim_10(probabilities: pd.DataFrame, claim: Claim, *, source: str) -> pd.DataFrame:
    """Return claim 10, "almost certain to get worse, not better", as one row with its figure.

    The rule is the one of ``claims.toml``, asked of one source by the rows that 02-claims asks too.

    Parameters
    ----------
    probabilities : DataFrame
        As `worse_probabilities` gives it.
    claim : Claim
        The claim as it was declared.
    source : str
        Slug of the source that was forecast.

    Returns
    -------
    DataFrame
        `pool_every`, `pool_any` (the pool's probability that every, or any, later year is worse),
        `highest` and `highest_method` (of any method, for every year), `almost_certain` (methods
        that gave every year that probability) of `methods`, `years_higher` of `years` (those that
        the source has), `figure` in words, and `verdict`.
    """
    than, name = claim["year"], SOURCES[source].name
    freeze, pool = probabilities["freeze"].iloc[0], probabilities[probabilities["method"] == POOL]
    pooled, chance = (
        pool.set_index("year")["probability"],
        pooled_chance(claim, probabilities, name),
    )
    single = probabilities[(probabilities["year"] == "every") & (probabilities["method"] != POOL)]
    single = single.set_index("method")["probability"]
    years = pool[pool["year"].str.isdigit()]
    rates = years.assign(year=years["year"].astype(int)).set_index("year")["observed"]
    rates[than] = years["observed_than"].iloc[0]
    parts = outcome_rows(claim, (name, "rate of a year", freeze, "CONAPO"), rates, chance)
    higher, known = (years["came"] == "higher").sum(), (years["came"] != "not known").sum()
    row = {
        "claim": claim.number,
        "source": source,
        "freeze": freeze,
        "pool_every": pooled["every"],
        "pool_any": pooled["any"],
        "highest": single.max(),
        "highest_method": single.idxmax(),
        "almost_certain": int((single >= claim["sure"]).sum()),
        "methods": len(single),
        "years_higher": int(higher),
        "years": int(known),
        "than": than,
        "figure": (
            f"probability {pooled['every']:.2f} ({in_words(pooled['every'])}) that every year of "
            f"{years['year'].iloc[0]}-{years['year'].iloc[-1]} would be worse than {than}; "
            f"{higher} of {known} known were"
        ),
        "verdict": judge(collect(parts)),
    }
    return pd.DataFrame([row])


def _base(made: Forecast, drawn: pd.DataFrame, than: int) -> np.ndarray | float:
    if than in drawn:
        return drawn[than].to_numpy()
    counted = yearly_rates(made.known)
    if than not in counted:
        raise ValueError(f"{than} is neither known in full at the freeze nor in the forecast")
    return counted[than]


def _came(observed: pd.Series, year: int, than: int) -> str:
    if year not in observed or than not in observed:
        return "not known"
    return "higher" if observed[year] > observed[than] else "not higher"


def _joined(came: list[str], judge: object) -> str:
    if "not known" in came:
        return "not known"
    return "higher" if judge(one == "higher" for one in came) else "not higher"
