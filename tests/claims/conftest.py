import pytest
from support.measured_claims import DECLARED, EVIDENCE

from analysis.claims.counts import measure_claims


@pytest.fixture(scope="session")
def found():
    return measure_claims(DECLARED, EVIDENCE)
