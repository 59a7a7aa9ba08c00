import numpy as np

from analysis.engine.dates import LOWEST, _add


def test_sums_of_exponentials_are_those_of_logaddexp_however_far_apart():
    found = np.array([[-9e3, 0.0, -np.inf], [-8e3, 9e3, -np.inf], [-8e3, -9e3, 5.0]])
    top, total = np.full(3, LOWEST), np.zeros(3)
    for each in found:
        _add(top, total, each)
    expected = np.logaddexp.reduce(found, axis=0)
    np.testing.assert_allclose(top + np.log(total), expected, rtol=1e-14)
