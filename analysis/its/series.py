"""What every function asks of a series: regular periods, and counts or values that can be true."""

from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd

from analysis.checks import name_some, require

Scale = Literal["log", "rate", "value"]

PER = 1e5  # person-years of a rate
PERIODS_PER_YEAR = {"Y": 1, "Q": 4, "M": 12}
PERIOD_NAMES = {"Y": "years", "Q": "quarters", "M": "months"}


def periods_per_year(index: pd.PeriodIndex) -> int:
    """Return 12 for months, 4 for quarters, 1 for years."""
    return PERIODS_PER_YEAR[index.freqstr.split("-")[0]]


def periods_of(frame: pd.DataFrame | pd.Series) -> pd.PeriodIndex:
    """Return the index of what `check_frame` has let pass."""
    return cast("pd.PeriodIndex", frame.index)


def check_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` unchanged, or raise a TypeError or ValueError that says what to do.

    Regular periods without gaps; columns `deaths` (whole numbers) and `person_years` (positive), or
    one column `value` (finite numbers).
    """
    return _check_frame(frame, missing=False)


def fill_missing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with every period, checked as by `check_frame`, but values may be missing."""
    if isinstance(frame, pd.DataFrame) and "value" in frame.columns and not has_counts(frame):
        index = frame.index
        orderly = isinstance(index, pd.PeriodIndex) and index.is_monotonic_increasing
        if orderly and len(index) and not (index.has_duplicates or index.hasnans):
            frame = frame.reindex(pd.period_range(index[0], index[-1]))
    return _check_frame(frame, missing=True)


def missing_values(frame: pd.DataFrame) -> np.ndarray:
    """Return which values are missing, (n,); counts never are."""
    if has_counts(frame):
        return np.zeros(len(frame), dtype=bool)
    return frame["value"].isna().to_numpy()


def _check_frame(frame: pd.DataFrame, *, missing: bool) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"series must be a DataFrame, found {type(frame).__name__}")
    check_index(frame.index)
    if frame.columns.nlevels > 1:
        raise ValueError("columns must have one level, such as 'deaths' and 'person_years'")
    duplicated = frame.columns[frame.columns.duplicated()].unique().tolist()
    if duplicated:
        raise ValueError(f"columns must be unique; {duplicated} appear twice")
    if has_counts(frame):
        _check_counts(frame)
    if "value" in frame.columns:
        known = frame["value"].dropna() if missing else frame["value"]
        _check_numbers(known, "value")
        require(len(known) > 0, "every value is missing")
    elif not has_counts(frame):
        raise ValueError(
            f"series needs the columns 'deaths' and 'person_years', or 'value'; "
            f"found {frame.columns.tolist()}"
        )
    return frame


def split_panel(panel: pd.DataFrame) -> dict[object, pd.DataFrame]:
    """Return the series of each place of a panel, MultiIndex (place, period), in its order."""
    if not isinstance(panel, pd.DataFrame) or panel.index.nlevels != 2:
        raise TypeError(
            "panel must be a DataFrame with a MultiIndex (place, period); found "
            f"{type(panel).__name__}. A single series goes to fit_its."
        )
    unnamed = np.count_nonzero(panel.index.get_level_values(0).isna())
    require(not unnamed, f"every row needs a place; {unnamed} have none. Name or drop them.")
    require(len(panel) > 0, "the panel is empty")
    return {place: part.droplevel(0) for place, part in panel.groupby(level=0, sort=False)}


def has_counts(frame: pd.DataFrame) -> bool:
    """Tell whether `frame` holds deaths and person-years."""
    return {"deaths", "person_years"} <= set(frame.columns)


def choose_scale(
    frame: pd.DataFrame,
    scale: Scale | None,
    *,
    empty: bool = False,
    omitted: np.ndarray | None = None,
) -> Scale:
    """Return `scale`, or the default for the frame's columns, if it can be used.

    On the log scale a period without deaths is refused, unless it is `omitted` (n,), or `empty`
    ones may be.
    """
    if scale is None:
        scale = "log" if has_counts(frame) else "value"
    if scale not in get_args(Scale):
        raise ValueError(f"unknown scale {scale!r}; use 'log', 'rate' or 'value'")
    if not ("value" in frame.columns if scale == "value" else has_counts(frame)):
        wanted = "a column 'value'" if scale == "value" else "'deaths' and 'person_years'"
        raise ValueError(f"scale {scale!r} needs {wanted}; found {frame.columns.tolist()}")
    if scale == "log" and not empty:
        check_log(frame if omitted is None else frame[~omitted])
    return scale


class EmptyPeriodsError(ValueError):
    """Periods without deaths, which have no logarithm."""


def check_log(frame: pd.DataFrame) -> None:
    """Raise an EmptyPeriodsError if a period without deaths keeps `frame` from the log scale."""
    if (frame["deaths"] == 0).any():
        empty = frame.index[frame["deaths"] == 0].astype(str).tolist()
        raise EmptyPeriodsError(
            f"the log scale needs deaths in every period; none in {name_some(empty)}. "
            "Use scale='rate' or a longer period; fit_its without a scale takes such counts too."
        )


def as_percent(logs: Any) -> Any:
    """Return changes on the log scale in percent: numbers, arrays or frames."""
    return 100 * np.expm1(logs)


def as_logs(percent: Any) -> Any:
    """Return changes in percent on the log scale: numbers, arrays or frames."""
    return np.log1p(percent / 100)


def rate_of(deaths: Any, person_years: Any) -> Any:
    """Return deaths per 100,000 person-years: numbers, arrays or series."""
    return PER * deaths / person_years


def outcome(frame: pd.DataFrame, scale: Scale, omitted: np.ndarray | None = None) -> np.ndarray:
    """Return what is modelled, shape (n,): log rate, rate per 100,000 person-years, or value.

    What is `omitted` (n,) has the mean of the others.
    """
    if scale == "value":
        numbers = frame["value"].to_numpy(dtype=float, copy=True)
    else:
        columns = (frame[name].to_numpy(dtype=float) for name in ("deaths", "person_years"))
        numbers = rate_of(*columns)
    if omitted is not None and omitted.any():
        numbers[omitted] = numbers[~omitted].mean()
    return np.log(numbers) if scale == "log" else numbers


def check_index(index: pd.Index) -> None:
    """Raise a TypeError or ValueError unless `index` is regular months, quarters or years."""
    if not isinstance(index, pd.PeriodIndex):
        raise TypeError(
            f"series must have a PeriodIndex, found {type(index).__name__}; "
            "use frame.to_period('M'), 'Q' or 'Y'"
        )
    name = index.freqstr.split("-")[0]
    if name not in PERIODS_PER_YEAR:
        raise ValueError(f"periods must be months, quarters or years; found frequency {name!r}")
    if len(index) == 0:
        raise ValueError("series is empty")
    if index.hasnans:
        raise ValueError("periods must not be missing; found NaT in the index")
    if index.has_duplicates:
        twice = index[index.duplicated()].unique().astype(str).tolist()
        raise ValueError(f"periods must be unique; {name_some(twice)} appear more than once")
    if not index.is_monotonic_increasing:
        raise ValueError("periods must be in order; use frame.sort_index()")
    missing = pd.period_range(index[0], index[-1]).difference(index)
    if len(missing):
        raise ValueError(
            f"{PERIOD_NAMES[name]} must be consecutive; missing {name_some(missing.astype(str))}. "
            "Reindex the series, with 0 deaths where the source reports none, or any number where "
            "it lost them, and leave those periods out with omit."
        )


def _check_counts(frame: pd.DataFrame) -> None:
    deaths, person_years = frame["deaths"], frame["person_years"]
    _check_numbers(deaths, "deaths")
    _check_numbers(person_years, "person_years")
    for column, wrong, wanted in (
        (deaths, deaths < 0, "must not be negative"),
        (deaths, deaths != np.floor(deaths), "must be whole numbers"),
        (person_years, person_years <= 0, "must be positive"),
    ):
        if wrong.any():
            where = frame.index[wrong].astype(str).tolist()
            values = column[wrong].head(3).tolist()
            raise ValueError(f"{column.name} {wanted}; found {values} in {name_some(where)}")


def _check_numbers(column: pd.Series, name: str) -> None:
    if column.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be numbers; found {column.dtype}")
    bad = ~np.isfinite(column.to_numpy(dtype=float, na_value=np.nan))
    if bad.any():
        where = column.index[bad].astype(str).tolist()
        raise ValueError(
            f"{name} must be finite and not missing; found otherwise in {name_some(where)}"
        )
