"""What every test has: one thread of linear algebra, no figure left open, few random examples."""

import gc
import os

# Before numpy is loaded: with more threads, parallel tests wait for each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import sys  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# nbformat's validator would load a grammar of international addresses, which takes seconds in every
# process and of which no test asks anything; without it jsonschema does not check their form.
sys.modules["rfc3987_syntax"] = None

# Tests of any input there is try some examples among the fast tests, and many among the slow ones.
settings.register_profile("fast", derandomize=True, deadline=None, max_examples=8)
settings.register_profile("slow", derandomize=True, deadline=None, max_examples=100)


# What takes minutes begins first: begun last, it would run alone while the other cores wait.
LONGEST = ("project/test_whole_run", "browser/test_site", "project/test_interrupted")
LONGEST += ("report/test_exploring", "browser/test_hostile_text", "browser/test_docs")
LONGEST += ("robustness/test_specifications", "synthetic/test_placebos", "browser/test_jupyterlab")
LONGEST += ("project/test_hostile", "operations/test_randomisation")
LONGEST = {f"tests/{name}.py": place for place, name in enumerate(LONGEST)}


def pytest_configure(config):
    settings.load_profile("fast" if config.getoption("markexpr") == "not slow" else "slow")


gc.disable()  # while modules and tests are collected: nearly all of it stays to the end


def pytest_collection_finish():
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # at the default 700 it took a hundredth of the time
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # before those without the mark are left out
def pytest_collection_modifyitems(config, items):
    if config.getoption("markexpr") == "slow":
        for item in items:
            if getattr(item.obj, "is_hypothesis_test", False):
                item.add_marker("slow")
    items.sort(key=lambda item: LONGEST.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def ax():
    from matplotlib.pyplot import figure

    return figure().add_subplot()
