"""The process that kernels are forked from, with the package and what notebooks draw with loaded.

``python -m notebooks.warm`` reads a line for each kernel and answers with its process number.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from select import select

MODULES = (  # with those that the packages import where they use them
    "babel.dates",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "jinja2",
    "linearmodels.panel",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
    "scipy.interpolate",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.signal",
    "scipy.special",
    "statsmodels.discrete.discrete_model",
    "statsmodels.regression.linear_model",
    "statsmodels.tools.numdiff",
    "statsmodels.tsa.arima_process",
    "statsmodels.tsa.exponential_smoothing.ets",
    "statsmodels.tsa.statespace.sarimax",
    "statsmodels.tsa.statespace.structural",
    "statsmodels.tsa.statespace.tools",
)
PACKAGES = ("analysis", "mexico_report", "IPython.core.magics")


def load() -> dict[str, str]:
    """Import what kernels need; return what this adds to the environment."""
    before = {*os.environ}
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as ipykernel
    for name in MODULES:
        importlib.import_module(name)
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    # where pandas is imported outside a kernel, tables are as wide as the terminal
    importlib.import_module("pandas").set_option("display.max_columns", 20)
    return {name: value for name, value in os.environ.items() if name not in before}


def read_embedded() -> Iterator[Callable[[], object]]:
    """Yield what reads each part of the data that nearly all kernels read."""
    package, language = map(importlib.import_module, ("analysis", "analysis.language"))

    def read_shifts(code: str) -> None:
        with language.speaking(code):
            package.load_policy_shifts()

    yield from (partial(read_shifts, code) for code in ("en", "es"))
    for read in (package.load_series, package.load_states):
        yield from (partial(read, source) for source in ("inegi", "sesnsp"))


def serve(
    arguments: list[str], folder: str, environment: dict[str, str], loaded: dict[str, str]
) -> None:
    """Be a kernel, as ``python -m ipykernel_launcher`` is."""
    from ipykernel.kernelapp import IPKernelApp
    from numpy import random

    random.seed()  # noqa: NPY002 (not the state of the process that it is forked from)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(loaded | environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.path.pop(0)  # the project's folder
    sys.argv[1:] = arguments
    # it ends with the warm process, and that with the one which runs the notebooks
    IPKernelApp.launch_instance([*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


def fork_kernels(loaded: dict[str, str], ahead: Iterable[Callable[[], object]] = ()) -> None:
    """Fork a kernel for each line that is asked; do what is `ahead` while none is."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a dead kernel is gone at once
    gc.freeze()  # to look at what is loaded would copy it into each kernel
    waiting = iter(ahead)
    while True:
        while not select([sys.stdin], [], [], 0)[0] and (read := next(waiting, None)):
            read()
            gc.freeze()
        if not (line := sys.stdin.buffer.readline()):
            break
        kernel = os.fork()
        if not kernel:
            serve(**json.loads(line), loaded=loaded)
            break
        print(kernel, flush=True)


if __name__ == "__main__":
    fork_kernels(load(), read_embedded())
