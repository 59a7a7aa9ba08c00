"""Generalised least squares by the engine's sums, at given laws of the errors."""

import numpy as np

from analysis.engine.gls import Basis, add_up, lag, look, solve, split_periods, turn, weigh


def solve_at(y, X, C, after, theta, phi, ratio):
    """Restricted log-likelihood (J, R), means and scales (J, m, R) by the engine's sums."""
    basis, theta, J = Basis(X, C), np.array([theta]), len(phi)
    ols, left = basis.take_out(y)
    periods = split_periods(len(y), after)
    lagged = lag(basis.columns, periods, theta)
    sums = add_up(lagged, left, periods, theta)
    turned = turn(basis, lagged, theta, phi[None])
    seen = look(turned, sums)
    rows = len(ols)
    place = np.arange(len(X) * J * left.shape[1])
    each = np.repeat(np.tile(ratio, len(X)), left.shape[1])[None]
    step, rss, variance = (
        np.moveaxis(x.reshape(-1, len(X), J, left.shape[1]), 2, 0).reshape(J, -1, rows)
        for x in solve(turned, seen, place, each)
    )
    by_weigh, log_det = weigh(turned, seen, ratio)
    j = np.arange(J)
    v = 0 * j if after is None else j  # of errors of one size there is one ratio
    np.testing.assert_allclose(
        np.moveaxis(by_weigh[:, j, v], 1, 0).reshape(J, rows), rss[:, 0], rtol=1e-9
    )
    df = len(y) - X.shape[2]
    late = 0 if after is None else periods[:, 1].sum(axis=1)
    log_det = log_det[:, j, v].T + basis.log_size + 2 * late * np.log(ratio)[:, None]
    scale = np.sqrt(rss * variance / df)
    unit = np.exp2(basis.power).T
    return -0.5 * (df * np.log(rss[:, 0]) + log_det), (ols.T + step) * unit, scale * unit
