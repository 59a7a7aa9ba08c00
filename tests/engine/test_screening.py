from functools import cache

import numpy as np
import pytest
from scipy.stats import t as student
from support.independent import segmented_design, simulate_ar1
from support.independent_law import fit_law

from analysis.engine import screening
from analysis.engine.law import law_grid, precision
from analysis.engine.screening import screen_many

N = 60
DATES = (20, 31, 40)
OWN = np.hstack([segmented_design(N, date)[:, 2:] for date in DATES])  # step, slope by date
BLOCKS = [segmented_design(N, 30)[:, :2], segmented_design(N, 30, harmonics=1)[:, 4:]]
CHOICES = [(1,), (3, 2), (4, 5)]  # the first of each is judged


@pytest.fixture(scope="module")
def outcomes():
    return 1e3 + simulate_ar1(np.random.default_rng(7), N, 0.8, 3)


@pytest.fixture
def found(monkeypatch, outcomes):
    monkeypatch.setattr(screening, "SERIES", 2)
    return screen_many(outcomes, BLOCKS, OWN, CHOICES)


@cache
def nodes():
    """Log weight, precision and its log determinant at each node of the rough grid."""
    grid, found = law_grid("ar1_noise", N, False, rough=True), []
    for (t, u), log_weight in np.ndenumerate(grid.log_weight[..., 0]):
        P = precision(N, grid.phi[t, u], grid.theta[t], 1.0, N)
        found.append((log_weight, P, np.linalg.slogdet(P)[1]))
    return found


def by_dense_algebra(y, X):
    """Mean and p of the last coefficient, each node of the rough grid with its own precision."""
    df, parts = N - X.shape[1], []
    for log_weight, P, size in nodes():
        A = X.T @ P @ X
        b = np.linalg.solve(A, X.T @ P @ y)
        rss = (y - X @ b) @ P @ (y - X @ b)
        log_det = np.linalg.slogdet(A)[1] - size
        scale = np.sqrt(rss / df * np.linalg.inv(A)[-1, -1])
        parts.append((log_weight - 0.5 * (df * np.log(rss) + log_det), b[-1], scale))
    log_weight, mean, scale = np.array(parts).T
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    below = weight @ student.cdf(-mean / scale, df)
    return weight @ mean, 2 * min(below, 1 - below)


def designs():
    for i in range(len(BLOCKS)):
        for j, (judged, *beside) in enumerate(CHOICES):
            yield i, j, np.column_stack([*BLOCKS[: i + 1], OWN[:, [*beside, judged]]])


def test_screening_is_the_fit_by_dense_algebra_on_the_same_grid(found, outcomes):
    assert found.shape == (2, 3, 2, 3)
    for i, j, X in designs():
        for series, y in enumerate(outcomes.T):
            expected = by_dense_algebra(y - 1e3, X)
            assert found[i, j, :, series] == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_rough_grid_gives_nearly_the_mean_and_p_of_a_fine_one(found, outcomes):
    for i, j, X in designs():
        mixture = fit_law(outcomes[:, 0], X, np.eye(X.shape[1])[-1:])
        _, low, high, p = mixture.summary()[0]
        mean, rough = found[i, j, :, 0]
        assert mean == pytest.approx(mixture.mean[0] @ mixture.weight, abs=1e-2 * (high - low))
        assert rough == pytest.approx(p, abs=1e-2)
    assert np.ptp(found[:, :, 1]) > 0.3


def test_series_without_variation_about_the_fit_has_no_p():
    y = 3 + OWN[:, [1]] * [0.5, 0.0]
    mean, p = screen_many(y, BLOCKS, OWN, [(1,)])[1, 0]
    np.testing.assert_allclose(mean, [0.5, 0.0], rtol=0, atol=1e-9)
    assert np.isnan(p).all()
