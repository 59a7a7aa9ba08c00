"""Execute a notebook in a kernel of this Python, one run of it at a time, failures explained."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from filelock import FileLock, Timeout
from traitlets.config import Config

from analysis.checks import check_known
from analysis.files import sha256, write_atomically
from notebooks.kernels import INHERITED, Kernel

LONGEST = 65  # bytes of a folder for sockets: with their names, systems allow 103 to 107
# Addresses, and where a cell's code lay: by what such a text holds, which is sought much faster.
BY_CHANCE = {" at 0x": " at 0x[0-9a-f]+", "/ipykernel_": r"(?:/[\w.+-]+)*/ipykernel_\d+/"}
STYLED = r'(?<=[#"])T_[0-9a-f]{5}(?=[_" ])'  # the identifier of a pandas Styler


class NotebookError(RuntimeError):
    """A notebook failed; the message names the cell and the error."""


def run_notebook(notebook: Path, executed: Path, parameters: Mapping[str, Any]) -> None:
    """Execute `notebook` as `executed`, with `parameters` that its tagged cell must name."""
    # Two runs on one machine make the same bytes; the second of two runs at once is refused.
    __tracebackhide__ = True  # of pytask: a NotebookError says all there is to say
    # papermill takes a second to import: only here, where it is used
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    os.environ.update(INHERITED)
    stored = nbformat.read(notebook, as_version=4)  # of a path, papermill would fill in braces
    known = papermill.inspect_notebook(stored)
    for name in parameters:
        check_known(name, known, f"parameter of {notebook.name}")
    failed = executed.parent / "failed" / executed.name
    try:
        lock = executed.with_name(f".running-{executed.name}")
        with hold(lock, notebook.name), _open_folder(executed) as folder:
            options = {"progress_bar": False, "record_timing": False, "kernel_name": "python3"}
            options |= {"request_save_on_cell_execute": False, "autosave_cell_every": 0}
            options |= {"shutdown_kernel": "immediate", "kernel_manager_class": Kernel}
            options["extra_arguments"] = [f"--ipython-dir={folder}"]  # nobody's startup files
            # The kernel talks through files where the system has them: no port, no network.
            files = {"transport": "ipc", "ip": f"{folder}/kernel"} if os.name == "posix" else {}
            files["connection_file"] = f"{folder}/kernel.json"
            options["config"] = Config({"Kernel": files})
            options["resources"] = {"metadata": {"path": str(notebook.parent)}}
            running = Path(folder, "executed.ipynb")
            try:
                papermill.execute_notebook(stored, running, dict(parameters), **options)
            except PapermillExecutionError as error:
                write_atomically(failed, _read_made(running, stored))
                executed.unlink(missing_ok=True)
                told = f"{notebook.name}, cell {error.cell_index} ({error.exec_count}. executed), "
                told += f"failed with {error.ename}: {error.evalue}\nParameters: {dict(parameters)}"
                here = (
                    failed.relative_to(Path.cwd()) if failed.is_relative_to(Path.cwd()) else failed
                )
                raise NotebookError(f"{told}\nThe partly executed copy is\n{here}") from None
            write_atomically(executed, _read_made(running, stored))
        failed.unlink(missing_ok=True)
    except (OSError, DeadKernelError) as error:
        told = f"{notebook.name} did not end, and {executed} was not made"
        raise NotebookError(f"{told}: {error}") from None


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file: for this process alone, and no longer than it lives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(path).acquire(blocking=False)
    except Timeout:
        told = f"{what} is already running: another process holds {path}"
        raise NotebookError(f"{told}. Wait until it has ended") from None
    with lock:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _open_folder(executed: Path) -> tempfile.TemporaryDirectory:
    """Open a folder for a kernel's sockets, and remove those that killed runs left."""
    long = os.name == "posix" and len(os.fsencode(tempfile.gettempdir())) > LONGEST
    place = Path("/tmp" if long else tempfile.gettempdir())
    prefix = f"kernel-{sha256(os.fsencode(executed.absolute()))[:8]}-"
    for left in place.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=prefix, dir=place)


def _read_made(running: Path, stored: Mapping[str, Any]) -> bytes:
    """Return an executed notebook without times, the machine's paths and random identifiers."""
    known = {cell.get("id") for cell in stored["cells"]}
    made = json.loads(running.read_bytes())
    made["metadata"].pop("papermill")
    for number, cell in enumerate(made["cells"]):
        cell["metadata"].pop("papermill", None)
        if cell["id"] not in known:
            cell["id"] = f"added-{number:03}"
    text = json.dumps(made, indent=1, ensure_ascii=False)
    for held, chance in BY_CHANCE.items():
        text = re.sub(chance, "", text) if held in text else text
    for nth, table in enumerate(dict.fromkeys(re.findall(STYLED, text))):
        text = text.replace(table, f"T_{nth:05}")
    return f"{text}\n".encode()
