"""Forecasts and their probabilities -> matplotlib Axes."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import YearLocator

from analysis.forecasts.paths import BANDS, CERTAINTY, SURE, TITLES, Forecast, band_table
from analysis.its.series import outcome
from analysis.language import say_month
from analysis.style import FITTED, LEGEND, REAL, ZERO, interval_rows

KNOWN = "0.25"
FANS = dict(zip(BANDS, ("#8fb1cf", "#b5cce1", "#dae6f0"), strict=True))  # darker: more central
SHOWN = 72  # months before the freeze
HEADROOM = 2.0  # top of the frame, in highest rates shown before the freeze


def plot_forecast(made: Forecast, came: pd.DataFrame | None = None, *, ax: Axes) -> Axes:
    """Draw the months known, which set the frame, the fan of a forecast, and what came."""
    known = made.known.iloc[-SHOWN:]
    rate = outcome(known, "rate")
    dates, ahead = known.index.to_timestamp(), made.person_years.index.to_timestamp()
    bands = band_table(made.rates, made.person_years.index)
    for name in reversed(BANDS):
        ends = (bands[f"{end}_{name}"] for end in ("low", "high"))
        ax.fill_between(ahead, *ends, color=FANS[name], linewidth=0, label=f"{name}% band")
    ax.plot(ahead, bands["expected"], color=FITTED, linewidth=1.4, label="median")
    ax.plot(dates, rate, color=KNOWN, linewidth=1, label="known at the freeze")
    if came is not None:
        later = came.loc[came.index.isin(made.person_years.index)]
        months, rates = later.index.to_timestamp(), outcome(later, "rate")
        ax.plot(months, rates, color=REAL, linewidth=1.4, label="what came")
    ax.axvline(ahead[0], color="0.3", lw=1, label=f"frozen after {say_month(known.index[-1])}")
    ax.set_title(TITLES[made.method], fontsize="medium")
    ax.set(xlabel="", ylabel="", xlim=(dates[0], ahead[-1]), ylim=(0, HEADROOM * rate.max()))
    ax.xaxis.set_major_locator(YearLocator(3))
    return ax


def plot_probabilities(probabilities: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw each method's probability of a worse year, and where "almost certain" begins."""
    methods = list(probabilities["method"].unique())
    kinds = sorted(probabilities["year"].unique())  # the years, then every one of them
    colours = [*sns.color_palette("colorblind")[: len(kinds) - 1], "0.15"]
    for place, (year, colour) in enumerate(zip(kinds, colours, strict=True)):
        part = probabilities[probabilities["year"] == year]
        rows = part["method"].map(methods.index) + 0.13 * (place - (len(kinds) - 1) / 2)
        what, marker = ("every year", "D") if year == "every" else (year, "o")
        label = f"{what} (came: {part['came'].iloc[0]})"
        style = {"color": colour, "marker": marker, "label": label}
        ax.scatter(part["probability"], rows, s=26, zorder=3, **style)
    least = CERTAINTY[SURE]
    ax.axvspan(least, 1, color=REAL, alpha=0.15, lw=0, label=f"“{SURE}”: {least:.2f} or more")
    ax.axvline(0.5, **ZERO)
    interval_rows(ax, [TITLES[slug] for slug in methods], zero=False, grid=False)
    than = probabilities["than"].iloc[0]
    ax.set(xlabel=f"Probability of a higher rate than in {than}", ylabel="", xlim=(-0.02, 1.02))
    ax.grid(axis="y", color="0.93")
    ax.set_axisbelow(True)
    ax.legend(loc="lower right", bbox_to_anchor=(1.03, 1), ncols=2, **LEGEND)
    return ax
