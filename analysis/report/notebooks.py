"""Execute a notebook, with failures explained, and find what of the package it can reach."""

import ast
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from traitlets.config import Config

from analysis.checks import check_known

# A kernel inherits these. One thread each: several run at once, and sums add up in one order.
KERNEL_ENVIRONMENT = {
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1"),
    "PYTHONHASHSEED": "0",
    # Dask has what a worker starts return freed memory at once: kernels took 1.7 times as long
    "MALLOC_TRIM_THRESHOLD_": "134217728",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}
PACKAGE = Path(__file__).parents[1]


class NotebookError(RuntimeError):
    """A notebook failed; the message names the cell and the error."""


def run_notebook(notebook: Path, executed: Path, parameters: Mapping[str, Any]) -> None:
    """Execute `notebook` as `executed`, with `parameters` that its tagged cell must name."""
    # papermill takes a second to import: only here, where it is used
    import papermill
    from papermill.exceptions import PapermillExecutionError

    os.environ.update(KERNEL_ENVIRONMENT)
    known = papermill.inspect_notebook(str(notebook))
    for name in parameters:
        check_known(name, known, f"parameter of {notebook.name}")
    failed = executed.parent / "failed" / executed.name
    executed.parent.mkdir(parents=True, exist_ok=True)
    running_here = f".running-{executed.name}-"
    for left in executed.parent.glob(f"{running_here}*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(dir=executed.parent, prefix=running_here) as folder,
        tempfile.TemporaryDirectory(prefix="kernel-") as sockets,
    ):
        running = Path(folder) / executed.name
        # The kernel talks through files where the system has them: no port, no network.
        files = {"transport": "ipc", "ip": f"{sockets}/kernel"}
        options = {"progress_bar": False, "shutdown_kernel": "immediate"}
        options["config"] = Config({"KernelManager": files if os.name == "posix" else {}})
        options["resources"] = {"metadata": {"path": str(notebook.parent)}}
        try:
            papermill.execute_notebook(str(notebook), str(running), dict(parameters), **options)
        except PapermillExecutionError as error:
            failed.parent.mkdir(parents=True, exist_ok=True)
            running.replace(failed)
            executed.unlink(missing_ok=True)
            raise NotebookError(
                f"{notebook.name}, cell {error.cell_index} ({error.exec_count}. executed), failed "
                f"with {error.ename}: {error.evalue}\nParameters: {dict(parameters)}\n"
                f"The partly executed copy is {failed}"
            ) from None
        running.replace(executed)
    failed.unlink(missing_ok=True)


def reached_by_notebook(notebook: Path, package: Path = PACKAGE) -> list[Path]:
    """Return the files of the package that a notebook can reach, and those that run it."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    run_by = f"import {__name__}"
    return reached_files(re.sub(r"(?m)^[%!].*$", "", "\n".join([run_by, *code])), package)


def reached_files(code: str, package: Path = PACKAGE) -> list[Path]:
    """Return the files of the package that code can reach by its imports, sorted."""
    # Wherever an import stands. Of ``data/``, each declaration (``*.toml``) where a file that names
    # it is reached, and all others where the tables are.
    waiting, reached = list(_imports(code, package)), set()
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            code = path.read_text(encoding="utf-8") if path.suffix == ".py" else ""
            waiting += _imports(code, package)
    if package / "mexico/tables.py" in reached:
        data = (package / "data").iterdir()
        reached |= {path for path in data if path.is_file() and path.suffix != ".toml"}
    return sorted(reached)


@cache
def _imports(code: str, package: Path) -> tuple[Path, ...]:
    """Return the files of the package that some code imports, and the declarations it names."""
    declared = package.glob("data/*.toml")  # its-words.es.toml goes with its-words.toml
    files = [path for path in declared if f"{path.name.split('.')[0]}.toml" in code]
    tree = list(ast.walk(ast.parse(code)))
    names = [alias.name for each in tree if isinstance(each, ast.Import) for alias in each.names]
    imports = [each for each in tree if isinstance(each, ast.ImportFrom) and each.level == 0]
    names += [f"{each.module}.{alias.name}" for each in imports for alias in each.names]
    for top, *parts in (name.split(".") for name in names):
        parts = _public(package).get(parts[0], parts) if len(parts) == 1 else parts
        for depth in range(len(parts) + 1 if top == package.name else 0):
            stem = package.joinpath(*parts[:depth])
            files += [stem / "__init__.py", stem.with_suffix(".py")]
    return tuple(path for path in files if path.is_file())


@cache
def _public(package: Path) -> dict[str, list[str]]:
    """Return the parts of the module that each public name comes from, by the package's stub."""
    stub = (package / "__init__.pyi").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^from \.(\S+) import (\w+)", stub)
    return {name: module.split(".") for module, name in lines}
