"""A scheduler and workers of Dask on the loopback address, each a process of its own."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import dask.config
import psutil
from support.folders import ROOT

LOOPBACK = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, []
        self.contact = folder / "scheduler.json"
        contact = ["--scheduler-file", str(self.contact)]
        self._start("dask_scheduler", ROOT, *contact, "--port", "0", "--idle-timeout", "600")
        self.address = self._read_address()

    def _read_address(self) -> str:
        """The address, once the scheduler has written the whole of its file."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(FileNotFoundError, json.JSONDecodeError):
                return json.loads(self.contact.read_text("utf-8"))["address"]
            time.sleep(0.05)
        for process in self.started:
            stop_with_children(process)
        raise AssertionError([f.read_text("utf-8") for f in self.folder.glob("*.log")])

    def add_worker(self, project: Path = ROOT) -> psutil.Process:
        own = ["--local-directory", str(self.folder), "--nthreads", "1", "--memory-limit", "0"]
        return self._start("dask_worker", project, self.address, *own)

    def _start(self, command: str, project: Path, *options: str) -> psutil.Process:
        line = [sys.executable, "-m", f"distributed.cli.{command}", *LOOPBACK, *options]
        own = {"env": os.environ | {"PYTHONPATH": str(project)}, "start_new_session": True}
        with (self.folder / f"{command}-{len(self.started)}.log").open("wb") as log:
            process = subprocess.Popen(line, cwd=project, stdout=log, stderr=log, **own)
        self.started.append(process)
        return psutil.Process(process.pid)


def descendants(process: subprocess.Popen | psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
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
    from distributed import Client  # it takes a second, which only these tests need

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
        for process in reversed(cluster.started):
            stop_with_children(process)
