"""Break posteriors, placebos, specification curves and refits -> matplotlib Axes."""

from functools import partial
from typing import Annotated

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator

from analysis.arguments import Ax, check_named, checked, table
from analysis.checks import check_known
from analysis.its.breaks import BreakPosterior
from analysis.its.shifts import PolicyShift
from analysis.its.words import WORDS as ITS
from analysis.robustness.placebos import JUDGED, Placebos
from analysis.robustness.specifications import SIGNIFICANT, SpecificationCurve
from analysis.robustness.words import NAMES, UNITS, WORDS, name_choice, name_months
from analysis.style import FITTED, REAL, ZERO, legend_above

Judged = Annotated[str, partial(check_named, known=JUDGED, what="estimand")]
Variation = Annotated[pd.DataFrame, table("change", "setting", numbers=("estimate", "low", "high"))]
OTHER, NOT_SIGNIFICANT = "0.45", "0.75"
SAID = WORDS.block("plots")


@checked
def plot_break_posterior(
    posterior: BreakPosterior, shift: PolicyShift | None = None, *, ax: Ax = None
) -> Axes:
    """Draw the probability of each date, the 95% set, and the official date.

    Parameters
    ----------
    posterior : BreakPosterior
        Of one break, or of two (then the probability that either is at a date).
    shift : PolicyShift, optional
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    probability, credible = posterior.by_period, posterior.credible
    dates = probability.index.to_timestamp()
    sides = [credible.get_level_values(level) for level in range(credible.nlevels)]
    inside = probability.index.isin(sides[0].union(sides[-1]))
    width = 0.8 * (dates[1] - dates[0]).days if len(dates) > 1 else 20
    parts = ((inside, FITTED, "inside"), (~inside, NOT_SIGNIFICANT, "outside"))
    for chosen, colour, label in parts:
        if chosen.any():
            ax.bar(dates[chosen], probability[chosen], width, color=colour, label=SAID[label])
    if shift is not None:
        ax.axvline(shift.month.to_timestamp(), color=REAL, linewidth=1.2, label=SAID["official"])
    ax.xaxis.set_major_locator(AutoDateLocator(maxticks=7))
    ax.set(xlabel="", ylabel=SAID["probability"])
    legend_above(ax, 3)
    return ax


@checked
def plot_placebos(placebos: Placebos, estimand: Judged = "slope", *, ax: Ax = None) -> Axes:
    """Draw the placebo estimates of one estimand as a strip, and the real one as a line.

    Parameters
    ----------
    placebos : Placebos
    estimand : str
        A column of ``placebos.placebo``.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    values, rank = placebos.placebo[estimand].dropna(), placebos.rank.loc[estimand]
    sns.histplot(x=values, bins=20, color=NOT_SIGNIFICANT, edgecolor="white", ax=ax)
    sns.rugplot(x=values, color=OTHER, height=0.06, ax=ax)
    if np.isfinite(rank["p"]):
        label = SAID["real"].format(**rank)
        ax.axvline(placebos.real[estimand], color=REAL, linewidth=1.6, label=label)
        legend_above(ax, 1)
    unit = "%" if placebos.scale == "log" else "units"
    yearly = " per year" if estimand == "slope" else ""
    ax.set(xlabel=f"{ITS['estimands'][estimand]} ({unit}{yearly})", ylabel="Placebos")
    return ax


@checked
def plot_curve(curve: SpecificationCurve, *, ax: Ax = None) -> Axes:
    """Draw every specification's estimate in order, coloured where p < 0.05.

    Parameters
    ----------
    curve : SpecificationCurve
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    table, null = curve.table, curve.joint.loc["median"]
    significant = (table["p"] < SIGNIFICANT).to_numpy()
    ax.axhspan(null["null_low"], null["null_high"], color="0.92", label=SAID["null"])
    parts = ((~significant, NOT_SIGNIFICANT, "many"), (significant, FITTED, "few"))
    for chosen, colour, label in parts:
        height = table["estimate"][chosen]
        ax.scatter(height.index, height, s=3, color=colour, label=SAID[label], rasterized=True)
    ax.axhline(0, **ZERO)
    ax.axhline(null["observed"], color=REAL, linewidth=1, label=SAID["median"])
    label = f"{NAMES[curve.estimand]} ({UNITS[curve.estimand]})".capitalize()
    ax.set(xlabel="", ylabel=label, xlim=(-1, len(table)))
    legend_above(ax, 2, markerscale=3)
    return ax


@checked
def plot_choices(curve: SpecificationCurve, *, ax: Ax = None) -> Axes:
    """Draw which choices each specification made, in the order of `plot_curve`.

    Parameters
    ----------
    curve : SpecificationCurve
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    table = curve.table
    rows: list[tuple] = []  # a heading, then its values
    for name in curve.choices:
        values = sorted(table[name].unique())
        if len(values) > 1:  # else there was nothing to choose
            rows += [(name, "title"), *((name, value) for value in values)]
    style = {"s": 8, "marker": "|", "color": OTHER, "linewidths": 0.5, "alpha": 0.4}
    for row, (name, value) in enumerate(rows):
        place = np.flatnonzero(table[name] == value)
        ax.scatter(place, np.full(len(place), row), rasterized=True, **style)
    ax.set_yticks(range(len(rows)), [name_choice(*row) for row in rows], fontsize="small")
    for label, (_, value) in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if value == "title" else "normal")
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel=SAID["specifications"], xlim=(-1, len(table)), ylim=(len(rows), -1))
    return ax


@checked
def plot_variation(variation: Variation, change: str, *, ax: Ax = None) -> Axes:
    """Draw one interval for each setting of one change to the window.

    Parameters
    ----------
    variation : DataFrame
        As `vary_window` gives it, rows of one estimand.
    change : str
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    check_known(change, variation["change"].unique(), "change")
    rows = variation[variation["change"] == change].reset_index(drop=True)
    ax.fill_between(rows.index, rows["low"], rows["high"], color=FITTED, alpha=0.18)
    style = {"color": FITTED, "markersize": 4, "markeredgecolor": "white", "markeredgewidth": 0.75}
    ax.plot(rows["estimate"].dropna(), "o-", **style)
    ax.axhline(0, **ZERO)
    every = -(-len(rows) // 5)
    names = [name_months(setting, "yMMM") for setting in rows["setting"][::every]]
    ax.set_xticks(rows.index[::every], names, fontsize="small")
    ax.set(xlabel=WORDS["changes"][change], ylabel="")
    return ax
