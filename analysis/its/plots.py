"""Draw results on matplotlib Axes: nothing here shows, saves or sets a global style."""

from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator

from analysis.arguments import Ax, Frames, checked, table
from analysis.its.counterfactual import Kind
from analysis.its.design import omitted_periods
from analysis.its.model import Estimand
from analysis.its.result import ITSResult
from analysis.its.series import fill_missing, has_counts, outcome, periods_of
from analysis.its.shifts import PolicyShift
from analysis.its.words import WORDS, name_unit
from analysis.language import say_runs
from analysis.style import COLOURS, LABELS, ZERO, as_drawn, interval_rows, legend_above, name_line

KINDS: tuple[Kind, ...] = ("segmented", "forecast")
ENDS = ("estimate", "low", "high")
Estimates = Annotated[pd.DataFrame, table("label", "source", numbers=ENDS)]
Comparison = Annotated[pd.DataFrame, table("estimator", "estimand", numbers=ENDS)]
SAID = WORDS.block("plots")


@checked
def plot_series(series: Frames, shifts: Iterable[PolicyShift] = (), *, ax: Ax = None) -> Axes:
    """Draw the monthly rate of one or more sources with every shift as a labelled line.

    Parameters
    ----------
    series : dict
        Label (``"inegi"``, ``"sesnsp"``, or one's own) to a series as `load_series` gives it.
    shifts : iterable of PolicyShift
        Each is drawn at its first month; a range of months as a band.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    for label, given in series.items():
        frame = fill_missing(given)
        name = label.upper() if label in COLOURS else as_drawn(label)
        rate = outcome(frame, "rate" if has_counts(frame) else "value")
        _line(pd.Series(rate, frame.index), label=name, color=COLOURS.get(label), ax=ax)
    for shift in shifts:
        name_line(ax, _mark_shift(ax, shift), shift.title or shift.slug)
    ax.set(xlabel="", ylabel=LABELS["rate"])
    ax.set_ylim(0, 1.6 * ax.get_ylim()[1])  # room for the shifts' names above the curves
    ax.legend(frameon=False, loc="upper left")
    return ax


@checked
def plot_fit(result: ITSResult, *, ax: Ax = None) -> Axes:
    """Draw observed rates, the fit, and both counterfactuals, where there are any, with 95% bands.

    Parameters
    ----------
    result : ITSResult
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    observed = result.observed
    dates = periods_of(observed).to_timestamp()
    out = omitted_periods(periods_of(observed), result.shift.omit)
    dots: dict[str, Any] = {"s": 14, "color": "0.45", "label": SAID["observed"]}
    dots |= {"edgecolor": "white", "linewidth": 0.08 * np.sqrt(dots["s"])}
    told = ~out & observed.notna().to_numpy()
    ax.scatter(dates[told], observed[told], **dots)
    if out.any():
        ax.plot(dates[out], observed[out], "o", ms=4, mfc="none", mec="0.45", label=SAID["omitted"])
    _line(result.fitted, color=COLOURS["fit"], label=SAID["fit"], ax=ax)
    for kind in () if result._model.counted else KINDS:  # counts without deaths have no path
        expected = result.counterfactual(kind).iloc[result.n_before :]
        _band(ax, kind, SAID[kind], expected["expected"], expected["low"], expected["high"])
    first = _mark_shift(ax, result.shift)
    above: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "ha": "center", "color": "0.25"}
    ax.text(first, 1.015, say_runs(result.shift.months), fontsize="small", **above)
    ax.set(xlabel="", ylabel=SAID["value"])
    shown = pd.concat([observed, result.fitted])
    top, bottom, (low, high) = shown.max(), shown.min(), ax.get_ylim()
    floor, ceiling = min(0, bottom - (top - bottom)), top + (top - min(0, bottom))
    ax.set_ylim(max(low, floor), min(high, ceiling))  # a band may run far beyond the data
    if result.scale != "value":
        ax.set(ylabel=_name_rate(result), ylim=(0, ax.get_ylim()[1]))
    title = {"title": result.shift.title or result.shift.slug, "borderaxespad": 2.2}
    legend_above(ax, 2, title_fontproperties={"weight": "bold"}, **title)
    return ax


@checked
def plot_gap(result: ITSResult, *, ax: Ax = None) -> Axes:
    """Draw observed minus expected under both counterfactuals, with their 95% bands.

    Parameters
    ----------
    result : ITSResult
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    largest = 0.1 * result.observed.max()
    for kind in KINDS:
        expected = result.counterfactual(kind).iloc[result.n_before :]
        gap, low, high = (expected["observed"] - expected[x] for x in ("expected", "high", "low"))
        _band(ax, kind, SAID[f"gap_{kind}"], gap, low, high)
        largest = max(largest, gap.abs().max())
    ax.plot(periods_of(result.series)[[0, -1]].to_timestamp(), [0, 0], **ZERO)  # the whole window
    _mark_shift(ax, result.shift)
    measured = result.scale != "value" and _name_rate(result) == LABELS["rate"]
    ax.set(xlabel="", ylabel=SAID["gap_rate" if measured else "gap_value"])
    bottom, top = ax.get_ylim()
    ax.set_ylim(max(bottom, -2.5 * largest), min(top, 2.5 * largest))
    legend_above(ax, 2)
    return ax


@checked
def plot_effects(estimates: Estimates, *, ax: Ax = None) -> Axes:
    """Draw one interval per row: the estimate, its 95% interval, and what it was made from.

    Parameters
    ----------
    estimates : DataFrame
        Columns `label` (row of the figure), `source` (its colour), `estimate`, `low`, `high`, in
        percent.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    labels, sources = (estimates[name].unique().tolist() for name in ("label", "source"))
    for number, source in enumerate(sources):
        part = estimates[estimates["source"] == source]
        place = part["label"].map(labels.index) + 0.14 * (2 * number - (len(sources) - 1))
        reach = [part["estimate"] - part["low"], part["high"] - part["estimate"]]
        style = {"fmt": "o", "color": COLOURS.get(source, "0.3"), "capsize": 3}
        ax.errorbar(part["estimate"], place, xerr=reach, label=source.upper(), **style)
    interval_rows(ax, labels)
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:+.0f}%" if x else "0")
    ax.set(xlabel=SAID["effects"], ylabel="")
    legend_above(ax, len(sources))
    return ax


@checked
def plot_comparison(
    comparison: Comparison, estimand: Estimand = "slope", *, unit: str = "", ax: Ax = None
) -> Axes:
    """Draw one interval per estimator for one estimand, the headline in colour.

    Parameters
    ----------
    comparison : DataFrame
        As `compare_estimators` gives it.
    estimand : str
        One of its estimands.
    unit : str, optional
        Of `ITSResult.units`, named below the axis.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    rows = comparison[comparison["estimand"] == estimand]
    for place, (name, estimate, low, high) in enumerate(rows[["estimator", *ENDS]].to_numpy()):
        if np.isnan(estimate):
            ax.annotate(SAID["none"], (0, place), fontsize="small", color="0.4", va="center")
            continue
        colour = COLOURS["fit"] if name in ("reml", "count_reml") else "0.35"
        ends = [[estimate - low], [high - estimate]]
        ax.errorbar(estimate, place, xerr=ends, fmt="o", color=colour, capsize=3)
    interval_rows(ax, [WORDS["estimators"].get(name, name) for name in rows["estimator"]])
    ax.tick_params(axis="y", labelsize="small")
    told = {"name": WORDS["estimands"][estimand], "unit": unit and f" ({name_unit(unit)})"}
    ax.set_xlabel(SAID["comparison"].format(**told), fontsize="small")
    return ax


plot_panel = plot_comparison  # its former name


def _name_rate(result: ITSResult) -> str:
    """Return the unit of what is drawn, for an axis."""
    measure = result._model.attrs["measure"]
    return LABELS["rate"] if measure["kind"] == "deaths" else as_drawn(measure["unit"]).capitalize()


def _line(values: pd.Series, *, ax: Axes, **style: Any) -> None:
    """Draw one value a period, across those without one."""
    known = values.dropna()
    ax.plot(periods_of(known).to_timestamp(), known.to_numpy(), **style)


def _band(ax: Axes, kind: Kind, name: str, mid: pd.Series, low: pd.Series, high: pd.Series) -> None:
    ax.fill_between(periods_of(mid).to_timestamp(), low, high, color=COLOURS[kind], alpha=0.18)
    _line(mid, color=COLOURS[kind], linestyle="--", label=name, ax=ax)


def _mark_shift(ax: Axes, shift: PolicyShift) -> Any:
    """Draw a line at the first month, and a band over a range of them; return where."""
    dates: list[Any] = [month.to_timestamp() for month in shift.months]  # an Axes takes dates too
    first, last = dates[0], dates[-1]
    if first != last:
        ax.axvspan(first, last, color="0.3", alpha=0.15, linewidth=0)
    ax.axvline(first, color="0.3", linewidth=1, label="_shift")
    ax.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=7))  # of a narrow figure
    return first
