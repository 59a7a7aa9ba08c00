"""Draw the effects of many places: a forest of intervals, and a map."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

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

from analysis.checks import name_some, require
from analysis.its.series import as_logs
from analysis.places.effects import FALSE_DISCOVERIES, PlaceEffects, is_found
from analysis.style import COLOURS, LEGEND, ZERO, legend_above, percent_axis

CLASSES = (-40, -20, -5, 5, 20, 40)  # percent: where the colours of the map change
NARROW_TICKS = (-75, -50, -25, 0, 50, 100, 200)  # percent, on a log axis
WIDE_TICKS = (-95, -90, -75, -50, 0, 100, 300, 900, 1900)
WIDEST = 3.0  # on the log scale, either side of zero: what the forest's axis shows at most
FOUND, NOT_FOUND = f"found (q ≤ {FALSE_DISCOVERIES})", "not found"
DOUBT, TOGETHER = "no reliable estimate", "all together"
MARKS: dict[str, dict[str, Any]] = {
    FOUND: {"marker": "o", "color": COLOURS["fit"]},
    NOT_FOUND: {"marker": "o", "color": "0.55", "markerfacecolor": "white"},
    DOUBT: {"marker": "x", "color": "0.55"},
    TOGETHER: {"marker": "D", "color": COLOURS["forecast"]},
}
OUTLINE = {"facecolor": "white", "edgecolor": "0.4", "linewidth": 0.4}
DOUBTFUL = {"edgecolor": "0.5", "hatch": "//////"}
BOLD = {"edgecolor": "0.1", "linewidth": 1.3}
LATITUDE = 24  # degrees: where a degree of longitude is drawn to scale
METHODS = {
    "average": "average of the states",
    "weighted_average": "average, weighted by population",
    "random_effects_shared": "random effects",
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

    Beside a change of the trend stand the trends before and after it.

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
    ends = as_logs(effects[["low", "high"]].to_numpy())
    reach = 1.05 * min(np.abs(ends).max(), WIDEST)
    ax.set_xlim(-reach, reach)
    _percent_ticks(ax.xaxis, reach)
    for row, (_, effect) in enumerate(effects.iterrows()):
        kind = DOUBT if effect["doubt"] else FOUND if is_found(effect) else NOT_FOUND
        _interval(ax, row, effect, reach, kind)
    for row in range(len(effects), below - 1):
        ax.text(0, row, "no estimate", ha="center", va="center", fontsize="x-small", color="0.4")
    for row, (_, effect) in enumerate(shown.iterrows(), start=below):
        _interval(ax, row, effect, reach, TOGETHER, width=3)
    if estimand == "slope":
        own = (fitted.of(f"{side}_trend")["estimate"][effects.index] for side in ("pre", "post"))
        both = [*zip(*own, strict=True), *shown[["trend_before", "trend_after"]].to_numpy()]
        told = {"fontsize": "x-small", "va": "center", "transform": ax.get_yaxis_transform()}
        ax.text(1.02, -1, "trend, % a year", **told)
        for row, trends in zip([*rows[: len(effects)], *rows[below - 1 :]], both, strict=True):
            if np.isfinite(trends).all():
                ax.text(1.02, row, "{:+d} → {:+d}".format(*map(round, trends)), **told)
    ax.axvline(0, **ZERO)
    ax.tick_params(axis="y", length=0)
    sns.despine(ax=ax, left=True)
    lines = {"linewidth": 1.4, "markersize": 4.5}
    handles = [Line2D([], [], label=kind, **lines, **mark) for kind, mark in MARKS.items()]
    legend_above(ax, len(MARKS), handles=handles)
    return ax


def plot_map(
    fitted: PlaceEffects,
    outlines: Mapping[str, Sequence[np.ndarray]],
    *,
    estimand: str = "slope",
    ax: Axes | None = None,
) -> Axes:
    """Draw the places coloured by their shrunken effect; those without a reliable one are hatched.

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
    fault = f"the map has {len(outlines)} places; found {name_some(effects.index.astype(str))}"
    require(set(effects.index) == set(outlines), f"{fault}. Give the outlines of these.")
    palette = sns.color_palette("PuOr_r", len(CLASSES) + 1)
    for place, rings in outlines.items():
        effect = effects.loc[place]
        colour = {"facecolor": palette[int(np.searchsorted(CLASSES, effect["shrunken"]))]}
        doubtful = effect["doubt"] or np.isnan(effect["shrunken"])
        style = OUTLINE | (DOUBTFUL if doubtful else colour)
        if is_found(effect):
            style |= BOLD | {"zorder": 2}
        outline = Outline.make_compound_path(*(Outline(ring, closed=True) for ring in rings))
        ax.add_collection(PathCollection([outline], **style))
    ax.autoscale_view()
    ax.set_aspect(1 / np.cos(np.radians(LATITUDE)))
    ax.axis("off")
    title = "Percent per year" if estimand == "slope" else "Percent"
    tested = bool(effects["q"].notna().any())
    ax.legend(handles=_map_legend(palette, tested), title=title, loc="upper right", **LEGEND)
    return ax


def _interval(
    ax: Axes, row: int, effect: pd.Series, reach: float, kind: str, width: float = 1.4
) -> None:
    """Draw an interval; an arrow stands where it goes on beyond the axis."""
    estimate, low, high = as_logs(effect[["estimate", "low", "high"]].astype(float))
    ends, colour = np.clip([low, high], -reach, reach), MARKS[kind]["color"]
    ax.plot(ends, [row, row], color=colour, linewidth=width, solid_capstyle="butt")
    for beyond, end, arrow in ((low < -reach, -reach, "<"), (high > reach, reach, ">")):
        if beyond:
            ax.plot(end, row, arrow, color=colour, markersize=4, clip_on=False)
    if abs(estimate) <= reach:
        ax.plot(estimate, row, linestyle="none", markersize=4.5, **MARKS[kind])


def _percent_ticks(axis: Axis, reach: float) -> None:
    percent_axis(axis, NARROW_TICKS if reach < 1.5 else WIDE_TICKS, zero="+0%")


def _map_legend(palette: list, tested: bool) -> list[Patch]:
    bounds = [f"{bound:+d}".replace("-", "−") for bound in CLASSES]
    inside = [f"{low} to {high}" for low, high in pairwise(bounds)]
    classes = zip(palette, [f"below {bounds[0]}", *inside, f"above {bounds[-1]}"], strict=True)
    coloured = [Patch(**OUTLINE | {"facecolor": c}, label=label) for c, label in classes]
    others = {DOUBT: DOUBTFUL} | ({FOUND: BOLD} if tested else {})
    plain = [Patch(facecolor="white", **style, label=label) for label, style in others.items()]
    return coloured[::-1] + plain
