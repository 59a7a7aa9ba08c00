"""A real scheduler and workers on the loopback address: the same bytes, and refusals that help."""

import operator
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import dask.config
import numpy as np
import pytest
from support.cluster import close_client, running_cluster
from support.folders import ROOT

from analysis import fit_many
from analysis.engine import executors
from analysis.engine.executors import ClusterError, connect, open_executor

REASONS = {
    "tcp://127.0.0.1:9": "Connection refused",
    "127.0.0.1": "missing port number in address '127.0.0.1'",
    "http://127.0.0.1:8786": "unknown address scheme 'http'",
}


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


@pytest.mark.slow
def test_results_come_in_the_order_of_the_arguments(address):
    several = range(3 * executors.AHEAD)
    with open_executor("dask") as executor:
        assert list(executor.map(operator.pow, several, [2] * 100)) == [i**2 for i in several]


@pytest.mark.slow
def test_an_error_on_a_worker_is_raised_here(address):
    with open_executor("dask") as pool, pytest.raises(ZeroDivisionError, match="division by zero"):
        list(pool.map(operator.truediv, range(9), [1, 1, 0, *[1] * 6]))


@pytest.mark.slow
def test_client_stays_and_is_used_again(address):
    first = connect()
    assert connect() is first


@pytest.mark.slow
@pytest.mark.parametrize(("many", "count"), [("series", 4_500), ("designs", 1)])
def test_many_fits_have_the_same_bytes_on_the_cluster(address, many, count):
    y = np.random.default_rng(3).standard_normal((60, count)).cumsum(axis=0)
    time = np.arange(60)
    X, C = np.column_stack([np.ones(60), time, time >= 30]), np.eye(3)[[1, 2]]
    if many == "designs":
        step = time >= np.arange(1, 60).repeat(5)[:, None]
        X, C = np.stack([np.ones_like(step), step], axis=2).astype(float), np.eye(2)  # 295 of them
    here, there = (fit_many(y, X, C, jobs=jobs) for jobs in (1, "dask"))
    for name in ("estimate", "low", "high", "p"):
        assert getattr(here, name).tobytes() == getattr(there, name).tobytes(), name


@pytest.mark.slow
def test_worker_that_does_not_see_the_project_is_named(address, tmp_path):
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:\d+ does not see .*elsewhere; .*Move"):
        connect(project=tmp_path / "elsewhere")


@pytest.mark.slow
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
@pytest.mark.parametrize("place", REASONS)
def test_address_where_nobody_answers_is_refused_at_once(place):
    start = time.monotonic()
    message = rf"no scheduler answers at {place} \(.*{REASONS[place]}.*expect"
    with dask.config.set({"scheduler-address": place}), pytest.raises(ClusterError, match=message):
        connect()
    assert time.monotonic() - start < 5


class FakeClient(SimpleNamespace):
    """One thread of this process, in the place of a cluster."""

    def get_executor(self, *, pure):
        assert not pure
        return ThreadPoolExecutor(1)


def test_arguments_are_not_sent_all_at_once():
    drawn = []
    many = (drawn.append(i) or i for i in range(100))
    with executors.ClusterExecutor(FakeClient(nthreads=lambda: {"here": 1})) as executor:
        results = executor.map(abs, many)
        for back in range(5):
            assert next(results) == back
            assert len(drawn) == back + executors.AHEAD
        results.close()


@pytest.mark.slow
def test_pytask_uses_the_cluster_where_there_is_an_address(monkeypatch):
    from pytask_parallel import ParallelBackend, registry

    from notebooks import task_notebooks

    local = SimpleNamespace(builder=lambda n_workers: f"{n_workers} of this machine")
    monkeypatch.setitem(registry.registry, ParallelBackend.DASK, local)
    task_notebooks.register_cluster()
    seen, client = [], FakeClient(nthreads=lambda: {"here": 8})
    monkeypatch.setattr(task_notebooks, "connect", lambda project: seen.append(project) or client)
    with dask.config.set({"scheduler-address": None}):
        assert registry.get_parallel_backend(ParallelBackend.DASK, 3) == "3 of this machine"
    with dask.config.set({"scheduler-address": "tcp://there:8786"}):
        with pytest.warns(UserWarning, match=r"8 threads, but only 2 .* at a time: add -n 8"):
            registry.get_parallel_backend(ParallelBackend.DASK, 2).shutdown()
        registry.get_parallel_backend(ParallelBackend.DASK, 8).shutdown()
    assert seen == [ROOT, ROOT]


@pytest.mark.parametrize(
    "options",
    [{}, {"jobs": 1}, pytest.param({"jobs": 2, "processes": True}, marks=pytest.mark.slow)],
)
def test_threads_and_processes_of_this_machine_need_no_cluster(options):
    with open_executor(**options) as executor:
        assert list(executor.map(abs, [-3, 2, -1])) == [3, 2, 1]


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "slurm"])
def test_jobs_are_a_number_or_dask(jobs):
    with pytest.raises(ValueError, match=f"'dask' or a whole number from 1 up; found {jobs!r}"):
        open_executor(jobs)


CHANGES = {
    "# another version": r"this package (?!OWN)with sha256 \w+… instead of OWN: its numbers"
    ".*Start the workers anew",
    "raise ModuleNotFoundError('planted')": r"does not answer for this package "
    r"\(ModuleNotFoundError.*\)\. Start it in",
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_worker_with_another_package_is_named(tmp_path, change):
    shutil.copytree(ROOT / "analysis", tmp_path / "analysis")
    with (tmp_path / "analysis/__init__.py").open("a", encoding="utf-8") as stream:
        stream.write(f"{change}\n")
    close_client()
    with running_cluster(tmp_path) as running:
        running.add_worker(tmp_path)
        own = executors._describe_process()["this package"]
        with pytest.raises(ClusterError, match=CHANGES[change].replace("OWN", own)):
            connect()


@pytest.mark.slow
def test_scheduler_without_workers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 2)
    close_client()
    with running_cluster(tmp_path), pytest.raises(ClusterError, match="has no workers after 2 s"):
        connect()
