from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.signal import lfilter
from scipy.stats import t as student
from support.folders import ROOT
from support.independent import restricted_loglik, segmented_design, simulate_ar1, whitening_matrix

from analysis.engine.optimise import EstimatorError
from analysis.engine.processes import PROCESSES, process_filter, simulate_errors
from analysis.validation import coverage
from analysis.validation.coverage import CALIBRATED, COLUMNS, Cell, coverage_table, lay_out_coverage

RECORD = pd.read_csv(ROOT / "benchmarks" / "calibration.csv")

# The published table: level / slope in percent, 2,000 series a cell, rounded to whole percents.
PUBLISHED_ESTIMATORS = ("ols", "newey_west", "reml_plugin", "reml")
PUBLISHED = {
    (48, 0.4): ((82, 80), (81, 80), (93, 93), (95, 97)),
    (48, 0.8): ((57, 46), (67, 55), (93, 88), (94, 95)),
    (100, 0.4): ((81, 80), (86, 86), (95, 94), (95, 95)),
    (100, 0.8): ((49, 45), (69, 64), (93, 91), (94, 95)),
    (100, 0.9): ((39, 32), (60, 52), (94, 88), (93, 95)),
    (156, 0.9): ((38, 32), (61, 52), (94, 90), (94, 95)),
}


def impulse_response(process, rho, length=20_000):
    return lfilter(*process_filter(process, rho), np.eye(1, length)[0])


def innovations(errors, process, rho):
    """Undo the filter, the first year apart."""
    moving, autoregressive = process_filter(process, rho)
    return lfilter(autoregressive, moving, errors, axis=0)[24:]


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.4, 0.9, 0.97])
@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_has_the_lag_one_autocorrelation_it_promises(process, rho):
    psi = impulse_response(process, rho)
    assert psi[1:] @ psi[:-1] / (psi @ psi) == pytest.approx(rho, abs=1e-9)
    assert abs(psi[-1]) < 1e-9  # stationary


def test_filters_are_those_of_the_docstring():
    assert [part.tolist() for part in process_filter("ar1", 0.6)] == [[1], [1, -0.6]]
    np.testing.assert_allclose(process_filter("ar2", 0.6)[1], [1, -0.42, -0.3])
    moving, autoregressive = process_filter("arma", 0.4)
    assert moving.tolist() == [1, -0.3]
    assert autoregressive[1] < -0.4  # more memory than the first autocorrelation shows
    seasonal = process_filter("seasonal_ar", 0.6)[1]
    assert len(seasonal) == 14
    assert seasonal[12] == -0.4
    assert seasonal[13] == pytest.approx(-0.4 * seasonal[1])


@pytest.mark.parametrize("process", ["ar1", "ar2", "arma", "seasonal_ar", "heavy_tails"])
def test_series_are_stationary_from_their_first_month(process):
    errors = simulate_errors(process, 60, 20_000, np.random.default_rng(4), rho=0.8)
    variance = (impulse_response(process, 0.8) ** 2).sum()
    # Standard error of a variance from 20,000 normal values: 1%; heavier tails need more room.
    tolerance = 0.25 if process == "heavy_tails" else 0.04
    assert errors.shape == (60, 20_000)
    for month in (0, 1, 30, 59):
        assert errors[month].var() == pytest.approx(variance, rel=tolerance)
    lagged = (errors[1:] * errors[:-1]).mean() / (errors**2).mean()
    assert lagged == pytest.approx(0.8, abs=0.01)


def test_variance_changes_at_the_shift():
    chosen = {"rho": 0.6, "shift_at": 50}
    errors = simulate_errors("variance_change", 100, 4000, np.random.default_rng(5), **chosen)
    spread = innovations(errors, "variance_change", 0.6).std(axis=1)  # standard error 1.1%
    np.testing.assert_allclose(spread[:26], 1, rtol=0.06)  # months 24 to 49
    np.testing.assert_allclose(spread[26:], 2, rtol=0.06)
    middle = simulate_errors("variance_change", 100, 4000, np.random.default_rng(5), rho=0.6)
    np.testing.assert_array_equal(middle, errors)


def test_heavy_tails_are_student_with_three_degrees_of_freedom():
    errors = simulate_errors("heavy_tails", 100, 4000, np.random.default_rng(6), rho=0.6)
    e = abs(innovations(errors, "heavy_tails", 0.6)).ravel()
    for bound in (1, 3, 6):
        expected = 2 * student.sf(bound * np.sqrt(3), 3)
        assert (e > bound).mean() == pytest.approx(expected, rel=0.1)


def test_more_series_leave_the_first_as_they_were():
    few = simulate_errors("arma", 30, 5, np.random.default_rng(7), rho=0.5)
    many = simulate_errors("arma", 30, 50, np.random.default_rng(7), rho=0.5)
    np.testing.assert_array_equal(many[:, :5], few)


def test_table_is_long_with_a_row_for_each_estimand():
    cells = [Cell("ar1", 48, 0.4), ("ar2", 60, 0.0)]
    table = coverage_table(cells, estimators=("reml", "ols"), simulations=50)
    assert table.columns.tolist() == COLUMNS
    assert len(table) == 2 * 2 * 2
    assert table["estimand"].tolist() == ["level", "slope"] * 4
    assert (table["simulations"] == 50).all()
    share = table["coverage"] / 100
    np.testing.assert_allclose(table["mc_error"], 100 * np.sqrt(share * (1 - share) / 50))


def test_layout_reads_level_and_slope_in_whole_percent():
    rows = [
        ["ar2", 48, 0.4, "reml", "level", 94.6, 0.5, 100, 0],
        ["ar2", 48, 0.4, "reml", "slope", 80.2, 0.5, 100, 0],
        ["ar2", 48, 0.4, "ols", "level", 71.0, 0.5, 100, 0],
        ["ar2", 48, 0.4, "ols", "slope", 8.0, 0.5, 100, 0],
        ["ar1", 48, 0.4, "ols", "level", 62.0, 0.5, 100, 0],
        ["ar1", 48, 0.4, "ols", "slope", 60.0, 0.5, 100, 0],
    ]
    found = lay_out_coverage(pd.DataFrame(rows, columns=COLUMNS))
    assert found.columns.tolist() == ["reml", "ols"]
    assert found.index.tolist() == [("ar2", 48, 0.4), ("ar1", 48, 0.4)]
    assert found.to_numpy().tolist() == [["95 / 80", "71 / 8"], ["", "62 / 60"]]


def test_ols_covers_white_noise_exactly():
    table = coverage_table([("ar1", 30, 0.0)], estimators=("ols",), simulations=20_000)
    assert (abs(table["coverage"] - 95) < 4 * 100 * np.sqrt(0.95 * 0.05 / 20_000)).all()


def test_every_estimator_answers():
    names = [name for name in CALIBRATED if name != "arima"]  # slow; it answers below
    table = coverage_table([("ar1", 60, 0.3)], estimators=names, simulations=20)
    assert table["estimator"].unique().tolist() == names
    assert (table["failures"] == 0).all()
    assert (table["coverage"] >= 60).all()


# What lets one set of series without a shift stand for every true effect.
@pytest.mark.parametrize(
    "name", [name for name in CALIBRATED if name not in ("quasi_poisson", "negative_binomial")]
)
def test_a_shift_moves_every_interval_by_itself(name):
    X, C = segmented_design(72, 36), np.eye(4)[2:]
    errors = simulate_ar1(np.random.default_rng(8), 72, 0.5, 3)
    truth = np.array([4.0, -0.5, 1.5, -2.0])
    ends = np.array(coverage._intervals(name, errors, X, C))
    moved = np.array(coverage._intervals(name, errors + (X @ truth)[:, None], X, C))
    tolerance = 1e-3 * (ends[1] - ends[0])  # what optimisers leave
    assert (abs(moved - ends - truth[2:]) < tolerance).all()


def test_plugged_in_rho_is_the_maximum_of_the_restricted_likelihood():
    X, C = segmented_design(60, 30), np.eye(4)[2:]
    y = simulate_ar1(np.random.default_rng(9), 60, 0.6, 1)
    low, high = coverage._intervals("reml_plugin", y, X, C)
    options = {"bounds": (-0.5, 0.99), "method": "bounded"}
    best = minimize_scalar(lambda rho: -restricted_loglik(y[:, 0], X, rho), **options).x
    W = whitening_matrix(60, best)
    b, rss = np.linalg.lstsq(W @ X, W @ y[:, 0], rcond=None)[:2]
    se = np.sqrt(rss[0] / 56 * np.diag(np.linalg.inv(X.T @ W.T @ W @ X))[2:])
    reach = student.ppf(0.975, 56) * se
    step = 0.03  # of the interval's half width: rho is one of 200 values
    np.testing.assert_allclose(low[0], b[2:] - reach, atol=step * reach.min())
    np.testing.assert_allclose(high[0], b[2:] + reach, atol=step * reach.min())


def test_failures_are_counted_and_left_out(monkeypatch):
    answer = coverage.LINEAR["newey_west"]

    def refuse_half(y, X):
        if y[0] > 0:
            raise EstimatorError("no answer")
        return answer(y, X)

    cell = [("ar1", 48, 0.4)]
    whole = coverage_table(cell, estimators=("newey_west",), simulations=60)
    monkeypatch.setitem(coverage.LINEAR, "newey_west", refuse_half)
    half = coverage_table(cell, estimators=("newey_west",), simulations=60)
    assert (whole["failures"] == 0).all()
    assert half["failures"].between(15, 45).all()
    assert (half["coverage"] > 60).all()  # of those that answered
    monkeypatch.setitem(coverage.LINEAR, "newey_west", lambda y, X: refuse_half(np.ones_like(y), X))
    none = coverage_table(cell, estimators=("newey_west",), simulations=60)
    assert (none["failures"] == 60).all()
    assert none["coverage"].isna().all()


def test_cells_and_estimators_do_not_depend_on_their_company():
    chosen = {"estimators": ("ols",), "simulations": 100}
    alone = coverage_table([("ar1", 60, 0.8)], **chosen)
    both = {"estimators": ("reml", "ols"), "simulations": {"reml": 300, "ols": 100}}
    together = coverage_table([("ar1", 48, 0.4), ("ar1", 60, 0.8)], **both)
    row = together[(together["n"] == 60) & (together["estimator"] == "ols")]
    pd.testing.assert_frame_equal(row.reset_index(drop=True), alone)
    other = coverage_table([("ar1", 60, 0.8)], **chosen, seed=1)
    assert (other["coverage"] != alone["coverage"]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cells": [("ma1", 48, 0.4)]}, "unknown process 'ma1'; use one of"),
        ({"cells": [("ar1", 48, 1.0)]}, "rho must lie between -1 and 1; found 1.0"),
        ({"estimators": ("gee",)}, r"unknown estimators \['gee'\]; choose of"),
        ({"estimators": ()}, "choose of"),
        ({"simulations": 5}, "whole number from 20 to 1,000,000; found 5"),
        ({"simulations": {"ols": 100}}, r"no number for \['reml'\]; add one"),
    ],
)
def test_what_cannot_be_used_is_named(arguments, message):
    usable = {"cells": [("ar1", 48, 0.4)], "estimators": ("reml", "ols"), "simulations": 20}
    with pytest.raises(ValueError, match=message):
        coverage_table(**usable | arguments)


def test_a_shift_outside_the_series_is_refused():
    with pytest.raises(ValueError, match="shift_at must lie between 1 and 47; found 48"):
        simulate_errors("ar1", 48, 1, np.random.default_rng(0), rho=0.4, shift_at=48)


@pytest.mark.parametrize("cell", [("ar2", 100, 0.8), ("variance_change", 100, 0.4)])
def test_record_is_what_the_package_says(cell):
    found = coverage_table([cell], estimators=("ols",), simulations=20_000)
    key = RECORD.set_index(["process", "n", "rho", "estimator"]).sort_index()
    rows = key.loc[(*cell, "ols")].set_index("estimand").loc[["level", "slope"]]
    assert (rows["simulations"] == 20_000).all()
    np.testing.assert_allclose(found["coverage"], rows["coverage"], atol=0.011)


def test_record_agrees_with_the_published_table():
    record = RECORD[RECORD["process"] == "ar1"].set_index(["n", "rho", "estimator", "estimand"])
    names = list(product(PUBLISHED_ESTIMATORS, ("level", "slope")))
    for cell, columns in PUBLISHED.items():
        for name, published in zip(names, np.ravel(columns), strict=True):
            found = record.loc[(*cell, *name)]
            error = np.hypot(100 * np.sqrt(published / 100 * (1 - published / 100) / 2000), 0.29)
            error = np.hypot(error, found["mc_error"])  # 0.29: of rounding to whole percents
            assert abs(found["coverage"] - published) < 3 * error + 0.2, (cell, name)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rho"), [(72, 0.3), (120, 0.7), (200, 0.6), (60, 0.0)])
def test_headline_covers_at_settings_outside_the_table(n, rho):
    table = coverage_table([("ar1", n, rho)], estimators=("reml",), simulations=10_000, seed=5)
    print(table.to_string())
    # A point more: the uniform prior of rho is not the one value that was simulated.
    assert (abs(table["coverage"] - 95) < 4 * 100 * np.sqrt(0.95 * 0.05 / 10_000) + 1).all()


@pytest.mark.slow
def test_newey_west_covers_two_thirds_at_strong_autocorrelation():
    options = {"estimators": ("newey_west",), "simulations": 4000, "seed": 5}
    table = coverage_table([("ar1", 100, 0.8)], **options)
    print(table.to_string())
    error = 100 * np.sqrt(0.67 * 0.33 * (1 / 4000 + 1 / 2000))
    assert (abs(table["coverage"] - [69, 64]) < 4 * error + 0.5).all()
