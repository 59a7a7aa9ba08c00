"""What stands beside a series in its model: columns by their names, covariates, a control."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.checks import check_known, name_some, require, shown
from analysis.its.series import (
    CONTROL,
    COVARIATE,
    ERRORS,
    KINDS,
    check_index,
    fill_missing,
    has_counts,
    kind_of,
    periods_of,
)

OWN = sorted({name for names in KINDS.values() for name in names})


def name_columns(series: pd.DataFrame, columns: Mapping[str, str] | None) -> pd.DataFrame:
    """Return `series` with the columns that `columns` names under the names of the model."""
    if not columns:
        return series
    for ours, theirs in columns.items():
        check_known(ours, OWN, "name in columns:")
        check_known(theirs, map(str, series.columns), "column")
    given = pd.DataFrame(series, copy=False)
    twice = len({*columns.values()}) < len(columns)
    require(not twice, ERRORS["named_twice"].format(found=dict(columns)))
    clash = [name for name in columns if name in given and name not in columns.values()]
    named = given.drop(columns=clash).rename(columns={old: new for new, old in columns.items()})
    kind = kind_of(named)
    names = dict(zip(("count", "size"), KINDS.get(kind, ()), strict=False))
    told = {place: columns.get(name, name) for place, name in names.items()}
    named.attrs = series.attrs | {"measure": {"kind": kind, **told}}
    return named


def add_covariates(series: pd.DataFrame, covariates: Any) -> pd.DataFrame:
    """Return `series` with covariates: names of its columns, or a frame or Series beside it."""
    if covariates is None:
        return series
    given = _read_frame(series, covariates, "covariates")
    index = periods_of(given)
    lacking = periods_of(series).difference(index).astype(str)
    told = {"found": name_some(lacking)}
    require(lacking.empty, ERRORS["covariate_periods"].format(**told))
    return _join(series, given.reindex(series.index), COVARIATE, covariates)


def add_control(
    series: pd.DataFrame, control: Any, columns: Mapping[str, str] | None
) -> pd.DataFrame:
    """Return `series` with a control: one series like it, or several that are put together."""
    if control is None:
        return series
    several = isinstance(control, Mapping)
    frames: dict[str, pd.DataFrame] = {}
    for name, given in control.items() if several else [("control", control)]:
        frame = name_columns(given, columns) if isinstance(given, pd.DataFrame) else given
        if not isinstance(frame, pd.DataFrame) or not kind_of(frame):
            frame = _read_frame(series, given, "control")
            frames |= {str(x): fill_missing(frame[[x]].set_axis(["value"], axis=1)) for x in frame}
        else:
            frames[str(name)] = fill_missing(_in_order(frame))
    require(len(frames) > 0, ERRORS["no_control"])
    taken = {"treated", "control", "difference"} & {*frames} if len(frames) > 1 else ()
    require(not taken, ERRORS["control_names"].format(found=sorted(taken)))
    for name, frame in frames.items():
        alike = has_counts(frame) == has_counts(series) and ("value" in frame) == (
            "value" in series
        )
        told = {"name": name, "found": frame.columns.tolist(), "wanted": series.columns.tolist()}
        require(alike, ERRORS["control_columns"].format(**told))
        lacking = name_some(periods_of(series).difference(periods_of(frame)).astype(str))
        require(lacking == "[]", ERRORS["control_periods"].format(name=name, found=lacking))
    frames = {name: frame.reindex(series.index) for name, frame in frames.items()}
    added = {}
    for column in next(iter(frames.values())).columns.intersection([*KINDS["deaths"], "value"]):
        each = np.column_stack([frame[column] for frame in frames.values()])
        added[column] = each.mean(axis=1) if column == "value" else each.sum(axis=1)
        if len(frames) > 1:
            added |= {f"{name}:{column}": part for name, part in zip(frames, each.T, strict=True)}
    return _join(series, pd.DataFrame(added, series.index), CONTROL, control)


def _read_frame(series: pd.DataFrame, given: Any, what: str) -> pd.DataFrame:
    """Return columns of `series` by name, or a frame or Series with periods, as a frame."""
    if _are_names(given):
        names = [given] if isinstance(given, str) else list(given)
        if any(isinstance(name, pd.DataFrame | pd.Series) for name in names):
            raise TypeError(ERRORS["beside_series"].format(what=what, found="a list of them"))
        for name in names:
            check_known(name, map(str, series.columns), f"column in {what}:")
        frame = series[names]
    elif isinstance(given, pd.Series):
        frame = given.to_frame(str(given.name or what))
    elif isinstance(given, pd.DataFrame):
        frame = given
    else:
        raise TypeError(ERRORS["beside_series"].format(what=what, found=shown(given)))
    frame = _in_order(frame)
    try:
        check_index(frame, gaps=True)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    freq, wanted = periods_of(frame).freqstr, periods_of(series).freqstr
    require(freq == wanted, ERRORS["other_periods"].format(what=what, found=freq, wanted=wanted))
    require(
        frame.columns.is_unique and frame.shape[1] > 0, ERRORS["beside_names"].format(what=what)
    )
    return frame.rename(columns=str)


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows in order where they have periods: what stands beside is matched by label."""
    return frame.sort_index() if isinstance(frame.index, pd.PeriodIndex) else frame


def _are_names(given: Any) -> bool:
    """Tell whether columns are given by their names."""
    frames = pd.DataFrame | pd.Series | Mapping
    return isinstance(given, str) or (isinstance(given, Iterable) and not isinstance(given, frames))


def _join(series: pd.DataFrame, added: pd.DataFrame, prefix: str, given: Any) -> pd.DataFrame:
    """Return `series` with columns beside it; those that it held already are moved."""
    named = added.add_prefix(prefix)
    twice = named.columns.intersection(series.columns).tolist()
    require(not twice, ERRORS["beside_twice"].format(found=twice))
    held = [given] if isinstance(given, str) else [*given] if _are_names(given) else []
    joined = pd.concat([pd.DataFrame(series, copy=False).drop(columns=held), named], axis=1)
    joined.attrs = series.attrs
    return joined
