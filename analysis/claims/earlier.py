"""Claim 10's question of earlier years: how often the answer was yes, how good forecasts were."""

from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.claims.declared import Claim
from analysis.claims.evidence import FORECAST, SCALED, freeze_source, observed_years
from analysis.claims.outcome import CAME, worse_probabilities
from analysis.forecasts.paths import BASE_RATE, FEWEST, POOL, Forecast, forecast_all, title_of
from analysis.forecasts.scores import judge_record, pool_forecasts
from analysis.mexico.record import SOURCES
from analysis.mexico.sources import freeze_month


def count_base_rate(yearly: pd.DataFrame, claim: Claim, through: int) -> tuple[int, int]:
    """Return of how many earlier years the answer was yes, and how many can be asked.

    By the rates of registered deaths until the year `through`.
    """
    rates = observed_years(yearly, SCALED)
    ahead = [year - claim["year"] for year in claim.years]
    asked = [year for year in rates.index if year + ahead[-1] <= through]
    return sum(all(rates[year + gap] > rates[year] for gap in ahead) for year in asked), len(asked)


def pool_by_record(
    made: dict[str, Forecast], rolled: pd.DataFrame, claim: Claim
) -> dict[str, Forecast]:
    """Return the forecasts, and last the pool of those that the claim's rule keeps."""
    at = next(iter(made.values())).known.index[-1]
    rule = {"least": claim["least_held"], "fewest": claim["fewest_years"]}
    return pool_forecasts(made, judge_record(rolled, at, **rule))


def ask_earlier(
    series: pd.DataFrame,
    yearly: pd.DataFrame,
    claim: Claim,
    *,
    source: str,
    published: str,
    rolled: pd.DataFrame,
    **options: Any,
) -> pd.DataFrame:
    """Ask the claim's question of every earlier year, with what could be known that much earlier.

    Rows as `worse_probabilities` gives them of every year asked about; `options` of `forecast_all`.
    """
    observed, tables = observed_years(yearly, FORECAST[source]), []
    for back in range(1, len(series) // 12):
        then = pd.Period(published, "M") - 12 * back
        at = freeze_month(source, then)
        if at < series.index[FEWEST - 1]:
            break
        moved = {name: claim[name] - back for name in ("year", "first", "last")}
        asked = replace(claim, parameters=claim.parameters | moved)
        known = freeze_source(series, source, at)
        made = forecast_all(known, until=f"{asked.years[-1]}-12", **options)
        made = pool_by_record(made, rolled, claim)
        base = count_base_rate(yearly, asked, freeze_month("inegi", then).year)
        name = SOURCES[source].name
        tables.append(worse_probabilities(made, observed, asked, source=name, base_rate=base))
    table = pd.concat(tables, ignore_index=True)
    return table[table["year"] == "every"]


def score_earlier(asked: pd.DataFrame) -> pd.DataFrame:
    """Return the Brier score of each method's answers, with the base rate's on the same years."""
    known = asked[asked["came"] != CAME[None]]
    error = (known["probability"] - (known["came"] == CAME[True])) ** 2
    table = known.assign(brier=error, higher=known["came"] == CAME[True])
    base = table[table["method"] == BASE_RATE].set_index("than")["brier"]
    table["brier_base_rate"] = table["than"].map(base)
    grouped = table.groupby("method", sort=False)
    columns = {"first": ("than", "min"), "last": ("than", "max"), "years": ("than", "size")}
    columns |= {"higher": ("higher", "sum"), "brier": ("brier", "mean")}
    return grouped.agg(**columns, brier_base_rate=("brier_base_rate", "mean")).reset_index()


def describe_earlier(scores: pd.DataFrame) -> str:
    """Return how good the answers of earlier years were, in words."""
    told = {row["method"]: row for _, row in scores.iterrows()}
    single = scores[~scores["method"].isin([BASE_RATE, POOL])]
    best, worst = (single.loc[single["brier"].agg(end)] for end in ("idxmin", "idxmax"))
    said = [
        f"{row['brier']:.3f} for {title_of(row['method'])} ({row['years']} years, on which the "
        f"base rate had {row['brier_base_rate']:.3f})"
        for row in (best, worst, told[POOL])
    ]
    base = told[BASE_RATE]
    return (
        f"Asked of {base['first']} to {base['last']}, of whose {base['years']} years "
        f"{base['higher']} were followed by higher rates in all years asked about, the answers had "
        f"Brier scores (0 is perfect, 0.25 is what one half always has) from {said[0]} to "
        f"{said[1]}; {said[2]} for what the record of the time kept. These years overlap and "
        "belong to one history: they rank no method."
    )
