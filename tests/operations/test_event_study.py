from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.declared import states_of
from support.stacked_panels import SEVEN, TWO, fit_dummies, make_panel, under

from analysis.operations.event_study import average_effects, fit_event_study, list_bins, per_100k
from analysis.operations.inversion import fit_bins, fit_reassigned
from analysis.operations.stacks import first_operations, lay_out, stack_operations

FIRST = first_operations(SEVEN)
NUMBERS = ["estimate", "low", "high"]


@cache
def stacked_once(before, after, **options):
    return stack_operations(make_panel(**options), TWO, before=before, after=after)


def stack(before=6, after=6, **options):
    return stacked_once(before, after, **options).copy()


def test_effects_by_quarter_are_those_of_dummies():
    stacked = stack()
    study = fit_event_study(stacked)
    bins = stacked["event_time"].to_numpy()[:, None] // 3 == [-2, 0, 1]
    terms = (bins & stacked["treated"].to_numpy()[:, None]).astype(float)
    reference, (n, k) = fit_dummies(stacked, terms)
    assert study.effects.index.tolist() == [-6, -3, 0, 3]
    np.testing.assert_allclose(study.log_ratios, reference.params[:3], atol=1e-8)
    # fixest's count of coefficients leaves out the place effects, which lie within the clusters.
    nested = n - k + stacked.groupby(["operation", "place"]).ngroups
    ratio = study.covariance.to_numpy() / reference.cov_params()[:3, :3] / ((n - k) / (n - 1))
    np.testing.assert_allclose(ratio, (n - 1) / nested, rtol=0.01)
    df = stacked["place"].nunique() - 1
    reach = stats.t.ppf(0.975, df) * np.sqrt(study.covariance.loc[0, 0])
    estimate = study.log_ratios[0]
    ends = 100 * np.expm1([estimate, estimate - reach, estimate + reach])
    np.testing.assert_allclose(study.effects.loc[0, NUMBERS].astype(float), ends)
    assert study.effects.loc[-3, NUMBERS].tolist() == [0, 0, 0]
    assert np.isnan(study.effects.loc[-3, "p"])
    assert (study.places, study.treated) == (12, 3)


def test_lead_test_is_an_f_test_of_the_leads():
    study = fit_event_study(stack(before=9, after=3))
    b, V = study.log_ratios[[-9, -6]].to_numpy(), study.covariance.loc[[-9, -6], [-9, -6]]
    F = b @ np.linalg.inv(V) @ b / 2
    assert study.pre_trend["F"] == pytest.approx(F)
    assert study.pre_trend["p"] == pytest.approx(stats.f.sf(F, 2, 11))


@pytest.mark.slow
@pytest.mark.parametrize("controls", ["never", "not_yet"])
def test_pyfixest_and_our_own_fit_agree_on_the_real_states(controls):
    panel = states_of("inegi")
    stacked = stack_operations(panel, FIRST, controls=controls)
    found = average_effects(stacked, horizons=[6, 24])
    for months in (6, 24):
        layout = lay_out(panel, FIRST, after=months, controls=controls)
        own = fit_reassigned(layout, layout.history[:, None])
        estimate, low = np.log1p(found.loc[months, ["estimate", "low"]] / 100)
        assert estimate == pytest.approx(own.estimate[0], abs=1e-8)
        n, month_effects = (stacked["event_time"] < months).sum(), 5 * (24 + months)
        se = own.se[0] * np.sqrt((n - 1) / (n - 1 - month_effects))
        assert low == pytest.approx(own.estimate[0] - stats.t.ppf(0.975, 31) * se, abs=1e-4)
    layout = lay_out(panel, FIRST, controls=controls)
    bins = fit_bins(layout, layout.history[:, None], np.repeat(np.arange(16), 3), 7)[:, 0]
    own = np.log1p(fit_event_study(stacked).effects["estimate"] / 100)
    np.testing.assert_allclose(own, bins, atol=1e-8)


def test_known_effect_without_noise_comes_back_at_every_horizon():
    stacked = stack(ratio=1.4, noise=False)
    effects = average_effects(stacked, horizons=[1, 3, 6])["estimate"]
    np.testing.assert_allclose(effects, 40, atol=1e-6)
    effects = fit_event_study(stacked).effects["estimate"]
    np.testing.assert_allclose(effects, [0, 0, 40, 40], atol=1e-6)


def test_average_effect_counts_what_was_observed_under_the_operations():
    stacked = stack()
    found = average_effects(stacked, horizons=[3])
    rows = stacked[stacked["treated"] & stacked["event_time"].between(0, 2)]
    assert len(rows) == 9
    assert found.loc[3, "deaths"] == rows["deaths"].sum()
    assert found.loc[3, "person_years"] == pytest.approx(rows["person_years"].sum())
    early = stacked[stacked["event_time"] < 3]
    reference, _ = fit_dummies(early, under(early).to_numpy())
    assert found.loc[3, "estimate"] == pytest.approx(100 * np.expm1(reference.params[0]))


def test_deaths_per_100k_are_observed_less_observed_over_the_ratio():
    effects = pd.DataFrame([[50.0, 0.0, 100.0]], columns=NUMBERS)
    found = per_100k(effects.assign(deaths=30, person_years=1e5)).iloc[0]
    np.testing.assert_allclose(found[NUMBERS], [10, 0, 15])


def test_excess_by_the_ratio_is_what_the_fit_expects_without_the_operations():
    stacked = stack(ratio=1.3)
    found, inside = average_effects(stacked, horizons=[6]), under(stacked).to_numpy()
    reference, _ = fit_dummies(stacked, inside)
    without = reference.fittedvalues * np.exp(-reference.params[0] * inside)
    excess = (stacked["deaths"] - without)[inside == 1].sum() / found.loc[6, "person_years"]
    assert per_100k(found).loc[6, "estimate"] == pytest.approx(1e5 * excess, rel=1e-6)


def test_place_and_month_without_deaths_drop_out():
    panel = make_panel()
    panel.loc["C", "deaths"] = 0
    panel.loc[(slice(None), pd.Period("2002-08")), "deaths"] = 0
    stacked = stack_operations(panel, TWO, before=6, after=6)
    kept = stacked[(stacked["place"] != "C") & (stacked["month"] != pd.Period("2002-08"))]
    one, other = (average_effects(frame, horizons=[6]) for frame in (stacked, kept))
    pd.testing.assert_frame_equal(one, other)


def test_callers_stack_is_left_alone():
    stacked = stack()
    before = stacked.copy(deep=True)
    fit_event_study(stacked)
    average_effects(stacked, horizons=[3])
    pd.testing.assert_frame_equal(stacked, before)


def test_bins_that_do_not_come_out_even_are_named():
    assert list(list_bins(6, 3, 3)) == [-6, -3, 0]
    for before, after in ((7, 6), (6, 5), (3, 6), (6, 0)):
        with pytest.raises(ValueError, match=f"{before} months before and {after} .* whole bins"):
            list_bins(before, after, 3)
    with pytest.raises(ValueError, match="whole bins of 4 months"):
        fit_event_study(stack(), months=4)


def test_bin_without_deaths_under_the_operations_is_named():
    stacked = stack()
    stacked.loc[stacked["treated"] & (stacked["event_time"] >= 3), "deaths"] = 0
    with pytest.raises(ValueError, match="no deaths under the operations in 1 of 3 bins"):
        fit_event_study(stacked)


def test_horizon_beyond_the_stack_is_named():
    with pytest.raises(ValueError, match=r"horizons must be 1 to 6 months, as .*; found 7"):
        average_effects(stack(), horizons=[7])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"treated": "no"}, "stacked must be as stack_operations gives it: treated True or False"),
        ({"event_time": 0.5}, "whole event_time"),
        ({"person_years": 0.0}, "person_years above zero"),
        ({"deaths": np.nan}, "none missing"),
        ({"deaths": "3"}, r"must have numbers in \['deaths'\]"),
    ],
)
def test_what_is_no_stack_is_refused(change, message):
    for fit in (fit_event_study, average_effects):
        with pytest.raises(ValueError, match=message):
            fit(stack().assign(**change))


def test_rows_given_twice_are_refused():
    stacked = stack()
    with pytest.raises(ValueError, match="stacked has 2 rows twice of an operation"):
        average_effects(pd.concat([stacked, stacked.tail(2)]))
