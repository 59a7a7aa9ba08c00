"""Every way of counting, the verdicts and the courses, drawn on an Axes."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.claims.courses import Rise
from analysis.claims.declared import CELL, TOLD, WEAKEST, WITH_FEMICIDE, answer_cells, say_parts
from analysis.claims.evidence import OCCURRED, PRESS
from analysis.claims.rows import Measured, is_earlier, short_name
from analysis.language import say_month
from analysis.style import BLUE, ORANGE, REAL, WIDTH, interval_rows, legend_above

ANSWERS = {"yes": ("#0072b2", "o"), "no": ("#d55e00", "X"), "cannot tell": ("0.55", "D")}
ARTICLE = {"color": REAL, "label": "the article"}
APART, LINE = 26, 11  # points between the columns and the lines of the verdicts
COLUMNS = [200 + APART * place for place in range(5)]  # SESNSP then, today; INEGI then, today, UN
SHADES = {"INEGI": BLUE, "SESNSP": ORANGE}


def plot_years(yearly: pd.DataFrame, years: range, figures: dict[int, float], *, ax: Axes) -> None:
    """Draw the deaths by year under every way of counting; the article's figures are crosses."""
    table = yearly[yearly["year"].isin(years)].dropna(subset=["deaths"])
    for cell, part in table.groupby(CELL, sort=False):
        main, earlier = cell[1] in (WITH_FEMICIDE, OCCURRED), is_earlier(cell)
        style = {"color": SHADES[cell[0]], "marker": "o" if main else "s", "markersize": 4}
        style |= {} if main and not earlier else {"markerfacecolor": "none"}
        style |= {"linestyle": "--" if earlier else "-", "label": short_name(cell)}
        ax.plot(part["year"], part["deaths"], **style)
    ax.scatter(list(figures), figures.values(), marker="+", s=160, lw=2, zorder=4, **ARTICLE)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.set(xlabel="", ylabel="Deaths in the year")
    legend_above(ax, 2)


def plot_cells(measured: Measured, measure: str, *, ax: Axes, band: Sequence[float] = ()) -> None:
    """Draw one measure under every way of counting: value, interval, answer; yes in the `band`."""
    rows = measured.rows[measured.rows["measure"] == measure].reset_index(drop=True)
    if band:
        ax.axvspan(*band, color=ANSWERS["yes"][0], alpha=0.12, label="rule says yes")
    for (word, judges), part in rows.groupby(["holds", "judges"]):
        colour, marker = ANSWERS[word]
        reach = [part["value"] - part["low"], part["high"] - part["value"]]
        style = {"color": colour, "fmt": marker, "alpha": None if judges else 0.35}
        style["label"] = f"{'' if judges else 'beside: '}{TOLD['answers'][word]}"
        ax.errorbar(part["value"], part.index, xerr=np.nan_to_num(reach), capsize=3, **style)
    if rows["article"].notna().any():
        ax.axvline(rows["article"].dropna().iloc[0], linewidth=1, linestyle="--", **ARTICLE)
    labels = [short_name(cell) for cell in rows[CELL].to_numpy()]
    interval_rows(ax, labels, zero=rows["value"].min() <= 0)
    ax.set_xlabel(textwrap.fill(f"{measure.capitalize()}, {rows['unit'].iloc[0]}", 36))
    legend_above(ax, 2)


def plot_verdicts(found: dict[str, Measured], *, ax: Axes) -> None:
    """Draw a row a claim: what it says, its verdict, and what each source answers."""
    # The Axes becomes the whole figure, in points from its top left; its height follows the rows.
    small, words = {"fontsize": "small", "va": "center"}, TOLD["drawn"]
    for place, name in enumerate(words["columns"]):
        ax.text(COLUMNS[place], 22, name, ha="center", **small)
    for place, name in ((0.5, "SESNSP"), (3, "INEGI")):
        ax.text(COLUMNS[0] + place * APART, 10, name, ha="center", weight="bold", **small)
    for place, (word, (colour, marker)) in enumerate(ANSWERS.items()):
        ax.scatter(10, 10 + 12 * place, s=45, marker=marker, color=colour)
        ax.text(20, 10 + 12 * place, TOLD["answers"][word], **small)
    top = 44.0
    for each in found.values():
        claim, close = each.claim, f" ({TOLD['close']})" if each.close_calls else ""
        verdict = TOLD["verdicts"][each.claim_verdict] + close
        ax.axhline(top, color="0.8", linewidth=0.7)
        head = f"{claim.number}. {claim.say('claim')}"
        told = [(line, "normal") for line in textwrap.wrap(head, 40)]
        told += [(line, "bold") for line in textwrap.wrap(verdict, 32)]
        for line, weight in told:
            top += LINE
            ax.text(4, top - 2, line, weight=weight, **small)
        if not claim.parts:
            _mark(ax, each.rows, top + 4 - LINE * (len(told) + 1) / 2)
        for said, measure in zip(say_parts(each.rows, claim.parts), claim.parts, strict=True):
            top += LINE
            ax.text(4, top - 2, f"– {said}", **small)
            _mark(ax, each.rows[each.rows["measure"] == measure], top - 2)
        top += 6
    ax.axhline(top, color="0.8", linewidth=0.7)
    ax.text(4, top + 5, words["note"], fontsize="small", va="top", linespacing=1.3)
    height = top + 8 + LINE * (words["note"].count("\n") + 1)
    ax.figure.set_size_inches(WIDTH, height / 72)
    ax.set(xlim=(0, 72 * WIDTH), ylim=(height, 0), position=(0, 0, 1, 1))
    ax.axis("off")


def _mark(ax: Axes, rows: pd.DataFrame, height: float) -> None:
    """Mark what each source answers, pale where it judges nothing; of earlier ones the best."""
    asked, drawn = rows[rows["holds"] != ""], {}
    for alpha, cells in ((0.35, asked.assign(judges=True)), (1.0, asked)):
        cells = answer_cells(cells)
        inegi = cells["population"].map({PRESS: 2, "CONAPO": 3, "United Nations": 4})
        earlier = [0 if is_earlier(cell) else 1 for cell in cells[CELL].to_numpy()]
        places = inegi.where(cells["source"] == "INEGI", earlier).astype(int)
        for place, part in cells.groupby(places):  # among COLUMNS
            words = sorted(set(part["holds"]), key=WEAKEST.index)
            drawn[place] = alpha, words[-1:] if place in (0, 2) else words
    for place, (alpha, words) in drawn.items():
        for beside, word in enumerate(words):
            colour, marker = ANSWERS[word]
            along = COLUMNS[place] + 10 * (beside - (len(words) - 1) / 2)
            ax.scatter(along, height, s=45, marker=marker, color=colour, alpha=alpha)
    if "Consejo Ciudadano" in set(rows["source"]):
        name = TOLD["short"]["places in the ranking"]
        ax.text(COLUMNS[1] + 12, height, name, va="center", fontsize="small")


def plot_start(rises: dict[str, Rise], year: int, *, ax: Axes) -> None:
    """Draw the probability of each month as the start of a rise, by source; the year is shaded."""
    ends = [pd.Timestamp(f"{each}-01-01") for each in (year, year + 1)]
    ax.axvspan(*ends, color=REAL, alpha=0.12, linewidth=0, label=f"{year}, the article")
    for source, rise in rises.items():
        if rise.start.empty:
            continue
        dates, credible, colour = rise.start.index.to_timestamp(), rise.credible, SHADES[source]
        ends = " to ".join(say_month(month, "yMMM") for month in (credible.min(), credible.max()))
        label = f"{source} (95% set within {ends})"
        ax.bar(dates, rise.start, width=26, color=colour, alpha=0.8, label=label)
        ax.axvline(dates[0], color=colour, ls=":", lw=1.2, label=f"earliest {source} can show")
    ax.set(xlabel="", ylabel="Probability that the rise began")
    legend_above(ax, 1)
