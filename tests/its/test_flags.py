from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import chi2
from support.independent import fit, monthly_values, noise, segmented_design, whitening_matrix

from analysis import PolicyShift, break_posterior, fit_its, load_policy_shifts, load_series
from analysis.its.flags import find_flags, signs_differ
from analysis.its.model import prepare_model

SHIFT = PolicyShift("x", "2004-01")


def calm_values(n=96, freq="M"):
    """A straight line with noise that has no memory, on which no flag belongs."""
    y = np.arange(n) / 12 + np.random.default_rng(6).standard_normal(n)
    return monthly_values(y, freq=freq)


def broken_values(first):
    since = np.maximum(np.arange(96) - first, 0) / 12
    return calm_values() + (8 * (since > 0) + 5 * since)[:, None]


def by_name(flags):
    return {flag.name: flag for flag in flags}


def flags_of(frame, shift=SHIFT, *, harmonics=0, high_rho=0.0):
    return by_name(find_flags(prepare_model(frame, shift, harmonics=harmonics), high_rho))


def test_calm_series_has_no_flag():
    assert fit_its(calm_values(), SHIFT).fit_flags == ()


def test_calm_series_that_bends_at_the_date_has_no_flag_at_all():
    assert fit_its(broken_values(48), SHIFT, harmonics=0).flags == ()


def test_date_is_flagged_where_most_others_fit_better():
    early = PolicyShift("x", "2001-03")
    result = fit_its(broken_values(60), early, harmonics=0)
    flag = by_name(result.flags)["unremarkable_date"]
    probability = break_posterior(result.series, shift=early, harmonics=0).probability
    assert flag.value == (probability > probability["2001-03"]).mean() > 0.5
    assert str(flag).endswith("% of the other dates fit better, 2005-02 best")


@pytest.mark.parametrize(("second_lag", "flagged"), [(0.0, False), (0.6, True)])
def test_errors_that_remember_more_than_ar1_are_flagged(second_lag, flagged):
    shocks = np.random.default_rng(11).standard_normal(220)
    u = lfilter([1.0], [1.0, -0.2, -second_lag], shocks)[100:]
    result = fit_its(monthly_values(u), PolicyShift("x", "2005-01"), harmonics=0)
    flags = by_name(result.flags)
    assert ("longer_memory" in flags) == flagged
    if flagged:
        X, W = segmented_design(120, 60), whitening_matrix(120, result.rho["estimate"])
        left = W @ u - W @ X @ np.linalg.lstsq(W @ X, W @ u, rcond=None)[0]
        left -= left.mean()
        r = np.array([left[lag:] @ left[:-lag] for lag in range(1, 13)]) / (left @ left)
        q = 120 * 122 * (r**2 / (120 - np.arange(1, 13))).sum()
        assert flags["longer_memory"].value == pytest.approx(chi2.sf(q, 11), rel=1e-6)


def test_series_too_short_to_ask_has_no_memory_flag():
    frame = monthly_values(np.random.default_rng(12).standard_normal(20).cumsum(), freq="Y")
    flags = fit_its(frame, PolicyShift("x", frame.index[10]), harmonics=0).flags
    assert "longer_memory" not in by_name(flags)


def test_estimators_that_contradict_each_other_are_counted():
    rows = [("level", 1.0), ("level", -2.0), ("level", 3.0), ("slope", 1.0)]
    compared = pd.DataFrame(rows, columns=["estimand", "estimate"])
    (flag,) = signs_differ(compared, "sign differs")
    assert (flag.value, str(flag).endswith("the level change is above zero by 2 of 3")) == (1, True)
    assert list(signs_differ(compared, "intervals differ")) == []


@pytest.mark.parametrize(("rho", "flagged"), [(0.999, True), (0.3, False)])
def test_series_that_wanders_is_near_a_unit_root(rho, flagged):
    y = noise(96, 7, rho)
    flags = by_name(fit_its(monthly_values(y), SHIFT, harmonics=0).flags)
    assert ("near_unit_root" in flags) == flagged
    if flagged:
        mixture, flag = fit(y, segmented_design(96, 48), np.eye(4)), flags["near_unit_root"]
        assert flag.value == pytest.approx(mixture.weight[mixture.rho > 0.9].sum(), abs=0.005)
        assert f"with probability {flag.value:.2f}" in str(flag)


def test_unit_root_is_flagged_from_one_half_on():
    assert flags_of(calm_values(), high_rho=0.51)["near_unit_root"].value == 0.51
    assert "near_unit_root" not in flags_of(calm_values(), high_rho=0.5)


@pytest.mark.parametrize(
    ("first", "length", "freq", "side", "months"),
    [
        *[(23, 60, "M", "before", 23), (24, 60, "M", None, None)],
        *[(48, 59, "M", "after", 11), (48, 60, "M", None, None)],
        *[(7, 60, "Q", "before", 21), (8, 60, "Q", None, None)],
    ],
)
def test_few_months_on_a_side_are_counted_also_by_quarters(first, length, freq, side, months):
    frame = calm_values(length, freq)
    flags = fit_its(frame, PolicyShift("x", frame.index[first]), harmonics=0).fit_flags
    expected = [(f"few_months_{side}", months)] if side else []
    assert [(flag.name, flag.value) for flag in flags] == expected
    assert all(f"few months: {months} {side} the shift" in flag.text for flag in flags)


def test_overlapping_shifts_are_named():
    flag = flags_of(calm_values(), replace(SHIFT, overlaps=("a-2004-03", "b-2003-06")))
    assert flag["overlapping_shift"].value == 2
    assert str(flag["overlapping_shift"]) == "overlapping: within 12 months of a-2004-03, b-2003-06"
    assert "overlapping_shift" not in flags_of(calm_values())


def test_trend_that_bends_before_the_shift_is_flagged_with_its_p():
    frame, t = calm_values(), np.arange(96) / 12
    bent = frame + 1.5 * ((t - 2) ** 2)[:, None]
    flag = flags_of(bent)["curved_pre_period"]
    X = np.column_stack([np.ones(48), t[:48], t[:48] ** 2])
    p = fit(bent["value"].to_numpy()[:48], X, np.eye(3)).summary()[2, 3]
    assert flag.value == pytest.approx(p, rel=1e-6)
    assert f"p = {p:.2g}" in flag.text


def test_trend_that_bends_after_the_shift_is_not_flagged():
    t = np.arange(96) / 12
    assert flags_of(calm_values() + 5 * (np.maximum(t - 4, 0) ** 2)[:, None]) == {}


def test_bend_at_a_shift_beside_is_accounted_for():
    bent = calm_values() + 6 * np.maximum(np.arange(96) / 12 - 3, 0)[:, None]
    assert "curved_pre_period" in flags_of(bent)
    assert flags_of(bent, replace(SHIFT, beside=(PolicyShift("other", "2003-01"),))) == {}


def test_bend_is_not_looked_for_in_fewer_periods_than_it_needs():
    assert "curved_pre_period" not in flags_of(calm_values(60).iloc[42:], harmonics=2)


def test_months_still_being_registered_are_counted():
    shift = PolicyShift("x", "2018-12", start="2012-12")
    late = load_series("inegi", complete_only=False)
    flag = by_name(fit_its(late, shift).flags)["still_registering"]
    assert flag.value == 6
    assert str(flag) == "still being registered: 6 months after 2022-06"
    for frame in (load_series("inegi"), late.set_axis(late.index - 12)):
        assert "still_registering" not in by_name(fit_its(frame, shift).flags)
    late.attrs = {}
    assert "still_registering" not in by_name(fit_its(late, shift).flags)


def test_sources_that_drift_apart_inside_the_window_are_flagged():
    inegi, sesnsp = (load_series(source)["deaths"] for source in ("inegi", "sesnsp"))
    ratio = (sesnsp / inegi).dropna()
    yearly = ratio.groupby(ratio.index.year).mean()
    window = load_series("inegi", start="2012-01", end="2018-12")
    flag = flags_of(window, PolicyShift("x", "2016-01"))["source_ratio_drifting"]
    assert flag.value == pytest.approx(yearly[2018] - yearly[2015], rel=1e-12)
    assert f"is {yearly[2015]:.2f} in 2015 and {yearly[2018]:.2f} in 2018" in flag.text
    steady = load_series("inegi", start="2018-01", end="2022-06")
    assert np.ptp(yearly.loc[2018:]) < 0.05
    assert "source_ratio_drifting" not in flags_of(steady, PolicyShift("x", "2020-01"))


def test_frame_that_names_its_source_alone_is_fitted():
    frame = load_series("inegi", start="2012-01", end="2018-12")
    frame.attrs = {"source": "inegi"}
    assert "source_ratio_drifting" not in flags_of(frame, PolicyShift("x", "2016-01"))


def test_caveat_of_the_shift_stands_next_to_its_result():
    shift = load_policy_shifts()["special-forces-2020"]
    flag = by_name(fit_its(load_series("sesnsp"), shift).flags)["unconfirmed"]
    assert (flag.value, str(flag)) == (4, "unconfirmed, date unknown")
    assert "unconfirmed" not in flags_of(calm_values())
