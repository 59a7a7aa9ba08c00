"""Every way of counting, the ranking, the verdicts, the courses -> Axes."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.claims.courses import Rise
from analysis.claims.declared import CELL, HOMICIDE, WITH_FEMICIDE, answer_cells
from analysis.claims.evidence import BY_UNODC, OCCURRED, SCALED
from analysis.claims.rows import Measured
from analysis.style import BLUE, GREEN, ORANGE, RATE_LABEL, REAL, interval_rows

ANSWERS = {"yes": ("#0072b2", "o"), "no": ("#d55e00", "X"), "cannot tell": ("0.55", "D")}
ARTICLE = {"color": REAL, "label": "the article"}
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1, 1), "frameon": False, "fontsize": "x-small"}
SHADES = {"INEGI": BLUE, "SESNSP": ORANGE, SCALED: "#56b4e9", BY_UNODC: GREEN}


def plot_years(
    yearly: pd.DataFrame,
    column: str,
    years: Sequence[int],
    figures: dict[int, float] | None = None,
    *,
    claimed: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw deaths or rates by year: the article's `figures` are crosses, `claimed` is a line."""
    ax = ax or plt.gca()
    table = yearly[yearly["year"].isin(years)].dropna(subset=[column])
    for cell, part in table.groupby(CELL, sort=False):
        ax.plot(part["year"], part[column], markersize=4, label=_label(cell), **_style(cell))
    if figures:
        ax.scatter(list(figures), figures.values(), marker="+", s=160, lw=2, zorder=4, **ARTICLE)
    if claimed is not None:
        ax.axhline(claimed, linewidth=1, linestyle="--", **ARTICLE)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if column == "deaths":
        ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.set(xlabel="", ylabel="Deaths in the year" if column == "deaths" else RATE_LABEL)
    ax.legend(**BESIDE)
    return ax


def plot_cells(
    measured: Measured, measure: str, *, band: Sequence[float] = (), ax: Axes | None = None
) -> Axes:
    """Draw one measure under every way of counting: value, interval, answer; yes in the `band`."""
    ax = ax or plt.gca()
    rows = measured.rows[measured.rows["measure"] == measure].reset_index(drop=True)
    if band:
        ax.axvspan(*band, color=ANSWERS["yes"][0], alpha=0.12, label="the rule says yes")
    for (word, judges), part in rows.groupby(["holds", "judges"]):
        colour, marker = ANSWERS[word]
        reach = [part["value"] - part["low"], part["high"] - part["value"]]
        style = {"color": colour, "fmt": marker, "capsize": 3}
        style |= {"label": word} if judges else {"label": f"{word}, shown only", "alpha": 0.35}
        ax.errorbar(part["value"], part.index, xerr=np.nan_to_num(reach), **style)
    if rows["article"].notna().any():
        ax.axvline(rows["article"].dropna().iloc[0], linewidth=1, linestyle="--", **ARTICLE)
    labels = [_label(cell) for cell in rows[CELL].to_numpy()]
    interval_rows(ax, labels, zero=rows["value"].min() <= 0)
    ax.set(xlabel=f"{measure.capitalize()} ({rows['unit'].iloc[0]})", ylabel="")
    ax.legend(**BESIDE)
    return ax


def plot_verdicts(found: dict[str, Measured], *, ax: Axes | None = None) -> Axes:
    """Draw every answer to every claim, newest and earlier vintages, with the verdicts."""
    ax = ax or plt.gca()
    answers = {place: answer_cells(each.rows) for place, each in enumerate(found.values())}
    table = pd.concat(answers, names=["place"]).reset_index("place")
    table["column"] = [_label(cell) for cell in table[CELL].to_numpy()]
    ordered = table.sort_values(["source", "counted", "vintage"])["column"].unique().tolist()
    for word, (colour, marker) in ANSWERS.items():
        part = table[table["holds"] == word]
        columns = part["column"].map(ordered.index)
        ax.scatter(columns, part["place"], s=70, marker=marker, color=colour, label=word)
    ax.set_xticks(range(len(ordered)), ordered, rotation=45, ha="right", fontsize="x-small")
    names = [f"{measured.claim.number}  {measured.claim.title}" for measured in found.values()]
    ax.set_yticks(range(len(found)), names, fontsize="small")
    beside = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": "small"}
    for place, measured in enumerate(found.values()):
        ax.text(1.01, place, measured.claim_verdict, style="italic", **beside)
    ax.set(xlim=(-0.5, len(ordered) - 0.5), ylim=(len(found) - 0.5, -0.5))
    ax.grid(color="0.92")
    ax.set_axisbelow(True)
    ax.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize="small")
    return ax


def _label(cell: Sequence[str]) -> str:
    """Name a way of counting in few words: source, count, vintage."""
    source, counted, vintage = cell[:3]
    short = counted.removeprefix("deaths ").replace(WITH_FEMICIDE, "homicide + femicide")
    short = short.replace(HOMICIDE, "homicide")
    return f"{source} {short}, {vintage}"


def _style(cell: Sequence[str]) -> dict[str, object]:
    source, counted, vintage = cell[:3]
    other = counted not in (WITH_FEMICIDE, OCCURRED)
    colour = SHADES.get(counted, SHADES.get(source, "0.3"))
    style = {"color": colour, "marker": "s" if other else "o"}
    earlier = source == "SESNSP" and vintage < "2025"
    hollow = {"markerfacecolor": "none"} if earlier or other else {}
    return style | {"linestyle": "--" if earlier else "-"} | hollow


def plot_start(rises: dict[str, Rise], year: int, *, ax: Axes | None = None) -> Axes:
    """Draw the probability of each month as the start of a rise, by source; the year is shaded."""
    ax = ax or plt.gca()
    ends = [pd.Timestamp(f"{each}-01-01") for each in (year, year + 1)]
    ax.axvspan(*ends, color=REAL, alpha=0.12, linewidth=0, label=f"{year}, the article")
    for source, rise in rises.items():
        if rise.start.empty:
            continue
        dates, credible, colour = rise.start.index.to_timestamp(), rise.credible, SHADES[source]
        label = f"{source}, 95% set within {credible.min()} to {credible.max()}"
        ax.bar(dates, rise.start, width=26, color=colour, alpha=0.8, label=label)
        first = f"{source}'s first admissible month"
        ax.axvline(dates[0], color=colour, linestyle=":", linewidth=1.2, label=first)
    ax.set(xlabel="", ylabel="Probability that the rise began")
    ax.legend(frameon=False, fontsize="x-small", loc="upper right")
    return ax
