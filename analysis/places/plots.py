"""Draw the effects of many places: a forest of intervals, and a map."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import cm, collections, colors, lines, patches, path
from matplotlib.axes import Axes

from analysis.arguments import Ax, checked, table
from analysis.checks import name_some, require
from analysis.its.model import Estimand
from analysis.its.series import as_logs
from analysis.places.effects import PlaceEffects, is_found
from analysis.places.words import WORDS
from analysis.style import COLOURS, LABELS, LEGEND, ZERO, as_drawn, percent_axis

ENDS = ["estimate", "low", "high"]
FIGURE, METHODS = WORDS.block("figure"), WORDS.block("methods")
CLASSES = (-40, -20, -5, 5, 20, 40)  # percent: where the colours of the map change
NARROW_TICKS = (-75, -50, 0, 100, 300)  # percent, on a log axis
WIDE_TICKS = (-95, -75, 0, 300, 1900)
WIDEST = 3.0  # on the log scale, either side of zero: what the forest's axis shows at most
SHOWN = ("average", "weighted_average", "random_effects_shared", "national")  # below the places
MARKS: dict[str, dict[str, Any]] = {
    "found": {"marker": "o", "color": COLOURS["fit"]},
    "not_found": {"marker": "o", "color": "0.55", "markerfacecolor": "white"},
    "doubt": {"marker": "x", "color": "0.55"},
    "together": {"marker": "D", "color": COLOURS["forecast"]},
}
OUTLINE = {"facecolor": "white", "edgecolor": "0.4", "linewidth": 0.4}
HATCHED = {"edgecolor": "0.5", "hatch": "//////"}
BOLD = {"edgecolor": "0.1", "linewidth": 1.3}
LATITUDE = 24  # degrees: where a degree of longitude is drawn to scale


@checked
def plot_forest(
    fitted: PlaceEffects,
    pooled: Annotated[pd.DataFrame, table(numbers=(*ENDS, "trend_before", "trend_after"))],
    *,
    estimand: Estimand = "slope",
    names: dict[str, str] | None = None,
    ax: Ax = None,
) -> Axes:
    """Draw every place's effect with its 95% interval, in order, and the pooled ones below.

    Beside a change of the trend stand the trends before and after it.

    Parameters
    ----------
    fitted : PlaceEffects
    pooled : DataFrame
        What `analysis.pool_places` returned, and perhaps a row *national*.
    estimand : str
        Which effect.
    names : dict, optional
        Place to the name to show.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    every = fitted.of(estimand).sort_values("estimate", ascending=False)  # the missing last
    if every["estimate"].isna().all():
        raise ValueError(f"no place has an estimate of {estimand!r}: {every['note'].iloc[0]}")
    for side, name in (("before", "pre_trend"), ("after", "post_trend")):
        every[f"trend_{side}"] = fitted.of(name)["estimate"]
    every["kind"] = ["found" if is_found(row) else "not_found" for _, row in every.iterrows()]
    every.loc[every["doubt"] != "", "kind"] = "doubt"
    shown = pooled.loc[[name for name in SHOWN if name in pooled.index]].assign(kind="together")
    rows = [*range(len(every)), *range(len(every) + 1, len(every) + 1 + len(shown))]
    told = {} if names is None else names
    labels = [as_drawn(told.get(place, place)) for place in every.index]
    ax.set_yticks(rows, [*labels, *(METHODS[name] for name in shown.index)], fontsize="small")
    ax.set_ylim(rows[-1] + 1, -1)
    reach = 1.05 * min(np.nanmax(np.abs(as_logs(every[["low", "high"]].to_numpy()))), WIDEST)
    ax.set_xlim(-reach, reach)
    percent_axis(ax.xaxis, NARROW_TICKS if reach < 1.5 else WIDE_TICKS)
    text = {"fontsize": "small", "va": "center"}
    apart = text | {"ha": "center", "color": "0.4", "bbox": {"color": "white", "pad": 1}}
    beside = text | {"transform": ax.get_yaxis_transform()}
    if estimand == "slope":
        ax.text(1.04, -1, FIGURE["trends"], **beside | {"va": "bottom"})
    for row, (_, effect) in zip(rows, pd.concat([every, shown]).iterrows(), strict=True):
        trends = effect[["trend_before", "trend_after"]].astype(float).round() + 0  # no "-0"
        if pd.isna(effect["estimate"]):
            ax.text(0, row, FIGURE["missing"], **apart)
            continue
        _interval(ax, row, effect, reach)
        if estimand == "slope" and trends.notna().all():
            ax.text(1.04, row, "{:+.0f} → {:+.0f}".format(*trends), **beside)
    ax.axvline(0, **ZERO)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize="small")
    sns.despine(ax=ax, left=True)
    size = {"linewidth": 1.4, "markersize": 4.5}
    handles = [lines.Line2D([], [], label=FIGURE[kind], **size, **MARKS[kind]) for kind in MARKS]
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, handles=handles, **LEGEND)
    return ax


@checked
def plot_map(
    fitted: PlaceEffects,
    outlines: Mapping[str, Sequence[np.ndarray]],
    *,
    estimand: Estimand = "slope",
    ax: Ax = None,
) -> Axes:
    """Draw the places coloured by their shrunken effect; those without a reliable one are hatched.

    Parameters
    ----------
    fitted : PlaceEffects
        Of every place on the map.
    outlines : mapping
        As `analysis.load_outlines` gives it: place to rings, (n, 2) degrees of longitude, latitude.
    estimand : str
        Which effect.
    ax : Axes, optional

    Returns
    -------
    Axes
        An effect found with a false-discovery rate of 5% has a bold outline; a bar has the colours.
    """
    effects = fitted.of(estimand)
    fault = f"the map has {len(outlines)} places; found {name_some(effects.index.astype(str))}"
    require(set(effects.index) == set(outlines), f"{fault}. Give the outlines of these.")
    palette = colors.ListedColormap(sns.color_palette("PuOr_r", len(CLASSES) + 1))
    scale = cm.ScalarMappable(colors.BoundaryNorm(CLASSES, palette.N, extend="both"), palette)
    shapes = {np.shape(ring)[1:] for rings in outlines.values() for ring in rings}
    require(shapes == {(2,)}, "outlines must be rings (n, 2) of degrees; use load_outlines()")
    for place, rings in outlines.items():
        effect = effects.loc[place]
        doubtful = effect["doubt"] or np.isnan(effect["shrunken"])
        colour = HATCHED if doubtful else {"facecolor": scale.to_rgba(effect["shrunken"])}
        style = OUTLINE | colour | (BOLD | {"zorder": 2} if is_found(effect) else {})
        outline = path.Path.make_compound_path(*(path.Path(ring, closed=True) for ring in rings))
        ax.add_collection(collections.PathCollection([outline], **style))
    ax.autoscale_view()
    ax.set_aspect(1 / np.cos(np.radians(LATITUDE)))
    ax.axis("off")
    bar = plt.colorbar(scale, ax=ax, orientation="horizontal", shrink=0.8, pad=0.02, aspect=30)
    bar.set_ticks(CLASSES, labels=[f"{bound:+d}%" for bound in CLASSES], fontsize="small")
    bar.set_label(LABELS["map"][estimand], fontsize="small")
    kinds = {"doubt": HATCHED} | ({"found": BOLD} if effects["q"].notna().any() else {})
    handles = [patches.Patch(**OUTLINE | kinds[kind], label=LABELS["map"][kind]) for kind in kinds]
    ax.legend(handles=handles, loc="upper right", **LEGEND)
    return ax


def _interval(ax: Axes, row: int, effect: pd.Series, reach: float) -> None:
    """Draw an interval; an arrow stands where it goes on beyond the axis."""
    mark, width = MARKS[effect["kind"]], 3 if effect["kind"] == "together" else 1.4
    estimate, low, high = as_logs(effect[["estimate", "low", "high"]].astype(float))
    ends, colour = np.clip([low, high], -reach, reach), mark["color"]
    ax.plot(ends, [row, row], color=colour, linewidth=width, solid_capstyle="butt")
    for beyond, end, arrow in ((low < -reach, -reach, "<"), (high > reach, reach, ">")):
        if beyond:
            ax.plot(end, row, arrow, color=colour, markersize=4, clip_on=False)
    if abs(estimate) <= reach:
        ax.plot(estimate, row, linestyle="none", markersize=4.5, **mark)
