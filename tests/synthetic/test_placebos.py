import numpy as np
import pandas as pd
import pytest
from support.synthetic_panels import PACKS, control, panel, unrelated

from analysis import fit_synthetic, placebo_countries
from analysis.synthetic import placebos
from analysis.synthetic.control import augmented_gap, leave_one_out
from analysis.synthetic.placebos import PlaceboCountries, conformal_intervals, conformal_p


def scaled(gap, first_year=2003):
    """A fit with error 1 before the change and the given gaps after it."""
    return control([1, -1, 1, *gap], [0] * (3 + len(gap)), first_year)


def test_california_ranks_third_by_sales_alone():
    # First, p = 1/39, in the paper; there the predictors keep a placebo from fitting noise as
    # closely as those of Missouri and Virginia do here. As there, California is a donor of theirs.
    found = placebo_countries(PACKS, "California", first_year=1989)
    ratios = found.table["ratio"]
    assert ratios.index[ratios > ratios["California"]].tolist() == ["Missouri", "Virginia"]
    assert (found.p, found.smallest_p) == pytest.approx((3 / 39, 1 / 39))
    assert found.intervals().loc["average", "high"] < 0


def test_placebo_is_a_fit_from_all_the_other_units():
    rates = panel()
    found = placebo_countries(rates, "own", first_year=2004)
    assert list(found.placebo) == list(found.pairs) == rates.columns.drop("own").tolist()
    assert found.table.index.tolist() == rates.columns.tolist()
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
    for seed in range(3):
        rates = panel(years=22, donors=9, seed=seed)
        p = [placebo_countries(rates, unit, first_year=2006).p for unit in rates]
        np.testing.assert_allclose(np.sort(p), np.arange(1, 11) / 10)


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
    placebo = {str(i): scaled([i, -i]) for i in range(1, 10)}
    real = control([2, -2, 2, 16, 6], [0] * 5, 2003)  # error 2: gaps of 8 and 3 errors
    found = unrelated(real, placebo)
    ratio = np.sqrt((8**2 + 3**2) / 2)  # 6.04: three of the nine have at least 6.04, at 7, 8, 9
    assert found.table.loc["own", "ratio"] == pytest.approx(ratio)
    assert (found.p, found.smallest_p) == pytest.approx((4 / 10, 1 / 10))
    table = found.intervals(0.9)
    assert table.index.tolist() == [2003, 2004, "average"]
    assert table.loc[2003].tolist() == [16, 16 - 2 * 9, 16 + 2 * 9, 3 / 10]
    assert table.loc[2004].tolist() == [6, 6 - 2 * 9, 6 + 2 * 9, 8 / 10]
    assert table.loc["average"].tolist() == [11, 11, 11, 1 / 10]  # the placebos' averages are 0
    assert found.intervals(0.8).loc[2003, "low"] == 16 - 2 * 8
    assert found.intervals(0.95).loc[2003, ["low", "high"]].tolist() == [-np.inf, np.inf]


def test_ends_come_from_pairs_that_disagree_worked_by_hand():
    # Gaps of 4 and 10 with errors 1 and 2, against donors 3 and 1 errors off: 1 to 7, 8 to 12.
    pairs = {
        "a": (scaled([4, 4]), scaled([3, -3])),
        "b": (control([2, -2, 2, 10, 10], [0] * 5, 2003), scaled([1, 1])),
    }
    found = PlaceboCountries(scaled([5, 5]), {}, pairs)
    assert found.intervals(0.6).loc[2003].tolist() == [5, 1, 12, 1 / 3]
    assert found.intervals(0.7).loc[2003, ["low", "high"]].tolist() == [-np.inf, np.inf]


def test_interval_holds_zero_where_p_is_above_one_minus_its_level():
    outside = 0
    for seed in range(5):
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


def test_two_donors_are_too_few():
    with pytest.raises(ValueError, match="placebos need at least three donors; found 2"):
        placebo_countries(panel(donors=2), "own", first_year=2004)


TAKE_A_PANEL = [leave_one_out, augmented_gap, placebo_countries, conformal_p, conformal_intervals]


@pytest.mark.parametrize("function", TAKE_A_PANEL)
def test_callers_panel_is_left_alone(function):
    rates = panel()
    function(rates, "own", first_year=2004)
    pd.testing.assert_frame_equal(rates, panel())


@pytest.mark.slow
def test_rank_is_exact_and_intervals_hold_the_truth_among_like_units():
    # 400 panels of 14 units, 16 years before and 6 after: a Monte Carlo error of 1.3 points.
    # Without an effect: another one moves the interval by itself, as tested above.
    runs, first, held = 400, 0, np.zeros(2)
    for seed in range(runs):
        found = placebo_countries(panel(years=22, donors=13, seed=seed), "own", first_year=2006)
        ends = found.intervals().loc[[2011, "average"]]
        first += found.p < 1.5 / 14
        held += ((ends["low"] <= 0) & (ends["high"] >= 0)).to_numpy()
    print(f"first {first / runs:.3f}; last year and average held {held / runs}")
    assert first / runs == pytest.approx(1 / 14, abs=0.039)
    assert (held / runs > 0.9).all()


def p_without(rates, effect, first_year):
    """P-values if this effect is taken away from every year: each is tested by itself."""
    changed = rates.copy()
    changed.loc[first_year:, "own"] -= effect
    return conformal_p(changed, "own", first_year=first_year)


def test_conformal_interval_is_where_its_p_value_turns():
    rates, alpha = panel(years=19, seed=3), 0.1
    table = conformal_intervals(rates, "own", first_year=2004)
    for year, row in table.iloc[[0, 3]].iterrows():
        for end, outward in ((row["low"], -1), (row["high"], 1)):
            inside, outside = (
                p_without(rates, end, 2004),
                p_without(rates, end + 0.05 * outward, 2004),
            )
            assert inside.loc[year] > alpha >= outside.loc[year]


def test_conformal_p_counts_the_year_among_those_before():
    rates = panel(years=16, seed=4)
    rates.loc[2005, "own"] += 1000
    assert conformal_p(rates, "own", first_year=2005).tolist() == [1 / 16]
    # With the weights fitted to all 16 years, gaps of 2 donors: worked out by hand.
    columns = {"own": [1.0, 3, 1, 3, 1, 4], "a": 0.0, "b": 4.0}
    hand = pd.DataFrame(columns, index=range(2000, 2006))
    # The mean of own is 13 / 6: gaps -7/6, 5/6, -7/6, 5/6, -7/6, 11/6. Without an effect of 2 it
    # is 11 / 6: gaps -5/6, 7/6, -5/6, 7/6, -5/6, 1/6.
    assert conformal_p(hand, "own", first_year=2005).tolist() == [1 / 6]
    assert p_without(hand, 2.0, 2005).tolist() == [1]


def test_too_few_years_before_leave_the_conformal_interval_open():
    table = conformal_intervals(panel(years=10), "own", first_year=1998)
    assert table.index.tolist() == [1998, 1999]
    assert (table[["low", "high"]] == [-np.inf, np.inf]).all(axis=None)


def test_coverage_counts_the_donors_years():
    rates = panel(seed=5)
    donors = rates.drop(columns="own")
    p = [conformal_p(donors, unit, first_year=2004) for unit in donors]
    share = np.mean([value > 0.1 for series in p for value in series])
    assert placebos.conformal_coverage(rates, "own", first_year=2004) == pytest.approx(share)
    assert 0 < share < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("memory", "conformal", "placebo"),
    # 250 panels of 13 units, 16 years before and 6 after: a Monte Carlo error of 1.9 points at 90%
    # and 2.7 at 76%. Seen, the last year: conformal 94% and 76%, placebo 93% and 95%; among 13
    # units a placebo interval promises 12 / 13, 92%.
    [(0.0, (0.88, 1), (0.87, 1)), (0.95, (0.6, 0.88), (0.87, 1))],
)
def test_conformal_intervals_fall_short_where_gaps_wander_and_placebos_do_not(
    memory, conformal, placebo
):
    runs, held = 250, np.zeros((2, 2))
    for seed in range(runs):
        rates = panel(years=22, donors=12, seed=seed, memory=memory)
        first = int(rates.index[16])
        p = conformal_p(rates, "own", first_year=first)
        table = placebo_countries(rates, "own", first_year=first).intervals()
        held[0] += [p.iloc[0] > 0.1, p.iloc[-1] > 0.1]
        held[1] += [table["p"].iloc[-2] > 0.1, table.loc["average", "p"] > 0.1]
    held /= runs
    print(f"memory {memory}: conformal first, last {held[0]}; placebo last, average {held[1]}")
    assert conformal[0] <= held[0, 1] <= conformal[1]
    assert (placebo[0] <= held[1]).all()
    assert (held[1] <= placebo[1]).all()
