from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.declared import SHIFTS
from support.independent import effect_rows, fit, monthly_values, noise, segmented_design
from support.sweeps import sweep

from analysis import PolicyShift, compare_estimators, fit_its, load_series
from analysis.its.comparison import COLUMNS, ESTIMATORS, judge_comparison
from analysis.its.model import ESTIMANDS

SHIFT = PolicyShift("x", "2005-01")


def counts(deaths, person_years=1e5):
    index = pd.period_range("2000-01", periods=len(deaths), freq="M")
    return pd.DataFrame({"deaths": deaths, "person_years": person_years}, index=index)


def test_comparison_has_every_estimator_and_estimand_once(result):
    found = result.comparison
    assert found.columns.tolist() == COLUMNS
    expected = [(name, estimand) for name in ESTIMATORS for estimand in ESTIMANDS]
    assert list(zip(found["estimator"], found["estimand"], strict=True)) == expected
    assert found[["estimate", "low", "high", "p"]].notna().all(axis=None)
    assert ((found["low"] <= found["estimate"]) & (found["estimate"] <= found["high"])).all()


def test_headline_rows_are_those_of_the_fit(result):
    rows = result.comparison.query("estimator == 'reml'").set_index("estimand")
    pd.testing.assert_frame_equal(rows[["estimate", "low", "high", "p"]], result.effects)
    assert rows["se"].isna().all()


def test_headline_stands_beside_itself_with_ar1_errors_of_one_size(result):
    """The independent implementation of AR(1) errors, with the two months out by their columns."""
    n, first = len(result.series), result.n_before
    y = np.log(1e5 * result.series["deaths"] / result.series["person_years"]).to_numpy()
    out = np.flatnonzero(result.series.index.isin(result.shift.omit))
    X = np.column_stack([segmented_design(n, first, harmonics=2), np.eye(n)[:, out]])
    rows = effect_rows(X.shape[1])
    expected = fit(y, X, np.vstack([rows, rows[1] + rows[4]])).summary()
    expected[:, :3] = 100 * np.expm1(expected[:, :3])
    found = result.comparison.query("estimator == 'reml_ar1'")
    found = found[["estimate", "low", "high", "p"]].to_numpy()
    width = np.append(np.tile((expected[:, 2] - expected[:, 1])[:, None], 3), np.ones((6, 1)), 1)
    assert (abs(found - expected) / width).max() < 1e-3
    assert result.comparison["estimator"].unique().tolist()[:2] == ["reml", "reml_ar1"]
    assert (result.comparison.query("estimator == 'reml_ar1'")["note"].iloc[0]).startswith("rho of")
    assert abs(found - result.effects.to_numpy()).max() > 1


def test_both_trends_and_their_change_agree_for_every_estimator(result):
    """Where a row is a linear combination: on the log scale post_trend = pre_trend + slope."""
    table = result.comparison.pivot(index="estimator", columns="estimand", values="estimate")
    logs = np.log1p(table / 100)
    for name in ("newey_west", "prais_winsten", "quasi_poisson", "negative_binomial", "arima"):
        row = logs.loc[name]
        assert row["pre_trend"] + row["slope"] == pytest.approx(row["post_trend"], abs=1e-9)
        assert row["level"] + row["slope"] == pytest.approx(row["effect_12m"], abs=1e-9)


@pytest.mark.slow
def test_december_2012_on_the_rate_is_the_known_contradiction():
    """OLS with Newey-West says -12.3 (2.4), Prais-Winsten +1.9 (1.5)."""
    shift = SHIFTS["pena-nieto-2012-12"]
    shift = replace(shift, start="2007-01", end="2018-11", beside=(), omit=())
    result = fit_its(load_series("inegi"), shift, scale="rate")
    rows = result.comparison.query("estimand == 'level'").set_index("estimator")
    known = {"newey_west": ([-12.3, 2.4], 0.05), "prais_winsten": ([1.87, 1.54], 0.005)}
    for name, (numbers, near) in known.items():
        assert rows.loc[name, ["estimate", "se"]].tolist() == pytest.approx(numbers, abs=near)
    assert result.comparison_verdict == "sign differs"
    assert "signs_differ" in {flag.name for flag in result.flags}
    assert rows.loc["quasi_poisson", "note"].endswith("log scale only")


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([("level", 2, 1, 3), ("level", 5, 4, 6), ("slope", 1, -1, 2)], "agree"),
        ([("level", 2, -1, 3), ("level", -2, -6, 6)], "agree"),
        ([("level", 2, 1, 3), ("level", 1, -4, 6)], "intervals differ"),
        ([("level", 2, 1, 3), ("level", -1, -4, 6)], "sign differs"),
        ([("level", 2, 1, 3), ("slope", -2, -3, 1), ("slope", -1, -3, -0.5)], "intervals differ"),
        ([("level", 2, -1, 3), ("slope", -2, -3, -1), ("slope", 1, -3, 2)], "sign differs"),
        ([("level", 2, 1, 3), ("level", np.nan, np.nan, np.nan)], "agree"),
        ([("level", 2, 1, 3), ("effect_12m", -2, -4, -1)], "agree"),
        ([], "agree"),
    ],
)
def test_verdict_follows_the_written_rule(rows, verdict):
    compared = pd.DataFrame(rows, columns=["estimand", "estimate", "low", "high"])
    assert judge_comparison(compared.assign(p=0.5)) == verdict


def test_months_without_deaths_leave_the_count_models():
    rng = np.random.default_rng(1)
    compared = compare_estimators(counts(rng.poisson(2.0, 120)), SHIFT).set_index("estimator")
    answered = compared["estimate"].notna().groupby(level=0).all()
    assert answered["quasi_poisson"]
    assert set(answered[answered].index) <= {"quasi_poisson", "negative_binomial"}
    assert compared.loc["reml", "estimate"].isna().all()
    assert compared.loc["newey_west", "note"].str.startswith("the log scale needs deaths").all()


@pytest.mark.parametrize("deaths", [[0] * 60 + [3, 1] * 30, [0] * 119 + [1], [0] * 120])
def test_hopeless_counts_are_stated_and_not_believed(deaths):
    compared = compare_estimators(counts(deaths), SHIFT)
    level = compared.query("estimand == 'level'").set_index("estimator")
    assert level["estimate"].isna().all()
    assert (level["note"] != "").all()


@pytest.mark.parametrize("size", [0.0, 1e-3])
def test_exact_line_has_the_same_answer_everywhere(size):
    i = np.arange(120)
    y = 3 + 0.5 * i / 12 - 2.0 * (i >= 60) + 1.2 * np.maximum(i - 60, 0) / 12
    compared = compare_estimators(monthly_values(y + size * noise(120, 3, 0.3)), SHIFT, harmonics=0)
    answered = compared.dropna(subset=["estimate"])
    assert set(answered["estimator"]) == set(ESTIMATORS) - {"quasi_poisson", "negative_binomial"}
    for estimand, truth in (("level", -2.0), ("slope", 1.2)):
        found = answered.loc[answered["estimand"] == estimand, "estimate"]
        np.testing.assert_allclose(found, truth, atol=5 * size + 1e-9)
    assert judge_comparison(compared) == "agree"
    if not size:
        assert answered["p"].isna().all()
        assert answered["note"].str.contains("without any residual variation").any()


@pytest.mark.parametrize(
    "known",
    sweep([["reml", "reml_ar1", "newey_west", "prais_winsten", "structural"], ["arima"]], 0),
)
def test_deaths_and_person_years_scaled_together_change_nothing(result, known):
    found = compare_estimators(3 * load_series("inegi"), result.shift, estimators=known)
    names = ["estimate", "low", "high"]
    expected = result.comparison.query("estimator in @known")[names]
    np.testing.assert_allclose(found[names], expected, atol=1e-3)


def test_shift_known_as_a_range_is_averaged_over_its_months():
    series, shift = load_series("sesnsp"), SHIFTS["special-forces-2020"]

    def level_of(shift):
        compared = compare_estimators(series, shift, estimators=["newey_west"])
        return compared.query("estimand == 'level'").iloc[0]

    level = level_of(shift)
    each = [level_of(replace(shift, month=month, until=None)) for month in shift.months]
    logs = np.log1p(np.array([row["estimate"] for row in each]) / 100)
    assert np.log1p(level["estimate"] / 100) == pytest.approx(logs.mean(), abs=1e-9)
    errors = [row["se"] / 100 / np.exp(log) for row, log in zip(each, logs, strict=True)]
    expected = np.sqrt(np.mean(np.square(errors)) + logs.var())
    assert level["se"] / (100 + level["estimate"]) == pytest.approx(expected, rel=1e-9)


def test_effects_that_would_extrapolate_are_missing_by_every_estimator():
    compared = compare_estimators(load_series("sesnsp"), SHIFTS["sheinbaum-2024-10"])
    rows = compared.query("estimand == 'effect_24m'")
    assert rows[["estimate", "se", "low", "high", "p"]].isna().all(axis=None)
    assert rows["note"].str.contains("24 are needed").all()


@pytest.mark.parametrize("frequency", sweep(["Q", "Y"], 0))
def test_other_frequencies_are_compared_too(frequency):
    frame = monthly_values(noise(40, 9), "1980", frequency)
    compared = compare_estimators(frame, PolicyShift("x", frame.index[20]), harmonics=1)
    linear = compared[~compared["estimator"].isin(["quasi_poisson", "negative_binomial"])]
    assert linear.query("estimand in ['level', 'slope']")["estimate"].notna().all()
