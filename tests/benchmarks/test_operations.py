import numpy as np
import pandas as pd
import pytest
from support.stacked_panels import TWO, make_big_panel, make_panel

from analysis import PolicyShift
from benchmarks import operations
from benchmarks.operations import World, simulate_panel

STILL = World("still", sigma=0, national=0, dispersion=1e-12)


@pytest.mark.slow
def test_table_has_a_row_for_each_world_and_method_and_comes_again():
    worlds = [STILL, World("half", ratio=1.5)]
    panel, options = make_big_panel(start="2000-01", months=60), {"after": 6, "simulations": 3}
    one, other = (operations.rejection_table(panel, TWO, worlds, **options) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert one["method"].tolist() == [*operations.METHODS] * 2
    assert one["world"].tolist() == ["still"] * 4 + ["half"] * 4
    assert (one["months"] == 6).all()
    assert one["truth_rejected"].between(0, 100).all()
    still = one[one["world"] == "still"]
    assert (still["truth_rejected"] == still["zero_rejected"]).all()
    assert (one["simulations"] == 3).all()
    share = one["truth_rejected"] / 100
    np.testing.assert_allclose(one["mc_error"], 100 * np.sqrt(share * (1 - share) / 3))


@pytest.mark.slow
def test_placebo_laws_count_the_reassignments_of_every_round():
    panel = make_panel(start="1998-01", months=84)
    table = operations.placebo_law_table(panel, TWO, [-24, -18], after=6, draws=30)
    assert table["method"].tolist() == ["cluster_robust", "score_bootstrap"]
    assert (table["simulations"] == 60).all()
    assert table["truth_rejected"].between(0, 40).all()
    leads = operations.lead_test_table(panel, TWO, [-24], draws=3)
    assert leads["simulations"].tolist() == [3]
    assert leads["truth_rejected"].isin([0, 100 / 3, 200 / 3, 100]).all()


def test_world_without_errors_is_the_mean_rate_times_the_effect():
    panel = make_big_panel()
    simulated = simulate_panel(panel, TWO, World("x", 1.5, sigma=0, national=0, dispersion=1e-9), 1)
    expected = panel["deaths"].copy()
    months = panel.index.get_level_values(1)
    for operation in TWO:
        here = panel.index.get_level_values(0).isin(operation.places)
        expected[here & (months >= operation.month)] *= 1.5
    z = (simulated["deaths"] - expected) / np.sqrt(expected)
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert z.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(z)))
    pd.testing.assert_series_equal(simulated["person_years"], panel["person_years"])


def test_errors_have_the_memory_and_the_sharing_that_were_asked_for():
    panel = make_big_panel(places=20, months=400)
    world = World("x", rho=0.7, sigma=0.3, uneven=0, regional=0.5, national=0, dispersion=1e-9)
    simulated = simulate_panel(panel, [], world, 3)
    logs = np.log((simulated["deaths"] / simulated["person_years"]).unstack().to_numpy())
    logs -= logs.mean(axis=1, keepdims=True)
    assert logs.std() == pytest.approx(0.3, abs=0.02)
    lag = (logs[:, 1:] * logs[:, :-1]).mean() / (logs**2).mean()
    assert lag == pytest.approx(0.7, abs=0.03)
    correlation = np.corrcoef(logs)
    same = correlation[0, 4::4].mean(), correlation[1, 5::4].mean()
    assert np.mean(same) == pytest.approx(0.5, abs=0.12)
    assert abs(correlation[0, 1]) < 0.25


@pytest.mark.slow
def test_mean_ratio_is_the_one_asked_for_when_places_differ():
    panel = make_big_panel(places=20)
    operation = PolicyShift("x", "2003-01", places=list("ABCDEFGHIJKLMNOP"))
    world = World("x", 1.5, sigma=0, national=0, dispersion=1e-9, spread=0.6)
    ratios, means = [], panel["deaths"].unstack()
    for seed in range(40):
        risen = simulate_panel(panel, [operation], world, seed)["deaths"].unstack() / means
        risen = risen.iloc[:16]
        ratios.append((risen.iloc[:, 12:].mean(axis=1) / risen.iloc[:, :12].mean(axis=1)).mean())
    error = 1.5 * np.sqrt(np.expm1(0.6**2)) / np.sqrt(16 * 40)
    assert np.mean(ratios) == pytest.approx(1.5, abs=4 * error)
