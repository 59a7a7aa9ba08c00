"""The front page's pictures: the nation's rate with every shift on it, and a small one of each."""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.its.flags import gap_months
from analysis.its.series import rate_of
from analysis.its.shifts import PolicyShift
from analysis.language import Words, say_month
from analysis.mexico.record import IMPUTED, SOURCES
from analysis.mexico.sources import load_series
from analysis.report.cards import tell_trends
from analysis.style import COLOURS, LEGEND, WIDTH, interval_rows

WORDS = Words("front.toml", "picture")
CLOSE = 30  # months between shifts below which their numbers would touch
SMALL = (1.5, 0.55)  # inches of a picture without any text


def yearly_rate(series: pd.DataFrame) -> pd.Series:
    """Return the rate of the twelve months around each month: six before it, five after."""
    sums = series[["deaths", "person_years"]].rolling(12).sum().shift(-5).dropna()
    return rate_of(sums["deaths"], sums["person_years"])


def plot_rate(
    series: Mapping[str, pd.DataFrame],
    shifts: Iterable[PolicyShift],
    expected: Iterable[pd.DataFrame] = (),
) -> Figure:
    """Draw the rate of each source with every shift as a numbered line, and the record's holes.

    `expected` are counterfactual paths, as `ITSResult.counterfactual` gives them.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    for source, frame in series.items():
        rate, name = rate_of(frame["deaths"], frame["person_years"]), SOURCES[source].name
        ax.plot(rate.index.to_timestamp(), rate, color=COLOURS[source], linewidth=0.5, alpha=0.45)
        smooth = yearly_rate(frame)
        ax.plot(smooth.index.to_timestamp(), smooth, color=COLOURS[source], linewidth=2, label=name)
    for path in expected:
        dates, style = path.index.to_timestamp(), {"color": COLOURS["forecast"]}
        ax.plot(dates, path["expected"], linestyle="--", label=WORDS["expected"], **style)
        ax.fill_between(dates, path["low"], path["high"], alpha=0.18, linewidth=0, **style)
    imputed = IMPUTED[[0, -1]].to_timestamp()
    ax.axvspan(*imputed, color="0.92", linewidth=0, label=WORDS["imputed"])
    gaps = gap_months([gap for frame in series.values() for gap in frame.attrs["gaps"]])
    style = {"color": "0.4", "linestyle": "", "marker": "|", "markersize": 5, "clip_on": False}
    dates = pd.PeriodIndex(gaps, freq="M").to_timestamp()
    ax.plot(dates, [0] * len(dates), label=WORDS["gap"], **style)
    ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
    _number_shifts(ax, list(shifts))
    ax.set(xlabel="", ylabel=WORDS["rate"])
    ax.spines[["top", "right"]].set_visible(False)
    fig.legend(loc="outside lower center", ncols=2, **LEGEND)
    return fig


def _number_shifts(ax: Axes, shifts: list[PolicyShift]) -> None:
    """Draw a line for each shift, its number above; a close neighbour's number stands lower."""
    box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "0.3"}
    style = {"ha": "center", "va": "center", "fontsize": "small", "bbox": box}
    height = 1.0
    for number, shift in enumerate(shifts, start=1):
        close = number > 1 and (shift.month - shifts[number - 2].month).n < CLOSE
        height = height - 0.09 if close else 0.98
        date = shift.month.to_timestamp()
        ax.axvline(date, ymax=height, color="0.3", linewidth=0.8)
        ax.text(date, height, str(number), transform=ax.get_xaxis_transform(), **style)


def tell_rate(series: Mapping[str, pd.DataFrame], shifts: int) -> str:
    """Return the picture of the rate in words, from its numbers."""
    first, second = series.values()
    main, other = yearly_rate(first), yearly_rate(second)
    low, high, end = main.idxmin(), main.idxmax(), main.index[-1]
    told = {"start": main.iloc[0], "end": main[end], "low": main[low], "high": main[high]}
    told |= {"other": other.iloc[-1], "shifts": shifts}
    months = {"first": first.index[0], "last": second.index[-1], "end_month": end}
    months |= {"low_month": low, "high_month": high, "other_month": other.index[-1]}
    return WORDS["alt"].format(**told, **{name: say_month(at) for name, at in months.items()})


def plot_trends(cards: pd.DataFrame) -> Figure:
    """Draw each change of trend with its interval, the trend before and after written above it."""
    fig, ax = plt.subplots(figsize=(WIDTH, 0.55 * len(cards) + 0.8), layout="constrained")
    for place, (_, card) in enumerate(cards.iterrows()):
        reach = [[card["estimate"] - card["low"]], [card["high"] - card["estimate"]]]
        colour = COLOURS[card["source"]]
        ax.errorbar(card["estimate"], place, xerr=reach, fmt="o", color=colour, capsize=3)
        name = Words("front.toml", "names")[card["shift"]]
        said = f"{name} ({SOURCES[card['source']].name}): {tell_trends(card, 'arrow')}"
        style = {"transform": ax.get_yaxis_transform(), "fontsize": "small", "va": "bottom"}
        style |= {"bbox": {"facecolor": "white", "linewidth": 0, "pad": 1}, "in_layout": False}
        ax.text(0, place - 0.2, said[0].upper() + said[1:], **style)
    interval_rows(ax, [""] * len(cards))
    ax.set_ylim(len(cards) - 0.5, -0.9)
    ax.tick_params(left=False)
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:+.0f}%" if x else "0")
    ax.set_xlabel(WORDS["trends"])
    ax.spines[["top", "right", "left"]].set_visible(False)
    return fig


def load_window(shift: PolicyShift) -> pd.DataFrame:
    """Load a shift's window, of the last of its sources."""
    return load_series(shift.sources[-1], place=shift.places).loc[shift.start : shift.end]


def plot_small(series: pd.DataFrame, shift: PolicyShift) -> Figure:
    """Draw the rate in a shift's window, without a word: a line marks the shift."""
    fig, ax = plt.subplots(figsize=SMALL)
    rate = rate_of(series["deaths"], series["person_years"])
    ax.plot(rate.index.to_timestamp(), rate, color="0.75", linewidth=0.8)
    smooth = yearly_rate(series)
    ax.plot(smooth.index.to_timestamp(), smooth, color=COLOURS["fit"], linewidth=1.5)
    ax.axvline(shift.month.to_timestamp(), color="0.2", linewidth=1)
    ax.set_ylim(0, 1.05 * rate.max())
    ax.set_axis_off()
    fig.subplots_adjust(0, 0, 1, 1)
    return fig


def tell_small(series: pd.DataFrame, shift: PolicyShift) -> str:
    """Return a small picture in words."""
    first, last = (say_month(month) for month in series.index[[0, -1]])
    year = {"before": series.loc[: shift.month - 1].tail(12), "after": series.tail(12)}
    rates = {name: rate_of(*part[["deaths", "person_years"]].sum()) for name, part in year.items()}
    return WORDS["small"].format(first=first, last=last, month=say_month(shift.month), **rates)
