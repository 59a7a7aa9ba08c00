from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from support.declared import SHIFTS, states_of
from support.folders import ROOT
from support.independent import segmented_design
from support.sweeps import sweep

from analysis import (
    fit_its,
    fit_places,
    pool_places,
)
from analysis.its.comparison import judge_estimand
from analysis.its.model import prepare_model
from analysis.places.effects import BESIDE, FEWEST_DEATHS, shrink_effects

SHIFT = SHIFTS["calderon-2006-12"]
CHOSEN = ["MX01", "MX08", "MX16", "MX25"]
SINCE, HOLES = 83, pd.period_range("2007-01", "2007-02", freq="M")  # the shift, and what it omits


@pytest.fixture(scope="module")
def panel():
    return states_of("inegi").loc[CHOSEN]


@pytest.fixture(scope="module")
def fitted(panel):
    return fit_places(panel, SHIFT)


def test_every_place_has_its_estimates_and_the_headline_is_that_of_a_single_fit(fitted, panel):
    assert fitted.of("slope").index.tolist() == CHOSEN
    for place in ("MX08", "MX16"):
        alone = fit_its(panel.loc[place], SHIFT).effects.loc["slope"].astype(float)
        found = fitted.of("slope", "reml").loc[place, ["estimate", "low", "high", "p"]]
        np.testing.assert_allclose(found.astype(float), alone)


def test_a_place_with_empty_months_has_a_count_estimate_and_a_note_for_the_headline(fitted):
    assert fitted.places.loc["MX01", "empty_months"] == 13
    assert np.isfinite(fitted.of("slope").loc["MX01", "estimate"])
    row = fitted.of("slope", "reml").loc["MX01"]
    assert np.isnan(row["estimate"])
    assert "needs deaths in every period" in row["note"]


def test_a_place_without_an_answer_keeps_none_from_those_fitted_with_it(fitted, panel):
    odd = panel.loc[["MX16"]].assign(deaths=50, person_years=1e6).rename({"MX16": "odd"})
    found = fit_places(pd.concat([panel.loc[["MX08"]], odd]), SHIFT, beside=())
    assert found.models["odd"].designs is found.models["MX08"].designs
    slopes = found.of("slope")
    assert "without any residual variation" in slopes.loc["odd", "doubt"]
    expected = fitted.of("slope").loc["MX08", "estimate"]
    assert slopes.loc["MX08", "estimate"] == pytest.approx(expected, rel=1e-10)


def test_counts_of_the_window_are_told(fitted):
    window = states_of("inegi").loc["MX16", "deaths"].loc[:"2012-11"]
    before = int(window.loc[:"2006-11"].sum())
    row = fitted.places.loc["MX16"]
    assert row["deaths_before"] == before == 4407
    assert row["deaths_after"] == window.sum() - before - window.loc["2007-01":"2007-02"].sum()
    assert fitted.of("slope").loc["MX16", "doubt"] == ""


def test_false_discoveries_are_controlled_over_the_places(fitted):
    slope = fitted.of("slope")
    p = slope["p"].sort_values()
    by_hand = (p * len(p) / np.arange(1, len(p) + 1))[::-1].cummin()[::-1]
    np.testing.assert_allclose(slope["q"].loc[p.index], by_hand)


def test_a_place_with_too_few_deaths_has_no_estimate(panel):
    quiet = panel.loc["MX01"].assign(deaths=0)
    quiet.iloc[::12, 0] = 1
    both = pd.concat({"quiet": quiet, "loud": panel.loc["MX16"]}, names=["place"])
    slope = fit_places(both, SHIFT).of("slope")
    row = slope.loc["quiet"]
    assert row[["estimate", "q"]].isna().all()
    assert row["note"] == row["doubt"]
    assert f"at least {FEWEST_DEATHS} are needed" in row["note"]
    assert np.isfinite(slope.loc["loud", "estimate"])


def test_signs_that_differ_are_a_doubt_of_that_estimand_alone(fitted):
    effects = fitted.effects.query("place == 'MX08'")
    for estimand in ("level", "slope"):
        row = fitted.of(estimand).loc["MX08"]
        verdict = judge_estimand(effects[effects["estimand"] == estimand])
        assert row["comparison_verdict"] == verdict
        assert (row["doubt"] == "the estimators' signs differ") == (verdict == "sign differs")
    assert "sign differs" in effects["comparison_verdict"].to_list()


def test_an_interval_that_says_nothing_of_use_is_a_doubt():
    shift = replace(SHIFTS["special-forces-2020"], until=None)
    slope = fit_places(states_of("inegi").loc[["MX03", "MX15"]], shift, beside=()).of("slope")
    row = slope.loc["MX03"]
    assert row["doubt"] == "the interval's ends are more than 20 times apart"
    assert (100 + row["high"]) / (100 + row["low"]) > 20
    assert slope.loc["MX15", "doubt"] == ""


def with_hole(panel, first, last):
    two = panel.loc[["MX08", "MX16"]]
    two.attrs["gaps"] = [
        {"place": "MX08", "first": first, "last": last, "found": 3, "expected": 60.0}
    ]
    return two


@pytest.mark.slow
def test_a_hole_is_left_out_of_its_own_places_fit_alone(panel):
    plain = replace(SHIFT, omit=())
    found = fit_places(with_hole(panel, "2003-05", "2003-06"), plain, beside=())
    asked = fit_places(
        panel.loc[["MX08", "MX16"]], replace(SHIFT, omit=["2003-05:2003-06"]), beside=()
    )
    whole = fit_places(panel.loc[["MX08", "MX16"]], plain, beside=())
    columns = ["estimate", "low", "high", "p"]
    for estimand in ("level", "slope"):
        rows = [fit.of(estimand)[columns].astype(float) for fit in (found, asked, whole)]
        np.testing.assert_allclose(rows[0].loc["MX08"], rows[1].loc["MX08"])
        np.testing.assert_allclose(rows[0].loc["MX16"], rows[2].loc["MX16"])
        assert abs(rows[0].loc["MX08", "estimate"] - rows[2].loc["MX08", "estimate"]) > 0.01
    assert found.places["left_out"].to_dict() == {"MX08": "2003-05 to 2003-06", "MX16": ""}
    assert (found.of("level")["doubt"] == "").all()


@pytest.mark.parametrize(
    ("first", "last", "doubted"),
    sweep([
        ("2006-12", "2007-01", True), ("2007-01", "2007-02", True), ("2007-02", "2007-05", False),
        ("2006-09", "2006-10", True), ("2006-11", "2006-12", False), ("2006-08", "2006-09", False),
    ], 0),
)  # fmt: skip
def test_level_whose_nearest_months_are_mostly_a_hole_is_a_doubt(panel, first, last, doubted):
    two = with_hole(panel, first, last)
    two.attrs["gaps"].append(two.attrs["gaps"][0] | {"first": "2003-05", "last": "2003-05"})
    fitted = fit_places(two, replace(SHIFT, omit=()), beside=())
    doubt = fitted.of("level")["doubt"]
    said = f"a hole in the record at the shift, {first} to {last}"
    assert doubt.to_dict() == {"MX08": said if doubted else "", "MX16": ""}
    assert (fitted.of("slope")["doubt"] == "").all()


def test_a_reason_for_no_estimate_goes_before_a_hole(panel):
    two = with_hole(panel, "2006-12", "2007-02")
    fitted = fit_places(two, SHIFT, beside=(), fewest_deaths=5000)
    assert fitted.of("level").loc["MX08", "doubt"].endswith("at least 5000 are needed")


def test_an_unreliable_record_in_the_window_is_no_estimate_and_its_reason(panel):
    two = panel.loc[["MX08", "MX16"]]
    said = {"place": "MX08", "last": "2001-12", "reason": "its books burnt"}
    for first, start, lost in (("2000-01", None, True), ("2000-01", "2002-01", False)):
        two.attrs["unreliable"] = [said | {"first": first}]
        fitted = fit_places(two, replace(SHIFT, start=start), beside=())
        for estimand in ("level", "slope"):
            row = fitted.of(estimand).loc["MX08"]
            assert np.isnan(row["estimate"]) == lost
            told = "record unreliable in 2000-01 to 2001-12: its books burnt"
            assert row["doubt"] == (told if lost else "") or not lost
            assert (row["note"] == told) == lost
        assert np.isfinite(fitted.of("slope").loc["MX16", "estimate"])


@pytest.mark.slow
def test_the_states_leave_out_their_holes_and_the_unreliable_one():
    states = states_of("inegi").loc[["MX05", "MX07", "MX09", "MX16"]]
    fitted = fit_places(states, replace(SHIFT, omit=()), beside=())
    level, slope = fitted.of("level")["doubt"], fitted.of("slope")["doubt"]
    assert level[["MX05", "MX09"]].str.endswith("at the shift, 2007-01 to 2007-02").all()
    assert slope[["MX05", "MX09", "MX16"]].eq("").all()
    assert slope["MX07"].startswith("record unreliable in 2000-01 to 2012-03")
    later = replace(SHIFTS["lopez-obrador-2018-12"], omit=())
    assert fit_places(states, later, beside=()).of("slope")["estimate"].notna().all()


def test_shrunken_effects_keep_the_share_of_their_distance_that_is_not_error():
    logs = np.array([0.0, 0.1, 0.2, 0.5])
    errors = np.array([0.05, 0.1, 0.15, 0.4])
    ends = logs[:, None] + 1.959963984540054 * np.outer(errors, [-1, 1])
    table = pd.DataFrame(
        100 * np.expm1(np.column_stack([logs, ends])), list("abcd"), ["estimate", "low", "high"]
    ).assign(p=0.5)
    table.loc["none"] = np.nan
    found = np.log1p(shrink_effects(table) / 100)
    # by the definition, tau from Paule and Mandel's equation
    tau2 = np.linspace(0, 0.1, 200_001)[:, None]
    weights = 1 / (errors**2 + tau2)
    means = (weights * logs).sum(axis=1) / weights.sum(axis=1)
    q = (weights * (logs - means[:, None]) ** 2).sum(axis=1)
    best = np.abs(q - 3).argmin()
    if q[0] <= 3:
        best = 0
    kept = tau2[best] / (tau2[best] + errors**2)
    np.testing.assert_allclose(found[:4], means[best] + kept * (logs - means[best]), atol=1e-5)
    assert np.isnan(found["none"])
    assert shrink_effects(table.iloc[:3]).isna().all()
    apart = table.assign(estimate=[0.0, 40, 80, 200, np.nan])
    spread = apart.assign(low=apart["estimate"] - 1, high=apart["estimate"] + 1)
    np.testing.assert_allclose(shrink_effects(spread)[:4], spread["estimate"][:4], atol=0.05)


@pytest.mark.slow
def test_months_left_out_are_as_good_as_missing_whatever_they_hold(panel):
    """No estimator, count or number of deaths sees them: neither none nor ten times as many."""
    panel, fits = panel.loc[["MX08"]], []
    for factor in (0, 10):
        changed = panel.copy()
        out = changed.index.get_level_values("month").isin(HOLES)
        changed.loc[out, "deaths"] *= factor
        fits.append(fit_places(changed, SHIFT))
    effects, places = ([getattr(fit, name) for fit in fits] for name in ("effects", "places"))
    pd.testing.assert_frame_equal(*effects)
    pd.testing.assert_frame_equal(*places)
    kept = fit_places(panel, replace(SHIFT, omit=()), beside=())
    changed = (kept.of("slope")["estimate"] - fits[0].of("slope")["estimate"]).abs()
    assert (changed > 0.01).all()


def test_a_place_whose_only_deaths_are_left_out_has_too_few(panel):
    quiet = panel.loc["MX16"].copy()
    quiet.loc["2006-12":, "deaths"] = 0
    quiet.loc["2007-01":"2007-02", "deaths"] = 500
    slope = fit_places(pd.concat({"quiet": quiet}, names=["place"]), SHIFT, beside=()).of("slope")
    assert slope.loc["quiet", "note"].startswith("0 deaths on one side of the shift")


def test_quasi_poisson_skips_the_months_left_out(panel):
    window = panel.loc["MX25"].loc[:"2012-11"]
    found = fit_places(panel.loc[["MX25"]], SHIFT, beside=["quasi_poisson"])
    X = segmented_design(len(window), SINCE, harmonics=2)
    kept = ~window.index.isin(HOLES)
    rest = window[kept]
    fit = GLM(rest["deaths"], X[kept], family=Poisson(), exposure=rest["person_years"]).fit()
    expected = 100 * np.expm1(fit.params.iloc[3])
    assert found.of("slope", "quasi_poisson").loc["MX25", "estimate"] == pytest.approx(expected)


def test_unknown_estimands_and_estimators_are_named(fitted):
    with pytest.raises(KeyError, match=r"unknown estimand 'slop'. Did you mean 'slope'"):
        fitted.of("slop")
    with pytest.raises(KeyError, match=r"unknown estimator 'arima'"):
        fitted.of("slope", "arima")


def test_an_effect_that_the_impact_model_lacks_is_said_so(panel):
    fitted = fit_places(panel, replace(SHIFT, impact="level"), beside=())
    slope = fitted.of("slope")
    assert slope["estimate"].isna().all()
    assert (slope["doubt"] == "the impact model has no slope term").all()
    with pytest.raises(ValueError, match="the impact model has no slope term"):
        pool_places(fitted)


def test_estimators_beside_can_be_chosen_and_an_unknown_one_is_refused(panel):
    fitted = fit_places(panel.loc[["MX16"]], SHIFT, beside=())
    assert set(fitted.effects["estimator"]) == {"count_reml"}
    with pytest.raises(KeyError, match=r"unknown estimator 'quasi_poison'.*'quasi_poisson'"):
        fit_places(panel.loc[["MX16"]], SHIFT, beside=["quasi_poison"])


def test_the_panel_is_untouched(panel):
    before = panel.copy()
    fit_places(panel.loc[["MX16"]], SHIFT, beside=())
    pd.testing.assert_frame_equal(panel, before)


def test_what_is_no_panel_is_refused_by_name(panel):
    longer = pd.concat([panel.loc[["MX08"]], panel.loc[["MX16"]].iloc[6:]])
    nameless = panel.rename(index={"MX08": None}, level=0)
    gap = panel.drop(("MX08", pd.Period("2003-05", "M")))
    for wrong, error, message in (
        (panel.loc["MX16"], TypeError, r"MultiIndex \(place, period\).*fit_its"),
        (panel[["deaths"]], ValueError, "needs the columns 'deaths' and 'person_years'"),
        (gap, ValueError, r"MX08: months must be consecutive; missing \['2003-05'\]"),
        (nameless, ValueError, "every row needs a place; 270 have none"),
        (panel.iloc[:0], ValueError, "the panel is empty"),
        (longer, ValueError, "need the same first month; MX16 begins with 2000-07"),
    ):
        with pytest.raises(error, match=message):
            fit_places(wrong, SHIFT)
    with pytest.raises(TypeError, match="shift must be a PolicyShift"):
        fit_places(panel, "calderon-2006-12")


def test_both_textbook_models_of_counts_and_the_headline_stand_beside(fitted):
    used = fitted.effects.query("place == 'MX16'")["estimator"].unique().tolist()
    assert used == ["count_reml", *BESIDE]


def test_recorded_size_is_held_where_most_months_are_empty():
    """400 series a cell: Monte Carlo errors of 1 to 2 points."""
    record = pd.read_csv(ROOT / "benchmarks/places.csv")
    told = record[(record["series"] >= 100) & record["enough"]]
    alarms = told.set_index(["estimator", "rho", "mean", "estimand"])["false_alarms"]
    ours = alarms["count_reml"]
    assert ours[0.5].max() < 8
    assert ours[0.8].max() < 10
    assert ours[0.95].max() < 20  # near a unit root no estimator here holds its size
    assert (ours < alarms["quasi_poisson"] + 1).all()
    assert alarms["quasi_poisson"].max() > 50
    few = record[(record["mean"] == 0.1) & record["enough"]]
    assert few["series"].sum() == 0  # too few deaths: no estimate rather than a wrong one


def test_places_that_share_months_and_holes_have_the_models_of_each_alone():
    panel = states_of("inegi").loc[["MX05", "MX08", "MX09", "MX16"]]
    shift = replace(SHIFTS["calderon-2006-12"], omit=())
    models = fit_places(panel, shift, beside=(), fewest_deaths=10**6).models  # none is fitted
    for place, model in models.items():
        own = [f"{x['first']}:{x['last']}" for x in panel.attrs["gaps"] if x["place"] == place]
        alone = prepare_model(
            panel.loc[place], replace(shift, omit=tuple(own)), scale="log", empty=True
        )
        assert model.window.equals(alone.window), place
        assert (model.shift, model.counted) == (alone.shift, alone.counted)
        assert np.array_equal(model.omitted, alone.omitted)
        assert all(a.equals(b) for a, b in zip(model.designs, alone.designs, strict=True))
    assert len({tuple(model.omitted) for model in models.values()}) > 1
