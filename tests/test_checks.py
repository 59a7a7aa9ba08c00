import inspect
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import product
from typing import get_args, get_type_hints

import numpy as np
import pandas as pd
import pytest
from support.folders import REFERENCE
from support.sweeps import sweep

import analysis
from analysis import (
    PolicyShift,
    compare_estimators,
    fit_arima,
    fit_its,
    fit_many,
    fit_negative_binomial,
    fit_newey_west,
    fit_prais_winsten,
    fit_quasi_poisson,
    fit_structural,
    placebo_places,
    restricted_log_likelihood,
    specification_curve,
)
from analysis.arguments import Seed
from analysis.checks import check_whole
from analysis.engine.optimise import EstimatorError
from analysis.engine.sup_f import SupF
from analysis.its.comparison import estimate_by

INDEX = pd.period_range("2005-01", periods=96, freq="M")
SHIFT = PolicyShift("r", "2009-01")
T = np.arange(96)
X = np.column_stack([np.ones(96), T / 12, T >= 48, np.maximum(T - 48, 0) / 12]).astype(float)
Y = np.random.default_rng(0).normal(size=96)
COUNTS = [fit_quasi_poisson, fit_negative_binomial]
FITS = [fit_newey_west, fit_prais_winsten, *COUNTS, fit_arima, fit_structural]


def counts(deaths, person_years=1e5):
    return pd.DataFrame({"deaths": deaths, "person_years": person_years}, index=INDEX)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 0, 11])
def test_whole_numbers_in_their_range_alone_are_taken(value):
    with pytest.raises(ValueError, match=r"n must be a whole number from 1 to 10; found"):
        check_whole(value, "n", 1, 10)
    assert check_whole(np.int64(10), "n", 1, 10) == 10


@pytest.mark.parametrize("seed", [None, -1, 1.5, True, [1, 2]])
def test_seed_that_could_not_give_the_same_draws_again_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        get_args(Seed)[1](seed, "seed")
    with pytest.raises(ValueError, match="seed must be a whole number"):
        analysis.certificate(counts(np.arange(100, 196)), SHIFT, seed=seed)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("y", "design", "message"),
    [
        (np.where(T == 3, np.nan, 5.0), X, "outcome must be finite and not missing; found 1"),
        (np.ones(96), np.where(X == 1, np.inf, X), "design must be finite"),
        (np.ones(95), X, r"found \(95,\), \(96, 4\)"),
        (np.ones(96), X[:, 0], r"found \(96,\), \(96,\)"),
        (np.ones(3), X[:3], "3 observations are too few for 4 coefficients"),
        (np.ones(96), np.column_stack([X, X[:, 0]]), "linearly dependent: column 4 adds nothing"),
        (np.ones(96) * 1j, X, "outcome must be real numbers; found complex"),
        (None, X, "outcome must be real numbers; found object"),
    ],
)
def test_regression_that_cannot_be_fitted_is_refused(fit, y, design, message):
    with pytest.raises(ValueError, match=message):
        fit(y, design)


@pytest.mark.parametrize("fit", COUNTS)
def test_counts_and_exposures_that_cannot_be_are_refused(fit):
    with pytest.raises(ValueError, match=r"counts must not be negative; found \[-1.0\]"):
        fit(np.where(T == 3, -1.0, 5.0), X)
    with pytest.raises(ValueError, match="exposure must be positive"):
        fit(np.ones(96), X, exposure=np.where(T == 3, 0.0, 5.0))


def test_frames_and_series_are_fitted_as_arrays():
    design = pd.DataFrame(X, columns=list("abcd"), index=INDEX)
    found = fit_structural(pd.Series(Y, index=INDEX), design)
    np.testing.assert_array_equal(found.estimate, fit_structural(Y, X).estimate)
    assert isinstance(fit_newey_west(pd.Series(Y, INDEX), design).estimate, np.ndarray)


def test_contrasts_and_outcomes_of_many_fits_are_matched_by_label():
    y, design = pd.Series(Y, INDEX), pd.DataFrame(X, INDEX, list("abcd"))
    row = pd.Series([0, 1.0, 0, 0], list("dcba"))
    found, expected = fit_many(y[::-1], design, row), fit_many(Y, X, [0, 0, 1.0, 0])
    np.testing.assert_array_equal(found.estimate, expected.estimate)
    with pytest.raises(ValueError, match="contrasts must say something"):
        fit_many(Y, X, np.zeros(4))
    with pytest.raises(ValueError, match="dependent: column 'e' adds nothing"):
        fit_many(y, design.assign(e=design["b"] - design["c"]), np.eye(5))


TAKEN = [
    Y.astype(np.longdouble),
    Y.astype(object),
    pd.Series(Y, INDEX).astype("Float64"),
    np.ma.masked_array(Y),
]
NOT_TAKEN = [Y.astype(str), Y * 1j, [None] * 96, np.ma.masked_array(Y, T == 3), [[1], [1, 2]]]
NOT_TAKEN += [[10**400] * 96, pd.Series(Y).astype("Float64").mask(T == 3), {1: 2}]


@pytest.mark.parametrize("y", TAKEN)
def test_real_numbers_of_any_kind_are_taken(y):
    np.testing.assert_array_equal(fit_newey_west(y, X).estimate, fit_newey_west(Y, X).estimate)


@pytest.mark.parametrize("y", NOT_TAKEN)
def test_other_things_than_real_numbers_are_refused(y):
    with pytest.raises(ValueError, match="outcome must be"):
        fit_newey_west(y, X)
    with pytest.raises(ValueError, match="outcomes must be"):
        fit_many(y, X, np.eye(4))


@cache
def plain_fit():
    """The fit of a series in its own unit, and when it broke."""
    frame = pd.DataFrame({"value": Y}, index=INDEX)
    return fit_its(frame, SHIFT), analysis.break_posterior(frame).probability


@pytest.mark.parametrize("size", sweep([1e-250, 2.0**-500, 1e-7, 1e160, 1e250]))
def test_unit_of_the_outcome_changes_nothing_else(size):
    frame = pd.DataFrame({"value": size * Y}, index=INDEX)
    found, (plain, probability) = fit_its(frame, SHIFT), plain_fit()
    names = ["estimate", "low", "high"]
    np.testing.assert_allclose(found.effects[names] / size, plain.effects[names], rtol=1e-6)
    np.testing.assert_allclose(found.effects["p"], plain.effects["p"], rtol=1e-6)
    compared = [result.comparison[[*names, "se"]] for result in (found, plain)]
    np.testing.assert_allclose(compared[0] / size, compared[1], rtol=1e-5)
    dates = [analysis.sup_f(unit * Y, X[:, :1]) for unit in (size, 1.0)]
    np.testing.assert_allclose(dates[0].statistic, dates[1].statistic, rtol=1e-9)
    again = analysis.break_posterior(frame).probability
    np.testing.assert_allclose(again, probability, rtol=1e-6)


SIZES = (1e-100, 1e-7, 1e12, 1e100)  # fast: the outer ones, but of the slow ARIMA
OUTER = [4 * place + end for place in range(len(FITS)) for end in (0, 3)]
OUTER = [place for place in OUTER if FITS[place // 4] is not fit_arima]


@pytest.mark.parametrize(("fit", "size"), sweep(product(FITS, SIZES), *OUTER))
def test_units_of_the_design_are_those_of_its_coefficients(fit, size):
    y, units = (np.round(200 + 20 * Y) if fit in COUNTS else Y), np.array([1, size, 1, 1 / size])
    found, plain = fit(y, X * units), fit(y, X)
    np.testing.assert_allclose(found.estimate * units, plain.estimate, rtol=1e-6, equal_nan=True)


def test_numbers_that_no_computer_holds_are_refused_in_words():
    with pytest.raises(ValueError, match=r"more than 1e290 times larger .* Bring outcome"):
        fit_many(1e200 * Y, 1e-200 * X, np.eye(4))
    with pytest.raises(ValueError, match="more than 1e290 times larger"):
        fit_newey_west(1e200 * Y, X)  # its square


def test_noise_on_the_last_digits_of_a_level_is_no_exact_fit():
    plain = fit_its(pd.DataFrame({"value": Y}, index=INDEX), SHIFT).effects.loc["level"]
    found = fit_its(pd.DataFrame({"value": 1e13 + Y}, index=INDEX), SHIFT).effects.loc["level"]
    np.testing.assert_allclose(found, plain, atol=5e-3)


@pytest.mark.parametrize("order", [(1, 0), "100", (-1, 0, 0), (1.5, 0, 0)])
def test_order_that_is_none_is_refused(order):
    with pytest.raises(ValueError, match="order must be 3 whole numbers from 0 to 12, such as"):
        fit_arima(Y, X, order=order)


def test_constant_does_not_go_with_differencing():
    with pytest.raises(ValueError, match="leave that column of the design out"):
        fit_arima(Y, X, order=(1, 1, 0))


@pytest.mark.parametrize("lags", [-1, 96, 1.5])
def test_lags_outside_the_series_are_refused(lags):
    with pytest.raises(ValueError, match="lags must be a whole number from 0 to"):
        fit_newey_west(Y, X, lags=lags)


@pytest.mark.parametrize("deaths", sweep([0, 1, 2, 100, 1000], 0, 3))
@pytest.mark.parametrize("scale", sweep(["rate", "log"], 1))
def test_constant_counts_have_a_panel_without_p_values(deaths, scale):
    panel = compare_estimators(counts(deaths), SHIFT, scale=scale)
    assert panel["p"].isna().all()
    slope = panel.query("estimand == 'slope'")["estimate"].dropna()
    np.testing.assert_allclose(slope, 0, atol=1e-9)
    if deaths or scale == "rate":
        result = fit_its(counts(deaths), SHIFT, scale=scale)
        assert result.effects["p"].isna().all()
        assert "wandering" not in {flag.name for flag in result.flags}


def test_exact_step_of_counts_has_no_p_value_from_rounding():
    panel = compare_estimators(counts(np.where(T < 48, 100, 200)), SHIFT)
    assert panel["p"].isna().all()
    level = panel.query("estimand == 'level'").set_index("estimator")["estimate"]
    np.testing.assert_allclose(level.dropna(), 100, rtol=1e-9)
    assert level.dropna().index.tolist()[0] == "reml"


@pytest.mark.parametrize(("offset", "noise"), sweep([(1e9, 0.1), (1e6, 1e-5), (100.0, 1e-9)], 1))
def test_small_noise_on_a_high_level_is_no_exact_fit(offset, noise):
    frame = pd.DataFrame({"value": offset + noise * Y}, index=INDEX)
    plain = fit_its(pd.DataFrame({"value": Y}, index=INDEX), SHIFT).effects
    found = fit_its(frame, SHIFT).effects
    level = ("level", ["estimate", "low", "high"])
    np.testing.assert_allclose(found.loc[level] / noise, plain.loc[level], rtol=1e-3)


@pytest.mark.parametrize("offset", [0.0, 1e7, 1e8])
def test_level_of_the_outcome_does_not_keep_rho_from_settling(offset):
    y = X @ [1.0, 2, 3, 4] + Y
    found, plain = fit_prais_winsten(offset + y, X), fit_prais_winsten(y, X)
    np.testing.assert_allclose(found.estimate[1:], plain.estimate[1:], rtol=1e-5)
    assert found.note == plain.note


def test_shifts_beside_with_one_slug_are_refused():
    twins = (PolicyShift("q", "2007-01"), PolicyShift("q", "2011-01"))
    with pytest.raises(ValueError, match=r"need slugs of their own; found \['r', 'q', 'q'\]"):
        PolicyShift("r", "2009-01", beside=twins)


def test_likelihood_of_two_series_is_refused():
    with pytest.raises(ValueError, match=r"expected one outcome \(n,\)"):
        restricted_log_likelihood(np.c_[Y, 2 * Y], X, [0.5])
    with pytest.raises(ValueError, match="phi must be finite"):
        restricted_log_likelihood(Y, X, [np.nan])


def test_arima_of_a_given_order_reaches_the_digits_of_the_exact_optimum():
    """AR(1) by exact maximum likelihood on the Nile: const 1088.1009, step -283.8040 (R, tight)."""
    nile = pd.read_csv(REFERENCE / "nile.csv")
    design = np.column_stack([np.ones(100), nile["year"] >= 1899, np.arange(100.0)])
    found = fit_arima(nile["flow"].to_numpy(float), design, order=(1, 0, 0))
    again = fit_arima(1000 * nile["flow"].to_numpy(float), design, order=(1, 0, 0))
    np.testing.assert_allclose(again.estimate / 1000, found.estimate, rtol=1e-6)


def test_changing_a_result_does_not_change_where_it_came_from():
    y = Y + 5 * (T >= 40)
    ones = np.ones((96, 1))
    breaks = analysis.find_breaks(y, ones, most=1)
    analysis.break_intervals(y, ones, breaks, 1).first[0] = 999
    assert breaks.first[1][0] == 40
    result = fit_its(pd.DataFrame({"value": Y}, index=INDEX), SHIFT)
    result.__dict__["_comparison"] = estimate_by(("reml", "newey_west"), result._model)  # enough
    panel = result.comparison
    panel.loc[0, "estimate"] = 1e9
    assert result.comparison.loc[0, "estimate"] < 1e9


@pytest.mark.parametrize("shift", ["calderon-2006-12", None])
def test_string_for_a_shift_is_refused(shift):
    with pytest.raises(TypeError, match="shift must be a PolicyShift; found"):
        placebo_places(counts(100), counts(100), shift)
    with pytest.raises(TypeError, match="shift must be a PolicyShift; found"):
        specification_curve({"a": counts(100)}, shift)


@pytest.mark.parametrize("series", [counts(100), [counts(100)], {1: counts(100)}])
def test_curve_asks_for_named_series(series):
    with pytest.raises(TypeError, match=r"series must (map names to frames|be a str)"):
        specification_curve(series, SHIFT)


def test_curve_of_a_series_without_noise_has_no_null():
    with pytest.raises(ValueError, match="'a' is fitted without residual variation"):
        specification_curve({"a": counts(100)}, SHIFT, draws=100)


@pytest.mark.slow
def test_default_arima_does_not_take_the_edge_of_the_likelihood_for_its_top():
    noted = [fit_arima(np.random.default_rng(seed).normal(size=96), X).note for seed in range(25)]
    assert noted.count("ARIMA(1,0,1)") < 12


def test_default_arima_of_an_exact_line_is_refused():
    with pytest.raises(EstimatorError, match="residual variation"):
        fit_arima(X @ np.ones(4), X)


def test_former_name_of_an_argument_still_serves_and_both_are_refused():
    y = np.random.default_rng(3).standard_normal(96)
    new, former = fit_many(y, X, np.eye(4), confidence=0.5), fit_many(y, X, np.eye(4), level=0.5)
    np.testing.assert_array_equal(new.low, former.low)
    with pytest.raises(TypeError, match="unexpected keyword argument 'level'"):
        fit_many(y, X, np.eye(4), confidence=0.5, level=0.5)


def test_former_names_of_public_functions_are_the_functions():
    assert analysis.plot_panel is analysis.plot_comparison
    assert analysis.deal_event_study is analysis.reassign_event_study
    result = analysis.fit_its(counts(100), SHIFT)
    assert result.verdict == result.comparison_verdict
    pd.testing.assert_frame_equal(result.panel, result.comparison)


def dataclasses_in(kind):
    found = [kind] if is_dataclass(kind) else []
    return [*found, *(each for inner in get_args(kind) for each in dataclasses_in(inner))]


PUBLIC = [getattr(analysis, name) for name in analysis.__all__]
GIVEN = [get_type_hints(each).get("return") for each in PUBLIC if inspect.isfunction(each)]
RESULTS = {each for kind in (*PUBLIC, *GIVEN) for each in dataclasses_in(kind)}
RESULTS -= {analysis.ITSResult, PolicyShift}  # the first has a line of its own


@pytest.mark.parametrize("kind", sorted(RESULTS, key=lambda kind: kind.__name__))
def test_every_result_is_shown_on_one_line(kind):
    table = pd.DataFrame(np.zeros((500, 12)))
    for value in (table, {"a": table}, "words of any length, " * 20, 1 / 3, SHIFT):
        shown = repr(kind(**{each.name: value for each in fields(kind)}))
        assert shown.startswith(f"{kind.__name__}({fields(kind)[0].name}=")
        assert "\n" not in shown
        assert len(shown) <= 120


def test_numbers_are_shown_as_they_are_and_tables_by_their_shape():
    found = fit_newey_west(Y, X)
    shapes = "Coefficients(estimate=(4,), covariance=(4, 4), df=92, note='3 lags', dispersion=nan)"
    assert repr(found) == shapes
    assert repr(SupF(1.2345678, 40, 0.5)) == "SupF(statistic=1.23457, first=40, p=0.5)"
