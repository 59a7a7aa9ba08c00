import numpy as np
import pandas as pd
import pytest
from support.synthetic_panels import control, panel, scaled, study, unrelated

from analysis import fit_synthetic, placebo_countries
from analysis.synthetic.control import fit_augmented
from analysis.synthetic.study import compare_years_before, country_rows, study_unit

RATES = panel(donors=4, seed=7)  # 1990 to 2009; more than one donor carries weight
STARTS = {1990: RATES, 1992: RATES.loc[1992:]}
NUMBERS = ["least", "most", "low", "high", "apart", "fits"]


@pytest.fixture(scope="module")
def found():
    return study_unit(STARTS, "own", first_year=2006)


def test_every_start_is_a_refit_of_its_own_panel(found):
    assert list(found.placebos) == [1990, 1992]
    assert found.pictured is found.placebos[1990]
    for start, rates in STARTS.items():
        own = placebo_countries(rates, "own", first_year=2006)
        pd.testing.assert_frame_equal(found.intervals.loc[start], own.intervals())
        assert found.explained[start] == own.real.explained


@pytest.mark.slow
def test_choices_are_the_mean_changes_of_their_own_fits(found):
    change = {"treated": "own", "first_year": 2006}
    for start, rates in STARTS.items():
        choices = found.choices[found.choices["start"] == start].set_index("choice")
        full = fit_synthetic(rates, **change)
        carrying = full.weights[full.weights > 0.005].sort_values(ascending=False).index
        left_out = [fit_synthetic(rates.drop(columns=unit), **change) for unit in carrying]
        assert len(left_out) > 1
        found_left_out = choices.loc[["without_one_donor"], "estimate"]
        assert found_left_out.tolist() == [fit.changes().mean() for fit in left_out]
        for choice, fit, years in (
            ("shifted_by_a_constant", fit_synthetic(rates, **change, intercept=True), 1),
            ("ridge_augmented", fit_augmented(rates, **change), 1),
            ("from_the_mean_of_3_years", full, 3),
            ("sham", fit_synthetic(rates.loc[:2005], "own", first_year=2002), 1),
        ):
            row = choices.loc[choice]
            assert (row["estimate"], row["explained"]) == (fit.changes(years).mean(), fit.explained)


@pytest.mark.slow
def test_sham_change_needs_the_years_of_a_fit():
    found = study_unit({1990: RATES, 1998: RATES.loc[1998:]}, "own", first_year=2006)
    assert found.sham_year == 2002  # four years before, as four are compared
    assert found.choices.query("choice == 'sham'")["start"].tolist() == [1990]


def test_donors_are_compared_by_the_years_before():
    placebos = unrelated(scaled([5, 5]), {"a": scaled([3, 1]), "b": scaled([-2, -2])})
    table = compare_years_before(study({1990: placebos, 1991: placebos}))
    assert table[1].tolist() == [2, -2] * 2
    assert table[2].tolist() == [1, -3] * 2  # their gaps before are 1 and -1


def known(fits, choices=()):
    """A study of one start a fit, each with the nine donors of a hand-made interval."""
    placebo = {str(i): scaled([i, i]) for i in range(1, 10)}
    starts = {1990 + i: unrelated(fit, placebo) for i, fit in enumerate(fits)}
    return study(starts, choices, sham_year=2000)


def test_rows_are_ranges_over_the_starts():
    choices = [
        (1990, "ridge_augmented", 3.0, 0.5),
        (1991, "ridge_augmented", 99.0, 0.49),
        (1990, "sham", -7.0, 0.9),
    ]
    rows = country_rows("x", known([scaled([2, 4]), scaled([12, 14])], choices))
    assert (rows["shift"] == "x").all()
    rows = rows.set_index("estimand")
    assert rows.index.is_unique
    assert rows.loc["change", NUMBERS].tolist() == [3, 13, 3 - 9, 13 + 9, 1, 2]
    assert rows.loc["change_2004", NUMBERS].tolist() == [4, 14, 4 - 9, 14 + 9, 1, 2]
    assert rows.loc["gap_before", ["least", "most"]].tolist() == [-1, -1]
    assert rows.loc["rank", ["least", "most"]].tolist() == [1, 8]
    assert rows.loc["change_ridge_augmented", ["least", "most", "fits"]].tolist() == [3, 3, 1]
    assert rows.loc["explained_ridge_augmented", ["least", "most", "fits"]].tolist() == [
        0.49,
        0.5,
        2,
    ]
    assert rows.loc["change_every_choice", ["least", "most", "fits"]].tolist() == [3, 13, 3]
    assert rows.loc["change_sham", "least"] == -7
    assert rows.loc["donors", "most"] == 1  # of the weights made by hand
    assert rows.loc["start", ["least", "most"]].tolist() == [1990, 1991]
    assert (rows["unit"] != "").all()


def test_no_number_where_one_start_explains_less_than_half():
    missed = control([0, 4, 0, 9, 9], [4, 0, 4, 0, 0], 2003)
    choices = [(1990, "ridge_augmented", 3.0, 0.9)]
    rows = country_rows("x", known([scaled([2, 4]), missed], choices)).set_index("estimand")
    told = ["change", "change_2003", "gap_before", "rank", "change_ridge_augmented"]
    assert rows.loc[told, NUMBERS[:5]].isna().all(axis=None)
    assert (rows.loc[told, "fits"] == 0).all()
    assert rows.loc["explained", "least"] == pytest.approx(1 - 16 / np.var([0, 4, 0]))
    assert rows.loc["explained_ridge_augmented", "least"] == 0.9
