from itertools import permutations

import numpy as np
import pytest
from stacked_worlds import OPERATIONS, make_panel

from analysis import PolicyShift
from analysis.dealt_operations import deal_event_study, vary_operations
from analysis.event_study import average_effects, fit_event_study
from analysis.randomisation import deal_histories, share_as_large
from analysis.stacked_poisson import fit_bins
from analysis.stacks import lay_out, stack_operations

WINDOW = {"before": 9, "after": 6}
TWO = OPERATIONS[:2]


def test_bins_stand_beside_their_own_deals():
    panel = make_panel(ratio=1.5)
    dealt = deal_event_study(panel, TWO, **WINDOW, draws=79, seed=1)
    layout = lay_out(panel, TWO, **WINDOW)
    logs = fit_bins(layout, deal_histories(layout, 79, 1), np.repeat(np.arange(5), 3), 2)
    logs = np.delete(logs, 2, axis=0)
    assert dealt.bins.index.tolist() == [-9, -6, 0, 3]
    np.testing.assert_allclose(dealt.bins["estimate"], 100 * np.expm1(logs[:, 0]))
    low, high = 100 * np.expm1(np.quantile(logs[:, 1:], [0.025, 0.975], axis=1))
    np.testing.assert_allclose(dealt.bins["low"], low)
    np.testing.assert_allclose(dealt.bins["high"], high)
    assert dealt.bins["p"].tolist() == [share_as_large(row) for row in logs]
    size = (np.abs(logs[:2]) / logs[:2].std(axis=1, ddof=1, keepdims=True)).max(axis=0)
    assert dealt.lead_p == share_as_large(size)


def test_bins_are_those_of_the_event_study():
    panel = make_panel()
    study = fit_event_study(stack_operations(panel, TWO, **WINDOW))
    dealt = deal_event_study(panel, TWO, **WINDOW, draws=5)
    own = study.effects["estimate"].drop(-3)
    np.testing.assert_allclose(dealt.bins["estimate"], own, atol=1e-6)


def test_rising_leads_are_found_and_none_are_not():
    panel = make_panel(places=20)
    rising = panel.copy()
    for place in ("A", "B", "F"):
        months = np.arange(36)
        slope = np.exp(0.15 * np.minimum(months - 12, 0))
        rising.loc[place, "deaths"] = np.round(panel.loc[place, "deaths"] * 3 * slope).to_numpy()
    assert deal_event_study(rising, TWO, **WINDOW, draws=199).lead_p <= 0.05
    assert deal_event_study(panel, TWO, **WINDOW, draws=199).lead_p > 0.05


def test_each_operation_alone_and_all_others_without_it():
    panel = make_panel(ratio=1.5)
    found = vary_operations(panel, OPERATIONS, before=6, after=6, draws=20)
    stacked = stack_operations(panel, OPERATIONS, before=6, after=6)
    assert found.index.tolist() == ["early", "late", "again"]
    assert found["places"].tolist() == [2, 1, 1]
    for slug, row in found.iterrows():
        own = stacked["operation"] == slug
        for name, rows in (("alone", stacked[own]), ("without", stacked[~own])):
            reference = average_effects(rows, horizons=[6]).loc[6, "estimate"]
            assert row[name] == pytest.approx(reference, rel=1e-6)


def test_p_of_one_operation_is_the_share_of_its_deals():
    panel = make_panel(places=5)
    found = vary_operations(panel, TWO[1:], before=6, after=6, draws=2000, seed=4)
    layout = lay_out(panel, TWO[1:], before=6, after=6)
    every = np.array(sorted(set(permutations(layout.history)))).T
    assert every.shape == (5, 5)
    alone = [
        vary_operations(panel, [move(TWO[1], place)], before=6, after=6, draws=1)["alone"].iloc[0]
        for place in layout.places
    ]
    logs = np.abs(np.log1p(np.array(alone) / 100))
    exact = (logs >= logs[1] - 1e-12).mean()
    assert found["p"].iloc[0] == pytest.approx(exact, abs=0.05)
    low, high = found.iloc[0][["dealt_low", "dealt_high"]]
    assert (low, high) == pytest.approx((min(alone), max(alone)), rel=1e-6)
    assert np.isnan(found["without"].iloc[0])


def move(operation, place):
    return PolicyShift(operation.slug, operation.month, places=(place,))


def test_bins_that_do_not_come_out_even_are_named():
    with pytest.raises(ValueError, match=r"8 months before and 6 .* whole bins of 3"):
        deal_event_study(make_panel(), TWO, before=8, after=6)
