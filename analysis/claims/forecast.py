"""The probability that it would get worse, what came, and the verdict on claim 10."""

import numpy as np
import pandas as pd

from analysis.claims.declared import HOMICIDE, Claim, judge_claim
from analysis.claims.outcome import asked_years, outcome_rows, pooled_chance
from analysis.claims.rows import collect
from analysis.forecasts.paths import POOL, Forecast, title_of
from analysis.forecasts.scores import yearly_rates
from analysis.forecasts.words import CERTAINTY, SURE, in_words
from analysis.its.series import rate_of
from analysis.mexico.sources import NATION, RELEASES, SOURCES, load_series
from analysis.mexico.tables import load_table


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
    return rate_of(table, full).dropna().rename_axis("year").rename("rate")


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
        the source has), `figure` in words, and `claim_verdict`.
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
        "claim_verdict": judge_claim(collect(parts)),
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


def _joined(came: list[str], joined: object) -> str:
    if "not known" in came:
        return "not known"
    return "higher" if joined(one == "higher" for one in came) else "not higher"


def describe_known(known: pd.DataFrame, source: str, published: str, yearly: pd.DataFrame) -> str:
    """Return what was available at the freeze, and what was not.

    Parameters
    ----------
    known : DataFrame
        The frozen series.
    source : str
        Slug of its source.
    published : str
        Month of the article.
    yearly : DataFrame
        As `analysis.claims.evidence.tabulate_years` gives it: every vintage of the yearly totals.
    """
    last, release, name = known.index[-1], RELEASES[source], SOURCES[source].name
    caution = release.caution.format(published=published, month=last, before=last - 1)
    revised = {"inegi": "later registrations of these months are in it"}.get(
        source, _describe_revision(yearly, name, published)
    )
    return (
        f"An article of {published} could know {name} until {last}: {release.reason}. "
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
    years = " and ".join(str(year) for year in both.index)
    return (
        f"its intentional homicides of {years} are {100 * (now / before - 1):+.1f}% against what "
        f"was published in {then[-1]}"
    )


def describe_claim(row: pd.Series) -> str:
    """Return the answer to claim 10, in words."""
    return (
        f"**“Almost certain to get worse”: {row['claim_verdict']}** "
        f"({SOURCES[row['source']].name}). "
        f"With the months until {row['freeze']}, {row['almost_certain']} of {row['methods']} "
        f"methods gave a probability of {CERTAINTY[SURE]:.2f} or more to a rate above that of "
        f"{row['than']} in every year asked about; the highest was {row['highest']:.2f} "
        f"({title_of(row['highest_method'])}). Pooled: {row['pool_every']:.2f} for every year "
        f"({in_words(row['pool_every'])}), {row['pool_any']:.2f} for at least one "
        f"({in_words(row['pool_any'])}). What came: {row['years_higher']} of {row['years']} years "
        "were higher."
    )
