"""The engine against an implementation of its own, and how often its intervals hold the truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from support import independent, independent_law
from support.folders import REFERENCE
from support.independent import effect_rows, fit, segmented_design, simulate_ar1
from support.independent_law import fit_law
from support.sweeps import sweep

from analysis import fit_many
from analysis.engine import errors, reml
from analysis.engine.law import RHO_RANGE
from analysis.engine.mixture import join_months, mixture_cdf, mixture_quantiles
from analysis.engine.reml import integrate

NAMES = ("estimate", "low", "high")
# Calderon's window on the log scale: level, slope and 24 months; median and 95% interval
CALDERON = [
    [-0.218586, -0.399691, -0.032511],
    [0.190385, 0.036415, 0.333203],
    [0.161593, -0.183819, 0.493349],
]
PROCESSES = ["white noise", "AR .9", "local level .02", "AR .95 + noise", "sd doubled"]


def real_window(slug):
    table = pd.read_csv(REFERENCE / "windows.csv").query("window == @slug")
    X = table.loc[:, "const":].to_numpy()
    return table["log_rate"].to_numpy(), X, int((X[:, 2] == 0).sum())


def simulated(n, process, *seed, count=1, after=None):
    X = segmented_design(n, n // 2 if after is None else after)
    rng = np.random.default_rng([n, *seed])
    y = X @ [1, 0.3, -0.5, 1] + independent_law.simulate(rng, n, process, count, after=after).T
    return y.T if count > 1 else y[0], X


def assert_close(found, expected, share, row=0, p=1e-3):
    """Hold a row of a fit against `expected` (m, 4), to a share of the intervals' widths."""
    ours = np.column_stack([getattr(found, name)[row] for name in NAMES])
    width = expected[:, 2] - expected[:, 1]
    assert (abs(ours - expected[:, :3]) < share * width[:, None]).all()
    np.testing.assert_allclose(found.p[row], expected[:, 3], rtol=0, atol=p)


def assert_rows_equal(found, others, share=1e-9):
    for row, other in enumerate(others):
        alone = np.column_stack([getattr(other, name)[0] for name in (*NAMES, "p")])
        assert_close(found, alone, share, row, p=share)


def test_calderons_window_gives_the_declared_intervals():
    y, X, after = real_window("calderon-2006-12")
    found = fit_many(y, X, effect_rows(X.shape[1])[[0, 1, 3]], after=after)
    ours = np.stack([getattr(found, name)[0] for name in NAMES], axis=1)
    width = np.subtract(*np.array(CALDERON).T[[2, 1]])[:, None]
    assert (abs(ours - CALDERON) < 1e-4 * width).all()


@pytest.mark.slow
def test_another_real_window_agrees_with_the_independent_implementation():
    y, X, after = real_window("lopez-obrador-2018-12")
    C = effect_rows(X.shape[1])
    for side, sizes in ((None, (24, 32, 1)), (after, (16, 20, 14))):
        expected = fit_law(y, X, C, after=side, sizes=sizes).summary()
        assert_close(fit_many(y, X, C, after=side), expected, 1e-3)


# The finer grid's own error is 2e-6 of the width to n = 60, 2e-5 at 220 and 4e-4 at 400. In 112
# other series the largest distance was 1.4e-3, and above 1e-3 in six, all of them mostly noise.
@pytest.mark.parametrize("process", sweep(PROCESSES, 4))
@pytest.mark.parametrize(
    "n", [24, *(pytest.param(n, marks=pytest.mark.slow) for n in (60, 100, 220, 400))]
)
def test_a_far_finer_grid_moves_no_end_by_more_than_a_thousandth_of_the_width(n, process):
    after = int(0.85 * n) if process == "sd doubled" else n // 2
    y, X = simulated(n, process, 0, after=after)
    C, sizes = effect_rows(4)[[0, 1, 3]], (16, 24, 16) if n < 100 else (24, 36, 26)
    expected = fit_law(y, X, C, after=after, sizes=sizes).summary()
    assert_close(fit_many(y, X, C, after=after), expected, 1.5e-3 if n > 60 else 1e-3)


@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_left_out_of_the_grid_moves_nothing(monkeypatch, process):
    y, X = simulated(60, process, 1)
    some = integrate(y, X, np.eye(4), after=30)
    monkeypatch.setattr(errors, "TINY", 0)
    every = integrate(y, X, np.eye(4), after=30)
    assert some.weight.shape[1] < every.weight.shape[1]
    width = every.quantile(0.975) - every.quantile(0.025)
    for q in (0.025, 0.5, 0.975):
        ends = [mixture_quantiles([q], *mixture.parts)[0] for mixture in (some, every)]
        assert (abs(np.subtract(*ends)) < 1e-4 * width).all()


SIMULATED = [(n, rho) for n in (12, 30, 100) for rho in (-0.3, 0.5, 0.9, 0.99)]


@pytest.mark.parametrize(("n", "rho"), sweep(SIMULATED, 1, 6, 11))
def test_ar1_errors_are_those_of_the_dense_integral(n, rho):
    X = segmented_design(n, n // 2)
    y = (
        X @ [1, 0.3, -0.5, 1]
        + simulate_ar1(np.random.default_rng([n, int(1e3 + 1e3 * rho)]), n, rho)[:, 0]
    )
    expected = fit(y, X, np.eye(4)).summary()
    parts = integrate(y, X, np.eye(4), law="ar1").parts
    exact = mixture_quantiles([0.5, 0.025, 0.975], *parts)[:, 0].T
    width = expected[:, 2:3] - expected[:, 1:2]
    assert (abs(exact - expected[:, :3]) < 1e-6 * width).all()
    assert_close(fit_many(y, X, np.eye(4), law="ar1"), expected, 1e-3)
    sides = fit_many(y, X, np.eye(4), law="ar1", after=n // 3)  # errors of one size all the same
    assert_close(sides, expected, 1e-3)


WAYS = [{}, {"after": 25}, {"law": "ar1"}]


@pytest.mark.parametrize("options", sweep(WAYS, 0))
@pytest.mark.parametrize("seed", [0, pytest.param(34, marks=pytest.mark.slow)])
def test_series_of_any_size_and_without_any_variation_stand_in_one_batch(seed, options):
    X = segmented_design(80, 40)
    y = np.random.default_rng(seed).standard_normal((80, 60))
    y[:, 3], y[:, 7], y[:, 11] = 0, X @ [2, -1, 0.5, 1], 3.5
    sizes = np.ones(60)
    sizes[[15, 20, 25]] = 1e-100, 1e-12, 1e100
    found = fit_many(y * sizes, X, np.eye(4), **options)
    plain = fit_many(y, X, np.eye(4), **options)
    for name in NAMES:
        ours = getattr(found, name) / sizes[:, None]
        np.testing.assert_allclose(ours, getattr(plain, name), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.estimate[[3, 7, 11], 0], [0, 2, 3.5], atol=1e-12)
    assert np.isnan(found.p[[3, 7, 11]]).all()
    assert np.isfinite(np.delete(found.p, [3, 7, 11], axis=0)).all()


@pytest.mark.parametrize("options", sweep(WAYS, 1))
@pytest.mark.parametrize(  # 4 at a time: the last chunk may hold one
    "count", [*(pytest.param(count, marks=pytest.mark.slow) for count in (2, 8)), 9]
)
def test_many_series_equal_a_loop_over_them_on_any_number_of_threads(monkeypatch, count, options):
    monkeypatch.setattr(reml, "SERIES", 4)
    X = segmented_design(60, 25)
    y = np.hstack([simulate_ar1(np.random.default_rng(5), 60, r, count) for r in (0.2, 0.98)])
    y = y[:, ::2]
    together, threaded = (fit_many(y, X, np.eye(4), jobs=jobs, **options) for jobs in (1, 2))
    assert together.estimate.shape == (count, 4)
    for name in (*NAMES, "p"):
        np.testing.assert_array_equal(getattr(together, name), getattr(threaded, name))
    for end, name in zip(reml.find_ends(y, X, np.eye(4), **options), NAMES[1:], strict=True):
        np.testing.assert_allclose(end, getattr(together, name), rtol=1e-12)
    assert_rows_equal(together, (fit_many(v, X, np.eye(4), **options) for v in y.T), 1e-3)


@pytest.mark.parametrize(
    "after",
    [*(pytest.param(after, marks=pytest.mark.slow) for after in (None, 25)), list(range(20, 25))],
)
def test_many_designs_equal_a_loop_over_them(monkeypatch, after):
    monkeypatch.setattr(reml, "DESIGNS", 4)
    y, _ = simulated(60, "AR .8", 2)
    designs = np.stack([segmented_design(60, first) for first in range(20, 25)])
    C = effect_rows(4)
    sides = after if isinstance(after, list) else [after] * 5
    alone = [fit_many(y, X, C, after=side) for X, side in zip(designs, sides, strict=True)]
    assert_rows_equal(fit_many(y, designs, C, after=after), alone, 1e-3)
    # at the same nodes there is no difference at all
    monkeypatch.setattr(errors, "TINY", 0)
    alone = [fit_many(y, X, C, after=side) for X, side in zip(designs, sides, strict=True)]
    assert_rows_equal(fit_many(y, designs, C, after=after), alone, 1e-8)


@pytest.mark.parametrize("confidence", sweep([0.5, 0.9, 0.99], 1))
def test_interval_holds_its_confidence(confidence):
    y, X = simulated(60, "AR .9", 3)
    found = fit_many(y, X, np.eye(4), after=30, confidence=confidence)
    expected = fit_law(y, X, np.eye(4), after=30, sizes=(16, 24, 16))
    tail = (1 - confidence) / 2
    for column in range(4):
        near = pytest.approx(tail, rel=0.02)
        assert expected.cdf(found.low[0, column], column) == near
        assert 1 - expected.cdf(found.high[0, column], column) == near


def test_turning_the_sign_mirrors_the_interval_and_keeps_p():
    y, X, after = real_window("calderon-2006-12")
    up, down = (fit_many(sign * y, X, effect_rows(8), after=after) for sign in (1, -1))
    for ours, mirrored in (("low", "high"), ("high", "low"), ("estimate", "estimate")):
        np.testing.assert_allclose(getattr(down, ours), -getattr(up, mirrored), rtol=1e-6)
    np.testing.assert_allclose(down.p, up.p, rtol=1e-6)
    assert ((up.p < 0.05) == (up.low * up.high > 0)).all()
    assert up.p.min() < 0.05 < up.p.max()


MOVES = [(1, [1e7, 0, 0, 0]), (1, [0, 1e6, 0, 0]), (1, [5, 2, 3, -1])]
MOVES += [(factor, [0, 0, 0, 0]) for factor in (1e-12, 1e-3, 1e12)]


@pytest.mark.parametrize(("factor", "b"), sweep(MOVES, 0, 2, 5))
@pytest.mark.parametrize("options", WAYS)
def test_constants_lines_and_factors_move_only_what_they_must(factor, b, options):
    y, X = simulated(60, "AR .8", 4, count=3)
    kept = y.copy(), X.copy()
    plain, moved = (
        fit_many(v, X, np.eye(4), **options) for v in (y, factor * y + (X @ b)[:, None])
    )
    for name in NAMES:
        apart = (getattr(moved, name) - b) / factor - getattr(plain, name)
        assert (abs(apart) < 1e-7 * (plain.high - plain.low)).all()
    if not any(b):
        np.testing.assert_allclose(moved.p, plain.p, rtol=1e-9)
    assert all(map(np.array_equal, (y, X), kept))


@pytest.mark.slow
def test_log_marginals_are_those_of_a_far_finer_grid():
    y, _ = simulated(30, "AR .8", 5)
    designs = np.stack([segmented_design(30, first) for first in (9, 20)])
    for after in (None, 5):
        sizes = (20, 28, 20 if after else 1)
        expected = [fit_law(y, X, ALL, after=after, sizes=sizes).log_marginal for X in designs]
        found = integrate(y, designs, ALL, after=after).log_marginal
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-3)


def test_log_marginal_of_ar1_errors_is_the_integral_of_the_restricted_likelihood():
    (y, X), (low, high) = simulated(30, "AR .8", 5), RHO_RANGE
    assert (low, high) == independent.RHO == (-0.5, 0.995)
    area = quad(lambda rho: np.exp(independent.restricted_loglik(y, X, rho)), low, high)[0]
    found = integrate(y, X, np.eye(4), law="ar1").log_marginal[0]
    assert found == pytest.approx(np.log(area / (high - low)), abs=1e-7)


def test_months_of_a_shift_weigh_the_same():
    y, _ = simulated(60, "AR .8", 6)
    parts = [integrate(y, segmented_design(60, a), np.eye(4), after=a) for a in (20, 30)]
    joined, x = join_months(parts), np.array([[0.1, 0.2, 0.3, 0.4]])
    whole, *each = (mixture_cdf(x, *mixture.parts)[0] for mixture in (joined, *parts))
    np.testing.assert_allclose(whole, np.mean(each, axis=0), rtol=1e-12)
    assert joined.weight.sum() == pytest.approx(1)
    assert len(joined.noise) == joined.weight.shape[1] == sum(len(part.phi) for part in parts)


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("coefficients", [[2.0, -0.3, 1.5, 0.25], [5.0, 2.0, 3.0, 0.0]])
def test_exact_line_gives_exact_estimates_and_no_p(coefficients, options):
    X = segmented_design(60, 25)
    noise = simulate_ar1(np.random.default_rng(2), 60, 0.4)[:, 0]
    found = fit_many(np.column_stack([X @ coefficients, noise]), X, np.eye(4), **options)
    np.testing.assert_array_equal(found.low[0], found.estimate[0])
    np.testing.assert_array_equal(found.high[0], found.estimate[0])
    np.testing.assert_allclose(found.estimate[0], coefficients, rtol=0, atol=1e-9)
    assert np.isnan(found.p[0]).all()
    alone = fit_many(noise, X, np.eye(4), **options)
    assert_close(found, np.column_stack([getattr(alone, n)[0] for n in (*NAMES, "p")]), 1e-3, 1)


Y, X12, ALL = np.arange(12.0) ** 2, segmented_design(12, 6), np.eye(4)
HOLE = np.where(np.arange(12) == 3, np.nan, Y)
ENDLESS = X12 + np.r_[np.inf, np.zeros(11)][:, None]
BAD = {
    "rows differ": ((Y[:11], X12, ALL), r"expected outcomes \(n,\).*found \(11,\), \(12, 4\)"),
    "no series": ((np.empty((12, 0)), X12, ALL), r"found \(12, 0\)"),
    "contrasts too short": ((Y, X12, np.eye(3)), "contrasts need 4 columns.*found 3"),
    "both many": ((np.c_[Y, Y], np.stack([X12, X12]), ALL), "loop over one"),
    "too few": ((Y[:6], X12[3:9], ALL), "6 periods are too few for 4 coefficients.*7 are"),
    "missing outcome": ((HOLE, X12, ALL), "outcomes must be finite"),
    "infinite design": ((Y, ENDLESS, ALL), "design must be"),
    "missing contrast": ((Y, X12, np.full(4, np.nan)), "contrasts must be finite"),
    "dependent columns": ((Y, X12[:, [0, 1, 1, 2]], ALL), "column 2 adds nothing"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    arguments, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        fit_many(*arguments)


BAD_OPTIONS = {f"after {bad}": ({"after": bad}, "whole number from 1 to 11") for bad in (0, 12, -1)}
BAD_OPTIONS |= {f"after {bad}": ({"after": bad}, "from 1 to 11") for bad in (1.5, True, [6, 0])}
BAD_OPTIONS |= {
    "too many sides": ({"after": [5, 6, 7]}, "one number, or one for each of 1 designs"),
    "no side": ({"after": []}, "one number, or one for each"),
    "law": ({"law": "ar2"}, r"law must be one of \['ar1_noise', 'ar1'\]; found 'ar2'"),
    "threads": ({"jobs": 0}, "whole number from 1 up; found 0"),
}
BAD_OPTIONS |= {
    f"confidence {bad}": ({"confidence": bad}, f"above 0 and below 1; found {bad}")
    for bad in (0, 1, 95, float("nan"))
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_option_is_refused(name):
    options, message = BAD_OPTIONS[name]
    with pytest.raises(ValueError, match=message):
        fit_many(Y, X12, ALL, **options)


SIMULATIONS = 1_000
# The published table holds per cent for level and slope where the shift is in the middle and n is
# 100; ours have to be at least these, less 3 Monte Carlo errors of both.
COVERAGE = {
    "AR .8": (94, 95),
    "local level .02": (92, 87),
    "local level .2": (92, 87),
    "AR .95 + noise": (94, 92),
    "sd doubled": (95, 95),
}


@pytest.mark.slow
@pytest.mark.parametrize("process", COVERAGE)
def test_intervals_hold_the_truth_as_often_as_published(process):
    """1,000 series: a Monte Carlo error of 0.7 points at 95%, 1.1 at 87%."""
    y, X = simulated(100, process, 8, count=SIMULATIONS)
    fits = fit_many(y, X, np.eye(4)[2:], after=50)
    truth, published = np.array([-0.5, 1.0]), np.array(COVERAGE[process])
    found = 100 * ((fits.low <= truth) & (fits.high >= truth)).mean(axis=0)
    error = np.sqrt(published * (100 - published) / SIMULATIONS)
    print(f"{process}: level {found[0]:.1f}%, slope {found[1]:.1f}% (+-{error.max():.1f})")
    assert (found >= published - 3 * np.sqrt(2) * error).all()
    centre = fits.estimate.std(axis=0) / np.sqrt(SIMULATIONS)
    assert (abs(fits.estimate.mean(axis=0) - truth) < 4 * centre).all()


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.4, 0.9])
def test_intervals_of_ar1_errors_hold_the_truth_where_that_is_the_law(rho):
    """4,000 series: a Monte Carlo error of 0.34 points."""
    X = segmented_design(100, 50)
    y = simulate_ar1(np.random.default_rng(9), 100, rho, 4_000)
    fits = fit_many(y, X, np.eye(4)[2:], law="ar1")
    found = 100 * ((fits.low <= 0) & (fits.high >= 0)).mean(axis=0)
    print(f"rho {rho}: level {found[0]:.1f}%, slope {found[1]:.1f}%")
    assert (abs(found - 95) < 3 * 0.34 + 1.5).all()


@pytest.mark.slow
def test_a_late_doubling_of_the_sd_widens_the_intervals_only_if_the_size_may_change():
    y, X = simulated(100, "sd doubled", 10, count=SIMULATIONS, after=88)
    held = []
    for options in ({"after": 88}, {"law": "ar1"}):
        fits = fit_many(y, X, np.eye(4)[2:], **options)
        held.append(100 * ((fits.low <= [-0.5, 1]) & (fits.high >= [-0.5, 1])).mean(axis=0))
    print(held)
    assert (held[0] > 88).all()  # published: 91/94
    assert (held[1] < 82).all()  # published: 76/76
