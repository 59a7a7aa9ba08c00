"""What the effects in many places say, in words: by rule, from the numbers."""

import numpy as np
import pandas as pd

from analysis.places import FALSE_DISCOVERIES, PlaceEffects
from analysis.sentences import format_effect

MOST_NAMED = 12  # places without a reliable estimate, in one sentence
UNIT = {"slope": "percent per year", "pre_trend": "percent per year"}


def compare_with_nation(pooled: pd.DataFrame, national: pd.Series) -> pd.DataFrame:
    """Return `pooled` with the row *national* and, on the log scale, what divides them.

    Parameters
    ----------
    pooled : DataFrame
        As `analysis.pool_places` returns it.
    national : Series
        `estimate`, `low`, `high`, `p` of the nation as one series, in percent.

    Returns
    -------
    DataFrame
        With a column `minus_national`: how much larger each estimate is than the national one,
        in percent of it as a factor.
    """
    table = pooled.copy()
    table.loc["national", ["estimate", "low", "high", "p"]] = national
    table["note"] = table["note"].fillna("")
    factor = 1 + table["estimate"] / 100
    table["minus_national"] = 100 * (factor / factor["national"] - 1)
    return table


def describe_units(panel: pd.DataFrame) -> str:
    """Return what a table of municipalities holds, and whether it is real."""
    attrs, deaths = panel.attrs, panel["deaths"]
    merged = attrs["merged"]
    created = sum(len(codes) - 1 for codes in merged.values())
    lines = [
        f"{panel.index.unique(0).size:,} units over {panel.index.unique(1).size} months with "
        f"{deaths.sum():,} deaths; {100 * (deaths == 0).mean():.0f}% of the unit-months have none.",
        f"{created} municipalities were created or split in the period and are counted with the "
        f"one they came from, in {len(merged)} units.",
    ]
    unspecified = sum(attrs["unspecified"].values())
    lines.append(f"{unspecified:,} deaths name a state but no municipality and are in no unit.")
    if attrs["synthetic"]:
        lines.insert(
            0,
            "**These counts are synthetic**: the state figures, split over the municipalities by "
            "chance. They show that the functions run and what they cost; no number below says "
            "anything about a municipality.\n\n",
        )
    return " ".join(lines)


def describe_places(
    fitted: PlaceEffects,
    names: dict[str, str],
    *,
    estimand: str = "slope",
    kind: str = "states",
) -> str:
    """Return in how many places an effect was found, and which have no reliable estimate."""
    effects = fitted.of(estimand).join(fitted.places["doubt"])
    sound = effects[(effects["doubt"] == "") & effects["estimate"].notna()]
    found = sound[sound["q"] <= FALSE_DISCOVERIES]
    up, down = found[found["estimate"] > 0], found[found["estimate"] < 0]
    what = {"slope": "the yearly trend", "level": "the level"}.get(estimand, estimand)
    lines = [
        f"Of {len(effects):,} {kind}, {len(up)} show a rise of {what} and {len(down)} a fall that "
        f"stand out with a false-discovery rate of 5%; {len(sound) - len(found)} show neither"
        f"{_largest(found, names, estimand)}."
    ]
    doubtful = effects[effects["doubt"] != ""]
    if len(doubtful) > MOST_NAMED:
        lines.append(f"{len(doubtful):,} {kind} have no reliable estimate, most have few deaths.")
    elif len(doubtful):
        listed = "; ".join(
            f"{names.get(place, place)} ({doubt})" for place, doubt in doubtful["doubt"].items()
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

    def said(method: str) -> str:
        return format_effect(pooled.loc[method], unit)

    effects, gap = pooled.loc["random_effects_shared"], pooled["minus_national"]
    lines = [
        f"- **Together**: the average of the states' changes is {said('average')}; as a random "
        f"effect {said('random_effects_shared')}.",
        f"- **Differences**: {effects['i_squared']:.0f}% of the variation between the states' "
        "estimates is more than chance (I²); in a further state the change would be expected "
        f"between {effects['prediction_low']:+.0f}% and {effects['prediction_high']:+.0f}%.",
        f"- **Against the nation**: weighted by population the average is "
        f"{said('weighted_average')}, and the nation as one series gives {said('national')}. The "
        f"first is {abs(gap['weighted_average']):.1f}% "
        f"{'higher' if gap['weighted_average'] > 0 else 'lower'} as a factor: the national series "
        "weighs states by their deaths and lets those weights change, so it answers another "
        "question where states part ways.",
    ]
    single, shared = pooled.loc["random_effects"], pooled.loc["random_effects_shared"]
    wider = (shared["high"] - shared["low"]) / (single["high"] - single["low"])
    if np.isfinite(wider) and wider > 1.05:
        lines.append(
            f"- **Shared errors** widen the random-effects interval by {100 * (wider - 1):.0f}%: "
            "taking the states as independent would be too sure."
        )
    return "\n".join(lines)


def _largest(found: pd.DataFrame, names: dict[str, str], estimand: str) -> str:
    if found.empty:
        return ""
    size = np.log1p(found["estimate"] / 100).abs()
    place = size.idxmax()
    effect = format_effect(found.loc[place], UNIT.get(estimand, "percent"))
    return f". The largest is that of {names.get(place, place)}, {effect}"
