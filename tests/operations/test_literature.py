import pandas as pd

from analysis.operations.literature import YARDSTICKS, compare_yardsticks, describe_yardsticks

OURS = pd.DataFrame(
    {
        "label": ["first", "first", "seven", "first"],
        "months": [6, 12, 6, 12],
        "unit": ["percent", "percent", "percent", "per 100,000"],
        "estimate": [15.0, -2.0, 60.0, 12.0],
        "low": [-10.0, -20.0, 40.0, 11.0],
        "high": [36.5, 79.9, 90.0, 13.0],
    }
)


def test_figures_are_those_that_the_studies_are_quoted_with():
    found = {study.study: (study.figure, study.unit, study.months) for study in YARDSTICKS}
    assert found == {
        "Espinosa & Rubin (2015)": (11, "per 100,000", 12),
        "Calderón et al. (2015)": (36.5, "percent", 6),
        "Lindo & Padilla-Romo (2015)": (80, "percent", 12),
    }
    for study in YARDSTICKS:
        assert f"{study.figure:+g}" in study.words
        assert "doi:10." in study.reference


def test_only_the_same_months_and_unit_are_compared():
    found = compare_yardsticks(OURS)
    assert found[["study", "label", "estimate", "inside"]].to_numpy().tolist() == [
        ["Espinosa & Rubin (2015)", "first", 12.0, True],
        ["Calderón et al. (2015)", "first", 15.0, True],
        ["Calderón et al. (2015)", "seven", 60.0, False],
        ["Lindo & Padilla-Romo (2015)", "first", -2.0, False],
    ]
    assert len(compare_yardsticks(OURS[OURS["months"] == 6])) == 2


def test_each_study_is_one_line_with_all_that_is_ours():
    lines = describe_yardsticks(compare_yardsticks(OURS)).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(
        "- **Espinosa & Rubin (2015)**: about +11 per 100,000 in the first year. Ours over 12 "
        "months: first +12.0 per 100,000 (+11.0 to +13.0), which holds theirs. What differs: "
    )
    assert (
        "first +15.0% (-10.0 to +36.5), which holds theirs; "
        "seven +60.0% (+40.0 to +90.0), which leaves theirs out." in lines[1]
    )
    assert "the arrival of troops" in lines[2]
