import numpy as np
import pytest
from support.independent import segmented_design, simulate_ar1
from support.independent_law import arma_covariance, covariance, dense
from support.solved import solve_at
from support.sweeps import sweep

from analysis import fit_many
from analysis.engine.gls import Basis

N = 40
DESIGNS = np.stack([segmented_design(N, first, harmonics=1) for first in (9, 20, 31)])
CONTRASTS = np.eye(6)[1:4] + np.eye(6)[[0, 2, 5]]
SERIES = simulate_ar1(np.random.default_rng(1), N, 0.7, 3) + 2
PHI = np.array([-0.4, 0.02, 0.5, 0.93, 0.9999])
RATIO = np.array([0.35, 1.0, 1.7, 2.9, 0.8])


def assert_is_dense(found, row, y, X, C, after, theta, phi, ratio):
    for j, (each, size) in enumerate(zip(phi, ratio, strict=True)):
        loglik, mean, scale = dense(y, X, C, covariance(len(y), each, theta, size, after))
        assert found[0][j, row] == pytest.approx(loglik, abs=1e-8)
        np.testing.assert_allclose(found[1][j, :, row], mean, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found[2][j, :, row], scale, rtol=1e-9)


@pytest.mark.parametrize("after", sweep([None, 1, 17, N - 1], 0, 2))
@pytest.mark.parametrize("theta", sweep([0.0, 0.41, 0.99], 1))
@pytest.mark.parametrize("many", ["designs", "series"])
def test_likelihood_means_and_scales_are_those_of_dense_matrices(many, theta, after):
    y, X = (SERIES[:, :1], DESIGNS) if many == "designs" else (SERIES, DESIGNS[:1])
    ratio = np.ones(5) if after is None else RATIO
    node = theta, PHI, ratio
    found = solve_at(y, X, CONTRASTS, after if after is None else np.array([after]), *node)
    for row in range(3):
        series, design = (0, row) if many == "designs" else (row, 0)
        assert_is_dense(found, row, y[:, series], X[design], CONTRASTS, after, *node)


def test_every_design_has_a_change_of_size_of_its_own():
    after, node = np.array([9, 20, 31]), (0.6, PHI, RATIO)
    found = solve_at(SERIES[:, :1], DESIGNS, CONTRASTS, after, *node)
    for row, own in enumerate(after):
        assert_is_dense(found, row, SERIES[:, 0], DESIGNS[row], CONTRASTS, own, *node)


@pytest.mark.parametrize("seed", range(5))
def test_random_laws_lengths_and_sides_agree_with_dense_matrices(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 160))
    X, after = segmented_design(n, n // 2), int(rng.integers(1, n))
    y = simulate_ar1(rng, n, 0.9)
    theta, phi, ratio = rng.uniform(0, 0.99), rng.uniform(0, 1, 8), rng.uniform(1 / 3, 3, 8)
    found = solve_at(y, X[None], np.eye(4), np.array([after]), theta, phi, ratio)
    assert_is_dense(found, 0, y[:, 0], X, np.eye(4), after, theta, phi, ratio)


@pytest.mark.parametrize(("phi", "theta"), [(0.9, 0.4), (-0.3, 0.0), (0.2, 0.7), (0.999, 0.9)])
def test_errors_of_one_size_are_a_stationary_arma(phi, theta):
    expected = arma_covariance(25, phi, theta)
    np.testing.assert_allclose(covariance(25, phi, theta), expected, rtol=1e-9, atol=1e-12)


def test_basis_spans_the_design_and_is_orthonormal():
    basis = Basis(DESIGNS, CONTRASTS)
    for design, columns in zip(DESIGNS, basis.columns, strict=True):
        np.testing.assert_allclose(columns @ columns.T, np.eye(6), atol=1e-13)
        np.testing.assert_allclose(columns.T @ (columns @ design), design, atol=1e-12)


def test_dependent_columns_are_refused_with_their_number():
    X = segmented_design(30, 15)
    doubled = np.column_stack([X, X[:, 1] - 2 * X[:, 2]])
    empty = np.column_stack([X[:, :2], np.zeros(30), X[:, 2:]])
    for design, column in ((doubled, 4), (empty, 2)):
        message = f"linearly dependent: column {column} adds nothing to those"
        with pytest.raises(ValueError, match=message):
            fit_many(np.arange(30.0), design, np.eye(5))


@pytest.mark.parametrize("copies", [1, 2])  # one design by QR, many by Cholesky's factor first
def test_nearly_dependent_columns_are_still_solved(copies):
    X = segmented_design(30, 15)
    X[:, 3] = X[:, 1] + 1e-6 * X[:, 3]
    y = simulate_ar1(np.random.default_rng(2), 30, 0.5)
    node = 0.3, np.array([0.5]), np.ones(1)
    scale = solve_at(y, np.stack([X] * copies), np.eye(4), None, *node)[2]
    expected = dense(y[:, 0], X, np.eye(4), covariance(30, 0.5, 0.3))[2]
    np.testing.assert_allclose(scale[0, :, 0], expected, rtol=1e-6)
