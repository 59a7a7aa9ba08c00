from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from support.declared import SHIFTS
from support.independent import monthly_values, segmented_design, simulate_ar1
from support.independent_gaps import fit_seen
from support.sweeps import sweep

from analysis import PolicyShift, fit_its, load_series
from analysis.its import breaks
from analysis.its.breaks import break_posterior
from analysis.robustness import placebos
from analysis.robustness.placebos import COLUMNS, leave_out_dates, vary_record, vary_window

SHIFT, EARLY = PolicyShift("reform", "2003-01"), PolicyShift("x", "2000-09")
NUMBERS = ["estimate", "low", "high"]


def cut(monkeypatch):
    """Edges moved by a month and transitions of up to three: each fit takes a while."""
    monkeypatch.setattr(placebos, "MOST_MONTHS", 1)
    monkeypatch.setattr(placebos, "LONGEST_TRANSITION", 3)


@pytest.fixture(scope="module")
def usual():
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut(monkeypatch)
        return vary_window(values(), SHIFT, harmonics=0)


@pytest.fixture
def few(monkeypatch):
    cut(monkeypatch)


@pytest.fixture
def unfitted(monkeypatch):
    """What is asked, without the fits."""
    fit = SimpleNamespace(estimate=np.zeros((1, 2)), low=-np.ones((1, 2)), high=np.ones((1, 2)))
    monkeypatch.setattr(placebos, "fit_many", lambda *_, **__: fit)


def values(periods=60, seed=1):
    return monthly_values(simulate_ar1(np.random.default_rng(seed), periods, 0.5)[:, 0])


def counts():
    index = pd.period_range("2000-01", periods=60, freq="M")
    deaths = np.random.default_rng(2).poisson(300, 60)
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


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("scale", sweep(["log", "rate"], 0))
def test_nothing_left_out_is_the_fit(scale):
    options = {"scale": scale, "harmonics": 1}
    table, expected = (make(counts(), SHIFT, **options) for make in (vary_window, fitted))
    assert table.columns.tolist() == COLUMNS
    whole = {"first month": "2000-01", "last month": "2004-12", "transition": "0"}
    for cell in whole.items():
        np.testing.assert_allclose(numbers(table, *cell), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("edge", "setting"), [("start", "2000-02"), ("end", "2004-11")])
def test_other_edges_are_fits_of_that_window(usual, edge, setting):
    found = numbers(usual, {"start": "first month", "end": "last month"}[edge], setting)
    expected = fitted(values(), replace(SHIFT, **{edge: setting}), harmonics=0)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("year", ["2000", pytest.param("2004", marks=pytest.mark.slow)])
def test_values_of_a_year_left_out_do_not_matter(usual, year):
    changed = values()
    changed.loc[year, "value"] = 50 * np.random.default_rng(7).standard_normal(12)
    tables = usual, vary_window(changed, SHIFT, harmonics=0)
    same_numbers(*tables, "year left out", year)
    one, other = (numbers(table, "transition", "0") for table in tables)
    assert (abs(one - other) > 0.1).all(axis=None)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_values_of_a_transition_do_not_matter(usual):
    changed = values()
    changed.iloc[36:38] += 30
    tables = usual, vary_window(changed, SHIFT, harmonics=0)
    for length in ("2", "3"):
        same_numbers(*tables, "transition", length)
    one, other = (numbers(table, "transition", "1") for table in tables)
    assert abs(one - other).loc["level", "estimate"] > 1


@pytest.mark.slow  # the fast one of its kind is that of a fit: its/test_omit.py
@pytest.mark.parametrize(
    ("change", "setting", "out"),
    [
        ("year left out", "2001", range(12, 24)),
        ("year left out", "2000", range(12)),
        ("year left out", "2003", range(36, 48)),
        ("transition", "3", range(36, 39)),
    ],
)
def test_months_left_out_are_months_never_seen(usual, change, setting, out):
    y, X = values()["value"].to_numpy(), segmented_design(60, 36)
    keep = ~np.isin(np.arange(60), out)
    sizes = (10, 12, 12)
    expected = fit_seen(y, X, np.eye(4)[2:4], keep, after=36, sizes=sizes).summary()[:, :3]
    width = (expected[:, 2] - expected[:, 1])[:, None]
    found = numbers(usual, change, setting).to_numpy()
    assert (abs(found - expected) / width).max() < 6e-3
    same = numbers(usual, "transition", "0").to_numpy()
    assert (abs(same - expected) / width).max() > 0.05


@pytest.mark.usefixtures("unfitted")
def test_every_change_has_its_settings():
    table = vary_window(values(96), PolicyShift("x", "2004-01"))
    assert settings(table, "year left out") == [str(year) for year in range(2000, 2008)]
    months = [str(month) for month in values(96).index]
    assert settings(table, "first month") == months[:25]
    assert settings(table, "last month") == months[71:]
    assert settings(table, "transition") == [str(length) for length in range(13)]
    assert len(table) == 2 * (8 + 25 + 25 + 13)


def test_estimates_lie_within_their_intervals(usual):
    assert len(usual) == 2 * (5 + 2 + 2 + 4)
    assert usual.eval("low < estimate < high").all()


@pytest.mark.usefixtures("unfitted")
@pytest.mark.parametrize(
    ("month", "periods", "several"),  # 2002-07: 30 before and 20 from it on: 24 and 12 stay
    [("2002-07", 50, [7, 9, 9]), ("2002-01", 36, [1, 1, 1]), ("2000-11", 18, [1, 1, 1])],
)
def test_window_keeps_two_years_before_and_one_after(month, periods, several):
    table = vary_window(values(periods), PolicyShift("x", month), harmonics=0)
    changes = ("first month", "last month", "transition")
    assert [len(settings(table, change)) for change in changes] == several


@pytest.mark.usefixtures("unfitted")
def test_year_without_which_there_is_nothing_before_the_shift_is_not_asked():
    table = vary_window(values(40), PolicyShift("x", "2001-01"), harmonics=0)
    assert settings(table, "year left out") == ["2001", "2002", "2003"]


@pytest.mark.usefixtures("unfitted")
def test_year_without_which_too_few_months_remain_is_not_asked():
    table = vary_window(monthly_values(values(22)["value"], "1999-07"), PolicyShift("x", "2000-05"))
    assert settings(table, "year left out") == ["1999", "2001"]


@pytest.mark.usefixtures("unfitted")
def test_window_that_loses_a_shift_beside_is_not_asked():
    beside = PolicyShift("other", "2000-11")  # position 10: of the tenth month on it is a constant
    table = vary_window(values(), replace(SHIFT, beside=beside))
    assert settings(table, "first month") == [f"2000-{month:02}" for month in range(1, 10)]


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_window_that_ends_before_a_shift_beside_is_fitted_without_it(monkeypatch):
    monkeypatch.setattr(placebos, "MOST_MONTHS", 8)
    shift = replace(SHIFT, beside=PolicyShift("other", "2004-07"))
    table = vary_window(values(), shift, harmonics=0)
    found = numbers(table, "last month", "2004-04")
    expected = fitted(values().loc[:"2004-04"], SHIFT, harmonics=0)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.usefixtures("few")
@pytest.mark.slow
@pytest.mark.parametrize("impact", ["level", "slope"])
def test_impact_decides_the_estimands(impact):
    shift = replace(SHIFT, impact=impact)
    table = vary_window(values(), shift, harmonics=0)
    assert set(table["estimand"]) == {impact}
    expected = fit_its(values(), shift, harmonics=0).effects.loc[impact, NUMBERS]
    found = numbers(table, "transition", "0").loc[impact]
    np.testing.assert_allclose(found, expected.astype(float), rtol=1e-9)


@pytest.mark.usefixtures("unfitted")
def test_quarters_are_left_out_whole():
    quarters = pd.period_range("1990Q1", periods=60, freq="Q")
    table = vary_window(values(60).set_axis(quarters), PolicyShift("x", "1998Q1"))
    assert settings(table, "transition") == ["0", "3", "6", "9", "12"]
    assert settings(table, "first month") == [str(quarter) for quarter in quarters[:9]]


@pytest.mark.slow
def test_years_are_left_out_whole():
    years = values(24).set_axis(pd.period_range("1990", periods=24, freq="Y"))
    table = vary_window(years, PolicyShift("x", "2000"))
    assert settings(table, "transition") == ["0", "12"]
    assert settings(table, "last month") == ["2011", "2012", "2013"]
    years.loc["2000", "value"] = 1e3
    other = vary_window(years, PolicyShift("x", "2000"))
    for change, setting in (("transition", "12"), ("year left out", "2000")):
        same_numbers(table, other, change, setting)


@pytest.mark.usefixtures("few")
def test_range_of_months_is_taken_at_its_first(usual):
    found = vary_window(values(), replace(SHIFT, until="2003-03"), harmonics=0)
    keys = ["change", "setting", "estimand"]
    expected = found[keys].merge(usual)[COLUMNS]
    pd.testing.assert_frame_equal(found.reset_index(drop=True), expected)


@pytest.mark.usefixtures("few")
def test_exact_line_has_one_answer_whatever_is_left_out():
    i = np.arange(60)
    y = 3 + 0.5 * i / 12 - 2.0 * (i >= 36) + 1.2 * np.maximum(i - 36, 0) / 12
    table = vary_window(monthly_values(y), SHIFT, harmonics=0)
    truth = table["estimand"].map({"level": -2.0, "slope": 1.2})
    for column in NUMBERS:
        np.testing.assert_allclose(table[column], truth, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_calderons_slope_rises_whatever_is_left_out():
    """Every refit of the real series keeps the sign of the headline's change of slope."""
    table = vary_window(load_series("inegi"), SHIFTS["calderon-2006-12"])
    assert (table.loc[table["estimand"] == "slope", "estimate"] > 0).all()


@pytest.mark.parametrize(
    ("series", "shift", "options", "message"),
    [
        (values(), "2003-01", {}, "shift must be a PolicyShift; found '2003-01'"),
        (values(), PolicyShift("x", "2012-01"), {}, "x: the shift at 2012-01 is outside"),
        (values(), PolicyShift("x", "2004-09"), {}, "4 from it on; at least 6"),
        (counts().assign(deaths=0), SHIFT, {}, "log scale needs deaths in every period"),
        (values(), SHIFT, {"scale": "log"}, "needs 'deaths' and 'person_years'"),
        (
            values(),
            replace(SHIFT, beside=replace(SHIFT, slug="tax")),
            {},
            "leave it out of beside",
        ),
        (values(17), EARLY, {"harmonics": 6}, "keeps 17 periods for 15 terms"),
    ],
)
def test_bad_input_is_refused(series, shift, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        vary_window(series, shift, **options)


SHORT = values(36, seed=3)
REFORM = PolicyShift("reform", "2001-08", until="2001-09")


@pytest.fixture(scope="module")
def short():
    return leave_out_dates(SHORT, REFORM, harmonics=0)


def test_date_without_a_run_left_out_is_that_of_all_periods(short):
    posterior = break_posterior(SHORT, shift=REFORM, harmonics=0)
    pd.testing.assert_series_equal(short[0].probability, posterior.probability, rtol=1e-12)


def test_every_run_of_one_to_three_periods_is_left_out_once(short):
    _, short = short
    assert short.columns.tolist() == ["first", "periods", "mode", "mass_near"]
    runs = [(SHORT.index[0], 0)]
    runs += [(SHORT.index[at], length) for length in (1, 2, 3) for at in range(37 - length)]
    assert list(zip(short["first"], short["periods"], strict=True)) == runs


@pytest.fixture
def known_ratio(monkeypatch):
    """One change of the errors' size for all: each series without a run would find its own."""
    monkeypatch.setattr(breaks, "_ratio_at", lambda *_: 1.3)


@pytest.mark.slow
@pytest.mark.usefixtures("known_ratio")
def test_dates_without_a_run_are_those_of_a_series_that_lacks_it():
    """By `break_posterior`, which is checked against dense algebra, one run after the other."""
    _, table = leave_out_dates(SHORT, REFORM, harmonics=0)
    ends = table.groupby("periods").nth([0, -1]).index  # and of those between every tenth
    chosen = table[table.index.isin(ends) | (table.index % 10 == 0)]
    for first, periods, mode, mass in chosen.itertuples(index=False):
        omit = tuple(pd.period_range(first, periods=periods, freq="M"))
        alone = break_posterior(SHORT, shift=replace(REFORM, omit=omit), harmonics=0)
        near = max(alone.mass_near(month) for month in REFORM.months)
        assert mass == pytest.approx(near, rel=1e-6)
        assert alone.mode == mode  # dates are one where the months between them are left out


@pytest.mark.slow
@pytest.mark.usefixtures("known_ratio")
def test_run_that_touches_a_month_left_out_already_is_not_asked_again():
    shift = replace(REFORM, omit="2001-01")
    _, table = leave_out_dates(SHORT, shift, harmonics=0)
    assert len(table) == 1 + 36 + 35 + 34 - (1 + 2 + 3)
    for first, periods, _, mass in table.iloc[[0, 5, 40]].itertuples(index=False):
        omit = (*shift.omit, *pd.period_range(first, periods=periods, freq="M"))
        alone = break_posterior(SHORT, shift=replace(shift, omit=omit), harmonics=0)
        near = max(alone.mass_near(month) for month in shift.months)
        assert mass == pytest.approx(near, rel=1e-6)


@pytest.mark.usefixtures("known_ratio")
def test_date_that_a_shift_beside_tells_without_a_run_has_no_probability_and_the_run_is_asked():
    """Four months after it, three of which are left out: one month tells two terms apart."""
    beside = PolicyShift("other", "2001-02")  # warnings are errors: none of a pivot that is zero
    shift = PolicyShift("reform", "2002-01", beside=beside)
    _, table = leave_out_dates(SHORT, shift, harmonics=0)
    assert len(table) == 1 + 36 + 35 + 34
    row = table[(table["first"] == "2001-03") & (table["periods"] == 3)].iloc[0]
    omit = tuple(pd.period_range("2001-03", periods=3, freq="M"))
    alone = break_posterior(SHORT, shift=replace(shift, omit=omit), harmonics=0)
    assert alone.probability["2001-06"] == 0.0
    assert alone.probability.drop("2001-06").gt(0).all()
    assert row["mode"] == alone.mode
    assert row["mass_near"] == pytest.approx(alone.mass_near("2002-01"), rel=1e-6)


@pytest.mark.slow
def test_date_that_rests_on_two_wild_months_is_lost_without_them():
    frame = monthly_values(0.3 * values(72, seed=4)["value"].to_numpy())
    frame.iloc[36:38] += 6
    shift = PolicyShift("x", "2003-01")
    _, table = leave_out_dates(frame, shift, harmonics=0)
    assert table["mass_near"].iloc[0] > 0.5
    least = table.iloc[table["mass_near"].to_numpy().argmin()]
    assert least["mass_near"] < 0.5
    run = str(least["first"]), least["periods"]
    assert run in {("2003-01", 2), ("2002-12", 3), ("2003-01", 3)}
    frame.iloc[38:] += 6  # a step that stays
    assert (leave_out_dates(frame, shift, harmonics=0)[1]["mass_near"] > 0.5).all()


@pytest.mark.slow
def test_calderons_date_does_not_survive_the_loss_of_two_months():
    """By dense algebra 97% lie within three months of it, and without the two 7%."""
    shift = SHIFTS["calderon-2006-12"]
    _, table = leave_out_dates(load_series("inegi"), replace(shift, omit=()))
    assert table["mass_near"].iloc[0] == pytest.approx(0.970, abs=5e-3)
    (two,) = table[(table["first"] == "2007-01") & (table["periods"] == 2)]["mass_near"]
    assert two == pytest.approx(0.07, abs=0.02)  # at the ratio that the two helped to find


def test_each_record_is_fitted_as_fit_its_does():
    long, short = counts(), counts().iloc[12:]
    table = vary_record({"long": long, "short": short}, SHIFT)
    assert table["change"].unique().tolist() == ["record"]
    for name, series in (("long", long), ("short", short)):
        expected = fit_its(series, SHIFT).effects.loc[["level", "slope"], NUMBERS]
        found = table[table["setting"] == name].set_index("estimand")[NUMBERS]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
