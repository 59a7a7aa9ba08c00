"""Read a table of municipal counts, and nothing that is not it."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from analysis.checks import name_some, require

FILE = "mexico-muni-month-homicide-rates-2000-2022.csv"
WHERE = f"Download {FILE} from https://doi.org/10.17605/OSF.IO/U8DC3 again, or give no path."
COLUMNS = ["ent_mun", "year", "month", "homicides"]
CHUNK = 2**20  # bytes
MOST_ROWS, MOST_BYTES = 1_000_000, 2**27  # a row for each of 2,475 places and 276 months is 683,100


def read_counts(path: Path | str) -> pd.DataFrame:
    """Read `municipality` (five digits), `month` and `deaths` of a table, plain or gzip."""
    path = Path(path)
    content = _read_bytes(path)
    mark = _check_header(path.name, content)
    kinds = dict.fromkeys(COLUMNS, pa.float64()) | {"ent_mun": pa.string()}
    options = {"include_columns": COLUMNS, "column_types": kinds, "null_values": ["", "NA"]}
    parse, convert = csv.ParseOptions(delimiter=mark), csv.ConvertOptions(**options)
    try:
        table = csv.read_csv(pa.BufferReader(content), parse_options=parse, convert_options=convert)
    except (pa.ArrowException, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}. {WHERE}") from error
    require(table.num_rows > 0, f"{path.name} has a header but no rows. {WHERE}")
    numbers = {name: table[name].to_numpy() for name in COLUMNS[1:]}
    for name, column in numbers.items():
        wrong = ~((column >= 0) & (column == np.floor(column)) & (column < 1e6))
        found = f"{column[wrong][:3].tolist()}, the first in row {np.argmax(wrong) + 1}"
        fault = f"{name} must be whole numbers from 0 to 999,999; found {found}"
        require(not wrong.any(), f"{path.name}: {fault}")
    off = ~((numbers["month"] >= 1) & (numbers["month"] <= 12))
    found = numbers["month"][off][:3].tolist()
    require(not off.any(), f"{path.name}: months must be 1 to 12; found {found}")
    ordinal = ((numbers["year"] - 1970) * 12 + numbers["month"] - 1).astype(int)
    codes = table["ent_mun"].to_pandas()
    wrong = codes[~codes.str.fullmatch("[0-9]{4,5}")].unique()
    fault = f"ent_mun must be codes of five digits; found {name_some(wrong)}"
    require(len(wrong) == 0, f"{path.name}: {fault}")
    codes = codes.str.zfill(5)  # spreadsheets drop the zero of the first nine states
    months, deaths = pd.PeriodIndex.from_ordinals(ordinal, freq="M"), numbers["homicides"]
    return pd.DataFrame({"municipality": codes, "month": months, "deaths": deaths.astype(int)})


def _read_bytes(path: Path) -> bytes:
    """Return the file's content, unpacked, reading no more of it than such a table can have."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}. {WHERE}")
    parts, rows, size = [], 0, 0
    try:
        with path.open("rb") as stream:
            packed = stream.peek(2)[:2] == b"\x1f\x8b"
            source = gzip.GzipFile(fileobj=stream) if packed else stream
            while part := source.read(CHUNK):
                parts.append(part)
                rows += max(part.count(b"\n"), part.count(b"\r"))  # whichever ends a line
                size += len(part)
                much = f"{path.name} has more than {MOST_ROWS:,} rows or {MOST_BYTES:,} bytes"
                few = rows <= MOST_ROWS and size <= MOST_BYTES
                require(few, f"{much}, which no such table has. {WHERE}")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path.name} is a damaged gzip: {error}. {WHERE}") from error
    return b"".join(parts)


def _check_header(name: str, content: bytes) -> str:
    """Return what stands between the columns, if the file begins as the table does."""
    start = content[:10_000].partition(b"\n")[0].decode("utf-8-sig", errors="replace").strip()
    mark = "|" if "|" in start else ","
    header = [column.strip('"') for column in start.split(mark)]
    missing = [column for column in COLUMNS if column not in header]
    fault = f"{name}: columns {missing}, separated by | or commas, are missing"
    require(not missing, f"{fault}; found {start[:60]!r}. {WHERE}")
    twice = {column for column in header if header.count(column) > 1}
    require(not twice, f"{name}: columns {sorted(twice)} appear twice")
    return mark
