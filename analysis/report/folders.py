"""Where a notebook finds the project, and where it writes: a run of one's own has its own place."""

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from analysis.checks import check_known, require
from analysis.files import sha256
from analysis.mexico.shifts import load_policy_shifts
from analysis.report.runs import declare_runs

SAME_NUMBERS = ("results", "jobs", "progress")  # parameters that change no number
INJECTED = "# Parameters"  # how papermill begins the cell with the parameters it was given


class Folders(NamedTuple):
    """The project, the results of the published runs, and where this run writes."""

    project: Path
    published: Path
    results: Path


def open_folders(notebook: str, namespace: Mapping[str, Any]) -> Folders:
    """Return the folders of a run, and say so where it is not as declared.

    Parameters
    ----------
    notebook : str
        Stem of its file in ``notebooks/``.
    namespace : mapping
        The notebook's ``globals()``, after its parameters.

    Returns
    -------
    Folders
        `results` is ``results/`` of the project where the parameters are those of a declared run,
        else ``results/explored/NAME`` of it, whose name tells the parameters.

    Raises
    ------
    FileNotFoundError
        If no folder upwards has this notebook in its ``notebooks/``.
    KeyError, TypeError, ValueError
        For an unknown parameter, one of another type, or a source that the shift does not declare.
    """
    project = _find_project(notebook)
    defaults = read_parameters(project / f"notebooks/{notebook}.ipynb")
    for cell in namespace.get("In", ()):
        if cell.startswith(INJECTED):
            for name in _assigned(cell):
                check_known(name, defaults, f"parameter of {notebook}")
    given = {name: namespace[name] for name in defaults}
    for name, value in given.items():
        wanted = type(defaults[name])
        told = f"{name} must be of type {wanted.__name__}; found {value!r}"
        if type(value) is not wanted:
            raise TypeError(told)
    published = Path(given["results"]).resolve() if given["results"] else project / "results"
    own = _differences(notebook, defaults, given)
    if not own:
        return Folders(project, published, published)
    results = published / "explored" / _name(notebook, own)
    print(f"Not a run of the published analysis: it writes to {results}")
    return Folders(project, published, results)


def _find_project(notebook: str) -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir():
            found = folder / f"notebooks/{notebook}.ipynb"
            require(found.is_file(), f"{found.parent} has no {found.name}; run inside the project")
            return folder
    raise FileNotFoundError(
        f"no folder from {here} upwards holds notebooks/; run the notebook inside the project"
    )


def read_parameters(path: Path) -> dict[str, Any]:
    """Return the parameters of a notebook's tagged cell with their defaults."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = next(c for c in cells if "parameters" in c["metadata"].get("tags", ()))
    body = ast.parse("".join(tagged["source"])).body
    lines = [each for each in body if isinstance(each, ast.AnnAssign) and each.value]
    return {ast.unparse(each.target): ast.literal_eval(each.value) for each in lines}


def _assigned(cell: str) -> list[str]:
    assigned = [each for each in ast.parse(cell).body if isinstance(each, ast.Assign)]
    return [ast.unparse(target) for each in assigned for target in each.targets]


def _differences(
    notebook: str, defaults: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what of `given` is not as in a declared run; the shift and the source always."""
    chosen = {name: value for name, value in given.items() if name not in SAME_NUMBERS}
    slug, source = chosen.get("shift"), chosen.get("source")
    shifts = load_policy_shifts()
    if slug:
        check_known(slug, shifts, "shift")
    if slug and source:
        sources = shifts[slug].sources
        told = f"{slug} declares the source {' and '.join(sources)}; found {source!r}. The others"
        require(source in sources, f"{told} have too few months around it, or begin too late")
    runs = [run for run in declare_runs().values() if run.notebook == notebook]
    declared = [
        {name: value for name, value in ({**defaults, **run.parameters}).items() if name in chosen}
        for run in runs
    ]
    if chosen in declared:
        return {}
    same = [each for each in declared if all(each.get(n) == chosen.get(n) for n in SHOWN)]
    nearest = (same or [defaults])[0]
    own = {name: value for name, value in chosen.items() if value != nearest.get(name)}
    return {name: chosen[name] for name in SHOWN if name in chosen} | own


SHOWN = ("shift", "source")


def _name(notebook: str, own: Mapping[str, Any]) -> str:
    """Return a folder's name: ``03-policy-shift--calderon-2006-12--inegi--harmonics=4``."""
    parts = [str(own[name]) if name in SHOWN else f"{name}={own[name]}" for name in own]
    name = "--".join([notebook, *parts]).replace(":", "..").replace("/", "-").replace(" ", "+")
    return name if len(name) < 150 else f"{name[:140]}-{sha256(name.encode())[:8]}"
