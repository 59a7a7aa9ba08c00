import pandas as pd
import pytest
from support.synthetic_panels import study, unrelated

from analysis.synthetic.control import SyntheticControl
from analysis.synthetic.words import (
    describe_choices,
    describe_coverage,
    describe_fit,
    describe_gap,
    describe_sham,
)

NAMES = pd.Series({"MEX": "Mexico", "BRA": "Brazil", "CRI": "Costa Rica", "PAN": "Panama"})


def fit(before, after, treated="MEX"):
    """A synthetic control of zero from 2000 on, with the given gaps."""
    years = range(2000, 2000 + len(before) + len(after))
    own = pd.Series([*before, *after], years, dtype=float)
    weights = pd.Series({"BRA": 0.7, "CRI": 0.3, "PAN": 0.0})
    return SyntheticControl(treated, 2000 + len(before), own, 0 * own, weights)


@pytest.mark.parametrize(
    ("error", "words"),
    [(0.3, "it follows the years before the change."), (1.5, "in part."), (3.5, "says little.")],
)
def test_quality_of_the_fit_is_said_by_rule(error, words):
    own = pd.Series([10.0, 14.0, 10, 14, 10, 14, 20], range(2000, 2007))
    sign = pd.Series([1, 1, -1, -1, 0, 0, 0], own.index)
    share = 1 - (error * sign.iloc[:6]).pow(2).mean() / 4
    weights = pd.Series({"BRA": 0.25, "CRI": 0.748, "PAN": 0.002})
    real = SyntheticControl("MEX", 2006, own, own - error * sign, weights)
    said = describe_fit(study(unrelated(real, {})), NAMES)
    assert f"accounts for {share:.0%} of the variance" in said
    assert said.startswith("The synthetic Mexico is Costa Rica 75%, Brazil 25%. ")
    assert said.endswith(words)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([30, 40], ["35.0 deaths", "above", "outside", "ranks 1 of 11 (p = 0.09", "is rare"]),
        ([-3, -1],
         ["2.0 deaths", "below", "inside", "ranks 10 of 11 (p = 0.91", "nothing unusual"]),
    ],
)  # fmt: skip
def test_gap_is_said_by_rule(after, words):
    placebo = {str(i): fit([1, -1, 1, -1, 1], [i, -i / 2], treated=str(i)) for i in range(1, 11)}
    said = describe_gap(study(unrelated(fit([2, -2, 2, -2, -2], after), placebo)), NAMES)
    assert "From 2005 to 2006 Mexico's rate" in said
    assert f"In 2004, before the change, the gap was -2.0, and in 2006 {after[1]:+.1f}." in said
    for word in [*words, "smallest possible is 0.09"]:
        assert word in said


def test_choices_are_said_by_rule():
    columns = {"average": [2.0, 4], "low": [1.0, -1], "high": [3.0, 9]}
    starts = pd.DataFrame(columns, index=[1990, 1991])
    parts = {"left_out": {"BRA": fit([1] * 5, [3, 5]), "CRI": fit([1] * 5, [1, 1])}}
    parts["augmented"] = 1.75
    placebos = unrelated(fit([1] * 5, [3, 5]), {})
    said = describe_choices(study(placebos, starts=starts, **parts))
    assert "left out the average gap lies between +1.0 and +4.0" in said
    assert "from 1990 to 1991, between +2.0 and +4.0: it keeps its sign" in said
    assert said.endswith("1 of the 2 intervals leaves zero out. The augmented average is +1.8.")
    changed = study(placebos, starts=starts.assign(average=[-1, 4]), **parts)
    assert "changes its sign" in describe_choices(changed)


@pytest.mark.parametrize(
    ("coverage", "words"),
    [
        (0.84, "84% hold zero: they are too short here, and the placebo intervals are the ones to"),
        (0.86, "86% hold zero: on these donors they hold what they promise, and the placebo inter"),
    ],
)
def test_coverage_is_judged_by_rule(coverage, words):
    said = describe_coverage(study(coverage=coverage))
    assert said.startswith(f"Of the donors' 90% conformal intervals {words}")


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([-1, -2], "is -1.5 deaths per 100,000 and year, in size 38% of the real one (+4.0). D"),
        ([-3, -3], "in size 75% of the real one (+4.0), more than half of it: the method find"),
        ([5, 3], "in size no smaller than the real one (+4.0): the method finds gaps as lar"),
    ],
)
def test_sham_change_is_measured_by_its_size(after, words):
    compared = study(unrelated(fit([1] * 7, [3, 5]), {}), sham=fit([1] * 5, after))
    said = describe_sham(compared, ["x-2005-01", "y-2006-02"])
    assert said.startswith("From 2005 to 2006 the average gap of such a sham change ")
    assert words in said
    assert said.endswith("Declared national shifts within: x-2005-01, y-2006-02.")
    assert describe_sham(compared, []).endswith("within: none.")
