"""What the effects in many places say, in words: by rule, from the numbers."""

import pandas as pd

from analysis.its.series import as_percent
from analysis.its.words import format_effect, name_trends
from analysis.places.effects import PlaceEffects, is_found
from analysis.places.pooling import ABOVE

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
    lines = [
        f"Of {len(effects)} states, {(found['estimate'] > 0).sum()} show a rise of {what} and "
        f"{(found['estimate'] < 0).sum()} a fall that stand out with a false-discovery rate of 5%; "
        f"{rest} stand out neither way."
    ]
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
    trends = f" ({trends})" if estimand == "slope" else ""
    above = [f"{shared[name]:.0f}" for name in ABOVE]
    differ = (
        f"of {as_percent(shared['tau']):.0f}% (tau). Drawn towards their mean as far as their own "
        f"errors ask for it, {above[0]}% are above zero ({above[1]} to {above[2]}% as the average "
        "moves through its interval): a share of shrunken changes, not of states that rose"
        if pooled.loc["random_effects", "tau"] > 0
        else "that cannot be told from nothing (tau), so that nothing is said of their signs"
    )
    lines = [
        f"- **Together**: the average of the states' changes is {said['average']}{trends}; as a "
        f"random effect {said['random_effects_shared']}.",
        f"- **Differences**: the states' own changes have a standard deviation {differ}.",
        f"- **Against the nation**: weighted by population the average is "
        f"{said['weighted_average']}, and the nation as one series, by the same estimator, gives "
        f"{said['national']}; by the headline model, {said['national_headline']}. The average is "
        f"{abs(gap):.1f}% {'higher' if gap > 0 else 'lower'} as a factor. A national rate "
        "weighs states by their deaths, an average of changes does not: where states part ways "
        "the two are different questions.",
    ]
    return "\n".join(lines)


def describe_records(records: pd.DataFrame, *, estimand: str = "slope") -> str:
    """Return how the average of `pool_records` moves, and in which records it leaves zero out."""
    average = records.xs("average", level="method")
    average = average[average["estimate"] != average["estimate"].shift()]
    if len(average) == 1:
        return "In this window no state has a hole, and none an unreliable record."
    unit = UNIT.get(estimand, "percent")
    told, apart = [], average[(average["low"] > 0) | (average["high"] < 0)]
    for name, row in average.iterrows():
        told.append(f"{name} ({row['places']:.0f} states): {format_effect(row, unit)}")
    which = {0: "in none of them", len(average): "in all of them"}
    which = which.get(len(apart), f"only {' and '.join(apart.index)}")
    up = (average["estimate"] > 0).sum()
    signs = "one sign" if up in (0, len(average)) else "different signs"
    return (
        f"the average {'; '.join(told)}. They have {signs}; the interval leaves zero out {which}."
    )


def describe_coverage(record: pd.DataFrame, *, estimand: str = "slope") -> str:
    """Return how often pooled intervals held the truth in a recorded simulation, and where not."""
    rows = record[record["estimand"] == estimand]
    parts = []
    for method, each in rows.groupby("method", sort=False):
        least = each.loc[each["coverage"].idxmin()]
        parts.append(
            f"*{method}* {least['coverage']:.0f} to {each['coverage'].max():.0f}% (least: "
            f"{least['process']}, {least['shared']} shared)"
        )
    return (
        f"Of 95% intervals of the {estimand} the truth was held by {'; '.join(parts)}. "
        f"{rows['simulations'].min()} panels or more a row, Monte Carlo errors of up to "
        f"{rows['mc_error'].max():.1f} points."
    )
