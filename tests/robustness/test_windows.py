from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support import independent
from support.independent import monthly_values, segmented_design, simulate_ar1

from analysis import PolicyShift, fit_its, load_policy_shifts, load_series
from analysis.robustness import windows
from analysis.robustness.windows import COLUMNS, vary_window

SHIFT, EARLY = PolicyShift("reform", "2004-01"), PolicyShift("x", "2000-09")
NUMBERS = ["estimate", "low", "high"]


@pytest.fixture(scope="module")
def usual():
    return vary_window(values(), SHIFT)


@pytest.fixture
def few_edges(monkeypatch):
    monkeypatch.setattr(windows, "MOST_MONTHS", 1)


def values(periods=96, seed=1):
    return monthly_values(simulate_ar1(np.random.default_rng(seed), periods, 0.5)[:, 0])


def counts():
    index = pd.period_range("2000-01", periods=96, freq="M")
    deaths = np.random.default_rng(2).poisson(300, 96)
    return pd.DataFrame({"deaths": deaths, "person_years": 2e5}, index=index)


def numbers(table, change, setting):
    rows = table[(table["change"] == change) & (table["setting"] == setting)]
    return rows.set_index("estimand")[NUMBERS]


def same_numbers(one, other, change, setting):
    found = [numbers(table, change, setting) for table in (one, other)]
    np.testing.assert_allclose(*found, rtol=1e-7, atol=1e-8)


def fitted(series, shift, **options):
    return fit_its(series, shift, **options).effects.loc[["level", "slope"], NUMBERS]


def settings(table, change):
    return table.loc[table["change"] == change, "setting"].unique().tolist()


def fit_with_gaps(y, X, C, keep):
    """The headline model where only the months `keep` were ever seen."""
    point, width = np.polynomial.legendre.leggauss(200)
    low, high = np.arctanh(independent.RHO)
    rho = np.tanh(low + (high - low) * (point + 1) / 2)
    step = width * (1 - rho**2)
    y, X = y[keep], X[keep]
    df = len(y) - X.shape[1]
    log_weight, mean, scale = [], [], []
    for value in rho:
        full = independent.ar1_correlation(len(keep), value) / (1 - value**2)
        L = np.linalg.cholesky(full[np.ix_(keep, keep)])
        white, target = np.linalg.solve(L, X), np.linalg.solve(L, y)
        b = np.linalg.lstsq(white, target, rcond=None)[0]
        rss, information = ((target - white @ b) ** 2).sum(), white.T @ white
        mean.append(C @ b)
        scale.append(np.sqrt(rss / df * np.diag(C @ np.linalg.solve(information, C.T))))
        determinant = np.linalg.slogdet(information)[1] + 2 * np.log(np.diag(L)).sum()
        log_weight.append(-0.5 * (df * np.log(rss) + determinant))
    weight = step * np.exp(np.array(log_weight) - max(log_weight))
    weight, mean, scale = weight / weight.sum(), np.array(mean).T, np.array(scale).T
    return independent.Mixture(rho, step, weight, mean, scale, df)


@pytest.mark.usefixtures("few_edges")
@pytest.mark.parametrize("scale", ["log", "rate"])
def test_nothing_left_out_is_the_fit(scale):
    options = {"scale": scale, "harmonics": 1}
    table, expected = (make(counts(), SHIFT, **options) for make in (vary_window, fitted))
    assert table.columns.tolist() == COLUMNS
    whole = {"first month": "2000-01", "last month": "2007-12", "transition": "0"}
    for cell in whole.items():
        np.testing.assert_allclose(numbers(table, *cell), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("edge", "setting"),
    [("start", "2000-02"), ("start", "2002-01"), ("end", "2007-11"), ("end", "2005-12")],
)
def test_other_edges_are_fits_of_that_window(usual, edge, setting):
    found = numbers(usual, {"start": "first month", "end": "last month"}[edge], setting)
    expected = fitted(values(), replace(SHIFT, **{edge: setting}))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.usefixtures("few_edges")
@pytest.mark.parametrize("year", ["2000", "2004", "2007"])
def test_values_of_a_year_left_out_do_not_matter(usual, year):
    changed = values()
    changed.loc[year, "value"] = 50 * np.random.default_rng(5).standard_normal(12)
    tables = usual, vary_window(changed, SHIFT)
    same_numbers(*tables, "year left out", year)
    one, other = (numbers(table, "transition", "0") for table in tables)
    assert (abs(one - other) > 0.1).all(axis=None)


@pytest.mark.usefixtures("few_edges")
def test_values_of_a_transition_do_not_matter(usual):
    changed = values()
    changed.iloc[48:53] += 30
    tables = usual, vary_window(changed, SHIFT)
    for length in ("5", "6", "12"):
        same_numbers(*tables, "transition", length)
    one, other = (numbers(table, "transition", "4") for table in tables)
    assert abs(one - other).loc["level", "estimate"] > 1


@pytest.mark.parametrize(
    ("change", "setting", "out"),
    [
        ("year left out", "2001", range(12, 24)),
        ("year left out", "2000", range(12)),
        ("year left out", "2004", range(48, 60)),
        ("transition", "3", range(48, 51)),
    ],
)
def test_months_left_out_are_months_never_seen(usual, change, setting, out):
    y, X = values()["value"].to_numpy(), segmented_design(96, 48, harmonics=2)
    keep = ~np.isin(np.arange(96), out)
    expected = fit_with_gaps(y, X, np.eye(8)[2:4], keep).summary()[:, :3]
    np.testing.assert_allclose(numbers(usual, change, setting), expected, rtol=1e-6, atol=1e-7)


def test_every_change_has_its_settings(usual):
    assert settings(usual, "year left out") == [str(year) for year in range(2000, 2008)]
    months = [str(month) for month in values().index]
    assert settings(usual, "first month") == months[:25]
    assert settings(usual, "last month") == months[71:]
    assert settings(usual, "transition") == [str(length) for length in range(13)]
    assert len(usual) == 2 * (8 + 25 + 25 + 13)
    assert usual.eval("low < estimate < high").all()


@pytest.mark.parametrize(
    ("month", "periods", "several"),  # 2002-07: 30 before and 20 from it on: 24 and 12 stay
    [("2002-07", 50, [7, 9, 9]), ("2002-01", 36, [1, 1, 1]), ("2000-11", 18, [1, 1, 1])],
)
def test_window_keeps_two_years_before_and_one_after(month, periods, several):
    table = vary_window(values(periods), PolicyShift("x", month), harmonics=0)
    changes = ("first month", "last month", "transition")
    assert [len(settings(table, change)) for change in changes] == several


def test_year_without_which_there_is_nothing_before_the_shift_is_not_asked():
    table = vary_window(values(40), PolicyShift("x", "2001-01"), harmonics=0)
    assert settings(table, "year left out") == ["2001", "2002", "2003"]


def test_year_without_which_too_few_months_remain_is_not_asked():
    table = vary_window(monthly_values(values(22)["value"], "1999-07"), PolicyShift("x", "2000-05"))
    assert settings(table, "year left out") == ["1999", "2001"]


def test_window_that_loses_a_shift_beside_is_not_asked():
    beside = PolicyShift("other", "2000-11")  # position 10: of the tenth month on it is a constant
    table = vary_window(values(), replace(SHIFT, beside=beside))
    assert settings(table, "first month") == [f"2000-{month:02}" for month in range(1, 10)]
    table = vary_window(values(), replace(SHIFT, beside=PolicyShift("other", "2007-07")))
    found = numbers(table, "last month", "2007-04")
    np.testing.assert_allclose(found, fitted(values().loc[:"2007-04"], SHIFT), rtol=1e-8)


@pytest.mark.usefixtures("few_edges")
@pytest.mark.parametrize("impact", ["level", "slope"])
def test_impact_decides_the_estimands(impact):
    shift = replace(SHIFT, impact=impact)
    table = vary_window(values(), shift)
    assert set(table["estimand"]) == {impact}
    expected = fit_its(values(), shift).effects.loc[impact, NUMBERS]
    found = numbers(table, "transition", "0").loc[impact]
    np.testing.assert_allclose(found, expected.astype(float), rtol=1e-9)


def test_quarters_and_years_are_left_out_whole():
    quarters = pd.period_range("1990Q1", periods=60, freq="Q")
    table = vary_window(values(60).set_axis(quarters), PolicyShift("x", "1998Q1"))
    assert settings(table, "transition") == ["0", "3", "6", "9", "12"]
    assert settings(table, "first month") == [str(quarter) for quarter in quarters[:9]]
    years = values(40).set_axis(pd.period_range("1980", periods=40, freq="Y"))
    table = vary_window(years, PolicyShift("x", "2000"))
    assert settings(table, "transition") == ["0", "12"]
    assert settings(table, "last month") == ["2017", "2018", "2019"]
    years.loc["2000", "value"] = 1e3
    other = vary_window(years, PolicyShift("x", "2000"))
    for change, setting in (("transition", "12"), ("year left out", "2000")):
        same_numbers(table, other, change, setting)


def test_range_of_months_is_taken_at_its_first(usual):
    pd.testing.assert_frame_equal(vary_window(values(), replace(SHIFT, until="2004-03")), usual)


@pytest.mark.usefixtures("few_edges")
def test_exact_line_has_one_answer_whatever_is_left_out():
    i = np.arange(96)
    y = 3 + 0.5 * i / 12 - 2.0 * (i >= 48) + 1.2 * np.maximum(i - 48, 0) / 12
    table = vary_window(monthly_values(y), SHIFT, harmonics=0)
    truth = table["estimand"].map({"level": -2.0, "slope": 1.2})
    for column in NUMBERS:
        np.testing.assert_allclose(table[column], truth, rtol=0, atol=1e-9)


def test_calderons_slope_rises_whatever_is_left_out():
    """Every refit of the real series keeps the sign of the headline's change of slope."""
    table = vary_window(load_series("inegi"), load_policy_shifts()["calderon-2006-12"])
    assert (table.loc[table["estimand"] == "slope", "estimate"] > 0).all()


@pytest.mark.parametrize(
    ("series", "shift", "options", "message"),
    [
        (values(), "2004-01", {}, "shift must be a PolicyShift, found str"),
        (values(), PolicyShift("x", "2012-01"), {}, "x: the shift at 2012-01 is outside"),
        (values(), PolicyShift("x", "2007-09"), {}, "4 from it on; at least 6"),
        (counts().assign(deaths=0), SHIFT, {}, "log scale needs deaths in every period"),
        (values(), SHIFT, {"scale": "log"}, "needs 'deaths' and 'person_years'"),
        (values(), replace(SHIFT, beside=SHIFT), {}, r"linearly dependent.*move shifts"),
        (values(17), EARLY, {"harmonics": 6}, "17 periods are too few for 15"),
    ],
)
def test_bad_input_is_refused(series, shift, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        vary_window(series, shift, **options)
