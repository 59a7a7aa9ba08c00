"""Synthetic controls, their placebos and starts -> matplotlib Axes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.style import FITTED, LEGEND, REAL, ZERO, as_drawn, interval_rows, legend_above
from analysis.synthetic.control import SyntheticControl
from analysis.synthetic.study import CONFIDENCE, UNIT, PlaceboCountries, SyntheticStudy

OTHER = "0.7"


def plot_synthetic(placebos: PlaceboCountries, names: pd.Series, *, ax: Axes) -> Axes:
    """Draw a unit's rate, its synthetic control's, and the latter moved to meet it before."""
    real, name = placebos.real, as_drawn(names[placebos.real.treated])
    changes = placebos.intervals().drop("average")
    years, observed = changes.index.to_numpy(dtype=float), real.observed.loc[real.first_year :]
    most = max(real.observed.max(), real.synthetic.max())
    ends = (observed.to_numpy() - changes[["high", "low"]].to_numpy().T).clip(0, 2 * most)  # cut
    label = f"synthetic {name} (explains {real.explained:.0%})"
    ax.plot(real.observed, color=REAL, marker="o", markersize=3, label=f"{name} observed")
    ax.plot(real.synthetic, color=FITTED, linestyle="--", label=label)
    label = f"moved to meet it in {real.first_year - 1}"
    ax.plot(observed - real.changes(), color=FITTED, linestyle=":", label=label)
    label = f"{CONFIDENCE:.0%} prediction interval"
    ax.fill_between(years, *ends, color=FITTED, alpha=0.18, linewidth=0, label=label)
    ax.set(ylabel=UNIT.capitalize(), ylim=(0, 1.4 * most))
    return _finish(ax, real)


def plot_placebo_gaps(placebos: PlaceboCountries, names: pd.Series, *, ax: Axes) -> Axes:
    """Draw the gap of the unit among those of the placebo countries, each from its year before."""
    real = placebos.real
    # A placebo without error before the change has no multiple of it to be drawn in.
    fits = [real, *(fit for fit in placebos.placebo.values() if fit.rmspe > 0)]
    own, *drawn = ((fit.gap - fit.before.iloc[-1]) / fit.rmspe for fit in fits)
    after = np.concatenate([gap.loc[real.first_year :].abs() for gap in drawn])
    reach = max(1.3 * own.abs().max(), np.quantile(after, 0.9))
    lines = ax.plot(pd.concat(drawn, axis=1), color=OTHER, linewidth=0.8)
    lines[0].set_label(f"{len(drawn)} placebo countries")
    ax.plot(own, color=REAL, linewidth=2, label=as_drawn(names[real.treated]))
    ax.axhline(0, **ZERO)
    ylabel = f"Gap less that of {real.first_year - 1}, in\nmultiples of the error before"
    ax.set(ylabel=ylabel, ylim=(-reach, reach))
    return _finish(ax, real)


def plot_starts(study: SyntheticStudy, *, ax: Axes) -> Axes:
    """Draw the mean change by first year of the panel, with other choices, if there is a number."""
    table, fits = study.intervals.xs("average", level=1), study.controls.items()
    labels = [f"{year} ({len(fit.weights)}, {fit.explained:.0%})" for year, fit in fits]
    interval_rows(ax, labels, zero=study.has_number)
    rows = "First year of the panel (donors,\nshare of the variance explained)"
    ax.set(xlabel=f"Mean change of the gap,\n{UNIT}", ylabel=rows)
    if not study.has_number:
        said = "no number: the mixture explains\nless than half of the variance"
        ax.text(0.5, 0.5, said, transform=ax.transAxes, ha="center", va="center")
        ax.set(xlim=(-1, 1), xticks=[])
        return ax
    place, size = np.arange(len(table)), 2.5 * table["estimate"].abs().max()
    # An interval that reaches the frame goes on.
    ax.hlines(place, *table[["low", "high"]].clip(-2 * size, 2 * size).T.to_numpy(), color=REAL)
    ax.plot(table["estimate"], place, "o", color=REAL, markersize=4, label="as declared")
    beside = study.beside.round(4)  # solved to some seven digits: the next hang on the processor
    between = table.index.get_indexer(beside["start"]) + 0.25
    ax.plot(beside["estimate"], between, "x", color=FITTED, markersize=4, label="other choices")
    ax.set_xlim(-size, size)
    legend_above(ax, ncols=2)
    return ax


def _finish(ax: Axes, control: SyntheticControl) -> Axes:
    """Mark the change, in whole years, and add the legend."""
    ax.axvline(control.first_year - 0.5, color="0.3", label=f"from {control.first_year} on")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    # Below the axis: curves may go anywhere inside the frame.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, **LEGEND)
    return ax
