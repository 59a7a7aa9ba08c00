import numpy as np
import pandas as pd
import pytest
from support.sweeps import sweep
from support.synthetic_panels import PACKS, control, panel, scaled, unrelated

from analysis import fit_synthetic, placebo_countries
from analysis.synthetic.control import fit_augmented
from analysis.synthetic.study import PlaceboCountries


@pytest.mark.slow
def test_california_stands_out_by_sales_alone():
    found = placebo_countries(PACKS, "California", first_year=1989)
    sizes = {"California": found.real} | found.placebo
    sizes = pd.Series({unit: abs(x.changes().mean()) / x.rmspe for unit, x in sizes.items()})
    assert found.rank == sizes.rank(ascending=False)["California"] == 4
    assert found.intervals().loc["average", "high"] < 0


def test_placebo_is_a_fit_from_all_the_other_units():
    rates = panel()
    found = placebo_countries(rates, "own", first_year=2004)
    assert list(found.placebo) == list(found.pairs) == rates.columns.drop("own").tolist()
    for unit, fit in found.placebo.items():
        assert fit.weights.index.tolist() == rates.columns.drop(unit).tolist()
        gap = fit_synthetic(rates, unit, first_year=2004).gap
        pd.testing.assert_series_equal(fit.gap, gap, check_exact=True)


def test_pair_is_fitted_from_the_units_that_are_neither():
    rates = panel()
    found = placebo_countries(rates, "own", first_year=2004)
    assert any(fit.weights["own"] > 0.1 for fit in found.placebo.values())
    for unit, (own, other) in found.pairs.items():
        own_alone = fit_synthetic(rates.drop(columns=unit), "own", first_year=2004)
        alone = fit_synthetic(rates.drop(columns="own"), unit, first_year=2004)
        np.testing.assert_allclose(own.gap, own_alone.gap, atol=1e-9)
        np.testing.assert_allclose(other.gap, alone.gap, atol=1e-9)


def test_every_unit_of_a_panel_has_a_rank_of_its_own():
    # So a unit drawn from among them has each rank equally often: the rank is exact.
    rates = panel(years=22, donors=4, seed=0)
    ranks = [placebo_countries(rates, unit, first_year=2006).rank for unit in rates]
    assert sorted(ranks) == list(range(1, 6))


@pytest.mark.slow
def test_few_units_of_a_panel_stand_out_in_their_pairs():
    # Fewer than m are at least as far off as the unit: true of at most 2m - 1 units.
    for seed in range(3):
        rates = panel(years=22, donors=9, seed=seed)
        found = {unit: placebo_countries(rates, unit, first_year=2006) for unit in rates}
        p = pd.DataFrame({unit: each.intervals()["p"] for unit, each in found.items()})
        for m in (1, 2, 3):
            assert ((p < (m + 0.5) / 10).sum(axis=1) <= 2 * m - 1).all()


def test_effect_moves_the_interval_by_itself():
    rates = panel(donors=9, seed=1)
    changed = rates.copy()
    changed.loc[2004:, "own"] += [5, 6, 7, 8, 9, 10]
    one, other = (placebo_countries(x, "own", first_year=2004) for x in (rates, changed))
    moved = other.intervals()[["estimate", "low", "high"]] - one.intervals()
    for name in ("estimate", "low", "high"):
        np.testing.assert_allclose(moved[name], [5, 6, 7, 8, 9, 10, 7.5], atol=1e-9)


def test_rank_and_intervals_are_those_worked_by_hand():
    placebo = {str(i): scaled([i, -i]) for i in range(1, 9)} | {"9": scaled([9, 9])}
    real = control(
        [2, -2, -2, 14, 4], [0] * 5, 2003
    )  # error 2: changes of 16 and 6, 8 and 3 errors
    found = unrelated(real, placebo)
    assert found.rank == 2  # 5.5 errors on average: only the ninth has more
    assert unrelated(scaled([1, -1]), placebo).rank == 10
    table = found.intervals(0.9)
    assert table.index.tolist() == [2003, 2004, "average"]
    assert table.loc[2003].tolist() == [16, 16 - 2 * 9, 16 + 2 * 9, 3 / 10]
    assert table.loc[2004].tolist() == [6, 6 - 2 * 9, 6 + 2 * 9, 8 / 10]
    assert table.loc["average"].tolist() == [11, 11 - 2 * 9, 11 + 2 * 9, 2 / 10]
    assert found.intervals(0.8).loc[2003, "low"] == 16 - 2 * 8
    assert found.intervals(0.95).loc[2003, ["low", "high"]].tolist() == [-np.inf, np.inf]


def test_ends_come_from_pairs_that_disagree_worked_by_hand():
    # Changes of 4 and 10 with errors 1 and 2, against donors 3 and 1 errors off: 1 to 7, 8 to 12.
    pairs = {
        "a": (scaled([4, 4]), scaled([3, -3])),
        "b": (control([2, -2, 2, 12, 12], [0] * 5, 2003), scaled([1, 1])),
    }
    found = PlaceboCountries(scaled([5, 5]), {}, pairs)
    assert found.intervals(0.6).loc[2003].tolist() == [5, 1, 12, 1 / 3]
    assert found.intervals(0.7).loc[2003, ["low", "high"]].tolist() == [-np.inf, np.inf]


def test_interval_holds_zero_where_p_is_above_one_minus_its_level():
    outside = 0
    for seed in range(2):
        rates = panel(donors=11, seed=seed)
        rates.loc[2004:, "own"] += 5
        table = placebo_countries(rates, "own", first_year=2004).intervals(0.8)
        inside = (table["low"] <= 0) & (table["high"] >= 0)
        assert inside[table["p"] > 0.2].all()
        outside += (~inside).sum()
    assert outside > 0


def test_placebo_without_error_makes_the_interval_infinite():
    flawless = control([1, 2, 3, 9, 9], [1, 2, 3, 4, 4], 2003)
    found = unrelated(scaled([3, 4]), {str(i): flawless for i in range(9)})
    assert np.isinf(found.intervals().loc["average", ["low", "high"]]).all()
    assert found.intervals().loc["average", "estimate"] == 3.5
    assert found.rank == 10


def test_ends_are_cut_where_the_synthetic_rate_would_be_below_zero():
    fit = control([9, 11, 9, 12, 14], [10, 10, 10, 10, 10], 2003)  # the gap before: -1
    donors = {str(number): scaled([30, 30]) for number in range(10)}
    table = unrelated(fit, donors).intervals()
    assert table["high"].tolist() == [12 + 1, 14 + 1, 13 + 1]  # less the gap before
    assert (table["low"] < -10).all()
    below = control([-9, 11, 9, 12, 14], [10, 10, 10, 10, 10], 2003)  # no rates: may be below zero
    assert (unrelated(below, donors).intervals()["high"] > 15).all()


def test_two_donors_are_too_few():
    with pytest.raises(ValueError, match="placebos need at least three donors; found 2"):
        placebo_countries(panel(donors=2), "own", first_year=2004)


TAKE_A_PANEL = [fit_synthetic, fit_augmented, placebo_countries]


@pytest.mark.parametrize("function", sweep(TAKE_A_PANEL, 0))
def test_callers_panel_is_left_alone(function):
    rates = panel(donors=4)
    function(rates, "own", first_year=2004)
    pd.testing.assert_frame_equal(rates, panel(donors=4))


@pytest.mark.slow
@pytest.mark.parametrize("memory", [0.5, 0.95])
def test_rank_is_exact_and_intervals_hold_the_truth_among_like_units(memory):
    # 400 panels of 14 units, 16 years before and 6 after: a Monte Carlo error of 1.3 points.
    # Without an effect: another one moves the interval by itself, as tested above.
    runs, first, held = 400, 0, np.zeros(2)
    for seed in range(runs):
        rates = panel(years=22, donors=13, seed=seed, memory=memory)
        found = placebo_countries(rates, "own", first_year=2006)
        ends = found.intervals().loc[[2011, "average"]]
        first += found.rank == 1
        held += ((ends["low"] <= 0) & (ends["high"] >= 0)).to_numpy()
    print(f"first {first / runs:.3f}; last year and average held {held / runs}")
    assert first / runs == pytest.approx(1 / 14, abs=0.039)
    assert (held / runs > 0.9).all()
