"""What could be known when an article came out: a source's delay, and a series cut at a month."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.checks import check_known, read_period
from analysis.frames import check_frame, check_log, has_counts

FEWEST = 36  # months that every method needs


@dataclass(frozen=True)
class Release:
    """How long after its end a source's period is published."""

    months: int
    yearly: bool  # whole calendar years at a time
    reason: str
    caution: str = ""  # with {published}: the article, {month}: the freeze, {before}: before it


RELEASES = {
    "sesnsp": Release(
        1,
        False,
        "a month's victims are published around the 20th of the next",
        "The article's day is not known here: until about the 20th of {published} only {before} "
        "was out, so that {month}, which is taken, is the most that it can have known.",
    ),
    "inegi": Release(10, True, "a year's deaths are published about ten months after it ends"),
}


def freeze_month(source: str, published: str | pd.Period) -> pd.Period:
    """Return the last month of `source` that was published when an article came out.

    Parameters
    ----------
    source : {"inegi", "sesnsp"}
        Its lag of publication is declared in `RELEASES`.
    published : str or Period
        Month of the article, such as ``"2021-05"``.

    Raises
    ------
    KeyError, ValueError
        For an unknown source, or if `published` is no month.
    """
    check_known(source, RELEASES, "source")
    last = check_month(published, "published") - RELEASES[source].months
    if RELEASES[source].yearly and last.month < 12:
        last = pd.Period(year=last.year - 1, month=12, freq="M")
    return last


def freeze(series: pd.DataFrame, *, at: str | pd.Period) -> pd.DataFrame:
    """Return the months of `series` until `at`: all that a forecast is given.

    Parameters
    ----------
    series : DataFrame
        Months; columns `deaths` and `person_years`. What stands after `at` is not even checked.
    at : str or Period
        Last month known.

    Returns
    -------
    DataFrame
        A copy of at least `FEWEST` months, checked for use on the log scale. Person-years after the
        last June are carried on from the year before: the population is interpolated between
        mid-years, and theirs would lean on the next.

    Raises
    ------
    TypeError, ValueError
        If `at` is outside the series or the months until then cannot carry a forecast.
    """
    if not isinstance(series, pd.DataFrame):
        raise TypeError(f"series must be a DataFrame, found {type(series).__name__}")
    if not isinstance(series.index, pd.PeriodIndex) or series.index.freqstr != "M":
        raise ValueError("a forecast needs months: a PeriodIndex of freq 'M'")
    at = check_month(at, "at")
    if at not in series.index:
        raise ValueError(
            f"the freeze at {at} is outside the series, {series.index[0]} to {series.index[-1]}; "
            "choose one of its months"
        )
    known = check_known_months(series.loc[series.index <= at].copy())
    middle = pd.Period(year=at.year - (at.month < 6), month=6, freq="M")
    if at > middle:
        ahead = carry_person_years(known.loc[:middle], at)
        known.loc[ahead.index, "person_years"] = ahead
    return known


def check_known_months(known: pd.DataFrame) -> pd.DataFrame:
    """Return the frame unchanged, or raise what `freeze` declares."""
    check_frame(known)
    if known.index.freqstr != "M" or not has_counts(known):
        raise ValueError(
            "a forecast needs months with the columns 'deaths' and 'person_years'; found "
            f"frequency {known.index.freqstr!r} and {known.columns.tolist()}"
        )
    if len(known) < FEWEST:
        raise ValueError(
            f"{len(known)} months until {known.index[-1]} are too few to forecast from; at least "
            f"{FEWEST} are needed. Freeze later or use a longer series."
        )
    check_log(known)
    return known


def check_month(month: str | pd.Period, name: str) -> pd.Period:
    """Return a month as a Period, or say which argument is none."""
    period = read_period(month)
    if period is None:
        raise ValueError(f"{name} must be a month like '2021-05'; found {month!r}")
    return period


def carry_person_years(known: pd.DataFrame, until: pd.Period) -> pd.Series:
    """Return person-years from the month after `known` until `until`, from `known` alone.

    The population grows on at its rate over the last twelve months; months keep their length.
    """
    last = known.index[-1]
    if until <= last:
        raise ValueError(f"until must come after the last known month, {last}; found {until}")
    population = known["person_years"] / known.index.days_in_month
    growth = population.iloc[-1] / population.iloc[-13]
    ahead = pd.period_range(last + 1, until, freq="M")
    grown = population.iloc[-1] * growth ** (np.arange(1, len(ahead) + 1) / 12)
    return pd.Series(grown * ahead.days_in_month, index=ahead, name="person_years")
