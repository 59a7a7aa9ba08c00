"""Claim 10's question of earlier years: how often the answer was yes, how good forecasts were."""

from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.claims.declared import Claim
from analysis.claims.evidence import FORECAST, SCALED, freeze_source, observed_years
from analysis.claims.outcome import CAME, worse_probabilities
from analysis.forecasts.paths import BASE_RATE, FEWEST, forecast_all, judge_record, pool_forecasts
from analysis.mexico.record import SOURCES
from analysis.mexico.sources import freeze_month


def count_base_rate(yearly: pd.DataFrame, claim: Claim, through: int) -> tuple[int, int]:
    """Return how many years said yes by the deaths registered `through` one, and of how many."""
    rates = observed_years(yearly, SCALED)
    ahead = [year - claim["year"] for year in claim.years]
    asked = [year for year in rates.index if year + ahead[-1] <= through]
    return sum(all(rates[year + gap] > rates[year] for gap in ahead) for year in asked), len(asked)


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
    """Ask the claim's question of every earlier year, with what was known that much earlier."""
    # Rows as of `worse_probabilities`, where the answer is known; `options` are of `forecast_all`.
    name, observed, tables = SOURCES[source].name, observed_years(yearly, FORECAST[source]), []
    for back in range(1, len(series) // 12):
        then = pd.Period(published, "M") - 12 * back
        at = freeze_month(source, then)
        if at < series.index[FEWEST - 1]:
            break
        moved = {name: claim[name] - back for name in ("year", "first", "last")}
        asked = replace(claim, parameters=claim.parameters | moved)
        known = freeze_source(series, source, at)
        made = forecast_all(known, until=f"{asked.years[-1]}-12", **options)
        made = pool_forecasts(made, judge_record(rolled, at, **claim["record"]))
        base = count_base_rate(yearly, asked, freeze_month("inegi", then).year)
        tables.append(worse_probabilities(made, observed, asked, source=name, base_rate=base))
    table = pd.concat(tables, ignore_index=True)
    return table[(table["year"] == "every") & (table["came"] != CAME[None])]


def score_earlier(asked: pd.DataFrame) -> pd.DataFrame:
    """Return the Brier score of each method's answers, with the base rate's on the same years."""
    higher = asked["came"] == CAME[True]
    table = asked.assign(higher=higher, brier=(asked["probability"] - higher) ** 2)
    base = table[table["method"] == BASE_RATE].set_index("than")["brier"]
    table["brier_base_rate"] = table["than"].map(base)
    columns = {"first": ("than", "min"), "last": ("than", "max"), "years": ("than", "size")}
    columns |= {"higher": ("higher", "sum"), "brier": ("brier", "mean")}
    columns["brier_base_rate"] = ("brier_base_rate", "mean")
    return table.groupby("method", sort=False).agg(**columns).reset_index()
