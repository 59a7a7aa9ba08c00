"""Optimisers that are not believed: the same digits on every processor."""

import logging
import os
import subprocess
import sys
from functools import cache
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.statespace.structural import UnobservedComponents
from support.folders import REFERENCE
from support.independent import noise, segmented_design

from analysis.engine.optimise import EstimatorError, at_unit_scale, polish, quietly

FITS = """
import sys
import numpy as np, pandas as pd
import analysis

print("window,fit,term,estimate,se")
for slug, data in pd.read_csv(sys.argv[1]).groupby("window"):
    y, X = data["log_rate"].to_numpy(), data.loc[:, "const":].to_numpy()
    counts, exposure = data["deaths"], data["person_years"]
    for name in ("newey_west", "prais_winsten", "arima", "structural", "negative_binomial"):
        fit, of_counts = getattr(analysis, f"fit_{name}"), name == "negative_binomial"
        found = fit(counts, X, exposure=exposure) if of_counts else fit(y, X)
        for term, error in enumerate(np.sqrt(np.diag(found.covariance))):
            print(slug, name, term, float(found.estimate[term]), float(error), sep=",")
"""


@cache
def estimates_on(kernel):
    """Estimates of the windows as OpenBLAS computes them for one kind of processor."""
    told = {**os.environ, "OPENBLAS_CORETYPE": kernel, "OPENBLAS_VERBOSE": "2"}
    command = [sys.executable, "-c", FITS, str(REFERENCE / "windows.csv")]
    run = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
    if run.returncode < 0 or f"Core: {kernel}" not in run.stderr:
        pytest.skip(f"no OpenBLAS kernel for {kernel} here")
    assert run.returncode == 0, run.stderr
    return pd.read_csv(StringIO(run.stdout), index_col=["window", "fit", "term"])


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["SkylakeX", "Nehalem"])
def test_another_processor_gives_the_same_digits(kernel):
    ours, theirs = estimates_on("Haswell"), estimates_on(kernel)
    assert len(ours) == len(theirs) > 150
    apart = (theirs["estimate"] - ours["estimate"]).abs() / ours["se"]
    assert apart.max() < 1e-7
    np.testing.assert_allclose(theirs["se"], ours["se"], rtol=1e-7)


def test_way_back_from_unit_scale_is_least_squares():
    X = segmented_design(40, 20)
    y = X @ [1e6, -1e5, 3, 4] + 1e-3 * noise(40)
    residual, Q, back = at_unit_scale(y, X)
    assert np.mean(residual**2) == pytest.approx(1)
    np.testing.assert_allclose(Q.T @ Q / 40, np.eye(4), atol=1e-12)
    b, covariance = back(Q.T @ residual / 40, np.linalg.inv(Q.T @ Q))
    np.testing.assert_allclose(b, np.linalg.lstsq(X, y, rcond=None)[0], rtol=1e-9)
    rss = ((y - X @ b) ** 2).sum()
    np.testing.assert_allclose(covariance, rss / 40 * np.linalg.inv(X.T @ X), rtol=1e-6)


def test_outcome_that_the_design_fits_has_no_unit_scale():
    with pytest.raises(EstimatorError, match="without any residual variation"):
        at_unit_scale(np.arange(40.0), segmented_design(40, 20))


@pytest.mark.parametrize(("walk", "edge"), [(0.5, False), (0.0, True)])
def test_polished_optimum_is_level_and_an_edge_is_kept(walk, edge):
    rng = np.random.default_rng(3)
    y = rng.standard_normal(80) + np.cumsum(walk * rng.standard_normal(80))
    model = UnobservedComponents(y, level="llevel")
    rough = model.filter([0.9, 0.15 if walk else 1e-4])
    fine = polish(model, rough)
    assert fine.llf >= rough.llf
    assert (fine.params >= 0).all()
    slope = model.score(fine.params)
    assert abs(slope[0]) < 1e-5
    assert fine.params[1] < 1e-8 and slope[1] < 0 if edge else abs(slope[1]) < 1e-5


def test_logging_is_left_as_it_was():
    before = logging.root.level, [*logging.root.handlers]

    def set_up():  # as pyfixest does when it is imported
        logging.root.addHandler(logging.StreamHandler())
        logging.root.setLevel(logging.INFO)
        return 1

    assert quietly(set_up) == 1
    assert (logging.root.level, logging.root.handlers) == before
