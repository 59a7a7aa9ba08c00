"""Run every notebook of `mexico_report.runs`; ``pytask`` runs what changed."""

import warnings
from concurrent.futures import Executor
from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode, mark, task
from pytask_parallel import ParallelBackend, registry

from analysis.engine.executors import connect, scheduler_address
from analysis.files import hash_files
from mexico_report.runs import declare_runs
from notebooks.execution import run_notebook
from notebooks.reached import reached_by_notebook

PROJECT = Path(__file__).parents[1]
RESULTS = PROJECT / "results"
RUNS = declare_runs()
EXECUTED = {name: RESULTS / f"notebooks/{name}.ipynb" for name in RUNS}


def register_cluster() -> None:
    """Let ``pytask --parallel-backend dask`` use a cluster, whose workers see the project's folder.

    Without an address pytask-parallel starts processes on this machine, as it always does.
    """
    start_local = registry.registry[ParallelBackend.DASK].builder

    def build(n_workers: int) -> Executor:
        if scheduler_address() is None:
            return start_local(n_workers=n_workers)
        client = connect(project=PROJECT)
        threads = sum(client.nthreads().values())
        if threads > n_workers:
            idle = f"the cluster has {threads} threads, but only {n_workers} get work at a time"
            warnings.warn(f"{idle}: add -n {threads}", stacklevel=2)
        return client.get_executor(pure=False)

    registry.register_parallel_backend(ParallelBackend.DASK, build)


register_cluster()


def code(files: list[Path]) -> PythonNode:
    """Return one input for many files: with one for each, comparing them would take seconds."""
    return PythonNode(value=hash_files(files, PROJECT), hash=True)


REACHED = {
    notebook: code(reached_by_notebook(PROJECT / f"notebooks/{notebook}.ipynb"))
    for notebook in {run.notebook for run in RUNS.values()}
}

LONG = ("08-forecast", "11-municipalities")  # what others wait for, and what takes longest

for _name, _run in RUNS.items():
    _recorded = [path for pattern in _run.recorded for path in sorted(PROJECT.glob(pattern))]

    @(mark.try_first if _run.notebook in LONG else lambda function: function)
    @task(id=_name)
    def task_notebook(
        notebook: Path = PROJECT / f"notebooks/{_run.notebook}.ipynb",
        parameters: dict[str, Any] = dict(_run.parameters),
        package: Any = REACHED[_run.notebook],
        reads: list[Path] = [*_recorded, *(RESULTS / path for path in _run.reads)],
        executed: Annotated[Path, Product] = EXECUTED[_name],
        writes: Annotated[list[Path], Product] = [RESULTS / path for path in _run.writes],
    ) -> None:
        """Execute one notebook with its parameters."""
        __tracebackhide__ = True  # a failure says itself where it was
        run_notebook(notebook, executed, parameters)
