"""Sweeps of which some cases stand for all among the fast tests; the slow ones ask for the rest."""

import pytest


def sweep(cases, *fast):
    """Mark as slow every case of a parametrised test but those at the positions `fast`."""
    each = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [
        pytest.param(*case, marks=[] if place in fast else [pytest.mark.slow])
        for place, case in enumerate(each)
    ]
