"""What the effects in many places say, in words: by rule, from the numbers."""

import numpy as np
import pandas as pd

from analysis.its.series import as_logs, as_percent
from analysis.its.words import format_effect, name_trends
from analysis.places.effects import FALSE_DISCOVERIES, PlaceEffects

FEWEST_SERIES = 100  # in a row of a recorded simulation that is told
MOST_NAMED = 12  # places without a reliable estimate, in one sentence
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


def describe_size(record: pd.DataFrame) -> str:
    """Return whether the estimator holds its size in a recorded simulation (benchmarks/places)."""
    ours = record[(record["estimator"] == "count_reml") & (record["series"] >= FEWEST_SERIES)]
    parts = []
    for rho, rows in ours[ours["enough"]].groupby("rho"):
        alarms = rows["false_alarms"]
        error = np.sqrt((rows["mc_error"] ** 2).sum()) / len(rows)
        held = abs(alarms.mean() - 5) <= 3 * error
        parts.append(
            f"at rho {rho}, {alarms.min():.0f} to {alarms.max():.0f}% (mean {alarms.mean():.1f}, "
            f"{'within' if held else 'outside'} three Monte Carlo errors of 5)"
        )
    few = ours.loc[~ours["enough"], "false_alarms"]
    fewer = f"; with fewer deaths {few.min():.0f} to {few.max():.0f}%" if len(few) else ""
    other = record.loc[record["estimator"] == "quasi_poisson", "false_alarms"].max()
    return (
        f"False alarms of `count_reml` where deaths are enough: {'; '.join(parts)}{fewer}. "
        f"Quasi-Poisson regression goes up to {other:.0f}%."
    )


def describe_places(
    fitted: PlaceEffects, names: dict[str, str], *, estimand: str = "slope", kind: str = "states"
) -> str:
    """Return in how many places an effect was found, and which have no reliable estimate."""
    effects = fitted.of(estimand)
    sound = effects[(effects["doubt"] == "") & effects["estimate"].notna()]
    found = sound[sound["q"] <= FALSE_DISCOVERIES]
    up, down = found[found["estimate"] > 0], found[found["estimate"] < 0]
    what = {"slope": "the yearly trend", "level": "the level"}.get(estimand, estimand)
    largest = ""
    if len(found) and kind == "states":  # of thousands, the largest is one of few deaths
        top = as_logs(found["estimate"]).abs().idxmax()
        effect = format_effect(found.loc[top], UNIT.get(estimand, "percent"))
        largest = f". The largest is that of {names.get(top, top)}, {effect}"
        if estimand == "slope":
            trends = (fitted.of(name).loc[top, "estimate"] for name in ("pre_trend", "post_trend"))
            largest += f" ({name_trends(*trends)})"
    lines = [
        f"Of {len(effects):,} {kind}, {len(up)} show a rise of {what} and {len(down)} a fall that "
        f"stand out with a false-discovery rate of 5%; {len(sound) - len(found)} show neither"
        f"{largest}."
    ]
    doubtful = effects[effects["doubt"] != ""]
    if len(doubtful) > MOST_NAMED:
        lines.append(f"{len(doubtful):,} {kind} have no reliable estimate, most have few deaths.")
    elif len(doubtful):
        listed = "; ".join(
            f"{', '.join(names.get(place, str(place)) for place in rows.index)} ({doubt})"
            for doubt, rows in doubtful.groupby("doubt", sort=False)
        )
        lines.append(f"No reliable estimate: {listed}.")
    empty = fitted.places["empty_months"]
    if (empty > 0).any():
        lines.append(
            f"{(empty > 0).sum():,} {kind} have months without a death: there the headline model "
            "has no answer and the count models stand alone."
        )
    return " ".join(lines)


def describe_pooled(pooled: pd.DataFrame, *, estimand: str = "slope") -> str:
    """Return what the states say together, how they differ, and what the nation says."""
    unit = UNIT.get(estimand, "percent")
    said = {method: format_effect(row, unit) for method, row in pooled.iterrows()}
    methods = ("average", "random_effects", "random_effects_shared")
    average, single, shared = (pooled.loc[name] for name in methods)
    gap = pooled.loc["weighted_average", "minus_national"]
    trends = name_trends(average["trend_before"], average["trend_after"])
    trends = f" ({trends})" if estimand == "slope" else ""
    lines = [
        f"- **Together**: the average of the states' changes is {said['average']}{trends}; as a "
        f"random effect {said['random_effects_shared']}.",
        "- **Differences**: the states' own changes have a standard deviation of "
        f"{as_percent(shared['tau']):.0f}% (tau).",
        f"- **Against the nation**: weighted by population the average is "
        f"{said['weighted_average']}, and the nation as one series, by the same estimator, gives "
        f"{said['national']}; by the headline model, {said['national_headline']}. The average is "
        f"{abs(gap):.1f}% {'higher' if gap > 0 else 'lower'} as a factor. A national rate "
        "weighs states by their deaths, an average of changes does not: where states part ways "
        "the two are different questions.",
    ]
    wider = (shared["high"] - shared["low"]) / (single["high"] - single["low"])
    if np.isfinite(wider) and wider > 1.05:
        lines.append(
            f"- **Shared errors** widen the random-effects interval by {100 * (wider - 1):.0f}%: "
            "taking the states as independent would be too sure."
        )
    return "\n".join(lines)
