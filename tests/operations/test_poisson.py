from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.stacked_panels import OPERATIONS, TWO, fit_dummies, make_panel, under
from support.sweeps import sweep

from analysis.operations.inversion import fit_bins, fit_reassigned, reassign_histories
from analysis.operations.stacks import lay_out, stack_operations

WINDOW = {"before": 6, "after": 6}
BINS = np.repeat(np.arange(4), 3)
both_controls = pytest.mark.parametrize("controls", ["never", "not_yet"])


def fit_real(layout, **options):
    return fit_reassigned(layout, layout.history[:, None], **options)


def test_one_stack_without_exposure_is_the_ratio_of_ratios():
    layout = lay_out(make_panel().assign(person_years=1e6), OPERATIONS[:1], **WINDOW)
    deaths = layout.experiments[0].deaths
    treated = layout.places.isin(["A", "F"])
    groups = deaths[treated], deaths[~treated]
    (a, b), (c, d) = ((part[:, :6].sum(), part[:, 6:].sum()) for part in groups)
    assert fit_real(layout).estimate[0] == pytest.approx(np.log(b / a * c / d), abs=1e-10)


@both_controls
@pytest.mark.parametrize("operations", sweep([TWO, OPERATIONS], 1))
def test_estimate_and_clustered_error_are_those_of_dummies(operations, controls):
    options = WINDOW | {"controls": controls}
    layout = lay_out(make_panel(), operations, **options)
    stacked = stack_operations(make_panel(), operations, **options)
    reference, (n, k) = fit_dummies(stacked, under(stacked).to_numpy())
    found = fit_real(layout)
    assert found.estimate[0] == pytest.approx(reference.params[0], abs=1e-8)
    # statsmodels multiplies by (n - 1) / (n - k) with every dummy in k.
    own = found.se[0] * np.sqrt((n - 1) / (n - k))
    assert own == pytest.approx(reference.bse[0], rel=1e-7)


@both_controls
def test_bins_are_those_of_dummies(controls):
    options = WINDOW | {"controls": controls}
    layout = lay_out(make_panel(), TWO, **options)
    stacked = stack_operations(make_panel(), TWO, **options)
    own = stacked["event_time"].to_numpy() // 3 + 2
    terms = (own[:, None] == [0, 2, 3]) & stacked["treated"].to_numpy()[:, None]
    reference, _ = fit_dummies(stacked, terms.astype(float))
    found = fit_bins(layout, layout.history[:, None], BINS, reference=1)[:, 0]
    np.testing.assert_allclose(found[[0, 2, 3]], reference.params[:3], atol=1e-8)
    assert found[1] == 0


@both_controls
def test_known_effect_without_noise_comes_back(controls):
    layout = lay_out(make_panel(ratio=1.5, noise=False), TWO, **WINDOW, controls=controls)
    assert fit_real(layout).estimate[0] == pytest.approx(np.log(1.5), abs=1e-9)
    nothing_left = fit_real(layout, effect=np.log(1.5))
    assert nothing_left.estimate[0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(nothing_left.scores, 0, atol=1e-6)


def test_each_deal_is_a_fit_of_the_operations_in_those_places():
    panel = make_panel(places=9)
    layout = lay_out(panel, TWO, **WINDOW)
    reassigned = reassign_histories(layout, 150, seed=1)  # more than one part of `TOGETHER`
    found, ratios = fit_reassigned(layout, reassigned), fit_bins(layout, reassigned, BINS, 1)
    early, late = (layout.history[layout.places.get_loc(name)] for name in "AB")
    for draw in (0, 1, 77, 150):
        places = [tuple(layout.places[reassigned[:, draw] == kind]) for kind in (early, late)]
        moved = [replace(o, places=p) for o, p in zip(OPERATIONS, places, strict=False)]
        alone = lay_out(panel, moved, **WINDOW)
        single = fit_real(alone)
        assert found.estimate[draw] == pytest.approx(single.estimate[0], abs=1e-9)
        assert found.se[draw] == pytest.approx(single.se[0], abs=1e-8)
        single = fit_bins(alone, alone.history[:, None], BINS, 1)[:, 0]
        np.testing.assert_allclose(ratios[:, draw], single, atol=1e-9)


def test_scores_at_the_estimate_add_up_to_zero_and_elsewhere_do_not():
    layout = lay_out(make_panel(), TWO, **WINDOW)
    found = fit_real(layout)
    held = fit_real(layout, fixed=found.estimate[0])
    np.testing.assert_allclose(held.scores, found.scores, atol=1e-6)
    assert found.scores.sum() == pytest.approx(0, abs=1e-6)
    assert fit_real(layout, fixed=found.estimate[0] - 0.1).scores.sum() > 1


def test_scale_of_exposure_and_of_any_place_or_month_changes_nothing():
    panel = make_panel()
    changed = panel.assign(person_years=panel["person_years"] * 7)
    changed.loc["C", "person_years"] = (panel.loc["C", "person_years"] * 3).to_numpy()
    one, other = (fit_real(lay_out(frame, OPERATIONS, **WINDOW)) for frame in (panel, changed))
    np.testing.assert_allclose(one.estimate, other.estimate, atol=1e-9)
    np.testing.assert_allclose(one.se, other.se, atol=1e-9)


def test_place_without_any_death_changes_nothing():
    panel = make_panel()
    empty = panel.loc[["C"]].assign(deaths=0).rename(index={"C": "Z"}, level=0)
    one = fit_real(lay_out(panel, OPERATIONS, **WINDOW))
    other = fit_real(lay_out(pd.concat([panel, empty]), OPERATIONS, **WINDOW))
    np.testing.assert_allclose(one.estimate, other.estimate, atol=1e-10)
    np.testing.assert_allclose(one.se, other.se, atol=1e-10)


def test_no_death_under_the_operations_is_named():
    panel = make_panel()
    panel.loc[["A", "F"], "deaths"] *= np.tile(np.arange(36) < 12, 2)
    layout = lay_out(panel, OPERATIONS[:1], **WINDOW)
    with pytest.raises(ValueError, match=r"did not converge .* deaths on both sides"):
        fit_real(layout)
    with pytest.raises(ValueError, match="deaths in every bin"):
        fit_bins(layout, layout.history[:, None], BINS, 1)
