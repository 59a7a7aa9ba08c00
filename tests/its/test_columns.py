"""What stands beside a series: columns by their names, covariates, a control, several shifts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from support.folders import REFERENCE
from support.sweeps import sweep

from analysis import PolicyShift, break_posterior, certificate, compare_estimators, fit_its
from analysis.its.comparison import estimate_by
from analysis.its.flags import find_flags
from analysis.its.series import check_frame
from analysis.its.words import describe_excess

INDEX = pd.period_range("2005-01", periods=96, freq="M")
TIME = np.arange(96) / 12
SHIFT = PolicyShift("reform", "2009-01")
AFTER = np.arange(96) >= 48
LINE = 10 - 0.3 * TIME + AFTER * (1.5 + 0.4 * (TIME - TIME[48]))
WEATHER = pd.Series(np.random.default_rng(3).normal(size=96), INDEX, name="weather")
THREE = ("reml", "newey_west", "prais_winsten")
NOISE = np.random.default_rng(4).normal(0, 0.1, (3, 96))


def values(y):
    return pd.DataFrame({"value": y}, index=INDEX)


def compared(result):
    """A result beside which three estimators stand instead of all."""
    result.__dict__["_comparison"] = estimate_by(THREE, result._model)
    return result


def read(name):
    return pd.read_csv(REFERENCE / f"{name}.csv", comment="#")


def expected(name, case):
    rows = read(f"{name}_expected").query("case == @case")
    return rows.set_index(["term", "statistic"])["value"]


@pytest.fixture(scope="module")
def florida():
    months = read("florida").set_index("month")
    months.index = pd.PeriodIndex(months.index, freq="M")
    return months.query("case == 1"), months.query("case == 0")


LAW = PolicyShift("stand-your-ground", "2005-10", impact="level")
NAMES = {"count": "hom", "exposure": "people"}


def test_florida_has_the_published_change_and_the_error_of_r(florida):
    model = fit_its(florida[0], LAW, columns=NAMES)._model
    rows = estimate_by(("quasi_poisson",), model).set_index("estimand")
    row, r = rows.loc["level"], expected("florida", "fl_hom")
    assert round(row["estimate"], 1) == 24.4  # as printed
    assert np.log1p(row["estimate"] / 100) == pytest.approx(r["level", "estimate"], abs=1e-9)
    error = row["se"] / (100 + row["estimate"])
    assert error == pytest.approx(r["level", "se"], rel=1e-6)


def test_control_of_counts_is_a_model_of_both_groups(florida):
    """The same by statsmodels, written out: Humphreys et al.'s controlled model."""
    treated, control = (part.drop(pd.Period("2001-09", "M")) for part in florida)
    both = pd.concat([treated, control])
    when, turn = both.index, 2 * np.pi * both.index.month / 12
    case, level = both["case"].to_numpy(), np.asarray(when >= pd.Period("2005-10", "M"), float)
    trend = np.asarray((when.year - 1999) + (when.month - 1) / 12)
    own = np.column_stack([np.ones(len(both)), trend, level])
    waves = np.column_stack([f(k * turn) for k in (1, 2) for f in (np.sin, np.cos)])
    X = np.hstack([own, waves, case[:, None] * own])
    model = GLM(both["hom"], X, Poisson(), exposure=both["people"])
    by_hand = model.fit(scale="X2", tol=1e-12)

    known = florida[1].fillna({"hom": 1})  # the lost month is left out
    found = fit_its(florida[0], LAW, columns=NAMES, control=known, omit="2001-09")
    rows = estimate_by(("quasi_poisson",), found._model).set_index("estimand")
    assert np.log1p(rows["estimate"]["level"] / 100) == pytest.approx(by_hand.params.iloc[-1])
    assert rows["se"]["level"] / (100 + rows["estimate"]["level"]) == pytest.approx(
        by_hand.bse.iloc[-1]
    )
    assert by_hand.params.iloc[-1] == pytest.approx(np.log(1.18768), abs=3e-4)  # all months


def test_difference_to_a_control_is_the_published_one_of_west_virginia():
    shares = read("west_virginia")
    shares.index = pd.PeriodIndex(shares["quarter"], freq="Q")
    shift = PolicyShift("prior-authorisation", "2003Q2")
    series = shares[["west_virginia", "control"]]
    named = {"value": "west_virginia"}
    result = fit_its(series, shift, harmonics=0, columns=named, control="control")
    rows = estimate_by(("newey_west",), result._model).set_index("estimand")["estimate"]
    level, slope = -0.038388, -0.013342  # printed -0.0384 and -0.0133; slope 1 in its first quarter
    assert rows["level"] == pytest.approx(level + slope, abs=1e-6)
    assert rows["slope"] == pytest.approx(4 * slope, abs=4e-6)
    assert "columns" not in result.notes


def test_covariates_are_estimated_taken_out_and_projected():
    result = fit_its(values(LINE + 2 * WEATHER), SHIFT, harmonics=0, covariates=WEATHER)
    np.testing.assert_allclose(result.effects["estimate"].iloc[:2], [1.5, 0.4], atol=1e-9)
    assert result.effects["estimate"]["covariate:weather"] == pytest.approx(2)
    result = compared(fit_its(values(LINE + 2 * WEATHER + NOISE[0]), SHIFT, covariates=WEATHER))
    low, high = result.effects.loc["covariate:weather", ["low", "high"]]
    assert low < 2 < high < low + 0.2
    assert result.flags == ()
    old = 10 - 0.3 * TIME + 2 * WEATHER.to_numpy() + NOISE[0]
    for kind in ("forecast", "segmented"):
        path = result.counterfactual(kind, draws=1_000)
        after = path.index >= SHIFT.month
        assert ((path["low"] < old) & (path["high"] > old))[after].mean() > 0.9
        assert np.corrcoef(path["expected"][after], old[after])[0, 1] > 0.98


def test_covariates_are_matched_by_label():
    series = values(LINE + 2 * WEATHER + NOISE[0])
    result = fit_its(series, SHIFT, covariates=WEATHER)
    shuffled = WEATHER.sample(frac=1, random_state=1)
    longer = pd.concat([shuffled, pd.Series([9.0], [INDEX[0] - 1], name="weather")])
    for same in (shuffled.to_frame(), longer.astype("Float64")):
        again = fit_its(series, SHIFT, covariates=same)
        pd.testing.assert_frame_equal(again.effects, result.effects)
    named = fit_its(series.assign(weather=WEATHER), SHIFT, covariates=["weather"])
    pd.testing.assert_frame_equal(named.effects, result.effects)


@pytest.mark.slow
def test_covariates_go_into_every_other_function():
    series = values(LINE + 2 * WEATHER + NOISE[0])
    result = fit_its(series, SHIFT, covariates=WEATHER)
    names = ["reml", "newey_west"]
    compared = compare_estimators(result.series, result.shift, estimators=names)
    own = result.comparison.query("estimator in @names").reset_index(drop=True)
    pd.testing.assert_frame_equal(compared, own)
    without = fit_its(series, SHIFT)
    assert without.effects["high"]["level"] > result.effects["high"]["level"] + 1
    share = break_posterior(result.series, shift=SHIFT).mass_near(SHIFT.month, 0)
    assert share > 0.9 > break_posterior(series, shift=SHIFT).mass_near(SHIFT.month, 0)
    least = certificate(result.series, SHIFT, simulations=100)["mde_rise"]
    assert least[0] < 0.3 < certificate(series, SHIFT, simulations=100)["mde_rise"][0]


@pytest.mark.parametrize("kind", sweep(["log", "value"], 0))
def test_control_takes_out_what_both_share(kind):
    """Both wander together; the difference does not, and shows the step that one of them made."""
    shared = np.cumsum(np.random.default_rng(2).normal(0, 0.3, 96)) + 5
    own, other, third = shared + 0.5 * AFTER + NOISE[0], shared + NOISE[1], shared + NOISE[2]
    if kind == "log":
        frames = [
            pd.DataFrame({"deaths": np.exp(y + 9).round(), "person_years": 1e9}, index=INDEX)
            for y in (own, other, third)
        ]
    else:
        frames = [values(y) for y in (own, other, third)]
    series, one, two = frames
    shift = replace(SHIFT, impact="level")
    result = fit_its(series, shift, control=one.iloc[::-1])
    alone = fit_its(series, shift)
    truth = 100 * np.expm1(0.5) if kind == "log" else 0.5
    low, high = result.effects.loc["level", ["low", "high"]]
    assert low < truth < high
    assert high - low < 0.5 * np.subtract(*alone.effects.loc["level", ["high", "low"]])
    groups = result.groups["estimate"].unstack()["level"]
    assert groups["treated"] == pytest.approx(alone.effects["estimate"]["level"])
    assert groups["control"] == pytest.approx(fit_its(one, shift).effects["estimate"]["level"])
    assert groups["difference"] == result.effects["estimate"]["level"]
    path = result.counterfactual(draws=500)["expected"].iloc[48:]
    assert np.corrcoef(path, result.observed.iloc[48:])[0, 1] > 0.9  # it follows the control
    assert result.excess(12, draws=500).loc["percent", "estimate"] > 0
    assert (result.fitted - result.observed).std() < 1.5 * result.observed.std()

    several = fit_its(series, shift, control={"north": one, "south": two})
    assert {"north", "south", "control"} < {*several.groups.index.unique("group")}
    pooled = one.assign(**(one + two)) if kind == "log" else (one + two) / 2
    together = fit_its(series, shift, control=pooled)
    pd.testing.assert_frame_equal(several.effects, together.effects)
    north = several.groups.loc["north", "estimate"]["level"]
    assert north == pytest.approx(groups["control"])


def flagged(**given):
    result = fit_its(values(LINE + NOISE[0]), SHIFT, harmonics=0, **given)
    return {flag.name: flag.value for flag in find_flags(result._model, result._mixture)}


@pytest.mark.slow
def test_control_or_covariate_that_moves_is_flagged_with_its_number():
    calm = values(10 - 0.3 * TIME + NOISE[1])
    assert flagged(control=calm, covariates=WEATHER) == {}
    assert flagged(control=calm + 0.2 * TIME[:, None])["trends_not_parallel"] < 1e-3
    assert flagged(control=calm + AFTER[:, None])["control_moves"] < 1e-6
    assert flagged(covariates=WEATHER + 3 * AFTER)["covariate_moves"] < 1e-3


def test_shift_that_is_withdrawn_is_over():
    under = AFTER & (np.arange(96) < 72)
    y = 10 - 0.3 * TIME + under * (1.5 + 0.4 * (TIME - TIME[48])) + 0.7 * (np.arange(96) >= 84)
    later = PolicyShift("later", INDEX[84], impact="level")
    shift = replace(SHIFT, withdrawn=INDEX[72], beside=later)
    result = fit_its(values(y), shift, harmonics=0)
    found = result.effects["estimate"][["level", "slope", "effect_24m", "level:later"]]
    np.testing.assert_allclose(found, [1.5, 0.4, 2.3, 0.7], atol=1e-9)
    short = replace(shift, withdrawn=INDEX[60])
    assert "needed" in fit_its(values(y), short, harmonics=0).notes["effect_24m"]
    beside = PolicyShift("gone", SHIFT.month, withdrawn=INDEX[72])
    other = fit_its(values(y), replace(later, beside=beside), harmonics=0)
    np.testing.assert_allclose(other.effects["estimate"]["level:gone"], 1.5, atol=1e-9)
    noisy = values(y + NOISE[0])
    assert break_posterior(noisy, shift=shift).mode == SHIFT.month  # asked where it lasts


def test_row_of_a_shift_beside_is_that_of_its_own_fit():
    other = PolicyShift("other", "2011-06")
    one = fit_its(values(LINE + NOISE[0]), replace(SHIFT, beside=other)).effects
    swapped = fit_its(values(LINE + NOISE[0]), replace(other, beside=SHIFT)).effects
    # the errors' size may change at the fit's own shift, so not to the last digit
    np.testing.assert_allclose(one.loc["level:other"], swapped.loc["level"], atol=0.05)
    np.testing.assert_allclose(swapped.loc["slope:reform"], one.loc["slope"], atol=0.05)


COUNTS = np.random.default_rng(5).poisson(40 * np.exp(0.3 * AFTER))


@pytest.mark.slow
def test_counts_of_any_name_and_of_no_denominator():
    deaths = pd.DataFrame({"deaths": COUNTS, "person_years": 2e6}, index=INDEX)
    known = fit_its(deaths, SHIFT)
    named = deaths.set_axis(["cases", "people"], axis=1)
    result = fit_its(named, SHIFT, columns={"count": "cases", "exposure": "people"})
    pd.testing.assert_frame_equal(result.effects, known.effects)
    assert result.excess(12, draws=100).index.tolist() == ["count", "rate", "percent"]
    again = fit_its(named.set_axis(["count", "exposure"], axis=1), SHIFT, scale="rate")
    assert again.units["level"] == "count per 100,000 exposure"
    alone = compared(fit_its(named[["cases"]], SHIFT, columns={"count": "cases"}, scale="rate"))
    assert alone.units["slope"] == "cases per month per year"
    np.testing.assert_array_equal(alone.observed, COUNTS)
    assert "Cases in the record" in alone.summary()
    assert "deaths" not in alone.summary() + "".join(alone.counterfactual(draws=100).columns)


def test_names_may_be_swapped():
    crossed = pd.DataFrame({"exposure": COUNTS, "count": 2e6}, index=INDEX)
    result = fit_its(crossed, SHIFT, columns={"count": "exposure", "exposure": "count"})
    straight = crossed.set_axis(["count", "exposure"], axis=1)
    pd.testing.assert_frame_equal(result.effects, fit_its(straight, SHIFT).effects)


def test_share_of_a_total_is_in_percent():
    tests = pd.DataFrame({"count": COUNTS, "total": 400}, index=INDEX)
    result = fit_its(tests, SHIFT, scale="rate")
    np.testing.assert_allclose(result.observed, COUNTS / 4)
    assert result.units["level"] == "percent of total"
    with pytest.raises(ValueError, match="total must not be below count"):
        fit_its(tests.assign(total=30), SHIFT)


@pytest.mark.slow
def test_columns_that_have_no_say_are_named():
    frame = values(LINE + NOISE[0]).assign(control=WEATHER, note="text")
    said = "columns that are not used: control, note; name them"
    assert fit_its(frame, SHIFT).notes["columns"].startswith(said)
    assert said in compared(fit_its(frame, SHIFT)).summary()
    assert "columns" not in fit_its(frame[["value"]], SHIFT).notes


EARLY = WEATHER.iloc[:-3]
OTHER = pd.DataFrame({"deaths": 1, "person_years": 10}, index=INDEX)
REFUSED = {
    "no such column": ({"covariates": "wether"}, "unknown column in covariates: 'wether'"),
    "no such name": ({"columns": {"cout": "value"}}, "unknown name in columns: 'cout'. Did you"),
    "nor that": ({"columns": {"value": "valu"}}, "unknown column 'valu'. Did you mean 'value'"),
    "no mapping": ({"columns": "value"}, "columns must be a Mapping; found 'value'"),
    "too short": ({"covariates": EARLY}, r"covariates lack \['2012-10', '2012-11', '2012-12'\]"),
    "missing": (
        {"covariates": WEATHER.replace(WEATHER.iloc[5], np.nan)},
        r"'weather' is missing in \['2005-06'\].*omit",
    ),
    "positions": ({"covariates": WEATHER.to_numpy()}, "unknown column in covariates"),
    "dates": ({"covariates": WEATHER.to_timestamp()}, "covariates: series must have a PeriodIndex"),
    "quarters": (
        {"covariates": WEATHER.resample("Q").mean()},
        "covariates: its periods must be those of the series, of freq 'M'; found 'Q",
    ),
    "twice": ({"covariates": pd.concat([WEATHER, WEATHER.iloc[:1]])}, "periods must be unique"),
    "words": ({"covariates": WEATHER.map(str)}, "covariate:weather must be numbers"),
    "a line": ({"covariates": pd.Series(TIME, INDEX, name="t")}, r"covariates \['t'\] add nothing"),
    "no control": ({"control": {}}, "control names no series"),
    "other columns": ({"control": OTHER}, "control 'control' must hold the same kind of columns"),
    "short control": ({"control": EARLY}, r"control 'weather' lacks \['2012-10'"),
    "named twice": (
        {"columns": {"count": "value", "total": "value"}},
        "each name to a column of its own",
    ),
    "group's name": (
        {"control": {"control": values(NOISE[1]), "other": values(NOISE[2])}},
        r"may not be named \['control'\]",
    ),
    "a list": ({"control": [values(NOISE[1])]}, "a mapping of names to frames; found a list"),
    "a number": ({"control": 3}, "control must be a frame, a Series, names"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_stand_beside_is_refused(case):
    given, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError, KeyError), match=message):
        fit_its(values(LINE + NOISE[0]), SHIFT, **given)


def test_control_without_deaths_in_a_month_is_refused_on_the_log_scale():
    series = pd.DataFrame({"deaths": COUNTS, "person_years": 1e6}, index=INDEX)
    empty = series.assign(deaths=series["deaths"].where(INDEX[7] != INDEX, 0))
    for pair in ((series, empty), (empty, series)):
        with pytest.raises(ValueError, match=r"none in \['2005-08'\]"):
            fit_its(pair[0], SHIFT, control=pair[1])
    assert fit_its(empty, SHIFT, control=series, scale="rate").effects.notna().all(axis=None)


SHIFTS = {
    "a range beside": (
        {"beside": PolicyShift("other", "2007-01", until="2007-03")},
        r"other \(2007-01 to 2007-03\), is known only as a range",
    ),
    "over before it began": ({"withdrawn": "2009-01"}, "withdrawn.* must come after 2009-01"),
    "in other periods": ({"withdrawn": "2010"}, "of the same frequency; found 2010"),
}


@pytest.mark.parametrize("case", SHIFTS)
def test_shift_that_cannot_be_fitted_is_refused(case):
    given, message = SHIFTS[case]
    with pytest.raises(ValueError, match=message):
        replace(SHIFT, **given)


def test_month_long_shift_has_no_trend_of_its_own():
    with pytest.raises(ValueError, match="it lasts 1 of the window's periods"):
        fit_its(values(LINE + NOISE[0]), replace(SHIFT, withdrawn="2009-02"))


def test_half_a_rate_is_no_count():
    with pytest.raises(ValueError, match=r"found \['count', 'person_years'\]. Other counts"):
        check_frame(pd.DataFrame({"count": 1, "person_years": 1}, index=INDEX))


@pytest.mark.parametrize("freq", ["W", "D"])
@pytest.mark.parametrize("dates", [True, False])
def test_line_for_weeks_and_days_makes_a_series(freq, dates):
    index = pd.period_range("2005-01-03", periods=1500, freq=freq)
    frame = pd.DataFrame({"count": 2, "exposure": 9}, index=index)
    frame = frame.set_axis(index.to_timestamp()) if dates else frame
    with pytest.raises(TypeError, match=r"found (W|D|DatetimeIndex); use frame") as refused:
        fit_its(frame, SHIFT)
    made = eval(str(refused.value).partition("use ")[2])
    assert check_frame(made)["deaths"].sum() == 2 * 1500


def test_summary_is_one_block_and_safe_as_html():
    title = "<script>alert(1)</script> **bold** reform"
    series = values(LINE + NOISE[0]).assign(note="text")
    result = compared(fit_its(series, replace(SHIFT, title=title), control=values(NOISE[1])))
    text = result.summary()
    assert repr(text) == str(text)
    assert title in text
    for told in (
        "did the series change its course?",
        "Trend before",
        "Each series alone",
        "Verdict",
        "columns that are not used: note",
    ):
        assert told in text
    assert "**Verdict" not in text
    html = text._repr_html_()
    assert "<script" not in html
    assert html.count("<li>") == html.count("</li>") > 8
    assert "<b>Step at the shift</b>" in html
    assert len(repr(result)) < 120
    assert "\n" not in repr(result)


def test_standard_figure_is_that_of_plot_fit():
    result = fit_its(pd.DataFrame({"count": COUNTS // 30}, index=INDEX), SHIFT)
    assert (result.observed == 0).any()  # no path can be drawn, the fit can
    ax = result.plot()
    assert ax.get_ylabel() == "Count per month"


@pytest.mark.slow
def test_small_numbers_keep_their_digits():
    shares = fit_its(values((LINE + NOISE[0]) / 1000), SHIFT)
    assert "stepped by +0.0016 units (+0.0015 to" in shares.summary()
    assert "0 more units" not in describe_excess(shares, 12, "segmented")
