from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from scipy.stats import t as student
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.statespace.structural import UnobservedComponents
from support.independent import segmented_design, simulate_ar1
from support.independent_law import covariance, fit_law, simulate

from analysis import PolicyShift, load_inaugurations
from analysis.engine.optimise import EstimatorError
from analysis.forecasts.methods import (
    METHODS,
    Known,
    _additive_likelihood,
    latest_inauguration,
)
from analysis.its.counterfactual import draw_paths
from analysis.its.model import prepare_model

INDEX = pd.period_range("2014-01", "2020-12", freq="M")
AHEAD = pd.period_range("2021-01", periods=30, freq="M")
TIME = np.arange(len(INDEX) + len(AHEAD)) / 12
WALK = 3 + np.cumsum(0.05 * np.random.default_rng(1).standard_normal(len(INDEX)))


def draw(slug, y=WALK, index=INDEX, ahead=AHEAD, draws=40_000, seed=0):
    known = Known(y, index, ahead, load_inaugurations())
    return METHODS[slug](known, draws, np.random.default_rng(seed))


def waves(count):
    turn = 2 * np.pi * np.arange(1, count + 1) / 12
    return 0.1 * np.sin(turn) + 0.05 * np.cos(2 * turn)


def assert_moments(paths, mean, sd):
    error = sd / np.sqrt(len(paths))
    np.testing.assert_array_less(np.abs(paths.mean(axis=0) - mean), 4.5 * error)
    np.testing.assert_allclose(paths.std(axis=0), sd, rtol=4.5 * np.sqrt(1 / len(paths)))


def test_last_value_spreads_like_student_t_with_the_root_of_the_horizon():
    paths = draw("last_value")
    scale = np.sqrt((np.diff(WALK) ** 2).sum() / (len(WALK) - 1))
    for ahead in (1, 4, 25):
        for q in (0.025, 0.25, 0.5, 0.9):
            expected = WALK[-1] + scale * np.sqrt(ahead) * student.ppf(q, len(WALK) - 1)
            below = (paths[:, ahead - 1] <= expected).mean()
            assert abs(below - q) < 4.5 * np.sqrt(q * (1 - q) / len(paths))


def test_last_value_walks():
    paths = draw("last_value")
    assert np.corrcoef(paths[:, 3], paths[:, 15])[0, 1] == pytest.approx(0.5, abs=0.02)


def test_seasonal_naive_repeats_the_year_with_errors_that_add_up_over_the_years():
    paths = draw("seasonal_naive")
    differences = WALK[12:] - WALK[:-12]
    variance = (differences @ differences) / (len(differences) - 2)  # of Student t
    mean = np.tile(WALK[-12:], 3)[:30]
    assert_moments(paths, mean, np.sqrt(variance * np.repeat([1, 2, 3], 12)[:30]))
    assert np.corrcoef(paths[:, 2], paths[:, 14])[0, 1] == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert np.corrcoef(paths[:, 2], paths[:, 3])[0, 1] == pytest.approx(0, abs=0.05)


def test_seasonal_naive_repeats_an_unchanging_year_exactly():
    y = np.tile(np.arange(12.0), 7)
    np.testing.assert_array_equal(draw("seasonal_naive", y)[5], np.tile(np.arange(12.0), 3)[:30])


def assert_goes_on(slug, y):
    paths = draw(slug, y[: len(INDEX)], draws=100)
    np.testing.assert_allclose(paths, np.tile(y[len(INDEX) :], (100, 1)), atol=1e-9)


@pytest.mark.parametrize("slug", ["linear_trend_ar1", "its_inauguration"])
def test_straight_line_with_season_goes_on(slug):
    assert_goes_on(slug, 2 + 0.3 * TIME + waves(len(TIME)))


def test_slope_of_the_president_goes_on_and_the_one_before_does_not():
    since = TIME - TIME[INDEX.get_loc("2018-12")]
    step = (0.2 + 0.5 * since) * (since >= 0)
    assert_goes_on("its_inauguration", 2 + 0.3 * TIME - step + waves(len(TIME)))


def test_months_before_the_last_president_but_one_do_not_enter():
    index = pd.period_range("2005-01", "2020-12", freq="M")
    y = 3 + 0.05 * simulate_ar1(np.random.default_rng(2), len(index), 0.5)[:, 0]
    changed = y.copy()
    changed[index < pd.Period("2012-12", "M")] += 5
    one, other = (draw("its_inauguration", values, index, draws=200) for values in (y, changed))
    np.testing.assert_array_equal(one, other)


def test_linear_trend_is_the_counterfactual_of_the_study():
    y = 3 + 0.1 * simulate_ar1(np.random.default_rng(3), len(INDEX), 0.6)[:, 0]
    later = np.random.default_rng(4).standard_normal(len(AHEAD))  # plays no part
    series = pd.DataFrame({"value": np.append(y, later)}, index=INDEX.append(AHEAD))
    model = prepare_model(series, PolicyShift("freeze", AHEAD[0]))
    reference = draw_paths(model, "forecast", 500, 7)[:, len(y) :]
    np.testing.assert_allclose(draw("linear_trend_ar1", y, draws=500, seed=7), reference)


@pytest.mark.slow
def test_linear_trend_has_the_errors_of_the_headline():
    """Drawn a second time with n x n matrices: a law, sigma, then all months ahead together."""
    n, months, count = len(INDEX), len(AHEAD), 5000
    rng = np.random.default_rng(11)
    y = 3 + 0.1 * simulate(rng, n, "AR .95 + noise")[:, 0]
    X = segmented_design(n + months, harmonics=2)
    law = fit_law(y, X[:n], np.eye(X.shape[1]))
    nodes, paths = rng.choice(len(law.weight), size=count, p=law.weight), []
    for node, times in zip(*np.unique(nodes, return_counts=True), strict=True):
        V = covariance(n + months, law.rho[node], law.theta[node])
        P = np.linalg.inv(V[:n, :n])
        spread = np.linalg.inv(X[:n].T @ P @ X[:n])
        b = spread @ X[:n].T @ P @ y
        left, onward = y - X[:n] @ b, V[n:, :n] @ P
        rest = X[n:] - onward @ X[:n]
        variance = V[n:, n:] - onward @ V[:n, n:] + rest @ spread @ rest.T
        sigma = np.sqrt(left @ P @ left / rng.chisquare(law.df, times))
        noise = np.linalg.cholesky(variance) @ (sigma * rng.standard_normal((months, times)))
        paths.append((X[n:] @ b + onward @ left)[:, None] + noise)
    expected, found = np.hstack(paths).T, draw("linear_trend_ar1", y, draws=count)
    for told in (
        lambda p: p[:, 0],
        lambda p: p[:, 29],
        lambda p: p.mean(axis=1),
        lambda p: p[:, 1] - p[:, 0],
        lambda p: p[:, 18] - p[:, 6],
    ):
        assert ks_2samp(told(found), told(expected)).pvalue > 0.01


@pytest.mark.slow
def test_local_linear_trend_has_the_moments_of_statsmodels():
    rng = np.random.default_rng(4)
    slope = np.cumsum(0.004 * rng.standard_normal(len(INDEX)))
    y = 3 + np.cumsum(slope) + waves(len(INDEX)) + 0.03 * rng.standard_normal(len(INDEX))
    options = {"freq_seasonal": [{"period": 12, "harmonics": 2}], "loglikelihood_burn": 0}
    options["stochastic_freq_seasonal"] = [False]
    model = UnobservedComponents(20 * y, level="lltrend", **options)
    fits = [
        model.fit(np.array(start), method=method, maxiter=2000, disp=0, cov_type="none")
        for start in ([0.4, 0.001, 0.01], [0.1, 0.1, 0.1])
        for method in ("lbfgs", "nm")
    ]
    ahead = max(fits, key=lambda fit: fit.llf).get_forecast(len(AHEAD))
    paths = draw("local_linear_trend", y)
    sd = ahead.se_mean / 20
    np.testing.assert_allclose(paths.std(axis=0), sd, rtol=0.03)
    np.testing.assert_array_less(np.abs(paths.mean(axis=0) - ahead.predicted_mean / 20), 0.05 * sd)


@pytest.mark.slow
def test_damped_trend_has_the_moments_of_its_closed_form():
    y = WALK + waves(len(INDEX))
    model = ETSModel(y, trend="add", damped_trend=True, seasonal="add", seasonal_periods=12)
    fit = model.fit(disp=0)
    paths = draw("damped_trend", y)
    fitted = dict(zip(model.param_names, fit.params, strict=True))
    names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")
    alpha, beta, gamma, phi = (fitted[name] for name in names)
    steps = np.arange(1, len(AHEAD))
    damped = np.cumsum(phi**steps)
    weight = alpha + beta * damped + gamma * (steps % 12 == 0)
    df = len(y) - len(model.param_names)
    sigma = np.sqrt((fit.resid @ fit.resid) / (df - 2))
    sd = sigma * np.sqrt(1 + np.concatenate([[0], np.cumsum(weight**2)]))
    np.testing.assert_allclose(paths.std(axis=0), sd, rtol=0.03)
    error = np.abs(paths.mean(axis=0) - fit.forecast(len(AHEAD)))
    np.testing.assert_array_less(error, 0.06 * sd)


def test_likelihood_of_the_damped_trend_is_statsmodels_to_the_last_digit():
    model = ETSModel(WALK, trend="add", damped_trend=True, seasonal="add", seasonal_periods=12)
    params = np.array([0.6, 0.02, 0.02, 0.9, *model.start_params[4:]])
    params = model._internal_params(params)
    rest = np.zeros(len(params), np.int64), np.empty(len(params)), True, True
    found = []
    for own in (model._loglike_internal, partial(_additive_likelihood, model, None)):
        arrays = np.zeros(len(WALK)), np.zeros((len(WALK), 14))
        found.append((own(params, *arrays, *rest), *arrays))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("start", "end", "slug"),
    [
        ("2000-01", "2021-04", "lopez-obrador-2018-12"),
        ("2015-01", "2019-11", "lopez-obrador-2018-12"),
        ("2000-01", "2019-10", "pena-nieto-2012-12"),
        ("2000-01", "2007-11", "calderon-2006-12"),
        ("2000-01", "2007-10", None),
        ("2018-01", "2021-04", None),
    ],
)
def test_latest_inauguration_has_a_year_on_either_side(start, end, slug):
    found = latest_inauguration(pd.period_range(start, end, freq="M"), load_inaugurations())
    assert getattr(found, "slug", None) == slug


def test_no_inauguration_is_said():
    index = pd.period_range("2000-01", periods=84, freq="M")
    with pytest.raises(EstimatorError, match=r"no inauguration of .* in 2000-01 to 2006-12"):
        draw("its_inauguration", index=index, draws=100)


@pytest.mark.parametrize("slug", ["local_linear_trend", "damped_trend"])
def test_rate_that_never_moves_is_refused(slug):
    with pytest.raises(EstimatorError, match="does not vary"):
        draw(slug, np.full(len(INDEX), 3.0), draws=100)


def coverage(slug, simulate, count, ahead=12):
    """Share of simulated futures of which the 80% band holds the month and the year `ahead`.

    Beside the shares stand their standard errors: futures (columns) of one past are no others.
    """
    months = pd.period_range("2000-01", periods=96 + ahead, freq="M")
    rng, held = np.random.default_rng(5), []
    for _ in range(count):
        y = simulate(rng, 96 + ahead)
        y = y.reshape(len(y), -1)
        paths = METHODS[slug](Known(y[:96, 0], months[:96], months[96:]), 500, rng)
        both = np.column_stack([paths[:, -1], paths.mean(axis=1)])
        truth = np.array([y[-1], y[96:].mean(axis=0)]).T
        low, high = np.quantile(both, [0.1, 0.9], axis=0)
        held.append(((low <= truth) & (truth <= high)).mean(axis=0))
    return np.mean(held, axis=0), np.std(held, axis=0) / np.sqrt(count)


def random_walk(rng, n):
    return 3 + np.cumsum(0.05 * rng.standard_normal(n))


def line_with(rng, n, phi, theta, futures=200):
    """A past of 96 months and what may follow, a column each: the same law, other shocks."""
    shocks = rng.standard_normal((n, futures))
    shocks[:96] = shocks[:96, :1]
    errors = np.linalg.cholesky(covariance(n, phi, theta)) @ shocks
    return 3 + 0.1 * np.arange(n)[:, None] / 12 + 0.05 * errors


def line_with_ar1(rng, n):
    return line_with(rng, n, 0.6, 0.0)


def line_with_a_law_of_its_own(rng, n):
    """Memory and noise as the headline weighs them beforehand."""
    phi = np.cos(rng.uniform(0.03, np.sqrt(np.pi / 2)) ** 2)
    return line_with(rng, n, phi, phi * rng.uniform(0, min(1, 0.995 / phi)))


def turning_trend(rng, n, futures=200):
    shocks = rng.standard_normal((3, n, futures))
    shocks[:, :96] = shocks[:, :96, :1]
    slope = np.cumsum(0.006 * shocks[0], axis=0)
    return 3 + np.cumsum(slope + 0.02 * shocks[1], axis=0) + 0.05 * shocks[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slug", "simulate", "count", "allowed"),
    [
        ("last_value", random_walk, 2000, 0.0),
        ("linear_trend_ar1", line_with_a_law_of_its_own, 300, 0.005),  # of 500 draws
        ("linear_trend_ar1", line_with_ar1, 100, 0.03),  # no noise there, which is not known
        ("local_linear_trend", turning_trend, 60, 0.07),  # its variances are plugged in
    ],
)
def test_bands_of_month_and_year_hold_where_the_model_is_true(slug, simulate, count, allowed):
    """Nominal 80%; the tolerance is 3 Monte Carlo standard errors.

    They are sqrt(0.16 / count) with one future a series; 200 futures of each of the 300 lines make
    them smaller than 1500 lines with one did, of each of the 60 trends than 150 with one.
    """
    share, error = coverage(slug, simulate, count)
    print(f"{slug}: {share} (+-{error})")
    assert (abs(share - 0.8) < allowed + 3 * error).all()
