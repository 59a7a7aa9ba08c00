"""Which dates a break may have, their designs, and how well the series fits with each."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.checks import require
from analysis.engine.reml import integrate
from analysis.engine.scan import scan
from analysis.its.design import background, break_columns, fewest_periods, first_position, window_of
from analysis.its.series import Scale, choose_scale, outcome
from analysis.its.shifts import PolicyShift


def weigh_dates(
    series: pd.DataFrame,
    shift: PolicyShift | None,
    *,
    breaks: int = 1,
    scale: Scale | None = None,
    harmonics: int = 2,
    longest: int = 0,
) -> tuple[pd.PeriodIndex, list[tuple[int, ...]], list[np.ndarray], np.ndarray]:
    """Return the periods, the positions of each choice of dates, and what `scan` says of them."""
    window, index, omit, omitted = window_of(series, shift)
    scale = choose_scale(window, scale, out=omitted)
    own, beside = range(0), () if shift is None else shift.beside
    if shift is not None:
        own = range(first_position(index, shift.month), first_position(index, shift.months[-1]) + 1)
    places = admissible_positions(index, own, beside)
    gap = fewest_periods(index)
    numbers = combinations(range(len(places)), breaks)
    chosen = [each for each in numbers if breaks == 1 or places[each[1]] - places[each[0]] >= gap]
    none = f"{len(window)} periods leave no admissible date for {breaks} break(s)"
    needed = f"{gap} are needed on either side of each. Use a longer series."
    require(len(chosen) > 0, f"{none}: {needed}")
    shared = background(index, beside, harmonics, omit).to_numpy()
    columns = np.hstack(list(break_columns(index, places).values()))
    columns_of = np.array(chosen)
    columns_of = np.hstack([columns_of, columns_of + len(places)])  # steps, then changes of slope
    y = outcome(window, scale, omitted)
    ratio = _ratio_at(own.start, y, shared, index) if own else 1.0
    after = own.start
    found, exact = scan(y, shared, columns, columns_of, longest=longest, ratio=ratio, after=after)
    return index, [tuple(places[i] for i in each) for each in chosen], found, exact


def _ratio_at(place: int, y: np.ndarray, shared: np.ndarray, index: pd.PeriodIndex) -> float:
    """Return how much larger the errors are from a break at `place` on, by its own model."""
    X = np.column_stack([shared, *break_columns(index, place).values()])
    mixture = integrate(y, X, np.eye(X.shape[1])[:1], after=place)
    return 1.0 if mixture.exact[0] else float(np.exp(mixture.weight[0] @ np.log(mixture.ratio)))


def admissible_positions(
    index: pd.PeriodIndex, own: Sequence[int] = (), beside: Sequence[PolicyShift] = ()
) -> list[int]:
    """Return where a break may be; `own` positions, in a row, with few periods around them too."""
    before = after = fewest_periods(index)
    if own:
        before, after = min(before, own[0]), min(after, len(index) - own[-1])
    taken = taken_positions(index, beside) - set(own)
    return [place for place in range(before, len(index) - after + 1) if place not in taken]


def taken_positions(index: pd.PeriodIndex, beside: Sequence[PolicyShift]) -> set[int]:
    """Return the positions within three months of a shift beside: not to be told apart from it."""
    reach = max(1, fewest_periods(index) // 4)
    places = [first_position(index, other.month) for other in beside]
    return {place + step for place in places for step in range(-reach, reach + 1)}
