"""What the effects in many places say, in words: by rule, from the numbers."""

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from analysis.its.series import as_percent
from analysis.its.words import format_effect
from analysis.language import Words, literal
from analysis.places.effects import PlaceEffects, is_found
from analysis.places.pooling import ABOVE

WORDS = Words("places-words.toml")
UNITS = {"slope": "percent per year", "level": "percent"}


def show_effects(rows: pd.DataFrame, index: str) -> Styler:
    """Return estimates in percent as a table for readers, named by their index."""
    shown = pd.DataFrame({index: rows.index})
    for told in WORDS["table"]:
        if told["column"] in rows:
            cells = rows.apply(told["cell"].format, axis=1)
            shown[told["title"]] = cells.replace(r".*nan.*", "–", regex=True).to_numpy()
    return shown.style.format(escape="html").format_index(escape="html", axis=1).hide()


def compare_with_nation(pooled: pd.DataFrame, nation: pd.DataFrame, estimand: str) -> pd.DataFrame:
    """Return `pooled` with `nation`, a comparison by estimator and estimand, as one series."""
    # *national* is by the places' estimator, *national_headline* by the headline's;
    # `minus_national` is how much larger an estimate is than *national*, in percent of the factor.
    table, columns = pooled.copy(), ["estimate", "low", "high", "p"]
    for row, name in (("national", "count_reml"), ("national_headline", "reml")):
        table.loc[row, columns] = nation.loc[(name, estimand), columns].astype(float)
        trends = nation["estimate"].reindex([(name, f"{side}_trend") for side in ("pre", "post")])
        table.loc[row, ["trend_before", "trend_after"]] = trends.to_numpy()
    factor = 1 + table["estimate"] / 100
    table["minus_national"] = 100 * (factor / factor["national"] - 1)
    return table


def describe_places(fitted: PlaceEffects, names: dict[str, str], *, estimand: str = "slope") -> str:
    """Return in how many states an effect was found, which have no reliable one, and the holes."""
    effects, places, said = fitted.of(estimand), fitted.places, WORDS["places"]
    found = effects[effects.apply(is_found, axis=1)]
    doubtful = effects[effects["doubt"] != ""]
    rest = len(effects) - len(doubtful) - len(found)
    higher = found.index[found["estimate"] > 0]
    told = {"all": len(effects), "up": len(higher), "down": len(found) - len(higher), "rest": rest}
    lines = [said[estimand].format(**told)]
    if estimand == "slope" and len(higher):
        rising = (fitted.of("post_trend")["estimate"][higher] > 0).sum()
        lines[0] += " " + said["higher"].format(up=len(higher), rising=rising)
    holes = places.loc[(places["left_out"] != "") & effects["estimate"].notna(), "left_out"]
    for kind, column in (("doubt", doubtful["doubt"]), ("left_out", holes)):
        if len(column):
            called = column.rename(lambda place: str(names.get(place, place)))
            alike = called.groupby(called, sort=False)
            listed = "; ".join(f"{', '.join(rows.index)} ({why})" for why, rows in alike)
            lines.append(said[kind].format(listed=literal(listed)))
    return "\n\n".join(lines)


def describe_pooled(pooled: pd.DataFrame, *, estimand: str = "slope") -> str:
    """Return what the states say together, how they differ, and what the nation says."""
    effect = {method: format_effect(row, UNITS[estimand]) for method, row in pooled.iterrows()}
    average, shared = pooled.loc["average"], pooled.loc["random_effects_shared"]
    told = {"effect": effect, "average": average, "tau": as_percent(shared["tau"])}
    told["side"] = "higher" if pooled.loc["weighted_average", "minus_national"] > 0 else "lower"
    differ = "differ" if pooled.loc["random_effects", "tau"] > 0 else "alike"
    lines = (WORDS["pooled"][name] for name in (estimand, differ, "nation"))
    return "\n".join(line.format(**told, **shared[ABOVE]) for line in lines)


def describe_records(records: pd.DataFrame) -> str:
    """Return whether the average of `pool_records` changes sign, and where it leaves zero out."""
    average, said = records.xs("average", level="method"), WORDS["records"]
    if np.ptp(average["estimate"]) < 1e-6:  # but for the last digits, which any other order moves
        return said["same"]
    apart = average.index[(average["low"] > 0) | (average["high"] < 0)]
    which = {0: said["none"], len(average): said["all"]}
    which = which.get(len(apart), said["only"].format(listed=" and ".join(apart)))
    signs = said["one_sign" if (average["estimate"] > 0).sum() in (0, len(average)) else "signs"]
    return said["moves"].format(signs=signs, which=which)
