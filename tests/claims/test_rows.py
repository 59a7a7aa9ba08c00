import re
from dataclasses import replace

import pandas as pd
import pytest
from support.measured_claims import CLAIMS, DECLARED, EVIDENCE, VERDICTS, measure, plant

from analysis.claims import rows
from analysis.claims.counts import measure_claims
from analysis.claims.rows import direction, make_row, tabulate_claims
from analysis.language import speaking

NUMBER = re.compile(r"\d[\d,.]*\d|\d")


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


def test_readers_get_every_claim_in_both_languages_with_the_same_numbers(found):
    english = rows.tabulate_told(found)
    with speaking("es"):
        spanish = rows.tabulate_told(measure_claims(DECLARED, EVIDENCE))
    assert english["line"][0] == (
        "The article has 34,648 for 2019; SESNSP's count today is 34,723: revised since."
    )
    assert spanish["line"][0].endswith("el SESNSP cuenta hoy 34,723: cifra revisada después.")
    assert set(spanish["language"]) == {"es"}
    assert english["claim"].str.split().str.len().max() <= 13
    assert english["finding"].tolist() == tabulate_claims(found)["finding"].tolist()
    assert spanish["quoted"].str.endswith("» (traducción nuestra)").all()
    for column in ("line", "finding"):
        for ours, theirs in zip(english[column], spanish[column], strict=True):
            assert sorted(NUMBER.findall(ours)) == sorted(NUMBER.findall(theirs))


def test_line_follows_the_figures():
    planted = plant(34600, counted="intentional homicide", vintage="2025-06", year=2019)
    assert "count today is 34,600: revised since." in measure("record-2019", planted).line
    term = measure("lopez-obrador-two-years").line
    assert term.startswith("Elevated: holds, 28.0 per 100,000 by SESNSP against 21.2 before;")
    assert "growing worse: not shown, trend -0.7% per year" in term


def test_alternative_text_names_the_claims_of_each_verdict(found):
    said = rows.tell_verdicts(found)
    assert "does not hold: 4, 10; holds: 7, 8; holds in part: 9;" in said


def test_years_are_laid_out_a_row_each_count():
    table = rows.lay_out_years(EVIDENCE.yearly, "deaths", [2019, 2020]).set_index("Count")
    assert table.loc["SESNSP"].tolist() == [34723, 34569]
    assert table.loc["SESNSP, Jan 2021"].tolist() == [34648, 34515]
