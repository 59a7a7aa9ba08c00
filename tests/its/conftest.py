"""The fit that several files look at."""

import pytest
from support.declared import SHIFTS

from analysis import fit_its, load_series


@pytest.fixture(scope="session")
def result():
    return fit_its(load_series("inegi"), SHIFTS["calderon-2006-12"])
