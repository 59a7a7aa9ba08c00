"""What every function asks of a series: regular periods, and counts or values that can be true."""

from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd

from analysis.checks import name_some, require

Scale = Literal["log", "rate", "value"]

PER = 1e5  # person-years of a rate
PERIODS_PER_YEAR = {"Y": 1, "Q": 4, "M": 12}
PERIOD_NAMES = {"Y": "years", "Q": "quarters", "M": "months"}


def periods_per_year(index: pd.Index) -> int:
    """Return 12 for months, 4 for quarters, 1 for years."""
    return PERIODS_PER_YEAR[cast("pd.PeriodIndex", index).freqstr.split("-")[0]]


def periods_of(frame: pd.DataFrame | pd.Series) -> pd.PeriodIndex:
    """Return the index of what `check_frame` has let pass."""
    return cast("pd.PeriodIndex", frame.index)


def fill_missing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with every period, checked as by `check_frame`, but values may be missing."""
    if isinstance(frame, pd.DataFrame) and "value" in frame.columns and not has_counts(frame):
        index = frame.index
        orderly = isinstance(index, pd.PeriodIndex) and index.is_monotonic_increasing
        if orderly and len(index) and not (index.has_duplicates or index.hasnans):
            frame = frame.reindex(pd.period_range(index[0], index[-1]))
    return check_frame(frame, missing=True)


def is_missing(frame: pd.DataFrame) -> np.ndarray:
    """Return which values are missing, (n,); counts never are."""
    if has_counts(frame):
        return np.zeros(len(frame), dtype=bool)
    return frame["value"].isna().to_numpy()


def check_frame(frame: pd.DataFrame, *, missing: bool = False) -> pd.DataFrame:
    """Return `frame` unchanged if it can be used; with `missing` some of its values may not be."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"series must be a DataFrame, found {type(frame).__name__}")
    check_index(frame.index)
    columns = frame.columns
    one = columns.nlevels == 1
    require(one, "columns must have one level, such as 'deaths' and 'person_years'")
    duplicated = columns[columns.duplicated()].unique().tolist()
    require(not duplicated, f"columns must be unique; {duplicated} appear twice")
    wanted = "the columns 'deaths' and 'person_years', or 'value'"
    known = has_counts(frame) or "value" in columns
    require(known, f"series needs {wanted}; found {columns.tolist()}")
    if has_counts(frame):
        _check_counts(frame)
    if "value" in columns:
        values = frame["value"].dropna() if missing else frame["value"]
        _check_numbers(values, "value")
        require(len(values) > 0, "every value is missing")
    return frame


def split_panel(panel: pd.DataFrame) -> dict[object, pd.DataFrame]:
    """Return the series of each place of a panel, MultiIndex (place, period), in its order."""
    if not isinstance(panel, pd.DataFrame) or panel.index.nlevels != 2:
        wanted = "panel must be a DataFrame with a MultiIndex (place, period)"
        raise TypeError(f"{wanted}; found {type(panel).__name__}. A single series goes to fit_its.")
    unnamed = np.count_nonzero(panel.index.get_level_values(0).isna())
    require(not unnamed, f"every row needs a place; {unnamed} have none. Name or drop them.")
    require(len(panel) > 0, "the panel is empty")
    panel = pd.DataFrame(panel, copy=False)
    panel.attrs = {}  # pandas would copy them for every place, several times
    return {place: part.droplevel(0) for place, part in panel.groupby(level=0, sort=False)}


def has_counts(frame: pd.DataFrame) -> bool:
    """Tell whether `frame` holds deaths and person-years."""
    return {"deaths", "person_years"} <= set(frame.columns)


def choose_scale(
    frame: pd.DataFrame, scale: Scale | None, *, empty: bool = False, out: np.ndarray | None = None
) -> Scale:
    """Return `scale`, or the default, if it can be used: on a log scale no period may be empty."""
    if scale is None:
        scale = "log" if has_counts(frame) else "value"
    require(scale in get_args(Scale), f"unknown scale {scale!r}; use 'log', 'rate' or 'value'")
    held = "value" in frame.columns if scale == "value" else has_counts(frame)
    wanted = "a column 'value'" if scale == "value" else "'deaths' and 'person_years'"
    require(held, f"scale {scale!r} needs {wanted}; found {frame.columns.tolist()}")
    if scale == "log" and not empty:
        kept = frame if out is None else frame[~out]
        without = kept.index[kept["deaths"] == 0].astype(str)
        if len(without):
            fault = f"the log scale needs deaths in every period; none in {name_some(without)}"
            cure = "Use scale='rate' or a longer period; fit_its without a scale takes such counts"
            raise EmptyPeriodsError(f"{fault}. {cure} too.")
    return scale


class EmptyPeriodsError(ValueError):
    """Periods without deaths, which have no logarithm."""


def as_percent(logs: Any) -> Any:
    """Return changes on the log scale in percent: numbers, arrays or frames."""
    return 100 * np.expm1(logs)


def as_logs(percent: Any) -> Any:
    """Return changes in percent on the log scale: numbers, arrays or frames."""
    with np.errstate(divide="ignore"):  # -100% is minus infinity
        return np.log1p(percent / 100)


def rate_of(deaths: Any, person_years: Any) -> Any:
    """Return deaths per 100,000 person-years: numbers, arrays or series."""
    return PER * deaths / person_years


def outcome(frame: pd.DataFrame, scale: Scale, omitted: np.ndarray | None = None) -> np.ndarray:
    """Return what is modelled, shape (n,); what is `omitted` (n,) has the mean of the others."""
    counts = scale != "value"
    columns = rate_of(frame["deaths"], frame["person_years"]) if counts else frame["value"]
    numbers = columns.to_numpy(dtype=float, copy=True)
    if omitted is not None and omitted.any():
        numbers[omitted] = numbers[~omitted].mean()
    return np.log(numbers) if scale == "log" else numbers


def check_index(index: pd.Index) -> None:
    """Raise a TypeError or ValueError unless `index` is regular months, quarters or years."""
    if not isinstance(index, pd.PeriodIndex):
        cure = "use frame.to_period('M'), 'Q' or 'Y'"
        raise TypeError(f"series must have a PeriodIndex, found {type(index).__name__}; {cure}")
    name = index.freqstr.split("-")[0]
    known = name in PERIODS_PER_YEAR
    require(known, f"periods must be months, quarters or years; found frequency {name!r}")
    require(len(index) > 0, "series is empty")
    require(not index.hasnans, "periods must not be missing; found NaT in the index")
    twice = name_some(index[index.duplicated()].unique().astype(str))
    require(index.is_unique, f"periods must be unique; {twice} appear more than once")
    require(index.is_monotonic_increasing, "periods must be in order; use frame.sort_index()")
    if index[-1].ordinal - index[0].ordinal >= len(index):
        missing = name_some(pd.period_range(index[0], index[-1]).difference(index).astype(str))
        cure = "Reindex the series, with 0 deaths where the source reports none, or any number "
        cure += "where it lost them, and leave those periods out with omit."
        raise ValueError(f"{PERIOD_NAMES[name]} must be consecutive; missing {missing}. {cure}")


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
            where, found = name_some(frame.index[wrong].astype(str)), column[wrong].head(3).tolist()
            raise ValueError(f"{column.name} {wanted}; found {found} in {where}")


def _check_numbers(column: pd.Series, name: str) -> None:
    if column.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be numbers; found {column.dtype}")
    bad = ~np.isfinite(column.to_numpy(dtype=float, na_value=np.nan))
    if bad.any():
        found = f"found otherwise in {name_some(column.index[bad].astype(str))}"
        cure = "Where a source lost a number fill in any, and leave the period out with omit."
        raise ValueError(f"{name} must be finite and not missing; {found}. {cure}")
