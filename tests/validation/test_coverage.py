from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from support import independent
from support.folders import ROOT
from support.independent import segmented_design, simulate_ar1
from support.independent_law import fit_law
from support.sweeps import sweep

from analysis.engine.optimise import EstimatorError
from analysis.mexico.shifts import load_policy_shifts
from analysis.validation import coverage
from analysis.validation.coverage import CALIBRATED, COLUMNS, Cell, coverage_table, lay_out_coverage

RECORD = pd.read_csv(ROOT / "benchmarks" / "calibration.csv")
WINDOWS = pd.read_csv(ROOT / "benchmarks" / "windows.csv")

# The published table: level / slope in percent, 2,000 series a cell, rounded to whole percents.
PUBLISHED_ESTIMATORS = ("ols", "newey_west", "reml_ar1")
PUBLISHED = {
    (48, 0.4): ((82, 80), (81, 80), (95, 97)),
    (48, 0.8): ((57, 46), (67, 55), (94, 95)),
    (100, 0.4): ((81, 80), (86, 86), (95, 95)),
    (100, 0.8): ((49, 45), (69, 64), (94, 95)),
    (100, 0.9): ((39, 32), (60, 52), (93, 95)),
    (156, 0.9): ((38, 32), (61, 52), (94, 95)),
}


def test_table_is_long_with_a_row_for_each_estimand():
    cells = [Cell("ar1", 48, 0.4), ("ar2", 60, 0.0, "late")]
    table = coverage_table(cells, estimators=("reml", "ols"), simulations=20)
    assert table.columns.tolist() == COLUMNS
    assert len(table) == 2 * 2 * 2
    assert table["estimand"].tolist() == ["level", "slope"] * 4
    assert table["place"].tolist() == ["middle"] * 4 + ["late"] * 4
    assert (table["simulations"] == 20).all()
    share = table["coverage"] / 100
    np.testing.assert_allclose(table["mc_error"], 100 * np.sqrt(share * (1 - share) / 20))


def test_layout_reads_level_and_slope_in_whole_percent():
    rows = [
        ["ar2", 48, 0.4, "middle", "reml", "level", 94.6, 0.5, 100, 0],
        ["ar2", 48, 0.4, "middle", "reml", "slope", 80.2, 0.5, 100, 0],
        ["ar2", 48, 0.4, "middle", "ols", "level", 71.0, 0.5, 100, 0],
        ["ar2", 48, 0.4, "middle", "ols", "slope", 8.0, 0.5, 100, 0],
        ["ar1", 48, 0.4, "middle", "ols", "level", 62.0, 0.5, 100, 0],
        ["ar1", 48, 0.4, "middle", "ols", "slope", 60.0, 0.5, 100, 0],
    ]
    found = lay_out_coverage(pd.DataFrame(rows, columns=COLUMNS))
    assert found.columns.tolist() == ["reml", "ols"]
    assert found.index.tolist() == [("ar2", 48, 0.4, "middle"), ("ar1", 48, 0.4, "middle")]
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
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "arima" else [])
        for name in CALIBRATED
        if name not in ("quasi_poisson", "negative_binomial")
    ],
)
def test_a_shift_moves_every_interval_by_itself(name):
    X, C = segmented_design(72, 36), np.eye(4)[2:]
    errors = simulate_ar1(np.random.default_rng(8), 72, 0.5, 3)
    truth = np.array([4.0, -0.5, 1.5, -2.0])
    ends = np.array(coverage.intervals(name, errors, X, C, 36))
    moved = np.array(coverage.intervals(name, errors + (X @ truth)[:, None], X, C, 36))
    tolerance = 1e-3 * (ends[1] - ends[0])  # what optimisers leave
    assert (abs(moved - ends - truth[2:]) < tolerance).all()


@pytest.mark.parametrize(("place", "after"), sweep([("middle", 30), ("late", 48)]))
def test_size_of_the_errors_may_change_at_the_shift_by_the_headline_alone(
    monkeypatch, place, after
):
    """The ends of both, by the independent implementations, from the series that are simulated."""
    seen, intervals = {}, coverage.intervals

    def record(name, data, X, C, shift):
        ends = intervals(name, data, X, C, shift)
        seen[name] = data[:, 0], X, C, np.array(ends)[:, 0].T
        return ends

    monkeypatch.setattr(coverage, "intervals", record)
    names = ("reml", "reml_ar1")
    coverage_table([("sd_doubled", 60, 0.6, place)], estimators=names, simulations=20)
    y, X, C, ours = seen["reml"]
    np.testing.assert_allclose(X, segmented_design(60, after))
    for name, fit in (
        ("reml", fit_law(y, X, C, after=after, sizes=(16, 20, 14))),
        ("reml_ar1", independent.fit(y, X, C)),
    ):
        expected = fit.summary()[:, 1:3]
        allowed = 3e-3 * (expected[:, 1] - expected[:, 0])
        assert (abs(seen[name][3] - expected) < allowed[:, None]).all()
    steady = fit_law(y, X, C).summary()[:, 1:3]
    assert (abs(ours - steady).max(axis=1) > 0.02 * np.ptp(steady, axis=1)).all()


def test_options_reach_what_is_fitted_one_at_a_time():
    X = segmented_design(60, 30)
    deaths = np.random.default_rng(3).poisson(50, (60, 2)).astype(float)
    exposure = np.exp(0.3 * X[:, 1])  # takes that much off the trend, and nothing else
    plain, offset = (
        np.array(coverage.intervals("quasi_poisson", deaths, X, np.eye(4)[1:], 30, **options))
        for options in ({}, {"exposure": exposure})
    )
    np.testing.assert_allclose(offset[..., 0], plain[..., 0] - 0.3, atol=1e-6)
    np.testing.assert_allclose(offset[..., 1:], plain[..., 1:], atol=1e-6)


def test_newey_west_of_many_series_is_that_of_each():
    X, C = segmented_design(60, 30), np.eye(4)[2:]
    errors = simulate_ar1(np.random.default_rng(4), 60, 0.5, 3)
    low, high = coverage.intervals("newey_west", errors, X, C, 30)
    for y, *ends in zip(errors.T, low, high, strict=True):
        one = coverage.LINEAR["newey_west"](y, X)
        reach = student.ppf(0.975, 56) * np.sqrt(np.diag(one.covariance))[2:]
        np.testing.assert_allclose(
            ends, [one.estimate[2:] - reach, one.estimate[2:] + reach], rtol=1e-10
        )


def test_share_counts_ends_that_touch_zero_and_leaves_out_what_is_missing():
    low = np.array([[-1.0, 1.0], [0.0, np.nan], [0.5, 2.0], [-2.0, -1.0]])
    high = low + 1.0
    level, slope = coverage.share_held(low, high, ["level", "slope"])
    assert level[:2] == ["level", 50.0]  # (-1, 0) and (0, 1)
    assert slope[:2] == ["slope", pytest.approx(100 / 3)]
    assert slope[2] == pytest.approx(100 * np.sqrt(2 / 27))
    assert (level[3:], slope[3:]) == ([4, 0], [4, 1])


def test_failures_are_counted_and_left_out(monkeypatch):
    answer = coverage.LINEAR["prais_winsten"]

    def refuse_half(y, X):
        if y[0] > 0:
            raise EstimatorError("no answer")
        return answer(y, X)

    cell = [("ar1", 48, 0.4)]
    whole = coverage_table(cell, estimators=("prais_winsten",), simulations=30)
    monkeypatch.setitem(coverage.LINEAR, "prais_winsten", refuse_half)
    half = coverage_table(cell, estimators=("prais_winsten",), simulations=30)
    assert (whole["failures"] == 0).all()
    assert half["failures"].between(8, 22).all()
    assert (half["coverage"] > 60).all()  # of those that answered
    monkeypatch.setitem(
        coverage.LINEAR, "prais_winsten", lambda y, X: refuse_half(np.ones_like(y), X)
    )
    none = coverage_table(cell, estimators=("prais_winsten",), simulations=30)
    assert (none["failures"] == 30).all()
    assert none["coverage"].isna().all()


@pytest.mark.slow
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
        ({"cells": [("ma1", 48, 0.4)]}, "unknown process 'ma1'"),
        ({"cells": [("ar1", 48, 0.4, "early")]}, "unknown place 'early'"),
        ({"cells": [("ar1", 48, 1.0)]}, "ar1 with rho = 1.0 is not stationary"),
        ({"estimators": ("gee",)}, "unknown estimator 'gee'"),
        ({"estimators": ()}, "estimators names none; choose of"),
        ({"simulations": 5}, "whole number from 20 to 1,000,000; found 5"),
        ({"simulations": {"ols": 100}}, "no number for .'reml'.; add one"),
        (
            {"simulations": {"reml": 20, "ols": 20, "olx": 20}},
            "unknown estimator 'olx'. Did you mean",
        ),
        ({"simulations": "20"}, "whole number from 20 to 1,000,000; found '20'"),
        ({"cells": []}, "cells names no setting"),
        ({"cells": [("ar1", 48)]}, "each of cells must be a setting such as"),
        ({"cells": [("ar1", 48.5, 0.4)]}, "months in cells must be a whole number from 24"),
        ({"cells": [("ar1", 48, "0.4")]}, "the parameter in cells must be a number"),
        ({"cells": [("ar1", 48, -2.0)]}, "the parameter in cells must be a number above -1"),
        ({"cells": [(["ar1"], 48, 0.4)]}, "unknown process"),
        ({"cells": {"ar1": 48}}, "cells must be one or a sequence"),
    ],
)
def test_what_cannot_be_used_is_named(arguments, message):
    usable = {"cells": [("ar1", 48, 0.4)], "estimators": ("reml", "ols"), "simulations": 20}
    with pytest.raises((KeyError, TypeError, ValueError), match=message):
        coverage_table(**usable | arguments)


@pytest.mark.parametrize(
    "cell", [("ar2", 100, 0.6, "middle"), ("sd_doubled", 100, 0.4, "late")], ids=str
)
def test_record_is_what_the_package_says(cell):
    chosen = ("reml_ar1", "ols")
    found = coverage_table([cell], estimators=chosen, simulations=1000)
    key = RECORD.set_index(["process", "n", "parameter", "place"]).sort_index()
    rows = key.loc[cell].set_index("estimator").loc[found["estimator"].unique().tolist()]
    assert (rows["simulations"] == 1000).all()
    assert rows["estimand"].tolist() == found["estimand"].tolist()
    np.testing.assert_allclose(found["coverage"], rows["coverage"], atol=0.11)  # one series


def test_record_agrees_with_the_published_table():
    record = RECORD[(RECORD["process"] == "ar1") & (RECORD["place"] == "middle")]
    record = record.set_index(["n", "parameter", "estimator", "estimand"])
    names = list(product(PUBLISHED_ESTIMATORS, ("level", "slope")))
    for (n, rho), columns in PUBLISHED.items():
        for name, published in zip(names, np.ravel(columns), strict=True):
            found = record.loc[(n, rho, *name)]
            error = np.hypot(100 * np.sqrt(published / 100 * (1 - published / 100) / 2000), 0.29)
            error = np.hypot(error, found["mc_error"])  # 0.29: of rounding to whole percents
            assert abs(found["coverage"] - published) < 4 * error, (n, rho, name)


def test_records_are_whole_and_their_errors_are_those_of_a_share():
    shifts = load_policy_shifts().values()
    national = [(s.slug, source) for s in shifts if s.places == ("MX00",) for source in s.sources]
    assert WINDOWS.groupby(["shift", "source"]).ngroups == len(national) == 10
    assert set(map(tuple, WINDOWS[["shift", "source"]].to_numpy())) == set(national)
    for record, before in ((RECORD, list(Cell._fields)), (WINDOWS, ["shift", "source"])):
        assert record.columns.tolist() == [*before, *coverage.MEASURES]
        assert not record.duplicated([*before, "estimator", "estimand"]).any()
        assert set(record["estimator"]) == set(CALIBRATED)
        share = record["coverage"] / 100
        answered = record["simulations"] - record["failures"]
        assert (answered >= 150).all()
        error = 100 * np.sqrt(share * (1 - share) / answered)
        np.testing.assert_allclose(record["mc_error"], error, atol=0.011)


@pytest.mark.parametrize("record", [RECORD, WINDOWS], ids=["processes", "windows"])
def test_headline_covers_more_than_ar1_and_newey_west_in_the_records(record):
    """What the law of the errors is for, on the study's own windows and over all processes."""
    mean = record.groupby(["estimand", "estimator"])["coverage"].mean().unstack()
    assert (mean["reml"] > mean["reml_ar1"] + 3).all()
    assert (mean["reml"] > mean["newey_west"] + 15).all()


@pytest.mark.slow
@pytest.mark.parametrize(("process", "parameter"), [("ar1_much_noise", 0.95), ("local_level", 0.2)])
def test_headline_covers_where_noise_hides_the_memory_and_ar1_does_not(process, parameter):
    """100 months, 400 series: a Monte Carlo error of 1 to 2.5 points."""
    names = ("reml", "reml_ar1")
    table = coverage_table([(process, 100, parameter)], estimators=names, simulations=400)
    held = table.set_index(["estimator", "estimand"])["coverage"]
    assert held["reml", "level"] > 88
    assert held["reml", "slope"] > 80
    assert (held["reml"] > held["reml_ar1"] + 5).all()


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rho"), [(72, 0.3), (120, 0.7), (200, 0.6), (60, 0.0)])
def test_intervals_cover_at_settings_outside_the_table(n, rho):
    simulations = {"reml": 4000, "reml_ar1": 10_000}
    table = coverage_table(
        [("ar1", n, rho)], estimators=("reml", "reml_ar1"), simulations=simulations, seed=5
    )
    print(table.to_string())
    held = table.set_index("estimator")["coverage"]
    # A point more: the uniform prior of rho is not the one value that was simulated.
    assert (abs(held["reml_ar1"] - 95) < 4 * 100 * np.sqrt(0.95 * 0.05 / 10_000) + 1).all()
    # Too wide where there is no noise to find, which is not known: never too narrow.
    assert (held["reml"] > 95 - 4 * 100 * np.sqrt(0.95 * 0.05 / 4000) - 1).all()


@pytest.mark.slow
def test_newey_west_covers_two_thirds_at_strong_autocorrelation():
    options = {"estimators": ("newey_west",), "simulations": 4000, "seed": 5}
    table = coverage_table([("ar1", 100, 0.8)], **options)
    print(table.to_string())
    error = 100 * np.sqrt(0.67 * 0.33 * (1 / 4000 + 1 / 2000))
    assert (abs(table["coverage"] - [69, 64]) < 4 * error + 0.5).all()
