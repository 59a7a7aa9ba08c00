"""English and Spanish: a room's sentences in the language in use, months, texts as written."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache, lru_cache, partial, reduce
from itertools import groupby
from typing import Any

import pandas as pd

from analysis.checks import check_known
from analysis.files import DATA_FOLDER, read_toml

LOCALES = {"en": "en_US", "es": "es_MX"}  # both write 1,234.5
RUNS = {"en": (" to ", " and ", " {}"), "es": (" a ", " y ", " de {}")}  # and a month's year
set_minus = partial(re.sub, r"(?<![\w-])-(?=\d)", "−")  # no hyphen before a number
# What Markdown and HTML read as more than text, and what at the start of a line
MARKS = re.compile(r"[\\`*_\[\]{}<>&|~$]|^(?:[#+=:%(-]|\d(?=\d*[.)]))")
_spoken: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Let every sentence and label be in this language, until the block ends."""
    check_known(language, LOCALES, "language")
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> str:
    """Return the language in use."""
    return _spoken.get()


@cache
def _read(language: str, name: str, *blocks: str) -> dict:
    ending = ".toml" if language == "en" else f".{language}.toml"
    content = read_toml(DATA_FOLDER / name.replace(".toml", ending))[1]
    return reduce(lambda table, block: table[block], blocks, content)


class Words(Mapping[str, Any]):
    """Sentences of ``data/NAME.toml`` (Spanish: ``data/NAME.es.toml``), by the language in use."""

    def __init__(self, name: str, *blocks: str) -> None:
        self._place = name, *blocks

    def block(self, name: str) -> "Words":
        """Return one block of the file, which follows the language as the whole does."""
        return Words(*self._place, name)

    def __getitem__(self, key: str) -> Any:
        return _read(spoken(), *self._place)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_read(spoken(), *self._place))

    def __len__(self) -> int:
        return len(_read(spoken(), *self._place))


def say_month(month: pd.Period, form: str = "yMMMM") -> str:
    """Return ``December 2006`` or ``diciembre de 2006``; other forms by their CLDR skeleton."""
    if month.freqstr != "M":
        return str(month)
    return _say_month(month.year, month.month, form, LOCALES[spoken()])


@lru_cache(maxsize=4096)
def _say_month(year: int, month: int, form: str, locale: str) -> str:
    from babel.dates import format_skeleton

    return format_skeleton(form, date(year, month, 1), locale=locale)


def say_runs(periods: Iterable[pd.Period], say: Callable[[pd.Period], str] = say_month) -> str:
    """Return periods in order as runs: ``January 2005 to March 2005, May and June 2005``."""
    (to, both, year), said = RUNS[spoken()], []
    for _, run in groupby(enumerate(periods), lambda pair: pair[1].ordinal - pair[0]):
        months = [period for _, period in run]
        first, last = say(months[0]), say(months[-1])
        if say is say_month and len(months) == 2:  # they share the name of their year
            said.append(f"{first.removesuffix(year.format(months[-1].year))}{both}{last}")
        else:
            said.append(first if len(months) == 1 else f"{first}{to}{last}")
    return ", ".join(said)


def literal(text: object) -> str:
    """Return a text, on one line, so that Markdown, HTML and MathJax show it as it is written."""
    told = MARKS.sub(lambda mark: f"&#{ord(mark[0])};", " ".join(str(text).split()))
    return re.sub("&#(36|92);", r"<span>&#\1;</span>", told)  # no formula goes over a tag


def fill_template(name: str, **told: Any) -> str:
    """Return ``data/NAME`` filled in; a name that it asks for and is not told is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(DATA_FOLDER)
    pages = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)
    pages.filters["literal"] = literal
    return pages.get_template(name).render(told)
