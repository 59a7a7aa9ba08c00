from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import chi2
from scipy.stats import t as student
from statsmodels.regression.linear_model import OLS
from support.declared import SHIFTS
from support.independent import monthly_values, noise, segmented_design
from support.independent_law import covariance, fit_law, simulate
from support.sweeps import sweep

from analysis import PolicyShift, break_posterior, fit_its, load_series
from analysis.its.comparison import estimate_by
from analysis.its.flags import _doubt_errors, find_flags, signs_differ, standardise
from analysis.its.model import prepare_model

SHIFT = PolicyShift("x", "2004-01")


def calm_values(n=96, freq="M"):
    """A straight line with noise that has no memory, on which no flag belongs."""
    y = np.arange(n) / 12 + np.random.default_rng(6).standard_normal(n)
    return monthly_values(y, freq=freq)


def broken_values(first):
    since = np.arange(96) - first
    return calm_values() + (8 * (since >= 0) + 5 * np.maximum(since, 0) / 12)[:, None]


def by_name(flags):
    return {flag.name: flag for flag in flags}


def flags_of(frame, shift=SHIFT, *, harmonics=0, omit=(), **law):
    """The flags of a fit; `law` changes what it says of the errors."""
    result = fit_its(frame, shift, harmonics=harmonics, omit=omit)
    return by_name(find_flags(result._model, replace(result._mixture, **law)))


def test_calm_series_has_no_flag():
    assert flags_of(calm_values(), harmonics=2) == {}


def test_calm_series_that_bends_at_the_date_has_no_flag_at_all():
    assert fit_its(broken_values(48), SHIFT, harmonics=0).flags == ()


def test_date_is_flagged_where_most_others_fit_better():
    early = PolicyShift("x", "2001-03")
    result = fit_its(broken_values(60), early, harmonics=0)
    result.__dict__["_comparison"] = estimate_by(("reml", "newey_west"), result._model)  # enough
    flag = by_name(result.flags)["unremarkable_date"]
    probability = break_posterior(result.series, shift=early, harmonics=0).probability
    assert flag.value == (probability > probability["2001-03"]).mean() > 0.5
    assert str(flag).endswith("% of the other dates fit better, January 2005 best")


def test_estimators_that_contradict_each_other_are_counted():
    rows = [("level", 1.0), ("level", -2.0), ("level", 3.0), ("slope", 1.0)]
    compared = pd.DataFrame(rows, columns=["estimand", "estimate"])
    (flag,) = signs_differ(compared, "sign differs")
    assert (
        flag.value,
        str(flag).endswith("estimates of “Step at the shift”, 2 are above zero"),
    ) == (1, True)
    assert list(signs_differ(compared, "intervals differ")) == []


@pytest.mark.parametrize(("rho", "flagged"), [(0.999, True), (0.3, False)])
def test_series_that_wanders_is_flagged(rho, flagged):
    y = noise(96, 7, rho)
    flags = flags_of(monthly_values(y))
    assert ("wandering" in flags) == flagged
    if flagged:
        law, flag = fit_law(y, segmented_design(96, 48), np.eye(4), after=48), flags["wandering"]
        assert flag.value == pytest.approx(law.weight[law.rho > 0.95].sum(), abs=0.04)
        assert f"more than 0.95 is left a period later with probability {flag.value:.2f}" in str(
            flag
        )


def test_series_wanders_from_one_half_of_the_weight_on():
    two = {"phi": np.array([0.951, 0.949]), "theta": np.zeros(2), "ratio": np.ones(2)}

    def flags(first):
        return flags_of(calm_values(), **two, weight=np.array([[first, 1 - first]]))

    assert flags(0.51)["wandering"].value == 0.51
    assert "wandering" not in flags(0.5)


def test_errors_that_grow_at_the_shift_are_flagged_with_their_ratio():
    y = simulate(np.random.default_rng(2), 96, "sd doubled")[:, 0]
    flag = flags_of(monthly_values(y))["size_changed"]
    law = fit_law(y, segmented_design(96, 48), np.eye(4), after=48)
    node, place = np.unique(law.ratio, return_inverse=True)
    mass = np.bincount(place, law.weight)
    below = np.interp([1, flag.value], node, np.cumsum(mass) - mass / 2)
    assert below[0] < 0.025
    assert below[1] == pytest.approx(0.5, abs=0.03)
    assert f"{flag.value:.2f} times the size of those before (" in str(flag)
    assert "size_changed" not in flags_of(calm_values())
    still = {"ratio": np.full(1, 1.0), "phi": np.full(1, 0.5), "theta": np.zeros(1)}
    assert "size_changed" not in flags_of(monthly_values(y), **still, weight=np.ones((1, 1)))


def seasonal_values(share=0.8, seed=4):
    """Errors that remember the month a year before, by the share, and nothing else."""
    shocks = np.random.default_rng(seed).standard_normal(96 + 240)
    return monthly_values(lfilter([1.0], [1.0, *[0.0] * 11, -share], shocks)[240:])


def dense_innovations(result):
    """Standardised one-step surprises at the fit's likeliest law, by Cholesky's factor."""
    best = int(result._mixture.weight[0].argmax())
    law = (getattr(result._mixture, name)[best] for name in ("phi", "theta", "ratio"))
    L = np.linalg.cholesky(covariance(96, *law, 48))
    white = np.linalg.solve(L, np.column_stack([segmented_design(96, 48), result.series["value"]]))
    b = np.linalg.lstsq(white[:, :4], white[:, 4], rcond=None)[0]
    return white[:, 4] - white[:, :4] @ b


def test_season_that_remembers_is_flagged_by_ljung_and_box():
    frame = seasonal_values()
    e = dense_innovations(fit_its(frame, SHIFT, harmonics=0))
    r = np.array([(e[lag:] * e[:-lag]).sum() for lag in (12, 24)]) / (e**2).sum()
    q = 96 * 98 * (r[0] ** 2 / 84 + r[1] ** 2 / 72)
    flag = flags_of(frame)["season_remembers"]
    assert flag.value == pytest.approx(chi2.sf(q, 2), rel=1e-6)
    assert flag.value < 0.01
    assert f"(p = {flag.value:.2g})" in str(flag)
    assert "season_remembers" not in flags_of(seasonal_values(0.0))


def test_season_is_not_asked_for_in_fewer_than_four_years_or_of_years():
    frame, shift = seasonal_values(0.97), PolicyShift("x", "2002-01")
    assert "season_remembers" in flags_of(frame.iloc[:60], shift)
    assert "season_remembers" not in flags_of(frame.iloc[:47], shift)
    years = pd.period_range("1900", periods=96, freq="Y")
    assert "season_remembers" not in flags_of(frame.set_axis(years), PolicyShift("x", "1950"))


def test_month_that_no_law_explains_is_flagged_and_gone_when_left_out():
    frame = calm_values()
    frame.iloc[30] += 9
    flag = flags_of(frame)["outlier"]
    assert flag.value > 5
    text = f"July 2002 lies {flag.value:.1f} standard errors from what the rest of the series says"
    assert str(flag).startswith(text)
    below = flags_of(2 * calm_values() - frame)["outlier"]
    assert below.value == pytest.approx(-flag.value, rel=0.2)
    assert "outlier" not in flags_of(frame, omit=str(frame.index[30]))


@pytest.mark.parametrize("added", [1e8, 1e11])
def test_outliers_are_the_same_whatever_line_is_added(added):
    y = np.random.default_rng(0).standard_normal(100)
    index = pd.period_range("2000-01", periods=100, freq="M")

    def t_of(values):
        model = prepare_model(pd.DataFrame({"value": values}, index), PolicyShift("s", "2004-03"))
        return standardise(model, model.posterior([model.contrasts]))[0]

    moved = t_of(y + added * (1 + np.arange(100) / 12))
    np.testing.assert_allclose(moved, t_of(y), rtol=0, atol=1e-14 * added)  # what y itself loses


@pytest.mark.parametrize("asked", sweep([6, 11], 0))
def test_outlier_is_found_where_nine_in_a_hundred_thousand_would_be(asked):
    """Two-sided p of its t, times the number of periods, below .01."""
    result = fit_its(calm_values(), SHIFT, harmonics=0)
    reached = student.isf(0.01 / 96 / 2, result._mixture.df - 1)
    sizes = np.linspace(2, 7, asked)
    largest, flagged = [], []
    for size in sizes:
        frame = calm_values()
        frame.iloc[30] += size
        fit = fit_its(frame, SHIFT, harmonics=0)
        largest.append(abs(standardise(fit._model, fit._mixture)[0]).max())
        flagged.append("outlier" in by_name(find_flags(fit._model, fit._mixture)))
    assert flagged == (np.array(largest) > reached).tolist()
    assert 0 < sum(flagged) < len(sizes)


def test_distance_of_a_period_is_the_deletion_residual_of_least_squares_without_memory():
    result = fit_its(calm_values(), SHIFT, harmonics=0)
    nothing = {"phi": np.zeros(1), "theta": np.zeros(1), "ratio": np.ones(1)}
    law = replace(result._mixture, **nothing, weight=np.ones((1, 1)))
    y, X = result.series["value"].to_numpy(), segmented_design(96, 48)
    expected = OLS(y, X).fit().get_influence().resid_studentized_external
    found, innovations = standardise(result._model, law)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(innovations, OLS(y, X).fit().resid, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("law", [(0.9, 0.4, 1.0), (0.98, 0.7, 2.0), (0.5, 0.0, 0.6)])
def test_distance_of_a_period_is_that_of_its_own_dummy(law):
    """By generalised least squares with one more column, at a law of the errors."""
    result = fit_its(calm_values(), SHIFT, harmonics=0)
    phi, theta, ratio = (np.full(1, value) for value in law)
    at = replace(result._mixture, phi=phi, theta=theta, ratio=ratio, weight=np.ones((1, 1)))
    y, X = result.series["value"].to_numpy(), segmented_design(96, 48)
    L = np.linalg.cholesky(covariance(96, *law, 48))
    found, innovations = standardise(result._model, at)
    for place in (0, 30, 48, 95):
        one_more = np.column_stack([X, np.eye(96)[place]])
        fit = OLS(np.linalg.solve(L, y), np.linalg.solve(L, one_more)).fit()
        assert found[place] == pytest.approx(fit.tvalues[-1], rel=1e-7)
    left = OLS(np.linalg.solve(L, y), np.linalg.solve(L, X)).fit().resid
    np.testing.assert_allclose(innovations, left, rtol=1e-7, atol=1e-10)


def test_months_left_out_are_no_outliers_and_bring_no_innovation():
    result = fit_its(calm_values(), SHIFT, harmonics=0, omit="2002-05")
    t, innovations = standardise(result._model, result._mixture)
    assert abs(t[28]) < 1e-3
    assert np.isfinite(innovations).all()


@pytest.mark.slow
@pytest.mark.parametrize("process", ["white noise", "AR .8", "AR .95 + noise"])
def test_false_alarms_of_the_errors_flags_are_rare(monkeypatch, process):
    """Nominally one in a hundred: of 1,000 series the season's were 2.3%, the outliers' 0.3 to 1.1.

    Of 400 series of 120 months the standard error is 0.5 points, and 0.75 at 2.3%.
    """
    still = pd.DataFrame(1.0, ["sd_ratio"], ["estimate", "low", "high"])  # its size is not asked
    monkeypatch.setattr("analysis.its.flags.memory_rows", lambda mixture: still)
    names = ["season_remembers", "outlier"]
    series = simulate(np.random.default_rng(12), 120, process, 400)
    first, alarms = prepare_model(monthly_values(series[:, 0]), PolicyShift("x", "2005-01")), []
    for y in series.T:
        model = replace(first, window=monthly_values(y))
        found = by_name(_doubt_errors(model, model.posterior([model.contrasts[:1]])))
        alarms.append([name in found for name in names])
    shares = dict(zip(names, np.mean(alarms, axis=0), strict=True))
    print(f"{process}: " + ", ".join(f"{name} {100 * x:.1f}%" for name, x in shares.items()))
    assert shares["season_remembers"] < 0.023 + 3 * 0.0075
    assert shares["outlier"] < 0.01 + 3 * 0.005


GAPS = [
    {"place": "A", "first": "2002-03", "last": "2002-04", "found": 3, "expected": 40.4},
    {"place": "B", "first": "2002-04", "last": "2002-04", "found": 0, "expected": 12.5},
    {"place": "B", "first": "1999-01", "last": "1999-12", "found": 0, "expected": 99.0},
]


def test_holes_of_the_source_inside_the_window_are_counted():
    frame = calm_values()
    frame.attrs["gaps"] = GAPS
    flag = flags_of(frame)["source_gap"]
    assert flag.value == pytest.approx(49.9)
    assert str(flag) == (
        "about 50 deaths are missing in March and April 2002 (places: 2); "
        "none of these months is left out of the fit"
    )
    kept = flags_of(frame, omit="2002-03")["source_gap"]
    assert str(kept).endswith("1 of these 2 months are in the fit")
    assert "source_gap" not in flags_of(frame.iloc[28:], PolicyShift("x", "2004-06"))
    frame.attrs["gaps"] = GAPS[2:]
    assert "source_gap" not in flags_of(frame)
    assert "source_gap" not in flags_of(calm_values())


def test_holes_that_begin_before_the_window_count_in_it():
    frame = calm_values()
    frame.attrs["gaps"] = [GAPS[2] | {"last": "2000-02"}]
    assert str(flags_of(frame)["source_gap"]).endswith(
        "none of these months is left out of the fit"
    )


def test_declared_months_with_holes_are_told_and_not_in_the_fit():
    series, shift = load_series("inegi"), SHIFTS["calderon-2006-12"]
    flags = [flags_of(series, each) for each in (shift, replace(shift, omit=()))]
    inside = [gap for gap in series.attrs["gaps"] if "2000-01" <= gap["last"] <= "2012-11"]
    missing = sum(gap["expected"] - gap["found"] for gap in inside)
    for found in flags:
        assert found["source_gap"].value == pytest.approx(missing)
    texts = [str(found["source_gap"]) for found in flags]
    kept, held = map(int, texts[0].rsplit("; ", 1)[1].split(" months")[0].split(" of these "))
    assert held - kept == 2
    assert texts[1].endswith("none of these months is left out of the fit")


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
    flags = flags_of(frame, PolicyShift("x", frame.index[first])).values()
    expected = [(f"few_months_{side}", months)] if side else []
    assert [(flag.name, flag.value) for flag in flags] == expected
    told = {"before": "before the shift", "after": "from the shift on"}
    assert all(f"{months} months are fitted {told[side]}, fewer" in flag.text for flag in flags)


def test_overlapping_shifts_are_named():
    flag = flags_of(calm_values(), replace(SHIFT, overlaps=("a-2004-03", "b-2003-06")))
    assert flag["overlapping_shift"].value == 2
    assert str(flag["overlapping_shift"]) == "within 12 months of a-2004-03, b-2003-06"
    assert "overlapping_shift" not in flags_of(calm_values())


def test_trend_that_bends_before_the_shift_is_flagged_with_its_p():
    frame, t = calm_values(), np.arange(96) / 12
    bent = frame + 1.5 * ((t - 2) ** 2)[:, None]
    flag = flags_of(bent)["curved_pre_period"]
    X = np.column_stack([np.ones(48), t[:48], t[:48] ** 2])
    p = fit_law(bent["value"].to_numpy()[:48], X, np.eye(3)).summary()[2, 3]
    assert flag.value == pytest.approx(p, rel=0.02)
    assert f"p = {flag.value:.2g}" in flag.text


def test_trend_that_bends_after_the_shift_is_not_flagged():
    t = np.arange(96) / 12
    flags = flags_of(calm_values() + 5 * (np.maximum(t - 4, 0) ** 2)[:, None])
    assert set(flags) == {"wandering"}  # no line from the shift on fits it


def test_bend_at_a_shift_beside_is_accounted_for():
    bent = calm_values() + 6 * np.maximum(np.arange(96) / 12 - 3, 0)[:, None]
    assert "curved_pre_period" in flags_of(bent)
    assert flags_of(bent, replace(SHIFT, beside=(PolicyShift("other", "2003-01"),))) == {}


def test_bend_is_not_looked_for_in_fewer_periods_than_it_needs():
    assert "curved_pre_period" not in flags_of(calm_values(60).iloc[42:], harmonics=2)


def test_months_still_being_registered_are_counted():
    shift = PolicyShift("x", "2018-12", start="2012-12")
    late = load_series("inegi", complete_only=False)
    flag = flags_of(late, shift)["still_registering"]
    assert flag.value == 6
    assert str(flag) == "6 months after June 2022"
    for frame in (load_series("inegi"), late.set_axis(late.index - 12)):
        assert "still_registering" not in flags_of(frame, shift)
    late.attrs = {}
    assert "still_registering" not in flags_of(late, shift)


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


def shares_of(by_year, own="one"):
    return {"registered_share": {"of": "all", "own": own, "by_year": by_year}}


def test_record_whose_share_of_a_total_moves_is_flagged_with_both_years():
    frame = calm_values()  # 2000 to 2007
    years = {str(year): 0.98 for year in range(1998, 2010)} | {"2003": 1.0, "2005": 0.94}
    frame.attrs = shares_of({"one": years})
    flag = flags_of(frame)["registered_share"]
    assert flag.value == pytest.approx(0.06)
    said = "one has 100.0% of all in 2003 and 94.0% in 2005, both inside the window; a change of"
    assert said in flag.text
    frame.attrs = shares_of({"one": years | {"2003": 0.98, "2005": 0.961}})
    assert "registered_share" not in flags_of(frame)  # it moves by 0.019
    frame.attrs = shares_of({"one": years | {"2003": 0.98, "2005": 0.959}})
    assert "registered_share" in flags_of(frame)
    frame.attrs = shares_of({"other": years})
    assert "registered_share" not in flags_of(frame)


def test_share_of_a_year_that_the_window_does_not_cover_is_no_warning():
    frame = calm_values().iloc[1:]  # from February 2000
    frame.attrs = shares_of({"one": {"2000": 0.5, "2001": 0.98, "2002": 0.98, "2008": 0.5}})
    assert "registered_share" not in flags_of(frame)


def test_drift_says_which_source_moved_more_against_the_total():
    frame = calm_values()
    months = frame.index.astype(str)
    drift = {"name": "B / A", "by_month": {m: 0.9 if m < "2004" else 1.0 for m in months}}
    told = {"A": {"2000": 0.98, "2004": 0.94}, "B": {"2000": 0.88, "2004": 0.95}}
    frame.attrs = {"source_ratio": drift} | shares_of(told, own="A")
    text = flags_of(frame)["source_ratio_drifting"].text
    drifted = "B / A is 0.90 in 2000 and 1.00 in 2004, both inside the window"
    said = "; against all, 2000 to 2004, B moved more (A 98.0% to 94.0%, B 88.0% to 95.0%)"
    assert text == drifted + said
    told["A"]["2000"] = 1.05
    assert "A moved more" in flags_of(frame)["source_ratio_drifting"].text
    del told["B"]["2004"]  # not known of both in both years
    assert "moved more" not in flags_of(frame)["source_ratio_drifting"].text


def test_declared_windows_are_flagged_where_their_record_keeps_no_step_with_registration():
    shifts = SHIFTS
    flags = {
        (slug, source): flags_of(load_series(source), shifts[slug])
        for slug, source in (("lopez-obrador-2018-12", "inegi"), ("sheinbaum-2024-10", "sesnsp"))
    }
    inegi, sesnsp = (found["registered_share"] for found in flags.values())
    assert inegi.value == pytest.approx(24613 / 24559 - 34426 / 36685)  # 2016 and 2018
    assert "in 2016 and 93.8% in 2018" in inegi.text
    assert sesnsp.value == pytest.approx(35693 / 36661 - 30898 / 33550)  # 2019 and 2024
    drift = flags["lopez-obrador-2018-12", "inegi"]["source_ratio_drifting"].text
    assert "2015 to 2019, SESNSP moved more (INEGI 97.6% to 96.2%" in drift


def test_frame_that_names_its_source_alone_is_fitted():
    frame = load_series("inegi", start="2012-01", end="2018-12")
    frame.attrs = {"source": "inegi"}
    assert "source_ratio_drifting" not in flags_of(frame, PolicyShift("x", "2016-01"))


def test_caveat_of_the_shift_stands_next_to_its_result():
    shift = SHIFTS["special-forces-2020"]
    flag = flags_of(load_series("sesnsp"), shift)["unconfirmed"]
    assert (flag.value, str(flag)) == (4, "unconfirmed, date unknown")
    assert "unconfirmed" not in flags_of(calm_values())


def test_shift_beside_and_months_to_omit_outside_the_window_are_told():
    shift = replace(SHIFT, beside=PolicyShift("tax", "2030-01"))
    result = fit_its(calm_values(), shift, harmonics=0, omit="2019-11:2020-01")
    pd.testing.assert_frame_equal(
        result.effects, fit_its(calm_values(), SHIFT, harmonics=0).effects
    )
    assert result.notes["outside"].endswith("fit: tax (2030-01), 2019-11 to 2020-01")
    flag = by_name(find_flags(result._model, result._mixture))["outside_window"]
    assert (flag.value, flag.text) == (2, result.notes["outside"])


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"gaps": 5}, r"series.attrs\['gaps'\] must hold place, first, .*; found 5"),
        ({"gaps": [{"place": "a", "first": "soon", "last": "x", "found": 1}]}, "must hold place"),
        ({"marked": {}}, r"series.attrs\['marked'\] must hold name, first"),
        ({"source_ratio": 3}, r"series.attrs\['source_ratio'\] must hold name, by_month"),
        ({"registered_share": {"of": 1, "own": 2}}, "must hold of, own"),
        ({"complete_through": 5}, "complete_through.* must be a month like"),
    ],
)
def test_what_a_series_says_of_itself_in_another_form_is_refused(attrs, message):
    frame = calm_values()
    frame.attrs = attrs
    with pytest.raises(ValueError, match=message):
        print(fit_its(frame, SHIFT).flags)


def test_other_things_that_a_series_says_of_itself_are_let_be():
    frame = calm_values()
    frame.attrs = {"source": ["a", "b"], "mine": np.arange(3), "source_ratio": None}
    assert flags_of(frame, harmonics=2) == {}
