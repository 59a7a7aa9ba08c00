from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.declared import SHIFTS, states_of
from support.folders import ROOT
from support.independent import segmented_design
from support.independent_law import fit_law, simulate

from analysis import (
    fit_newey_west,
    fit_places,
    pool_places,
)
from analysis.engine.estimators import newey_west_lags
from analysis.its.design import build_design
from analysis.its.shifts import PolicyShift
from analysis.places.pooling import RECORDS, pool_groups, pool_records
from benchmarks.pooling import SIMULATIONS, WORLDS, pooling_coverage, simulate_panel

SHIFT = SHIFTS["calderon-2006-12"]
CHOSEN = ["MX02", "MX05", "MX08", "MX14", "MX16", "MX25"]


def fit(panel, shift=SHIFT, **options):
    return fit_places(panel, shift, beside=(), **options)


@pytest.fixture(scope="module")
def fitted():
    return fit(states_of("inegi").loc[CHOSEN])


@pytest.fixture(scope="module")
def pooled(fitted):
    return pool_places(fitted)


def logs(table):
    return np.log1p(table[["estimate", "low", "high"]].astype(float) / 100)


@pytest.mark.slow
def test_random_effects_are_paule_and_mandels_with_hartung_and_knapps_interval(fitted, pooled):
    own = logs(fitted.of("slope"))
    effects, widths = own["estimate"].to_numpy(), (own["high"] - own["low"]).to_numpy()
    variances = (widths / 2 / 1.959963984540054) ** 2
    k, row = len(effects), pooled.loc["random_effects"]
    weights = 1 / (variances + row["tau"] ** 2)
    mean = weights @ effects / weights.sum()
    assert weights @ (effects - mean) ** 2 == pytest.approx(k - 1, abs=1e-4)
    se = np.sqrt(weights @ (effects - mean) ** 2 / ((k - 1) * weights.sum()))
    expected = mean + stats.t.ppf(0.975, k - 1) * se * np.array([0, -1, 1])
    np.testing.assert_allclose(logs(pooled).loc["random_effects"], expected, rtol=1e-9)


def test_driscoll_and_kraay_are_newey_and_west_on_the_mean_series(fitted, pooled):
    """With the same terms in every place the two are one estimator; only the df differ."""
    windows = [fitted.models[place].window for place in CHOSEN]
    rates = [np.log(1e5 * w["deaths"] / w["person_years"]).to_numpy() for w in windows]
    X = build_design(windows[0].index, SHIFT).to_numpy()
    fit = fit_newey_west(np.mean(rates, axis=0), X, lags=newey_west_lags(len(X)))
    found = logs(pooled).loc["driscoll_kraay"]
    assert found["estimate"] == pytest.approx(fit.estimate[3])
    reach = np.ptp(found[["low", "high"]]) / 2
    n, k = X.shape
    effects = len(CHOSEN) - 1  # linearmodels counts the place effects and all rows
    ratio = np.sqrt(len(CHOSEN) * n / (len(CHOSEN) * n - k - effects)) / np.sqrt(n / (n - k))
    se = np.sqrt(fit.covariance[3, 3]) * ratio
    assert reach == pytest.approx(stats.t.ppf(0.975, n - k) * se, rel=1e-6)


@pytest.mark.slow
def test_places_that_are_copies_of_each_other_gain_nothing_from_being_many():
    copies = {f"copy {number}": states_of("inegi").loc["MX16"] for number in range(5)}
    fitted = fit(pd.concat(copies, names=["place"]))
    pooled, alone = pool_places(fitted), fitted.of("slope").iloc[0]
    width = alone["high"] - alone["low"]
    for method in ("average", "random_effects_shared"):
        assert pooled.loc[method, "estimate"] == pytest.approx(alone["estimate"], abs=0.1 * width)
    average = pooled.loc["average"]
    # counting noise is taken as independent between places, which copies do not honour
    assert 0.7 * width < average["high"] - average["low"] <= 1.01 * width
    single = pooled.loc["random_effects"]
    assert single["tau"] == 0
    assert single["high"] - single["low"] < 0.01 * width
    assert np.isnan(single["p"])


@pytest.mark.slow
def test_weights_are_person_years():
    giant = states_of("inegi").loc[CHOSEN[2:]].copy()
    giant.loc[["MX16"]] = (giant.loc[["MX16"]] * 1000).to_numpy()
    giant["deaths"] = giant["deaths"].astype(int)
    fitted = fit(giant)
    pooled = pool_places(fitted)
    own = fitted.of("slope").loc["MX16", "estimate"]
    assert pooled.loc["weighted_average", "estimate"] == pytest.approx(own, abs=1.0)
    assert abs(pooled.loc["average", "estimate"] - own) > 3


def test_states_with_empty_months_are_in_all_but_the_panel_regression(pooled):
    with_small = pool_places(fit(states_of("inegi").loc[["MX01", "MX16", "MX25", "MX31"]]))
    assert with_small.loc["average", "places"] == 4
    row = with_small.loc["driscoll_kraay"]
    assert row["places"] == 2
    assert row["note"] == "without ['MX01', 'MX31']: months without deaths"
    assert pooled.loc["driscoll_kraay", "note"] == ""


def test_too_few_places_are_refused():
    with pytest.raises(ValueError, match=r"2 places have an estimate of 'slope'; at least 4"):
        pool_places(fit(states_of("inegi").loc[["MX16", "MX25"]]))


def test_known_effects_without_noise_are_recovered():
    months = pd.period_range("2000-01", periods=96, freq="M", name="month")
    slopes, since = {"A": 0.2, "B": 0.3, "C": 0.4, "D": 0.1}, np.maximum(np.arange(96) - 48, 0)
    rng, frames = np.random.default_rng(0), {}
    for name, slope in slopes.items():
        deaths = rng.poisson(1e9 * np.exp(slope * since / 12))
        frames[name] = pd.DataFrame({"deaths": deaths, "person_years": 1e12}, index=months)
    panel = pd.concat(frames, names=["place"])
    pooled = pool_places(fit(panel, PolicyShift("known", months[48]), harmonics=0))
    expected = 100 * np.expm1(0.25)
    for method in ("average", "weighted_average", "random_effects", "driscoll_kraay"):
        assert pooled.loc[method, "estimate"] == pytest.approx(expected, abs=0.01), method
    tau = np.std([*slopes.values()], ddof=1)
    assert pooled.loc["random_effects", "tau"] == pytest.approx(tau, 1e-3)


def test_average_is_the_headline_of_the_mean_series_without_the_months_left_out():
    """So many deaths that they are not noise: then by the dense implementation of the law."""
    months = pd.period_range("2000-01", periods=90, freq="M", name="month")
    rng, frames, logs = np.random.default_rng(4), {}, []
    together = 0.02 * simulate(rng, 90, "ar1 0.8")[:, 0]
    for name in "ABCD":
        log_rate = np.linspace(0, 0.1, 90) + together + 0.004 * rng.standard_normal(90)
        log_rate[[10, 50, 51]] -= 2  # the holes
        deaths = rng.poisson(1e9 * np.exp(log_rate))
        frames[name] = pd.DataFrame({"deaths": deaths, "person_years": 1e12}, index=months)
        logs.append(np.log(deaths))
    shift = PolicyShift("omits", months[45], omit=[str(months[10]), f"{months[50]}:{months[51]}"])
    found = pool_places(fit(pd.concat(frames, names=["place"]), shift, harmonics=1)).loc["average"]
    X = np.column_stack([segmented_design(90, 45, harmonics=1), np.eye(90)[:, [10, 50, 51]]])
    C = np.zeros((3, 9))
    C[0, 3] = C[1, 1] = C[2, 1] = C[2, 3] = 1
    law = fit_law(np.mean(logs, axis=0), X, C, after=45)
    slope, before, after = 100 * np.expm1(law.summary()[:, :3])
    ends, allowed = found[["estimate", "low", "high"]].astype(float), 0.01 * np.ptp(slope)
    np.testing.assert_allclose(ends, slope, atol=allowed)
    assert found["trend_before"] == pytest.approx(before[0], abs=allowed)
    assert found["trend_after"] == pytest.approx(after[0], abs=allowed)
    holed = pool_places(fit(pd.concat(frames, names=["place"]), replace(shift, omit=())))
    assert abs(holed.loc["average", "estimate"] - slope[0]) > 5 * allowed


@pytest.mark.slow
def test_simulated_panels_have_the_correlations_asked_for():
    rng, within, between = np.random.default_rng(0), [], []
    for _ in range(40):
        panel, shift, truth = simulate_panel(rng, rho=0.0, shared=0.5)
        largest = panel["deaths"].unstack("place").iloc[:, -4:]
        change = np.log(largest).diff().dropna()
        between.append(np.corrcoef(change.to_numpy().T)[0, 1])
        within.append(truth["slope"].mean())
    assert np.mean(between) == pytest.approx(0.45, abs=0.06)  # counting noise takes a little
    assert np.mean(within) == pytest.approx(0.1, abs=0.02)
    assert shift.month == pd.Period("2005-01", "M")


@pytest.mark.slow
@pytest.mark.parametrize(("process", "rho", "after"), [("ar1", 0.5, 1.0), ("sd_doubled", 0.5, 2.0)])
def test_simulated_disturbances_have_the_size_asked_for(process, rho, after):
    """Forty panels, twelve places: the standard deviation before and after, 3% of it at most."""
    rng, sizes = np.random.default_rng(1), []
    for _ in range(40):
        panel, _, truth = simulate_panel(rng, rho=rho, shared=0.2, process=process)
        large = np.log(panel["deaths"].unstack("place").iloc[:, -3:].to_numpy())
        since = np.maximum(np.arange(120) - 60, 0)[:, None] / 12
        step = (np.arange(120) >= 60)[:, None]
        large -= truth["slope"].to_numpy()[-3:] * since + truth["level"].to_numpy()[-3:] * step
        large -= np.log(np.geomspace(3, 300, 12))[-3:]
        sizes.append([(large[:60] ** 2).mean(), (large[66:] ** 2).mean()])
    before, later = np.sqrt(np.mean(sizes, axis=0))
    counting = np.mean(1 / np.geomspace(3, 300, 12)[-3:])
    assert np.sqrt(before**2 - counting) == pytest.approx(0.3, rel=0.07)
    assert np.sqrt(later**2 - counting) == pytest.approx(0.3 * after, rel=0.07)


@pytest.mark.slow
def test_pooled_intervals_hold_the_truth_where_errors_are_shared(monkeypatch):
    """40 panels: a Monte Carlo error of 3.4 points at 95%, 8 at 50%."""
    left_out = {"places": 12, "note": "a panel regression takes long, and is not asked here"}
    monkeypatch.setattr("analysis.places.pooling._driscoll_kraay", lambda *_: left_out)
    table = pooling_coverage(rho=0.6, shared=0.6, simulations=40)
    held = table.set_index(["method", "estimand", "target"])["coverage"]
    for estimand in ("level", "slope"):
        assert held["average", estimand, "average"] >= 85
        assert held["random_effects_shared", estimand, "mean"] >= 85
        assert held["random_effects", estimand, "mean"] <= 80


@pytest.mark.slow
def test_groups_are_pooled_as_if_they_were_all_and_small_ones_say_why_not(fitted):
    groups = pd.Series(["north"] * 4 + ["south"] * 2, CHOSEN)
    table = pool_groups(fitted, groups)
    alone = pool_places(fit(states_of("inegi").loc[CHOSEN[:4]]))
    columns = ["estimate", "low", "high", "p", "places", "tau"]
    expected = alone.loc["random_effects_shared", columns].astype(float)
    np.testing.assert_allclose(table.loc["north", columns].astype(float), expected, rtol=1e-9)
    assert table.loc["south", ["estimate", "note"]].isna().to_list() == [True, False]
    assert table.loc["south", "note"] == "fewer than 4 have an estimate"
    both = fitted.places[["deaths_before", "deaths_after"]].sum(axis=1)
    assert table["deaths"].to_list() == [both[CHOSEN[:4]].sum(), both[CHOSEN[4:]].sum()]


@pytest.mark.slow
def test_places_that_end_apart_are_pooled_over_the_months_that_all_have():
    shift = replace(SHIFT, end=None, omit=())
    panel = states_of("inegi").loc[CHOSEN[:4]].loc[(slice(None), slice(None, "2011-06")), :]
    cut = panel.drop([("MX08", month) for month in pd.period_range("2011-01", "2011-06", freq="M")])
    fitted = fit(cut, shift)
    apart = pool_places(fitted)
    alike = pool_places(fit(panel.loc[(slice(None), slice(None, "2010-12")), :], shift))
    assert [len(fitted.models[place].window) for place in ("MX05", "MX08")] == [138, 132]
    columns = ["estimate", "low", "high"]
    # each place's own count model sees its own months, so that the logs differ a little
    np.testing.assert_allclose(
        logs(apart).loc["average", columns], logs(alike).loc["average", columns], atol=5e-3
    )


@pytest.mark.slow
def test_a_month_that_one_place_leaves_out_is_in_no_row():
    """Whatever its record holds there: a mean of the others would jump instead."""
    rows = []
    for factor in (0, 10):
        panel = states_of("inegi").loc[CHOSEN[:4]]
        hole = {"place": "MX08", "first": "2009-01", "last": "2009-03", "found": 1, "expected": 9.0}
        panel.loc[("MX08", slice("2009-01", "2009-03")), "deaths"] *= factor
        panel.attrs["gaps"] = [hole]
        rows.append(pool_places(fit(panel, replace(SHIFT, omit=()))))
    pd.testing.assert_frame_equal(*rows)
    columns = ["estimate", "low", "high"]
    # of the mean series it is the same as leaving the months out of all places
    panel.attrs = {}
    all_of = pool_places(fit(panel, replace(SHIFT, omit=["2009-01:2009-03"])))
    for method, allowed in (("average", 0.01), ("driscoll_kraay", 1e-6)):
        found, expected = logs(rows[0]).loc[method, columns], logs(all_of).loc[method, columns]
        np.testing.assert_allclose(found, expected, atol=allowed)


@pytest.mark.slow
def test_records_are_pooled_with_every_fault_then_without_one_after_the_other():
    panel = states_of("inegi").loc[["MX05", "MX07", "MX08", "MX14", "MX16", "MX25"]]
    panel.attrs = states_of("inegi").attrs
    plain = replace(SHIFT, omit=())
    found = pool_records(panel, fit(panel, plain), ["level"]).loc["level"]
    assert found.index.unique("record").tolist() == list(RECORDS)
    chosen = ["average", "random_effects_shared"]
    faultless = pool_places(fit(panel, plain), "level").loc[chosen, ["estimate", "places"]]
    blind = panel.copy()
    blind.attrs = {}
    whole = pool_places(fit(blind, plain), "level").loc[chosen, ["estimate", "places"]]
    first, second, last = (found.loc[name, ["estimate", "places"]] for name in RECORDS)
    pd.testing.assert_frame_equal(first, whole, check_dtype=False)
    pd.testing.assert_frame_equal(last, faultless, check_dtype=False)
    assert second["places"].tolist() == [6, 6]
    assert last["places"].tolist() == [5, 5]
    assert (second["estimate"] != first["estimate"]).all()
    assert panel.attrs["gaps"]


@pytest.mark.slow
def test_share_above_zero_is_of_shrunken_effects_and_moves_with_the_average():
    fitted = fit(states_of("inegi").loc[["MX02", "MX05", "MX09", "MX15"]])
    row = pool_places(fitted, "level").loc["random_effects_shared"]
    shrunken = np.log1p(fitted.of("level")["shrunken"].dropna() / 100)
    assert 0 < row["above"] < 100
    assert row["above"] == pytest.approx(100 * (shrunken > 0).mean())
    centre, *ends = np.log1p(row[["estimate", "low", "high"]].astype(float) / 100)
    for end, name in zip(ends, ("above_low", "above_high"), strict=True):
        assert row[name] == pytest.approx(100 * (shrunken + end - centre > 0).mean())
    assert row["above_low"] < row["above"] < row["above_high"]


def test_recorded_coverage_holds_where_errors_are_carried_and_fails_where_they_are_not():
    record = pd.read_csv(ROOT / "benchmarks/pooling.csv").set_index("method")
    assert dict(record[["process", "rho"]].to_numpy()) == WORLDS
    assert set(record["simulations"]) == {SIMULATIONS}
    slope = record[record["estimand"] == "slope"]
    level = record[record["estimand"] == "level"]
    assert level.loc[["average", "random_effects_shared"], "coverage"].min() > 85
    wanders = slope["process"] == "local_level"  # where the law itself covers less
    assert slope[~wanders].loc["average", "coverage"].min() > 85
    assert slope[wanders].loc["average", "coverage"].min() > 70
    assert slope.loc["driscoll_kraay", "coverage"].max() < 80
    most = slope[slope["shared"] == 0.5].set_index("process", append=True)["coverage"]
    assert (most["random_effects_shared"] > most["random_effects"] + 5).all()
