"""Kernels forked from one warm process, which has imported what they need; cold ones elsewhere."""

import atexit
import json
import os
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Instance

PROJECT = Path(__file__).parents[1]
FORKS = sys.platform == "linux"  # elsewhere a fork is unsafe once such libraries are loaded
COMMAND = [sys.executable, "-Xfrozen_modules=off", "-m", "notebooks.warm"]  # debugpy asks for it
# A kernel inherits these. One thread each: several run at once, and sums add up in one order.
INHERITED = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
INHERITED["PYTHONHASHSEED"] = "0"
# Dask has what a worker starts return freed memory at once: kernels took 1.7 times as long
INHERITED |= {"MALLOC_TRIM_THRESHOLD_": "134217728", "MALLOC_MMAP_THRESHOLD_": "33554432"}
LAUNCHER = "ipykernel_launcher"  # what follows it in a command are the kernel's own arguments


class Forked:
    """A kernel that the warm process forked, with what jupyter_client asks of a process."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """Return None while it lives."""
        with suppress(ProcessLookupError):  # the warm process lets no dead one stay
            os.kill(self.pid, 0)
            return None
        return 1

    wait = poll  # jupyter_client waits by asking

    def send_signal(self, number: int) -> None:
        """Send a signal to it alone."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Warm:
    """The process that kernels are forked from, ended with this one."""

    process: subprocess.Popen | None = None
    lock = Lock()  # notebooks run in threads

    def fork(self, **asked: Any) -> Forked:
        """Fork a kernel with its arguments, folder and environment."""
        with self.lock:
            process = self.start()
            if process.stdin is not None and process.stdout is not None:
                process.stdin.write(f"{json.dumps(asked)}\n".encode())
                process.stdin.flush()
                if told := process.stdout.readline():
                    return Forked(int(told))
        raise ChildProcessError("the warm process has died")

    def start(self) -> subprocess.Popen:
        """Return it, started where it does not live."""
        if self.process is None or self.process.poll() is not None:
            self.end()
            options: dict[str, Any] = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
            options["env"] = os.environ | INHERITED  # read when libraries load, not after a fork
            self.process = subprocess.Popen(COMMAND, cwd=PROJECT, process_group=0, **options)
        return self.process

    def end(self) -> None:
        """End it; a kernel that still lives follows within a second."""
        if self.process is not None:
            self.process.kill()
            with suppress(BrokenPipeError):
                self.process.communicate()


WARM = Warm()
atexit.register(WARM.end)


class Provisioner(LocalProvisioner):
    """Starts a kernel by a fork, and where that fails as jupyter_client does."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel of a command."""
        folder = str(kwargs.get("cwd") or Path.cwd())
        asked = {"arguments": cmd[cmd.index(LAUNCHER) + 1 :], "folder": folder}
        try:
            self.process = WARM.fork(**asked, environment=kwargs["env"])
        except OSError:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = Path(folder)
        return self.connection_info


class Kernel(AsyncKernelManager):
    """A kernel of this very Python, whatever JUPYTER_PATH offers."""

    kernel_spec_manager = Instance(KernelSpecManager, kw={"kernel_dirs": []})

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None and FORKS:
            self.kernel_id = self.kernel_id or str(uuid.uuid4())
            own = {"kernel_id": self.kernel_id, "kernel_spec": self.kernel_spec}
            self.provisioner = Provisioner(**own, parent=self)
        return await super()._async_pre_start_kernel(**kw)
