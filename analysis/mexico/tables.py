"""The embedded tables, checked and read."""

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.checks import check_known, require
from analysis.files import DATA_FOLDER, read_toml, sha256

ERRORS = read_toml(DATA_FOLDER / "mexico-errors.toml")[1]


@cache
def load_descriptor(folder: Path = DATA_FOLDER) -> dict:
    """Load the Frictionless descriptor ``datapackage.json``."""
    path = folder / "datapackage.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {path.name}: give the folder of a data package")
    return json.loads(path.read_text(encoding="utf-8"))


def load_table(name: str, *, folder: Path = DATA_FOLDER) -> pd.DataFrame:
    """Load one table of the package after checking its sha256; codes and months are strings."""
    return _read_table(name, folder).copy()


def load_regions() -> pd.Series:
    """Return the region of every state, as ``regions.toml`` declares it."""
    declared = read_toml(DATA_FOLDER / "regions.toml")[1]["region"]
    return pd.Series({state: region for region, states in declared.items() for state in states})


@checked
def load_outlines(*, folder: Path = DATA_FOLDER) -> dict[str, list[np.ndarray]]:
    """Load the outlines of the states after checking the file's hash.

    Parameters
    ----------
    folder : Path
        Folder of the data package.

    Returns
    -------
    dict
        State code to its rings, each an array (n, 2) of degrees of longitude and latitude.
    """
    outlines = {}
    for shape in json.loads(_read_checked("state_outlines", folder)[1])["features"]:
        parts = shape["geometry"]["coordinates"]
        polygons = [parts] if shape["geometry"]["type"] == "Polygon" else parts
        rings = [np.asarray(ring, dtype=float) for polygon in polygons for ring in polygon]
        outlines[shape["properties"]["state"]] = rings
    return outlines


def check_file(name: str, *, folder: Path = DATA_FOLDER) -> Path:
    """Return the path of a table after checking its sha256."""
    return folder / _read_checked(name, folder)[0]["path"]


def forget_tables() -> None:
    """Let changed files be read anew in this process."""
    load_descriptor.cache_clear()
    _read_table.cache_clear()


@cache
def _read_table(name: str, folder: Path) -> pd.DataFrame:
    resource, content = _read_checked(name, folder)
    require(resource["format"] == "csv", f"{resource['path']} is not a table; use load_outlines()")
    fields = resource.get("schema", {}).get("fields", [])
    text = {field["name"]: str for field in fields if field["type"] in {"string", "yearmonth"}}
    content = gzip.decompress(content) if resource["path"].endswith(".gz") else content
    return pd.read_csv(io.BytesIO(content), dtype=text, keep_default_na=False, na_values=[""])


def _read_checked(name: str, folder: Path) -> tuple[dict, bytes]:
    resources = {resource["name"]: resource for resource in load_descriptor(folder)["resources"]}
    check_known(name, resources, "table")
    path = folder / resources[name]["path"]
    content = path.read_bytes()
    found, wanted = sha256(content), resources[name]["hash"].removeprefix("sha256:")
    if found == wanted:
        return resources[name], content
    made = resources[name].get("made", "python -m mexico_tables.compile FOLDER")
    fault = "line_ends" if sha256(content.replace(b"\r\n", b"\n")) == wanted else "changed"
    raise ValueError(ERRORS[fault].format(path=path, found=found, wanted=wanted, made=made))


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Say of which file an error is, and of readers' errors what they mean."""
    try:
        yield
    except ImportError as error:
        raise ValueError(ERRORS["no_reader"].format(name, error)) from error
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    except Exception as error:  # whatever damaged bytes make a reader say
        raise ValueError(f"{name}: cannot be read ({error!r}). Is it cut? Get it again.") from error
