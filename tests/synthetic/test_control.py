from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from support.synthetic_panels import PACKS, PREDICTORS, SMOKING, control, panel

from analysis import placebo_countries
from analysis.synthetic.control import (
    AugSynth,
    cross_validate,
    fit_augmented,
    fit_synthetic,
    simplex_weights,
)

# Abadie, Diamond and Hainmueller (2010), Table 2.
STATES = ["Colorado", "Connecticut", "Montana", "Nevada", "Utah"]
PUBLISHED = pd.Series([0.164, 0.069, 0.199, 0.234, 0.334], STATES)
# Predictor weights that leave the least squared gap of 1970 to 1988, by Nelder-Mead from 60
# random starts, no weight below 1e-4 of the largest: the paper's criterion, not its numbers.
V = np.array([1e-4, 1, 1, 0.007, 0.0112, 0.0017, 1])


def test_mixture_of_donors_is_found():
    rates = panel()
    rates["own"] = 0.2 * rates["donor1"] + 0.5 * rates["donor2"] + 0.3 * rates["donor5"]
    rates.loc[2004:, "own"] += [1, 2, 3, 4, 5, 6]
    found = fit_synthetic(rates, "own", first_year=2004)
    np.testing.assert_allclose(found.weights, [0, 0.2, 0.5, 0, 0, 0.3], atol=1e-9)
    np.testing.assert_allclose(found.before, 0, atol=1e-9)
    np.testing.assert_allclose(found.changes(), [1, 2, 3, 4, 5, 6], atol=1e-9)
    assert found.explained == pytest.approx(1, abs=1e-9)


def test_weights_of_two_donors_are_those_worked_by_hand():
    donors = np.array([[0.0, 2.0], [0.0, 4.0]])
    # (1 - 2w)^2 + (3 - 4w)^2 is least at w = 14 / 20, and beyond w = 1 only a donor is left.
    np.testing.assert_allclose(simplex_weights(donors, np.array([1.0, 3.0])), [0.3, 0.7])
    np.testing.assert_allclose(simplex_weights(donors, np.array([5.0, 9.0])), [0, 1], atol=1e-12)


def test_weights_leave_no_way_down():
    for seed in range(20):
        rates = panel(seed=seed, donors=12, years=15)
        donors, own = rates.drop(columns="own").to_numpy(), rates["own"].to_numpy()
        weights = simplex_weights(donors, own)
        slope = donors.T @ (donors @ weights - own)
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        assert slope @ weights - slope.min() < 1e-9


def test_weights_are_those_of_a_general_optimiser():
    before = PACKS.loc[:1988]
    donors, own = before.drop(columns="California").to_numpy(), before["California"].to_numpy()
    apart = (donors - own[:, None]) / 10
    found = minimize(
        lambda w: ((apart @ w) ** 2).sum(),
        np.full(38, 1 / 38),
        jac=lambda w: 2 * apart.T @ (apart @ w),
        bounds=[(0, 1)] * 38,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 2000},
    )
    np.testing.assert_allclose(simplex_weights(donors, own), found.x, atol=2e-4)


def test_scale_and_order_of_the_panel_change_nothing():
    rates = panel()
    found = fit_synthetic(rates, "own", first_year=2004)
    for same in (1e6 * rates, 1e-6 * rates, rates - 100, rates.iloc[:, ::-1]):
        other = fit_synthetic(same, "own", first_year=2004)
        np.testing.assert_allclose(other.weights[found.weights.index], found.weights, atol=1e-9)
        scale = other.rmspe / found.rmspe
        np.testing.assert_allclose(other.changes(), scale * found.changes(), rtol=1e-6)
        assert other.explained == pytest.approx(found.explained)


def test_years_from_the_change_on_do_not_reach_the_weights():
    rates, changed = panel(), panel()
    changed.loc[2004:] *= 3
    one, other = (fit_synthetic(x, "own", first_year=2004) for x in (rates, changed))
    pd.testing.assert_series_equal(one.weights, other.weights)
    pd.testing.assert_series_equal(one.before, other.before)


def test_california_by_its_predictors_is_the_published_one():
    predictors = SMOKING[PREDICTORS].T
    rows = predictors.div(predictors.std(axis=1), axis=0).mul(np.sqrt(V), axis=0)
    donors = rows.drop(columns="California")
    weights = simplex_weights(donors.to_numpy(), rows["California"].to_numpy())
    found = pd.Series(weights, donors.columns)
    named = PUBLISHED.reindex(found.index, fill_value=0)
    np.testing.assert_allclose(found, named, atol=0.005)
    gap = PACKS["California"] - PACKS[found.index] @ found
    assert (gap.loc[:1988] ** 2).mean() == pytest.approx(3.1, abs=0.05)
    assert gap.loc[2000] == pytest.approx(-26, abs=0.5)
    assert gap.loc[1989:].mean() == pytest.approx(-19, abs=0.1)


def test_california_with_its_predictors_given_is_near_the_published_one():
    predictors = SMOKING[PREDICTORS].sample(frac=1, random_state=0)  # in another order
    found = fit_synthetic(PACKS, "California", first_year=1989.0, predictors=predictors)
    named = PUBLISHED.reindex(found.weights.index, fill_value=0)
    np.testing.assert_allclose(found.weights, named, atol=0.02)
    assert found.rmspe**2 < 3.5  # the paper's 3.1, at other weights of the predictors
    assert found.gap.loc[2000] == pytest.approx(-26, abs=1)
    table = found.balance
    assert table["weight"].sum() == pytest.approx(1)
    np.testing.assert_allclose(table["treated"], SMOKING.loc["California", table.index])
    mixed = SMOKING[PREDICTORS].T[found.weights.index] @ found.weights
    np.testing.assert_allclose(table["synthetic"], mixed)
    assert found.note == "7 predictors are matched"


def test_one_predictor_is_matched_and_without_any_the_outcomes_alone_are():
    rates, units = panel(), panel().columns
    size = pd.DataFrame({"size": [2.0, 1, 3, 9, 9, 9, 9]}, units).astype("Float64")
    found = fit_synthetic(rates, "own", first_year=2004, predictors=size)
    assert found.balance.loc["size"].tolist() == pytest.approx([1, 2, 2])
    plain = fit_synthetic(rates, "own", first_year=2004)
    assert "outcomes alone are matched" in repr(plain)
    assert plain.balance is None


SIZES = pd.DataFrame({"size": range(7), "beer": 1.0}, panel().columns)


@pytest.mark.parametrize(
    ("predictors", "intercept", "message"),
    [
        (SIZES[1:], False, r"must have the same labels, each once; found \['own'\]"),
        (SIZES.T, False, "must have the same labels"),
        (SIZES.astype(str), False, "predictors must be real numbers"),
        (SIZES.astype("Int64").where(SIZES["size"] > 0), False, "finite and not missing; found 2"),
        (SIZES, False, r"must differ between units; leave out \['beer'\]"),
        (SIZES[[]], False, "predictors has no columns"),
        (SIZES[["size"]], True, "do not go with an intercept"),
        (SIZES["size"], False, "predictors must be a DataFrame"),
    ],
)
def test_unusable_predictors_are_refused(predictors, intercept, message):
    given = {"first_year": 2004, "intercept": intercept, "predictors": predictors}
    with pytest.raises((TypeError, ValueError), match=message):
        fit_synthetic(panel(), "own", **given)


def test_pysyncon_gives_california_the_published_weights():
    from pysyncon import Synth  # after the package has imported it without its SyntaxWarning

    X, before = SMOKING[PREDICTORS].T, PACKS.loc[:1988]
    donors = before.columns.drop("California")
    named = PUBLISHED.reindex(donors, fill_value=0)
    off = []
    for size in (1, 1000):  # the minimum is the same; its optimiser stops by the objective's size
        model = Synth()
        outcomes = {"Z0": before[donors], "Z1": before["California"]}
        model.fit(X0=X[donors], X1=X["California"], **outcomes, custom_V=size * V)
        off.append(np.abs(model.W - named).max())
    assert off[1] < 0.005
    assert off[0] > 0.05  # why the package's weights come from nnls


def test_california_by_its_sales_alone_is_the_published_one():
    found = fit_synthetic(PACKS, "California", first_year=1989)
    # Arkhangelsky et al. (2021), Table 1, doi:10.1257/aer.20190159: -19.6 (with a small ridge).
    # Exact, by other programs on the same figures: -19.5136.
    assert found.gap.loc[1989:].mean() == pytest.approx(-19.6, abs=0.15)
    assert found.gap.loc[1989:].mean() == pytest.approx(-19.5136, abs=5e-4)
    assert found.gap.loc[2000] == pytest.approx(-26, abs=1)
    # No other weights fit the sales better, the published ones included: their error is 3.09.
    assert found.rmspe**2 == pytest.approx(2.74, abs=0.01)


def test_numbers_of_a_fit_are_those_worked_by_hand():
    found = control([1, 2, 7, 7, 9], [0, 4, 6, 3, 3], 2003)
    assert found.gap.tolist() == [1, -2, 1, 4, 6]
    assert found.before.tolist() == [1, -2, 1]
    assert found.changes().to_dict() == {2003: 3, 2004: 5}
    assert found.changes(2).to_dict() == {2003: 4.5, 2004: 6.5}
    assert found.average == 5
    assert found.rmspe == pytest.approx(np.sqrt(2))
    assert found.explained == pytest.approx(1 - 2 / (62 / 9))


def test_gap_that_was_there_before_is_no_change():
    rates = panel()
    moved = rates.assign(own=rates["own"] + 30)  # beyond all the donors, in every year
    found = fit_synthetic(moved, "own", first_year=2004, intercept=True)
    same = fit_synthetic(rates, "own", first_year=2004, intercept=True)
    np.testing.assert_allclose(found.gap, same.gap, atol=1e-9)
    pd.testing.assert_series_equal(found.weights, same.weights)
    assert found.before.mean() == pytest.approx(0, abs=1e-9)


def test_intercept_finds_a_mixture_that_lies_elsewhere():
    rates = panel()
    rates["own"] = 25 + 0.4 * rates["donor1"] + 0.6 * rates["donor2"]
    rates.loc[2004:, "own"] += 7
    found = fit_synthetic(rates, "own", first_year=2004, intercept=True)
    np.testing.assert_allclose(found.weights, [0, 0.4, 0.6, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(found.changes(), 7, atol=1e-9)
    assert fit_synthetic(rates, "own", first_year=2004).explained < 0


def test_penalties_are_weighed_as_the_library_weighs_them():
    centred = panel(seed=6).loc[1996:2003]
    own, donors = centred["own"], centred.drop(columns="own")
    own, donors = own - donors.mean(axis=1), donors.sub(donors.mean(axis=1), axis=0)
    penalties = AugSynth().generate_lambdas(donors)[::6]
    found, expected = (
        weigh(donors, own, penalties, len(own))
        for weigh in (cross_validate, AugSynth().cross_validate)
    )
    np.testing.assert_allclose(found.errors_mean, expected.errors_mean, rtol=1e-4)
    np.testing.assert_allclose(found.errors_se, expected.errors_se, rtol=1e-4)


@pytest.mark.slow
def test_augmented_fit_is_closer_and_near_where_the_fit_is_good():
    rates = panel(seed=6)
    plain = fit_synthetic(rates, "own", first_year=2004)
    found = fit_augmented(rates, "own", first_year=2004)
    assert found.gap.index.equals(rates.index)
    assert found.rmspe <= plain.rmspe
    rates["own"] = 0.4 * rates["donor1"] + 0.6 * rates["donor2"]
    rates.loc[2004:, "own"] += 7
    found = fit_augmented(rates, "own", first_year=2004)
    np.testing.assert_allclose(found.gap.loc[2004:], 7, atol=1e-3)


@pytest.mark.parametrize(
    "same",
    [
        lambda rates: rates.set_axis(rates.index.astype(float)),
        lambda rates: rates.astype(object),
        lambda rates: rates.astype("Float64"),
        lambda rates: rates.map(lambda rate: Decimal(repr(rate))),
    ],
)
def test_years_and_rates_may_be_numbers_of_any_kind(same):
    expected = fit_synthetic(panel(), "own", first_year=2004)
    found = fit_synthetic(same(panel()), "own", first_year=2004.0)
    assert found.first_year == 2004
    pd.testing.assert_series_equal(found.gap, expected.gap)


def test_units_may_be_numbered():
    rates = panel()
    found = placebo_countries(rates.set_axis(range(7), axis=1), 0, first_year=2004)
    expected = placebo_countries(rates, "own", first_year=2004)
    np.testing.assert_array_equal(found.intervals(), expected.intervals())


PERIODS = pd.period_range("1990", periods=20, freq="Y")


@pytest.mark.parametrize(
    ("rates", "treated", "first_year", "message"),
    [
        (panel().to_numpy(), "own", 2004, "rates must be a DataFrame.*found numpy ndarray"),
        (panel(), "donor9", 2004, "unknown unit 'donor9'. Did you mean 'donor"),
        (panel().drop(index=1999), "own", 2004, "consecutive years; found .'1998, 2000'"),
        (panel().loc[[1990, *range(1990, 2010)]], "own", 2004, "found .'1990, 1990'"),
        (panel().iloc[::-1], "own", 2004, r"found .'2009, 2008'.*rates.sort_index\(\)"),
        (panel().set_axis(PERIODS), "own", 2004, "found Period.*; use rates.index.year"),
        (panel().set_axis(panel().index + 0.5), "own", 2004, "whole number .* found 1990.5"),
        (panel().set_axis(panel().index.astype(str)), "own", 2004, "found '1990'"),
        (panel().set_axis(["own", *"aabcde"], axis=1), "own", 2004, "named once each"),
        (panel() * 1j, "own", 2004, "must be numbers; found other things in .'own'"),
        (panel().astype(str), "own", 2004, "must be numbers"),
        (panel() > 0, "own", 2004, "must be numbers"),
        (panel() * 1e250, "own", 2004, "below 1e250; missing in"),
        (panel().head(0), "own", 2004, "rates has no rows"),
        (panel().assign(own=7), "own", 2004, "own has the same rate in every year before 2004"),
        (panel(), ["own"], 2004, "unknown unit"),
        (panel(), "own", pd.Period("2004"), "first_year must be a whole number"),
        (panel(), "own", 2004.5, "first_year must be a whole number"),
        (panel().replace({"donor3": {}}).mask(panel() > 1e9), "own", 1993, "1993 must leave at le"),
        (panel().assign(donor3=np.nan), "own", 2004, r"missing in \['donor3'\]. Leave"),
        (panel(), "own", 2010, "one from it on; found 20 and 0 in 1990 to 2009"),
        (panel(donors=1), "own", 2004, "at least two donors are needed; found 1"),
    ],
)
def test_unusable_panels_are_refused(rates, treated, first_year, message):
    with pytest.raises((TypeError, ValueError, KeyError), match=message):
        fit_synthetic(rates, treated, first_year=first_year)
