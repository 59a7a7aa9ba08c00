import pandas as pd
import pytest

from analysis import fit_its, load_policy_shifts, load_series
from analysis.flags import Flag
from analysis.sentences import (
    describe_effects,
    describe_excess,
    describe_flags,
    describe_panel,
    describe_shift,
    format_effect,
    summary_table,
    write_answer,
)

OWN_BREAK = {"own_break": "2012-03", "months_off": 26, "date_verdict": "no date"}
TITLES = {"a-2010-01": "The first", "b-2015-01": "The second"}


def rows(**changes):
    table = pd.DataFrame(
        [
            ("a-2010-01", "inegi", "level", 5.0, -1.0, 12.0, "percent", ""),
            ("a-2010-01", "inegi", "slope", 20.0, 4.0, 38.0, "percent per year", ""),
            ("a-2010-01", "inegi", "effect_24m", None, None, None, "percent", ""),
            (
                "b-2015-01",
                "inegi",
                "level",
                3.0,
                -2.0,
                9.0,
                "percent",
                "near_unit_root few_months_after",
            ),
            (
                "b-2015-01",
                "inegi",
                "slope",
                2.0,
                -9.0,
                15.0,
                "percent per year",
                "near_unit_root few_months_after",
            ),
            (
                "b-2015-01",
                "inegi",
                "effect_24m",
                7.0,
                -20.0,
                40.0,
                "percent",
                "near_unit_root few_months_after",
            ),
            ("b-2015-01", "sesnsp", "level", 3.0, -2.0, 9.0, "percent", ""),
            ("b-2015-01", "sesnsp", "slope", -22.0, -25.0, -19.0, "percent per year", ""),
            ("b-2015-01", "sesnsp", "effect_24m", 7.0, -20.0, 40.0, "percent", ""),
        ],
        columns=["shift", "source", "estimand", "estimate", "low", "high", "unit", "flags"],
    ).assign(estimator="reml", n_before=80, n_after=70, rho=0.5, verdict="agree", **OWN_BREAK)
    for (slug, source, estimand), values in changes.get("set", {}).items():
        chosen = (
            table["shift"].eq(slug) & table["source"].eq(source) & table["estimand"].eq(estimand)
        )
        table.loc[chosen, ["estimate", "low", "high"]] = values
    return table


def test_an_effect_is_written_with_interval_and_unit():
    row = pd.Series({"estimate": 22.6, "low": 4.31, "high": 37.8})
    assert format_effect(row, "percent per year") == "+22.6% per year (+4.3 to +37.8)"
    assert format_effect(row, "deaths") == "+22.6 deaths (+4.3 to +37.8)"
    assert format_effect(row * float("nan"), "percent") == "not estimated"


def test_the_answer_counts_what_leaves_zero_out():
    first, second, third, fourth = write_answer(rows(), TITLES)
    assert first.startswith("Of 3 estimates of a national shift (shift by source), 2 show")
    assert "The first (INEGI, +20% per year); The second (SESNSP, -22% per year)" in first
    assert "is seen at none of them" in second
    assert third.startswith("1 of the 3 carry at least one warning, 1 of them")
    assert "disagree on whether the trend changed at The second" in third
    assert "the estimators in use agree in 3, their intervals differ in 0" in third
    assert fourth.startswith("Asked where they bend themselves, 0 of 3 series answer with the")
    assert fourth.endswith("0 with another; the remaining 3 with no date in particular.")


def test_the_answer_changes_with_the_numbers():
    changed = rows(
        set={
            ("a-2010-01", "inegi", "slope"): (1.0, -4.0, 6.0),
            ("b-2015-01", "sesnsp", "slope"): (1.0, -4.0, 6.0),
            ("a-2010-01", "inegi", "level"): (30.0, 10.0, 50.0),
        }
    )
    changed.loc[changed["shift"] == "a-2010-01", "verdict"] = "sign differs"
    changed.loc[changed["shift"] == "a-2010-01", "date_verdict"] = "another date"
    changed.loc[changed["source"] == "sesnsp", "date_verdict"] = "the official date"
    first, second, third, fourth = write_answer(changed, TITLES)
    assert first.endswith("0 show a change of trend whose 95% interval leaves zero out.")
    assert "in 1 of 3: The first (INEGI, +30%)" in second
    assert "no shift divides the two sources" in third
    assert "agree in 2, their intervals differ in 0 and their signs in 1" in third
    assert "give or take three months: The second (SESNSP); 1 with another: The first " in fourth
    assert "(INEGI: 2012-03, 26 months after); the remaining 1 with no date" in fourth


def test_the_summary_has_one_row_per_shift_and_source():
    table = summary_table(rows(), TITLES)
    assert table[["Shift", "Source"]].to_numpy().tolist() == [
        ["The first", "INEGI"],
        ["The second", "INEGI"],
        ["The second", "SESNSP"],
    ]
    assert table.loc[0, "After 24 months"] == "not estimated"
    assert table["Warnings"].tolist() == ["none", "near unit root, few months after", "none"]


@pytest.fixture(scope="module")
def result():
    return fit_its(load_series("sesnsp"), load_policy_shifts()["sheinbaum-2024-10"])


def test_effects_are_told_one_by_one_with_the_reason_of_a_missing_one(result):
    told = describe_effects(result).splitlines()
    assert len(told) == 5
    slope = next(line for line in told if "**slope**" in line)
    assert f"{result.effects.loc['slope', 'estimate']:+.1f}% per year" in slope
    assert "leaves zero out (p < 0.001)" in slope
    assert "**effect_24m**: not estimated, 9 months after the shift" in told[-1]


def test_a_panel_is_told_with_its_range_and_verdict(result):
    told = describe_panel(result.panel, result.verdict, result.units)
    assert told.startswith(f"**Verdict: {result.verdict}**: ")
    slopes = result.panel.query("estimand == 'slope'")["estimate"]
    assert f"from {slopes.min():+.1f} (" in told
    assert f" to {slopes.max():+.1f} (" in told
    assert "of 7 intervals leave zero out" in told


def test_a_flag_is_told_with_its_number(result):
    assert "**few_months_after** (9)" in describe_flags(result.flags)
    assert describe_flags(()) == "No warning applies to this fit."
    assert describe_flags((Flag("x", 0.123, "why"),)) == "- **x** (0.12): why."


def test_excess_is_told_with_its_side(result):
    excess = result.excess(9)
    told = describe_excess(excess, 9, "forecast")
    assert f"{-excess.loc['deaths', 'estimate']:,.0f} fewer deaths than the months before" in told


def test_what_was_declared_is_told():
    told = describe_shift(load_policy_shifts()["special-forces-2020"])
    assert "first month 2020-10 to 2021-01: unconfirmed, date unknown." in told
    assert "Beside it in the model: López Obrador" in told
