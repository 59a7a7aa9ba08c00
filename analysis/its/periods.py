"""The index of a series: regular months, quarters or years, and how to make one of other dates."""

import warnings
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from analysis.checks import name_some, require

PERIODS_PER_YEAR = {"Y": 1, "Q": 4, "M": 12}
PERIOD_NAMES = {"Y": "years", "Q": "quarters", "M": "months"}
DATED = ("date", "fecha", "month", "mes", "period", "periodo", "year", "año", "anio", "quarter")
TOTALS = {"deaths": "sum", "person_years": "sum", "value": "mean"}  # over finer periods


def periods_per_year(index: pd.Index) -> int:
    """Return 12 for months, 4 for quarters, 1 for years."""
    return PERIODS_PER_YEAR[cast("pd.PeriodIndex", index).freqstr.split("-")[0]]


def check_index(frame: pd.DataFrame, *, gaps: bool = False) -> None:
    """Raise an error unless `frame` has regular months, quarters or years, perhaps with gaps."""
    index, wanted = frame.index, "of months, quarters or years"
    require(len(index) > 0, "series is empty: it must have one row for each month")
    if not isinstance(index, pd.PeriodIndex):
        found = f"found {type(index).__name__}"
        raise TypeError(f"series must have a PeriodIndex {wanted}, {found}; {_advise(frame)}")
    name = index.freqstr.split("-")[0]
    if name not in PERIODS_PER_YEAR:
        line = _advise(frame)
        cure = f"; {line}" if "groupby" in line else ""
        raise ValueError(f"periods must be {wanted[3:]}; found frequency {name!r}{cure}")
    require(not index.hasnans, "periods must not be missing; found NaT in the index")
    dated = index.year.min() >= 1 and index.year.max() <= 9999
    require(dated, f"periods must be in the years 1 to 9999; found {index.min()} to {index.max()}")
    twice = name_some(index[index.duplicated()].unique().astype(str))
    require(index.is_unique, f"periods must be unique; {twice} appear more than once")
    require(index.is_monotonic_increasing, "periods must be in order; use frame.sort_index()")
    if not gaps and index[-1].ordinal - index[0].ordinal >= len(index):
        missing = name_some(pd.period_range(index[0], index[-1]).difference(index).astype(str))
        cure = "Reindex the series, with 0 deaths where the source reports none, or any number "
        cure += "where it lost them, and leave those periods out with omit."
        raise ValueError(f"{PERIOD_NAMES[name]} must be consecutive; missing {missing}. {cure}")


def check_level(index: pd.Index) -> None:
    """Raise a TypeError unless the second level of a panel's index is periods."""
    level = cast("pd.MultiIndex", index).levels[1]
    if not isinstance(level, pd.PeriodIndex):
        made = "pd.PeriodIndex(panel.index.levels[1], freq='M')"
        use = f"use panel.index = panel.index.set_levels({made}, level=1)"
        raise TypeError(f"the panel's second level must be months, found {level.dtype}; {use}")


def _advise(frame: pd.DataFrame) -> str:
    """Return the line of pandas that gives `frame` such an index, by where its dates are."""
    if frame.index.nlevels > 1:
        return "a panel goes to fit_places, and to fit_its one place of it: panel.loc[PLACE]"
    if {"year", "month"} <= set(frame) and frame["month"].dtype.kind in "iu":
        made = "pd.PeriodIndex.from_fields(year=frame['year'], month=frame['month'], freq='M')"
        return f"use frame.set_index({made})"
    found = list(_lines(frame.index, "frame.index"))
    for name in frame.columns if frame.columns.is_unique else ():
        if frame[name].dtype.kind not in "iufbc" or any(x in str(name).lower() for x in DATED):
            found += _lines(pd.Index(frame[name]), f"frame[{name!r}]")
    for finer, made in found:
        if finer:  # days or weeks
            used = {name: how for name, how in TOTALS.items() if name in frame}
            return f"use frame.groupby({made}).agg({used})"
        if isinstance(frame.index, pd.DatetimeIndex) and "tz_" not in made:
            return f"use frame.to_period({made.split('freq=')[1]}"
        return f"use frame.set_index({made})"
    return "use frame.set_index(pd.period_range('2003-01', periods=len(frame), freq='M'))"


def _lines(values: Any, code: str) -> Iterator[tuple[bool, str]]:
    """Yield whether `values` are finer than months, and a line that makes periods of them."""
    if values.dtype.kind in "iuf":
        years = np.isfinite(values) & (values == np.floor(values)) & (values > 0) & (values < 1e6)
        if not years.all() or values.min() < 1000:
            return
        values, code = values.astype(int).astype(str), f"{code}.astype(int).astype(str)"
    if getattr(values, "tz", None) is not None:
        values, code = values.tz_localize(None), f"pd.Index({code}).tz_localize(None)"
    try:
        with warnings.catch_warnings(action="error"):
            each = {freq: pd.PeriodIndex(values, freq=freq) for freq in ("Y", "Q", "M", "D")}
    except (TypeError, ValueError, OverflowError, Warning):
        return  # no dates
    if each["D"].isna().all():
        return
    coarsest = next((freq for freq in ("Y", "Q", "M") if each[freq].is_unique), "M")
    finer = each["M"].nunique() < each["D"].nunique()
    yield finer, f"pd.PeriodIndex({code}, freq={coarsest!r})"
