"""A dated change of policy, with a window and impact declared before any fitting."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import pandas as pd

from analysis.arguments import check_choice
from analysis.checks import check_fields, read_period, require, shown
from analysis.language import Words

Impact = Literal["level_and_slope", "level", "slope"]

CHOSEN = Words("its-words.toml", "declared")
OVERLAP_MONTHS = 12  # shifts closer than this are hard to tell apart
SLUG = r"(?!.{81})[a-z0-9]+(-[a-z0-9]+)*"  # names of files are made of it
TEXTS: dict[str, Any] = dict.fromkeys(["title", "window_reason", "reason", "source", "words"], str)
TEXTS |= {"caveat": str} | dict.fromkeys(["places", "sources", "overlaps"], tuple[str])


@dataclass(frozen=True)
class PolicyShift:
    """One dated change of policy and the impact model chosen before fitting.

    ``PolicyShift(slug, month)`` alone is enough for a study of one's own. Periods may be given as
    text such as ``"2006-12"``, and one place, source or shift beside without a list around it.
    """

    HOW: ClassVar = "use PolicyShift('reform', '2010-01') or load_policy_shifts()[SLUG]"

    slug: str
    month: pd.Period  # first period under the new policy
    title: str = ""
    until: pd.Period | None = None  # last candidate, where the first is only known as a range
    impact: Impact = "level_and_slope"
    start: pd.Period | None = None  # first period of the window; None: the first of the series
    end: pd.Period | None = None  # last period of the window; None: the last of the series
    window_reason: str = ""
    beside: tuple["PolicyShift", ...] = ()  # shifts that enter the model beside this one
    places: tuple[str, ...] = ()  # their deaths and person-years are added up; (): the whole series
    sources: tuple[str, ...] = ()
    overlaps: tuple[str, ...] = ()  # names of known shifts within 12 months
    reason: str = ""  # why this month and this impact
    source: str = ""  # where the date comes from
    words: str = ""  # the article's words
    caveat: str = ""  # words that every result must carry
    omit: tuple[pd.Period, ...] = ()  # periods that say nothing of the rate: each its own column

    if TYPE_CHECKING:  # what may be given is wider than what is read

        def __init__(
            self, slug: str, month: pd.Period | str, title: str = "", **declared: Any
        ) -> None: ...

    def __post_init__(self) -> None:
        wanted = "a shift needs a slug of small letters, digits and single hyphens, 80 at most"
        named = isinstance(self.slug, str) and re.fullmatch(SLUG, self.slug) is not None
        require(named, f"{wanted}, such as 'reform-2010-01'; found {self.slug!r:.100}")
        for name in ("month", "until", "start", "end"):
            object.__setattr__(self, name, _period(getattr(self, name), name, self.slug))
        given = self.month is not None
        require(given, f"{self.slug}: month is missing; expected a period such as '2006-12'")
        check_choice(self.impact, f"{self.slug}: impact", get_args(Impact))
        for name in ("beside", "places", "sources", "overlaps"):
            object.__setattr__(self, name, as_tuple(getattr(self, name)))
        check_fields({name: getattr(self, name) for name in TEXTS}, self.slug, TEXTS)
        object.__setattr__(self, "omit", read_omitted(self.omit, self.slug))
        stray = ", ".join(shown(x) for x in self.beside if not isinstance(x, PolicyShift))
        if stray:
            raise TypeError(f"{self.slug}: beside takes PolicyShift objects; found {stray}")
        slugs = [self.slug, *(other.slug for other in self.beside)]
        distinct = len(set(slugs)) == len(slugs)
        require(
            distinct, f"{self.slug}: it and shifts beside need slugs of their own; found {slugs}"
        )
        found = f"found {self.month!r} and {self.until!r}"
        alike = self.until is None or self.until.freqstr == self.month.freqstr
        require(alike, f"{self.slug}: month and until must have one frequency; {found}")
        ordered = [self.start, self.month, self.until, self.end]
        found = f"found {[str(period) for period in ordered]}"
        dates = [period.start_time for period in ordered[:3] if period is not None]
        dates += [self.end.end_time] if self.end is not None else []
        orderly = dates == sorted(dates)
        require(orderly, f"{self.slug}: start, month, until and end must be in order; {found}")

    @property
    def months(self) -> tuple[pd.Period, ...]:
        """The candidates for the first period: one, or every one of a range."""
        last = self.month if self.until is None else self.until
        return tuple(pd.period_range(self.month, last, freq=self.month.freq))

    @property
    def when(self) -> str:
        """The first period in words, or the range of them."""
        return str(self.month) if self.until is None else f"{self.month} to {self.until}"


def with_choices(
    shift: PolicyShift, *, place: str = "", window: str = "", impact: str = ""
) -> PolicyShift:
    """Return `shift` with places (codes joined by ``+``), window or impact other than declared."""
    changes: dict[str, Any] = {}
    if place:
        changes["places"] = tuple(place.split("+"))
    if window:
        ends = [end.strip() or None for end in window.split(":")]
        require(len(ends) == 2, f"window must look like '2003-01:2010-12'; found {window!r}")
        changes |= {"start": ends[0], "end": ends[1], "window_reason": CHOSEN["chosen"]}
    if impact:
        changes["impact"] = impact
    return replace(shift, **changes) if changes else shift


def is_earlier(other: PolicyShift, shift: PolicyShift) -> bool:
    """Tell whether `other` begins before `shift`."""
    return other.month.start_time < shift.month.start_time


def months_between(first: pd.Period, second: pd.Period) -> int:
    """Return the months from the start of `first` to the start of `second`."""
    return second.asfreq("M", "start").ordinal - first.asfreq("M", "start").ordinal


def as_tuple(value: Any) -> tuple:
    """Return a tuple of what may be one thing, several or None."""
    if value is None:
        return ()
    one = isinstance(value, str | PolicyShift | pd.Period | Mapping)
    return (value,) if one or not isinstance(value, Iterable) else tuple(value)


def read_omitted(given: Any, slug: str) -> tuple[pd.Period, ...]:
    """Return periods in order, of periods and of ranges such as ``"2007-01:2007-02"``."""
    found: set[pd.Period] = set()
    for each in as_tuple(given):
        ends = str(each).split(":") if isinstance(each, str) else [each]
        first, last = (_period(end, "omit", slug) for end in (ends[0], ends[-1]))
        if len(ends) > 2 or first is None or last is None or first.freqstr != last.freqstr:
            wanted = "periods and ranges such as '2007-01:2007-02'"
            raise ValueError(f"{slug}: omit takes {wanted}; found {shown(each)}")
        require(first <= last, f"{slug}: the range {each!r} to omit ends before it begins")
        found |= set(pd.period_range(first, last, freq=first.freqstr))
    return tuple(sorted(found, key=lambda period: period.start_time))


def _period(value: object, name: str, slug: str) -> pd.Period | None:
    period = read_period(value, "MQY")
    wanted = "a month, quarter or year such as '2006-12', '2006Q4' or '2006'"
    given = value is None or (period is not None and 1 <= period.year <= 9999)
    require(given, f"{slug}: {name} must be {wanted}; found {value!r}")
    return period
