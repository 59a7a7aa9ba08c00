"""What every test has: one thread of linear algebra, and no figure left open."""

import os

# Before numpy is loaded: with more threads, parallel tests wait for each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import sys  # noqa: E402

import pytest  # noqa: E402

# nbformat's validator would load a grammar of international addresses, which takes seconds in every
# process and of which no test asks anything; without it jsonschema does not check their form.
sys.modules["rfc3987_syntax"] = None


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def ax():
    from matplotlib.pyplot import figure

    return figure().add_subplot()
