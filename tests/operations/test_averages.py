import numpy as np
import pandas as pd
import pytest
from support.stacked_panels import OPERATIONS, OURS, PUBLISHED, TWO, make_panel

from analysis.operations import randomisation
from analysis.operations.averages import (
    COLUMNS,
    compare_yardsticks,
    infer_averages,
    judge_choices,
    result_rows,
    vary_choices,
)
from analysis.operations.event_study import (
    average_effects,
    fit_event_study,
    impute_effects,
    per_100k,
)
from analysis.operations.stacks import leave_out, stack_operations

PANEL, NUMBERS = make_panel(), ["estimate", "low", "high", "p"]
OPTIONS, WINDOW = {"draws": 20, "seed": 1}, {"before": 9, "after": 6}


@pytest.fixture(scope="module")
def stacked():
    return stack_operations(PANEL, TWO, **WINDOW)


@pytest.fixture(scope="module")
def inference(stacked):
    effects = average_effects(stacked, horizons=[3, 6])
    return infer_averages(PANEL, TWO, effects, before=9, **OPTIONS)[0]


@pytest.mark.slow
def test_three_methods_stand_beside_each_other_at_every_horizon(stacked, inference):
    by_method = {
        "cluster robust": average_effects(stacked, horizons=[6]).loc[6],
        "score bootstrap": randomisation.score_bootstrap(PANEL, TWO, seed=1, **WINDOW),
        "randomisation": randomisation.randomisation_test(PANEL, TWO, **OPTIONS, **WINDOW).row,
    }
    assert inference.index.names == ["label", "method", "months"]
    for method, row in by_method.items():
        found = inference.loc[("headline", method, 6), NUMBERS]
        assert found.tolist() == pytest.approx(row[NUMBERS].tolist())


@pytest.mark.slow
def test_each_choice_is_an_estimate_of_its_own():
    without = {"A": ["A"], "two controls": ["C", "D"]}
    varied = vary_choices(PANEL, TWO, OPERATIONS, [3, 6], left_out=without, before=9, seed=1)
    for choice, panel, operations, window in (
        ("until a second operation comes", PANEL, TWO, {"before": 9, "second": OPERATIONS}),
        ("not-yet treated as controls too", PANEL, TWO, {"before": 9, "controls": "not_yet"}),
        ("baseline of 12 months", PANEL, TWO, {"before": 12}),
        ("all seven operations", PANEL, OPERATIONS, {"before": 9}),
        ("all seven, not-yet treated too", PANEL, OPERATIONS, {"before": 9, "controls": "not_yet"}),
        ("without A", *leave_out(PANEL, TWO, ["A"]), {"before": 9}),
        ("without two controls", *leave_out(PANEL, TWO, ["C", "D"]), {"before": 9}),
    ):
        own = randomisation.score_bootstrap(panel, operations, after=3, seed=1, **window)
        found = varied.loc[(choice, "score bootstrap", 3)]
        pd.testing.assert_series_equal(found, own, check_names=False)
    imputed = varied.xs("imputed log rates").droplevel("method")
    pd.testing.assert_frame_equal(imputed, impute_effects(PANEL, TWO, [3, 6], before=9))
    assert varied.index.unique(0).size == 8


@pytest.mark.parametrize(
    ("estimates", "breakdown", "verdict"),
    [
        ([5.0, 40.0], 1.2, "identified in sign"),
        ([-5.0, -40.0], 1.0, "identified in sign"),
        ([5.0, -0.1], 1.2, "not identified"),
        ([5.0, 40.0], 0.99, "not identified"),
    ],
)
def test_a_sign_that_choices_or_small_steps_turn_is_not_identified(estimates, breakdown, verdict):
    index = pd.MultiIndex.from_product([["a", "b"], [24]], names=["label", "months"])
    choices = pd.DataFrame({"estimate": estimates}, index)
    found = judge_choices(choices, {24: breakdown}).loc[24]
    assert found["label"] == verdict
    assert found[["low", "high", "breakdown"]].tolist() == [*sorted(estimates), breakdown]


def test_verdicts_are_of_each_horizon_by_itself():
    keys = [("a", 6), ("b", 6), ("a", 24), ("b", 24)]
    index = pd.MultiIndex.from_tuples(keys, names=["label", "months"])
    choices = pd.DataFrame({"estimate": [-1.0, 2, 3, 4]}, index)
    verdicts = judge_choices(choices, {24: 2.0, 6: 3.0})
    assert verdicts["label"].to_dict() == {6: "not identified", 24: "identified in sign"}
    assert verdicts["breakdown"].to_dict() == {6: 3.0, 24: 2.0}


def test_table_holds_the_event_study_and_every_other_block_in_one_shape(stacked, inference):
    study = fit_event_study(stacked)
    reassigned = randomisation.reassign_event_study(PANEL, TWO, **WINDOW, **OPTIONS)
    rates = pd.DataFrame({"label": ["x"], "unit": ["per 100,000"], "estimate": [2.0]})
    rows = result_rows(study, reassigned, [("average", inference), ("other", rates)])
    assert rows.columns.tolist() == COLUMNS
    blocks = {"quarter": 5, "leads": 2, "average": 6, "other": 1}
    assert rows["block"].value_counts().to_dict() == blocks
    assert (rows["unit"] == "percent").sum() == 13
    by_block = dict(list(rows.groupby("block")))
    quarters = by_block["quarter"].set_index("first_month")
    np.testing.assert_array_equal(quarters["estimate"], study.effects["estimate"])
    assert quarters.loc[0, "reassigned_p"] == reassigned.bins.loc[0, "p"]
    assert np.isnan(quarters.loc[-3, "reassigned_low"])
    leads = by_block["leads"].set_index("method")["p"].to_dict()
    assert leads == {"cluster robust": study.pre_trend["p"], "randomisation": reassigned.lead_p}
    averages = by_block["average"].set_index(["label", "method", "months"])
    options = {"check_dtype": False, "check_index_type": False}
    pd.testing.assert_frame_equal(averages[NUMBERS], inference, **options)


def test_figures_are_those_that_the_studies_are_quoted_with():
    rows = PUBLISHED.itertuples(index=False)
    found = {study.study: (study.figure, study.unit, study.months) for study in rows}
    assert found == {
        "Espinosa & Rubin (2015)": (11, "per 100,000", 12),
        "Calderón et al. (2015)": (36.5, "percent", 6),
        "Lindo & Padilla-Romo (2015)": (80, "percent", 12),
    }
    for study in PUBLISHED.itertuples(index=False):
        assert f"{study.figure:+g}" in study.words
        assert "doi:10." in study.reference


def test_only_the_same_months_and_unit_are_compared():
    found = compare_yardsticks(OURS, PUBLISHED)
    found["estimate"] = found["estimate"].round(9)
    assert found[["study", "label", "estimate", "inside"]].to_numpy().tolist() == [
        ["Espinosa & Rubin (2015)", "first", 10.0, False],
        ["Calderón et al. (2015)", "first", 15.0, True],
        ["Calderón et al. (2015)", "seven", 60.0, False],
        ["Lindo & Padilla-Romo (2015)", "first", 25.0, False],
    ]
    rates = per_100k(OURS["first"]).loc[12]
    assert found.loc[0, ["low", "high"]].tolist() == rates[["low", "high"]].tolist()
