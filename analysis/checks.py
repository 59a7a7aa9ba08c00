"""What functions ask of plain arguments: whole numbers, seeds, months, known names, regressions."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from textwrap import shorten
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin
from unicodedata import normalize

import numpy as np
import pandas as pd

Array = np.ndarray
UNSHOWN = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]"  # in no file of XML
MOST_SIMULATIONS = 1_000_000  # series at once: beyond that memory fails, not the check
DEPENDENT = 1e-10  # part of a column, relative to it, that those before it do not explain
REAL = (Real, Decimal, np.bool_)
LABELLED = (pd.Series, pd.DataFrame)
MOST_POWER = 965  # of two: 1e290


def require(true: bool, message: str, error: type[ValueError] = ValueError) -> None:
    """Raise a ValueError, or one of its kinds, with `message` unless `true`."""
    if not true:
        raise error(message)


def shown(value: object) -> str:
    """Return what was found, for a message: as Python writes it if that is short, else its type."""
    simple = isinstance(value, str | bytes | float | complex | np.generic | pd.Period | NoneType)
    simple |= type(value).__module__ == "builtins" and not isinstance(value, int)
    short = isinstance(value, int) and value.bit_length() < 300  # Python writes no longer ones
    text = repr(value) if simple or short else ""
    kind = f"{type(value).__module__.split('.')[0]} {type(value).__name__}"
    return text if 0 < len(text) <= 80 else kind.removeprefix("builtins ")


class OneLine:
    """A dataclass declared with `repr=False` that is shown on one line, frames by their shape."""

    def __repr__(self) -> str:
        names = [each.name for each in fields(cast("Any", self)) if not each.name.startswith("_")]
        parts = ", ".join(f"{name}={brief(getattr(self, name))}" for name in names)
        return shorten(f"{type(self).__name__}({parts})", 120, placeholder=" …)")


def brief(value: Any) -> str:
    """Return a number or short text as it is, what is in order by its size, else a slug or kind."""
    if isinstance(value, np.ndarray | pd.Index | pd.Series | pd.DataFrame):
        return str(value.shape)
    if isinstance(value, dict | list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, str):
        return repr(shorten(value, 40, placeholder=" …"))
    if isinstance(value, int | float | np.generic | pd.Period | NoneType):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    return getattr(value, "slug", type(value).__name__)


def name_some(names: Iterable[str]) -> str:
    """Return names as a list in words, the first six of many."""
    names = list(names)
    return f"{names}" if len(names) <= 6 else f"{names[:6]} and {len(names) - 6:,} more"


def read_period(value: object, frequencies: str = "M") -> pd.Period | None:
    """Return a period, or text such as ``"2006-12"``, as a Period of one of the frequencies."""
    try:
        period = pd.Period(value) if isinstance(value, str) else value
    except ValueError:
        return None
    known = isinstance(period, pd.Period) and period.freqstr.split("-")[0] in frequencies
    return period if known else None


def check_month(month: str | pd.Period, name: str) -> pd.Period:
    """Return a month as a Period, or say which argument is none."""
    period = read_period(month)
    if period is None:
        raise ValueError(f"{name} must be a month like '2021-05'; found {shown(month)}")
    return period


def is_whole(value: object) -> bool:
    """Tell whether `value` is a whole number: an integer of Python or numpy, and no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_whole(value: int, name: str, least: int, most: int = MOST_SIMULATIONS) -> int:
    """Return `value` as an int, or raise a ValueError unless it is whole and in the range."""
    fits = is_whole(value) and least <= value <= most
    require(fits, f"{name} must be a whole number from {least} to {most:,}; found {shown(value)}")
    return int(value)


def check_regression(
    y: Array, X: Array, exposure: Array | None = None, *, counts: bool = False
) -> tuple[Array, Array, Array | None]:
    """Return outcome (n,), design (n, k) and exposure (n,) as plain numbers, if they can serve."""
    y, X, exposure = match_rows(outcome=y, design=X, exposure=exposure)
    names, X = getattr(X, "columns", None), real_numbers(X, "the design").astype(float)
    y = real_numbers(y, "the outcome").astype(float)
    fits = y.ndim == 1 and X.ndim == 2 and len(y) == len(X) and 0 not in X.shape
    require(fits, f"expected an outcome (n,) and a design (n, k); found {y.shape}, {X.shape}")
    n, k = X.shape
    require(n > k, f"{n} observations are too few for {k} coefficients; use fewer columns")
    check_columns(X, names)
    below = y[y < 0][:3].tolist() if counts else []
    require(not below, f"counts must not be negative; found {below}")
    if exposure is not None:
        exposure = real_numbers(exposure, "the exposure").astype(float)
        positive = exposure.shape == y.shape and bool((exposure > 0).all())
        require(positive, f"the exposure must be positive and of shape {y.shape}")
    return y, X, exposure


def match_rows(**given: Any) -> list:
    """Return arguments, those with labels in the order of the first whose labels ascend, if any."""
    held = {name: each.index for name, each in given.items() if isinstance(each, LABELLED)}
    ascend = [name for name, rows in held.items() if rows.is_monotonic_increasing]
    chosen = next(iter([*ascend, *held]), "")
    both = f"the {{}} and the {chosen}".format
    matched = {x: put_in_order(given[x], held[chosen], both(x)) for x in held}
    return list((given | matched).values())


def put_in_order(values: Any, labels: pd.Index, what: str) -> Any:
    """Return a frame's or series' rows in the order of labels that must be its own."""
    own = values.index
    if own.equals(labels):
        return values
    twice = {*own[own.duplicated()], *labels[labels.duplicated()]}
    odd = sorted(map(str, twice | ({*own} ^ {*labels})))
    fault = f"{what} must have the same labels, each once; found {name_some(odd)} twice or in one"
    require(not odd, f"{fault} alone. Cut both to the same rows, or give arrays.")
    place = {label: i for i, label in enumerate(own)}  # an indexer knows no labels of other kinds
    return values.iloc[[place[label] for label in labels]]


def idle_columns(X: Array) -> Array:
    """Return which columns (k,) of designs (..., n, k) add nothing to those before them."""
    X = unit_size(X, axis=-2)[0]
    pivots = np.abs(np.diagonal(np.linalg.qr(X, mode="r"), axis1=-2, axis2=-1))
    return (pivots <= DEPENDENT * np.sqrt((X**2).sum(axis=-2))).reshape(-1, X.shape[-1]).any(axis=0)


def check_columns(X: Array, names: Iterable[object] | None = None) -> None:
    """Raise a ValueError that says which column if those of a design (..., n, k) are dependent."""
    lost = idle_columns(X)
    if lost.any():
        name = list(range(len(lost)) if names is None else names)[lost.argmax()]
        fault = f"column {name!r} adds nothing to those before it. Leave a column out."
        raise ValueError(f"the design's columns are linearly dependent: {fault}")


def real_numbers(values: Any, name: str) -> Array:
    """Return an array of floats, none missing, of anything that holds real numbers only."""
    if isinstance(values, np.ma.MaskedArray):
        values = values.astype(float).filled(np.nan) if values.dtype.kind in "biuf" else None
    try:
        array = np.asarray(values)
        if array.dtype == object and all(isinstance(x, REAL) or x is pd.NA for x in array.flat):
            array = np.where(pd.isna(array), np.nan, array).astype(float)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name} must be an array of real numbers; {error}") from None
    require(array.dtype.kind in "biuf", f"{name} must be real numbers; found {array.dtype}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32 if array.dtype == np.float32 else float, copy=False)
    if not np.isfinite(array).all():
        bad = np.nonzero(~np.isfinite(np.atleast_1d(array)))[0]
        found = f"found {len(bad)} that are not, the first at position {bad[0]}"
        raise ValueError(f"{name} must be finite and not missing; {found}")
    return array


def unit_size(values: Array, axis: int | None = None) -> tuple[Array, Array]:
    """Return numbers below 2, the largest 1 or more, and what power of two they were divided by."""
    largest = np.abs(values).max(axis=axis, keepdims=axis is not None)
    power = np.frexp(largest)[1] - 1
    return np.ldexp(values, -power), power


def full_size(values: Array | float, power: Array | int) -> Array:
    """Return numbers times a power of two, or raise a ValueError if no number is so large."""
    fault = "the results are more than 1e290 times larger or smaller than 1: no number holds them."
    cure = "Bring outcome and design to other units, such as thousands."
    require(bool(np.abs(power).max() <= MOST_POWER), f"{fault} {cure}")
    return np.ldexp(values, power)


def check_known(name: object, known: Iterable[str], what: str) -> None:
    """Raise a KeyError that names the nearest known names if `name` is not one of `known`."""
    known = list(known)
    if (isinstance(name, str) or is_whole(name)) and name in known:
        return
    near = get_close_matches(str(name), [one for one in known if isinstance(one, str)], cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Known: {known}."
    raise UnknownNameError(f"unknown {what} {shown(name)}. {hint}")


class UnknownNameError(KeyError):
    """A name that is not in a table; its message is shown without KeyError's quotes."""

    def __str__(self) -> str:
        return str(self.args[0])


def check_fields(given: Mapping[str, Any], name: str, kinds: Mapping[str, Any]) -> None:
    """Raise an error unless what is declared has these keys, each of its kind."""
    for key in given:
        check_known(key, kinds, f"key in {name}:")
    missing = [key for key in kinds if key not in given]
    require(not missing, f"{name}: {', '.join(missing)} missing")
    for key, value in given.items():
        wanted = re.sub("<class '(.*)'>", r"\1", str(kinds[key]))
        if not _is_kind(value, kinds[key]):
            raise TypeError(f"{name}: {key} must be of kind {wanted}; found {value!r:.100}")


def _is_kind(value: Any, kind: Any) -> bool:
    """Tell whether `value` is of a kind as hints write it, its texts such as a page can show."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is UnionType:
        return any(_is_kind(value, each) for each in inner)
    right = isinstance(value, origin) and not isinstance(value, bool)
    parts = value.values() if isinstance(value, dict) else value if inner and right else ()
    shown = not re.search(UNSHOWN, str(value))
    return right and shown and all(_is_kind(each, inner[-1]) for each in parts if inner)


def plain(word: str) -> str:
    """Return a word in lower case, without accents, with _ for all that is no letter or digit."""
    letters = normalize("NFKD", word.lower()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "_", letters).strip("_")
