"""Holes in a record: runs of months that their neighbours in time make impossible.

Each month of a gap has less than half the deaths a day of the months before it or those after (a
fall that lasts is none), next to impossible in a place as restless; see ``benchmarks/gaps.csv``.
"""

import numpy as np
import pandas as pd
from scipy.special import betainc

from analysis.arguments import checked
from analysis.checks import require
from analysis.its.series import check_frame, split_panel

SIDE, LEAST = 6, 3  # months compared on either side; at the record's ends no fewer than LEAST
LONGEST = SIDE  # months of a run: no more than judge it from one side
HALF = 0.5
MOST = 1e15  # deaths
# Largest chance of so few deaths: of the 50,000 runs of 32 states and 276 months fewer than one is
# a false alarm. Where all places together are below it, the record is bad: then more will do.
ALONE, TOGETHER = 1e-4, 1e-2
LEAST_SPREAD = 0.05  # of the log rate, beyond counting: no place is steadier
SHARE = 0.05  # of all deaths: the standard deviation of the nation's months about their sides


@checked
def find_gaps(panel: pd.DataFrame) -> pd.DataFrame:
    """Find the runs of one to six months in which a place's record has a hole.

    Parameters
    ----------
    panel : DataFrame
        As `load_states` returns it: MultiIndex (place, month), columns `deaths` and `person_years`,
        without months still being registered, seven or more; searched as far as all places go.

    Returns
    -------
    DataFrame
        A row a gap: `place`; `first`, `last` (Period); `months`; `found` and `expected` deaths (a
        day: the mean of the six months before and of the six after); `missing`, their difference;
        `chance`, the probability of so few at the lower of the two sides' rates: negative binomial
        with the spread of the place's runs. A hole in the first or last three months is not found.
    """
    return search_gaps(_widen(panel))


@checked
def national_gaps(panel: pd.DataFrame, *, share: float = SHARE) -> pd.DataFrame:
    """Return the months in which gaps hide more than a share of all deaths.

    Parameters
    ----------
    panel : DataFrame
        As in `find_gaps`.
    share : float
        Of the deaths found in all places and those missing, how many are missing.

    Returns
    -------
    DataFrame
        By `month`: `found` (in all places), `missing`, `share`; `places`, joined by ``+``.
    """
    require(0 <= share < 1, f"share must be from 0 to below 1; found {share}")
    deaths, rows = _widen(panel), []
    for gap in search_gaps(deaths).itertuples():
        found = deaths.loc[gap.first : gap.last, gap.place]
        days = found.index.days_in_month.to_numpy()
        missing = gap.expected * days / days.sum() - found
        rows += [(month, number, str(gap.place)) for month, number in missing.items()]
    table = pd.DataFrame(rows, columns=["month", "missing", "places"])
    table = table.groupby("month").agg({"missing": "sum", "places": "+".join})
    table.insert(0, "found", deaths.sum(axis=1))
    table.insert(2, "share", table["missing"] / (table["found"] + table["missing"]))
    return table[table["share"] > share]


def search_gaps(deaths: pd.DataFrame) -> pd.DataFrame:
    """Return what `find_gaps` does, of deaths by month (rows) and place (columns)."""
    counts = np.column_stack([deaths, deaths.sum(axis=1)]).astype(float)  # last: all together
    days = deaths.index.days_in_month.to_numpy(dtype=float)[:, None]
    lengths = range(1, min(LONGEST, len(counts) - 2 * LEAST) + 1)
    runs = np.vstack([_low_runs(counts, days, length) for length in lengths])
    kept: list[np.ndarray] = []
    for run in runs[np.argsort(runs[:, 0], kind="stable")]:  # the least likely first:
        place, first, months = run[1:4]  # what overlaps or touches it is the same hole
        if all(place != k[1] or first > k[2] + k[3] or k[2] > first + months for k in kept):
            kept.append(run)
    columns = ["chance", "place", "first", "months", "found", "expected"]
    table = pd.DataFrame(kept, columns=columns).astype(dict.fromkeys(columns[1:5], int))
    table = table.sort_values(["place", "first"], ignore_index=True)
    table.insert(3, "last", deaths.index[table["first"] + table["months"] - 1])
    table["first"], table["place"] = deaths.index[table["first"]], deaths.columns[table["place"]]
    table["missing"] = table["expected"] - table["found"]
    return table[[*table.columns[1:], "chance"]]


def _low_runs(counts: np.ndarray, days: np.ndarray, length: int) -> np.ndarray:
    """Return the gaps of a length (m, 6), overlapping; counts (n, places + 1), days (n, 1)."""
    first = np.arange(LEAST, len(counts) - length - LEAST + 1)
    ends = [np.clip(first + step, 0, len(counts)) for step in (-SIDE, 0, length, length + SIDE)]
    sums = (np.vstack([0 * part[:1], part.cumsum(axis=0)]) for part in (counts, days))
    (before, found, after), time = (np.diff([part[end] for end in ends], axis=0) for part in sums)
    sides = np.stack([before / time[0], after / time[2]]) * time[1]
    lower, expected = sides.min(axis=0), sides.mean(axis=0)
    daily = np.lib.stride_tricks.sliding_window_view(counts / days, length, axis=0)[first]
    squared = (found - expected) ** 2 / np.maximum(expected, 0.5)
    beyond = np.median(squared, axis=0) / 0.455 - 1  # 0.455: that of a squared standard normal
    size = 1 / np.maximum(beyond / np.maximum(np.median(expected, axis=0), 0.1), LEAST_SPREAD**2)
    chance = betainc(size, found + 1, size / (size + lower))  # negative binomial, up to `found`
    limit = np.where(chance[:, -1:] < ALONE, TOGETHER, ALONE)
    low = (daily.max(axis=-1) < HALF * lower / time[1]) & (chance < limit)
    cells = row, place = np.nonzero(low[:, :-1])
    run = place, first[row], np.full(len(row), length)
    return np.column_stack([chance[cells], *run, found[cells], expected[cells]])


def _widen(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the deaths of a checked panel by month and place."""
    series, least = {}, 2 * LEAST + 1
    for place, part in split_panel(panel).items():
        try:
            check_frame(part)
            require("deaths" in part and part.index.freqstr == "M", "gaps need deaths by month")
            series[place] = part["deaths"]
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place}: {error}") from error
    wide = pd.DataFrame(series).loc[: min(each.index[-1] for each in series.values())]
    require(not wide.isna().any(axis=None), "all places need the same first month")
    require(bool((wide < MOST).all(axis=None)), f"deaths must be below {MOST:g} a month")
    require(len(wide) >= least, f"gaps need at least {least} months; found {len(wide)}")
    return wide
