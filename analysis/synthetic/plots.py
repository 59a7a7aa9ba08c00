"""Synthetic controls, their placebos and their weights -> matplotlib Axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.style import FITTED, LEGEND, REAL, ZERO, legend_above
from analysis.synthetic.control import SyntheticControl
from analysis.synthetic.placebos import CONFIDENCE, PlaceboCountries

OTHER = "0.7"
UNIT = "deaths per 100,000 and year"


def plot_synthetic(placebos: PlaceboCountries, names: pd.Series, *, ax: Axes | None = None) -> Axes:
    """Draw a unit's rate and its synthetic control's, and its interval after the change."""
    ax = ax or plt.gca()
    real = placebos.real
    gaps = placebos.intervals().drop("average")
    years, observed = gaps.index.to_numpy(dtype=float), real.observed.loc[real.first_year :]
    most = max(real.observed.max(), real.synthetic.max())
    ends = observed.to_numpy() - gaps[["high", "low"]].to_numpy().T
    name = names[real.treated]
    ax.plot(real.observed, color=REAL, marker="o", markersize=3, label=f"{name} observed")
    ax.plot(real.synthetic, color=FITTED, linestyle="--", label=f"synthetic {name}")
    label = f"{CONFIDENCE:.0%} interval of the synthetic rate"
    ends = ends.clip(0, 2 * most)  # what goes beyond is cut
    ax.fill_between(years, *ends, color=FITTED, alpha=0.18, linewidth=0, label=label)
    ax.set(ylabel=UNIT.capitalize(), ylim=(0, 1.4 * most))
    return _finish(ax, real)


def plot_placebo_gaps(
    placebos: PlaceboCountries, names: pd.Series, *, ax: Axes | None = None
) -> Axes:
    """Draw the gap of the unit among those of the placebo countries, over their errors before."""
    ax = ax or plt.gca()
    real = placebos.real
    # A placebo without error before the change has no multiple of it to be drawn in.
    drawn = [fit.gap / fit.rmspe for fit in placebos.placebo.values() if fit.rmspe > 0]
    after = np.concatenate([gap.loc[real.first_year :].abs() for gap in drawn])
    reach = max(1.3 * (real.gap / real.rmspe).abs().max(), np.quantile(after, 0.9))
    lines = ax.plot(pd.concat(drawn, axis=1), color=OTHER, linewidth=0.8)
    lines[0].set_label(f"{len(drawn)} placebo countries")
    ax.plot(real.gap / real.rmspe, color=REAL, linewidth=2, label=names[real.treated])
    ax.axhline(0, **ZERO)
    ax.set(ylabel="Gap in multiples of the\nerror before the change", ylim=(-reach, reach))
    return _finish(ax, real)


def plot_weights(control: SyntheticControl, names: pd.Series, *, ax: Axes | None = None) -> Axes:
    """Draw the weight of every donor that has one."""
    ax = ax or plt.gca()
    weights = control.carrying[::-1]
    bars = ax.barh(names[weights.index], weights.to_numpy(), color=FITTED)
    ax.bar_label(bars, [f"{weight:.0%}" for weight in weights], padding=3, fontsize="small")
    none = len(control.weights) - len(weights)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set(xlabel=f"Weight ({none} other donors: none)", xlim=(0, 1.2 * weights.max()))
    return ax


def plot_left_out(
    control: SyntheticControl, left_out: dict[str, SyntheticControl], *, ax: Axes | None = None
) -> Axes:
    """Draw the gap of the full fit, and of each fit without one donor."""
    ax = ax or plt.gca()
    gaps = pd.concat([fit.gap for fit in left_out.values()], axis=1)
    ax.plot(gaps, color=FITTED, linewidth=0.9, alpha=0.7)[0].set_label("one donor left out")
    ax.plot(control.gap, color=REAL, linewidth=2, label="all donors")
    ax.axhline(0, **ZERO)
    ax.set_ylabel("Gap, " + UNIT.replace(" and", "\nand"))
    return _finish(ax, control)


def plot_starts(starts: pd.DataFrame, chosen: int, *, ax: Axes | None = None) -> Axes:
    """Draw the average gap by first year of the panel, an arrow where an interval goes on."""
    ax = ax or plt.gca()
    size = max(2.5 * starts["average"].abs().max(), 1)
    for colour, label, rows in (
        (FITTED, "other starts", starts.drop(index=chosen)),
        (REAL, f"start in {chosen}, by the rule", starts.loc[[chosen]]),
    ):
        ax.vlines(rows.index, *rows[["low", "high"]].clip(-size, size).T.to_numpy(), color=colour)
        ax.plot(rows["average"], "o", color=colour, markersize=4, label=label)
        for name, side, arrow in (("low", -1, "v"), ("high", 1, "^")):
            beyond = rows.index[side * rows[name] > size]
            if len(beyond):  # an empty line that is not clipped would move the layout
                ends = np.full(len(beyond), side * size)
                ax.plot(beyond, ends, arrow, color=colour, clip_on=False)
    ax.axhline(0, **ZERO)
    donors = [f"{year}\n{number:.0f}" for year, number in starts["donors"].items()]
    ax.set_xticks(starts.index, donors, fontsize="small")
    ylabel = "Average gap, " + UNIT.replace(" per", "\nper")
    ax.set(xlabel="First year of the panel, and donors", ylabel=ylabel, ylim=(-size, size))
    legend_above(ax, ncols=2)
    return ax


def _finish(ax: Axes, control: SyntheticControl) -> Axes:
    """Mark the change, in whole years, and add the legend."""
    ax.axvline(control.first_year - 0.5, color="0.3", linewidth=1)
    style = {"ha": "center", "va": "bottom", "fontsize": "small", "color": "0.25"}
    style |= {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    ax.annotate(f"from {control.first_year}", (control.first_year - 0.5, 1), (0, 2), **style)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("")
    # Below the axis: curves may go anywhere inside the frame.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, **LEGEND)
    return ax
