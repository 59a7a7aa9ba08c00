"""Read the table of municipal counts that a user downloads, and nothing that is not it."""

from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from analysis.checks import name_some, require

FILE = "mexico-muni-month-homicide-rates-2000-2022.csv"
WHERE = f"Download {FILE} from https://doi.org/10.17605/OSF.IO/U8DC3 again."
COLUMNS = ["ent_mun", "year", "month", "homicides"]


def read_counts(path: Path | str) -> pd.DataFrame:
    """Read `municipality` (five digits), `month` and `deaths`; ``attrs`` tell if `synthetic`."""
    path = Path(path)
    header = _check_header(path)
    synthetic = "synthetic" in header
    kinds = dict.fromkeys(COLUMNS + ["synthetic"] * synthetic, pa.float64())
    kinds["ent_mun"] = pa.dictionary(pa.int32(), pa.string())
    options = {"include_columns": list(kinds), "column_types": kinds, "null_values": ["", "NA"]}
    parse, convert = csv.ParseOptions(delimiter="|"), csv.ConvertOptions(**options)
    try:
        table = csv.read_csv(path, parse_options=parse, convert_options=convert)
    except (pa.ArrowException, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}. {WHERE}") from error
    require(table.num_rows > 0, f"{path.name} has a header but no rows. {WHERE}")
    numbers = {name: table[name].to_numpy() for name in kinds if name != "ent_mun"}
    for name, column in numbers.items():
        wrong = ~((column >= 0) & (column == np.floor(column)) & (column < 1e6))
        require(
            not wrong.any(),
            f"{path.name}: {name} must be whole numbers from 0 to 999,999; found "
            f"{column[wrong][:3].tolist()}, the first in row {np.argmax(wrong) + 1}",
        )
    off = ~((numbers["month"] >= 1) & (numbers["month"] <= 12))
    found = numbers["month"][off][:3].tolist()
    require(not off.any(), f"{path.name}: months must be 1 to 12; found {found}")
    if synthetic:
        require((numbers["synthetic"] == 1).all(), f"{path.name}: synthetic must be 1 in every row")
    ordinal = ((numbers["year"] - 1970) * 12 + numbers["month"] - 1).astype(int)
    codes = _pad_codes(table["ent_mun"].combine_chunks(), path.name)
    months, deaths = pd.PeriodIndex.from_ordinals(ordinal, freq="M"), numbers["homicides"]
    counts = pd.DataFrame({"municipality": codes, "month": months, "deaths": deaths.astype(int)})
    counts.attrs = {"synthetic": synthetic}
    return counts


def _check_header(path: Path) -> list[str]:
    """Return the names of the columns, if the file begins as the table does."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}. {WHERE}")
    with path.open("rb") as stream:
        line = stream.readline(10_000)
    start = line.removeprefix(b"\xef\xbb\xbf").strip()
    require(start != b"", f"{path.name} is empty. {WHERE}")
    require(not start.startswith(b"<"), f"{path.name} is a web page, not the table. {WHERE}")
    packed = start.startswith((b"PK", b"\x1f\x8b"))
    require(not packed, f"{path.name} is compressed: unpack it first")
    header = [name.strip('"') for name in start.decode("utf-8", errors="replace").split("|")]
    fault = f"expected columns separated by |, as published; found {header[0][:60]!r}"
    require(len(header) > 1, f"{path.name}: {fault}")
    missing = [name for name in COLUMNS if name not in header]
    fault = f"columns {missing} are missing; found {header[:10]}. {WHERE}"
    require(not missing, f"{path.name}: {fault}")
    twice = {name for name in header if header.count(name) > 1}
    require(not twice, f"{path.name}: columns {sorted(twice)} appear twice")
    # A misspelt mark would make synthetic counts real ones.
    near = [name for name in header if name != "synthetic" and _looks_synthetic(name)]
    require(not near, f"{path.name}: column {near} looks like 'synthetic'; name it so or drop it")
    return header


def _looks_synthetic(name: str) -> bool:
    """Tell whether `name` is "synthetic" with letters changed, or with some of them lost."""
    left = iter("synthetic")
    return bool(get_close_matches(name, ["synthetic"])) or all(letter in left for letter in name)


def _pad_codes(column: pa.DictionaryArray, name: str) -> pd.Categorical:
    """Return codes of five digits; spreadsheets drop the zero of the first nine states."""
    found = pd.Index(column.dictionary.to_pylist(), dtype=str)
    wrong = found[~found.str.fullmatch("[0-9]{4,5}")]
    require(wrong.empty, f"{name}: ent_mun must be codes of five digits; found {name_some(wrong)}")
    codes = found.str.zfill(5)
    known = codes.unique()
    return pd.Categorical.from_codes(known.get_indexer(codes)[column.indices.to_numpy()], known)
