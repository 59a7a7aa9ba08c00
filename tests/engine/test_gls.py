import numpy as np
import pytest
from support.independent import ar1_correlation, segmented_design, simulate_ar1, whitening_matrix

from analysis.engine.gls import Basis, neighbours, solve_designs, solve_series, whiten

RHO = np.array([-0.45, 0.0, 0.3, 0.9, 0.994])
DESIGNS = np.stack([segmented_design(30, first) for first in (9, 15, 20)])
CONTRASTS = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 2]])


def test_three_periods_are_whitened_as_by_hand():
    x = np.array([5.0, 2.0, 7.0])
    expected = [4.0, 2.0 - 0.6 * 5.0, 7.0 - 0.6 * 2.0]  # the first: 5 sqrt(1 - 0.36)
    np.testing.assert_allclose(whiten(x, 0.6), expected, rtol=1e-15)
    both = whiten(np.column_stack([x, 2 * x]), 0.6)
    np.testing.assert_allclose(both[:, 1], 2 * np.array(expected))
    assert x.tolist() == [5.0, 2.0, 7.0]


def test_whitening_takes_the_ar1_correlation_out():
    for rho in RHO:
        covariance = ar1_correlation(6, rho) / (1 - rho**2)
        W = whiten(np.eye(6), rho)
        np.testing.assert_allclose(W @ covariance @ W.T, np.eye(6), atol=1e-9)


def test_basis_spans_the_design_and_is_orthonormal():
    basis = Basis(DESIGNS, CONTRASTS)
    for design, columns in zip(DESIGNS, basis.columns, strict=True):
        np.testing.assert_allclose(columns.T @ columns, np.eye(4), atol=1e-13)
        np.testing.assert_allclose(columns @ (columns.T @ design), design, atol=1e-12)


@pytest.mark.parametrize("solve", [solve_designs, solve_series])
def test_generalised_least_squares_agree_with_dense_matrices(solve):
    y = simulate_ar1(np.random.default_rng(1), 30, 0.7)[:, 0]
    groups = [DESIGNS] if solve is solve_designs else np.split(DESIGNS, 3)
    for group in groups:
        basis = Basis(group, CONTRASTS)
        ols = np.stack([np.linalg.lstsq(design, y, rcond=None)[0] for design in group])
        residual = (y - np.einsum("dnk,dk->dn", group, ols))[..., None]
        lagged = basis.columns.swapaxes(1, 2) @ neighbours(residual)
        solved = solve(basis, lagged, residual[:, [0, -1]], RHO)
        for d, g in np.ndindex(len(group), len(RHO)):
            W, design, r = whitening_matrix(30, RHO[g]), group[d], residual[d, :, 0]
            P = W.T @ W
            information = design.T @ P @ design
            gls = np.linalg.solve(information, design.T @ P @ y)
            inverse = np.linalg.inv(information)
            np.testing.assert_allclose(solved.step[d, :, g], CONTRASTS @ (gls - ols[d]), atol=1e-9)
            rss = (y - design @ gls) @ P @ (y - design @ gls)
            ols_part = (1 + RHO[g] ** 2) * r @ r - 2 * RHO[g] * r[1:] @ r[:-1]
            assert ols_part + solved.rss[d, g] == pytest.approx(rss, abs=1e-9)
            variance = np.diag(CONTRASTS @ inverse @ CONTRASTS.T)
            np.testing.assert_allclose(solved.variance[d, :, g], variance, rtol=1e-9)
            log_det = np.linalg.slogdet(information)[1]
            assert solved.log_det[d, g] == pytest.approx(log_det, abs=1e-9)


def test_dependent_columns_are_refused_with_their_number():
    X = segmented_design(30, 15)
    doubled = np.column_stack([X, X[:, 1] - 2 * X[:, 2]])
    empty = np.column_stack([X[:, :2], np.zeros(30), X[:, 2:]])
    for design, column in ((doubled, 4), (empty, 2)):
        message = f"linearly dependent: column {column} adds nothing to those"
        with pytest.raises(ValueError, match=message):
            Basis(design[None], np.eye(5))


def test_nearly_dependent_columns_are_still_solved():
    X = segmented_design(30, 15)
    X[:, 3] = X[:, 1] + 1e-6 * X[:, 3]
    zero = np.zeros((1, 4, 1)), np.zeros((1, 2, 1))
    found = solve_designs(Basis(X[None], np.eye(4)), *zero, np.array([0.5])).variance[0, :, 0]
    R = np.linalg.qr(whitening_matrix(30, 0.5) @ X, mode="r")
    np.testing.assert_allclose(found, (np.linalg.inv(R) ** 2).sum(axis=1), rtol=1e-6)
