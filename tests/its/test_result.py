from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import CubicSpline
from support.declared import SHIFTS
from support.independent import average, effect_rows, monthly_values, noise, segmented_design
from support.independent_law import LEAST_V, MOST_LOG_RATIO, MOST_THETA, fit_law

from analysis import PolicyShift, compare_estimators, fit_its, load_series
from analysis.its.breaks import break_posterior

SHIFT = PolicyShift("reform", "2010-01")
LEVEL, SLOPE, TREND = 0.25, -0.4, 0.1
TRUTH = np.array([LEVEL, SLOPE, LEVEL + SLOPE, LEVEL + 2 * SLOPE, TREND, TREND + SLOPE])
BOTH = ["newey_west", "quasi_poisson"]
VALUES = monthly_values(noise(seed=0, rho=0.5), "2007-01")
DEATHS = np.random.default_rng(4).poisson(500, 60)
GOOD = pd.DataFrame({"deaths": DEATHS, "person_years": 2e5}, index=VALUES.index)
NATIONAL = [
    (slug, source)
    for slug, shift in SHIFTS.items()
    if shift.places == ("MX00",)
    for source in shift.sources
]


def exact_line(frequency="M", start="2006-03", periods=90, first=46, level=LEVEL, slope=SLOPE):
    """5 + 0.1 t, plus a level and a slope from the period `first` on, with a wave of the year."""
    index = pd.period_range(start, periods=periods, freq=frequency)
    t = np.arange(periods) / {"M": 12, "Q": 4, "Y": 1}[frequency]
    wave = 0.05 * np.sin(2 * np.pi * t) if frequency == "M" else 0
    effect = level * (t >= t[first]) + slope * np.maximum(t - t[first], 0)
    return index, 5 + TREND * t + effect + wave


def frame_on(scale, index, y):
    """A frame whose outcome on `scale` is exactly `y`: 1,000 deaths and the person-years to fit."""
    if scale == "value":
        return pd.DataFrame({"value": y}, index=index)
    rate = np.exp(y) if scale == "log" else y
    return pd.DataFrame({"deaths": 1000, "person_years": 1e5 * 1000 / rate}, index=index)


FREQUENCIES = [("M", "2006-03", 90, 46), ("Q", "2003Q2", 60, 27), ("Y", "1990", 36, 20)]
SCALES = ["log", "rate", "value"]


@pytest.mark.parametrize(
    ("scale", "frequency", "start", "periods", "first"),
    [  # every pair; each scale and each frequency once among the fast tests
        pytest.param(scale, *case, marks=[pytest.mark.slow] if row != column else [])
        for row, scale in enumerate(SCALES)
        for column, case in enumerate(FREQUENCIES)
    ],
)
def test_truth_without_noise_is_found(scale, frequency, start, periods, first):
    index, y = exact_line(frequency, start, periods, first)
    result = fit_its(frame_on(scale, index, y), SHIFT, scale=scale)
    expected = 100 * (np.exp(TRUTH) - 1) if scale == "log" else TRUTH
    rows = ["level", "slope", "effect_12m", "effect_24m", "pre_trend", "post_trend"]
    assert list(result.effects.index) == rows
    for column in ("estimate", "low", "high"):
        np.testing.assert_allclose(result.effects[column], expected, rtol=0, atol=1e-9)
    assert result.effects["p"].isna().all()
    assert result.notes == {"intervals": "the model fits without any residual variation"}
    np.testing.assert_allclose(result.fitted, np.exp(y) if scale == "log" else y, atol=1e-9)
    assert (result.n_before, result.n_after) == (first, periods - first)


def test_effect_that_is_exactly_zero_is_found():
    effects = fit_its(frame_on("value", *exact_line(level=3.0, slope=0.0)), SHIFT).effects
    np.testing.assert_allclose(effects["estimate"], [3, 0, 3, 3, TREND, TREND], rtol=0, atol=1e-9)


def noisy_line(scale):
    index, y = exact_line()
    return frame_on(scale, index, y + 0.1 * np.random.default_rng(0).standard_normal(90))


@pytest.mark.parametrize("scale", ["log", "value"])
def test_default_scale_follows_the_columns(scale):
    assert fit_its(noisy_line(scale), SHIFT).scale == scale


@pytest.mark.parametrize(
    ("scale", "unit"),
    [("log", "percent"), ("rate", "deaths per 100,000 person-years"), ("value", "units")],
)
def test_units_say_per_year_for_trends(scale, unit):
    units = fit_its(noisy_line(scale), SHIFT, scale=scale).units
    assert units["level"] == units["effect_12m"] == units["effect_24m"] == unit
    assert set(units[["slope", "pre_trend", "post_trend"]]) == {f"{unit} per year"}


@pytest.mark.parametrize(("impact", "absent"), [("level", "slope"), ("slope", "level")])
def test_term_left_out_of_the_impact_is_missing_with_its_reason(impact, absent):
    frame = frame_on("value", *exact_line(**{impact: 0.7, absent: 0.0}))
    result = fit_its(frame, replace(SHIFT, impact=impact))
    assert result.notes[absent] == f"the impact model has no {absent} term"
    assert result.effects.loc[absent].isna().all()
    truth = {"level": [0.7, 0.7, 0.7], "slope": [0.7, 0.7, 1.4]}[impact]
    found = result.effects.loc[[impact, "effect_12m", "effect_24m"], "estimate"]
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-9)
    trends = result.effects.loc[["pre_trend", "post_trend"], "estimate"]
    after = {"level": 0.0, "slope": 0.7}[impact]
    np.testing.assert_allclose(trends, [TREND, TREND + after], rtol=0, atol=1e-9)


def test_effect_beyond_the_window_is_missing_with_its_reason():
    result = fit_its(GOOD.iloc[:54], SHIFT)
    assert result.effects.loc["effect_24m"].isna().all()
    assert result.effects.loc["effect_12m"].notna().all()
    reason = "18 months after the shift; 24 are needed, or it extrapolates"
    assert result.notes == {"effect_24m": reason}


def test_month_inside_a_year_or_quarter_starts_with_the_next_whole_one():
    for frequency, first in (("Q", "2010Q3"), ("Y", "2011")):
        values = np.random.default_rng(1).standard_normal(24 if frequency == "Y" else 70)
        frame = monthly_values(values, freq=frequency)
        result = fit_its(frame, PolicyShift("x", "2010-05"))
        assert str(result.shift.month) == first
        assert result.n_before == list(frame.index.astype(str)).index(first)


def test_window_of_the_shift_is_what_is_fitted():
    cut = fit_its(GOOD, replace(SHIFT, start="2007-06", end="2011-05"))
    same = fit_its(GOOD.loc["2007-06":"2011-05"], SHIFT)
    pd.testing.assert_frame_equal(cut.effects, same.effects)
    assert (cut.n_before, cut.n_after) == (31, 17)


def fit_and_draw(frame):
    result = fit_its(frame, SHIFT)
    result.counterfactual("segmented", draws=200)
    result.excess(12, draws=200)
    assert result.series is not frame


def find_breaks(frame):
    break_posterior(frame, shift=PolicyShift("x", "2007-01"))
    break_posterior(frame.iloc[:50], 2)


@pytest.mark.parametrize(
    "use",
    [fit_and_draw, find_breaks, lambda frame: compare_estimators(frame, SHIFT, estimators=BOTH)],
)
def test_callers_frame_is_left_alone(use):
    frame = load_series("inegi", start="2004-01", end="2012-11")
    frame.attrs["note"] = ["mine"]
    before, attrs, index = frame.copy(deep=True), dict(frame.attrs), frame.index
    use(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert frame.attrs == attrs
    assert frame.index is index


def test_scaling_deaths_and_person_years_changes_nothing():
    one, seven = fit_its(GOOD, SHIFT), fit_its(7 * GOOD, SHIFT)
    pd.testing.assert_frame_equal(seven.effects, one.effects, rtol=1e-9)
    pd.testing.assert_series_equal(seven.fitted, one.fitted, rtol=1e-9)
    pd.testing.assert_frame_equal(seven.memory, one.memory, rtol=1e-9)


def independent_fits(slug, source, sizes):
    """The window of a declared shift, its months from the last on, and a mixture for each month."""
    shift, frame = SHIFTS[slug], load_series(source, start=None, end=None)
    frame = frame.loc[shift.start or frame.index[0] : shift.end or frame.index[-1]]
    place = frame.index.get_loc
    y = np.log(1e5 * frame["deaths"] / frame["person_years"]).to_numpy()
    beside, last = [place(other.month) for other in shift.beside], place(shift.months[-1])
    dummies = np.eye(len(y))[:, [place(month) for month in shift.omit]]
    mixtures = []
    for first in range(place(shift.month), last + 1):
        X = segmented_design(len(y), first, *beside, harmonics=2)
        rows = effect_rows(X.shape[1])
        rows[4, [5 + 2 * number for number, at in enumerate(beside) if at < first]] = 1
        rows = np.vstack([rows, rows[4] + rows[1]])
        rows = np.pad(rows, ((0, 0), (0, dummies.shape[1])))
        mixtures.append(fit_law(y, np.hstack([X, dummies]), rows, after=first, sizes=sizes))
    return len(y) - last, mixtures


def assert_independently_right(slug, source, sizes, tolerance):
    """No number may be off by more than the tolerance, in widths of its interval."""
    after, mixtures = independent_fits(slug, source, sizes)
    expected = average(mixtures).summary()
    expected[:, :3] = 100 * np.expm1(expected[:, :3])
    result = fit_its(load_series(source), SHIFTS[slug])
    assert result.n_after == after
    missing = [after < months for months in (0, 0, 12, 24, 0, 0)]
    expected[missing] = np.nan
    width = np.append(np.tile((expected[:, 2] - expected[:, 1])[:, None], 3), np.ones((6, 1)), 1)
    effects = result.effects.iloc[: len(expected)]  # shifts beside follow
    np.testing.assert_array_equal(effects.isna().any(axis=1), missing)
    assert np.nanmax(abs(effects.to_numpy() - expected) / width) < tolerance
    if len(mixtures) == 1:
        below = memory_below(mixtures[0], sizes, result.memory.to_numpy())
        np.testing.assert_allclose(below, np.tile([0.5, 0.025, 0.975], (3, 1)), rtol=0, atol=0.02)


def memory_below(mixture, sizes, values):
    """How much of phi, s and log q lies below `values` (3, 3), by splines through their nodes."""
    share, point, z = (np.polynomial.legendre.leggauss(size) for size in sizes)
    weight = mixture.weight.reshape(2 * sizes[1], sizes[0], sizes[2])
    v = np.sqrt(np.arccos(mixture.rho.reshape(weight.shape)[:, 0, 0]))
    kink, end = np.sqrt(np.arccos([MOST_THETA, 0]))
    v_weight = np.concatenate([(kink - LEAST_V) * point[1], (end - kink) * point[1]])
    axes = [(v, v_weight), ((share[0] + 1) / 2, share[1]), (MOST_LOG_RATIO * z[0], z[1])]
    ends = np.sqrt(np.arccos(values[0])), values[1], np.log(values[2])
    found = []
    for axis, (node, step) in enumerate(axes):
        mass = weight.sum(axis=tuple({0, 1, 2} - {axis}))
        fine = np.linspace(node[0], node[-1], 20_001)
        density = np.exp(CubicSpline(node, np.log(mass / step))(fine))
        found.append(np.interp(ends[axis], fine, np.cumsum(density) / density.sum()))
    found[0] = 1 - found[0]  # v falls as phi rises
    return found


def test_effects_of_a_national_shift_agree_with_the_independent_implementation():
    """The slow test below asks for all of them, on a finer grid."""
    assert_independently_right("calderon-2006-12", "inegi", (12, 14, 12), 6e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("slug", "source"), NATIONAL)
def test_effects_of_national_shifts_agree_to_a_thousandth_of_their_intervals(slug, source):
    assert_independently_right(slug, source, (20, 28, 20), 1e-3)


def test_shift_beside_takes_its_own_level_and_slope():
    index, y = exact_line()
    t = np.arange(90) / 12
    y = y + 1.5 * (np.arange(90) >= 20) + 0.6 * np.maximum(t - t[20], 0)
    other = PolicyShift("other", "2007-11")
    effects = fit_its(frame_on("value", index, y), replace(SHIFT, beside=(other,))).effects
    truth = [*TRUTH[:4], TREND + 0.6, TREND + SLOPE + 0.6]  # the trend just before the shift
    assert effects.index[-2:].tolist() == ["level:other", "slope:other"]
    np.testing.assert_allclose(effects["estimate"], [*truth, 1.5, 0.6], rtol=0, atol=1e-9)


def test_shift_beside_that_comes_later_is_in_neither_trend():
    index, y = exact_line()
    t = np.arange(90) / 12
    y = y + 1.5 * (np.arange(90) >= 70) + 0.6 * np.maximum(t - t[70], 0)
    shift = replace(SHIFT, beside=(PolicyShift("other", "2012-01"),))
    effects = fit_its(frame_on("value", index, y), shift).effects
    np.testing.assert_allclose(effects["estimate"], [*TRUTH, 1.5, 0.6], rtol=0, atol=1e-9)


@pytest.mark.parametrize("beside", [False, True])
def test_trends_and_their_change_multiply(beside):
    """(1 + before) (1 + change) = 1 + after, also where a shift beside bent the line earlier."""
    index, y = exact_line()
    shift, before = SHIFT, TREND
    if beside:
        t = np.arange(90) / 12
        y, before = y + 0.2 * np.maximum(t - t[20], 0), TREND + 0.2
        shift = replace(SHIFT, beside=PolicyShift("other", "2007-11", impact="slope"))
    one = 1 + fit_its(frame_on("log", index, y), shift).effects["estimate"] / 100
    assert one["pre_trend"] == pytest.approx(np.exp(before), abs=1e-11)
    assert one["post_trend"] == pytest.approx(np.exp(before + SLOPE), abs=1e-11)
    assert one["pre_trend"] * one["slope"] == pytest.approx(one["post_trend"], abs=1e-11)


@pytest.mark.slow
def test_range_of_months_of_which_one_fits_exactly_keeps_the_doubt_about_the_others():
    frame = frame_on("value", *exact_line(level=3.0, slope=0.5))
    for month, until in (("2010-01", "2010-02"), ("2009-12", "2010-01")):
        result = fit_its(frame, PolicyShift("range", month, until=until))
        assert result.effects.loc["level", "high"] - result.effects.loc["level", "low"] > 0.1
        assert "intervals" not in result.notes


def test_value_is_fitted_where_deaths_have_no_person_years():
    both, alone = (fit_its(frame, SHIFT) for frame in (VALUES.assign(deaths=5), VALUES))
    pd.testing.assert_frame_equal(both.effects, alone.effects)


def changed(column, value):
    frame = GOOD.astype({column: float})
    frame.loc["2008-03", column] = value
    return frame


MONTH = pd.Period("2008-03", "M")
BAD_SERIES = {
    "a series": (GOOD["deaths"], "series must be a DataFrame; found pandas Series"),
    "dates": (
        GOOD.to_timestamp(),
        r"PeriodIndex of .* found DatetimeIndex; use frame.set_index",
    ),
    "weeks": (GOOD.set_axis(pd.period_range("2007", periods=60, freq="W")), "found W"),
    "no rows": (GOOD.iloc[:0], "series is empty"),
    "missing month": (GOOD.drop(MONTH), r"consecutive; missing \['2008-03'\]. Reindex the series"),
    "month twice": (pd.concat([GOOD, GOOD.loc[[MONTH]]]), r"unique; \['2008-03'\] appear more"),
    "unsorted": (GOOD.iloc[::-1], r"periods must be in order; use frame.sort_index\(\)"),
    "negative": (changed("deaths", -1), r"must not be negative; found \[-1.0\] in \['2008-03'\]"),
    "fraction": (changed("deaths", 5.5), r"must be whole numbers; found \[5.5\] in \['2008-03'\]"),
    "no number": (changed("deaths", np.nan), r"deaths must be finite .* \['2008-03'\]"),
    "text": (GOOD.assign(deaths="many"), "deaths must be numbers; found"),
    "nobody": (changed("person_years", 0), r"person_years must be positive; found \[0.0\]"),
    "endless": (VALUES.replace(VALUES.iloc[3, 0], np.inf), "value must be finite"),
    "other columns": (GOOD.rename(columns={"deaths": "count"}), "needs the columns 'deaths' and"),
    "columns twice": (GOOD.iloc[:, [0, 1, 0]], r"columns must be unique; \['deaths'\] appear"),
}


BAD_CHOICES = {
    "a month": (
        GOOD,
        "2010-01",
        {},
        "shift must be a PolicyShift; found '2010-01'; use ",
    ),
    "too early": (GOOD, PolicyShift("x", "2006-12"), {}, "x: the shift at 2006-12 is outside"),
    "too late": (GOOD, PolicyShift("x", "2012-01"), {}, "outside the .* 2007-01 to 2011-12"),
    "few before": (GOOD, PolicyShift("x", "2007-06"), {}, "5 months before .* at least 6"),
    "few after": (GOOD, PolicyShift("x", "2011-08"), {}, "5 from it on; at least 6 are needed"),
    "empty window": (GOOD, PolicyShift("x", "2015-01", start="2014-01"), {}, "holds nothing"),
    "same month": (
        *(GOOD, replace(SHIFT, beside=replace(SHIFT, slug="tax")), {}),
        f"tax .{SHIFT.month}., cannot be told apart from reform .* leave it out of beside",
    ),
    "unknown scale": (GOOD, SHIFT, {"scale": "logs"}, r"scale must be one of \['log', .* 'logs'"),
    "counts as value": (GOOD, SHIFT, {"scale": "value"}, "needs a column 'value'; found"),
    "values as rate": (VALUES, SHIFT, {"scale": "rate"}, "scale 'rate' needs 'deaths' and"),
    "half a wave": (GOOD, SHIFT, {"harmonics": 0.5}, "whole number from 0 to 6; found 0.5"),
    "no deaths": (
        *(changed("deaths", 0), SHIFT, {"scale": "log"}),
        r"log scale needs deaths in every period; none in \['2008-03'\]. Use .* without a scale",
    ),
    "many waves": (GOOD.iloc[30:47], SHIFT, {"harmonics": 6}, "keeps 17 periods .* fewer harm"),
}
BAD_CHOICES |= {name: (bad, SHIFT, {}, why) for name, (bad, why) in BAD_SERIES.items()}


@pytest.mark.parametrize("name", BAD_CHOICES)
def test_bad_series_or_choice_is_refused(name):
    frame, shift, options, message = BAD_CHOICES[name]
    with pytest.raises((TypeError, ValueError), match=message):
        fit_its(frame, shift, **options)
