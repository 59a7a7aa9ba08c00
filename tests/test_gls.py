import numpy as np
import pytest
from independent import segmented_design, simulate_ar1, whitening_matrix

from analysis.gls import Basis, step_of_designs, step_of_series, whiten

RHO = np.array([-0.45, 0.0, 0.3, 0.9, 0.994])
CONTRASTS = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 2]])


def designs():
    return np.stack([segmented_design(30, first) for first in (9, 15, 20)])


def precision(n, rho):
    W = whitening_matrix(n, rho)
    return W.T @ W


def test_three_periods_are_whitened_as_by_hand():
    x = np.array([5.0, 2.0, 7.0])
    expected = [4.0, 2.0 - 0.6 * 5.0, 7.0 - 0.6 * 2.0]  # the first: 5 sqrt(1 - 0.36)
    np.testing.assert_allclose(whiten(x, 0.6), expected, rtol=1e-15)
    np.testing.assert_allclose(
        whiten(np.column_stack([x, 2 * x]), 0.6)[:, 1], 2 * np.array(expected)
    )
    assert x.tolist() == [5.0, 2.0, 7.0]


def test_whitening_takes_the_ar1_correlation_out():
    for rho in RHO:
        n = 6
        covariance = rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / (1 - rho**2)
        W = whiten(np.eye(n), rho)
        np.testing.assert_allclose(W @ covariance @ W.T, np.eye(n), atol=1e-9)


def test_basis_spans_the_design_and_is_orthonormal():
    X = designs()
    basis = Basis(X, CONTRASTS, RHO)
    for design, columns in zip(X, basis.columns, strict=True):
        np.testing.assert_allclose(columns.T @ columns, np.eye(4), atol=1e-13)
        np.testing.assert_allclose(columns @ (columns.T @ design), design, atol=1e-12)


def test_solve_is_the_inverse_of_the_dense_information_matrix():
    rng = np.random.default_rng(0)
    basis = Basis(designs(), CONTRASTS, RHO)
    v = rng.standard_normal((3, len(RHO), 4, 2))
    found = basis.solve(v)
    for d, g in np.ndindex(3, len(RHO)):
        information = basis.columns[d].T @ precision(30, RHO[g]) @ basis.columns[d]
        np.testing.assert_allclose(information @ found[d, g], v[d, g], atol=1e-10)


def test_contrast_variance_agrees_with_dense_matrices():
    X = designs()
    found = Basis(X, CONTRASTS, RHO).contrast_variance()
    for d, g in np.ndindex(3, len(RHO)):
        inverse = np.linalg.inv(X[d].T @ precision(30, RHO[g]) @ X[d])
        np.testing.assert_allclose(
            found[d, :, g], np.diag(CONTRASTS @ inverse @ CONTRASTS.T), rtol=1e-9
        )


def test_log_determinant_moves_with_rho_as_that_of_dense_matrices():
    X = designs()
    found = Basis(X, CONTRASTS, RHO).log_det
    for d, design in enumerate(X):
        dense = [np.linalg.slogdet(design.T @ precision(30, rho) @ design)[1] for rho in RHO]
        np.testing.assert_allclose(found[d] - found[d, 1], np.array(dense) - dense[1], atol=1e-10)


@pytest.mark.parametrize("step", [step_of_designs, step_of_series])
def test_step_from_ols_to_gls_agrees_with_dense_matrices(step):
    X = designs()[:1]
    y = simulate_ar1(np.random.default_rng(1), 30, 0.7)[:, 0]
    ols = np.linalg.lstsq(X[0], y, rcond=None)[0]
    residual = y - X[0] @ ols
    basis = Basis(X, CONTRASTS, RHO)
    inputs = np.concatenate([basis.lagged[0].T @ residual, residual[[0, -1]]])[None, :, None]
    found, part = step(basis, inputs, RHO)
    for g, rho in enumerate(RHO):
        P = precision(30, rho)
        gls = np.linalg.solve(X[0].T @ P @ X[0], X[0].T @ P @ y)
        np.testing.assert_allclose(found[0, :, g], CONTRASTS @ (gls - ols), atol=1e-10)
        rss = (y - X[0] @ gls) @ P @ (y - X[0] @ gls)
        ols_part = (1 + rho**2) * residual @ residual - 2 * rho * residual[1:] @ residual[:-1]
        assert ols_part + part[0, g] == pytest.approx(rss, abs=1e-10)


def test_dependent_columns_are_refused_with_their_number():
    X = segmented_design(30, 15)
    doubled = np.column_stack([X, X[:, 1] - 2 * X[:, 2]])[None]
    with pytest.raises(ValueError, match=r"linearly dependent: column 4 adds nothing to those"):
        Basis(doubled, np.eye(5), RHO)
    empty = np.column_stack([X[:, :2], np.zeros(30), X[:, 2:]])[None]
    with pytest.raises(ValueError, match="column 2 adds nothing"):
        Basis(empty, np.eye(5), RHO)


def test_nearly_dependent_columns_are_still_solved():
    X = segmented_design(30, 15)
    X[:, 3] = X[:, 1] + 1e-6 * X[:, 3]
    found = Basis(X[None], np.eye(4), np.array([0.5])).contrast_variance()[0, :, 0]
    W = whitening_matrix(30, 0.5) @ X
    R = np.linalg.qr(W, mode="r")
    expected = (np.linalg.inv(R) ** 2).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
