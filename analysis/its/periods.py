"""The index of a series: regular months, quarters or years, and how to make one of other dates."""

from contextlib import suppress
from typing import Any, cast
from warnings import catch_warnings

import pandas as pd

from analysis.checks import name_some, require
from analysis.files import DATA_FOLDER, read_toml

INPUT = read_toml(DATA_FOLDER / "its-input.toml")[1]
ERRORS = INPUT["errors"]
PERIODS_PER_YEAR = {"Y": 1, "Q": 4, "M": 12}
PERIOD_NAMES = {"Y": "years", "Q": "quarters", "M": "months"}
DATED = ("date", "fecha", "month", "mes", "period", "periodo", "year", "año", "anio", "quarter")
TOTALS = {"deaths": "sum", "person_years": "sum", "value": "mean"}  # over finer periods


def periods_per_year(index: pd.Index) -> int:
    """Return 12 for months, 4 for quarters, 1 for years."""
    return PERIODS_PER_YEAR[cast("pd.PeriodIndex", index).freqstr.split("-")[0]]


def check_index(frame: pd.DataFrame, *, gaps: bool = False) -> None:
    """Raise an error unless `frame` has regular months, quarters or years, perhaps with gaps."""
    index = frame.index
    require(len(index) > 0, "series is empty: it must have one row for each month")
    periods = isinstance(index, pd.PeriodIndex)
    name = index.freqstr.split("-")[0] if periods else type(index).__name__
    if name not in PERIODS_PER_YEAR:
        raise TypeError(ERRORS["no_periods"].format(found=name, cure=_advise(frame)))
    require(not index.hasnans, "periods must not be missing; found NaT in the index")
    dated = index.year.min() >= 1 and index.year.max() <= 9999
    require(dated, f"periods must be in the years 1 to 9999; found {index.min()} to {index.max()}")
    twice = name_some(index[index.duplicated()].unique().astype(str))
    require(index.is_unique, f"periods must be unique; {twice} appear more than once")
    require(index.is_monotonic_increasing, "periods must be in order; use frame.sort_index()")
    if not gaps and index[-1].ordinal - index[0].ordinal >= len(index):
        missing = name_some(pd.period_range(index[0], index[-1]).difference(index).astype(str))
        raise ValueError(ERRORS["holes"].format(names=PERIOD_NAMES[name], missing=missing))


def _advise(frame: pd.DataFrame) -> str:
    """Return the line of pandas that gives `frame` such an index, by where its dates are."""
    if frame.index.nlevels > 1:
        return "a panel goes to fit_places, and to fit_its one place of it: panel.loc[PLACE]"
    if {"year", "month"} <= set(frame) and frame["month"].dtype.kind in "iu":
        made = "pd.PeriodIndex.from_fields(year=frame['year'], month=frame['month'], freq='M')"
        return f"use frame.set_index({made})"
    held: dict[str, Any] = {"frame.index": frame.index}
    for name in frame.columns if frame.columns.is_unique else ():
        if frame[name].dtype.kind not in "iufbc" or any(x in str(name).lower() for x in DATED):
            held[f"frame[{name!r}]"] = frame[name]
    for code, values in held.items():
        with suppress(Exception), catch_warnings(action="error"):
            if values.dtype.kind in "iuf":
                values, given = values.astype(int), values
                require(bool((values == given).all()) and values.min() >= 1000, "no dates")
                values, code = values.astype(str), f"{code}.astype(int).astype(str)"
            elif isinstance(values.dtype, pd.DatetimeTZDtype):
                values, code = values.astype(str), f"{code}.astype(str)"
            each = {freq: pd.PeriodIndex(values, freq=freq) for freq in ("Y", "Q", "M", "D")}
            require(bool(each["D"].notna().any()), "no dates")
            coarsest = next((freq for freq in ("Y", "Q", "M") if each[freq].is_unique), "M")
            made = f"pd.PeriodIndex({code}, freq={coarsest!r})"
            if each["M"].nunique() == each["D"].nunique():
                return f"use frame.set_index({made})"
            used = {name: how for name, how in TOTALS.items() if name in frame}
            return f"use frame.groupby({made}).agg({used})"
    return "use frame.set_index(pd.period_range('2003-01', periods=len(frame), freq='M'))"
