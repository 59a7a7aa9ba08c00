from types import SimpleNamespace

import pandas as pd
from support.stacked_panels import OURS, PUBLISHED

from analysis.operations import words
from analysis.operations.averages import compare_yardsticks

ROW = {"estimate": 12.0, "low": -5.0, "high": 30.0, "p": 0.2}


def test_leads_are_said_with_both_tests_and_the_quarters_outside_the_band():
    effects = pd.DataFrame({"estimate": [-20.0, 5, 0, 90]}, [-9, -6, -3, 0])
    lead = {"F": 3.14, "df": 2, "df_denominator": 11, "p": 0.084}
    bins = pd.DataFrame({"estimate": [-20, 5, 90], "low": [-30, -5, -20], "high": [30, 6, 40]})
    study = SimpleNamespace(effects=effects, pre_trend=lead)
    reassigned = SimpleNamespace(bins=bins, lead_p=0.456)
    assert words.describe_leads(study, reassigned) == (
        "The leads run from -20% to +5% of the reference quarter. The usual joint test of them has "
        "F(2, 11) = 3.1, p = 0.084; compared with operations reassigned at random, p = 0.46. "
        "Quarters outside the band: 1 of 3."
    )


def test_pretended_operations_are_said_with_their_interval():
    said = words.describe_pretended(SimpleNamespace(row=pd.Series(ROW), p=0.2))
    assert "against the controls, by +12.0% (-5.0 to +30.0): p = 0.2 among operations" in said


def test_method_is_believed_unless_it_rejects_too_often_beyond_chance():
    record = pd.DataFrame({"method": ["cluster_robust"] * 2 + ["score_bootstrap"] * 2})
    record["truth_rejected"], record["mc_error"] = [4.0, 9.0, 6.0, 5.0], [1.0, 1.0, 1.0, None]
    by_method = {"score bootstrap": ROW, "randomisation": ROW | {"p": 0.034}}
    inference = pd.concat({name: pd.DataFrame([row], [6]) for name, row in by_method.items()})
    assert words.describe_inference(record, inference).splitlines() == [
        "- **cluster robust**: rejects the truth in 4 to 9% of cases, too often to be believed",
        "- **score bootstrap**: rejects the truth in 5 to 6% of cases, believable",
        "",
        "The headline is the score bootstrap, with the randomisation test beside it:",
        "",
        "- **6 months**: +12.0% (-5.0 to +30.0) by the score bootstrap, p = 0.2; p = 0.034 by "
        "randomisation",
    ]


def test_largest_operation_is_named_and_what_stands_out_is_counted():
    single = {"alone": [10.0, 250, -4], "p": [0.5, 0.004, 0.05], "without": [60.0, -3, 70]}
    assert words.describe_operations(pd.DataFrame(single, list("abc")), 12) == (
        "The largest is b: +250% in its first 12 months, p = 0.004. Without it the other 2 "
        "together come to -3%. Among their own reassignments 2 of 3 stand out at 5%."
    )


def test_each_study_is_one_line_with_all_that_is_ours():
    lines = words.describe_yardsticks(compare_yardsticks(OURS, PUBLISHED)).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(
        "- **Espinosa & Rubin (2015)**: about +11 per 100,000 in the first year. Ours over 12 "
        "months: first +12.0 per 100,000 (+11.0 to +13.0), which holds theirs. What differs: "
    )
    first = "first +15.0% (-10.0 to +36.5), which holds theirs; "
    assert first + "seven +60.0% (+40.0 to +90.0), which leaves theirs out." in lines[1]
    assert "the arrival of troops" in lines[2]
