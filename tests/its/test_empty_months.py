"""Counts with months without deaths: the model of the counts, and who has no answer for them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from support.independent import segmented_design

from analysis import (
    PolicyShift,
    break_posterior,
    certificate,
    compare_estimators,
    date_breaks,
    fit_its,
    placebo_dates,
    specification_curve,
)
from analysis.its.series import EmptyPeriodsError
from analysis.robustness.placebos import leave_out_dates, vary_window

SHIFT = PolicyShift("reform", "2005-01")
INDEX = pd.period_range("2000-01", periods=120, freq="M")
RATE = np.exp(1.0 + 0.5 * (np.arange(120) >= 60))
FEW = pd.DataFrame(
    {"deaths": np.random.default_rng(5).poisson(RATE), "person_years": 1e5}, index=INDEX
)


@pytest.fixture(scope="module")
def few():
    return fit_its(FEW, SHIFT)


def test_months_without_deaths_are_fitted_by_the_model_of_counts(few):
    assert (FEW["deaths"] == 0).any()
    compared = compare_estimators(FEW, SHIFT, estimators=["count_reml"]).set_index("estimand")
    pd.testing.assert_frame_equal(few.effects, compared[["estimate", "low", "high", "p"]])
    assert (few.scale, few.units["level"]) == ("log", "percent")
    assert few.effects.notna().all(axis=None)


def test_estimates_are_near_those_of_poisson_regression_on_poisson_counts(few):
    X = segmented_design(120, 60, harmonics=2)
    fit = GLM(FEW["deaths"], X, family=Poisson()).fit()
    found = np.log1p(few.effects["estimate"] / 100)
    for name, column in (("level", 2), ("slope", 3), ("pre_trend", 1)):
        assert found[name] == pytest.approx(fit.params.iloc[column], abs=0.4 * fit.bse.iloc[column])
    low, high = np.log1p(few.effects.loc["level", ["low", "high"]] / 100)
    assert low < 0.5 < high
    assert high - low > 2 * 1.9 * fit.bse.iloc[2]  # the errors' law is not known, only integrated
    np.testing.assert_allclose(few.fitted / fit.mu, 1, atol=0.12)
    assert few.fitted.index.equals(INDEX)


def test_their_comparison_begins_with_the_model_of_counts(few):
    names = few.comparison["estimator"].unique().tolist()
    assert names[0] == "count_reml"
    assert "reml" not in names
    rows = few.comparison.set_index("estimator")
    assert rows.loc["quasi_poisson", "estimate"].notna().all()
    for name in ("reml_ar1", "newey_west", "prais_winsten", "arima", "structural"):
        assert rows.loc[name, "estimate"].isna().all()
        assert (rows.loc[name, "note"] == "the log scale needs deaths in every period").all()
    pd.testing.assert_frame_equal(few.panel, few.comparison)


def test_they_have_flags_and_a_memory(few):
    assert few.memory.index.tolist() == ["phi", "noise", "sd_ratio"]
    assert few.memory.notna().all(axis=None)
    assert {flag.name for flag in few.flags} <= {"wandering", "signs_differ"}
    short = fit_its(FEW.iloc[40:68], SHIFT, harmonics=0)
    assert {"few_months_before", "few_months_after"} <= {flag.name for flag in short.flags}


def test_no_path_is_drawn_for_them_and_the_message_says_what_is(few):
    message = r"no path is drawn .*`effects` and `fitted` are theirs.* use scale='rate' or longer"
    for ask in (few.counterfactual, few.excess, lambda: few.excess(12, kind="segmented")):
        with pytest.raises(EmptyPeriodsError, match=message):
            ask()
    assert fit_its(FEW, SHIFT, scale="rate").excess(12, draws=500).notna().all(axis=None)


def test_log_scale_that_is_asked_for_is_refused():
    with pytest.raises(EmptyPeriodsError, match="fit_its without a scale takes such counts too"):
        fit_its(FEW, SHIFT, scale="log")


ASKED = {
    "certificate": lambda: certificate(FEW, SHIFT),
    "placebo dates": lambda: placebo_dates(FEW, SHIFT),
    "break posterior": lambda: break_posterior(FEW, shift=SHIFT),
    "two breaks": lambda: break_posterior(FEW, 2),
    "dates left out": lambda: leave_out_dates(FEW, SHIFT),
    "classical dates": lambda: date_breaks(FEW),
    "windows": lambda: vary_window(FEW, SHIFT),
    "curve": lambda: specification_curve({"a": FEW}, SHIFT, draws=100),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_has_no_answer_for_them_says_what_has(name):
    message = r"log scale needs deaths .* Use scale='rate' or a longer period; fit_its without a sc"
    with pytest.raises(EmptyPeriodsError, match=message):
        ASKED[name]()


def test_empty_month_outside_the_window_is_no_matter():
    full = FEW.assign(deaths=FEW["deaths"] + 1)
    full.loc[INDEX[0], "deaths"] = 0
    models = [fit_its(full, replace(SHIFT, start=start))._model for start in (None, "2000-02")]
    assert [model.counted for model in models] == [True, False]
