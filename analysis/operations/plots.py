"""Event studies and operations reassigned at random -> matplotlib Axes."""

from typing import Annotated

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from analysis.arguments import Ax, checked, table
from analysis.checks import require
from analysis.its.series import as_logs
from analysis.operations.event_study import EventStudy
from analysis.operations.randomisation import Randomisation, ReassignedEventStudy
from analysis.style import REAL, ZERO, interval_rows, legend_above, percent_axis

BAND = "0.85"
PERCENT_TICKS = (-75, -50, -25, 0, 50, 100, 200, 400, 900)
AGAINST = "Rate against states not reached (log scale)"
COLUMNS = ("reassigned_low", "reassigned_high", "alone", "without")
Varied = Annotated[pd.DataFrame, table(numbers=COLUMNS)]
DIGITS = 4  # of a percent: what is drawn does not follow the last bits of an iteration


@checked
def plot_event_study(
    study: EventStudy, reassigned: ReassignedEventStudy | None = None, *, ax: Ax = None
) -> Axes:
    """Draw the effect of every few months with its clustered 95% interval, and the leads marked.

    Parameters
    ----------
    study : EventStudy
    reassigned : ReassignedEventStudy, optional
        A grey band: where 95% of the effects lie if the operations are reassigned at random.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    effects = study.effects.round(DIGITS)
    middle = effects.index + (effects["months"] - 1) / 2
    if reassigned is not None:
        band = reassigned.bins[["low", "high"]].round(DIGITS).reindex(effects.index, fill_value=0.0)
        style = {"color": BAND, "linewidth": 0, "label": "95% of random reassignments"}
        ax.fill_between(middle, *as_logs(band).to_numpy().T, **style)
    estimate, low, high = (as_logs(effects[name]) for name in ("estimate", "low", "high"))
    known = effects["p"].notna()
    for chosen, face, label in (
        (known & (effects.index < 0), "white", "before, 95% interval"),
        (known & (effects.index >= 0), REAL, "under the operation"),
        (~known, "black", "the quarter compared with"),
    ):
        reach = [(estimate - low)[chosen], (high - estimate)[chosen]]
        colour = "black" if face == "black" else REAL
        style = {"fmt": "o", "color": colour, "markerfacecolor": face, "capsize": 3}
        ax.errorbar(middle[chosen], estimate[chosen], reach, label=label, **style)
    ax.axhline(0, **ZERO)
    ax.axvline(-0.5, **ZERO, linestyle="--")
    ax.set_xticks(range(effects.index[0], effects.index[-1] + effects["months"].iloc[-1] + 1, 6))
    percent_axis(ax.yaxis, PERCENT_TICKS)
    ax.set(xlabel="Months since the operation's first month", ylabel=AGAINST)
    legend_above(ax, ncols=2)
    return ax


@checked
def plot_randomisation(test: Randomisation, *, ax: Ax = None) -> Axes:
    """Draw the estimates of operations reassigned at random, and the real one with its interval.

    Parameters
    ----------
    test : Randomisation
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    sns.histplot(x=as_logs(test.placebo), bins=30, color="0.75", edgecolor="white", ax=ax)
    ends = [end for end in as_logs(np.array([test.low, test.high])) if np.isfinite(end)]
    if len(ends) == 2:
        ax.axvspan(*ends, color=REAL, alpha=0.15, linewidth=0, label="95% interval of the effect")
    label = f"the real operations, p = {test.p:.2g}"
    ax.axvline(as_logs(test.estimate), color=REAL, linewidth=1.6, label=label)
    percent_axis(ax.xaxis, PERCENT_TICKS)
    ax.set(xlabel=AGAINST, ylabel="Reassignments")
    legend_above(ax, ncols=1)
    return ax


@checked
def plot_operations(table: Varied, *, ax: Ax = None) -> Axes:
    """Draw each operation alone among its reassignments, and all the others without it.

    Parameters
    ----------
    table : DataFrame
        As `vary_operations` gives it.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    possible = (table[[*COLUMNS]].fillna(0) >= -100).all(axis=None)
    require(bool(possible), "table must hold percent, none below -100, as vary_operations gives it")
    place = range(len(table))
    ends = as_logs(table["reassigned_low"]), as_logs(table["reassigned_high"])
    ax.hlines(place, *ends, color=BAND, linewidth=9, label="95% of its reassignments")
    ax.plot(as_logs(table["alone"]), place, "o", color=REAL, label="the operation alone")
    ax.plot(as_logs(table["without"]), place, "D", color="0.45", label="all the others")
    interval_rows(ax, table.index, grid=False)
    percent_axis(ax.xaxis, (-75, -50, 0, 100, 300, 900))
    ax.set(xlabel=AGAINST, ylabel="")
    legend_above(ax, ncols=2)
    return ax
