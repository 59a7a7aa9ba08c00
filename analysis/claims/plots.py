"""Every way of counting, the ranking, the verdicts, the courses -> Axes."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.claims.courses import Rise
from analysis.claims.declared import CELL, HOMICIDE, WITH_FEMICIDE, answer_cells
from analysis.claims.evidence import BY_UNODC, DISCARDED, MODELLED, OCCURRED, SCALED
from analysis.claims.rows import PERCENT_A_YEAR, Measured, known_by_year
from analysis.its.series import rate_of
from analysis.its.words import format_effect
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
    table = known_by_year(yearly[yearly["year"].isin(years)], column)
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
    measured: Measured,
    measure: str,
    *,
    band: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one measure under every way of counting: value, interval, answer; yes in the `band`."""
    ax = ax or plt.gca()
    rows = measured.rows[measured.rows["measure"] == measure].reset_index(drop=True)
    if band is not None:
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
    """Name a way of counting in few words: source, count, vintage, and population if not CONAPO."""
    source, counted, vintage, population = cell
    short = counted.removeprefix("deaths ").replace(WITH_FEMICIDE, "homicide + femicide")
    short = short.replace(HOMICIDE, "homicide")
    beside = {"CONAPO": "", "as published": "", DISCARDED: ", step population"}
    return f"{source} {short}, {vintage}{beside.get(population, '')}"


def _style(cell: Sequence[str]) -> dict[str, object]:
    source, counted, vintage, population = cell
    other = counted not in (WITH_FEMICIDE, OCCURRED)
    colour = SHADES.get(counted, SHADES.get(source, "0.3"))
    style = {"color": colour, "marker": "s" if other else "o"}
    if population == DISCARDED:
        return style | {"alpha": 0.35, "linestyle": ":"}
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


def plot_term(
    parts: dict[str, tuple[pd.DataFrame, pd.DataFrame]],
    measured: Measured,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw monthly rates before and within a term, their means (dotted) and the claim's trends."""
    ax = ax or plt.gca()
    rows = measured.rows[measured.rows["measure"] == "trend within"]
    trends = rows.set_index(["source", "counted"])
    for source, frames in parts.items():
        colour = SHADES[source]
        for frame in frames:
            dates = frame.index.to_timestamp()
            rate = rate_of(frame["deaths"], frame["person_years"])
            mean = rate_of(frame["deaths"].sum(), frame["person_years"].sum())
            ax.plot(dates, rate, color=colour, alpha=0.45, linewidth=1)
            ax.hlines(mean, dates[0], dates[-1], color=colour, linestyle=":", linewidth=1.6)
        years = np.arange(len(frame)) / 12
        years = years - years.mean()
        row = trends.loc[MODELLED[source]]
        course, *ends = (mean * (1 + row[end] / 100) ** years for end in ("value", "low", "high"))
        shown = format_effect(row.rename({"value": "estimate"}), PERCENT_A_YEAR)
        ax.plot(dates, course, color=colour, linewidth=2, label=f"{source}: {shown}")
        edges = np.minimum(*ends), np.maximum(*ends)
        ax.fill_between(dates, *edges, color=colour, alpha=0.2, linewidth=0)
    ax.axvline(dates[0], color="0.3", linewidth=1)
    ax.set(xlabel="", ylabel=RATE_LABEL)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize="small", loc="lower right", title="Trend in the 24 months")
    return ax
