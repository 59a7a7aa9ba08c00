import numpy as np
import pandas as pd
import pytest

from analysis import PolicyShift
from analysis.its.breaks import BreakPosterior
from analysis.robustness.placebos import Placebos
from analysis.robustness.specifications import SpecificationCurve
from analysis.robustness.words import (
    describe_curve,
    describe_date,
    describe_placebos,
    judge_date,
    months_off,
    robustness_row,
)

SHIFT = PolicyShift("x", "2010-06")
INDEX = pd.period_range("2009-01", "2011-12", freq="M")


def row(peak="2010-05", width=1):
    probability = pd.Series(0.0, index=INDEX)
    place = INDEX.get_loc(peak)
    probability.iloc[place : place + width] = np.linspace(1.1, 1.0, width)
    posterior = BreakPosterior(probability / probability.sum())
    placebo = pd.DataFrame({"level": range(19), "slope": range(19), "effect_12m": range(19)}) * 1.0
    dates = Placebos(placebo, pd.Series({"level": 1.0, "slope": 99.0, "effect_12m": 1.0}), "rate")
    places = Placebos(placebo, pd.Series({"level": 1.0, "slope": 5.0, "effect_12m": 1.0}), "rate")
    table = pd.DataFrame({"date": [0, 2], "scale": ["log"] * 2, "estimate": [1.0, 2.0], "p": 0.01})
    joint = pd.DataFrame(
        {"observed": [1.5, 1.0], "null_low": -1.0, "null_high": 1.0, "p": [0.01, 0.20]},
        index=["median", "share"],
    )
    curve = SpecificationCurve(table, joint, 100)
    return robustness_row(SHIFT, "inegi", posterior, dates, places, curve).iloc[0]


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
    assert found["date_verdict"] == verdict == judge_date(found)


def test_distance_counts_from_the_nearest_official_month():
    ranged = PolicyShift("x", "2010-06", until="2010-09")
    assert months_off(pd.Period("2010-04", "M"), ranged) == -2
    assert months_off(pd.Period("2010-08", "M"), ranged) == 0
    assert months_off(pd.Period("2011-09", "M"), ranged) == 12


def test_date_is_told_with_its_distance_and_set():
    told = describe_date(row("2009-03"))
    likeliest = "**The data date a break, but elsewhere.** The likeliest month is 2009-03"
    assert told.startswith(likeliest)
    assert "15 months before the official one; 1 of 36 months, from 2009-03 to 2009-03" in told
    assert "1 month before the official one" in describe_date(row("2010-05"))
    assert "in the official month itself" in describe_date(row("2010-06"))


def test_placebos_are_told_by_their_rank():
    told = describe_placebos(row())
    assert "stands out from those estimated at dates before the shift (rank p = 0.05)" in told
    assert "is not unusual among those estimated at other places (rank p = 0.75)" in told
    unranked = row().copy()
    unranked["place_p"] = np.nan
    told = describe_placebos(unranked)
    assert "Against other places the change of slope could not be ranked." in told


def test_curve_is_told_with_what_moves_it_most():
    told = describe_curve(row())
    assert "Over 2 specifications the median change of slope is +1.5% per year (p = 0.01)" in told
    assert "100% of them have p < 0.05 in one direction (p = 0.2 for so many)" in told
    assert "is at the edge of what could be seen" in told
    assert told.endswith("moves the answer most is the date.")
