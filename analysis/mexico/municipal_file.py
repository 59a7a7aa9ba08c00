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
    kinds["ent_mun"] = pa.string()
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
        found = f"{column[wrong][:3].tolist()}, the first in row {np.argmax(wrong) + 1}"
        fault = f"{name} must be whole numbers from 0 to 999,999; found {found}"
        require(not wrong.any(), f"{path.name}: {fault}")
    off = ~((numbers["month"] >= 1) & (numbers["month"] <= 12))
    found = numbers["month"][off][:3].tolist()
    require(not off.any(), f"{path.name}: months must be 1 to 12; found {found}")
    if synthetic:
        require((numbers["synthetic"] == 1).all(), f"{path.name}: synthetic must be 1 in every row")
    ordinal = ((numbers["year"] - 1970) * 12 + numbers["month"] - 1).astype(int)
    codes = table["ent_mun"].to_pandas()
    wrong = codes[~codes.str.fullmatch("[0-9]{4,5}")].unique()
    fault = f"ent_mun must be codes of five digits; found {name_some(wrong)}"
    require(len(wrong) == 0, f"{path.name}: {fault}")
    codes = codes.str.zfill(5)  # spreadsheets drop the zero of the first nine states
    months, deaths = pd.PeriodIndex.from_ordinals(ordinal, freq="M"), numbers["homicides"]
    counts = pd.DataFrame({"municipality": codes, "month": months, "deaths": deaths.astype(int)})
    counts.attrs = {"synthetic": synthetic}
    return counts


def _check_header(path: Path) -> list[str]:
    """Return the names of the columns, if the file begins as the table does."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}. {WHERE}")
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        start = stream.readline(10_000).strip()
    header = [name.strip('"') for name in start.split("|")]
    missing = [name for name in COLUMNS if name not in header]
    fault = f"{path.name}: columns {missing}, separated by |, are missing; found {start[:60]!r}"
    require(not missing, f"{fault}. {WHERE}")
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
