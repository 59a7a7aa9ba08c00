import numpy as np
import pandas as pd
import pytest
from support.declared import SHIFTS

from analysis import PolicyShift, fit_its, load_series
from analysis.its import words
from analysis.its.flags import Flag


def test_an_effect_is_written_with_interval_and_unit():
    row = pd.Series({"estimate": 22.6, "low": 4.31, "high": 37.8})
    assert words.format_effect(row, "percent per year") == "+22.6% per year (+4.3 to +37.8)"
    assert words.format_effect(row, "deaths") == "+23 deaths (+4 to +38)"
    assert words.format_effect(row * float("nan"), "percent") == "not estimated"


@pytest.fixture(scope="module")
def result():
    return fit_its(load_series("sesnsp"), SHIFTS["sheinbaum-2024-10"])


def test_effects_are_told_one_by_one_with_the_reason_of_a_missing_one(result):
    told = words.describe_effects(result).splitlines()
    assert len(told) == 7
    deaths = result.series["deaths"]
    counts = f"{deaths[61:70].sum():,} in the 9 months before the shift, {deaths[70:].sum():,} in"
    assert told[0].startswith(f"- **Victims in the record**: {counts}")
    after = next(line for line in told if "**Trend from the shift on**" in line)
    assert f"moving by {result.effects.loc['post_trend', 'estimate']:+.1f}% per year" in after
    before = next(line for line in told if "**Trend before the shift**" in line)
    assert f"was moving by {result.effects.loc['pre_trend', 'estimate']:+.1f}% per year" in before
    slope = next(line for line in told if "**Change of trend**" in line)
    assert f"{result.effects.loc['slope', 'estimate']:+.1f}% per year" in slope
    trends = result.effects.loc[["pre_trend", "post_trend"], "estimate"]
    assert "the trend went {:+.0f}% → {:+.0f}% a year: ".format(*trends) in slope
    p = result.effects.loc["slope", "p"]
    assert 0.001 < p < 0.05
    assert f"leaves zero out (p = {p:.2g})" in slope
    assert (
        "**Distance from the old line after 24 months**: not estimated, 9 months after the shift"
        in told[-1]
    )


def test_a_comparison_is_told_with_its_range_and_verdict(result):
    told = words.describe_comparison(result.comparison, result.comparison_verdict, result.units)
    assert told.startswith(f"**Verdict: {result.comparison_verdict}**: ")
    slopes = result.comparison.query("estimand == 'slope'")["estimate"]
    assert f"from {slopes.min():+.1f} by " in told
    assert f" to {slopes.max():+.1f} by " in told
    assert "of 8 intervals leave zero out" in told


def test_a_flag_is_told_with_its_number(result):
    assert "**Few months after**: 9 months are fitted from the shift on" in words.describe_flags(
        result.flags
    )
    assert words.describe_flags(()) == "No warning applies to this fit."
    assert words.describe_flags((Flag("x", 0.123, "why"),)) == "- **x**: why."


LINE = "the distance from a straight line carried on, "


def test_excess_is_told_with_its_side_and_as_no_effect_in_the_same_sentence(result):
    excess = result.excess(9)
    told = words.describe_excess(result, 9, "forecast")
    assert f"{-excess.loc['deaths', 'estimate']:,.0f} fewer victims than the months before" in told
    assert told.endswith(f"): {LINE}not lives saved or lost to a policy.")
    assert told.count(". ") == 0  # one sentence


@pytest.mark.slow
def test_excess_of_a_series_that_wanders_says_how_little_the_line_is_worth():
    shift = SHIFTS["calderon-2006-12"]
    told = words.describe_excess(fit_its(load_series("inegi"), shift), 24, "forecast")
    assert " more deaths than the months before" in told
    assert told.endswith("to a policy; as the series wanders, such a line says little.")


def test_record_says_whether_it_counts_deaths_or_victims(result):
    assert words.count_around(result).startswith("- **Victims in the record**: ")
    own = fit_its(load_series("inegi"), SHIFTS["pena-nieto-2012-12"])
    assert words.count_around(own).startswith("- **Deaths in the record**: ")


def test_negative_numbers_have_a_minus_sign_and_nothing_else_has():
    told = words.set_minus("- in 2007-01, AR-1: -2.0% (-9.6 to +5.9), 1990-1993")
    assert told == "- in 2007-01, AR-1: −2.0% (−9.6 to +5.9), 1990-1993"


def test_window_that_opens_before_its_source_says_so():
    shift = SHIFTS["covid-2020-04"]
    window = "- Window: December 2012 to September 2024"
    told = words.describe_shift(shift, load_series("sesnsp").index[0])
    assert f"{window}, of which the source has January 2015 on. López" in told
    assert f"{window}. López" in words.describe_shift(shift, load_series("inegi").index[0])
    assert f"{window}. López" in words.describe_shift(shift)


def test_what_was_declared_is_told():
    told = words.describe_shift(SHIFTS["special-forces-2020"])
    assert "first month October 2020 to January 2021: unconfirmed, date unknown." in told
    assert "Beside it in the model: López Obrador" in told
    assert "- The article (May 2021): “During" in told


INDEX = pd.period_range("2000-01", periods=100, freq="M")
SHIFT = PolicyShift("x", "2004-03")


@pytest.mark.parametrize("frame", [{"value": [40.0] * 100}, {"deaths": [5] * 100}])
def test_a_series_that_never_varies_is_no_finding(frame):
    result = fit_its(pd.DataFrame(frame | {"person_years": 1e5}, INDEX), SHIFT, harmonics=0)
    told = words.describe_effects(result)
    assert "leaves zero out" not in told
    assert told.count("no test: ") == 6
    assert result.memory.isna().all(axis=None)
    assert words.describe_memory(result.memory).startswith("Nothing varies about the fit")


@pytest.mark.slow
def test_errors_and_excess_are_told_in_the_words_of_the_series():
    value = np.random.default_rng(0).normal(50, 2, 100)
    result = fit_its(pd.DataFrame({"value": value}, INDEX), SHIFT)
    told = words.describe_excess(result, 12, "forecast")
    assert " units than the months before the shift alone would have led to expect" in told
    assert f"{LINE}not what a policy did" in told
    still = fit_its(pd.DataFrame({"value": np.r_[np.ones(50), value[50:]]}, INDEX), SHIFT)
    assert words.describe_excess(still, 12, "forecast") == (
        "**By the months before**: no number of units: the values before the shift do not vary, "
        "and nothing says how they would have."
    )
    assert words.describe_memory(result.memory, "quarter").startswith("Of a quarter's surprise")


def test_a_shift_of_ones_own_has_no_empty_lines():
    told = words.describe_shift(PolicyShift("ban", "2015-04", omit="2015-04:2015-05"))
    assert "“”" not in told
    assert "Source of the date" not in told
    assert "Beside it" not in told
    assert "- Left out: April and May 2015." in told


def test_an_interval_leaves_zero_out_whether_or_not_it_has_a_p_value():
    row = pd.Series({"estimate": -20.0, "low": -34.0, "high": -3.0, "p": np.nan})
    assert words.significant(row)
    assert not words.significant(row.replace(-3.0, 3.0))
    assert not words.significant(row.replace([-34.0, -3.0], -20.0))  # an exact fit
