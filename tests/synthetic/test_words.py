import pandas as pd
import pytest
from support.synthetic_panels import control, scaled, study, unrelated

from analysis.synthetic.control import SyntheticControl
from analysis.synthetic.study import (
    country_rows,
    describe_change,
    describe_choices,
    describe_fit,
    describe_sham,
)

NAMES = pd.Series({"own": "Mexico", "a": "Aland", "b": "Bland", "c": "Cland"})
CHOICES = [
    (1990, "without_one_donor", 1.0, 0.9),
    (1990, "without_one_donor", 99.0, 0.4),
    (1991, "without_one_donor", 5.0, 0.9),
    (1990, "shifted_by_a_constant", 4.0, 0.9),
    (1990, "ridge_augmented", 4.5, 0.9),
    (1990, "from_the_mean_of_3_years", 3.5, 0.9),
]
MISSED = control([0, 4, 0, 9, 9], [4, 0, 4, 0, 0], 2003)


def compared(fits, choices=CHOICES):
    """A study of one start a fit, and its rows."""
    placebo = {str(i): scaled([i, i]) for i in range(1, 10)}
    starts = {1990 + i: unrelated(fit, placebo) for i, fit in enumerate(fits)}
    made = study(starts, choices, sham_year=2001)
    return made, country_rows("x", made).set_index("estimand")


GOOD = compared([scaled([2, 4]), scaled([12, 14])])
POOR = compared([scaled([2, 4]), MISSED])


def test_fit_is_said_over_all_starts():
    own = pd.Series([10.0, 14, 12, 20, 20], range(2000, 2005))  # variance before: 8 / 3
    error = pd.Series([1, -1, 0, 0, 0], own.index)
    weights = pd.Series({"a": 0.25, "b": 0.748, "c": 0.002})
    fits = [SyntheticControl("own", 2003, own, own - size * error, weights) for size in (0.5, 1.5)]
    said = describe_fit(*compared(fits[:1] * 2, []), NAMES)
    assert said.startswith("The synthetic Mexico that starts in 2000 is Bland 75%, Aland 25%. ")
    assert "of the panel, 1990 to 1991, it explains 94% to 94% of the variance of Mexico" in said
    assert said.endswith("0.4 to 0.4 deaths per 100,000 and year: at least half from each of the 2"
                         " starts.")  # fmt: skip
    poor = describe_fit(*compared(fits, []), NAMES)
    assert "it explains 44% to 94% of the variance" in poor
    assert poor.endswith("from 1 of the 2 starts less than half, so no number is told.")


def test_change_is_a_range_over_the_starts():
    said = describe_change(*GOOD, NAMES)
    assert said.startswith("From 2002 to the mean of 2003 to 2004 the gap of Mexico to its synth")
    assert "changed by +3.0 to +13.0 (90% prediction intervals from -6.0 to +22.0; 1 of" in said
    assert "1 of the 2 leaves zero out" in said
    assert "In 2002 itself the gap was -1.0 to -1.0" in said
    assert "Mexico takes place 1 to 8 among itself and 1 to 1 donors" in said


def test_mixture_that_misses_gives_no_number_in_any_sentence():
    assert describe_change(*POOR, NAMES).startswith(
        "Of the change of Mexico's gap there is no number, as"
    )
    said = describe_choices(*POOR)
    assert said.startswith(
        "Shifted by a constant the mixture explains 90% to 90%, and 90% to 90% if it"
    )
    assert describe_sham(*POOR, []).startswith("No number is told of the sham change: from ev")


def test_choices_are_said_with_the_fits_that_count():
    said = describe_choices(*GOOD)
    for choice in ("without one donor +1.0 to +5.0 (2", "shifted by a constant +4.0 to +4.0 (1"):
        assert f"{choice} fits)" in said
    assert "every choice +1.0 to +13.0 (7 fits)" in said
    assert said.endswith("All of these have one sign.")
    turned = compared([scaled([2, 4])], [*CHOICES, (1990, "ridge_augmented", -1.0, 0.9)])
    assert describe_choices(*turned).endswith(
        "These differ in sign: whether the gap grew or shrank depends on the choice."
    )
    unknown = describe_choices(*compared([scaled([2, 4])], CHOICES[1:2]))
    assert "without one donor" not in unknown


@pytest.mark.parametrize(
    ("sham", "words"),
    [
        ([-1.0, 2.9], "are -1.0 to +2.9 deaths per 100,000 and year (2 fits), smaller than each o"),
        (
            [-3.0, 1.0],
            "are -3.0 to +1.0 deaths per 100,000 and year (2 fits), as large as some of ",
        ),
    ],
)
def test_sham_change_is_measured_by_its_size(sham, words):
    made = compared(
        [scaled([2, 4]), scaled([12, 14])], [(1990, "sham", each, 0.9) for each in sham]
    )
    said = describe_sham(*made, ["x-2005-01", "y-2006-02"])
    assert said.startswith("From 2000 to the mean of 2001 to 2002 the changes ")
    assert words in said
    assert said.endswith("(+3.0 to +13.0). Declared national shifts within: x-2005-01, y-2006-02.")
    assert describe_sham(*made, []).endswith("within: none.")
    assert describe_sham(*GOOD, []).startswith("No number is told of the sham change: from ev")
    made[0].choices["error"] = 0.5  # in errors of its own the sham is as large
    assert "as large as some of the real one, in size or in" in describe_sham(*made, [])
