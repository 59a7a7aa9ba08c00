"""When did the series break? The posterior over the dates, and the classical answer beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, cast

import numpy as np
import pandas as pd

from analysis.arguments import Count, Waves, checked, whole
from analysis.checks import OneLine, read_period, require, shown, unit_size
from analysis.engine.bai_perron import break_intervals, find_breaks
from analysis.engine.dates import scan
from analysis.engine.reml import integrate
from analysis.engine.sup_f import sup_f
from analysis.its.design import background, break_columns, fewest_periods, first_position, window_of
from analysis.its.series import ERRORS, Scale, check_frame, choose_scale, outcome, periods_per_year
from analysis.its.shifts import PolicyShift, until_withdrawn

CREDIBLE = 0.95
MOST = {1: 600, 2: 420}  # periods for so many breaks: time grows with their cube


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
    shift = shift and until_withdrawn(shift)
    window, index, omit, omitted = window_of(series, shift, harmonics)
    many = ERRORS["many_dates"].format(n=len(window), most=MOST[breaks], breaks=breaks)
    require(len(window) <= MOST[breaks], many)
    scale = choose_scale(window, scale, out=omitted)
    own, beside = range(0), () if shift is None else shift.beside
    if shift is not None:
        own = range(first_position(index, shift.month), first_position(index, shift.months[-1]) + 1)
    places = admissible_positions(index, own, beside)
    gap = fewest_periods(index)
    numbers = combinations(range(len(places)), breaks)
    chosen = [each for each in numbers if breaks == 1 or places[each[1]] - places[each[0]] >= gap]
    none = {"found": f"{len(window)} periods", "what": f"date for {breaks} break(s)"}
    require(len(chosen) > 0, ERRORS["no_dates"].format(fewest=gap, **none))
    shared = background(window, beside, harmonics, omit).to_numpy()
    columns = np.hstack(list(break_columns(index, places).values()))
    terms = np.hstack([chosen, np.add(chosen, len(places))])  # steps, then changes of slope
    y = outcome(window, scale, omitted)
    ratio = _ratio_at(own.start, y, shared, index) if own else 1.0
    found, exact = scan(y, shared, columns, terms, longest=longest, ratio=ratio, after=own.start)
    require(np.isfinite(found[0]).any(), ERRORS["no_dates"].format(fewest=gap, **none))
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
    ends = [end for other in beside for end in (other.month, other.withdrawn) if end is not None]
    places = [first_position(index, end) for end in ends]
    return {place + step for place in places for step in range(-reach, reach + 1)}


@dataclass(frozen=True, repr=False)
class BreakPosterior(OneLine):
    """The probability of each admissible date, given that there are so many breaks."""

    probability: pd.Series  # by period; by pairs of periods (MultiIndex) for two breaks; sums to 1

    @property
    def mode(self) -> pd.Period | tuple[pd.Period, pd.Period]:
        """The likeliest period, or pair of periods."""
        return cast("pd.Period | tuple[pd.Period, pd.Period]", self.probability.idxmax())

    @property
    def credible(self) -> pd.Index:
        """The 95% set: the fewest periods, or pairs, that hold 95% of the probability."""
        ranked = self.probability.sort_values(ascending=False, kind="stable")
        count = int(np.searchsorted(ranked.cumsum().to_numpy(), CREDIBLE - 1e-12)) + 1
        return self.probability.index[self.probability.index.isin(ranked.index[:count])]

    @property
    def by_period(self) -> pd.Series:
        """The probability that a break, the first or the second, is at each period."""
        if self.probability.index.nlevels == 1:
            return self.probability
        sides = [self.probability.groupby(level=level).sum() for level in (0, 1)]
        return sides[0].add(sides[1], fill_value=0.0).sort_index()

    @checked
    def mass_near(
        self, period: pd.Period | str, months: Annotated[int, whole(0, 1200)] = 3
    ) -> float:
        """Return the probability of a break within `months` of a date such as ``"2006-12"``."""
        return float(self.probability[self.near(period, months)].sum())

    def near(self, period: pd.Period | str, months: int = 3) -> np.ndarray:
        """Return which of the dates, or pairs of them, lie within `months` of a date."""
        index = self.probability.index
        levels = [pd.PeriodIndex(index.get_level_values(i)) for i in range(index.nlevels)]
        reach = months // (12 // periods_per_year(levels[0]))
        wanted = read_period(period, "MQY")
        if wanted is None:
            raise ValueError(f"period must be a date like '2006-12'; found {shown(period)}")
        first = pd.Period(wanted.start_time, levels[0].freqstr)
        centre = first.ordinal + (first.start_time < wanted.start_time)  # lies wholly after it
        near: np.ndarray = np.any([abs(level.asi8 - centre) <= reach for level in levels], axis=0)
        return near


@checked
def break_posterior(
    series: pd.DataFrame,
    breaks: Annotated[int, whole(1, 2)] = 1,
    *,
    shift: PolicyShift | None = None,
    scale: Scale | None = None,
    harmonics: Waves = 2,
) -> BreakPosterior:
    """Return the posterior over the dates of one or two breaks in level and slope.

    Every admissible date has the same prior probability and the same model: the headline design
    with its step and change of slope there, coefficients, variance and memory integrated out. The
    errors keep their size, except at the date of `shift`, where it changes for all candidates as a
    break there would have it: else a change of size would pass for a break.

    Parameters
    ----------
    series, scale, harmonics
        As in `analysis.fit_its`.
    breaks : {1, 2}
        How many breaks the series is taken to have.
    shift : PolicyShift, optional
        Cuts the series to its window, puts the shifts beside it into the model, and keeps its own
        dates among the candidates even where fewer than 12 months follow them.

    Returns
    -------
    BreakPosterior
        Over all periods with at least 12 months on either side (and between two breaks), at zero if
        shifts beside tell a date. A series that some dates fit exactly leaves those, and no other.

    Notes
    -----
    A break near either end has more room for its level and slope. Where there is no break at all,
    the first and last dates hold two to four times their share: a likely date there says less.

    References
    ----------
    Chib (1998), Journal of Econometrics 86, 221-241, doi:10.1016/S0304-4076(97)00115-2
    """
    index, choices, (found, *_), exact = weigh_dates(
        series, shift, breaks=breaks, scale=scale, harmonics=harmonics
    )
    sides = [index[list(side)] for side in zip(*choices, strict=True)]
    dates: pd.Index = sides[0]
    if breaks == 2:
        dates = pd.MultiIndex.from_arrays(sides, names=["first", "second"])
    return BreakPosterior(pd.Series(share_evidence(found, exact)[0], dates, name="probability"))


def share_evidence(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return the probabilities (R, D) of choices equally likely beforehand, from their evidence."""
    # rounded: dates with no period between them are as likely, and the first is the mode
    weight = np.exp((found - found.max(axis=1, keepdims=True)).round(10))
    if exact.any():  # nothing is left to explain, and the likelihood has no bound
        weight = np.broadcast_to(exact.astype(float), found.shape)
    return weight / weight.sum(axis=1, keepdims=True)


@checked
def date_breaks(
    series: pd.DataFrame, *, scale: Scale | None = None, most: Count = 5, trimming: float = 0.15
) -> pd.DataFrame:
    """Date the breaks of a series the classical way: on a constant and its lags, number by BIC.

    Parameters
    ----------
    series, scale
        As in `analysis.fit_its`.
    most, trimming
        As in `find_breaks`.

    Returns
    -------
    DataFrame
        One row per break: `first` (the first period of the new regime), `low`, `high` (95%; ends
        outside the series are cut to it). ``attrs`` hold `sup_f` and its `p`.
    """
    series = check_frame(series)
    values = unit_size(outcome(series, choose_scale(series, scale)))[0]  # dates have no unit
    season = periods_per_year(series.index)
    lags = sorted({1, season})
    y = values[season:]
    X = np.column_stack([np.ones(len(y)), *(values[season - lag : -lag] for lag in lags)])
    test = sup_f(y, X, trimming=trimming)
    breaks = find_breaks(y, X, most=most, trimming=trimming)
    number, index = breaks.best("bic"), series.index[season:]
    names, last = ["first", "low", "high"], len(index) - 1
    dates = pd.DataFrame(columns=names)
    if number:
        found = break_intervals(y, X, breaks, number)
        dates = pd.DataFrame({name: index[getattr(found, name).clip(0, last)] for name in names})
    dates.attrs = {"sup_f": test.statistic, "p": test.p}
    return dates
