from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from support.declared import states_of
from support.stacked_panels import OPERATIONS, SEVEN, TWO, fit_dummies, make_panel, under

from analysis.operations import inversion, randomisation
from analysis.operations.event_study import average_effects, fit_event_study
from analysis.operations.inversion import (
    fit_bins,
    fit_reassigned,
    flipped_scores,
    reassign_histories,
    share_as_large,
)
from analysis.operations.randomisation import randomisation_test, score_bootstrap
from analysis.operations.stacks import first_operations, lay_out, stack_operations
from benchmarks.operations import World, rejection_table

WINDOW, WIDE = {"before": 6, "after": 6}, {"before": 9, "after": 6}


def layout_of(panel=None, window=WINDOW):
    return lay_out(make_panel() if panel is None else panel, TWO, **window)


def check_ends(statistics, low, high):
    """Nulls a little outside of either end are rejected, and those a little inside are not."""
    for end, outward in ((low, -0.02), (high, 0.02)):
        assert share_as_large(statistics(end + outward)) <= 0.05
        assert share_as_large(statistics(end - outward)) > 0.05


def test_share_counts_the_real_one_and_ties_on_either_side():
    assert share_as_large(np.array([2.0, -3, 1, 2, 0])) == 3 / 5
    assert share_as_large(np.array([-5.0, 1, 2, 3])) == 1 / 4
    assert share_as_large(np.array([0.0, 1, 2])) == 1


def test_reassignments_keep_dates_and_group_sizes_and_start_with_the_real_one():
    layout = layout_of()
    reassigned = reassign_histories(layout, 50, seed=3)
    assert reassigned.shape == (12, 51)
    np.testing.assert_array_equal(reassigned[:, 0], layout.history)
    same = np.sort(reassigned[:, [0]].repeat(51, 1), 0)
    np.testing.assert_array_equal(np.sort(reassigned, axis=0), same)
    assert len(np.unique(reassigned, axis=1).T) > 45
    np.testing.assert_array_equal(reassigned, reassign_histories(layout, 50, seed=3))
    assert (reassigned != reassign_histories(layout, 50, seed=4)).any()


def test_random_p_comes_near_that_of_all_reassignments():
    panel = make_panel(places=6, ratio=1.6)
    layout = layout_of(panel)
    every = np.array(sorted(set(permutations(layout.history)))).T
    real = np.flatnonzero((every == layout.history[:, None]).all(axis=0))
    every = np.hstack([every[:, real], np.delete(every, real, axis=1)])
    assert every.shape[1] == 60
    fits = fit_reassigned(layout, every)
    exact = share_as_large(fits.estimate / fits.se)
    found = randomisation_test(panel, TWO, **WINDOW, draws=1999, seed=1, interval=False)
    assert found.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 1999) + 5e-4)


def test_randomisation_test_reports_the_fits_of_its_reassignments():
    found = randomisation_test(make_panel(), TWO, **WINDOW, draws=40, seed=2, interval=False)
    layout = layout_of()
    fits = fit_reassigned(layout, reassign_histories(layout, 40, seed=2))
    assert np.log1p(found.estimate / 100) == pytest.approx(fits.estimate[0])
    np.testing.assert_allclose(found.placebo, 100 * np.expm1(fits.estimate[1:]))
    assert found.p == share_as_large(fits.estimate / fits.se)
    assert (found.low, found.high) == (-100, np.inf)
    assert found.row.index.tolist() == ["estimate", "low", "high", "p"]


def test_effect_taken_out_makes_the_real_deal_one_among_many():
    layout = layout_of(make_panel(ratio=3.0))
    reassigned = reassign_histories(layout, 199, seed=0)
    assert share_as_large(inversion.randomised_statistics(layout, reassigned, 0.0)) <= 0.02
    assert share_as_large(inversion.randomised_statistics(layout, reassigned, np.log(3))) > 0.05


def test_interval_ends_are_where_the_test_stops_rejecting():
    layout = layout_of(make_panel(ratio=1.5))
    found = randomisation_test(make_panel(ratio=1.5), TWO, **WINDOW, draws=99, seed=0)
    own = layout, reassign_histories(layout, 99, seed=0)
    low, high = np.log1p(found.low / 100), np.log1p(found.high / 100)
    check_ends(lambda null: inversion.randomised_statistics(*own, null), low, high)
    assert found.low < found.estimate < found.high


def test_score_bootstrap_p_is_that_of_all_signs():
    layout = layout_of(make_panel(places=7))
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
    signs = inversion.draw_signs(layout, 499, seed=5)
    flipped = signs * fit_reassigned(layout, layout.history[:, None], fixed=0.1).scores
    t = flipped.sum(axis=0) / flipped.std(axis=0, ddof=1)
    assert share_as_large(t) == share_as_large(flipped_scores(layout, signs, 0.1))


def test_score_bootstrap_holds_the_estimate_and_rejects_far_nulls():
    found = score_bootstrap(make_panel(ratio=1.5), TWO, **WINDOW, draws=999)
    layout = layout_of(make_panel(ratio=1.5))
    signs = inversion.draw_signs(layout, 999, seed=0)
    estimate, low, high = np.log1p(found[["estimate", "low", "high"]] / 100)
    assert share_as_large(flipped_scores(layout, signs, estimate)) == pytest.approx(1)
    check_ends(lambda null: flipped_scores(layout, signs, null), low, high)


def test_inverted_test_is_the_textbook_interval_where_there_is_one():
    grid = np.arange(1, 100) / 100  # |z| of 99 placebos: the critical one is the 95th
    ends = inversion.invert_test(lambda null: np.append((0.3 - null) / 0.2, grid), 0.3, 0.2)
    assert ends == pytest.approx((0.3 - 0.95 * 0.2, 0.3 + 0.95 * 0.2), abs=0.005)


def test_interval_that_no_null_closes_is_open():
    assert inversion.invert_test(lambda null: np.ones(5), 0.0, 0.1) == (-np.inf, np.inf)
    # With three reassignments p cannot fall to 5%.
    found = randomisation_test(make_panel(), TWO, **WINDOW, draws=3)
    assert (found.low, found.high) == (-100, np.inf)


def test_rows_of_the_panel_may_be_in_any_order():
    options = WINDOW | {"draws": 20, "interval": False}
    panels = make_panel(), make_panel().sample(frac=1, random_state=0)
    one, other = (randomisation_test(frame, TWO, **options) for frame in panels)
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
    states = states_of("inegi")
    months = states.index.get_level_values("month")
    before = states[months < pd.Period("2006-12")].groupby("state").sum()
    panel = states[(months >= pd.Period("2004-12")) & (months <= pd.Period("2009-01"))]
    mean = before.eval("deaths / person_years").reindex(panel.index, level="state")
    worlds = [World("nothing"), World("half", ratio=1.5)]
    panel = panel.assign(deaths=panel["person_years"] * mean)
    panel.attrs = {}  # pandas would copy what is known of the record at every step
    table = rejection_table(panel, first_operations(SEVEN), worlds, simulations=150)
    rejected = table.set_index(["method", "world"])["truth_rejected"]
    assert rejected["cluster_robust"].mean() > 5 + 2 * 1.8
    assert (rejected[["score_bootstrap", "randomisation"]] < 5 + 2 * 1.8).all()
    assert (rejected["net_of_the_rise"] < 5 + 2 * 1.8).all()
    found = table[(table["world"] == "half") & (table["method"] != "net_of_the_rise")]
    assert (found["zero_rejected"] > 80).all()
    assert abs(found["bias"].iloc[0]) < 4 * found["sd"].iloc[0] / np.sqrt(150)


def test_bins_stand_beside_their_own_reassignments():
    panel = make_panel(ratio=1.5)
    reassigned = randomisation.reassign_event_study(panel, TWO, **WIDE, draws=79, seed=1)
    layout = layout_of(panel, WIDE)
    logs = fit_bins(layout, reassign_histories(layout, 79, 1), np.repeat(np.arange(5), 3), 2)
    logs = np.delete(logs, 2, axis=0)
    assert reassigned.bins.index.tolist() == [-9, -6, 0, 3]
    np.testing.assert_allclose(reassigned.bins["estimate"], 100 * np.expm1(logs[:, 0]))
    ends = 100 * np.expm1(np.quantile(logs[:, 1:], [0.025, 0.975], axis=1))
    np.testing.assert_allclose(reassigned.bins[["low", "high"]], ends.T)
    assert reassigned.bins["p"].tolist() == [share_as_large(row) for row in logs]
    size = (np.abs(logs[:2]) / logs[:2].std(axis=1, ddof=1, keepdims=True)).max(axis=0)
    assert reassigned.lead_p == share_as_large(size)


@pytest.mark.slow
def test_bins_are_those_of_the_event_study():
    own = fit_event_study(stack_operations(make_panel(), TWO, **WIDE)).effects["estimate"].drop(-3)
    reassigned = randomisation.reassign_event_study(make_panel(), TWO, **WIDE, draws=5)
    np.testing.assert_allclose(reassigned.bins["estimate"], own, atol=1e-6)


def test_rising_leads_are_found_and_none_are_not():
    panel = make_panel(places=20)
    rising = panel.copy()
    slope = np.exp(0.15 * np.minimum(np.arange(36) - 12, 0))
    for place in ("A", "B", "F"):
        rising.loc[place, "deaths"] = np.round(panel.loc[place, "deaths"] * 3 * slope).to_numpy()
    assert randomisation.reassign_event_study(rising, TWO, **WIDE, draws=199).lead_p <= 0.05
    assert randomisation.reassign_event_study(panel, TWO, **WIDE, draws=199).lead_p > 0.05


def test_months_from_a_second_operation_on_are_left_out_of_the_score_bootstrap():
    panel = make_panel(ratio=1.5)
    stacked = stack_operations(panel, TWO, before=6, after=10)
    over = (stacked["place"] == "A") & (stacked["month"] >= OPERATIONS[2].month)
    assert over.sum() == 4
    cut = stacked[~over]
    reference, _ = fit_dummies(cut, under(cut).to_numpy())
    options = {"before": 6, "after": 10, "draws": 99}
    found = score_bootstrap(panel, TWO, second=OPERATIONS, **options)["estimate"]
    assert found == pytest.approx(100 * np.expm1(reference.params[0]))
    assert found != pytest.approx(score_bootstrap(panel, TWO, **options)["estimate"], abs=0.1)


@pytest.mark.slow
def test_each_operation_alone_and_all_others_without_it():
    panel = make_panel(ratio=1.5)
    found = randomisation.vary_operations(panel, OPERATIONS, **WINDOW, draws=20)
    stacked = stack_operations(panel, OPERATIONS, **WINDOW)
    assert found.index.tolist() == ["early", "late", "again"]
    assert found["places"].tolist() == [2, 1, 1]
    for slug, row in found.iterrows():
        own = stacked["operation"] == slug
        for name, rows in (("alone", stacked[own]), ("without", stacked[~own])):
            reference = average_effects(rows, horizons=[6]).loc[6, "estimate"]
            assert row[name] == pytest.approx(reference, rel=1e-6)


def test_p_of_one_operation_is_the_share_of_its_reassignments():
    panel, vary = make_panel(places=5), randomisation.vary_operations
    found = vary(panel, TWO[1:], **WINDOW, draws=2000, seed=4)
    layout = lay_out(panel, TWO[1:], **WINDOW)
    assert len(set(permutations(layout.history))) == 5 == len(layout.places)
    moved = [replace(TWO[1], places=(place,)) for place in layout.places]
    alone = [vary(panel, [operation], **WINDOW, draws=1)["alone"].iloc[0] for operation in moved]
    logs = np.abs(np.log1p(np.array(alone) / 100))
    exact = (logs >= logs[1] - 1e-12).mean()
    assert found["p"].iloc[0] == pytest.approx(exact, abs=0.05)
    ends = found.iloc[0][["reassigned_low", "reassigned_high"]]
    assert tuple(ends) == pytest.approx((min(alone), max(alone)), rel=1e-6)
    assert np.isnan(found["without"].iloc[0])


def test_bins_that_do_not_come_out_even_are_named():
    with pytest.raises(ValueError, match=r"8 months before and 6 .* whole bins of 3"):
        randomisation.reassign_event_study(make_panel(), TWO, before=8, after=6)


def test_places_that_move_alike_leave_no_error_to_test_with():
    panel = make_panel().assign(deaths=7, person_years=1e6)
    with pytest.raises(ValueError, match="the deaths of all places move alike"):
        randomisation_test(panel, TWO, **WINDOW, draws=20)
    with pytest.raises(ValueError, match="the deaths of all places move alike"):
        score_bootstrap(panel, TWO, **WINDOW, draws=20)
