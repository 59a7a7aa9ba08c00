"""Execute a notebook with papermill: names checked, failures explained, nothing half-written."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traitlets.config import Config

from analysis.checks import check_known

# A kernel inherits these. One thread each: several run at once, and sums add up in one order.
KERNEL_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    # Dask has what a worker starts return freed memory at once: kernels took 1.7 times as long
    "MALLOC_TRIM_THRESHOLD_": "134217728",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}


class NotebookError(RuntimeError):
    """A notebook failed; the message names the cell and the error."""


def run_notebook(notebook: Path, executed: Path, parameters: Mapping[str, Any]) -> None:
    """Execute `notebook` with `parameters` and keep the executed copy as `executed`.

    Parameters
    ----------
    notebook : Path
        A notebook with a cell tagged ``parameters``; it runs in its own folder.
    executed : Path
        Where the executed copy goes. If the notebook fails, the partly executed copy goes to the
        folder ``failed`` beside it instead.
    parameters : mapping
        Name to value; every name must stand in the tagged cell.

    Raises
    ------
    KeyError
        For a parameter that the notebook does not have, with the nearest names.
    NotebookError
        If a cell fails.
    """
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
        try:
            papermill.execute_notebook(
                str(notebook),
                str(running),
                parameters=dict(parameters),
                progress_bar=False,
                shutdown_kernel="immediate",
                config=_kernel_config(sockets),
                resources={"metadata": {"path": str(notebook.parent)}},
            )
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


def _kernel_config(sockets: str) -> Config:
    """Let the kernel talk through files where the system has them: no port, no network."""
    if os.name != "posix":
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})
