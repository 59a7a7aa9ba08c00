"""The start of the rise and the course of a term -> matplotlib Axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.claim_fits import Rise
from analysis.claim_plots import ARTICLE, SHADES
from analysis.claim_rows import PERCENT_A_YEAR, Measured
from analysis.sentences import format_effect
from analysis.style import RATE_LABEL


def plot_start(rises: dict[str, Rise], year: int, *, ax: Axes | None = None) -> Axes:
    """Draw the probability of each month as the start of the rise, and the article's year.

    Parameters
    ----------
    rises : dict
        Source to `Rise`; one in which no rise began is left out.
    year : int
        Shaded.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    ends = [pd.Timestamp(f"{each}-01-01") for each in (year, year + 1)]
    ax.axvspan(*ends, color=ARTICLE, alpha=0.12, linewidth=0, label=f"{year}, the article")
    for source, rise in rises.items():
        if rise.start.empty:
            continue
        dates, credible = rise.start.index.to_timestamp(), rise.credible
        label = f"{source}, 95% set within {credible.min()} to {credible.max()}"
        ax.bar(dates, rise.start, width=26, color=SHADES[source], alpha=0.8, label=label)
        ax.axvline(
            dates[0],
            color=SHADES[source],
            linestyle=":",
            linewidth=1.2,
            label=f"{source}'s first admissible month",
        )
    ax.set(xlabel="", ylabel="Probability that the rise began")
    ax.legend(frameon=False, fontsize="x-small", loc="upper right")
    return ax


def plot_term(
    parts: dict[str, tuple[pd.DataFrame, pd.DataFrame]],
    measured: Measured,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw monthly rates before and within the first months of a term, with mean and trend.

    Parameters
    ----------
    parts : dict
        Source to the months before and within, as `split_term` gives them.
    measured : Measured
        The claim they judge: its trends are drawn with their 95% intervals.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    trends = measured.rows[measured.rows["measure"] == "trend within"].set_index("source")
    for source, frames in parts.items():
        colour = SHADES[source]
        for frame in frames:
            dates = frame.index.to_timestamp()
            rate = 1e5 * frame["deaths"] / frame["person_years"]
            mean = 1e5 * frame["deaths"].sum() / frame["person_years"].sum()
            ax.plot(dates, rate, color=colour, alpha=0.45, linewidth=1)
            ax.hlines(mean, dates[0], dates[-1], color=colour, linestyle=":", linewidth=1.6)
        years = np.arange(len(frame)) / 12
        years = years - years.mean()
        row = trends.loc[source]
        course, low, high = (
            mean * (1 + row[end] / 100) ** years for end in ("value", "low", "high")
        )
        shown = format_effect(row.rename({"value": "estimate"}), PERCENT_A_YEAR)
        ax.plot(dates, course, color=colour, linewidth=2, label=f"{source}: {shown}")
        ax.fill_between(
            dates,
            np.minimum(low, high),
            np.maximum(low, high),
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
    ax.axvline(dates[0], color="0.3", linewidth=1)
    ax.set(xlabel="", ylabel=RATE_LABEL)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize="small", loc="lower right", title="Trend in the 24 months")
    return ax
