"""Months and a policy shift -> the design matrix of the segmented regression."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.its.series import PERIOD_NAMES, check_frame, check_index, periods_per_year
from analysis.its.shifts import PolicyShift, check_shift


def cut_window(series: pd.DataFrame, shift: PolicyShift) -> pd.DataFrame:
    """Return the part of `series` inside the shift's window, checked for use.

    Parameters
    ----------
    series : DataFrame
        As `analysis.its.series.check_frame` asks for.
    shift : PolicyShift
        Its `start` and `end` bound the window; its months must leave enough on either side.

    Returns
    -------
    DataFrame
        A copy with the rows of the window.

    Raises
    ------
    TypeError
        If `shift` is no PolicyShift.
    ValueError
        If the shift is outside the series, or too few periods remain before or after it.
    """
    check_frame(series)
    check_shift(shift)
    inside = np.ones(len(series), dtype=bool)
    if shift.start is not None:
        inside &= series.index.start_time >= shift.start.start_time
    if shift.end is not None:
        inside &= series.index.end_time <= shift.end.end_time
    window = series.loc[inside].copy()
    if window.empty:
        raise ValueError(
            f"{shift.slug}: its window {shift.start} to {shift.end} holds nothing of the series, "
            f"which has {series.index[0]} to {series.index[-1]}"
        )
    names = PERIOD_NAMES[series.index.freqstr.split("-")[0]]
    fewest = max(3, periods_per_year(series.index) // 2)
    first, last = (first_position(window.index, month) for month in (shift.month, shift.months[-1]))
    before, after = first, len(window) - last
    if (before == 0 and shift.month.start_time < window.index[0].start_time) or after == 0:
        raise ValueError(
            f"{shift.slug}: the shift at {shift.when} is outside the series, whose window has "
            f"{window.index[0]} to {window.index[-1]}"
        )
    if min(before, after) < fewest:
        raise ValueError(
            f"{shift.slug}: {before} {names} before the shift and {after} from it on; at least "
            f"{fewest} are needed on either side. Widen the window or use a longer series."
        )
    return window


def first_position(index: pd.PeriodIndex, month: pd.Period) -> int:
    """Return the position of the first period of `index` that lies wholly under the new policy."""
    return int(np.searchsorted(index.start_time, month.start_time))


def build_design(
    index: pd.PeriodIndex,
    shift: PolicyShift | None = None,
    *,
    month: pd.Period | None = None,
    harmonics: int = 2,
    beside: Sequence[PolicyShift] | None = None,
) -> pd.DataFrame:
    """Build the design matrix.

    Parameters
    ----------
    index : PeriodIndex, length n
        Regular months, quarters or years.
    shift : PolicyShift, optional
        Without one the design has trend and season only.
    month : Period, optional
        First period of the shift; default ``shift.month`` (one month of a range is chosen so).
    harmonics : int
        Sine and cosine pairs of the year; as many as the frequency has, at most.
    beside : sequence of PolicyShift, optional
        Other shifts with terms of their own; default ``shift.beside``.

    Returns
    -------
    DataFrame
        Shape (n, k): `const`; `trend`, years since the first period; `level`, 1 from the shift's
        period on; `slope`, years since the shift's period, 0 before; `level:SLUG` and
        `slope:SLUG` of the shifts beside; `sin1`, `cos1`, …
    """
    if isinstance(harmonics, bool) or not isinstance(harmonics, int | np.integer) or harmonics < 0:
        raise ValueError(f"harmonics must be a whole number from 0 up; found {harmonics!r}")
    check_index(index)
    per_year = periods_per_year(index)
    position = np.arange(len(index))
    columns = {"const": np.ones(len(index)), "trend": position / per_year}
    if shift is not None:
        columns |= _terms(index, shift, month or shift.month, "")
        beside = shift.beside if beside is None else beside
    for other in beside or ():
        columns |= _terms(index, other, other.month, f":{other.slug}")
    turn = 2 * np.pi * _season(index) / per_year
    for pair in range(1, min(harmonics, per_year // 2) + 1):
        if 2 * pair < per_year:  # at two periods a cycle the sine is zero everywhere
            columns[f"sin{pair}"] = np.sin(pair * turn)
        columns[f"cos{pair}"] = np.cos(pair * turn)
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


def _season(index: pd.PeriodIndex) -> np.ndarray:
    if periods_per_year(index) == 12:
        return index.month.to_numpy()
    return index.quarter.to_numpy()
