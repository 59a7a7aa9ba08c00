from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.independent import monthly_values, simulate_ar1

from analysis import PolicyShift, compare_estimators, fit_its, load_policy_shifts, load_series
from analysis.its.comparison import COLUMNS, ESTIMATORS, judge_comparison
from analysis.its.model import ESTIMANDS

SHIFT = PolicyShift("x", "2005-01")


def counts(deaths, person_years=1e5):
    index = pd.period_range("2000-01", periods=len(deaths), freq="M")
    return pd.DataFrame({"deaths": deaths, "person_years": person_years}, index=index)


def comparison_of(rows):
    columns = ["estimand", "estimate", "low", "high"]
    return pd.DataFrame(rows, columns=columns).assign(p=0.5)


@pytest.fixture(scope="module")
def calderon():
    return fit_its(load_series("inegi"), load_policy_shifts()["calderon-2006-12"])


def test_panel_has_every_estimator_and_estimand_once(calderon):
    found = calderon.comparison
    assert found.columns.tolist() == COLUMNS
    expected = [(name, estimand) for name in ESTIMATORS for estimand in ESTIMANDS]
    assert list(zip(found["estimator"], found["estimand"], strict=True)) == expected
    assert found[["estimate", "low", "high", "p"]].notna().all(axis=None)
    assert ((found["low"] <= found["estimate"]) & (found["estimate"] <= found["high"])).all()


def test_headline_rows_are_those_of_the_fit(calderon):
    rows = calderon.comparison.query("estimator == 'reml'").set_index("estimand")
    pd.testing.assert_frame_equal(rows[["estimate", "low", "high", "p"]], calderon.effects)
    assert rows["se"].isna().all()


def test_december_2012_on_the_rate_is_the_known_contradiction():
    """OLS with Newey-West -12.3 (2.4), iterated GLSAR +2.1 (1.6): known before this was written."""
    shift = load_policy_shifts()["pena-nieto-2012-12"]
    shift = replace(shift, start="2007-01", end="2018-11", beside=())
    result = fit_its(load_series("inegi"), shift, scale="rate")
    rows = result.comparison.query("estimand == 'level'").set_index("estimator")
    known = {"newey_west": ([-12.3, 2.4], 0.05), "prais_winsten": ([2.1, 1.6], 0.06)}
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
    assert judge_comparison(comparison_of(rows)) == verdict


def test_months_without_deaths_leave_the_count_models():
    rng = np.random.default_rng(1)
    panel = compare_estimators(counts(rng.poisson(2.0, 120)), SHIFT).set_index("estimator")
    answered = panel["estimate"].notna().groupby(level=0).all()
    assert answered[answered].index.tolist() == ["quasi_poisson"] or answered["quasi_poisson"]
    assert panel.loc["reml", "estimate"].isna().all()
    assert panel.loc["newey_west", "note"].str.startswith("the log scale needs deaths").all()


@pytest.mark.parametrize("deaths", [[0] * 60 + [3, 1] * 30, [0] * 119 + [1], [0] * 120])
def test_hopeless_counts_are_stated_and_not_believed(deaths):
    panel = compare_estimators(counts(deaths), SHIFT)
    level = panel.query("estimand == 'level'").set_index("estimator")
    assert level["estimate"].isna().all()
    assert (level["note"] != "").all()


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_exact_line_has_the_same_answer_everywhere(noise):
    i = np.arange(120)
    y = 3 + 0.5 * i / 12 - 2.0 * (i >= 60) + 1.2 * np.maximum(i - 60, 0) / 12
    y = y + noise * simulate_ar1(np.random.default_rng(3), 120, 0.3)[:, 0]
    panel = compare_estimators(monthly_values(y), replace(SHIFT, month="2005-01"), harmonics=0)
    answered = panel.dropna(subset=["estimate"])
    assert set(answered["estimator"]) == set(ESTIMATORS) - {"quasi_poisson", "negative_binomial"}
    level = answered.query("estimand == 'level'")["estimate"]
    slope = answered.query("estimand == 'slope'")["estimate"]
    np.testing.assert_allclose(level, -2.0, atol=5 * noise + 1e-9)
    np.testing.assert_allclose(slope, 1.2, atol=5 * noise + 1e-9)
    assert judge_comparison(panel) == "agree"
    if not noise:
        assert answered["p"].isna().all()
        assert answered["note"].str.contains("without any residual variation").any()


def test_deaths_and_person_years_scaled_together_change_nothing(calderon):
    series = load_series("inegi")
    tripled = series.assign(deaths=3 * series["deaths"], person_years=3 * series["person_years"])
    found = compare_estimators(tripled, calderon.shift)
    linear = ~found["estimator"].isin(["quasi_poisson", "negative_binomial"])
    names = ["estimate", "low", "high"]
    expected = calderon.comparison.loc[linear, names]
    np.testing.assert_allclose(found.loc[linear, names], expected, atol=1e-3)


def test_shift_known_as_a_range_is_averaged_over_its_months():
    series = load_series("sesnsp")
    shift = load_policy_shifts()["special-forces-2020"]
    rows = compare_estimators(series, shift).query("estimator == 'newey_west'")
    each = [
        compare_estimators(series, replace(shift, month=month, until=None))
        .query("estimator == 'newey_west' and estimand == 'level'")
        .iloc[0]
        for month in shift.months
    ]
    logs = np.log1p(np.array([row["estimate"] for row in each]) / 100)
    level = rows[rows["estimand"] == "level"].iloc[0]
    assert np.log1p(level["estimate"] / 100) == pytest.approx(logs.mean(), abs=1e-9)
    errors = [row["se"] / 100 / np.exp(log) for row, log in zip(each, logs, strict=True)]
    expected = np.sqrt(np.mean(np.square(errors)) + logs.var())
    assert level["se"] / (100 + level["estimate"]) == pytest.approx(expected, rel=1e-9)


def test_effects_that_would_extrapolate_are_missing_by_every_estimator():
    panel = compare_estimators(load_series("sesnsp"), load_policy_shifts()["sheinbaum-2024-10"])
    rows = panel.query("estimand == 'effect_24m'")
    assert rows[["estimate", "se", "low", "high", "p"]].isna().all(axis=None)
    assert rows["note"].str.contains("24 are needed").all()


@pytest.mark.parametrize("frequency", ["Q", "Y"])
def test_other_frequencies_have_a_panel_too(frequency):
    index = pd.period_range("1980", periods=40, freq=frequency)
    y = simulate_ar1(np.random.default_rng(9), 40, 0.4)[:, 0]
    frame, shift = pd.DataFrame({"value": y}, index=index), PolicyShift("x", index[20])
    panel = compare_estimators(frame, shift, harmonics=1)
    linear = panel[~panel["estimator"].isin(["quasi_poisson", "negative_binomial"])]
    assert linear.query("estimand in ['level', 'slope']")["estimate"].notna().all()


def test_callers_frame_is_left_alone():
    series = counts(np.random.default_rng(5).poisson(40, 120))
    before = series.copy()
    compare_estimators(series, SHIFT)
    pd.testing.assert_frame_equal(series, before)
