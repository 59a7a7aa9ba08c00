"""Break posteriors, placebos, specification curves and refits -> matplotlib Axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from analysis.its.breaks import BreakPosterior
from analysis.its.shifts import PolicyShift
from analysis.robustness.placebos import Placebos
from analysis.robustness.specifications import SIGNIFICANT, SpecificationCurve
from analysis.style import FITTED, LEGEND, REAL, ZERO

OTHER, NOT_SIGNIFICANT = "0.45", "0.75"


def plot_break_posterior(
    posterior: BreakPosterior, shift: PolicyShift | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw the probability of each date, the 95% set, and the official date.

    Parameters
    ----------
    posterior : BreakPosterior
        Of one break, or of two (then the probability that either is at a date).
    shift : PolicyShift, optional
        Marked by a line.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    probability, credible = posterior.by_period, posterior.credible
    dates = probability.index.to_timestamp()
    sides = [credible.get_level_values(level) for level in range(credible.nlevels)]
    inside = probability.index.isin(sides[0].union(sides[-1]))
    width = 0.8 * (dates[1] - dates[0]).days if len(dates) > 1 else 20
    parts = ((inside, FITTED, "95% set"), (~inside, NOT_SIGNIFICANT, "outside it"))
    for chosen, colour, label in parts:
        ax.bar(dates[chosen], probability[chosen], width=width, color=colour, label=label)
    if shift is not None:
        ax.axvline(shift.month.to_timestamp(), color=REAL, linewidth=1.2, label="official date")
    ax.set(xlabel="", ylabel="Probability of the break")
    ax.legend(**LEGEND)
    return ax


def plot_placebos(placebos: Placebos, estimand: str = "slope", *, ax: Axes | None = None) -> Axes:
    """Draw the placebo estimates of one estimand as a strip, and the real one as a line.

    Parameters
    ----------
    placebos : Placebos
        Of dates or of places.
    estimand : str
        A column of ``placebos.placebo``.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    values = placebos.placebo[estimand].dropna()
    sns.histplot(x=values, bins=20, color=NOT_SIGNIFICANT, edgecolor="white", ax=ax)
    sns.rugplot(x=values, color=OTHER, height=0.06, ax=ax)
    rank = placebos.rank.loc[estimand]
    if np.isfinite(rank["p"]):
        label = f"the real shift: {rank['rank']:.0f} of {rank['of']:.0f} by size"
        ax.axvline(placebos.real[estimand], color=REAL, linewidth=1.6, label=label)
        ax.legend(**LEGEND)
    unit = "%" if placebos.scale == "log" else "units"
    yearly = " per year" if estimand == "slope" else ""
    ax.set(xlabel=f"{estimand.replace('_', ' ')} change ({unit}{yearly})", ylabel="Placebos")
    return ax


def plot_curve(curve: SpecificationCurve, *, ax: Axes | None = None) -> Axes:
    """Draw every specification's estimate in order, coloured where p < 0.05.

    Parameters
    ----------
    curve : SpecificationCurve
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    table, null = curve.table, curve.joint.loc["median"]
    significant = (table["p"] < SIGNIFICANT).to_numpy()
    label = "95% of medians where nothing happened"
    ax.axhspan(null["null_low"], null["null_high"], color="0.92", label=label)
    parts = ((~significant, NOT_SIGNIFICANT, "p ≥ 0.05"), (significant, FITTED, "p < 0.05"))
    for chosen, colour, label in parts:
        place = np.flatnonzero(chosen)
        height = table["estimate"].to_numpy()[place]
        ax.scatter(place, height, s=3, color=colour, label=label, rasterized=True)
    ax.axhline(0, **ZERO)
    ax.axhline(null["observed"], color=REAL, linewidth=1, label="median")
    label = "Step (%)" if curve.estimand == "level" else "Change of slope (% per year)"
    ax.set(xlabel="", ylabel=label, xlim=(-1, len(table)))
    ax.legend(frameon=False, fontsize="x-small", ncols=2, loc="upper left")
    return ax


def plot_choices(curve: SpecificationCurve, *, ax: Axes | None = None) -> Axes:
    """Draw which choices each specification made, in the order of `plot_curve`.

    Parameters
    ----------
    curve : SpecificationCurve
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    table = curve.table
    rows = [(name, value) for name in curve.choices for value in sorted(table[name].unique())]
    style = {"s": 2, "marker": "|", "color": OTHER, "rasterized": True}
    for row, (name, value) in enumerate(rows):
        place = np.flatnonzero(table[name] == value)
        ax.scatter(place, np.full(len(place), row), **style)
    labels = [f"{name}: {str(value).replace('_', ' ')}" for name, value in rows]
    ax.set_yticks(range(len(rows)), labels, fontsize="xx-small")
    ax.set(xlabel="Specifications, by estimate", xlim=(-1, len(table)), ylim=(len(rows), -1))
    return ax


def plot_variation(variation: pd.DataFrame, change: str, *, ax: Axes | None = None) -> Axes:
    """Draw one interval for each setting of one change to the window.

    Parameters
    ----------
    variation : DataFrame
        As `vary_window` gives it, rows of one estimand.
    change : str
        One of its changes.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    rows = variation[variation["change"] == change].reset_index(drop=True)
    ax.fill_between(rows.index, rows["low"], rows["high"], color=FITTED, alpha=0.18)
    sns.lineplot(x=rows.index, y=rows["estimate"], marker="o", markersize=4, color=FITTED, ax=ax)
    ax.axhline(0, **ZERO)
    every = max(1, len(rows) // 5)
    ax.set_xticks(rows.index[::every], rows["setting"][::every], rotation=30, fontsize="x-small")
    ax.set(xlabel="", ylabel="", title=change)
    ax.title.set_size("small")
    return ax
