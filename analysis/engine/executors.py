"""Threads, processes, or a Dask cluster: where work is shared, chosen by one word and an address.

``jobs="dask"``, or ``pytask --parallel-backend dask`` for the notebooks, uses the client that there
is or connects to the scheduler at ``DASK_SCHEDULER_ADDRESS``. docs/cluster.md shows it on Slurm.
"""

import os
import platform
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

from analysis.checks import is_whole, require, shown
from analysis.files import DATA_FOLDER, hash_files, read_toml

if TYPE_CHECKING:
    from distributed import Client

Jobs = int | Literal["dask"] | None

TOLD = read_toml(DATA_FOLDER / "cluster-words.toml")[1]
PATIENCE = 10  # seconds for a scheduler to answer and a first worker to be there
AHEAD = 4  # calls for each thread of the cluster that are sent before a result is back
SUFFIXES = {".py", ".csv", ".json", ".geojson", ".toml"}
LIBRARIES = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib")  # they make the numbers


class ClusterError(RuntimeError):
    """A cluster that cannot be used; the message says why and what to do."""


def open_executor(jobs: Jobs = None, *, processes: bool = False) -> Executor:
    """Open a Dask cluster, or so many threads or processes here, by default one for each core."""
    if isinstance(jobs, str) and jobs == "dask":
        return ClusterExecutor(connect())
    whole = jobs is None or (is_whole(jobs) and jobs >= 1)
    require(whole, f"jobs must be 'dask' or a whole number from 1 up; found {shown(jobs)}")
    if processes:  # for functions that hold Python's global lock
        return ProcessPoolExecutor(jobs, get_context("spawn"), _end_with_parent)
    return ThreadPoolExecutor(jobs or os.cpu_count())


def _end_with_parent() -> None:
    """Let a worker end with the process that started it, which may be killed without a word."""
    parent: Any = parent_process()
    Thread(target=lambda: os._exit(len(wait([parent.sentinel]))), daemon=True).start()


class ClusterExecutor(Executor):
    """The executor of a Dask client, with a ``map`` that never sends all its arguments at once."""

    def __init__(self, client: "Client") -> None:
        # pure: Dask would hash every argument, to compute equal calls only once
        self._send = client.get_executor(pure=False).submit
        self._ahead = AHEAD * sum(client.nthreads().values())

    def map(  # type: ignore[override]  # without a time limit or chunks
        self, fn: Callable[..., Any], *iterables: Iterable[Any]
    ) -> Iterator[Any]:
        """Yield the results in order; the scheduler holds the arguments of few calls at a time."""
        waiting: deque[Future] = deque()
        try:
            for arguments in zip(*iterables, strict=False):
                waiting.append(self._send(fn, *arguments))
                if len(waiting) >= self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def connect(*, project: Path | None = None) -> "Client":
    """Return the client that there is, or a new one that stays, or raise a ClusterError."""
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(TOLD["no_package"]) from None
    try:
        client = Client.current()
    except ValueError:  # there is none
        client = Client(_reachable_address(), timeout=PATIENCE)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise ClusterError(TOLD["no_workers"].format(client=client, patience=PATIENCE)) from None
    for worker, found in client.run(_look_around, project, on_error="return").items():
        if isinstance(found, OSError) and worker not in client.scheduler_info()["workers"]:
            continue  # it died while it was asked
        if problem := _find_problem(found, project):
            raise ClusterError(TOLD["worker"].format(worker=worker, problem=problem))
    return client


def scheduler_address() -> str | None:
    """Return where Dask's configuration says that the scheduler is."""
    import dask.config

    return dask.config.get("scheduler-address", None)  # also DASK_SCHEDULER_ADDRESS


def _reachable_address() -> str:
    """Return the scheduler's address once something answers there: Client would be slow to tell."""
    from distributed.comm.addressing import get_address_host_port

    address = scheduler_address()
    if address is None:
        raise ClusterError(TOLD["no_address"])
    try:
        socket.create_connection(get_address_host_port(address), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ClusterError(TOLD["no_answer"].format(address=address, error=error)) from None
    return address


def _find_problem(found: Any, project: Path | None) -> str:
    """Return why a worker, by what it `found`, cannot share the work; or nothing."""
    if isinstance(found, Exception):
        return TOLD["silent"].format(found=found)
    (there, sees_project), here = found, _describe_process()
    if there != here:
        others = [f"{x} {there[x]} instead of {here[x]}" for x in here if there[x] != here[x]]
        return TOLD["differs"].format(others=", ".join(others))
    return "" if sees_project else TOLD["apart"].format(project=project)


def _look_around(project: Path | None) -> tuple[dict[str, str], bool]:
    return _describe_process(), project is None or project.is_dir()


@cache
def _describe_process() -> dict[str, str]:
    """Return versions, and the hash of this package's code and tables as first seen."""
    package = Path(__file__).parents[1]
    files = (path for path in package.rglob("*") if path.suffix in SUFFIXES)
    own = {"this package": f"with sha256 {hash_files(files, package)[:12]}…"}
    return {"Python": platform.python_version()} | {x: version(x) for x in LIBRARIES} | own
