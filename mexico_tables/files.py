"""The files that publishers offer, fetched and opened: CSV, XLSX, DBF, ZIP."""

import csv
import io
import os
import re
import time
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

import pandas as pd

from analysis.checks import plain, require
from analysis.files import read_toml, sha256, write_atomically
from analysis.mexico.tables import ERRORS, explained

LAYOUTS = read_toml(Path(__file__).with_name("layouts.toml"))[1]
LARGEST = 2_000_000_000  # bytes of a file, or of all that a ZIP unpacks to
# Letters that appear in a header after it was saved on a Mac or read as the wrong encoding.
DAMAGED = re.compile("[ÒÌÃ„–�]")
WRONG = ("text/html", "application/xhtml", "application/pdf", "application/json", "image/")


@dataclass(frozen=True)
class Sheet:
    """One table in a file: the words of its header, and all of its rows, of text."""

    name: str
    header: list[str]
    rows: Callable[[], Iterable[list[str]]]  # the header first
    fault: str = ""  # why it cannot be read

    def read(self, words: Collection[str]) -> pd.DataFrame:
        """Return the columns of some words as text, without spaces around it."""
        places = {word: place for place, word in enumerate(self.header) if word in words}
        twice = [word for word in places if self.header.count(word) > 1]
        require(not twice, f"columns {twice} appear twice")
        rows = iter(self.rows())
        next(rows)
        cells = ([row[place].strip() for place in places.values()] for row in rows)
        return pd.DataFrame(cells, columns=list(places), dtype="str")


def open_sheets(name: str, content: bytes) -> list[Sheet]:
    """Return every table in a file, whatever its name."""
    start = content[:300].removeprefix(b"\xef\xbb\xbf").lstrip().decode("latin-1")
    require(start != "", "the file is empty: download it again")
    for signature, what in LAYOUTS["strange"].items():
        require(not start.startswith(signature), f"this is {what}")
    if content.startswith((b"PK\3\4", b"PK\5\6")):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            require(size <= LARGEST, f"it unpacks to {size:,} bytes, more than {LARGEST:,}")
            if "xl/workbook.xml" not in archive.namelist():
                members = [entry for entry in archive.infolist() if not entry.is_dir()]
                return [sheet for entry in members for sheet in _open_member(archive, entry)]
        return _open_workbook(name, content)
    rows = partial(_read_dbf if content[0] in b"\x03\x83" else _read_csv, content)
    return [Sheet(name, [plain(word) for word in next(rows())], rows)]


def _open_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> list[Sheet]:
    """Return the tables in a member of a ZIP; what is none, such as a picture, is no error."""
    try:
        with explained(entry.filename):
            return open_sheets(entry.filename, archive.read(entry))
    except ValueError as error:
        return [Sheet(entry.filename, [], list, fault=str(error))]


def _read_csv(content: bytes) -> Iterator[list[str]]:
    require(b"\0" not in content, "this is no table: it holds zero bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252")
    text = text if "\n" in text else text.replace("\r", "\n")
    header = text.partition("\n")[0]
    require(not DAMAGED.search(header), ERRORS["damaged"].format(header=header[:40]))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",|;\t", key=header.count))
    width = 0
    for row in filter(any, reader):
        width = width or len(row)
        told = {"at": reader.line_num, "row": len(row), "width": width}
        require(len(row) == width, ERRORS["ragged"].format(**told))
        yield row


def _open_workbook(name: str, content: bytes) -> list[Sheet]:
    with warnings.catch_warnings(action="ignore"):  # of styles and validations
        found = pd.read_excel(io.BytesIO(content), sheet_name=None, header=None, dtype=str)
    sheets = []
    for title, cells in found.items():
        if rows := [*filter(any, cells.fillna("").to_numpy().tolist())]:
            sheets.append(Sheet(f"{name}, {title}", [plain(word) for word in rows[0]], rows.copy))
    return sheets


def _read_dbf(content: bytes) -> Iterator[list[str]]:
    import shapefile

    with shapefile.Reader(dbf=io.BytesIO(content), encoding="cp850") as table:
        yield [field[0] for field in table.fields[1:]]  # the first marks deleted records
        for record in filter(None, table.iterRecords()):
            yield ["" if cell is None else str(cell) for cell in record]


def fetch_file(url: str) -> tuple[Path, str]:
    """Download a file to the cache; return its path, and a line with its hash, size and date."""
    parts = urlsplit(url)
    name = Path(unquote(parts.path)).name
    fault = f"{url} is no address of a file, such as https://example.org/file.zip"
    require(parts.scheme in {"http", "https"} and name not in {"", ".."}, fault)
    address = quote(url, safe="%/:?&=+,;@~!$'()*")
    request = Request(address, headers={"User-Agent": "Mozilla/5.0 (mexico-homicide-its)"})
    try:
        with urlopen(request, timeout=60) as answer:
            require(answer.url == address, f"{url} redirects to {answer.url}: give that, if right")
            kind, size = answer.headers.get_content_type(), answer.headers["Content-Length"]
            require(not kind.startswith(WRONG), f"{url} is {kind}, no table: is the file there?")
            require((size or "0").isdecimal(), f"{url} announces a size of {size!r}")
            content = answer.read(LARGEST + 1)
    except (OSError, HTTPException) as error:
        raise ValueError(f"{url} cannot be downloaded: {error}") from error
    require(len(content) <= LARGEST, f"{url} is larger than {LARGEST:,} bytes")
    fault = f"{url} has {len(content):,} bytes of {size} announced: it is cut. Try again"
    require(len(content) > 0 and size in {None, f"{len(content)}"}, fault)
    false = name.lower().endswith((".zip", ".xlsx")) and not content.startswith(b"PK")
    require(not false, f"{url} is no ZIP, for it begins with {content[:20]!r}: is the file there?")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "mexico-homicide-its" / name
    write_atomically(path, content)
    said = f"sha256 {sha256(content)}, {len(content):,} bytes, {time.strftime('%Y-%m-%d')}"
    return path, f"{path}: {said}"
