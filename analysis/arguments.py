"""Arguments of public functions, read by their annotations: one reader for each kind."""

import inspect
import math
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial, wraps
from itertools import islice
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast

import numpy as np
import pandas as pd

from analysis import checks
from analysis.checks import MOST_SIMULATIONS, check_known, check_whole, name_some, require, shown

F = TypeVar("F", bound=Callable)
Reader = Callable[[Any, str], Any]  # of a value and the argument's name
FORMER = {"level": "confidence"}  # names that arguments once had


def checked(function: F) -> F:
    """Read every argument by its annotation before the function runs."""
    signature = inspect.signature(function)
    known = signature.parameters

    @cache
    def readers() -> dict[str, Reader]:
        hints = typing.get_type_hints(function, include_extras=True)
        return {name: _reader(hints.get(name)) for name in known}

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for old, new in FORMER.items():
            if old in kwargs and old not in known and new in known and new not in kwargs:
                kwargs[new] = kwargs.pop(old)
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:
            takes = ", ".join(name for name in known if name != "self")
            raise TypeError(f"{function.__name__}: {error}; it takes {takes}") from None
        given.apply_defaults()
        for name, value in given.arguments.items():
            given.arguments[name] = readers()[name](value, name)
        return function(*given.args, **given.kwargs)

    return cast("F", call)


def _reader(kind: Any) -> Reader:
    """Return what reads an annotation's values; of several kinds the function itself must ask."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return inside[1]
    if origin in (Union, UnionType):
        kinds = [each for each in inside if each is not NoneType]
        read = _reader(kinds[0] if len(kinds) == 1 else object)
        if len(kinds) == len(inside):
            return read
        return lambda value, name: None if value is None else read(value, name)
    if origin is Literal:
        return partial(check_choice, choices=inside)
    if origin in (Iterable, Sequence):
        return partial(check_several, each=_reader(inside[0]))
    if kind in KINDS:
        return KINDS[kind]
    known = isinstance(origin or kind, type) and kind is not np.ndarray
    return partial(check_class, kind=(origin or kind) if known else object)


def check_class(value: object, name: str, kind: type) -> Any:
    """Return `value`, or raise a TypeError unless it is of a class."""
    if not isinstance(value, kind):
        cure = "use its method to_pandas()" if hasattr(value, "to_pandas") else ""
        cure = getattr(kind, "HOW", cure)  # what a class of ours says of how to get one
        found = f"{name} must be a {kind.__name__}; found {shown(value)}"
        raise TypeError(f"{found}; {cure}" if cure else found)
    return value


def check_choice(value: object, name: str, choices: Sequence) -> Any:
    """Return `value`, or raise a ValueError unless it is one of a few."""
    known = any(isinstance(value, type(each)) and value == each for each in choices)
    require(known, f"{name} must be one of {list(choices)}; found {shown(value)}")
    return value


def check_several(value: Any, name: str, each: Reader) -> tuple:
    """Return a tuple of what may be one thing or any sequence of them."""
    if isinstance(value, bytes | Mapping | pd.DataFrame):
        raise TypeError(f"{name} must be one or a sequence of them; found {shown(value)}")
    one = isinstance(value, str | pd.Period) or not np.iterable(value)
    several = (value,) if one else tuple(islice(value, MOST_SIMULATIONS + 1))
    require(len(several) <= MOST_SIMULATIONS, f"{name} has more than a million values")
    return tuple(each(one, name) for one in several)


def check_text(value: object, name: str) -> str:
    """Return text as it is, or raise a TypeError."""
    return str(check_class(value, name, str))


def check_named(value: object, name: str, known: Sequence[str], what: str) -> str:
    """Return one of some names, or raise a KeyError that tells the nearest."""
    check_known(check_text(value, name), known, what)
    return str(value)


def check_flag(value: object, name: str) -> bool:
    """Return a truth value, or raise a TypeError: "no" and 0 are none."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; found {shown(value)}")
    return bool(value)


def check_number(value: Any, name: str, above: float = -math.inf, below: float = math.inf) -> float:
    """Return a number as a float, or raise a ValueError unless it is between two limits."""
    real = isinstance(value, int | float | np.integer | np.floating)
    inside = f" above {above:g} and below {below:g}" if math.isfinite(above) else ""
    fits = real and not isinstance(value, bool) and above < value < below
    require(fits, f"{name} must be a number{inside}; found {shown(value)}")
    return float(value)


def check_year(value: Any, name: str) -> int:
    """Return a year, which may be given as 2007.0, as an int."""
    whole = isinstance(value, float | np.floating) and math.isfinite(value) and value == int(value)
    return check_whole(int(value) if whole else value, name, 1, 9999)


def check_frames(value: Any, name: str) -> dict[str, pd.DataFrame]:
    """Return one frame or more by their names."""
    cure = "use a dict such as {'inegi': load_series('inegi')}"
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must map names to frames; found {shown(value)}; {cure}")
    require(len(value) > 0, f"{name} must have one frame or more; found none; {cure}")
    for key, frame in value.items():
        check_class(frame, f"{name}[{check_text(key, f'a name in {name}')!r}]", pd.DataFrame)
    return dict(value)


def check_axes(value: Any, name: str) -> Any:
    """Return the Axes to draw on, by default those in use."""
    from matplotlib import axes, pyplot

    return pyplot.gca() if value is None else check_class(value, name, axes.Axes)


def check_path(value: Any, name: str) -> Path:
    """Return the path that a text or path names."""
    if not isinstance(value, str | Path) or "\0" in str(value) or not str(value):
        raise TypeError(f"{name} must be the path of a file; found {shown(value)}")
    return Path(value)


def table(*columns: str, numbers: Sequence[str] = ()) -> Reader:
    """Return what reads tables with columns, some of them of numbers, for an annotation."""

    def read(value: Any, name: str) -> pd.DataFrame:
        held = check_class(value, name, pd.DataFrame).columns
        missing = [each for each in (*columns, *numbers) if (held == each).sum() != 1]
        wanted = f"one column of each of {[*columns, *numbers]}; found {name_some(held)}"
        require(not missing, f"{name} must have {wanted}")
        other = [each for each in numbers if value[each].dtype.kind not in "iuf"]
        require(not other, f"{name} must have numbers in {other}; found other things")
        require(len(value) > 0, f"{name} has no rows; there is nothing to show")
        return value

    return read


def whole(least: int, most: int = MOST_SIMULATIONS) -> Reader:
    """Return what reads whole numbers of a range, for an annotation."""
    return partial(check_whole, least=least, most=most)


Month = Annotated[str | pd.Period, checks.check_month]
Seed = Annotated[int, whole(0, 2**63 - 1)]  # without a number the draws could not come again
Waves = Annotated[int, whole(0, 6)]  # 12 months tell no more pairs of waves apart
Frames = Annotated[Mapping[str, pd.DataFrame], check_frames]
Ax = Annotated[Any, check_axes]
Draws = Annotated[int, whole(100)]
Count = Annotated[int, whole(1)]
Months = Annotated[int, whole(1, 1200)]
Year = Annotated[int, check_year]
Share = Annotated[float, partial(check_number, above=0, below=1)]
AnyPath = Annotated[Path | str, check_path]
KINDS: dict[Any, Reader] = {bool: check_flag, str: check_text, Path: check_path}
KINDS |= {int: whole(-MOST_SIMULATIONS), float: check_number}
