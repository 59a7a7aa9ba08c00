"""What every function asks of a series: regular periods, and counts or values that can be true."""

from contextlib import suppress
from typing import Any, Literal, cast
from warnings import catch_warnings

import numpy as np
import pandas as pd

from analysis.arguments import check_class
from analysis.checks import name_some, require, shown
from analysis.files import DATA_FOLDER, read_toml

Scale = Literal["log", "rate", "value"]

PER = 1e5  # person-years of a rate
COUNTS = {"deaths", "person_years"}
COVARIATE, CONTROL = "covariate:", "control:"  # begin the columns that fit_its adds to a series
KINDS = {"deaths": ("deaths", "person_years"), "value": ("value",)}  # of a series, by its columns
KINDS |= {"total": ("count", "total"), "exposure": ("count", "exposure"), "count": ("count",)}
INPUT = read_toml(DATA_FOLDER / "its-input.toml")[1]
ERRORS = INPUT["errors"]
PERIODS_PER_YEAR = {"Y": 1, "Q": 4, "M": 12}
PERIOD_NAMES = {"Y": "years", "Q": "quarters", "M": "months"}
DATED = ("date", "fecha", "month", "mes", "period", "periodo", "year", "año", "anio", "quarter")
TOTALS = {"value": "mean"}  # over finer periods
TOTALS |= dict.fromkeys(["deaths", "person_years", "count", "exposure", "total"], "sum")


def periods_of(frame: pd.DataFrame | pd.Series) -> pd.PeriodIndex:
    """Return the index of what `check_frame` has let pass."""
    return cast("pd.PeriodIndex", frame.index)


def periods_per_year(index: pd.Index) -> int:
    """Return 12 for months, 4 for quarters, 1 for years."""
    return PERIODS_PER_YEAR[cast("pd.PeriodIndex", index).freqstr.split("-")[0]]


def fill_missing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with every period, checked as by `check_frame`, but values may be missing."""
    if kind_of(check_class(frame, "series", pd.DataFrame)) == "value":
        check_index(frame, gaps=True)
        frame = frame.reindex(pd.period_range(frame.index[0], frame.index[-1]))
    return check_frame(frame, missing=True)


def check_index(frame: pd.DataFrame, *, gaps: bool = False) -> None:
    """Raise an error unless `frame` has regular months, quarters or years, perhaps with gaps."""
    index: Any = frame.index
    require(len(index) > 0, "series is empty: it must have one row for each month")
    periods = isinstance(index, pd.PeriodIndex)
    name = index.freqstr.split("-")[0] if periods else type(index).__name__
    if name not in PERIODS_PER_YEAR:
        raise TypeError(ERRORS["no_periods"].format(found=name, cure=_advise(frame)))
    require(not index.hasnans, "periods must not be missing; found NaT in the index")
    first, last = index.min(), index.max()
    dated = first.year >= 1 and last.year <= 9999
    require(dated, f"periods must be in the years 1 to 9999; found {first} to {last}")
    if not index.is_unique:
        twice = name_some(index[index.duplicated()].unique().astype(str))
        raise ValueError(f"periods must be unique; {twice} appear more than once")
    require(index.is_monotonic_increasing, "periods must be in order; use frame.sort_index()")
    if not gaps and last.ordinal - first.ordinal >= len(index):
        missing = name_some(pd.period_range(first, last).difference(index).astype(str))
        raise ValueError(ERRORS["holes"].format(names=PERIOD_NAMES[name], missing=missing))


def check_frame(frame: pd.DataFrame, *, missing: bool = False) -> pd.DataFrame:
    """Return `frame` if it can be used, in numbers of 64 bits; `missing`: but for some values.

    Counts and what they are of become `deaths` and `person_years`, as the model calls them.
    """
    frame = pd.DataFrame(check_class(frame, "series", pd.DataFrame), copy=False)
    frame.attrs = {}  # pandas would copy attrs at every step
    check_index(frame)
    return check_numbers(frame, missing=missing)


def check_numbers(frame: pd.DataFrame, *, missing: bool = False) -> pd.DataFrame:
    """Return `frame` as `check_frame` does, whatever its index."""
    columns = frame.columns
    require(columns.nlevels == 1, ERRORS["levels"])
    twice = [] if columns.is_unique else columns[columns.duplicated()].unique().tolist()
    require(not twice, f"columns must be unique; {twice} appear twice")
    kind = kind_of(frame)
    require(kind != "", ERRORS["no_columns"].format(found=columns.tolist()))
    added = [name for name in columns if str(name).startswith((COVARIATE, CONTROL))]
    for name in sorted({*KINDS[kind]} | ({"value"} & {*columns}) | {*added}):
        gaps = missing and (name.startswith(COVARIATE) or name.endswith("value"))
        numbers = _read_numbers(given := frame[name], name, missing=gaps)
        if numbers.dtype != given.dtype:  # of fewer digits, or of another kind of missing
            frame = frame.assign(**{name: numbers})
    return frame if kind == "value" else _as_rates(frame, kind)


def split_panel(panel: pd.DataFrame) -> dict[object, pd.DataFrame]:
    """Return the series of each place of a panel, MultiIndex (place, period), in its order."""
    index = check_class(panel, "panel", pd.DataFrame).index
    if index.nlevels != 2:
        raise TypeError(ERRORS["no_panel"].format(kind=type(index).__name__, index=index))
    level = index.get_level_values(1)
    if not isinstance(level, pd.PeriodIndex):
        raise TypeError(ERRORS["no_months"].format(found=level.dtype))
    unnamed = np.count_nonzero(index.get_level_values(0).isna())
    require(not unnamed, f"every row needs a place; {unnamed} have none. Name or drop them.")
    require(len(panel) > 0, "the panel is empty")
    panel = pd.DataFrame(panel, copy=False).set_axis(level)
    panel.attrs = {}  # pandas would copy them for every place, several times
    return dict(iter(panel.groupby(index.get_level_values(0), sort=False)))


def read_attrs(series: pd.DataFrame) -> dict:
    """Return what a series or panel says of itself, if what is read of it has its keys."""
    attrs = check_class(series, "series", pd.DataFrame).attrs
    for name in [each for each in INPUT["attrs"] if attrs.get(each) is not None]:
        told, keys = attrs[name], INPUT["attrs"][name]
        records = told if isinstance(told, list | tuple) else [told]
        fits = all(isinstance(each, dict) and {*keys} <= {*each} for each in records)
        fault = {"name": name, "keys": ", ".join(keys), "found": shown(told)}
        require(fits, ERRORS["attrs"].format(**fault))
    return attrs


def has_counts(frame: pd.DataFrame) -> bool:
    """Tell whether `frame` holds deaths and person-years, or other counts."""
    return kind_of(frame) not in ("value", "")


def kind_of(frame: pd.DataFrame) -> str:
    """Return which of `KINDS` the columns of `frame` are, or nothing: half a rate is no count."""
    held = {*frame.columns}
    kind = next((kind for kind, names in KINDS.items() if {*names} <= held), "")
    return "" if kind == "count" and held & COUNTS else kind


def unused_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns of a series that no model reads."""
    used = {"value", *KINDS.get(kind_of(frame), ())}
    names = [str(name) for name in frame if name not in used]
    return [name for name in names if not name.startswith((COVARIATE, CONTROL))]


def measure_of(frame: pd.DataFrame) -> dict[str, str]:
    """Return what a series counts, and the unit of its rate: of its columns, unless it says so."""
    kind = kind_of(frame)
    names = dict(zip(("count", "size"), KINDS[kind], strict=False)) if kind != "value" else {}
    names |= {"period": PERIOD_NAMES[periods_of(frame).freqstr.split("-")[0]][:-1]}
    names |= frame.attrs.get("measure", {})
    kind = names.setdefault("kind", kind)
    return names | {"unit": INPUT["units"][kind].format(**names)}


def choose_scale(
    frame: pd.DataFrame, scale: Scale | None, *, empty: bool = False, out: np.ndarray | None = None
) -> Scale:
    """Return `scale`, or the default, if it can be used: on a log scale no period may be empty."""
    if scale is None:
        require(not has_counts(frame) or "value" not in frame, ERRORS["both"])
        scale = "log" if has_counts(frame) else "value"
    held = "value" in frame.columns if scale == "value" else has_counts(frame)
    wanted = "a column 'value'" if scale == "value" else "'deaths' and 'person_years'"
    require(held, f"scale {scale!r} needs {wanted}; found {frame.columns.tolist()}")
    if scale == "log" and not empty:
        kept = frame if out is None else frame[~out]
        without = kept.index[kept["deaths"] == 0].astype(str)
        if len(without):
            raise EmptyPeriodsError(ERRORS["no_deaths"].format(found=name_some(without)))
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
    own = own_outcome(frame, scale, omitted)
    control = control_of(frame)
    return own if control.empty else own - own_outcome(control, scale, omitted)


def own_outcome(frame: pd.DataFrame, scale: Scale, omitted: np.ndarray | None = None) -> np.ndarray:
    """Return the same of the series itself, whatever its control, (n,)."""
    counts = scale != "value"
    columns = rate_of(frame["deaths"], frame["person_years"]) if counts else frame["value"]
    numbers = columns.to_numpy(dtype=float, copy=True)
    if omitted is not None and omitted.any():
        numbers[omitted] = numbers[~omitted].mean()
    return np.log(numbers) if scale == "log" else numbers


def control_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the control that a series carries, as a series; without columns if it has none."""
    names = {CONTROL + name: name for name in ("deaths", "person_years", "value")}
    held = [name for name in names if name in frame]
    return frame[held].rename(columns=names) if held else pd.DataFrame(index=frame.index)


def groups_of(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the series of a frame with a control: itself, the control, each of several."""
    added = [name for name in map(str, frame) if name.startswith(CONTROL)]
    groups = {"treated": frame.drop(columns=added), "control": control_of(frame)}
    for name in added:
        slug, _, column = name.removeprefix(CONTROL).rpartition(":")
        if slug:
            groups.setdefault(slug, pd.DataFrame(index=frame.index))[column] = frame[name]
    return groups


def _as_rates(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return counts as `deaths` and `person_years`, if both can be true."""
    count = frame[KINDS[kind][0]]
    size = frame[KINDS[kind][1]] if len(KINDS[kind]) > 1 else pd.Series(PER, frame.index)
    counts, sizes = count.to_numpy(), size.to_numpy()
    mixed = (sizes < counts) & (kind in ("deaths", "total"))
    for column, wrong, wanted in (
        (count, counts < 0, "must not be negative"),
        (count, counts != np.floor(counts), "must be whole numbers"),
        (size, sizes <= 0, "must be positive"),
        (size, mixed, f"must not be below {count.name} (are they mixed up?)"),
    ):
        if wrong.any():
            where, found = name_some(frame.index[wrong].astype(str)), column[wrong].head(3).tolist()
            raise ValueError(f"{column.name} {wanted}; found {found} in {where}")
    if kind == "deaths":
        return frame
    size = size * (PER / 100) if kind == "total" else size  # of a share the rate is in percent
    return frame.drop(columns=[*KINDS[kind]]).assign(deaths=count, person_years=size)


def _read_numbers(column: pd.Series, name: str, *, missing: bool) -> pd.Series:
    """Return numbers as whole or decimal ones of 64 bits; with `missing` some may be."""
    kind, given = column.dtype.kind, column.to_numpy()
    if column.dtype in (np.int64, np.float64) and np.isfinite(given).all():
        return column
    if kind not in ("iufb" if name.startswith(COVARIATE) else "iuf"):
        cure = f". If they are numbers use frame.astype({{{name!r}: float}})" if kind == "O" else ""
        raise TypeError(f"{name} must be numbers; found {column.dtype}{cure}")
    numbers = column.astype(float)
    kept = numbers.dropna() if missing else numbers
    require(len(kept) > 0, f"every {name} is missing")
    if not (finite := np.isfinite(kept.to_numpy())).all():
        bad = name_some(kept.index[~finite].astype(str))
        raise ValueError(ERRORS["not_finite"].format(name=name, found=bad))
    decimal = kind == "f" or numbers.hasnans or numbers.max() >= 2**63
    return numbers if decimal else column.astype("int64")


def _advise(frame: pd.DataFrame) -> str:
    """Return the line of pandas that gives `frame` such an index, by where its dates are."""
    if frame.index.nlevels > 1:
        return INPUT["advice"]["panel"]
    if {"year", "month"} <= set(frame) and frame["month"].dtype.kind in "iu":
        return INPUT["advice"]["fields"]
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
