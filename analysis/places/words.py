"""What the effects in many places say, in words: by rule, from the numbers."""

import pandas as pd

from analysis.its.series import as_percent
from analysis.its.words import format_effect, name_trends
from analysis.language import Words
from analysis.places.effects import PlaceEffects, is_found
from analysis.places.pooling import ABOVE

WORDS = Words("places-words.toml")
UNIT = dict.fromkeys(("slope", "pre_trend", "post_trend"), "percent per year")


def compare_with_nation(pooled: pd.DataFrame, nation: pd.DataFrame, estimand: str) -> pd.DataFrame:
    """Return `pooled` with `nation`, a comparison by estimator and estimand, as one series."""
    # *national* is by the places' estimator, *national_headline* by the headline's;
    # `minus_national` is how much larger an estimate is than *national*, in percent of the factor.
    table, columns = pooled.copy(), ["estimate", "low", "high", "p"]
    for row, name in (("national", "count_reml"), ("national_headline", "reml")):
        table.loc[row, columns] = nation.loc[(name, estimand), columns].astype(float)
        trends = nation["estimate"].reindex([(name, f"{side}_trend") for side in ("pre", "post")])
        table.loc[row, ["trend_before", "trend_after"]] = trends.to_numpy()
    table["note"] = table["note"].fillna("")
    factor = 1 + table["estimate"] / 100
    table["minus_national"] = 100 * (factor / factor["national"] - 1)
    return table


def describe_places(fitted: PlaceEffects, names: dict[str, str], *, estimand: str = "slope") -> str:
    """Return in how many states an effect was found, which have no reliable one, and the holes."""
    effects, places = fitted.of(estimand), fitted.places
    found = effects[effects.apply(is_found, axis=1)]
    what = {"slope": "the yearly trend", "level": "the level"}.get(estimand, estimand)
    doubtful = effects[effects["doubt"] != ""]
    rest = len(effects) - len(doubtful) - len(found)
    up, down = ((side * found["estimate"] > 0).sum() for side in (1, -1))
    told = {"all": len(effects), "up": up, "down": down, "what": what, "rest": rest}
    lines = [WORDS["places"]["found"].format(**told)]
    holes = places.loc[(places["left_out"] != "") & effects["estimate"].notna(), "left_out"]
    for said, column in (("No reliable estimate", doubtful["doubt"]), ("Holes left out", holes)):
        if len(column):
            listed = "; ".join(
                f"{', '.join(names.get(place, str(place)) for place in rows.index)} ({why})"
                for why, rows in column.groupby(column, sort=False)
            )
            lines.append(f"{said}: {listed}.")
    return " ".join(lines)


def describe_pooled(pooled: pd.DataFrame, *, estimand: str = "slope") -> str:
    """Return what the states say together, how they differ, and what the nation says."""
    unit = UNIT.get(estimand, "percent")
    said = {method: format_effect(row, unit) for method, row in pooled.iterrows()}
    average, shared = pooled.loc["average"], pooled.loc["random_effects_shared"]
    gap = pooled.loc["weighted_average", "minus_national"]
    trends = name_trends(average["trend_before"], average["trend_after"])
    told = {"trends": f" ({trends})" if estimand == "slope" else "", "gap": abs(gap)}
    told |= {"side": "higher" if gap > 0 else "lower", "tau": as_percent(shared["tau"])}
    differ = "differ" if pooled.loc["random_effects", "tau"] > 0 else "alike"
    lines = (WORDS["pooled"][name] for name in ("together", differ, "nation"))
    return "\n".join(line.format(**said, **told, **shared[ABOVE]) for line in lines)


def describe_records(records: pd.DataFrame, *, estimand: str = "slope") -> str:
    """Return how the average of `pool_records` moves, and in which records it leaves zero out."""
    average = records.xs("average", level="method")
    average = average[average["estimate"] != average["estimate"].shift()]
    if len(average) == 1:
        return WORDS["records"]["same"]
    unit = UNIT.get(estimand, "percent")
    told, apart = [], average[(average["low"] > 0) | (average["high"] < 0)]
    for name, row in average.iterrows():
        told.append(f"{name} ({row['places']:.0f} states): {format_effect(row, unit)}")
    which = {0: "in none of them", len(average): "in all of them"}
    which = which.get(len(apart), f"only {' and '.join(apart.index)}")
    up = (average["estimate"] > 0).sum()
    signs = "one sign" if up in (0, len(average)) else "different signs"
    return WORDS["records"]["moves"].format(told="; ".join(told), signs=signs, which=which)


def describe_coverage(record: pd.DataFrame, *, estimand: str = "slope") -> str:
    """Return how often pooled intervals held the truth in a recorded simulation, and where not."""
    rows = record[record["estimand"] == estimand]
    parts = []
    for method, each in rows.groupby("method", sort=False):
        least = each.loc[each["coverage"].idxmin()]
        most = each["coverage"].max()
        parts.append(WORDS["coverage"]["method"].format(method=method, least=least, most=most))
    told = {"panels": rows["simulations"].min(), "error": rows["mc_error"].max()}
    return WORDS["coverage"]["told"].format(estimand=estimand, parts="; ".join(parts), **told)
