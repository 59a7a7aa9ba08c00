"""The declared shifts: policy-shifts.toml -> PolicyShift."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd

from analysis.arguments import AnyPath, checked
from analysis.checks import check_fields, check_known, require
from analysis.files import DATA_FOLDER, read_toml
from analysis.its.shifts import OVERLAP_MONTHS, PolicyShift, as_tuple, months_between
from analysis.language import spoken
from analysis.mexico.record import IMPUTED, NATION, SOURCES
from analysis.mexico.sources import load_series

INAUGURATIONS = ("calderon-2006-12", "pena-nieto-2012-12", "lopez-obrador-2018-12")
KEYS = [each.name for each in fields(PolicyShift) if each.name != "overlaps"]  # that is found


@checked
def load_policy_shifts(path: AnyPath | None = None) -> dict[str, PolicyShift]:
    """Load the declared shifts.

    Parameters
    ----------
    path : Path or str, optional
        A TOML file laid out like ``analysis/data/policy-shifts.toml``, the default.

    Returns
    -------
    dict
        Slug to `PolicyShift`, in the order of the file.

    Raises
    ------
    ValueError, TypeError, KeyError
        If something is malformed or unknown: the message names the file, the shift and the field.
    """
    translated = spoken() == "es" and path is None
    files = [DATA_FOLDER / "policy-shifts.toml" if path is None else path]
    files += [DATA_FOLDER / "policy-shifts.es.toml"] * translated
    contents = tuple(file.read_bytes() for file in files if file.is_file())
    return _ShiftTable(_read_shifts(tuple(files), contents))


@lru_cache(maxsize=8)
def _read_shifts(files: Sequence[Path], _contents: Sequence[bytes]) -> dict[str, PolicyShift]:
    """Read the shifts of a file, and what another says of them, once for what stands there."""
    (file, content), *others = (read_toml(file) for file in files)
    spanish = others[0][1] if others else {}
    check_fields(content, file.name, {"shift": list[dict]})
    shifts = _ShiftTable()
    for block in content["shift"]:
        name = f"{file.name}, shift {block.get('slug')!r:.100}"
        for key in block:
            check_known(key, KEYS, f"key in {name}:")
        named = as_tuple(block.get("beside"))
        for each in named:
            check_known(each, shifts, f"shift beside in {name}:")
        declared = {"slug": None, "month": None, "places": NATION} | block
        declared |= spanish.get(str(declared["slug"]), {})
        try:
            shift = PolicyShift(**declared | {"beside": [shifts[each] for each in named]})
        except (TypeError, ValueError) as error:
            raise type(error)(f"{file.name}, {error}") from error
        require(shift.slug not in shifts, f"{name}: the slug appears twice")
        for source in shift.sources:
            check_known(source, SOURCES, f"source in {name}:")
        shifts[shift.slug] = shift
    for slug, shift in shifts.items():
        shifts[slug] = replace(shift, overlaps=_overlaps(shift, shifts.values()))
    return shifts


@checked
def load_inaugurations() -> tuple[PolicyShift, ...]:
    """Load the declared shifts that are a new president's first month.

    Returns
    -------
    tuple of PolicyShift
        In the order of their months, as `forecast_all` and `roll_origins` take them.
    """
    shifts = load_policy_shifts()
    return tuple(shifts[slug] for slug in INAUGURATIONS)


def load_records(shift: PolicyShift, source: str) -> dict[str, pd.DataFrame]:
    """Load the series that a declared shift can be fitted to, by what they are."""
    load = partial(load_series, source, place=shift.places)
    declared, every = load(), load(complete_only=False)
    records = {"as declared": declared}
    shown = every.loc[: shift.end]
    if len(shown) > len(declared.loc[: shown.index[-1]]):
        records |= {"with the months still open": every, "completed": load(completed=True)}
    if shift.start is None and SOURCES[source].earlier:
        first = IMPUTED[-1] + 1
        records[f"from {first}"] = load(start=first)
    if source == "inegi" and shift.places == (NATION,):
        records["scaled to registered deaths"] = load(registered=True)
    return records


class _ShiftTable(dict[str, PolicyShift]):
    """A dict whose unknown keys are answered with the nearest known slugs."""

    def __missing__(self, slug: str) -> None:
        check_known(slug, self, "policy shift")


def _overlaps(shift: PolicyShift, known: Iterable[PolicyShift]) -> tuple[str, ...]:
    """Shifts within 12 months that touch the same place: the nation, or a state of this shift."""
    found = []
    for other in known:
        same = other.places == (NATION,) or set(other.places) & set(shift.places)
        pairs = (shift, other), (other, shift)
        ends = ((first.until or first.month, then.month) for first, then in pairs)
        apart = max(months_between(last, first) for last, first in ends)
        if other.slug != shift.slug and same and apart <= OVERLAP_MONTHS:
            found.append(other.title or other.slug)
    return tuple(found)
