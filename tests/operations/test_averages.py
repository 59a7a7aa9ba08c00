import numpy as np
import pandas as pd
import pytest
from support.stacked_panels import OPERATIONS, OURS, PUBLISHED, TWO, make_panel

from analysis.operations import randomisation
from analysis.operations.averages import (
    COLUMNS,
    compare_yardsticks,
    infer_averages,
    list_estimates,
    result_rows,
    vary_choices,
)
from analysis.operations.event_study import average_effects, fit_event_study, per_100k
from analysis.operations.stacks import stack_operations

PANEL, NUMBERS = make_panel(), ["estimate", "low", "high", "p"]
OPTIONS, WINDOW = {"draws": 20, "seed": 1}, {"before": 9, "after": 6}


@pytest.fixture(scope="module")
def found():
    stacked = stack_operations(PANEL, TWO, **WINDOW)
    single = randomisation.vary_operations(PANEL, OPERATIONS, **WINDOW, **OPTIONS)
    effects = average_effects(stacked, horizons=[3, 6])
    inference, tests = infer_averages(PANEL, TWO, effects, before=9, **OPTIONS)
    headline = inference.loc["score bootstrap"].assign(**effects[["deaths", "person_years"]])
    return {
        "study": fit_event_study(stacked),
        "reassigned": randomisation.reassign_event_study(PANEL, TWO, **WINDOW, **OPTIONS),
        "pretended": tests[3],
        "inference": inference,
        "headline": headline,
        "varied": vary_choices(PANEL, TWO, OPERATIONS, [3, 6], before=9, seed=1),
        "single": single.assign(months=6),
        "comparison": compare_yardsticks(list_estimates({"two": headline}), PUBLISHED),
    }


@pytest.fixture(scope="module")
def rows(found):
    return result_rows(**found)


def test_three_methods_stand_beside_each_other_at_every_horizon(found):
    inference, stacked = found["inference"], stack_operations(PANEL, TWO, **WINDOW)
    by_method = {
        "cluster robust": average_effects(stacked, horizons=[6]).loc[6],
        "score bootstrap": randomisation.score_bootstrap(PANEL, TWO, seed=1, **WINDOW),
        "randomisation": randomisation.randomisation_test(PANEL, TWO, **OPTIONS, **WINDOW).row,
    }
    assert inference.index.names == ["method", "months"]
    for method, row in by_method.items():
        assert inference.loc[(method, 6), NUMBERS].tolist() == pytest.approx(row[NUMBERS].tolist())


def test_each_choice_is_a_score_bootstrap_of_its_own(found):
    varied, headline = found["varied"], found["inference"].loc["score bootstrap"]
    pd.testing.assert_frame_equal(varied.loc["headline"], headline, check_names=False)
    for choice, operations, window in (
        ("not-yet treated as controls too", TWO, {"before": 9, "controls": "not_yet"}),
        ("baseline of 12 months", TWO, {"before": 12}),
        ("all seven operations", OPERATIONS, {"before": 9}),
        ("all seven, not-yet treated too", OPERATIONS, {"before": 9, "controls": "not_yet"}),
    ):
        own = randomisation.score_bootstrap(PANEL, operations, after=3, seed=1, **window)
        pd.testing.assert_series_equal(varied.loc[(choice, 3)], own, check_names=False)
    assert varied.index.unique(0).size == 5


def test_estimates_are_listed_in_both_units(found):
    listed = list_estimates({"two": found["headline"]}).set_index(["label", "unit", "months"])
    rates = per_100k(found["headline"])
    assert listed.loc[("two", "percent", 3), "estimate"] == found["headline"].loc[3, "estimate"]
    assert listed.loc[("two", "per 100,000", 6), "high"] == rates.loc[6, "high"]


def test_table_holds_every_block_in_one_shape(found, rows):
    assert rows.columns.tolist() == COLUMNS
    blocks = {"quarter": 5, "average": 6 + 2 + 8, "operation alone": 3, "beside published": 1}
    assert rows["block"].value_counts().to_dict() == blocks | {"leads": 3}
    assert rows[["label", "method", "unit"]].notna().all(axis=None)
    assert rows.loc[rows["block"] != "leads", "months"].notna().all()


def test_rows_are_the_numbers_that_were_found(found, rows):
    by_block = dict(list(rows.groupby("block")))
    quarters = by_block["quarter"].set_index("first_month")
    np.testing.assert_array_equal(quarters["estimate"], found["study"].effects["estimate"])
    assert quarters.loc[0, "reassigned_p"] == found["reassigned"].bins.loc[0, "p"]
    assert np.isnan(quarters.loc[-3, "reassigned_low"])
    averages = by_block["average"].set_index(["label", "method", "unit", "months"])
    assert averages.index.is_unique
    low = averages.loc[("headline", "score bootstrap", "per 100,000", 6), "low"]
    assert low == per_100k(found["headline"]).loc[6, "low"]
    assert ("baseline of 12 months", "score bootstrap", "percent", 3) in averages.index
    alone = by_block["operation alone"].set_index("label")
    assert alone["estimate"].tolist() == found["single"]["alone"].tolist()
    assert alone["reassigned_p"].tolist() == found["single"]["p"].tolist()
    assert by_block["beside published"]["label"].tolist() == ["Calderón et al. (2015): two"]
    assert by_block["beside published"]["figure"].tolist() == [36.5]
    leads = by_block["leads"].set_index(["label", "method"])
    p = [found["study"].pre_trend["p"], found["reassigned"].lead_p, found["pretended"].p]
    assert leads["p"].tolist() == p
    pretended = leads.loc[("a year earlier", "randomisation"), NUMBERS].tolist()
    assert pretended == found["pretended"].row.tolist()


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
    assert found[["study", "label", "estimate", "inside"]].to_numpy().tolist() == [
        ["Espinosa & Rubin (2015)", "first", 12.0, True],
        ["Calderón et al. (2015)", "first", 15.0, True],
        ["Calderón et al. (2015)", "seven", 60.0, False],
        ["Lindo & Padilla-Romo (2015)", "first", -2.0, False],
    ]
    assert len(compare_yardsticks(OURS[OURS["months"] == 6], PUBLISHED)) == 2
