"""What R prints, from tests/reference: made by `make reference`, read here without R."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tsa.statespace.sarimax import SARIMAX
from support.folders import REFERENCE
from support.solved import solve_at
from support.sweeps import sweep

from analysis import PolicyShift
from analysis.engine.estimators import fit_negative_binomial, fit_newey_west, fit_quasi_poisson
from analysis.engine.law import RHO_RANGE
from analysis.engine.reml import restricted_log_likelihood
from analysis.engine.state_space import fit_arima
from analysis.its.design import build_design

WAVES = ["sin1", "cos1", "sin2", "cos2"]
DESIGN = ["const", "trend", "level", "slope", *WAVES]
SHIFTS = {
    "calderon-2006-12": ("2000-01", "2006-12", "2012-11"),
    "pena-nieto-2012-12": ("2006-12", "2012-12", "2018-11"),
    "lopez-obrador-2018-12": ("2012-12", "2018-12", "2022-06"),
    "sheinbaum-2024-10": ("2018-12", "2024-10", "2025-06"),
}
FIXED = ["-0.3", "0", "0.5", "0.9", "0.99"]
INSIDE = [f"{slug}/{rho}" for slug in SHIFTS for rho in FIXED]
INSIDE += [f"{slug}/estimated" for slug in SHIFTS if slug != "lopez-obrador-2018-12"]
EDGE = "lopez-obrador-2018-12/estimated"  # rises up to rho = 1: nlme stops at 0.999995
# R's theta has the other sign, and only errors of one size are the same law in both.
MEMORIES = ["0.5_-0.3_1", "0.8_0.4_1", "0.9_-0.5_1", "0.95_-0.8_1", "0.99_-0.3_1"]
ARMA = [f"{slug}/{m}" for slug in list(SHIFTS)[::3] for m in ("estimated_equal", *MEMORIES)]
QUETIAPINE = {"estimate": [-3284.78, -1396.65], "se": [602.34, 106.63]}  # as published


@cache
def expected(script):
    table = pd.read_csv(REFERENCE / f"{script}_expected.csv", comment="#", keep_default_na=False)
    return table.set_index(["case", "statistic", "term"])["value"].sort_index()


@cache
def window(slug):
    return pd.read_csv(REFERENCE / "windows.csv", index_col="month").query("window == @slug")


def outcome_and_design(slug):
    data = window(slug)
    return data["log_rate"].to_numpy(), data[DESIGN].to_numpy()


def solve(slug, phi, theta):
    """Coefficients and their errors at one law of the errors."""
    y, X = outcome_and_design(slug)
    law = theta, np.array([phi]), np.ones(1)
    _, mean, scale = solve_at(y[:, None], X[None], np.eye(len(DESIGN)), None, *law)
    return mean[0, :, 0], scale[0, :, 0]


def constant_of_nlme(slug):
    """nlme's restricted log-likelihood minus ours, which leaves out what no parameter moves.

    Ours is the same for every multiple g of Sigma. Put it into the restricted log-likelihood
      -1/2 [(n - k) (log(2 pi sigma^2) + 1) + log|Sigma| + log|X' Sigma^-1 X|]
    with sigma^2 = y' Sigma^-1 (y - Xb) / (n - k): the powers of g cancel, and there remains
    -(n - k)/2 [log(2 pi) + 1 - log(n - k)]. The term + log|X'X| / 2 by which some programs make it
    independent of the columns' units is not in nlme (Pinheiro & Bates (2000), Mixed-Effects Models
    in S and S-PLUS, doi:10.1007/b98882).
    """
    df = len(window(slug)) - len(DESIGN)
    return -df / 2 * (np.log(2 * np.pi) + 1 - np.log(df))


@pytest.mark.parametrize("slug", SHIFTS)
def test_windows_follow_from_their_months_and_deaths(slug):
    data, (start, month, end) = window(slug), SHIFTS[slug]
    index = pd.period_range(start, end, freq="M")
    assert data.index.tolist() == index.astype(str).tolist()
    design = build_design(index, PolicyShift(slug, month))
    assert design.columns.tolist() == DESIGN
    np.testing.assert_allclose(data[DESIGN], design, rtol=0, atol=1e-10)
    rate = 1e5 * data["deaths"] / data["person_years"]
    np.testing.assert_allclose(data["log_rate"], np.log(rate), rtol=0, atol=2e-11)


def law(case):
    """R's numbers of a case, its window, and phi and theta in the sign that they have here."""
    r = expected("gls_arma" if case in ARMA else "gls")[case]
    memory = (r["phi1", ""], -r["theta1", ""]) if case in ARMA else (r["rho", ""], 0.0)
    return r, case.split("/")[0], *memory


@pytest.mark.parametrize("case", [*INSIDE, EDGE, *ARMA])
def test_restricted_likelihood_equals_that_of_nlme(case):
    r, slug, phi, theta = law(case)
    loglik = restricted_log_likelihood(*outcome_and_design(slug), [phi], theta)[0]
    near = 1e-6 if case in (EDGE, "calderon-2006-12/estimated_equal") else 1e-8
    assert loglik + constant_of_nlme(slug) == pytest.approx(r["loglik", ""], abs=near)


@pytest.mark.parametrize("case", sweep([*INSIDE, *ARMA], *range(0, 35, 4)))
def test_coefficients_and_errors_given_the_law_equal_those_of_nlme(case):
    r, *known = law(case)
    coefficients, errors = solve(*known)
    np.testing.assert_allclose(coefficients, r["estimate"][DESIGN], rtol=1e-6)
    np.testing.assert_allclose(errors, r["se"][DESIGN], rtol=1e-6)


@pytest.mark.parametrize("slug", sweep(SHIFTS, 0, 2))
def test_rho_of_nlme_is_where_the_restricted_likelihood_peaks(slug):
    rho = np.linspace(*RHO_RANGE, 20_001)
    peak = rho[np.argmax(restricted_log_likelihood(*outcome_and_design(slug), rho))]
    nlme = min(expected("gls")[f"{slug}/estimated", "rho", ""], RHO_RANGE[1])
    assert peak == pytest.approx(nlme, abs=1e-4)


SICILY = {  # columns beside smokban, time and the constant, scale, published RR with its interval
    "poisson": ([], 1.0, [0.8944, 0.8647, 0.9251]),
    "quasi": ([], "X2", [0.8944, 0.8392, 0.9532]),
    "quasi_harmonics": (WAVES, "X2", [0.8851, 0.8394, 0.9332]),
    "quasi_harmonics_slope1": ([*WAVES, "slope1"], "X2", [0.8765, 0.8268, 0.9292]),
    "quasi_harmonics_slope0": ([*WAVES, "slope0"], "X2", None),
}


@pytest.mark.parametrize("case", SICILY)
def test_smoking_ban_of_sicily(case):
    """Lopez Bernal, Cummins & Gasparrini (2017), doi:10.1093/ije/dyw098."""
    r, (more, scale, published) = expected("sicily")[case], SICILY[case]
    data = pd.read_csv(REFERENCE / "sicily.csv")
    index = pd.period_range("2002-01", periods=len(data), freq="M")
    waves = build_design(index, PolicyShift("smokban", "2005-01")).reset_index(drop=True)
    slope = 12 * waves["slope"]  # per month; 0 in the first month of the ban
    X = data[["smokban", "time"]].join(waves)
    X = X.assign(slope0=slope, slope1=slope + X["level"]).rename(columns={"const": "(Intercept)"})
    X = X[["(Intercept)", "smokban", "time", *more]]
    model = GLM(data["aces"], X, Poisson(), offset=np.log(data["stdpop"]))
    fit = model.fit(scale=scale, tol=1e-14)
    np.testing.assert_allclose(fit.params, r["estimate"][X.columns], rtol=1e-9)
    np.testing.assert_allclose(fit.bse, r["se"][X.columns], rtol=1e-7)
    assert fit.scale == pytest.approx(r["dispersion", ""], rel=1e-9)
    ratio = np.exp([fit.params["smokban"], *fit.conf_int().loc["smokban"]])
    named = [r[name, "smokban"] for name in ("ratio", "ratio_low", "ratio_high")]
    np.testing.assert_allclose(ratio, named, rtol=1e-8)
    if published:
        np.testing.assert_array_equal(ratio.round(4), published)
    for name in {"slope0", "slope1"} & set(more):
        assert np.exp(fit.params[name]).round(4) == 1.0015


def quetiapine():
    """Schaffer, Dobbins & Pearson (2021), doi:10.1186/s12874-021-01235-8."""
    table = pd.read_csv(REFERENCE / "quetiapine.csv")
    position = np.arange(len(table)) - table.index[table["month"] == "2014-01"][0]
    X = np.column_stack([position >= 0, np.maximum(position + 1, 0)]).astype(float)
    return table["dispensings"].to_numpy(float), X, (2, 1, 0), (0, 1, 1, 12)


@pytest.mark.slow
def test_quetiapine_comes_out_as_published():
    """The likelihood is so flat that R itself gives -3284.75 or -3284.78 by the outcome's unit."""
    y, X, order, seasonal_order = quetiapine()
    found = fit_arima(y, X, order=order, seasonal_order=seasonal_order)
    np.testing.assert_allclose(found.estimate, QUETIAPINE["estimate"], rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), QUETIAPINE["se"], rtol=1e-4)


@pytest.mark.slow
# In thousands: unscaled, the optimiser stops short of the maximum and says that it converged.
@pytest.mark.filterwarnings("ignore:Too few observations to estimate starting parameters")
def test_quetiapine_by_regression_with_arima_errors():
    y, *rest = quetiapine()
    fit = SARIMAX(y / 1000, *rest).fit(disp=False, cov_type="approx")
    r = expected("quetiapine")
    assert fit.llf == pytest.approx(r["thousands", "loglik", ""], abs=1e-3)
    np.testing.assert_allclose(fit.params[:2], r["thousands", "estimate"][["step", "ramp"]], 1e-4)
    np.testing.assert_allclose(fit.bse[:2], r["thousands", "se"][["step", "ramp"]], rtol=1e-3)
    for statistic, values in QUETIAPINE.items():
        r_prints = r["default", statistic][["step", "ramp"]]
        np.testing.assert_allclose(r_prints, values, rtol=0, atol=0.0051)


def panel(slug, estimator):
    """R's numbers, and the fit to hold against them with its standard errors."""
    data, r = window(slug), expected("panel")[f"{slug}/{estimator}"]
    y, X = outcome_and_design(slug)
    deaths, exposure = data["deaths"].to_numpy(), data["person_years"].to_numpy()
    fit = {
        "newey_west": lambda: fit_newey_west(y, X),
        "quasi_poisson": lambda: fit_quasi_poisson(deaths, X, exposure=exposure),
        "negative_binomial": lambda: fit_negative_binomial(deaths, X, exposure=exposure),
        "arima": lambda: fit_arima(y, X, order=(1, 0, 0)),
    }[estimator]()
    return r, fit, np.sqrt(np.diag(fit.covariance))


@pytest.mark.parametrize("estimator", ["newey_west", "quasi_poisson"])
@pytest.mark.parametrize("slug", SHIFTS)
def test_newey_west_and_quasi_poisson_equal_those_of_r(slug, estimator):
    r, fit, errors = panel(slug, estimator)
    np.testing.assert_allclose(fit.estimate, r["estimate"][DESIGN], rtol=1e-7)
    np.testing.assert_allclose(errors, r["se"][DESIGN], rtol=1e-6)


# R takes the negative binomial's theta as known and the expected information, statsmodels the
# observed information of all parameters: their standard errors are different estimates. R
# differentiates the likelihood of an ARIMA model numerically, at steps of 0.001.
@pytest.mark.parametrize(
    ("estimator", "apart", "slug"),
    [("negative_binomial", 0.1, slug) for slug in SHIFTS]
    + sweep([("arima", 2e-3, slug) for slug in SHIFTS], 0),
)
def test_maximum_likelihood_estimators_agree_with_those_of_r(slug, estimator, apart):
    r, fit, errors = panel(slug, estimator)
    distance = (fit.estimate - r["estimate"][DESIGN]) / r["se"][DESIGN]
    assert abs(distance).max() < 0.01
    np.testing.assert_allclose(errors, r["se"][DESIGN], rtol=apart)
