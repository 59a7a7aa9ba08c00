import numpy as np
import pandas as pd
import pytest
from support.independent_law import arma_covariance, dense, simulate
from support.sweeps import sweep

from analysis import PolicyShift
from analysis.engine import counts
from analysis.engine.counts import split_noises, working_response
from analysis.engine.estimators import fit_quasi_poisson
from analysis.engine.law import noise_grid
from analysis.engine.optimise import EstimatorError
from analysis.engine.reml import fit_many, summarise
from analysis.its.design import build_design

MONTHS = pd.period_range("2000-01", periods=120, freq="M", name="month")
X = build_design(MONTHS, PolicyShift("middle", "2005-01"), harmonics=1).to_numpy()
C = np.eye(X.shape[1])[[2, 3]]


def simulate_deaths(seed, mean, process="AR .8", sd=0.3):
    rng = np.random.default_rng(seed)
    errors = simulate(rng, 120, process)[:, 0]
    return rng.poisson(mean * np.exp(sd * errors / errors.std())).astype(float)


def split_noise(y, variance, *of, **options):
    return split_noises(y[:, None], variance[:, None], *of, **options)[0]


def respond(deaths, after=None):
    return working_response(deaths, X, np.ones(len(deaths)), after)


def ends(mixture):
    return np.array(summarise(mixture))[:3, 0]


def covariance(variance, phi, noise, ratio, after):
    """Noise of known variance and an AR(1) disturbance, both `ratio` times as large late."""
    n = len(variance)
    late = np.ones(n)
    late[n if after is None else after :] = ratio**2
    sigma = variance.mean() / noise  # squared, of an ARMA(1, 1): of it the share `noise` is noise
    innovation = sigma * (1 - noise) * (1 - phi**2 * noise)
    own = innovation * late
    own[0] = innovation / (1 - phi**2)
    reach = np.tril(phi ** np.maximum(np.subtract.outer(np.arange(n), np.arange(n)), 0))
    return np.diag(variance * late) + (reach * own) @ reach.T


@pytest.mark.parametrize(("phi", "noise"), [(0.9, 0.5), (0.3, 0.05), (0.99, 0.95)])
def test_noise_and_disturbance_of_one_size_add_up_to_an_arma(phi, noise):
    V = covariance(np.full(20, 0.2), phi, noise, 1.0, None)
    expected = 0.2 / noise * arma_covariance(20, phi, phi * noise)
    np.testing.assert_allclose(V, expected, rtol=1e-10)


@pytest.mark.parametrize("after", [None, 1, 60, 119])
def test_mixture_is_that_of_generalised_least_squares_with_dense_matrices(after):
    response, variance = respond(simulate_deaths(0, 4.0), after)
    mixture, grid = split_noise(response, variance, X, C, after=after), noise_grid(120, bool(after))
    shares, expected = mixture.noise, []
    picked = np.linspace(0, len(shares) - 1, 12).astype(int)
    for g in picked:
        V = covariance(variance, mixture.phi[g], shares[g], mixture.ratio[g], after)
        loglik, *rest = dense(response, X, C, V)
        t, u, v = (
            int(np.argmin(abs(values - value)))
            for values, value in (
                (grid.theta, shares[g]),
                (grid.phi[0], mixture.phi[g]),
                (grid.log_ratio, np.log(mixture.ratio[g])),
            )
        )
        expected.append([loglik + grid.log_weight[t, u, v], *np.concatenate(rest)])
    expected = np.array(expected)
    np.testing.assert_allclose(mixture.mean[0][:, picked].T, expected[:, 1:3], atol=1e-9)
    np.testing.assert_allclose(mixture.scale[0][:, picked].T, expected[:, 3:], rtol=1e-8)
    found = np.log(mixture.weight[0, picked]) + mixture.log_marginal
    np.testing.assert_allclose(found, expected[:, 0], rtol=0, atol=1e-7)


def test_prior_of_the_grid_is_that_of_the_law():
    grid = noise_grid(120, True)
    weight = np.exp(grid.log_weight)
    assert weight.sum() == pytest.approx(1)
    v = np.sqrt(np.arccos(grid.phi))
    assert (weight.sum(axis=2) * v).sum() == pytest.approx(
        (0.03 + np.sqrt(np.pi / 2)) / 2, rel=1e-2
    )
    assert weight.sum(axis=(1, 2)) @ grid.theta == pytest.approx(0.5, rel=1e-2)
    assert weight.sum(axis=(0, 1)) @ grid.log_ratio == pytest.approx(0, abs=1e-12)


def test_nothing_but_noise_is_quasi_poisson_regression():
    deaths = simulate_deaths(1, 5.0)
    mixture, fit = split_noise(*respond(deaths), X, C), fit_quasi_poisson(deaths, X)
    near = int(np.argmax(mixture.noise - 1e-3 * mixture.phi))
    assert mixture.noise[near] > 0.99
    np.testing.assert_allclose(mixture.mean[0, :, near], fit.estimate[[2, 3]], atol=0.02)
    errors = np.sqrt(np.diag(fit.covariance))[[2, 3]]
    np.testing.assert_allclose(mixture.scale[0, :, near], errors, rtol=0.05)


def test_noise_that_is_the_same_every_month_is_that_of_the_headline_model():
    y = simulate(np.random.default_rng(2), 120, "AR .95 + noise")[:, 0]
    found, headline = ends(split_noise(y, np.full(120, 0.7), X, C)), fit_many(y, X, C)
    expected = np.array([getattr(headline, name)[0] for name in ("estimate", "low", "high")])
    assert (abs(found - expected) < 5e-3 * (expected[2] - expected[1])).all()


def test_counts_in_the_millions_get_the_intervals_of_the_headline_model():
    deaths = simulate_deaths(3, 1e9, sd=0.05)
    response, variance = respond(deaths)
    np.testing.assert_allclose(response, np.log(deaths), atol=1e-6)
    found, headline = ends(split_noise(response, variance, X, C)), fit_many(np.log(deaths), X, C)
    expected = np.array([getattr(headline, name)[0] for name in ("estimate", "low", "high")])
    assert (abs(found - expected) < 0.02 * (expected[2] - expected[1])).all()


@pytest.mark.parametrize("after", sweep([None, 60], 1))
@pytest.mark.parametrize(
    ("mean", "process"), sweep([(0.5, "AR .8"), (5, "white noise"), (60, "AR .95 + noise")], 0, 2)
)
def test_a_finer_grid_moves_no_end_by_more_than_a_hundredth_of_the_width(
    monkeypatch, mean, process, after
):
    parts = respond(simulate_deaths(4, mean, process), after)
    found = ends(split_noise(*parts, X, C, after=after))
    monkeypatch.setattr(counts, "noise_grid", lambda n, changes: noise_grid(4 * n, changes))
    finer = ends(split_noise(*parts, X, C, after=after))
    assert (abs(found - finer) < 1e-2 * (finer[2] - finer[1])).all()


def test_scaling_the_exposure_moves_only_the_constant():
    deaths, rows = simulate_deaths(5, 8.0), np.eye(X.shape[1])[:4]
    one, other = (working_response(deaths, X, np.full(120, size), 60) for size in (1.0, 7.0))
    one, other = (ends(split_noise(*parts, X, rows, after=60)) for parts in (one, other))
    np.testing.assert_allclose(one[:, 0] - np.log(7), other[:, 0], rtol=1e-6)
    np.testing.assert_allclose(one[:, 1:], other[:, 1:], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("mean", [3.0, 30.0])
def test_months_not_seen_have_no_say(mean):
    deaths, seen = simulate_deaths(6, mean), ~np.isin(np.arange(120), [0, 30, 31, 70])
    wild = np.where(seen, deaths, 1000 * deaths + 7)
    response, variance = working_response(deaths, X, np.ones(120), 60, seen)
    other = working_response(wild, X, np.ones(120), 60, seen)
    found, same = (split_noise(*p, X, C, after=60) for p in ((response, variance), other))
    np.testing.assert_allclose(ends(found), ends(same), rtol=1e-9)
    g = int(found.weight.argmax())
    filled = np.where(seen, variance, variance[seen].mean())
    V = covariance(filled, found.phi[g], found.noise[g], found.ratio[g], 60)[np.ix_(seen, seen)]
    _, mean_, scale = dense(response[seen], X[seen], C, V)
    np.testing.assert_allclose(found.mean[0, :, g], mean_, atol=1e-9)
    np.testing.assert_allclose(found.scale[0, :, g], scale, rtol=1e-8)


def test_many_series_at_once_are_what_each_is_alone():
    means, seen = [0.5, 30.0, 6.0], ~np.isin(np.arange(120), [0, 30, 31, 70])
    deaths = np.column_stack(
        [simulate_deaths([8, place], mean) for place, mean in enumerate(means)]
    )
    exposure = np.ones((120, 3)) * [1.0, 2.0, 0.5]
    together = working_response(deaths, X, exposure, 60, seen)
    for place, mixture in enumerate(split_noises(*together, X, C, after=60)):
        alone = working_response(deaths[:, place], X, exposure[:, place], 60, seen)
        np.testing.assert_allclose([part[:, place] for part in together], alone, rtol=1e-10)
        expected = split_noise(*alone, X, C, after=60)
        np.testing.assert_allclose(ends(mixture), ends(expected), rtol=1e-9)
        np.testing.assert_allclose(mixture.log_marginal, expected.log_marginal, rtol=1e-10)


def test_counts_without_a_maximum_are_refused():
    early = np.repeat([1.0, 0], 60)
    for deaths, message in ((0 * early, "no deaths at all"), (early, "no maximum|still rises")):
        with pytest.raises(EstimatorError, match=message):
            respond(deaths)


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.5, 3, 30])
def test_intervals_hold_their_size_where_months_are_empty(mean):
    """200 series a cell: a Monte Carlo error of 1.5 points at 95%."""
    series = [simulate_deaths([seed, 7], mean, sd=0.4) for seed in range(200)]
    parts = working_response(np.transpose(series), X, np.ones((120, 200)), 60)
    fits = [ends(mixture) for mixture in split_noises(*parts, X, C, after=60)]
    held = np.mean([(low <= 0) & (high >= 0) for _, low, high in fits], axis=0)
    print(f"mean {mean}: {100 * held}")
    assert (held > 0.91).all()
    if mean == 30:  # months taken as independent
        fits = [fit_quasi_poisson(deaths, X) for deaths in series]
        inside = [abs(fit.estimate) <= 1.96 * np.sqrt(np.diag(fit.covariance)) for fit in fits]
        assert (np.mean(inside, axis=0)[[2, 3]] < 0.80).all()
