from support.stacked_panels import OURS, PUBLISHED

from analysis.operations.averages import compare_yardsticks


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
