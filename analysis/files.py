"""Reading TOML, hashes of files, writing that is never half done, tables of six digits."""

import hashlib
import io
import json
import os
import shutil
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.checks import require

DATA_FOLDER = Path(__file__).parent / "data"
DIGITS = 6  # significant digits in tables: the last digits of a double differ between processors
LARGEST = 2**20  # bytes of a TOML file


def read_toml(path: Path | str) -> tuple[Path, dict]:
    """Read a TOML file; return its path beside it, for what is said of its blocks."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; expected a TOML file. Correct its name.")
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
        require(len(content) <= LARGEST, f"larger than {LARGEST:,} bytes")
        found = tomllib.loads(content.decode("utf-8-sig"))  # Windows writes a mark in front
        repr(found)  # nothing in it is too deep or too long to be told in a message
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must be TOML; save it as UTF-8 text. Found: {error}") from None
    return path, found


def round_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with its floating-point columns rounded to significant digits."""
    rounded = table.copy()
    for name in table.select_dtypes("floating"):
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
        rounded[name] = [float(f"{value:.{DIGITS}g}") for value in values]
    return rounded


def write_table(table: pd.DataFrame, path: Path | str) -> None:
    """Write a rounded table as CSV (UTF-8, LF), or as Parquet if `path` ends so."""
    path, rounded = Path(path), round_table(table)
    if path.suffix == ".parquet":
        content = rounded.to_parquet(index=False)
    else:
        content = rounded.to_csv(index=False, lineterminator="\n").encode()
    write_atomically(path, content)


def write_zip(tables: Mapping[str, pd.DataFrame], path: Path | str) -> None:
    """Write rounded tables as CSV into one ZIP: the same bytes whenever and wherever it is made."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:  # not compressed: libraries do that differently
        for name in sorted(tables):  # ZipInfo's own date is that of 1980
            text = round_table(tables[name]).to_csv(index=False, lineterminator="\n")
            package.writestr(zipfile.ZipInfo(f"{name}.csv"), text)
    write_atomically(Path(path), made.getvalue())


def sha256(content: bytes) -> str:
    """Return the hexadecimal sha256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def hash_files(paths: Iterable[Path], folder: Path) -> str:
    """Return one sha256 for all `paths`, by place in `folder` and content, in whatever order."""
    listed = sorted((x.relative_to(folder).as_posix(), sha256(x.read_bytes())) for x in paths)
    return sha256(json.dumps(listed).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to a temporary name beside `path`, then rename: never a half-written file."""
    write_together({Path(path): content})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write temporary files for all paths, then rename them: none is changed if either fails."""
    ready: dict[Path, Path] = {}
    former: dict[Path, Path] = {}  # copies of what was there, to go back to
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".half-{path.name}.")
            ready[path] = Path(temporary)
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            ready[path].chmod(0o644)
        for path, written in ready.items():
            if len(ready) > 1 and path.exists():
                former[path] = written.with_name(f"{written.name}.former")
                shutil.copy2(path, former[path])
        for path, written in ready.items():
            written.replace(path)
    except BaseException:
        for path, written in ready.items():
            if written.exists():  # and is not yet at its place
                written.unlink()
            elif path in former:
                former[path].replace(path)
            else:
                path.unlink(missing_ok=True)
        raise
    finally:
        for copy in former.values():
            copy.unlink(missing_ok=True)
