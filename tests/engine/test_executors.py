"""A real scheduler and workers on the loopback address: the same bytes, and refusals that help."""

import json
import operator
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import dask.config
import numpy as np
import psutil
import pytest
from distributed import Client
from pytask_parallel import ParallelBackend, registry
from support.folders import ROOT
from support.whole_run import copy_project, start_pytask

from analysis import fit_many
from analysis.engine import executors
from analysis.engine.executors import (
    ClusterError,
    ClusterExecutor,
    connect,
    open_executor,
    package_hash,
    register_cluster,
)

LOOPBACK = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]


class Cluster:
    """A scheduler and its workers, each a process of its own; `stop` leaves none of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, []
        self.contact = folder / "scheduler.json"
        contact = ["--scheduler-file", str(self.contact)]
        self._start("dask_scheduler", ROOT, *contact, "--port", "0", "--idle-timeout", "600")
        self._wait(self.contact.is_file)
        self.address = json.loads(self.contact.read_text("utf-8"))["address"]

    def add_worker(self, project: Path = ROOT) -> psutil.Process:
        own = ["--local-directory", str(self.folder), "--nthreads", "1", "--memory-limit", "0"]
        return self._start("dask_worker", project, self.address, *own)

    def _start(self, command: str, project: Path, *options: str) -> psutil.Process:
        with (self.folder / f"{command}-{len(self.started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{command}", *LOOPBACK, *options],
                cwd=project,
                env=os.environ | {"PYTHONPATH": str(project)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return psutil.Process(process.pid)

    def _wait(self, there) -> None:
        until = time.monotonic() + 60
        while not there():
            assert time.monotonic() < until, [
                log.read_text("utf-8") for log in self.folder.glob("*.log")
            ]
            time.sleep(0.05)

    def stop(self) -> None:
        for process in reversed(self.started):
            stop_with_children(process)


def descendants(process: subprocess.Popen | psutil.Process) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def stop_with_children(process: subprocess.Popen) -> None:
    family = descendants(process)
    process.kill()
    process.wait()
    for child in family:
        if child.is_running():
            child.kill()
    assert psutil.wait_procs(family, timeout=10)[1] == []


def close_client() -> None:
    with suppress(ValueError):  # there is none
        Client.current().close()


@contextmanager
def running_cluster(folder: Path):
    cluster = Cluster(folder)
    try:
        with dask.config.set({"scheduler-address": cluster.address}):
            yield cluster
    finally:
        close_client()
        cluster.stop()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.add_worker()
        yield cluster.address


@pytest.fixture
def no_client():
    close_client()
    with dask.config.set({"scheduler-address": None}):
        yield
    close_client()


def simulated(count, periods=60):
    y = np.random.default_rng(3).standard_normal((periods, count)).cumsum(axis=0)
    time = np.arange(periods)
    return y, np.column_stack([np.ones(periods), time, time >= 30]), np.eye(3)[[1, 2]]


def test_results_come_in_the_order_of_the_arguments(address):
    several = range(3 * executors.AHEAD)
    with open_executor("dask") as executor:
        assert list(executor.map(operator.pow, several, [2] * 100)) == [i**2 for i in several]
        assert executor.submit(divmod, 7, 2).result() == (3, 1)


def test_an_error_on_a_worker_is_raised_here(address):
    with (
        open_executor("dask") as executor,
        pytest.raises(ZeroDivisionError, match="division by zero"),
    ):
        list(executor.map(operator.truediv, range(9), [1, 1, 0, *[1] * 6]))


def test_client_stays_and_is_used_again(address):
    first = connect()
    assert connect() is first


def test_many_series_have_the_same_bytes_on_the_cluster(address):
    y, X, C = simulated(4_500)
    here, there = fit_many(y, X, C, jobs=1), fit_many(y, X, C, jobs="dask")
    for name in ("estimate", "low", "high", "p"):
        assert getattr(here, name).tobytes() == getattr(there, name).tobytes(), name


def test_many_designs_have_the_same_bytes_on_the_cluster(address):
    y = simulated(1)[0]
    step = np.arange(60) >= np.arange(1, 60).repeat(5)[:, None]
    designs = np.stack([np.ones_like(step), step], axis=2).astype(float)  # (295, 60, 2)
    here, there = (fit_many(y, designs, np.eye(2), jobs=jobs) for jobs in (1, "dask"))
    assert here.low.tobytes() == there.low.tobytes()


def test_worker_that_does_not_see_the_project_is_named(address, tmp_path):
    nowhere = tmp_path / "elsewhere"
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:\d+ does not see .*elsewhere; .*Move"):
        connect(project=nowhere)


def test_worker_with_another_library_is_named(address, monkeypatch):
    here = executors._describe_process()
    monkeypatch.setattr(executors, "_describe_process", lambda: here | {"numpy": "0.1"})
    expected = rf"tcp://127.0.0.1:\d+ has numpy {np.__version__} instead of 0.1: its numbers could"
    with pytest.raises(ClusterError, match=expected):
        open_executor("dask")


@pytest.mark.usefixtures("no_client")
def test_cluster_without_an_address_says_how_to_give_one():
    message = "found no client and no address. Set DASK_SCHEDULER_ADDRESS=tcp://HOST:PORT"
    with pytest.raises(ClusterError, match=message):
        open_executor("dask")


@pytest.mark.usefixtures("no_client")
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("tcp://127.0.0.1:9", "Connection refused"),
        ("127.0.0.1", "missing port number in address '127.0.0.1'"),
        ("http://127.0.0.1:8786", "unknown address scheme 'http'"),
    ],
)
def test_address_where_nobody_answers_is_refused_at_once(place, reason):
    start = time.monotonic()
    with (
        dask.config.set({"scheduler-address": place}),
        pytest.raises(ClusterError, match=rf"no scheduler answers at {place} \(.*{reason}.*expect"),
    ):
        connect()
    assert time.monotonic() - start < 5


class FakeClient:
    """One thread of this process, in the place of a cluster."""

    def __init__(self, threads=1):
        self.threads = threads

    def get_executor(self, *, pure):
        assert not pure
        return ThreadPoolExecutor(1)

    def nthreads(self):
        return {"here": self.threads}


def test_arguments_are_not_sent_all_at_once():
    drawn = []
    many = (drawn.append(i) or i for i in range(100))
    with ClusterExecutor(FakeClient()) as executor:
        results = executor.map(abs, many)
        for back in range(5):
            assert next(results) == back
            assert len(drawn) == back + executors.AHEAD
        results.close()


def test_pytask_uses_the_cluster_where_there_is_an_address(monkeypatch):
    backends = registry.registry
    monkeypatch.setitem(backends, ParallelBackend.DASK, SimpleNamespace(builder=local_builder))
    register_cluster(ROOT)
    seen = []
    monkeypatch.setattr(executors, "connect", lambda project: seen.append(project) or FakeClient(8))
    with dask.config.set({"scheduler-address": None}):
        assert registry.get_parallel_backend(ParallelBackend.DASK, 3) == "3 of this machine"
    with dask.config.set({"scheduler-address": "tcp://there:8786"}):
        with pytest.warns(UserWarning, match=r"8 threads, but only 2 .* at a time: add -n 8"):
            registry.get_parallel_backend(ParallelBackend.DASK, 2).shutdown()
        registry.get_parallel_backend(ParallelBackend.DASK, 8).shutdown()
    assert seen == [ROOT, ROOT]


def local_builder(n_workers):
    return f"{n_workers} of this machine"


def test_threads_and_processes_of_this_machine_need_no_cluster():
    for options in ({}, {"jobs": 1}, {"jobs": 2, "processes": True}):
        with open_executor(**options) as executor:
            assert list(executor.map(abs, [-3, 2, -1])) == [3, 2, 1]


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "slurm"])
def test_jobs_are_a_number_or_dask(jobs):
    with pytest.raises(ValueError, match=f"found {jobs!r}. For a cluster it is 'dask'"):
        open_executor(jobs)


def copy_package(folder: Path, change: str) -> Path:
    shutil.copytree(ROOT / "analysis", folder / "analysis")
    with (folder / "analysis/__init__.py").open("a", encoding="utf-8") as stream:
        stream.write(change)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "# another version\n",
            rf"this package with sha256 (?!{package_hash()[:12]})\w+… instead of with sha256 "
            rf"{package_hash()[:12]}….*Start the workers anew",
        ),
        (
            "raise ModuleNotFoundError('planted')\n",
            r"does not answer for this package \(ModuleNotFoundError.*\)\. Start it with",
        ),
    ],
)
def test_worker_with_another_package_is_named(tmp_path, change, message):
    close_client()
    with running_cluster(tmp_path) as running:
        running.add_worker(copy_package(tmp_path, change))
        with pytest.raises(ClusterError, match=message):
            connect()


@pytest.mark.slow
def test_scheduler_without_workers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 2)
    close_client()
    with running_cluster(tmp_path), pytest.raises(ClusterError, match="has no workers after 2 s"):
        connect()


RUNS = "03-policy-shift and (calderon or merida or pena or covid or sheinbaum)"


def made(folder: Path) -> dict[str, bytes]:
    results = folder / "results"
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in results.rglob("*")
        if path.is_file() and path.relative_to(results).parts[0] != "notebooks"
    }


def finish(process: subprocess.Popen) -> None:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output


@pytest.mark.slow
def test_notebooks_end_with_the_same_bytes_though_a_worker_is_killed(tmp_path, monkeypatch):
    local, shared = (copy_project(tmp_path / name) for name in ("local", "shared"))
    finish(start_pytask(local, "-k", RUNS))
    (tmp_path / "cluster").mkdir()
    with running_cluster(tmp_path / "cluster") as running:
        workers = [running.add_worker(shared) for _ in range(2)]
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", running.address)
        process = start_pytask(shared, "--parallel-backend", "dask", "-k", RUNS)
        try:
            killed, orphans = kill_while_it_works(workers, shared, process)
            finish(process)
        finally:
            stop_with_children(process)
    assert len(list((local / "results/shifts").glob("*.csv"))) == 6
    assert made(shared) == made(local)
    assert not killed.is_running()
    assert psutil.wait_procs(orphans, timeout=10)[1] == []  # kernels notice that their parent died
    assert list((shared / "results").rglob(".*")) == []


def is_kernel(process: psutil.Process) -> bool:
    try:
        return "ipykernel_launcher" in process.cmdline()
    except psutil.Error:  # it ended meanwhile
        return False


def kill_while_it_works(
    workers: list[psutil.Process], folder: Path, process: subprocess.Popen
) -> tuple[psutil.Process, list[psutil.Process]]:
    """Kill a worker and its nanny once there are results and it runs a kernel, whom that orphans.

    Both are told by SIGKILL, at once, as when a machine or a queue takes the job away.
    """
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0]
        results = list((folder / "results/shifts").glob("*.csv"))
        for worker in workers:
            kernels = [child for child in descendants(worker) if is_kernel(child)]
            if kernels and len(results) >= 2:
                os.killpg(worker.pid, signal.SIGKILL)
                return worker, kernels
        time.sleep(0.1)
    raise AssertionError("no worker was ever seen at work")
