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


def row(peak="2010-05", width=1):
    probability = pd.Series(0.0, index=INDEX)
    place = INDEX.get_loc(peak)
    probability.iloc[place : place + width] = np.linspace(1.1, 1.0, width)
    posterior = BreakPosterior(probability / probability.sum())
    placebo = pd.DataFrame(dict.fromkeys(JUDGED, range(19)), dtype=float)
    dates = Placebos(placebo, pd.Series([1.0, 99.0, 1.0], JUDGED), "rate")
    places = Placebos(placebo, pd.Series([1.0, 5.0, 1.0], JUDGED), "rate")
    table = pd.DataFrame({"date": [0, 2], "scale": ["log"] * 2, "estimate": [1.0, 2.0], "p": 0.01})
    joint = {"observed": [1.5, 1.0], "null_low": -1.0, "null_high": 1.0, "p": [0.01, 0.20]}
    joint = pd.DataFrame(joint, index=["median", "share"])
    curve = SpecificationCurve(table, joint, 100)
    return words.robustness_row(SHIFT, "inegi", posterior, dates, places, curve).iloc[0]


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


def test_distance_counts_from_the_nearest_official_month():
    ranged = PolicyShift("x", "2010-06", until="2010-09")
    assert words.months_off(pd.Period("2010-04", "M"), ranged) == -2
    assert words.months_off(pd.Period("2010-08", "M"), ranged) == 0
    assert words.months_off(pd.Period("2011-09", "M"), ranged) == 12


def test_date_is_told_with_its_distance_and_set():
    told = words.describe_date(row("2009-03"))
    verdict, month = "**The data date a break, but elsewhere.**", "The likeliest month is 2009-03"
    assert told.startswith(f"{verdict} {month}")
    assert "15 months before the official one; 1 of 36 months, from 2009-03 to 2009-03" in told
    assert "1 month before the official one" in words.describe_date(row("2010-05"))
    assert "in the official month itself" in words.describe_date(row("2010-06"))


def test_placebos_are_told_by_their_rank():
    told = words.describe_placebos(row())
    assert "stands out from those estimated at dates before the shift (rank p = 0.05)" in told
    assert "is not unusual among those estimated at other places (rank p = 0.75)" in told
    told = words.describe_placebos(pd.Series(row().to_dict() | {"place_p": np.nan}))
    assert "Against other places the change of slope could not be ranked." in told


def test_curve_is_told_with_what_moves_it_most():
    told = words.describe_curve(row())
    assert "Over 2 specifications the median change of slope is +1.5% per year (p = 0.01)" in told
    assert "100% of them have p < 0.05 in one direction (p = 0.2 for so many)" in told
    assert "is at the edge of what could be seen" in told
    assert told.endswith("moves the answer most is the date.")
