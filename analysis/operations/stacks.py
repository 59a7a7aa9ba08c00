"""Operations and a panel of places -> one clean sub-experiment per operation, stacked."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from analysis.arguments import Months, checked, table
from analysis.checks import name_some, require
from analysis.files import DATA_FOLDER, read_toml
from analysis.its.series import split_panel
from analysis.its.shifts import PolicyShift

Operations = Sequence[PolicyShift]
Controls = Literal["never", "not_yet"]

ERRORS = read_toml(DATA_FOLDER / "operations-words.toml")[1]["errors"]
FEWEST_PLACES = 3  # with two, one treated and one control, no error can be estimated
MOST = 1e15  # person-years of a month
NUMBERS = ("deaths", "person_years")  # columns of a panel
BEFORE = AFTER = 24  # months of a sub-experiment on either side of its operation
NEVER = np.iinfo(np.int64).max  # the first month of a place that no operation reached


@dataclass(frozen=True)
class Experiment:
    """One operation's months: a place is told by its history, all the operations it had."""

    slug: str
    months: pd.PeriodIndex  # (T,)
    deaths: np.ndarray = field(repr=False)  # (n, T)
    person_years: np.ndarray = field(repr=False)  # (n, T)
    counted: np.ndarray = field(repr=False)  # (S, T): a place of history s enters in month t
    exposed: np.ndarray = field(repr=False)  # (S, T): and is under this operation
    treated: np.ndarray = field(repr=False)  # (S,): this operation came to it


@dataclass(frozen=True)
class Layout:
    """All sub-experiments of a panel, and which history each place has."""

    experiments: tuple[Experiment, ...]
    places: pd.Index  # (n,)
    history: np.ndarray  # (n,): row of `counted` and `exposed`


@checked
def first_operations(operations: Operations) -> list[PolicyShift]:
    """Return the operations with only those places that no earlier one had reached.

    Parameters
    ----------
    operations : sequence of PolicyShift
        In any order; an operation without such a place is left out.

    Returns
    -------
    list of PolicyShift
        By month.
    """
    for operation in operations:
        check_operation(operation)
    reached, first = {}, []
    for operation in sorted(operations, key=lambda shift: shift.month):
        month = operation.month
        if fresh := [x for x in operation.places if reached.setdefault(x, month) == month]:
            first.append(replace(operation, places=fresh))
    return first


def leave_out(
    panel: pd.DataFrame, operations: Operations, places: Sequence[str]
) -> tuple[pd.DataFrame, list[PolicyShift]]:
    """Return the panel and the operations without these places."""
    left = [[own for own in operation.places if own not in places] for operation in operations]
    kept = [replace(one, places=own) for one, own in zip(operations, left, strict=True) if own]
    return panel[~panel.index.get_level_values(0).isin(places)], kept


@checked
def stack_operations(
    panel: pd.DataFrame,
    operations: Operations,
    *,
    before: Months = BEFORE,
    after: Months = AFTER,
    controls: Controls = "never",
) -> pd.DataFrame:
    """Set each operation's places beside clean controls, and stack these sub-experiments.

    Parameters
    ----------
    panel : DataFrame
        As `load_states` gives it: MultiIndex (place, month); columns `deaths` and `person_years`.
    operations : sequence of PolicyShift
        Each with its first month and its `places`. A place that several reach is treated in each.
    before, after : int
        Months of a sub-experiment before its operation, and from its first month on.
    controls : {"never", "not_yet"}
        Places that no operation reached; or also those that one reached later, until it did. A
        place that another operation had reached is no control.

    Returns
    -------
    DataFrame
        A row per operation, place and month; columns `operation`, `place`, `month`, `event_time`
        (months since the first under the operation), `treated` (bool), `deaths`, `person_years`.

    References
    ----------
    Cengiz et al. (2019), Quarterly Journal of Economics 134, 1405-1454, doi:10.1093/qje/qjz014
    """
    layout = lay_out(panel, operations, before=before, after=after, controls=controls)
    stacks = []
    for experiment in layout.experiments:
        place, month = np.nonzero(experiment.counted[layout.history])
        columns = {
            "operation": experiment.slug,
            "place": layout.places[place],
            "month": experiment.months[month],
            "event_time": month - before,
            "treated": experiment.treated[layout.history[place]],
            "deaths": experiment.deaths[place, month],
            "person_years": experiment.person_years[place, month],
        }
        stacks.append(pd.DataFrame(columns))
    return pd.concat(stacks, ignore_index=True)


def lay_out(
    panel: pd.DataFrame,
    operations: Operations,
    *,
    before: Months = BEFORE,
    after: Months = AFTER,
    controls: Controls = "never",
    second: Operations = (),
) -> Layout:
    """Return the sub-experiments as arrays, by history; one of `second` ends its places' months."""
    check_panel(panel)
    panel = pd.DataFrame(panel, columns=[*NUMBERS])
    panel.attrs = {}  # pandas would copy them at every step
    deaths, person_years = (panel[name].astype(float).unstack() for name in NUMBERS)
    came = _arrivals(operations, deaths.index)
    again = _arrivals(second, deaths.index) if second else came[:, :0]
    both, history = np.unique(np.hstack([came, again]), axis=0, return_inverse=True)
    histories, again = np.hsplit(both, [len(operations)])
    starts = np.array([one.month.ordinal for one in operations])
    later = np.array([one.month.ordinal for one in second], int)
    first = np.where(histories, starts, NEVER).min(axis=1)  # (S,)
    experiments = []
    for k, operation in enumerate(operations):
        months = pd.period_range(operation.month - before, periods=before + after, freq="M")
        cut = [_cut_months(wide, months, operation.slug) for wide in (deaths, person_years)]
        treated = histories[:, k]
        clean = first > starts[k] if controls == "not_yet" else first == NEVER
        counted = treated[:, None] | (clean[:, None] & (months.asi8 < first[:, None]))
        end = np.where(again & (later > starts[k]), later, NEVER).min(axis=1, initial=NEVER)
        counted &= months.asi8 < end[:, None]
        left = (counted.any(axis=1) & ~treated)[history].any()
        require(left, ERRORS["no_control"].format(slug=operation.slug, controls=controls))
        exposed = treated[:, None] & counted & (np.arange(before + after) >= before)
        experiments.append(Experiment(operation.slug, months, *cut, counted, exposed, treated))
    return Layout(tuple(experiments), deaths.index, history.ravel())


def check_panel(panel: pd.DataFrame) -> None:
    """Raise an error unless `panel` has places, months and counts that can be true."""
    found = len(split_panel(panel))
    require(found >= FEWEST_PLACES, f"at least {FEWEST_PLACES} places are needed; found {found}")
    twice = panel.index[panel.index.duplicated()].tolist()[:1]
    require(not twice, f"each place needs one row a month; {twice} appears more than once")
    months = panel.index.get_level_values(1)
    if months.freqstr != "M" or months.hasnans:
        raise TypeError(f"the panel's second level must be months (Period 'M'); found {months[:1]}")
    numbers = table(numbers=NUMBERS)(panel, "panel")[[*NUMBERS]].astype(float)
    for name, least in (("deaths", 0), ("person_years", numbers["deaths"].clip(lower=1e-9))):
        wrong = panel[name][~((numbers[name] >= least) & (numbers[name] < MOST))].head(1).to_dict()
        wanted = "zero or more" if name == "deaths" else "positive and no fewer than deaths"
        require(not wrong, f"{name} must be {wanted}, finite and not missing; found {wrong}")


def check_operation(operation: PolicyShift) -> None:
    """Raise a TypeError or ValueError unless `operation` is a shift with one first month."""
    one = operation.month.freqstr == "M" and operation.until is None
    require(one, ERRORS["one_month"].format(operation))
    require(len(operation.places) > 0, ERRORS["no_places"].format(operation))


def _arrivals(operations: Operations, places: pd.Index) -> np.ndarray:
    """Tell which operation came to which place, shape (n, operations)."""
    for operation in operations:
        check_operation(operation)
        unknown = [place for place in operation.places if place not in places]
        known = name_some(map(str, places))
        require(not unknown, f"{operation.slug}: the panel has no place {unknown}, but {known}")
    slugs = [operation.slug for operation in operations]
    require(0 < len(slugs) == len(set(slugs)), ERRORS["slugs"].format(slugs))
    return np.column_stack([places.isin(operation.places) for operation in operations])


def _cut_months(wide: pd.DataFrame, months: pd.PeriodIndex, slug: str) -> np.ndarray:
    """Return the figures of these months, (n, T), or raise a ValueError where some are missing."""
    figures = wide.reindex(columns=months).to_numpy(dtype=float)
    holes = np.isnan(figures)
    if holes.any():
        at = int(holes.any(axis=1).argmax())
        told = {"missing": months[holes[at]].astype(str).tolist()[:3], "place": wide.index[at]}
        raise ValueError(ERRORS["hole"].format(slug=slug, first=months[0], last=months[-1], **told))
    return figures
