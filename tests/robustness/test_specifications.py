from dataclasses import replace
from math import prod

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from support.declared import SHIFTS
from support.independent import segmented_design, simulate_ar1
from support.independent_law import covariance, fit_law
from support.sweeps import sweep

from analysis import PolicyShift, fit_its, load_series
from analysis.engine.draws import Draws
from analysis.engine.estimators import fit_newey_west, newey_west_lags, newey_west_many
from analysis.engine.gls import take_out
from analysis.its.model import prepare_model
from analysis.robustness import specifications
from analysis.robustness.specifications import simulate_null, specification_curve

CHOICES = dict(specifications.CHOICES)  # all of them, whatever a test chooses
IMPACTS = ("level_and_slope", "slope")
SHIFT = PolicyShift("reform", "2005-01")
BOTH = "shorter on both sides"
CALDERON = SHIFTS["calderon-2006-12"]
SMALL = {"date": (0, 3), "harmonics": (1,), "scale": ("log",), "denominator": ("person-years",)}


@pytest.fixture(autouse=True)
def choose(monkeypatch):
    """Few choices, unless a test asks for others; `curve` is made before with all of them."""

    def cross(**others):
        for name, values in (SMALL | others).items():
            monkeypatch.setitem(specifications.CHOICES, name, values)

    cross()
    return cross


@pytest.fixture(scope="module")
def curve():
    return specification_curve({"inegi": load_series("inegi")}, CALDERON, draws=100)


def curve_of(frame, shift=SHIFT, **options):
    return specification_curve(**{"series": {"a": frame}, "shift": shift, "draws": 100} | options)


def frame_of(log_rate):
    """Counts of 1,500 a month at log rate zero."""
    index = pd.period_range("2000-01", periods=len(log_rate), freq="M")
    deaths = np.round(1500 * np.exp(log_rate)).astype(int)
    return pd.DataFrame({"deaths": deaths, "person_years": 1e7}, index=index)


def noise(periods=120, seed=1, rho=0.5, count=1):
    return 0.06 * simulate_ar1(np.random.default_rng(seed), periods, rho, count)


def noisy(periods=120, seed=1, slope=0.0):
    i = np.arange(periods)
    return frame_of(noise(periods, seed)[:, 0] + slope * np.maximum(i - 60, 0) / 12)


def exact_line(periods=120):
    """Rates on a line with a wave, exactly: 1,000 deaths and the person-years to fit."""
    t = np.arange(periods) / 12
    log_rate = 2 + 0.1 * t + 0.05 * np.sin(2 * np.pi * t)
    return frame_of(log_rate).assign(deaths=1000, person_years=1e8 / np.exp(log_rate)), log_rate


def refit(row):
    """One specification of Calderón's shift, written out: estimate, p, and how far it may be off.

    The rough grid moves means by up to a hundredth of the standard deviation.
    """
    series = load_series("inegi")
    yearly = series["person_years"].groupby(series.index.year).transform("mean")
    size = yearly if row["denominator"] == "population" else series["person_years"]
    start = "2002-01" if row["window"] in ("shorter before", BOTH) else "2000-01"
    end = "2010-11" if row["window"] in ("shorter after", BOTH) else "2012-11"
    rate = (1e5 * series["deaths"] / size).loc[start:end]
    position = rate.index.get_loc(pd.Period("2006-12", "M") + row["date"])
    seen = ~rate.index.isin(CALDERON.omit)
    X = segmented_design(len(rate), position, harmonics=row["harmonics"])
    slope = 3
    if row["impact"] == "slope":
        X, slope = np.delete(X, 2, axis=1), 2
    y = rate.to_numpy() if row["scale"] == "rate" else np.log(rate.to_numpy())
    X = np.column_stack([X, np.eye(len(y))[:, ~seen]])
    if row["estimator"] == "newey_west":
        found = fit_newey_west(y, X)
        estimate = found.estimate[slope]
        size = np.sqrt(found.covariance[slope, slope])
        p = 2 * student.sf(abs(estimate) / size, len(y) - X.shape[1])
        off = 1e-7 * size
    else:
        mixture = fit_law(y, X, np.eye(X.shape[1])[[slope]], sizes=(16, 20, 1))
        estimate, p = mixture.mean[0] @ mixture.weight, mixture.summary()[0, 3]
        _, low, high, _ = mixture.summary()[0]
        off = 0.01 * (high - low) / 4
    if row["scale"] == "rate":
        level = rate[seen & (np.arange(len(rate)) < position)].mean()
        return 100 * estimate / level, p, 100 * off / level
    return 100 * np.expm1(estimate), p, 100 * np.exp(estimate) * off


def test_every_choice_is_crossed_with_every_other(curve):
    table = curve.table
    own = ["source", "date", "window", "harmonics", "impact"]
    assert table.columns.tolist() == [*own, "scale", "denominator", "estimator", "estimate", "p"]
    choices = CHOICES | {"impact": IMPACTS}
    crossed = table.groupby(list(choices)).size()
    assert len(crossed) == len(table) == prod(len(values) for values in choices.values()) == 1792
    for name, values in choices.items():
        assert set(table[name]) == set(values)
    assert curve.estimand == "slope"
    assert (table["source"] == "inegi").all()
    assert table["p"].between(0, 1).all()
    assert table["estimate"].is_monotonic_increasing
    assert curve.draws == 100


@pytest.mark.slow
def test_specifications_are_what_their_names_say(curve):
    chosen = curve.table.sample(30, random_state=np.random.default_rng(4))
    for name, values in CHOICES.items():
        assert set(chosen[name]) == set(values)
    for _, row in chosen.iterrows():
        estimate, p, off = refit(row)
        assert row["estimate"] == pytest.approx(estimate, abs=off)
        assert row["p"] == pytest.approx(p, rel=0.1, abs=1e-6)


def test_headline_is_one_of_the_specifications_but_for_the_size_of_its_errors(curve):
    """Errors keep their size in the curve; and its estimate is a mean, where the fit's a median."""
    headline = "date == 0 and window == 'declared' and harmonics == 2 and estimator == 'reml' and "
    headline += "impact == 'level_and_slope' and scale == 'log' and denominator == 'person-years'"
    (row,) = curve.table.query(headline).to_dict("records")
    estimate, p, off = refit(row)
    assert row["estimate"] == pytest.approx(estimate, abs=off)
    assert row["p"] == pytest.approx(p, rel=0.1)
    slope = fit_its(load_series("inegi"), CALDERON).effects.loc["slope"]
    width = slope["high"] - slope["low"]
    assert row["estimate"] == pytest.approx(slope["estimate"], abs=0.05 * width)


def stepped(size=0.4):
    return frame_of(noise()[:, 0] + size * (np.arange(120) >= 60))


@pytest.mark.parametrize(
    ("declared", "estimand", "impacts"),
    sweep(
        [
            ("level_and_slope", "slope", {"level_and_slope", "slope"}),
            ("slope", "slope", {"level_and_slope", "slope"}),
            ("level", "level", {"level_and_slope", "level"}),
        ],
        2,
    ),
)
def test_curve_is_of_what_the_shift_was_declared_as(declared, estimand, impacts):
    curve = curve_of(stepped(), replace(SHIFT, impact=declared))
    assert (curve.estimand, set(curve.table["impact"])) == (estimand, impacts)
    chosen = curve.table.query("date == 0 and window == 'declared'")
    y = np.log(1e5 * stepped()["deaths"] / stepped()["person_years"]).to_numpy()
    for _, row in chosen.iterrows():
        X = segmented_design(120, 60, harmonics=1)
        terms = [name for name in ("level", "slope") if name in row["impact"]]
        X = X[:, [0, 1, *({"level": 2, "slope": 3}[name] for name in terms), 4, 5]]
        place = 2 + terms.index(estimand)
        if row["estimator"] == "newey_west":
            expected, near = fit_newey_west(y, X).estimate[place], 1e-9
        else:
            mixture = fit_law(y, X, np.eye(X.shape[1])[[place]], sizes=(16, 20, 1))
            expected, (_, low, high, p) = mixture.mean[0] @ mixture.weight, mixture.summary()[0]
            near = 0.01 * (high - low) / 4
            assert row["p"] == pytest.approx(p, rel=0.1, abs=1e-6)
        assert np.log1p(row["estimate"] / 100) == pytest.approx(expected, abs=near)
    assert len(chosen) == 4


@pytest.mark.slow
def test_step_stands_out_from_the_null_of_a_shift_declared_as_one(choose):
    choose(date=(0,))
    curve = curve_of(stepped(), replace(SHIFT, impact="level"))
    assert curve.joint["p"].tolist() == [2 / 101, 1 / 101]
    assert curve.joint.loc["median", "observed"] == pytest.approx(100 * np.expm1(0.4), abs=6)
    calm = curve_of(stepped(0.0), replace(SHIFT, impact="level")).joint
    assert (calm["p"] > 0.05).all()


@pytest.mark.parametrize("impact", ["level", "slope"])
def test_step_of_the_rate_is_told_in_percent_of_the_mean_before(choose, impact):
    choose(scale=("rate",), date=(0,))
    shift = replace(SHIFT, impact=impact, omit="2003-05")
    table = curve_of(stepped(), shift).table.query("estimator == 'newey_west'")
    (row,) = table.query("window == 'declared' and impact == @impact").to_dict("records")
    rate = (1e5 * stepped()["deaths"] / stepped()["person_years"]).to_numpy()
    X = segmented_design(120, 60, harmonics=1)
    X = np.column_stack([np.delete(X, 3 if impact == "level" else 2, axis=1), np.eye(120)[40]])
    before = np.delete(rate[:60], 40).mean()
    expected = 100 * fit_newey_west(rate, X).estimate[2] / before
    assert row["estimate"] == pytest.approx(expected, rel=1e-9)


def test_joint_describes_the_table(curve):
    table, joint = curve.table, curve.joint
    assert joint.index.tolist() == ["median", "share"]
    assert joint.columns.tolist() == ["observed", "null_low", "null_high", "p"]
    assert joint.loc["median", "observed"] == pytest.approx(table["estimate"].median())
    significant = table[table["p"] < 0.05]
    sides = (significant["estimate"] > 0).sum(), (significant["estimate"] < 0).sum()
    assert joint.loc["share", "observed"] == pytest.approx(max(sides) / len(table))
    assert (joint["null_low"] <= joint["null_high"]).all()
    assert joint["p"].between(1 / 101, 1).all()


def test_joint_of_a_curve_written_out():
    """Three specifications of the series and of four null series, one column each."""
    estimate = np.array([[3.0, 1, 4, -2, 0], [2, 1, 3, -9, 0], [9, -1, 2, -3, 0]])
    p = np.array([[0.01, 0.9, 0.01, 0.01, 0.9]] * 2 + [[0.2, 0.2, 0.2, 0.01, 1]])
    joint = specifications._joint(estimate, p)
    # medians 3 | 1, 3, -3, 0: one null is as large, all are as small
    assert joint.loc["median", ["observed", "p"]].tolist() == [3.0, 2 * 2 / 5]
    # shares 2/3 | 0, 2/3, 1 (downward), 0: two are as large
    assert joint.loc["share", ["observed", "p"]].tolist() == [2 / 3, 3 / 5]
    low, high = np.quantile([1, 3, -3, 0], [0.025, 0.975])
    assert joint.loc["median", ["null_low", "null_high"]].tolist() == [low, high]


def test_share_counts_one_direction_only():
    estimate, p = [1.0, 2.0, -1.0, -5.0, 4.0], [0.01, 0.9, 0.01, 0.01, 0.01]
    joint = specifications._joint(*(np.tile(np.array(x)[:, None], 3) for x in (estimate, p)))
    assert joint.loc["share", "observed"] == 2 / 5


@pytest.mark.parametrize("gone", [0, 2])
def test_newey_west_of_many_series_is_that_of_each(gone):
    for n, harmonics in ((60, 0), (155, 2)):
        X = segmented_design(n, n // 2, harmonics=harmonics)[:, ::-1]
        outcomes = 5 + noise(n, seed=8, count=6)
        first, taken = X[:, : X.shape[1] - gone], X[:, X.shape[1] - gone :]
        left = [take_out(x, taken) for x in (outcomes, first)] if gone else [outcomes, X]
        estimate, p = newey_west_many(*left, gone=gone)
        for column, y in enumerate(outcomes.T):
            found = fit_newey_west(y, X)
            ratio = abs(found.estimate[0]) / np.sqrt(found.covariance[0, 0])
            tail = 2 * student.sf(ratio, n - X.shape[1])
            assert (estimate[column], p[column]) == pytest.approx(
                (found.estimate[0], tail), rel=1e-9
            )
        assert newey_west_lags(n) == {60: 3, 155: 4}[n]


def test_choices_explain_their_share_of_the_variance():
    """Estimates a + b with a = 0, 4 and b = -1, 1: variances 4 and 1 of 5, nothing by c."""
    table = pd.DataFrame({"a": [*"xxyy"] * 2, "b": [0, 1] * 4, "c": [0] * 4 + [1] * 4})
    table["estimate"], table["p"] = [-1.0, 1, 3, 5] * 2, 0.5
    shares = specifications.SpecificationCurve(table, pd.DataFrame(), 100).variance_shares
    assert shares.index.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(shares, [0.8, 0.2, 0.0], atol=1e-15)


@pytest.mark.parametrize("slope", sweep([0.5, -0.4], 0))
def test_large_effect_stands_out_from_the_null(slope):
    curve = curve_of(noisy(slope=slope))
    assert curve.joint["p"].tolist() == [2 / 101, 1 / 101]  # as small as 100 draws can make them
    assert (curve.joint["null_high"] < [20, 0.9]).all()
    assert curve.joint.loc["share", "observed"] == 1
    assert np.sign(curve.joint.loc["median", "observed"]) == np.sign(slope)


@pytest.mark.slow
def test_seed_decides_the_numbers():
    one = curve_of(noisy(), seed=1, jobs=1)
    same, other = curve_of(noisy(), seed=1, jobs=2), curve_of(noisy(), seed=2, jobs=1)
    pd.testing.assert_frame_equal(same.table, one.table, check_exact=True)
    pd.testing.assert_frame_equal(same.joint, one.joint, check_exact=True)
    pd.testing.assert_frame_equal(other.table, one.table)  # the estimates need no draws
    assert (other.joint["null_high"] != one.joint["null_high"]).any()


def test_null_keeps_the_line_and_drops_the_shift():
    frame, log_rate = exact_line()
    paths = simulate_null(prepare_model(frame, SHIFT), 100, 0)
    assert paths.index.equals(frame.index)
    np.testing.assert_allclose(paths, np.tile(log_rate[:, None], 100), rtol=0, atol=1e-9)
    shifted = frame.assign(person_years=frame["person_years"] * np.where(log_rate > 2.5, 0.5, 1))
    slopes = np.polyfit(
        np.arange(120) / 12, simulate_null(prepare_model(shifted, SHIFT), 100, 0), 1
    )[0]
    assert 0.1 < np.median(slopes) < 0.3  # one line through both parts


def planted(phi, theta, sigma, draws, ratio=1.0):
    """Parameters of every null series; the constant of each is its number."""
    ones, line = np.ones(draws), np.zeros((draws, 6))
    line[:, 0] = np.arange(draws)  # every path has their median
    return Draws(phi * ones, theta * ones, ratio * ones, sigma * ones, 0 * ones, line)


def null_of(drawn, frame, monkeypatch):
    """Null series less their median constant; of which harmonics have no part."""
    monkeypatch.setattr(specifications, "draw_parameters", lambda *_, **__: drawn)
    count = len(drawn.phi)
    return simulate_null(prepare_model(frame, SHIFT), count, 0).to_numpy() - (count - 1) / 2


def test_null_has_the_law_of_its_parameters_with_its_change_of_size(monkeypatch):
    paths = null_of(planted(0.8, 0.3, 0.01, 4_000, 2.0), noisy(), monkeypatch)
    expected = 1e-4 * covariance(120, 0.8, 0.3, 2.0, 60)
    np.testing.assert_allclose(paths.var(axis=1), np.diag(expected), rtol=0.12)
    for lag in (1, 2, 5):
        lagged = (paths[lag:] * paths[:-lag]).mean(axis=1).sum()
        assert lagged == pytest.approx(np.trace(expected, lag), rel=0.05)


def test_null_of_errors_that_wander_starts_no_farther_off_than_the_series_went(monkeypatch):
    frame = noisy()
    paths = null_of(planted(0.999, 0.0, 0.06, 4_000), frame, monkeypatch)  # 22 times as far
    y = np.log(1e5 * frame["deaths"] / frame["person_years"])
    X = segmented_design(120, 60, harmonics=2)
    left = (y - X @ np.linalg.lstsq(X, y, rcond=None)[0]).std(ddof=0)
    assert paths[0].var() == pytest.approx(0.06**2 + left**2, rel=0.12)


def test_sources_share_the_shocks_of_their_common_months(monkeypatch):
    drawn = planted(0.0, 0.0, 1.0, 100)._replace(b=np.zeros((100, 6)))  # the path is its shocks
    monkeypatch.setattr(specifications, "draw_parameters", lambda *_, **__: drawn)
    frame, _ = exact_line()
    model = prepare_model(frame, replace(SHIFT, start="2000-12"))
    long = simulate_null(model, 100, 0)
    short = simulate_null(prepare_model(frame.loc["2002-04":], SHIFT), 100, 0)
    pd.testing.assert_frame_equal(long.loc["2002-04":], short, check_exact=True)
    assert not np.allclose(long.iloc[0], long.iloc[12])
    assert not np.allclose(long, simulate_null(model, 100, 1))


@pytest.mark.slow
@pytest.mark.parametrize("number", [100, 90_000])
def test_curve_does_not_look_at_months_left_out(number):
    shift, other = replace(SHIFT, omit="2003-05:2003-06"), noisy()
    other.loc["2003-05":"2003-06", "deaths"] = number
    one, two = curve_of(noisy(), shift), curve_of(other, shift)
    pd.testing.assert_frame_equal(two.table, one.table, rtol=1e-6)
    pd.testing.assert_frame_equal(two.joint, one.joint, rtol=1e-6)


def test_null_of_two_real_sources_moves_together():
    shift = SHIFTS["lopez-obrador-2018-12"]
    paths = [
        simulate_null(prepare_model(load_series(source), shift), 100, 0) for source in shift.sources
    ]
    inegi, sesnsp = (path.loc["2015-02":"2022-06"].diff().iloc[1:] for path in paths)
    assert inegi.corrwith(sesnsp).median() > 0.75


@pytest.mark.slow
def test_two_sources_are_two_parts_of_the_table():
    series = {"a": noisy(), "b": noisy(seed=2)}
    both = specification_curve(series, SHIFT, draws=100)
    for name, frame in series.items():
        alone = specification_curve({name: frame}, SHIFT, draws=100).table
        part = both.table[both.table["source"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, alone)
    assert "source" in both.variance_shares


@pytest.mark.parametrize(
    ("month", "periods", "windows"),
    sweep(
        [
            ("2005-01", 120, ["declared", "shorter after", "shorter before", BOTH]),
            ("2003-11", 120, ["declared", "shorter after"]),  # 46 months before: 48 would be needed
            ("2004-01", 120, ["declared", "shorter after", "shorter before", BOTH]),
            ("2005-01", 95, ["declared", "shorter before"]),  # 35 from it on: 36 would be needed
            ("2002-01", 50, ["declared"]),
        ],
        0,
    ),
)
def test_windows_are_shortened_where_enough_is_left(month, periods, windows):
    table = curve_of(noisy(periods), PolicyShift("x", month)).table
    assert sorted(set(table["window"])) == sorted(windows)


def test_dates_too_close_to_an_end_are_left_out(choose):
    choose(date=(-6, 0, 6))
    for month, kept in (("2000-11", {0, 6}), ("2002-09", {-6, 0})):
        assert set(curve_of(noisy(40), PolicyShift("x", month)).table["date"]) == kept


@pytest.mark.slow
def test_dates_beside_another_shift_are_left_out(choose):
    choose(date=CHOICES["date"])
    # six months before; two months before, where the official date stays
    for month, kept in (("2004-07", {-2, 0, 2, 4, 6}), ("2004-11", {-6, 0, 2, 4, 6})):
        table = curve_of(noisy(), replace(SHIFT, beside=PolicyShift("other", month))).table
        assert set(table["date"]) == kept


def test_window_that_loses_a_shift_beside_is_left_out():
    table = curve_of(noisy(), replace(SHIFT, beside=PolicyShift("other", "2001-03"))).table
    assert set(table["window"]) == {"declared", "shorter after"}


@pytest.mark.slow
def test_declared_shift_between_others_has_a_curve():
    shift = SHIFTS["special-forces-2020"]
    series = {source: load_series(source) for source in shift.sources}
    sources = specification_curve(series, shift, draws=100).table["source"]
    assert set(sources) == set(shift.sources)


@pytest.mark.slow
def test_range_of_months_is_taken_at_its_first():
    first = PolicyShift("x", "2009-01")
    ranged = replace(first, until="2009-09")  # its last leaves four months
    curves = [curve_of(noisy(), shift).table for shift in (ranged, first)]
    pd.testing.assert_frame_equal(*curves)


def test_callers_frames_are_left_alone():
    frame = noisy()
    frame.attrs["note"] = ["mine"]
    before, series = frame.copy(deep=True), {"a": frame}
    specification_curve(series, SHIFT, draws=100)
    pd.testing.assert_frame_equal(frame, before)
    assert frame.attrs == {"note": ["mine"]}
    assert list(series) == ["a"]
    assert series["a"] is frame


GOOD, TWICE = noisy(), replace(SHIFT, beside=replace(SHIFT, slug="tax"))
QUARTERS = GOOD.iloc[:40].set_axis(pd.period_range("1996Q1", periods=40, freq="Q"))
VALUES = pd.DataFrame({"value": noise()[:, 0]}, index=GOOD.index)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (GOOD, {"draws": 99}, "draws must be a whole number from 100 to 1,000,000; found 99"),
        (GOOD, {"draws": 100.5}, "whole number from 100 to 1,000,000; found 100.5"),
        (GOOD, {"draws": True}, "found True"),
        (VALUES, {}, "needs the columns 'deaths' and 'person_years'"),
        (QUARTERS, {}, "a specification curve needs months; found quarters"),
        (GOOD.assign(deaths=0), {}, "log scale needs deaths in every period"),
        (GOOD["deaths"], {}, "must be a DataFrame; found pandas Series"),
        (GOOD.iloc[:60], {}, "reform: the shift at 2005-01 is outside the series"),
        (GOOD, {"jobs": 0}, "jobs must be 'dask' or a whole number from 1 up; found 0"),
        (GOOD, {"shift": TWICE}, "leave it out of beside"),
        (GOOD, {"series": {}}, "must have one frame or more; found none"),
    ],
)
def test_bad_input_is_refused(frame, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        curve_of(frame, **options)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_joint_p_is_below_five_percent_in_five_percent_of_series_without_effect(
    monkeypatch, choose, rho
):
    """Standard error of a share near 5%: 1.8 points with 150 series."""
    choose(date=(-6, 0, 6), harmonics=(2,))
    frames = [frame_of(errors) for errors in noise(seed=20, rho=rho, count=150).T]
    model = prepare_model(frames[0], SHIFT)  # of all: they differ by their deaths alone
    monkeypatch.setattr(specifications, "_prepare", lambda _, x, __: replace(model, window=x))
    p = [
        curve_of(frame, SHIFT, draws=199, seed=seed).joint["p"] for seed, frame in enumerate(frames)
    ]
    size = 100 * (pd.DataFrame(p) <= 0.05).mean()
    print(f"rho {rho}: size of the median {size['median']:.1f}%, of the share {size['share']:.1f}%")
    assert (size <= 5 + 3 * 1.8).all()
    assert (size > 0).all()
