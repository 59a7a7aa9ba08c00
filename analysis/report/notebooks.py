"""Execute a notebook, with failures explained."""

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
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1"),
    "PYTHONHASHSEED": "0",
    # Dask has what a worker starts return freed memory at once: kernels took 1.7 times as long
    "MALLOC_TRIM_THRESHOLD_": "134217728",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}


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
