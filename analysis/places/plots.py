"""Draw the effects of many places: a forest of intervals, and a map."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path as Outline

from analysis.checks import name_some
from analysis.its.series import as_logs
from analysis.places.effects import FALSE_DISCOVERIES, PlaceEffects
from analysis.style import COLOURS, percent_axis

CLASSES = (-40, -20, -5, 5, 20, 40)  # percent: where the colours of the map change
NARROW_TICKS = (-75, -50, -25, 0, 50, 100, 200)  # percent, on a log axis
WIDE_TICKS = (-95, -90, -75, -50, 0, 100, 300, 900, 1900)
WIDEST = 3.0  # on the log scale, either side of zero: what the forest's axis shows at most
FOUND = f"found (q ≤ {FALSE_DISCOVERIES})"
LATITUDE = 24  # degrees: where a degree of longitude is drawn to scale
METHODS = {
    "average": "average of the states",
    "weighted_average": "average, weighted by population",
    "random_effects_shared": "random effects (thin: prediction)",
    "national": "the nation as one series",
}


def plot_forest(
    fitted: PlaceEffects,
    pooled: pd.DataFrame,
    *,
    estimand: str = "slope",
    names: dict[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw every place's effect with its 95% interval, in order, and the pooled ones below.

    Parameters
    ----------
    fitted : PlaceEffects
        What `analysis.fit_places` returned.
    pooled : DataFrame
        What `analysis.pool_places` returned, and perhaps a row *national*.
    estimand : str
        Which effect.
    names : dict, optional
        Place to the name to show.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    every = fitted.of(estimand)
    effects = every.dropna(subset=["estimate"]).sort_values("estimate", ascending=False)
    if effects.empty:
        raise ValueError(f"no place has an estimate of {estimand!r}: {every['note'].iloc[0]}")
    missing = every.index[every["estimate"].isna()]
    shown = pooled.loc[[name for name in METHODS if name in pooled.index]]
    below = len(effects) + len(missing) + 1
    rows = [*range(below - 1), *range(below, below + len(shown))]
    labels = [(names or {}).get(place, place) for place in [*effects.index, *missing]]
    ax.set_yticks(rows, [*labels, *(METHODS[name] for name in shown.index)], fontsize="small")
    ax.set_ylim(max(rows) + 1, -1)
    reach = _percent_axis(ax, effects)
    for row, (_, effect) in enumerate(effects.iterrows()):
        found = effect["q"] <= FALSE_DISCOVERIES and not effect["doubt"]
        colour = COLOURS["fit"] if found else "0.55"
        marker = "x" if effect["doubt"] else "o"
        _interval(ax, row, effect, reach, colour, marker=marker, filled=found)
    for row in range(len(effects), below - 1):
        ax.text(0, row, "no estimate", ha="center", va="center", fontsize="x-small", color="0.4")
    for row, (_, effect) in enumerate(shown.iterrows(), start=below):
        if np.isfinite(effect.get("prediction_low", np.nan)):
            ends = as_logs(effect[["prediction_low", "prediction_high"]].astype(float))
            ax.plot(
                np.clip(ends, -reach, reach), [row, row], color=COLOURS["forecast"], linewidth=1
            )
        _interval(ax, row, effect, reach, COLOURS["forecast"], marker="D", filled=True, width=3)
    ax.axvline(0, color="0.3", linewidth=0.8)
    ax.tick_params(axis="y", length=0)
    sns.despine(ax=ax, left=True)
    ax.legend(
        handles=_forest_legend(),
        frameon=False,
        fontsize="small",
        ncols=4,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
    )
    return ax


def plot_map(
    fitted: PlaceEffects,
    outlines: Mapping[str, Sequence[np.ndarray]],
    *,
    estimand: str = "slope",
    ax: Axes | None = None,
) -> Axes:
    """Draw the places coloured by their effect; those without a reliable estimate are hatched.

    Parameters
    ----------
    fitted : PlaceEffects
        Of every place on the map.
    outlines : mapping
        Place to its rings, each an array (n, 2) of degrees of longitude and latitude, such as
        `analysis.load_outlines` gives.
    estimand : str
        Which effect.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        Places whose effect is found with a false-discovery rate of 5% have a bold outline.
    """
    ax = ax or plt.gca()
    effects = fitted.of(estimand)
    if set(effects.index) != set(outlines):
        raise ValueError(
            f"the map has {len(outlines)} places; found {name_some(effects.index.astype(str))}. "
            "Give the outlines of these, or use plot_forest."
        )
    palette = sns.color_palette("PuOr_r", len(CLASSES) + 1)
    for place, rings in outlines.items():
        effect = effects.loc[place]
        style = {"facecolor": "white", "edgecolor": "0.4", "linewidth": 0.4}
        if effect["doubt"] or np.isnan(effect["estimate"]):
            style |= {"hatch": "//////", "edgecolor": "0.5"}
        else:
            style["facecolor"] = palette[int(np.searchsorted(CLASSES, effect["estimate"]))]
        found = effect["q"] <= FALSE_DISCOVERIES and not effect["doubt"]
        if found:
            style |= {"edgecolor": "0.1", "linewidth": 1.3, "zorder": 2}
        outline = Outline.make_compound_path(*(Outline(ring, closed=True) for ring in rings))
        ax.add_collection(PathCollection([outline], **style))
    ax.autoscale_view()
    ax.set_aspect(1 / np.cos(np.radians(LATITUDE)))
    ax.axis("off")
    ax.legend(
        handles=_map_legend(palette),
        title="Percent per year" if estimand == "slope" else "Percent",
        frameon=False,
        fontsize="small",
        loc="upper right",
    )
    return ax


def plot_deaths_and_effects(
    fitted: PlaceEffects, *, estimand: str = "slope", ax: Axes | None = None
) -> Axes:
    """Draw every place's effect with its 95% interval against its deaths.

    Parameters
    ----------
    fitted : PlaceEffects
        Of many places.
    estimand : str
        Which effect.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    places = fitted.places
    effects = fitted.of(estimand).dropna(subset=["estimate", "low", "high"])
    deaths = (places["deaths_before"] + places["deaths_after"]).loc[effects.index]
    logs = as_logs(effects[["estimate", "low", "high"]].astype(float))
    found = effects["q"] <= FALSE_DISCOVERIES
    for chosen, colour, label in ((~found, "0.7", "not found"), (found, COLOURS["fit"], FOUND)):
        if chosen.any():
            part = logs[chosen]
            reach = [part["estimate"] - part["low"], part["high"] - part["estimate"]]
            style = {"fmt": "o", "color": colour, "markersize": 2.5, "elinewidth": 0.5}
            ax.errorbar(deaths[chosen], part["estimate"], reach, label=label, **style)
    ax.axhline(0, color="0.3", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlabel("Deaths in the window")
    reach = min(1.05 * np.abs(logs.to_numpy()).max(initial=0.1), WIDEST)
    ax.set_ylim(-reach, reach)
    _percent_ticks(ax.yaxis, reach)
    ax.legend(frameon=False, fontsize="small", loc="upper right")
    return ax


def _interval(
    ax: Axes,
    row: int,
    effect: pd.Series,
    reach: float,
    colour: object,
    *,
    marker: str,
    filled: bool,
    width: float = 1.4,
) -> None:
    """Draw an interval; an arrow stands where it goes on beyond the axis."""
    estimate, low, high = as_logs(effect[["estimate", "low", "high"]].astype(float))
    ends = np.clip([low, high], -reach, reach)
    ax.plot(ends, [row, row], color=colour, linewidth=width, solid_capstyle="butt")
    for beyond, end, arrow in ((low < -reach, -reach, "<"), (high > reach, reach, ">")):
        if beyond:
            ax.plot(end, row, arrow, color=colour, markersize=4, clip_on=False)
    if abs(estimate) <= reach:
        face = colour if filled else "white"
        ax.plot(estimate, row, marker, color=colour, markerfacecolor=face, markersize=4.5)


def _percent_axis(ax: Axes, effects: pd.DataFrame) -> float:
    ends = as_logs(effects[["low", "high"]].to_numpy())
    reach = 1.05 * min(np.abs(ends).max(), WIDEST)
    ax.set_xlim(-reach, reach)
    _percent_ticks(ax.xaxis, reach)
    return reach


def _percent_ticks(axis: Axis, reach: float) -> None:
    percent_axis(axis, NARROW_TICKS if reach < 1.5 else WIDE_TICKS, zero="+0%")


def _forest_legend() -> list[Line2D]:
    common = {"linewidth": 1.4, "markersize": 4.5}
    quiet = {"color": "0.55", "markerfacecolor": "white"}
    return [
        Line2D([], [], marker="o", color=COLOURS["fit"], label=FOUND, **common),
        Line2D([], [], marker="o", label="not found", **quiet, **common),
        Line2D([], [], marker="x", color="0.55", label="no reliable estimate", **common),
        Line2D([], [], marker="D", color=COLOURS["forecast"], label="all together", **common),
    ]


def _map_legend(palette: list) -> list[Patch]:
    bounds = [f"{bound:+d}".replace("-", "−") for bound in CLASSES]
    labels = [f"below {bounds[0]}"]
    labels += [f"{low} to {high}" for low, high in pairwise(bounds)]
    labels.append(f"above {bounds[-1]}")
    patches = [
        Patch(facecolor=colour, edgecolor="0.4", linewidth=0.4, label=label)
        for colour, label in zip(palette, labels, strict=True)
    ][::-1]
    patches.append(
        Patch(facecolor="white", edgecolor="0.5", hatch="//////", label="no reliable estimate")
    )
    patches.append(Patch(facecolor="white", edgecolor="0.1", linewidth=1.3, label=FOUND))
    return patches
