import pandas as pd
import pytest
from support.measured_claims import CLAIMS, DECLARED, VERDICTS

from analysis.claims.counts import MEASURES
from analysis.claims.declared import answer_cells, judge_claim, load_claims
from analysis.mexico.tables import DATA_FOLDER

TEXT = (DATA_FOLDER / "claims.toml").read_text(encoding="utf-8")


def answers(*cells):
    names = ["source", "counted", "vintage", "holds"]
    rows = pd.DataFrame([dict(zip(names, cell, strict=True)) for cell in cells], columns=names)
    return rows.assign(population="CONAPO", judges=True)


def test_ten_claims_are_declared_and_each_has_its_measure():
    assert [claim.number for claim in CLAIMS.values()] == list(range(1, 11))
    assert set(CLAIMS) == set(MEASURES) == set(VERDICTS)
    assert len(DECLARED.not_judged) == 2
    assert DECLARED.not_judged["reason"].str.len().min() > 50


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("number = 2", "number = 1", ValueError, r"numbered 1, 2, 3, …; found \[1, 1"),
        ("number = 10", "number = 12", ValueError, r"numbered 1, 2, 3, …; found \[1, 2"),
        ('"decline-2020"', '"record-2019"', ValueError, "'record-2019': the slug appears twice"),
        ("deaths = [34000, 37000]", "deaths = [35000, 37000]", ValueError,
         r"deaths = 34648 lies outside \[35000, 37000\]"),
        ("vary = { deaths = [34", "vary = { dead = [34", KeyError, "'record-2019'.*'dead'"),
        ("rule = ", "rul = ", KeyError, r"unknown key in claims.toml, claim 'record-2019'.*rule"),
        ("parts = {}\n", "", ValueError, "claim 'record-2019': parts missing"),
        ('sources = ["SESNSP", "INEGI"]', "sources = []", ValueError, "2019': sources is empty"),
        ('slug = "record-2019"', 'slug = "record-2018"', KeyError, "'record-2018'.*'record-2019'"),
        ('["SESNSP", "INEGI"]', '["SESNP"]', KeyError, "claim 'record-2019'.*'SESNP'.*'SESNSP'"),
        ("deaths = 34655\n", "", ValueError, "published 2018: deaths missing"),
        ("[[claim]]", "[[claim", ValueError, r"claims.toml must be TOML; "),
        ("{ deaths = 34648 }", "34648", TypeError, "figures must be of kind dict"),
        ("{ deaths = 34648 }", "{ deaths = 35693 }", ValueError, "does not stand in its wo"),
        ('sources = ["SESNSP", "INEGI"]', "sources = 3", TypeError,
         "sources must be of kind list"),
        ("deaths = 34648\n", 'deaths = "34648"\n', TypeError,
         "published .*: deaths must be of kind int"),
        ("deaths = [34000, 37000]", 'deaths = ["a", 37000]', ValueError, r"outside \['a', 37000\]"),
        ("deaths = [34000, 37000]", "deaths = [34000]", ValueError, r"lies outside \[34000\]"),
        ("deaths = 34648\n", "deaths = -1\n", ValueError, r"claims.toml, published 2.*found -1"),
        ('vintage = "2020-01"', 'vintage = "soon"', ValueError, "published .*: vintage must be"),
        ('counted = "intentional homicide"\n', 'counted = "intentional homicides"\n', KeyError,
         "unknown count in .* 'intentional homicides'"),
    ],
)  # fmt: skip
def test_malformed_declaration_is_named(tmp_path, old, new, error, message):
    assert old in TEXT
    (tmp_path / "claims.toml").write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(error, match=message):
        load_claims(tmp_path / "claims.toml")


def test_number_that_a_claim_lacks_is_answered_with_the_nearest():
    with pytest.raises(KeyError, match=r"'record-2019'.*'years'.*'year'"):
        CLAIMS["record-2019"]["years"]


@pytest.mark.parametrize(
    ("cells", "verdict"),
    [
        ([("A", "x", "2", "yes"), ("B", "x", "1", "yes")], "holds"),
        ([("A", "x", "2", "yes"), ("A", "x", "1", "no")], "holds"),
        ([("A", "x", "2", "yes"), ("B", "x", "1", "no")], "holds under one source"),
        ([("A", "x", "2", "yes"), ("B", "x", "1", "cannot tell")], "holds under one source"),
        ([("A", "x", "2", "no"), ("A", "x", "1", "yes"), ("B", "x", "3", "no")], "revised since"),
        ([("A", "x", "2", "no"), ("A", "y", "1", "yes")], "holds under one source"),
        ([("A", "x", "2", "no"), ("B", "x", "1", "cannot tell")], "not shown"),
        ([("A", "x", "2", "no"), ("B", "x", "1", "no")], "does not hold"),
        ([("A", "x", "2", "cannot tell")], "cannot be judged with these data"),
        ([], "cannot be judged with these data"),
        ([("A", "x", "2", "yes"), ("A", "x", "2", "no")], "does not hold"),
        ([("A", "x", "2", "yes"), ("A", "x", "2", "cannot tell")],
         "cannot be judged with these data"),
    ],
)  # fmt: skip
def test_verdict_follows_from_the_answers(cells, verdict):
    assert judge_claim(answers(*cells)) == verdict


def test_answer_that_another_population_gives_alone_is_no_second_source():
    rows = answers(("A", "x", "1", "no"), ("A", "y", "1", "yes"), ("B", "x", "1", "no"))
    assert judge_claim(rows) == "holds under one source"
    rows.loc[1, "population"] = "another"
    assert judge_claim(rows) == "holds under one population"


def test_what_is_only_shown_does_not_judge():
    rows = answers(("A", "x", "1", "yes"), ("B", "x", "1", "no"))
    assert judge_claim(rows.assign(judges=[True, False])) == "holds"
    assert len(answer_cells(rows.assign(holds=["yes", ""]))) == 1


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (["yes", "yes"], ["yes", "yes"], "holds"),
        (["yes", "yes"], ["no", "no"], "holds in part"),
        (["yes", "yes"], ["no", "cannot tell"], "holds in part"),
        (["yes", "no"], ["no", "no"], "does not hold"),  # no part holds under both
        (["yes", "yes"], ["yes", "no"], "holds under one source"),
        (["no", "cannot tell"], ["cannot tell", "no"], "does not hold"),  # each refuses a part
        (["no", "cannot tell"], ["cannot tell", "cannot tell"], "not shown"),
    ],
)
def test_part_that_stands_alone_may_hold_alone(first, second, verdict):
    parts = {"level": "elevated", "trend": "rising"}
    rows = [
        answers(("A", "x", "1", told[0]), ("B", "x", "1", told[1])).assign(measure=measure)
        for measure, told in (("level", first), ("trend", second))
    ]
    assert judge_claim(pd.concat(rows), parts) == verdict


def test_unknown_answer_is_refused():
    with pytest.raises(ValueError, match=r"holds must be one of .*; found \['perhaps'\]"):
        judge_claim(answers(("A", "x", "1", "perhaps")))
