from dataclasses import replace

import pandas as pd
import pytest
from support.measured_claims import CLAIMS, EVIDENCE, VERDICTS, measure

from analysis.claims import rows
from analysis.claims.rows import direction, make_row, tabulate_claims


def test_direction_is_no_only_where_the_notable_is_left_out():
    trend = pd.Series({"low": -3.0, "high": 4.0})
    assert direction(trend, 5) == "no"
    assert direction(trend, 4) == direction(trend) == "cannot tell"
    assert direction(trend + 3.1) == "yes"
    assert direction(trend - 5) == "no"


@pytest.mark.parametrize("holds", ["yes", "cannot tell", "no"])
def test_part_of_a_claim_can_only_refute(holds):
    told = ("INEGI", "x", "1", "CONAPO"), "part", 1.0, "times"
    row = make_row(*told, holds=holds)
    assert row["judges"]
    assert make_row(*told, holds=holds, part=True) == row | {"judges": holds == "no"}


def test_months_are_named_by_their_runs():
    months = pd.PeriodIndex(["2015-12", "2016-01", "2016-03", "2017-01", "2017-02"], freq="M")
    assert rows.name_months(months) == "2015-12 to 2016-01, 2016-03, 2017-01 to 2017-02"


def test_evidence_without_a_source_cannot_judge():
    none = EVIDENCE.yearly[EVIDENCE.yearly["source"] == "nobody"]
    measured = measure("recent-rate", replace(EVIDENCE, yearly=none))
    assert measured.claim_verdict == "cannot be judged with these data"
    assert "no figure here can carry it" in measured.sentence
    assert measured.deciding.isna().all()
    assert tabulate_claims({"recent-rate": measured})["value"].isna().all()


def test_tables_hold_one_row_a_claim_and_every_measure(found):
    table, long = tabulate_claims(found), rows.tabulate_measures(found)
    assert dict(table[["slug", "claim_verdict"]].to_numpy()) == VERDICTS
    assert table["words"].tolist() == [claim.words for claim in CLAIMS.values()]
    assert table["value"].notna().all()
    assert len(long) == sum(len(part.rows) for part in found.values())
    assert long["slug"].nunique() == 10
    assert long["value"].notna().all()
