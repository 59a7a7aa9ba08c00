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
    assert table["words"].tolist() == [claim.say("words") for claim in CLAIMS.values()]
    assert table["value"].notna().all()
    assert len(long) == sum(len(part.rows) for part in found.values())
    assert long["slug"].nunique() == 10
    assert long["value"].notna().all()


def test_readers_get_every_claim_in_both_languages_with_the_same_numbers(found):
    english = rows.tabulate_told(found)
    with speaking("es"):
        spanish = rows.tabulate_told(measure_claims(DECLARED, EVIDENCE))
    assert english["line"][0] == (
        "The article has 34,648 for 2019 (SESNSP's count without femicide), which is 34,723 today; "
        "no record under INEGI as registered (36,685 in 2018)."
    )
    told = "hoy son 34,723; no es récord según el INEGI, año de registro (36,685 en 2018)."
    assert spanish["line"][0].endswith(told)
    assert set(spanish["language"]) == {"es"}
    assert english["claim"].str.split().str.len().max() <= 13
    assert english["finding"].tolist() == tabulate_claims(found)["finding"].tolist()
    assert spanish["quoted"].str.endswith("» (traducción nuestra)").all()
    for column in ("line", "finding"):
        for ours, theirs in zip(english[column], spanish[column], strict=True):
            assert sorted(NUMBER.findall(ours)) == sorted(NUMBER.findall(theirs))


def test_line_follows_the_figures():
    planted = plant(34600, counted="intentional homicide", vintage="2025-06", year=2019)
    assert "which is 34,600 today;" in measure("record-2019", planted).line
    term = measure("lopez-obrador-two-years").line
    levels = "28.0 by SESNSP (21.2 before), 27.9 by INEGI (20.7 before)"
    assert term.startswith(f"Elevated: holds, per 100,000: {levels}; growing worse: not shown, ")
    assert "−0.7 (−6.5 to +4.5) by SESNSP, +1.1 (−7.0 to +8.2) by INEGI" in term
    assert "goes on to attacks on officials" in term


def test_number_is_told_to_the_decimals_that_tell_it_from_its_bound():
    cases = [(23.386, 23.5), (23.487, 23.5), (29.001, 29.0), (28.838, 29.0), (29.0, 29.0)]
    told = [rows.tell_near(value, bound) for value, bound in cases]
    assert told == ["23.4", "23.49", "29.001", "28.8", "29.000"]


def test_lines_tell_no_verdict_but_of_parts_and_name_the_population_that_stands_alone(found):
    for each in found.values():
        assert each.claim.parts or each.claim_verdict not in each.line
    for slug in ("rate-2011", "recent-rate"):
        assert ": so only with the United Nations' population; INEGI" in found[slug].line
    clear = measure("rate-2011", plant(23.5, "rate", source="INEGI", year=2011))
    assert "only" not in clear.line


def test_upsurge_gives_the_rise_neither_a_date_nor_a_cause(found):
    upsurge = found["calderon-upsurge"]
    for said in (upsurge.line, upsurge.finding):
        assert "the rise began then, or because of the offensive, is not shown." in said
        assert "+17.9% per year (+0.9 to +36.2), from −2% to +16% a year" in said
    assert upsurge.line.startswith("The rate reached 2.4 times that of 2006.")


def test_readers_are_told_which_rules_were_changed_and_how(found):
    table = rows.tabulate_told(found).set_index("number")
    assert table.index[table["changed"] == "yes"].tolist() == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    turned = table["change"].str.endswith("this change turned the verdict to the one shown.")
    assert table.index[turned].tolist() == [5, 6, 8, 9]


def test_alternative_text_names_the_claims_of_each_verdict(found):
    said = rows.tell_verdicts(found)
    assert "does not hold: 4, 10; holds: 7, 8; holds in part: 9;" in said


def test_years_are_laid_out_a_row_each_count():
    table = rows.lay_out_years(EVIDENCE.yearly, "deaths", [2019, 2020]).set_index("Count")
    assert table.loc["SESNSP"].tolist() == [34723, 34569]
    assert table.loc["SESNSP, Jan 2021"].tolist() == [34648, 34515]
