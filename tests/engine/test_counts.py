import numpy as np
import pandas as pd
import pytest
from support.independent import ar1_correlation

from analysis import PolicyShift, load_policy_shifts, load_states
from analysis.engine.counts import split_noise, working_response
from analysis.engine.errors import RHO_RANGE
from analysis.engine.estimators import fit_quasi_poisson
from analysis.engine.optimise import EstimatorError
from analysis.engine.processes import simulate_errors
from analysis.engine.reml import fit_many, summarise
from analysis.its.design import build_design
from analysis.its.model import count_posterior, prepare_model

MONTHS = pd.period_range("2000-01", periods=120, freq="M", name="month")
SHIFT = PolicyShift("middle", "2005-01")
X = build_design(MONTHS, SHIFT, harmonics=1).to_numpy()
C = np.eye(X.shape[1])[[2, 3]]


def simulate_deaths(seed, mean, sd=0.3, rho=0.6):
    rng = np.random.default_rng(seed)
    errors = sd * np.sqrt(1 - rho**2) * simulate_errors("ar1", 120, 1, rng, rho=rho)[:, 0]
    return rng.poisson(mean * np.exp(errors)).astype(float)


def fit_independent(deaths):
    """Return level and slope by quasi-Poisson regression, and their standard errors."""
    fit = fit_quasi_poisson(deaths, X)
    return fit.estimate[[2, 3]], np.sqrt(np.diag(fit.covariance))[[2, 3]]


def covariance(variance, rho, share):
    signal = share / (1 - share) * variance.mean()
    return np.diag(variance) + signal * ar1_correlation(len(variance), rho)


def test_mixture_is_that_of_generalised_least_squares_with_dense_matrices():
    response, variance = working_response(simulate_deaths(0, 4.0), X, np.ones(120))
    mixture = split_noise(response, variance, X, C, nodes=(5, 4))
    (point, weight), (share_point, share_weight) = map(np.polynomial.legendre.leggauss, (5, 4))
    low, high = np.arcsin(RHO_RANGE)
    angle = low + (high - low) * (point + 1) / 2
    share_angle = np.pi * (share_point + 1) / 4
    rows = []
    for a, wa in zip(angle, weight * np.cos(angle), strict=True):
        for b, wb in zip(share_angle, share_weight * np.sin(2 * share_angle), strict=True):
            V = covariance(variance, np.sin(a), np.sin(b) ** 2)
            P = np.linalg.inv(V)
            XPX = X.T @ P @ X
            coefficients = np.linalg.solve(XPX, X.T @ P @ response)
            residual = response - X @ coefficients
            rss, df = residual @ P @ residual, len(X) - X.shape[1]
            log_det = np.linalg.slogdet(V)[1] + np.linalg.slogdet(XPX)[1]
            spread = np.diag(C @ np.linalg.solve(XPX, C.T))
            log_weight = np.log(wa * wb) - (df * np.log(rss) + log_det) / 2
            rows.append([log_weight, *(C @ coefficients), *np.sqrt(spread * rss / df)])
    expected = np.array(rows)
    weights = np.exp(expected[:, 0] - expected[:, 0].max())
    np.testing.assert_allclose(mixture.weight[0], weights / weights.sum(), rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(mixture.mean[0], expected[:, 1:3].T, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(mixture.scale[0], expected[:, 3:].T, rtol=1e-8)


def test_a_share_of_nothing_is_quasi_poisson_regression():
    deaths = simulate_deaths(1, 5.0)
    mixture = split_noise(*working_response(deaths, X, np.ones(120)), X, C, nodes=(4, 60))
    smallest = int(np.argmin(np.abs(mixture.mean[0, 0] - mixture.mean[0, 0, 0])))
    estimate, se = fit_independent(deaths)
    np.testing.assert_allclose(mixture.mean[0, :, smallest], estimate, rtol=1e-4)
    np.testing.assert_allclose(mixture.scale[0, :, smallest], se, rtol=1e-3)


def test_counts_in_the_millions_get_the_intervals_of_the_headline_model():
    rng = np.random.default_rng(3)
    errors = 0.1 * simulate_errors("ar1", 120, 1, rng, rho=0.6)[:, 0]
    deaths = np.round(1e9 * np.exp(8 * errors))
    response, variance = working_response(deaths, X, np.ones(120))
    np.testing.assert_allclose(response, np.log(deaths), atol=1e-6)
    counts = np.array(summarise(split_noise(response, variance, X, C, nodes=(60, 60))))[:, 0]
    headline = fit_many(np.log(deaths), X, C)
    expected = np.array([getattr(headline, name)[0] for name in ("estimate", "low", "high")])
    width = expected[2] - expected[1]
    # the prior leaves some room for white noise, which the headline model rules out
    assert (np.abs(counts[:3] - expected) < 0.12 * width).all()


@pytest.mark.parametrize("place", ["MX01", "MX08", "MX25", "MX31"])
@pytest.mark.parametrize("slug", ["calderon-2006-12", "lopez-obrador-2018-12"])
def test_a_finer_grid_moves_no_end_by_a_ten_thousandth_of_the_width(place, slug):
    model = prepare_model(load_states("inegi").loc[place], load_policy_shifts()[slug], empty=True)
    window, X = model.window, model.designs[0].to_numpy()
    exposure = window["person_years"].to_numpy() / 1e5
    parts = working_response(window["deaths"].to_numpy(dtype=float), X, exposure)
    found = summarise(split_noise(*parts, X, model.contrasts))
    finer = summarise(split_noise(*parts, X, model.contrasts, nodes=(70, 50)))
    for end, fine in zip(found[1:3], finer[1:3], strict=True):
        assert (np.abs(end - fine) < 1e-4 * (finer[2] - finer[1])).all()


def test_scaling_deaths_and_exposure_moves_only_the_level():
    panel = load_states("inegi").loc["MX01"]
    shift = load_policy_shifts()["calderon-2006-12"]
    larger = panel.assign(person_years=panel["person_years"] * 7)
    models = [prepare_model(frame, shift, empty=True) for frame in (panel, larger)]
    one, other = (summarise(count_posterior(model))[0] for model in models)
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_a_shift_of_unknown_month_is_averaged_over_its_months():
    panel, shifts = load_states("inegi").loc["MX16"], load_policy_shifts()
    slugs = ("special-forces-2020", "covid-2020-04")
    models = (prepare_model(panel, shifts[slug], empty=True) for slug in slugs)
    unknown, known = (count_posterior(model).weight for model in models)
    assert unknown.sum() == pytest.approx(1)
    assert unknown.shape[1] == 4 * known.shape[1]


def test_counts_without_a_maximum_are_refused():
    early = np.repeat([1.0, 0], 60)
    for deaths, message in ((0 * early, "no deaths at all"), (early, "no maximum|still rises")):
        with pytest.raises(EstimatorError, match=message):
            working_response(deaths, X, np.ones(120))


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.5, 3, 30])
def test_intervals_hold_their_size_where_months_are_empty(mean):
    """200 series a cell: a Monte Carlo error of 1.5 points at 95%."""
    held, narrow = [], []
    for seed in range(200):
        deaths = simulate_deaths([seed, 7], mean, sd=0.4, rho=0.7)
        parts = working_response(deaths, X, np.ones(120))
        _, low, high, _ = summarise(split_noise(*parts, X, C, nodes=(20, 12)))
        held.append((low <= 0) & (high >= 0))
        estimate, se = fit_independent(deaths)
        narrow.append(np.abs(estimate) <= 1.96 * se)
    assert (np.mean(held, axis=0) > 0.89).all()
    if mean == 30:
        assert (np.mean(narrow, axis=0) < 0.80).all()  # months taken as independent
