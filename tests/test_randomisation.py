from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from stacked_worlds import OPERATIONS, make_panel

from analysis import load_policy_shifts, load_states
from analysis.operation_calibration import rejection_table
from analysis.operation_worlds import World
from analysis.randomisation import (
    deal_histories,
    draw_signs,
    flipped_scores,
    invert_test,
    randomisation_test,
    randomised_statistics,
    score_bootstrap,
    share_as_large,
)
from analysis.stacked_poisson import fit_reassigned
from analysis.stacks import first_operations, lay_out

WINDOW = {"before": 6, "after": 6}
TWO = OPERATIONS[:2]


def layout_of(panel=None, **options):
    return lay_out(make_panel() if panel is None else panel, TWO, **WINDOW | options)


def test_share_counts_the_real_one_and_ties_on_either_side():
    assert share_as_large(np.array([2.0, -3, 1, 2, 0])) == 3 / 5
    assert share_as_large(np.array([-5.0, 1, 2, 3])) == 1 / 4
    assert share_as_large(np.array([0.0, 1, 2])) == 1


def test_deals_keep_dates_and_group_sizes_and_start_with_the_real_one():
    layout = layout_of()
    dealt = deal_histories(layout, 50, seed=3)
    assert dealt.shape == (12, 51)
    np.testing.assert_array_equal(dealt[:, 0], layout.history)
    np.testing.assert_array_equal(np.sort(dealt, axis=0), np.sort(dealt[:, [0]].repeat(51, 1), 0))
    assert len(np.unique(dealt, axis=1).T) > 45
    np.testing.assert_array_equal(dealt, deal_histories(layout, 50, seed=3))
    assert (dealt != deal_histories(layout, 50, seed=4)).any()


def test_random_p_comes_near_that_of_all_deals():
    panel = make_panel(places=6, ratio=1.6)
    layout = lay_out(panel, TWO, **WINDOW)
    every = np.array(sorted(set(permutations(layout.history)))).T
    real = np.flatnonzero((every == layout.history[:, None]).all(axis=0))
    every = np.hstack([every[:, real], np.delete(every, real, axis=1)])
    assert every.shape[1] == 60
    fits = fit_reassigned(layout, every)
    exact = share_as_large(fits.estimate / fits.se)
    found = randomisation_test(panel, TWO, **WINDOW, draws=1999, seed=1, interval=False)
    assert found.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 1999) + 5e-4)


def test_randomisation_test_reports_the_fits_of_its_deals():
    found = randomisation_test(make_panel(), TWO, **WINDOW, draws=40, seed=2, interval=False)
    layout = layout_of()
    fits = fit_reassigned(layout, deal_histories(layout, 40, seed=2))
    assert np.log1p(found.estimate / 100) == pytest.approx(fits.estimate[0])
    np.testing.assert_allclose(found.placebo, 100 * np.expm1(fits.estimate[1:]))
    assert found.statistic == pytest.approx(fits.estimate[0] / fits.se[0])
    assert found.p == share_as_large(np.append(found.statistic, found.placebo_statistic))
    assert (found.low, found.high) == (-100, np.inf)
    assert found.row.index.tolist() == ["estimate", "low", "high", "p"]


def test_effect_taken_out_makes_the_real_deal_one_among_many():
    layout = layout_of(make_panel(ratio=3.0))
    dealt = deal_histories(layout, 199, seed=0)
    assert share_as_large(randomised_statistics(layout, dealt, 0.0)) <= 0.02
    assert share_as_large(randomised_statistics(layout, dealt, np.log(3))) > 0.05


def test_interval_ends_are_where_the_test_stops_rejecting():
    layout = layout_of(make_panel(ratio=1.5))
    found = randomisation_test(make_panel(ratio=1.5), TWO, **WINDOW, draws=99, seed=0)
    dealt = deal_histories(layout, 99, seed=0)
    for end, outward in ((found.low, -0.02), (found.high, 0.02)):
        null = np.log1p(end / 100)
        assert share_as_large(randomised_statistics(layout, dealt, null + outward)) <= 0.05
        assert share_as_large(randomised_statistics(layout, dealt, null - outward)) > 0.05
    assert found.low < found.estimate < found.high


def test_score_bootstrap_p_is_that_of_all_signs():
    layout = lay_out(make_panel(places=7), TWO, **WINDOW)
    every = np.array(sorted(product([1.0, -1.0], repeat=7), reverse=True)).T
    sums = flipped_scores(layout, every, 0.0)
    scores = fit_reassigned(layout, layout.history[:, None], fixed=0.0).scores[:, 0]
    np.testing.assert_allclose(sums, scores @ every)
    assert sums[0] == pytest.approx(scores.sum())
    exact = share_as_large(sums)
    found = score_bootstrap(make_panel(places=7), TWO, **WINDOW, draws=9999)["p"]
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999) + 2e-4)


def test_studentised_signs_give_the_same_p():
    layout = layout_of()
    signs = draw_signs(layout, 499, seed=5)
    scores = fit_reassigned(layout, layout.history[:, None], fixed=0.1).scores
    flipped = signs * scores
    t = flipped.sum(axis=0) / flipped.std(axis=0, ddof=1)
    assert share_as_large(t) == share_as_large(flipped_scores(layout, signs, 0.1))


def test_score_bootstrap_holds_the_estimate_and_rejects_far_nulls():
    found = score_bootstrap(make_panel(ratio=1.5), TWO, **WINDOW, draws=999)
    layout = layout_of(make_panel(ratio=1.5))
    signs = draw_signs(layout, 999, seed=0)
    estimate, low, high = np.log1p(found[["estimate", "low", "high"]] / 100)
    assert share_as_large(flipped_scores(layout, signs, estimate)) == pytest.approx(1)
    assert share_as_large(flipped_scores(layout, signs, low - 0.02)) <= 0.05
    assert share_as_large(flipped_scores(layout, signs, low + 0.02)) > 0.05
    assert share_as_large(flipped_scores(layout, signs, high + 0.02)) <= 0.05
    assert share_as_large(flipped_scores(layout, signs, high - 0.02)) > 0.05


def test_inverted_test_is_the_textbook_interval_where_there_is_one():
    grid = np.arange(1, 100) / 100  # |z| of 99 placebos: the critical one is the 95th

    def statistics(null):
        return np.append((0.3 - null) / 0.2, grid)

    low, high = invert_test(statistics, 0.3, 0.2)
    assert (low, high) == pytest.approx((0.3 - 0.95 * 0.2, 0.3 + 0.95 * 0.2), abs=0.005)


def test_interval_that_no_null_closes_is_open():
    assert invert_test(lambda null: np.ones(5), 0.0, 0.1) == (-np.inf, np.inf)
    # With three deals p cannot fall to 5%.
    found = randomisation_test(make_panel(), TWO, **WINDOW, draws=3)
    assert (found.low, found.high) == (-100, np.inf)


def test_rows_of_the_panel_may_be_in_any_order():
    panel = make_panel()
    one, other = (
        randomisation_test(frame, TWO, **WINDOW, draws=20, interval=False)
        for frame in (panel, panel.sample(frac=1, random_state=0))
    )
    np.testing.assert_allclose(one.placebo, other.placebo)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"draws": 0}, "draws must be a whole number"), ({"seed": -1}, "seed must be a whole")],
)
@pytest.mark.parametrize("test", [randomisation_test, score_bootstrap])
def test_bad_draws_are_named(test, options, message):
    with pytest.raises(ValueError, match=message):
        test(make_panel(), TWO, **WINDOW, **options)


@pytest.mark.slow
def test_score_bootstrap_and_randomisation_keep_their_level_and_clustered_errors_do_not():
    # The recorded simulation of benchmarks/operations.py with fewer panels: 150 of each world, so
    # that the Monte Carlo error of 5% is 1.8 points, and that of an effect of 0.1 is 0.01.
    shifts = load_policy_shifts().values()
    operations = first_operations([shift for shift in shifts if shift.places != ("MX00",)])
    states = load_states("inegi")
    months = states.index.get_level_values("month")
    before = states[months < pd.Period("2006-12")].groupby("state").sum()
    panel = states[(months >= pd.Period("2004-12")) & (months <= pd.Period("2009-01"))]
    mean = before.eval("deaths / person_years").reindex(panel.index, level="state")
    worlds = [World("nothing"), World("half", ratio=1.5)]
    table = rejection_table(
        panel.assign(deaths=panel["person_years"] * mean), operations, worlds, simulations=150
    )
    rejected = table.set_index(["method", "world"])["truth_rejected"]
    assert rejected["cluster_robust"].mean() > 5 + 2 * 1.8
    assert (rejected["score_bootstrap"] < 5 + 2 * 1.8).all()
    assert (rejected["randomisation"] < 5 + 2 * 1.8).all()
    found = table[table["world"] == "half"]
    assert (found["zero_rejected"] > 80).all()
    assert abs(found["bias"].iloc[0]) < 4 * found["sd"].iloc[0] / np.sqrt(150)
