"""Months and a policy shift -> the design matrix of the segmented regression."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from analysis.checks import check_whole, idle_columns, name_some, require
from analysis.its.series import (
    CONTROL,
    COVARIATE,
    ERRORS,
    PERIOD_NAMES,
    fill_missing,
    has_counts,
    periods_of,
    periods_per_year,
)
from analysis.its.shifts import Impact, PolicyShift
from analysis.language import say_runs

FEWEST_TO_FIT = 6  # months on either side of a shift
FEWEST_DF = 3  # periods more than coefficients: the engine's
FEWEST_MONTHS = {"before": 24, "after": 12}  # that a window keeps; a fit with fewer is flagged
OMITTED = "omit:"  # begins the column of a period that is left out
MOST = 2_400  # periods in a window: memory grows with their square
FEWEST_AROUND = 12  # months on either side of a break, and between two
TERMS = {"level": ("level",), "slope": ("slope",), "level_and_slope": ("level", "slope")}


def fewest_periods(index: pd.PeriodIndex, months: int = FEWEST_AROUND) -> int:
    """Return how many periods make up the fewest `months`: three at least."""
    return max(3, months * periods_per_year(index) // 12)


def cut_window(series: pd.DataFrame, shift: PolicyShift) -> pd.DataFrame:
    """Return a copy of the rows of `series` inside the shift's window, checked for use."""
    series = fill_missing(series)
    index = periods_of(series)
    start, end = shift.start or index[0], shift.end or index[-1]
    inside = (index.start_time >= start.start_time) & (index.end_time <= end.end_time)
    window = series.loc[inside].copy()
    told: dict[str, Any] = {"shift": shift, "first": index[0], "last": index[-1]}
    declared = {"start": shift.start or "the first", "end": shift.end or "the last"}
    require(not window.empty, ERRORS["no_window"].format(**told, **declared))
    index = index[inside]
    told |= {"first": index[0], "last": index[-1]}
    before, last = (first_position(index, month) for month in (shift.month, shift.months[-1]))
    held = shift.month.start_time >= index[0].start_time and last < len(index)
    require(held, ERRORS["outside"].format(**told))
    out = omitted_periods(index, shift.omit) | _is_missing(window)
    told |= {"before": (~out[:before]).sum(), "after": (~out[last:]).sum()}
    fewest, names = fewest_periods(index, FEWEST_TO_FIT), PERIOD_NAMES[index.freqstr.split("-")[0]]
    enough = min(told["before"], told["after"]) >= fewest
    require(enough, ERRORS["few"].format(fewest=fewest, names=names, **told))
    return window


def _is_missing(frame: pd.DataFrame) -> np.ndarray:
    """Return which values are missing, its own or its control's, (n,); counts never are."""
    if has_counts(frame):
        return np.zeros(len(frame), dtype=bool)
    names = frame.columns.intersection(["value", CONTROL + "value"])
    return frame[names].isna().any(axis=1).to_numpy()


def window_of(
    series: pd.DataFrame, shift: PolicyShift | None, harmonics: int
) -> tuple[pd.DataFrame, pd.PeriodIndex, tuple[pd.Period, ...], np.ndarray]:
    """Return the window, its periods, those left out and where (n,), if it tells of the shift."""
    window = fill_missing(series) if shift is None else cut_window(series, shift)
    index = periods_of(window)
    omit = (*(() if shift is None else shift.omit), *index[_is_missing(window)])
    out = omitted_periods(index, omit)
    require(len(index) <= MOST, ERRORS["too_many"].format(n=len(index), most=MOST))
    for name in covariates_of(window):
        lacking = index[window[name].isna() & ~out].astype(str)
        fault = {"name": name.removeprefix(COVARIATE), "found": name_some(lacking)}
        require(lacking.empty, ERRORS["covariate_missing"].format(**fault))
    if shift is None:
        return window, index, omit, out
    told: dict[str, Any] = {"shift": shift, "first": index[0], "last": index[-1]}
    for month in shift.months:
        terms = build_design(window, shift, month=month, harmonics=harmonics, omit=())[~out]
        few = ERRORS["few_terms"].format(kept=len(terms), terms=terms.shape[1], **told)
        require(len(terms) >= terms.shape[1] + FEWEST_DF, few)
        terms = terms[sorted(terms, key=lambda name: ":" in str(name))]  # of shifts beside last
        idle = terms.columns[idle_columns(terms.to_numpy())].tolist()
        lasts = int(terms["level"].sum()) if "level" in terms and shift.withdrawn else len(terms)
        brief = ERRORS["short"].format(lasts=lasts, **told)
        require(lasts > (shift.impact != "level"), brief)
        season = ERRORS["season"].format(pairs=harmonics, **told)
        require(all(":" in name for name in idle), season)
        same = [name.removeprefix(COVARIATE) for name in idle if name.startswith(COVARIATE)]
        require(not same, ERRORS["covariate_idle"].format(found=same, **told))
        months = {shift.slug: month} | {other.slug: other.month for other in shift.beside}
        if idle:
            slug = idle[0].partition(":")[2]
            others = ", ".join(f"{x} ({each})" for x, each in months.items() if x != slug)
            told |= {"slug": slug, "month": months[slug], "others": others}
            raise ValueError(ERRORS["beside"].format(**told))
    return window, index, omit, out


def outside_window(index: pd.PeriodIndex, shift: PolicyShift) -> list[str]:
    """Return the shifts beside and the periods to omit that have no say in a window."""
    beside = [other for other in shift.beside if not _moves_inside(index, other)]
    omit = [period for period in shift.omit if not omitted_periods(index, [period]).any()]
    runs = [say_runs(omit, str)] if omit else []
    return [*(f"{other.slug} ({other.month})" for other in beside), *runs]


def _moves_inside(index: pd.PeriodIndex, shift: PolicyShift) -> bool:
    """Tell whether a shift begins or ends within: all before or after it are as without it."""
    ends = [end for end in (shift.month, shift.withdrawn) if end is not None]
    return any(0 < first_position(index, end) < len(index) for end in ends)


def omitted_periods(index: pd.PeriodIndex, omit: Iterable[pd.Period]) -> np.ndarray:
    """Return which periods of `index` touch one to omit, (n,)."""
    out, ordinals = np.zeros(len(index), dtype=bool), index.asi8
    for period in omit:
        ends = period.start_time, period.end_time
        first, last = (pd.Period(end, index.freqstr).ordinal for end in ends)
        out |= (ordinals >= first) & (ordinals <= last)
    return out


def first_position(index: pd.PeriodIndex, month: pd.Period) -> int:
    """Return the position of the first period of `index` that lies wholly under the new policy."""
    return int(index.start_time.searchsorted(month.start_time))


def covariates_of(periods: pd.Index | pd.DataFrame) -> list[str]:
    """Return the names of a window's columns that are covariates."""
    held = periods.columns if isinstance(periods, pd.DataFrame) else ()
    return [name for name in held if str(name).startswith(COVARIATE)]


def build_design(
    periods: pd.PeriodIndex | pd.DataFrame,
    shift: PolicyShift | None = None,
    *,
    month: pd.Period | None = None,
    harmonics: int = 2,
    beside: Sequence[PolicyShift] | None = None,
    omit: Iterable[pd.Period] | None = None,
) -> pd.DataFrame:
    """Return the design (n, k) of a shift at one of its months, by default the first.

    A window in the place of its periods adds its covariates.
    """
    check_whole(harmonics, "harmonics", 0, 6)
    index = periods_of(periods) if isinstance(periods, pd.DataFrame) else periods
    per_year = periods_per_year(index)
    position = np.arange(len(index))
    columns = {"const": np.ones(len(index)), "trend": position / per_year}
    terms = []
    if shift is not None:
        terms = [(shift, month or shift.month, "")]
        beside = shift.beside if beside is None else beside
        omit = shift.omit if omit is None else omit
    beside = [other for other in beside or () if _moves_inside(index, other)]
    terms += [(other, other.month, f":{other.slug}") for other in beside]
    for own, first, suffix in terms:
        start, end = first_position(index, first), own.withdrawn
        lasts = None if end is None else first_position(index, end) - start
        found = break_columns(index, start, lasts)
        columns |= {f"{name}{suffix}": found[name] for name in TERMS[own.impact]}
    for name in covariates_of(periods):  # one that is missing stands where a period is left out
        columns[name] = cast("pd.DataFrame", periods)[name].to_numpy(dtype=float, na_value=0.0)
    season = index.month if per_year == 12 else index.quarter
    turn = 2 * np.pi * season.to_numpy() / per_year
    for pair in range(1, min(harmonics, per_year // 2) + 1):
        if 2 * pair < per_year:  # at two periods a cycle the sine is zero everywhere
            columns[f"sin{pair}"] = np.sin(pair * turn)
        columns[f"cos{pair}"] = np.cos(pair * turn)
    for place in np.flatnonzero(omitted_periods(index, omit or ())).tolist():
        columns[f"{OMITTED}{index[place]}"] = (position == place).astype(float)
    return pd.DataFrame(columns, index=index)


def break_columns(
    index: pd.PeriodIndex, places: int | Sequence[int] | np.ndarray, lasts: int | None = None
) -> dict[str, np.ndarray]:
    """Return the step and the change of slope (n, ...) of a break at each of `places`."""
    since = np.subtract.outer(np.arange(len(index)), np.asarray(places))
    under = (since >= 0) & (since < (len(index) if lasts is None else lasts))
    slope = np.maximum(since, 0) * under / periods_per_year(index)
    return {"level": under.astype(float), "slope": slope}


def background(
    periods: pd.PeriodIndex | pd.DataFrame,
    beside: Sequence[PolicyShift],
    harmonics: int,
    omit: Iterable[pd.Period],
) -> pd.DataFrame:
    """Return the design without a shift's own terms, and without columns that are zero here."""
    design = build_design(periods, harmonics=harmonics, beside=beside, omit=omit)
    return design.loc[:, (design != 0).any()]


def break_designs(
    window: pd.DataFrame,
    positions: Sequence[int],
    beside: Sequence[PolicyShift],
    harmonics: int,
    impact: Impact,
    omit: Iterable[pd.Period],
) -> np.ndarray:
    """Return a design (n, k) for a break at each position; its own columns are the last."""
    common = background(window, beside, harmonics, omit).to_numpy()
    columns = break_columns(periods_of(window), positions)
    terms = [columns[name].T[:, :, None] for name in TERMS[impact]]
    same = np.broadcast_to(common, (len(positions), *common.shape))
    return np.concatenate([same, *terms], axis=2)
