"""Threads, processes, or a Dask cluster: where work is shared, chosen by one word and an address.

``jobs="dask"``, or ``pytask --parallel-backend dask`` for the notebooks, uses the client that there
is or connects to the scheduler at ``DASK_SCHEDULER_ADDRESS``. docs/cluster.md shows it on Slurm.
"""

import os
import platform
import socket
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from analysis.files import hash_files

if TYPE_CHECKING:
    from distributed import Client

Jobs = int | Literal["dask"] | None

PATIENCE = 10  # seconds for a scheduler to answer and a first worker to be there
AHEAD = 4  # calls for each thread of the cluster that are sent before a result is back
SUFFIXES = {".py", ".csv", ".json", ".geojson", ".toml"}
LIBRARIES = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib")  # they make the numbers


class ClusterError(RuntimeError):
    """A cluster that cannot be used; the message says why and what to do."""


def open_executor(jobs: Jobs = None, *, processes: bool = False) -> Executor:
    """Open a Dask cluster, or so many threads or processes here, by default one for each core.

    Processes are for functions that hold Python's global lock. ``map`` keeps the arguments' order.
    """
    if jobs == "dask":
        return ClusterExecutor(connect())
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ValueError(
            f"jobs must be a whole number from 1 up; found {jobs!r}. For a cluster it is 'dask'."
        )
    if processes:
        return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    return ThreadPoolExecutor(jobs or os.cpu_count())


class ClusterExecutor(Executor):
    """The executor of a Dask client, with a ``map`` that never sends all its arguments at once."""

    def __init__(self, client: "Client") -> None:
        # pure: Dask would hash every argument, to compute equal calls only once
        self._executor = client.get_executor(pure=False)
        self._ahead = AHEAD * sum(client.nthreads().values())

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Send one call."""
        return self._executor.submit(fn, *args, **kwargs)

    def map(  # type: ignore[override]  # without a time limit or chunks
        self, fn: Callable[..., Any], *iterables: Iterable[Any]
    ) -> Iterator[Any]:
        """Yield the results in order; the scheduler holds the arguments of few calls at a time."""
        waiting: deque[Future] = deque()
        try:
            for arguments in zip(*iterables, strict=False):
                waiting.append(self.submit(fn, *arguments))
                if len(waiting) >= self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for what was sent; the client stays connected."""
        self._executor.shutdown(wait=wait and not cancel_futures)


def register_cluster(project: Path) -> None:
    """Let ``pytask --parallel-backend dask`` use a cluster, whose workers see `project`'s folder.

    Without an address pytask-parallel starts processes on this machine, as it always does.
    """
    from pytask_parallel import ParallelBackend, registry

    start_local = registry.registry[ParallelBackend.DASK].builder

    def build(n_workers: int) -> Executor:
        if _address() is None:
            return start_local(n_workers=n_workers)
        client = connect(project=project)
        threads = sum(client.nthreads().values())
        if threads > n_workers:
            warnings.warn(
                f"the cluster has {threads} threads, but only {n_workers} of them get work at a "
                f"time: add -n {threads}",
                stacklevel=2,
            )
        return client.get_executor(pure=False)

    registry.register_parallel_backend(ParallelBackend.DASK, build)


def connect(*, project: Path | None = None) -> "Client":
    """Return the client that there is, or a new one that stays, or raise a ClusterError."""
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            "the package distributed is not installed: pip install 'mexico-homicide-its[cluster]'"
        ) from None
    try:
        client = Client.current()
    except ValueError:  # there is none
        client = Client(_reachable_address(), timeout=PATIENCE)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise ClusterError(
            f"the scheduler at {client.scheduler.address} has no workers after {PATIENCE} s; "
            "expected one or more. Start `dask worker` with its address, or wait for the queue."
        ) from None
    here = _describe_process()
    for worker, found in client.run(_look_around, project, on_error="return").items():
        if isinstance(found, OSError) and worker not in client.scheduler_info()["workers"]:
            continue  # it died while it was asked
        if problem := _find_problem(found, here, project):
            raise ClusterError(f"the worker at {worker} {problem}")
    return client


@cache
def package_hash() -> str:
    """Return one sha256 for the code and tables of this package, as first seen by this process."""
    package = Path(__file__).parents[1]
    files = (path for path in package.rglob("*") if path.suffix in SUFFIXES)
    return hash_files(files, package)


def _address() -> str | None:
    import dask.config

    return dask.config.get("scheduler-address", None)  # also DASK_SCHEDULER_ADDRESS


def _reachable_address() -> str:
    """Return the scheduler's address once something answers there: Client would be slow to tell."""
    from distributed.comm.addressing import get_address_host_port

    address = _address()
    if address is None:
        raise ClusterError(
            "jobs='dask' needs a cluster; found no client and no address. Set "
            "DASK_SCHEDULER_ADDRESS=tcp://HOST:PORT, or make a distributed.Client first."
        )
    try:
        socket.create_connection(get_address_host_port(address), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no scheduler answers at {address} ({error}); expected tcp://HOST:PORT of a running "
            "`dask scheduler`. Start it, or correct DASK_SCHEDULER_ADDRESS."
        ) from None
    return address


def _find_problem(found: Any, here: dict[str, str], project: Path | None) -> str:
    """Return why a worker, by what it `found`, cannot share the work; or nothing."""
    if isinstance(found, Exception):
        return (
            f"does not answer for this package ({found}). Start it with the Python of this "
            "environment."
        )
    there, sees_project = found
    others = [name for name in here if there[name] != here[name]]
    if others:
        differences = [f"{name} {there[name]} instead of {here[name]}" for name in others]
        return (
            f"has {', '.join(differences)}: its numbers could differ. Start the workers anew, from "
            "the same environment and copy of the project."
        )
    if not sees_project:
        return (
            f"does not see {project}; notebooks and results must lie on a file system that all "
            "machines share. Move the project there."
        )
    return ""


def _look_around(project: Path | None) -> tuple[dict[str, str], bool]:
    return _describe_process(), project is None or project.is_dir()


def _describe_process() -> dict[str, str]:
    versions = {name: version(name) for name in LIBRARIES}
    package = f"with sha256 {package_hash()[:12]}…"
    return {"Python": platform.python_version(), **versions, "this package": package}
