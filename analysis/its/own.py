"""A series of one's own: a file read as it can only be meant, and what was understood of it."""

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.checks import check_known, name_some, require
from analysis.files import DATA_FOLDER, read_toml
from analysis.its.series import PERIOD_NAMES
from analysis.language import literal

SAID = read_toml(DATA_FOLDER / "own-words.toml")[1]
ERRORS, TOLD, EXAMPLE = SAID["errors"], SAID["told"], SAID["example"]
DAYS = "[-/](0?[1-9]|1[0-2])([-/](0?[1-9]|[12][0-9]|3[01]))?"
DATES = {"M": DAYS, "Q": "-?[Qq][1-4]", "Y": ""}  # what follows the year
NUMBER, GROUPED = r"[+-]?\d{1,300}([.,]\d{1,300})?", r"[+-]?[1-9]\d{0,2}[.,]\d{3}"


def read_own(
    file: str,
    columns: str,
    covariates: str = "",
    control: str = "",
    omit: str = "",
    *,
    beside: Path,
) -> tuple[dict[str, Any], str]:
    """Read a CSV, from here or `beside`; return what `fit_its` takes, and what was understood.

    `columns` and `control` are pairs such as ``count=deaths``, all texts parted by commas.
    """
    path = next(filter(Path.is_file, (Path(file), beside / file)), None)
    if path is None:
        raise FileNotFoundError(ERRORS["no_file"].format(tried=[file, str(beside / file)]))
    mark, table = _read_cells(path)
    own, against = (_read_pairs(text) for text in (columns, control))
    date, added = own.pop("date", table.columns[0]), _split(covariates)
    alike = bool(own) and {*against} in ({*own}, set())
    require(alike, ERRORS["pairs"].format(columns=columns, control=control))
    used = [*own.values(), *added, *against.values()]
    for name in (date, *used):
        check_known(name, map(str, table), "column")
    require(len({*used}) == len(used), ERRORS["twice"].format(found=used))
    series = _read_numbers(table[used].set_axis(_read_dates(table[date])), mark)
    every = pd.period_range(series.index.min(), series.index.max())
    lost = every.difference(
        pd.PeriodIndex(series.index)
    )  # of counts: nothing happened, or nothing is known
    require(lost.empty or "value" in own, ERRORS["no_row"].format(found=name_some(map(str, lost))))
    series = series.reindex(every)
    holes = every[series.isna().any(axis=1)]
    filled = series.ffill().bfill()  # whatever stands in periods that are left out
    given = {"series": filled[[*own.values()]], "columns": own, "omit": [*_split(omit), *holes]}
    given["covariates"] = filled[added] if added else None
    named = {theirs: own[name] for name, theirs in against.items()}
    given["control"] = filled[[*named]].rename(columns=named) if named else None
    told = {"n": len(every), "names": PERIOD_NAMES[every.freqstr[0]], "date": literal(date)}
    told |= {"file": literal(path.name), "first": every[0], "last": every[-1]}
    lists = {"holes": holes.astype(str), "unused": table.columns.drop([date, *used])}
    told |= {name: literal(", ".join(each)) or TOLD["none"] for name, each in lists.items()}
    return given, TOLD["read"].format(mark=TOLD["marks"][mark], **told)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_pairs(text: str) -> dict[str, str]:
    """Return a column for each of some names of the model."""
    parts = [[end.strip() for end in part.split("=", 1)] for part in _split(text)]
    once = all(len(part) == 2 for part in parts) and len({part[0] for part in parts}) == len(parts)
    require(once, ERRORS["pair"].format(found=repr(text), like=EXAMPLE["columns"]))
    for name, column in parts:
        check_known(name, SAID["names"], f"name of column {column!r}:")
    return dict(parts)


def _read_cells(path: Path) -> tuple[str, pd.DataFrame]:
    """Return what parts the columns of a file, and its cells as text."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
        rows = {x: [*filter(any, csv.reader(lines, delimiter=x))] for x in TOLD["marks"]}
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(ERRORS["text"].format(file=path.name, found=error)) from None
    sizes = {mark: sorted({len(row) for row in found}) for mark, found in rows.items()}
    fits = [x for x, found in rows.items() if len(found) > 1 and len(sizes[x]) == 1 < sizes[x][0]]
    header, *body = [[cell.strip() for cell in row] for row in rows[(fits or [","])[0]] or [[]]]
    clear = len(fits) == 1 and len({*header}) == len(header)
    require(clear, ERRORS["fields"].format(file=path.name, found=sizes, header=name_some(header)))
    return fits[0], pd.DataFrame(body, columns=header, dtype=str)


def _read_dates(cells: pd.Series) -> pd.PeriodIndex:
    """Return the longest periods, years before quarters before months, that have one row each."""
    forms = {x: cells.str.fullmatch(rf"[1-9]\d{{3}}{end}", flags=re.A) for x, end in DATES.items()}
    finest = max(forms, key=lambda x: forms[x].sum())
    odd = cells[~forms[finest]]
    require(odd.empty, ERRORS["date"].format(name=cells.name, found=name_some(odd)))
    index = pd.PeriodIndex(cells.str.extract(r"^(\d{4}\W?\w*)")[0], freq=finest)
    unique = (index.asfreq(x) for x in "YQM" if index.asfreq(x).is_unique)
    many = index[index.duplicated()].unique().astype(str)
    require(many.empty, ERRORS["many"].format(name=cells.name, found=name_some(many)))
    return next(unique)


def _read_numbers(cells: pd.DataFrame, mark: str) -> pd.DataFrame:
    """Return numbers of text in which no mark can mean two things; an empty cell is missing."""
    held = cells.mask(cells.apply(lambda column: column.str.lower().isin(SAID["missing"])))
    marked: list[str] = []
    for name, text in ((name, column.dropna()) for name, column in held.items()):
        bad = text[~text.str.fullmatch(NUMBER, flags=re.A)].head(3).to_dict()
        found = ", ".join(f"{cell!r} in {period}" for period, cell in bad.items())
        require(
            not bad and len(text) > 0, ERRORS["number"].format(name=name, found=found or "none")
        )
        marked += [cell for cell in text if "," in cell or "." in cell]
    kinds = {*"".join(marked)} & {*".,"}
    groups = (mark == ";" or "," in kinds) and all(re.fullmatch(GROUPED, x) for x in marked)
    clear = not marked or (len(kinds) == 1 and not groups)
    require(clear, ERRORS["unsure"].format(found=name_some(dict.fromkeys(marked))))
    return held.apply(lambda column: column.str.replace(",", ".").astype(float))
