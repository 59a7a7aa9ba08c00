"""A dated change of policy, with a window and impact declared before any fitting."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import pandas as pd

from analysis.arguments import Month, check_choice, check_class
from analysis.checks import check_fields, read_period, require, shown
from analysis.its.series import ERRORS
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
    text such as ``"2006-12"``, and one place, source or shift beside without a list around it. Of
    a shift beside, `month`, `impact` and `withdrawn` have a say.
    """

    HOW: ClassVar[str] = "use PolicyShift('reform', '2010-01') or load_policy_shifts()[SLUG]"
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
    withdrawn: pd.Period | None = None  # first period without it again; None: it lasts

    if TYPE_CHECKING:  # what may be given is wider than what is read

        def __init__(self, slug: str, month: Month, title: str = "", until: Month | None = None,
            impact: Impact = "level_and_slope", start: Month | None = None,
            end: Month | None = None, window_reason: str = "",
            beside: "PolicyShift | Iterable[PolicyShift]" = (), places: Iterable[str] = (),
            sources: Iterable[str] = (), overlaps: Iterable[str] = (), reason: str = "",
            source: str = "", words: str = "", caveat: str = "", omit: Iterable[Month] = (),
            withdrawn: Month | None = None,
        ) -> None: ...  # fmt: skip

    def __post_init__(self) -> None:
        named = isinstance(self.slug, str) and re.fullmatch(SLUG, self.slug) is not None
        require(named, ERRORS["slug"].format(found=shown(self.slug)))
        for name in ("month", "until", "start", "end", "withdrawn"):
            object.__setattr__(self, name, _period(getattr(self, name), name, self.slug))
        require(self.month is not None, ERRORS["no_month"].format(slug=self.slug))
        check_choice(self.impact, f"{self.slug}: impact", get_args(Impact))
        for name in ("beside", "places", "sources", "overlaps"):
            object.__setattr__(self, name, as_tuple(getattr(self, name)))
        check_fields({name: getattr(self, name) for name in TEXTS}, self.slug, TEXTS)
        object.__setattr__(self, "omit", read_omitted(self.omit, self.slug))
        for other in self.beside:
            check_class(other, f"{self.slug}: beside", PolicyShift)
            ranged = {"slug": self.slug, "other": f"{other.slug} ({other.when})"}
            require(other.until is None, ERRORS["beside_until"].format(**ranged))
        slugs = [self.slug, *(other.slug for other in self.beside)]
        distinct = len(set(slugs)) == len(slugs)
        require(distinct, ERRORS["slugs"].format(slug=self.slug, found=slugs))
        alike = self.until is None or self.until.freqstr == self.month.freqstr
        require(alike, ERRORS["frequency"].format(shift=self))
        ordered = [self.start, self.month, self.until, self.end]
        dates = [period.start_time for period in ordered[:3] if period is not None]
        dates += [self.end.end_time] if self.end is not None else []
        told = {"slug": self.slug, "found": [str(period) for period in ordered]}
        require(dates == sorted(dates), ERRORS["order"].format(**told))
        last = self.months[-1]
        after = self.withdrawn is None or (
            self.withdrawn.freqstr == last.freqstr and self.withdrawn > last
        )
        fault = {"slug": self.slug, "when": self.when, "found": self.withdrawn}
        require(after, ERRORS["withdrawn"].format(**fault))

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
    changes: dict[str, Any] = {"impact": impact or shift.impact}
    if place:
        changes["places"] = place.split("+")
    if window:
        ends = [end.strip() or None for end in window.split(":")]
        require(len(ends) == 2, f"window must look like '2003-01:2010-12'; found {window!r}")
        changes |= {"start": ends[0], "end": ends[1], "window_reason": CHOSEN["chosen"]}
    return replace(shift, **changes)


def until_withdrawn(shift: PolicyShift) -> PolicyShift:
    """Return `shift` in a window that ends where it is withdrawn: of its date no more is known."""
    return shift if shift.withdrawn is None else replace(shift, end=shift.withdrawn - 1)


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
            raise ValueError(ERRORS["omit"].format(slug=slug, found=shown(each)))
        require(first <= last, ERRORS["omit_order"].format(slug=slug, found=repr(each)))
        found |= set(pd.period_range(first, last, freq=first.freqstr))
    return tuple(sorted(found, key=lambda period: period.start_time))


def _period(value: object, name: str, slug: str) -> pd.Period | None:
    period = read_period(value, "MQY")
    given = value is None or (period is not None and 1 <= period.year <= 9999)
    require(given, ERRORS["period"].format(slug=slug, name=name, found=shown(value)))
    return period
