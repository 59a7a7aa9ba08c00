"""The embedded tables: where they lie, what they should hash to, how they are read and written."""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import numpy as np
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


def load_outlines(*, folder: Path = DATA_FOLDER) -> dict[str, list[np.ndarray]]:
    """Load the outlines of the states after checking the file's hash.

    Returns
    -------
    dict
        State code to its rings, each an array (n, 2) of degrees of longitude and latitude.

    Raises
    ------
    ValueError
        If the file's sha256 is not the one in ``datapackage.json``.
    """
    shapes = json.loads(_read_checked("state_outlines", folder)[1])["features"]
    outlines = {}
    for shape in shapes:
        geometry = shape["geometry"]
        parts = geometry["coordinates"]
        polygons = [parts] if geometry["type"] == "Polygon" else parts
        rings = [np.asarray(ring, dtype=float) for polygon in polygons for ring in polygon]
        outlines[shape["properties"]["state"]] = rings
    return outlines


@cache
def _read_table(name: str, folder: Path) -> pd.DataFrame:
    resource, content = _read_checked(name, folder)
    if resource["format"] != "csv":
        raise ValueError(f"{resource['path']} is not a table; use load_outlines()")
    fields = resource.get("schema", {}).get("fields", [])
    text = {field["name"]: str for field in fields if field["type"] in {"string", "yearmonth"}}
    return pd.read_csv(io.BytesIO(content), dtype=text, keep_default_na=False, na_values=[""])


def _read_checked(name: str, folder: Path) -> tuple[dict, bytes]:
    resources = {resource["name"]: resource for resource in load_descriptor(folder)["resources"]}
    check_known(name, resources, "table")
    resource = resources[name]
    path = folder / resource["path"]
    content = path.read_bytes()
    found = sha256(content)
    if f"sha256:{found}" != resource["hash"]:
        raise ValueError(
            f"{path.name} has sha256 {found[:12]}…, but datapackage.json expects "
            f"{resource['hash'].removeprefix('sha256:')[:12]}…: the table was changed. Restore it "
            "with git, or rebuild all tables with `python -m analysis.compile FOLDER`."
        )
    return resource, content


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
