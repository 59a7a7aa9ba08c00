"""The fit that several files look at."""

import pytest

from analysis import fit_its, load_policy_shifts, load_series


@pytest.fixture(scope="session")
def result():
    return fit_its(load_series("inegi"), load_policy_shifts()["calderon-2006-12"])
