"""English and Spanish: a room's sentences in the language in use, months and numbers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, reduce
from typing import Any

import pandas as pd
from babel.dates import format_skeleton

from analysis.checks import check_known
from analysis.files import DATA_FOLDER, read_toml

LOCALES = {"en": "en_US", "es": "es_MX"}  # both write 1,234.5
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
def _read(name: str, language: str) -> dict:
    ending = ".toml" if language == "en" else f".{language}.toml"
    return read_toml(DATA_FOLDER / name.replace(".toml", ending))[1]


class Words(Mapping[str, Any]):
    """Sentences of ``data/NAME.toml`` (Spanish: ``data/NAME.es.toml``), by the language in use."""

    def __init__(self, name: str, *blocks: str) -> None:
        self._name, self._blocks = name, blocks

    def block(self, name: str) -> "Words":
        """Return one block of the file, which follows the language as the whole does."""
        return Words(self._name, *self._blocks, name)

    def _table(self) -> dict:
        return reduce(lambda table, block: table[block], self._blocks, _read(self._name, spoken()))

    def __getitem__(self, key: str) -> Any:
        return self._table()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table())

    def __len__(self) -> int:
        return len(self._table())


def say_month(month: pd.Period, form: str = "yMMMM") -> str:
    """Return ``December 2006`` or ``diciembre de 2006``; other forms by their CLDR skeleton."""
    return format_skeleton(form, month.to_timestamp().date(), locale=LOCALES[spoken()])
