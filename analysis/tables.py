"""The embedded tables: where they lie, what they should hash to, how they are read and written."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import pandas as pd

DATA_FOLDER = Path(__file__).parent / "data"


@cache
def load_descriptor(folder: Path = DATA_FOLDER) -> dict:
    """Load the Frictionless descriptor ``datapackage.json``."""
    return json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))


def load_table(name: str, *, folder: Path = DATA_FOLDER) -> pd.DataFrame:
    """Load one embedded table after checking its hash.

    Parameters
    ----------
    name : str
        Name of a resource of ``datapackage.json``, for example ``"inegi_deaths"``.
    folder : Path
        Folder of the data package.

    Returns
    -------
    DataFrame
        The table as the package describes it; codes and months are strings.

    Raises
    ------
    KeyError
        If the package has no such table.
    ValueError
        If the file's sha256 is not the one in ``datapackage.json``.
    """
    return _read_table(name, folder).copy()


@cache
def _read_table(name: str, folder: Path) -> pd.DataFrame:
    resources = {resource["name"]: resource for resource in load_descriptor(folder)["resources"]}
    check_known(name, resources, "table")
    resource = resources[name]
    if resource["format"] != "csv":
        raise ValueError(f"{resource['path']} is not a table; read the file itself")
    path = folder / resource["path"]
    found = sha256(path.read_bytes())
    if f"sha256:{found}" != resource["hash"]:
        raise ValueError(
            f"{path.name} has sha256 {found[:12]}…, but datapackage.json expects "
            f"{resource['hash'].removeprefix('sha256:')[:12]}…: the table was changed. Restore it "
            "with git, or rebuild all tables with `python -m analysis.compile FOLDER`."
        )
    fields = resource.get("schema", {}).get("fields", [])
    text = {field["name"]: str for field in fields if field["type"] in {"string", "yearmonth"}}
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])


def check_known(name: object, known: Iterable[str], what: str) -> None:
    """Raise a KeyError that names the nearest known names if `name` is not one of `known`."""
    known = list(known)
    if name in known:
        return
    near = get_close_matches(str(name), known, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Known: {known}."
    raise UnknownNameError(f"unknown {what} {name!r}. {hint}")


class UnknownNameError(KeyError):
    """A name that is not in a table; its message is shown without KeyError's quotes."""

    def __str__(self) -> str:
        return str(self.args[0])


def sha256(content: bytes) -> str:
    """Return the hexadecimal sha256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def hash_files(paths: Iterable[Path]) -> str:
    """Return one sha256 for all `paths`, by name and content, whatever order they come in."""
    listed = sorted((path.name, sha256(path.read_bytes())) for path in paths)
    return sha256(json.dumps(listed).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to a temporary name beside `path`, then rename: never a half-written file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
