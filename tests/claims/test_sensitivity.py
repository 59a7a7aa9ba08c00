from dataclasses import replace

import pytest
from support.measured_claims import CLAIMS, DECLARED, EVIDENCE, plant

from analysis.claims.counts import (
    NONE,
    describe_turns,
    find_turn,
    list_values,
    vary_constants,
)


def turns_of(slug, evidence=EVIDENCE, **vary):
    claim = replace(CLAIMS[slug], vary=vary)
    return vary_constants(replace(DECLARED, claims={slug: claim}), evidence).set_index("constant")


def test_nearest_values_that_change_a_verdict_are_those_worked_by_hand():
    turns = turns_of("one-typical-day", limit=[1.0, 3.0])
    limit = turns.loc["limit"]
    assert limit["below"] == pytest.approx(133 / (34515 / 366), abs=1e-3)  # the article's totals
    assert limit["above"] == pytest.approx(154 / (34569 / 366), abs=1e-3)  # today's count
    assert limit[["verdict_below", "verdict_above"]].tolist() == ["does not hold", "holds"]
    told = describe_turns(turns.reset_index())
    assert told == ["the most typical days, 1.5: *does not hold* at 1.4103; *holds* at 1.6306"]
    recent = turns_of("recent-rate", rate=[25.0, 33.0], last=[2018, 2021])
    assert recent.loc["rate", "above"] == pytest.approx(29.001005, abs=1e-3)
    assert recent.loc["rate", "below"] == pytest.approx(28.623, abs=1e-3)  # as registered
    assert recent.loc["rate", "verdict_below"] == "holds under one source"
    assert recent.loc["last", ["below", "above"]].tolist() == [2018, 2021]


@pytest.mark.slow  # half a minute of fits from one start after another
def test_nearest_start_that_changes_a_verdict_is_the_one_worked_by_hand():
    upsurge = turns_of(
        "calderon-upsurge", factor=[1.0, 4.0], last_year=[2008, 2012], start=["2000-01", "2000-06"]
    )
    assert upsurge.loc["start", "above"] == "2000-04"  # its interval then holds zero
    assert upsurge.loc["start", "verdict_above"] == "cannot be judged with these data"
    assert upsurge.loc["factor", ["below", "verdict_below"]].tolist() == [NONE, NONE]
    assert upsurge.loc["factor", "above"] == pytest.approx(2.412, abs=1e-3)  # as registered
    assert upsurge.loc["last_year", "below"] == 2009  # 17.7 against 9.6: not yet the double


def test_turns_follow_the_evidence():
    higher = plant(29.5, "rate", counted="deaths by year of registration, rated by UNODC")
    (row,) = turns_of("recent-rate", higher, rate=[29.0, 33.0])["above"]
    assert row == pytest.approx(29.5, abs=1e-3)


def test_turn_of_a_part_counts():
    months = turns_of("lopez-obrador-two-years", months=[22, 26]).loc["months"]
    assert months["below"] == NONE  # the whole still holds in part
    assert months["part_below"] == 23
    assert "growing worse: cannot be judged with these data" in months["part_verdict_below"]


def test_every_claim_says_which_numbers_could_have_been_others():
    assert all(claim.vary for claim in CLAIMS.values())


@pytest.mark.parametrize(
    ("value", "end", "values"),
    [
        (3, 5, [4, 5]),
        (3, 1, [2, 1]),
        ("2012-12", "2013-02", ["2013-01", "2013-02"]),
        ("2012-12", "2012-10", ["2012-11", "2012-10"]),
        (3, 3, []),
        ("2015-01", "2015-01", []),
    ],
)
def test_values_are_tried_from_the_nearest_on(value, end, values):
    assert list_values(value, end) == values


def test_first_of_two_turns_is_found():
    def judge(value):
        return "holds" if value < 2.25 or value > 3.5 else "does not hold"

    turn, told = find_turn(judge, 1, 5.0)
    assert turn == pytest.approx(2.25, abs=1e-3)
    assert told == "does not hold"
    assert find_turn(judge, 1, 0.0) == (NONE, NONE)
