"""What a whole run asks of pytask: one run at a time, an end that is told, nothing left behind.

pytask-parallel takes an interruption for the end of all tasks, and pytask says "Succeeded".
"""

import atexit
import gc
import os
import signal
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

from pytask import ExecutionError, Session, console, hookimpl
from pytask_parallel import ParallelBackend
from pytask_parallel.execute import _Sleeper

RESULTS = Path(__file__).parents[1] / "results"
INTERRUPTED: list[str] = []  # the signals that came
try:
    TERMINAL = os.dup(2)  # pytask captures what is written to the usual places
except OSError:  # it is closed
    TERMINAL = os.open(os.devnull, os.O_WRONLY)


def interrupt(number: int, _: FrameType | None) -> None:
    """Have all processes killed, also those that are about to start, and leave pytask's loop."""
    INTERRUPTED.append(signal.Signals(number).name)
    Thread(target=kill_children, daemon=True).start()
    raise KeyboardInterrupt


def kill_children() -> None:
    """Kill the kernels, with all that they started, and Sphinx, until this process ends."""
    while True:
        names = "Popen", "Forked"  # without importing the one
        for process in [each for each in gc.get_objects() if type(each).__name__ in names]:
            with suppress(ProcessLookupError):
                if process.poll() is None and os.getpgid(process.pid) == process.pid:
                    os.killpg(process.pid, signal.SIGKILL)
                process.kill()
        time.sleep(0.2)


def tell_interruption() -> None:
    """Say it last, wherever the signal came."""
    if INTERRUPTED:
        told = f"The run was interrupted by {INTERRUPTED[0]}. What was done is kept: "
        os.write(TERMINAL, f"\n{told}the next run goes on from there.\n".encode())


# jsonschema would have a grammar built, two seconds, for a format that no notebook has
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# pytask-parallel looks for tasks that have ended once in up to a second, and takes that second for
# each that only waits for another. It has no setting for it: now it looks every hundredth.
_Sleeper.increment = _Sleeper.reset  # type: ignore[method-assign]

# Before the package is imported, which takes a second.
if os.name == "posix":
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    atexit.register(tell_interruption)


def only_asks(config: dict[str, Any]) -> bool:
    """Return whether nothing is to be executed."""
    return config["command"] != "build" or config["dry_run"] or config["explain"]


@hookimpl
def pytask_post_parse(config: dict[str, Any]) -> None:
    """Ask one task after the other where nothing is executed: pytask-parallel would execute it."""
    if config["explain"]:
        config["parallel_backend"] = ParallelBackend.NONE
    if not only_asks(config) and not console.is_terminal:
        config["verbose"] = min(config["verbose"], 0)  # no table after the lines


@hookimpl(tryfirst=True)
def pytask_collect(session: Session) -> None:
    """Let what kernels are forked from load while tasks are collected."""
    from notebooks.kernels import FORKS, WARM

    if FORKS and not only_asks(session.config):
        with suppress(OSError):  # kernels are then tried again, and started cold
            WARM.start()


@hookimpl(wrapper=True, tryfirst=True)
def pytask_execute_build(session: Session) -> Generator[None, Any, Any]:
    """Run the tasks, as the only run in the folder of the results."""
    from notebooks.execution import NotebookError, hold
    from notebooks.leftovers import remove_leftovers

    if only_asks(session.config):
        return (yield)
    done = None
    try:
        with hold(RESULTS / ".running", "The analysis"):
            remove_leftovers(RESULTS)
            if not INTERRUPTED:  # where an interruption was swallowed before
                done = yield
    except (NotebookError, OSError) as error:
        console.print(f"The run stopped: {error}")
        raise ExecutionError from None
    if INTERRUPTED:
        raise ExecutionError
    return done
