"""Claim 10, what would come: how probable forecasts made it, what came, and earlier years."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.checks import require
from analysis.claims import evidence as figures
from analysis.claims import rows
from analysis.claims.declared import TOLD, Claim, judge_claim, say
from analysis.claims.evidence import FORECAST, Cell, Evidence, modelled_cell, yearly_rates
from analysis.claims.rows import RATE, Measured, Row, conclude, make_row, name_cell, short_name
from analysis.forecasts import paths
from analysis.forecasts.paths import BASE_RATE, POOL, Forecast
from analysis.its.series import ERRORS
from analysis.language import say_month
from analysis.mexico.record import SOURCES
from analysis.mexico.sources import freeze_month

WORSE = "lowest rate of {} to {} against {}"  # the measure that decides
CAME = {True: "higher", False: "not higher", None: "not known"}


def worse_probabilities(
    made: dict[str, Forecast], observed: pd.Series, claim: Claim, *, source: str, base_rate: tuple
) -> pd.DataFrame:
    """Return the probability that each method gave to a higher rate than in the claim's year."""
    # By `method`, first the base rate (as `count_base_rate` gives it), by `year`, then "every",
    # with the 95% interval of the rate and what came by `observed`, which no probability uses.
    parts, years, than = {}, claim.years, claim["year"]
    apart = observed.reindex(years) - observed.get(than, np.nan)
    apart["every"] = apart.min(skipna=False)
    came = apart.map(lambda gap: CAME[None if np.isnan(gap) else gap > 0])
    plain = {"probability": base_rate[0] / base_rate[1], "came": came["every"]}
    parts[BASE_RATE] = pd.DataFrame(plain, index=["every"])
    for slug, forecast in made.items():
        drawn = forecast.yearly()
        # as counted if that year ended before the freeze, and otherwise drawn with the rest
        base = drawn if than in drawn else yearly_rates(forecast.known)
        require(than in base, f"{than} is neither known in full at the freeze nor forecast in full")
        missing = [year for year in years if year not in drawn]
        require(not missing, ERRORS["undrawn"].format(slug, list(drawn), missing))
        worse = drawn[years].gt(base[than], axis=0)
        worse["every"] = worse.all(axis=1)
        bands = drawn[years].quantile([0.5, 0.025, 0.975]).T
        part = bands.set_axis(["expected", "low", "high"], axis=1).reindex(worse.columns)
        parts[slug] = part.assign(probability=worse.mean(), observed=observed, came=came)
    frozen = {str(forecast.known.index[-1]) for forecast in made.values()}
    require(len(frozen) == 1, f"forecasts must share one freeze; found {sorted(frozen)}")
    table = pd.concat(parts, names=["method", "year"]).reset_index().astype({"year": str})
    table = table.assign(source=source, freeze=frozen.pop(), than=than)
    table["words"] = table["probability"].map(paths.in_words)
    table["observed_than"] = observed.get(than, np.nan)
    first = ["source", "freeze", "method", "year", "than", "probability", "words"]
    return table[[*first, "expected", "low", "high", "observed", "observed_than", "came"]]


def outcome_rows(claim: Claim, cell: Cell, rates: pd.Series, chance: float | None) -> list[Row]:
    """Return what one way of counting says of both parts of the rule; none without later rates."""
    # Without the `chance` (`pooled_chance`) it can refute the claim and not bear it out.
    years, base, known = claim.years, claim["year"], rates.dropna()
    later = known[known.index.isin(years)]
    if base not in known or later.empty:
        return []
    change, higher = 100 * (later.min() / known[base] - 1), (later > known[base]).all()
    name = WORSE.format(years[0], years[-1], base)
    worse = make_row(cell, name, change, "percent", holds=higher, part=chance is None)
    if chance is None:
        return [worse]
    name = f"pooled probability that every year of {years[0]} to {years[-1]} would be worse"
    return [worse, make_row(cell, name, chance, "probability", holds=chance >= claim["sure"])]


def pooled_chance(claim: Claim, chances: pd.DataFrame, source: str) -> float | None:
    """Return the pooled probability that every year would be worse; None without a forecast."""
    own = chances[(chances["source"] == source) & (chances["method"] == POOL)]
    if own.empty:
        return None
    by_year = own.set_index("year")["probability"]
    found = sorted(int(year) for year in by_year.index if year.isdigit())
    than = own["than"].unique().tolist()
    same = found == claim.years and than == [claim["year"]]
    require(same, ERRORS["asked"].format(source, found, than, claim))
    return float(by_year["every"])


def measure_outcome(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure whether every later year was worse, and how sure of it the forecasts had been."""
    made, said, told, base, chances = [], [], {}, claim["year"], evidence.probabilities
    forecast = [modelled_cell(evidence, name) for name in FORECAST.values()]
    for cell, rates in rows.by_cell(claim, evidence, "rate", base):
        later = rates[rates.index > base]
        if later.empty:
            continue
        change = 100 * (later.mean() / rates[base] - 1)
        made += [make_row(cell, f"rate of {year}", rate, RATE) for year, rate in later.items()]
        made.append(make_row(cell, f"mean rate after {base} against {base}", change, "percent"))
        # a forecast is of one count, and says nothing of another's
        chance = pooled_chance(claim, chances, cell[0]) if cell in forecast else None
        parts = outcome_rows(claim, cell, rates, chance)
        made += parts
        if parts and not brief:
            asked = later[later.index.isin(claim.years)]
            pairs = [say("year_rate", year=year, rate=rate) for year, rate in asked.items()]
            own = {"cell": name_cell(cell), "listed": ", ".join(pairs), "base": rates[base]}
            told = told or own | {"by": short_name(cell)}
            said.append(say("came", change=change, **own))
    decides = WORSE.format(claim.years[0], claim.years[-1], base)
    if brief:
        return Measured(claim, rows.collect(made), decides)
    by_source = chances[chances["year"] == "every"].groupby("source", sort=False)
    sure = [say("with_months", name=name, said=tell_chances(own)) for name, own in by_source]
    form = "no_chances" if chances.empty else "chances"
    told |= {"chances": say(form, said="; ".join(sure), **claim.parameters)}
    return conclude(claim, rows.collect(made), decides, rates="; ".join(said), **told)


def tell_chances(every: pd.DataFrame) -> str:
    """Return one source's probabilities of every year: base rate, range and pool, in words."""
    table = every.set_index("method")
    told, pool = table["probability"], table.loc[POOL]
    single = told.drop([BASE_RATE, POOL])
    ends = single.idxmin(), single.idxmax()
    least, most = (f"{single[slug]:.2f} ({TOLD['methods'][slug]})" for slug in ends)
    said = {"words": TOLD["certainty"][pool["words"]], "base_rate": told[BASE_RATE]}
    said |= {"pool": told[POOL], "freeze": say_month(pd.Period(pool["freeze"]))}
    return say("every_year", least=least, most=most, **said)


def claim_10(probabilities: pd.DataFrame, claim: Claim, *, source: str) -> pd.DataFrame:
    """Return claim 10 as one row with its figure, by the rule of ``claims.toml``, for a slug."""
    than, name = claim["year"], SOURCES[source].name
    every = probabilities[probabilities["year"] == "every"]
    told, freeze = every.set_index("method")["probability"], every["freeze"].iloc[0]
    single = told.drop([BASE_RATE, POOL])
    years = probabilities.query("method == @POOL and year != 'every'").astype({"year": int})
    rates = years.set_index("year")["observed"]
    rates[than] = years["observed_than"].iloc[0]
    chance, came = pooled_chance(claim, probabilities, name), years["came"]
    parts = outcome_rows(claim, (name, "rate of a year", freeze, "CONAPO"), rates, chance)
    row = {"claim": claim.number, "source": source, "freeze": freeze, "than": than}
    row |= {"base_rate": told[BASE_RATE], "lowest": single.min(), "highest": single.max()}
    row |= {"pool_every": told[POOL], "methods": len(single)}
    row |= {"almost_certain": (single >= claim["sure"]).sum()}
    row |= {"years": (came != CAME[None]).sum(), "years_higher": (came == CAME[True]).sum()}
    row["figure"] = say("claim_10", name=name, said=tell_chances(every), **claim.parameters, **row)
    return pd.DataFrame([row | {"claim_verdict": judge_claim(rows.collect(parts))}])


def count_base_rate(evidence: Evidence, claim: Claim, through: int) -> tuple[int, int]:
    """Return how many years said yes by the deaths registered `through` one, and of how many."""
    rates = figures.observed_years(evidence, figures.SCALED)
    ahead = [year - claim["year"] for year in claim.years]
    asked = [year for year in rates.index if year + ahead[-1] <= through]
    return sum(all(rates[year + gap] > rates[year] for gap in ahead) for year in asked), len(asked)


def ask_earlier(
    series: pd.DataFrame,
    evidence: Evidence,
    claim: Claim,
    *,
    source: str,
    published: str,
    rolled: pd.DataFrame,
    **options: Any,
) -> pd.DataFrame:
    """Ask the claim's question of every earlier year, with what was known that much earlier."""
    # Rows as of `worse_probabilities`, where the answer is known; `options` are of `forecast_all`.
    name, tables = SOURCES[source].name, []
    observed = figures.observed_years(evidence, FORECAST[source])
    for back in range(1, len(series) // 12):
        then = pd.Period(published, "M") - 12 * back
        at = freeze_month(source, then)
        if at < series.index[paths.FEWEST - 1]:
            break
        moved = {each: claim[each] - back for each in ("year", "first", "last")}
        asked = replace(claim, parameters=claim.parameters | moved)
        known = figures.freeze_source(series, source, at)
        made = paths.forecast_all(known, until=f"{asked.years[-1]}-12", **options)
        made = paths.pool_forecasts(made, paths.judge_record(rolled, at, **claim["record"]))
        base = count_base_rate(evidence, asked, freeze_month("inegi", then).year)
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
