"""Months and a policy shift -> the design matrix of the segmented regression."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from analysis.checks import is_whole
from analysis.its.series import (
    PERIOD_NAMES,
    check_index,
    fill_missing,
    missing_values,
    periods_of,
    periods_per_year,
)
from analysis.its.shifts import PolicyShift, check_shift

FEWEST_TO_FIT = 6  # months on either side of a shift
FEWEST_MONTHS = {"before": 24, "after": 12}  # that a window keeps; a fit with fewer is flagged
OMITTED = "omit:"  # begins the column of a period that is left out
FEWEST_AROUND = 12  # months on either side of a break, and between two


def fewest_periods(index: pd.PeriodIndex, months: int = FEWEST_AROUND) -> int:
    """Return how many periods make up the fewest `months`: three at least."""
    return max(3, months * periods_per_year(index) // 12)


def cut_window(series: pd.DataFrame, shift: PolicyShift) -> pd.DataFrame:
    """Return a copy of the rows of `series` inside the shift's window, checked for use.

    A shift outside the series, or with too few periods on either side, is refused.
    """
    check_shift(shift)
    series = fill_missing(series)
    index = periods_of(series)
    inside = np.ones(len(series), dtype=bool)
    if shift.start is not None:
        inside &= index.start_time >= shift.start.start_time
    if shift.end is not None:
        inside &= index.end_time <= shift.end.end_time
    window = series.loc[inside].copy()
    if window.empty:
        raise ValueError(
            f"{shift.slug}: its window {shift.start} to {shift.end} holds nothing of the series, "
            f"which has {index[0]} to {index[-1]}"
        )
    names = PERIOD_NAMES[index.freqstr.split("-")[0]]
    fewest = fewest_periods(index, FEWEST_TO_FIT)
    index = periods_of(window)
    before, last = (first_position(index, month) for month in (shift.month, shift.months[-1]))
    after = len(window) - last
    out = omitted_periods(index, shift.omit) | missing_values(window)
    kept_before, kept_after = (int((~side).sum()) for side in (out[:before], out[last:]))
    if (before == 0 and shift.month.start_time < index[0].start_time) or after == 0:
        raise ValueError(
            f"{shift.slug}: the shift at {shift.when} is outside the series, whose window has "
            f"{index[0]} to {index[-1]}"
        )
    if min(kept_before, kept_after) < fewest:
        raise ValueError(
            f"{shift.slug}: {kept_before} {names} before the shift and {kept_after} from it on; at "
            f"least {fewest} are needed on either side. Widen the window or use a longer series."
        )
    return window


def omitted_periods(index: pd.PeriodIndex, omit: Iterable[pd.Period]) -> np.ndarray:
    """Return which periods of `index` touch one to omit, (n,)."""
    out = np.zeros(len(index), dtype=bool)
    for period in omit:
        out |= (index.start_time <= period.end_time) & (index.end_time >= period.start_time)
    return out


def first_position(index: pd.PeriodIndex, month: pd.Period) -> int:
    """Return the position of the first period of `index` that lies wholly under the new policy."""
    return int(index.start_time.searchsorted(month.start_time))


def build_design(
    index: pd.PeriodIndex,
    shift: PolicyShift | None = None,
    *,
    month: pd.Period | None = None,
    harmonics: int = 2,
    beside: Sequence[PolicyShift] | None = None,
    omit: Iterable[pd.Period] | None = None,
) -> pd.DataFrame:
    """Return the design (n, k) of a shift at one of its months, by default the first.

    `const`; `trend`, years since the first period; `level`, 1 from the shift's period on; `slope`,
    years since the shift's period, 0 before; `level:SLUG` and `slope:SLUG` of the shifts beside, by
    default ``shift.beside``; `sin1`, `cos1`, …, at most as many pairs as the frequency has;
    `omit:PERIOD`, one for each of `omit`, by default ``shift.omit``: the same as a missing period.
    """
    if not is_whole(harmonics) or harmonics < 0:
        raise ValueError(f"harmonics must be a whole number from 0 up; found {harmonics!r}")
    check_index(index)
    per_year = periods_per_year(index)
    position = np.arange(len(index))
    columns = {"const": np.ones(len(index)), "trend": position / per_year}
    if shift is not None:
        columns |= _terms(index, shift, month or shift.month, "")
        beside = shift.beside if beside is None else beside
        omit = shift.omit if omit is None else omit
    for other in beside or ():
        columns |= _terms(index, other, other.month, f":{other.slug}")
    season = index.month if per_year == 12 else index.quarter
    turn = 2 * np.pi * season.to_numpy() / per_year
    for pair in range(1, min(harmonics, per_year // 2) + 1):
        if 2 * pair < per_year:  # at two periods a cycle the sine is zero everywhere
            columns[f"sin{pair}"] = np.sin(pair * turn)
        columns[f"cos{pair}"] = np.cos(pair * turn)
    for place in np.flatnonzero(omitted_periods(index, omit or ())).tolist():
        columns[f"{OMITTED}{index[place]}"] = (np.arange(len(index)) == place).astype(float)
    return pd.DataFrame(columns, index=index)


def _terms(
    index: pd.PeriodIndex, shift: PolicyShift, month: pd.Period, suffix: str
) -> dict[str, np.ndarray]:
    since = np.arange(len(index)) - first_position(index, month)
    terms = {}
    if shift.impact != "slope":
        terms[f"level{suffix}"] = (since >= 0).astype(float)
    if shift.impact != "level":
        terms[f"slope{suffix}"] = np.maximum(since, 0) / periods_per_year(index)
    return terms
