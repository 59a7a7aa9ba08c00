"""Dense algebra of ARMA(1,1) errors reproduces what R's nlme computed (`gls_arma.R`)."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import toeplitz
from support.folders import REFERENCE
from support.sweeps import sweep

DESIGN = ["const", "trend", "level", "slope", "sin1", "cos1", "sin2", "cos2"]
R = pd.read_csv(REFERENCE / "gls_arma_expected.csv", comment="#", keep_default_na=False)
EDGE = {"calderon-2006-12/estimated", "calderon-2006-12/estimated_equal"}  # phi of 0.999999
CASES = [case for case in R["case"].unique() if case not in EDGE]
R = R.set_index(["case", "statistic", "term"])["value"].sort_index()


def correlation(phi, theta, n):
    """Of u_t = phi u_{t-1} + e_t - theta e_{t-1}, up to lag n - 1, as a matrix."""
    first = (1 - phi * theta) * (phi - theta) / (1 + theta**2 - 2 * phi * theta)
    return toeplitz(np.append(1.0, first * phi ** np.arange(n - 1)))


def dense_gls(case):
    """Coefficients, errors, sigma and restricted log-likelihood at R's phi, theta and ratio."""
    r, windows = R[case], pd.read_csv(REFERENCE / "windows.csv")
    data = windows[windows["window"] == case.split("/")[0]]
    y, X = data["log_rate"].to_numpy(), data[DESIGN].to_numpy()
    spread = np.where(data["level"] == 1, r.get(("sd_ratio", ""), 1.0), 1.0)  # of errors, as in R
    S = correlation(r["phi1", ""], -r["theta1", ""], len(y)) * np.outer(spread, spread)
    half = np.linalg.cholesky(S)
    c, A = np.linalg.solve(half, y), np.linalg.solve(half, X)
    b = np.linalg.lstsq(A, c, rcond=None)[0]
    df, information = len(y) - X.shape[1], A.T @ A
    rss = ((c - A @ b) ** 2).sum()
    determinants = 2 * np.log(np.diag(half)).sum() + np.linalg.slogdet(information)[1]
    loglik = -(df * (np.log(2 * np.pi * rss / df) + 1) + determinants) / 2
    sigma = np.sqrt(rss / df)
    return b, sigma * np.sqrt(np.diag(np.linalg.inv(information))), sigma, loglik


@pytest.mark.parametrize("case", sweep(CASES, *range(0, 32, 5)))
def test_dense_algebra_reproduces_nlme(case):
    r = R[case]
    b, errors, sigma, loglik = dense_gls(case)
    np.testing.assert_allclose(b, r["estimate"][DESIGN], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(errors, r["se"][DESIGN], rtol=1e-6)
    assert sigma == pytest.approx(r["sigma", ""], rel=1e-6)
    assert loglik == pytest.approx(r["loglik", ""], abs=1e-6)


@pytest.mark.parametrize("case", sorted(EDGE))
def test_dense_algebra_reproduces_nlme_next_to_a_unit_root(case):
    b, _, _, loglik = dense_gls(case)
    np.testing.assert_allclose(b[1:], R[case]["estimate"][DESIGN[1:]], rtol=1e-4, atol=1e-6)
    assert loglik == pytest.approx(R[case]["loglik", ""], abs=1e-4)


def test_parameters_that_nlme_estimated_are_at_the_top():
    """Of all that are recorded for a window, none has a higher restricted likelihood."""
    top = R.xs("loglik", level="statistic").droplevel("term")
    for slug in ("calderon-2006-12", "sheinbaum-2024-10"):
        of_window = top[top.index.str.startswith(slug)]
        assert len(of_window) == 17
        assert of_window.idxmax() == f"{slug}/estimated"
        equal = of_window[of_window.index.str.endswith(("_1", "equal"))]
        assert equal.idxmax() == f"{slug}/estimated_equal"
