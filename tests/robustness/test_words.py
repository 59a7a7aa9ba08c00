import numpy as np
import pandas as pd
import pytest

from analysis import PolicyShift
from analysis.its.breaks import BreakPosterior
from analysis.robustness import words
from analysis.robustness.placebos import JUDGED, Placebos
from analysis.robustness.specifications import SpecificationCurve

SHIFT = PolicyShift("x", "2010-06")
INDEX = pd.period_range("2009-01", "2011-12", freq="M")


CLASSICAL = pd.DataFrame({"first": ["2008-05", "2010-01"], "low": "2008-04", "high": "2010-07"})


def row(peak="2010-05", width=1, least=0.9, classical=CLASSICAL, estimand="slope", periods=2):
    probability = pd.Series(0.0, index=INDEX)
    place = INDEX.get_loc(peak)
    probability.iloc[place : place + width] = np.linspace(1.1, 1.0, width)
    posterior = BreakPosterior(probability / probability.sum())
    near = posterior.mass_near(SHIFT.month)
    left_out = {"first": INDEX[:3], "periods": [0, 1, periods], "mode": INDEX[[0, 5, 7]]}
    left_out = pd.DataFrame(left_out | {"mass_near": [near, max(near, 0.95), min(near, least)]})
    at_mode = pd.DataFrame({"estimate": {"level": -29.6, "slope": 14.4}})
    placebo = pd.DataFrame(dict.fromkeys(JUDGED, range(19)), dtype=float)
    dates = Placebos(placebo, pd.Series([1.0, 99.0, 1.0], JUDGED), "rate")
    places = Placebos(placebo, pd.Series([1.0, 5.0, 1.0], JUDGED), "rate")
    table = pd.DataFrame({"date": [0, 2], "scale": ["log"] * 2, "estimate": [1.0, 2.0], "p": 0.01})
    joint = {"observed": [1.5, 1.0], "null_low": -1.0, "null_high": 1.0, "p": [0.01, 0.20]}
    joint = pd.DataFrame(joint, index=["median", "share"])
    curve = SpecificationCurve(table, joint, 100, estimand)
    parts = posterior, left_out, at_mode, classical, dates, places, curve
    return words.robustness_row(SHIFT, "inegi", *parts).iloc[0]


@pytest.mark.parametrize(
    ("peak", "width", "verdict"),
    [
        ("2010-05", 1, "the official date"),
        ("2009-03", 1, "another date"),
        ("2009-03", 12, "another date"),
        ("2009-03", 20, "no date"),
    ],
)
def test_verdict_on_the_date_follows_the_written_rule(peak, width, verdict):
    found = row(peak, width)
    assert found["date_verdict"] == verdict == words.judge_date(found)


def test_row_holds_what_is_left_of_the_date_without_its_weakest_months():
    found = row(least=0.3)
    assert (found["mass_near"], found["mass_least"]) == (1.0, 0.3)
    assert (found["without"], found["then"]) == ("2009-03 to 2009-04", "2009-08")
    assert (found["own_level"], found["own_slope"]) == (-29.6, 14.4)
    assert found["classical"] == "2008-05 (2008-04 to 2010-07); 2010-01 (2008-04 to 2010-07)"
    assert row(least=0.3, periods=1)["without"] == "2009-03"
    assert (row(least=1.0)["without"], row(least=1.0)["then"]) == ("", "2009-01")
    assert row("2009-03")["without"] == ""  # nothing near that could be lost
    assert row(classical=CLASSICAL[:0])["classical"] == ""


@pytest.mark.parametrize(
    ("mass_near", "mass_least", "periods", "verdict"),
    [
        (0.9, 0.51, 1, "the official date"),
        (0.9, 0.51, 90, "the official date"),
        (0.9, 0.5, 1, "no date"),  # it does not survive
        (0.5, 0.9, 1, "no date"),
        (0.04, 0.9, 12, "another date"),
        (0.04, 0.01, 13, "no date"),
        (0.05, 0.01, 12, "no date"),
        (0.9, 0.01, 12, "no date"),
    ],
)
def test_official_date_needs_to_survive_the_loss_of_three_months(
    mass_near, mass_least, periods, verdict
):
    row = {"mass_near": mass_near, "mass_least": mass_least, "credible_periods": periods}
    assert words.judge_date(row) == verdict


def test_date_that_rests_on_few_months_is_told_with_them():
    told = words.describe_date(row(least=0.3))
    assert told.startswith("**The data do not date a break.** The likeliest month is May 2010")
    assert (
        "date is 1.00. That rests on March 2009 to April 2009: without, the likeliest month" in told
    )
    assert "is August 2009, and the probability 0.30; a date that rests on so few months is" in told
    for survives in (row(), row("2009-03")):
        assert "rests on" not in words.describe_date(survives)
    assert "It survives: without any run of one to three months" in words.describe_date(row())
    told = words.describe_date(row("2009-03"))  # of which nothing is asked again
    assert "With all months the official date is not the dated one" in told


def test_break_at_the_likeliest_month_is_told_with_sign_and_size_and_the_classical_date():
    told = words.describe_date(row())
    assert "would be a step of -30% and a change of trend of +14% per year; by Bai and P" in told
    assert told.endswith(
        "May 2008 (April 2008 to July 2010); January 2010 (April 2008 to July 2010)."
    )
    assert words.describe_date(row(classical=CLASSICAL[:0])).endswith("Perron: no break.")


def test_shift_declared_as_a_level_is_told_by_its_step():
    found = row(estimand="level")
    assert (found["estimand"], found["date_p"], found["place_p"]) == ("level", 19 / 20, 19 / 20)
    assert row()["estimand"] == "slope"
    told = words.describe_curve(found)
    assert "Over 2 specifications the median step is +1.5% (p = 0.01)" in told
    assert "The step is not unusual among those estimated at" in words.describe_placebos(found)


def test_distance_counts_from_the_nearest_official_month():
    ranged = PolicyShift("x", "2010-06", until="2010-09")
    assert words.months_off(pd.Period("2010-04", "M"), ranged) == -2
    assert words.months_off(pd.Period("2010-08", "M"), ranged) == 0
    assert words.months_off(pd.Period("2011-09", "M"), ranged) == 12


def test_date_is_told_with_its_distance_and_set():
    told = words.describe_date(row("2009-03"))
    verdict, month = (
        "**The data date a break, but elsewhere.**",
        "The likeliest month is March 2009",
    )
    assert told.startswith(f"{verdict} {month}")
    assert (
        "15 months before the official one; 1 of 36 months, from March 2009 to March 2009" in told
    )
    assert "1 month before the official one" in words.describe_date(row("2010-05"))
    assert "in the official month itself" in words.describe_date(row("2010-06"))


def test_placebos_are_told_by_their_rank():
    told = words.describe_placebos(row())
    assert "stands out from those estimated at dates before the shift (rank p = 0.05)" in told
    assert "is not unusual among those estimated at other places (rank p = 0.75)" in told
    told = words.describe_placebos(pd.Series(row().to_dict() | {"place_p": np.nan}))
    assert "Against other places the change of trend could not be ranked." in told


def test_curve_is_told_with_what_moves_it_most():
    told = words.describe_curve(row())
    assert "Over 2 specifications the median change of trend is +1.5% per year (p = 0.01)" in told
    assert "100% of them have p < 0.05 in one direction (p = 0.2 for so many)" in told
    assert "is at the edge of what could be seen" in told
    assert told.endswith("moves the answer most is the date of the shift.")
