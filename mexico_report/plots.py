"""The pictures of the front page: the rate with its shifts, changes of trend, a small one each."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.its.flags import gap_months
from analysis.its.series import rate_of
from analysis.its.shifts import PolicyShift
from analysis.mexico.record import IMPUTED, SOURCES
from analysis.style import COLOURS, LEGEND, WIDTH, interval_rows
from mexico_report.cards import DRAWN, WORDS, tell_trends, yearly_rate

CLOSE = 30  # months between shifts below which their numbers would touch
SMALL = (1.5, 0.55)  # inches of a picture without any text


def plot_rate(
    series: dict[str, pd.DataFrame], shifts: list[PolicyShift], expected: Sequence = ()
) -> Figure:
    """Draw each source's rate, a numbered line a shift, the record's holes, counterfactuals."""
    fig, ax = plt.subplots(figsize=(WIDTH, 3.6), layout="constrained")
    for source, frame in series.items():
        rate, name = rate_of(frame["deaths"], frame["person_years"]), SOURCES[source].name
        ax.plot(rate.index.to_timestamp(), rate, color=COLOURS[source], linewidth=0.5, alpha=0.45)
        smooth = yearly_rate(frame)
        ax.plot(smooth.index.to_timestamp(), smooth, color=COLOURS[source], linewidth=2, label=name)
    for path in expected:
        dates, style = path.index.to_timestamp(), {"color": COLOURS["forecast"]}
        ax.plot(dates, path["expected"], linestyle="--", label=DRAWN["expected"], **style)
        ax.fill_between(dates, path["low"], path["high"], alpha=0.18, linewidth=0, **style)
    ax.axvspan(*IMPUTED[[0, -1]].to_timestamp(), color="0.92", linewidth=0, label=DRAWN["imputed"])
    gaps = gap_months([gap for frame in series.values() for gap in frame.attrs["gaps"]])
    style = {"color": "0.4", "linestyle": "", "marker": "|", "markersize": 5, "clip_on": False}
    dates = pd.PeriodIndex(gaps, freq="M").to_timestamp()
    ax.plot(dates, [0] * len(dates), label=DRAWN["gap"], **style)
    ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
    _number_shifts(ax, shifts)
    ax.set(xlabel="", ylabel=DRAWN["rate"])
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


def plot_trends(cards: pd.DataFrame) -> Figure:
    """Draw each change of trend with its interval, the trend before and after written above it."""
    fig, ax = plt.subplots(figsize=(WIDTH, 0.55 * len(cards) + 0.8), layout="constrained")
    for place, (_, card) in enumerate(cards.iterrows()):
        reach = [[card["estimate"] - card["low"]], [card["high"] - card["estimate"]]]
        colour = COLOURS[card["source"]]
        ax.errorbar(card["estimate"], place, xerr=reach, fmt="o", color=colour, capsize=3)
        name = WORDS["names"][card["shift"]]
        said = f"{name} ({SOURCES[card['source']].name}): {tell_trends(card, 'arrow')}"
        style = {"transform": ax.get_yaxis_transform(), "fontsize": "small", "va": "bottom"}
        style |= {"bbox": {"facecolor": "white", "linewidth": 0, "pad": 1}, "in_layout": False}
        ax.text(0, place - 0.2, said[0].upper() + said[1:], **style)
    interval_rows(ax, [""] * len(cards))
    ax.set_ylim(len(cards) - 0.5, -0.9)
    ax.tick_params(left=False)
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:+.0f}%" if x else "0")
    ax.set_xlabel(DRAWN["trends"])
    ax.spines[["top", "right", "left"]].set_visible(False)
    return fig


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
