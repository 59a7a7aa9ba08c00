import re
from functools import cache

import pandas as pd
import pytest
from support.declared import SHIFTS
from support.folders import ROOT
from support.published import published_estimates
from support.sweeps import sweep

from analysis import load_series
from analysis.language import Words, speaking
from analysis.mexico.record import NATION
from mexico_report.cards import (
    make_cards,
    tell_counts,
    tell_rate,
    tell_trends,
    tell_turn,
    write_answer,
)
from report.card_words import describe_doubts, describe_sure

PUBLISHED = published_estimates()
NATIONAL = PUBLISHED[PUBLISHED["place"] == NATION]


@cache
def cards():
    return make_cards(NATIONAL, SHIFTS)


def changed(shift, source, **columns):
    """Cards of a run whose every estimate of a change of trend at one shift has other columns."""
    rows = NATIONAL[NATIONAL["shift"] == shift].copy()
    own = (rows["source"] == source) & (rows["estimand"] == "slope")
    for name, value in columns.items():
        rows.loc[own, name] = value
    by_shift = dict(list(cards().groupby("shift", sort=False))) | {shift: make_cards(rows, SHIFTS)}
    return pd.concat(by_shift.values(), ignore_index=True)


def card_of(cards, shift, source):
    return cards[(cards["shift"] == shift) & (cards["source"] == source)].iloc[0]


CLEAR = {"low": 3.0, "high": 20.0, "estimate": 11.0, "flags": ""}
CLEAR |= {"date_verdict": "the official date"}
DOUBTED = {
    "did": {},
    "probably": {"flags": "wandering curved_pre_period"},
    "may": {"flags": "wandering source_gap"},
    "cannot": {"low": -0.1},
}


@pytest.mark.parametrize("certainty", sweep(DOUBTED, 1))
def test_certainty_falls_by_a_step_for_each_kind_of_doubt(certainty):
    cards = changed("covid-2020-04", "inegi", **(CLEAR | DOUBTED[certainty]))
    card = card_of(cards, "covid-2020-04", "inegi")
    assert card["certainty"] == certainty
    doubts = {"did": 0, "probably": 1, "may": 2, "cannot": 0}[certainty]
    assert len(describe_doubts(card)) == len(card["doubts"].split()) == doubts
    assert describe_sure(card).startswith(
        {"did": "High", "probably": "Moderate", "may": "Low", "cannot": "Not to be told"}[certainty]
    )


def test_a_date_that_the_data_do_not_point_at_is_a_doubt():
    cards = changed("covid-2020-04", "inegi", **(CLEAR | {"date_verdict": "no date"}))
    assert card_of(cards, "covid-2020-04", "inegi")["doubts"] == "date"


def test_every_warning_that_a_fit_can_have_belongs_to_one_kind_of_doubt():
    grouped = [name for warnings in Words("front.toml", "warnings").values() for name in warnings]
    assert len(grouped) == len(set(grouped))
    flags = set(" ".join(PUBLISHED["flags"].fillna("")).split())
    assert flags <= set(grouped)
    assert set(Words("its-words.toml", "flags")) <= set(grouped)


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_national_shift_has_its_words(language):
    national = {slug for slug, shift in SHIFTS.items() if shift.places == (NATION,)}
    with speaking(language):
        assert set(Words("front.toml", "events")) == set(Words("front.toml", "names")) == national


@pytest.mark.parametrize(
    ("estimate", "before", "after", "said"),
    [
        (18, -2, 16, "begun to rise"), (5, 4, 9, "risen faster"), (5, -9, -4, "fallen more slowly"),
        (-25, 21, -4, "may have stopped"), (-9, 24, 11, "risen more slowly"),
        (-33, -4, -36, "fallen faster"),
    ],
)  # fmt: skip
def test_the_turn_is_named_by_the_trends_on_either_side(estimate, before, after, said):
    trends = {"estimate": estimate, "pre_trend": before, "post_trend": after}
    card = pd.Series(trends | {"certainty": "may", "date_verdict": "the official date"})
    assert said in tell_turn(card)
    assert "about that time" not in tell_turn(card)
    assert "about that time" in tell_turn(pd.Series({**card, "date_verdict": "no date"}))
    assert "cannot tell" in tell_turn(pd.Series({**card, "certainty": "cannot"}))


def test_estimators_are_a_doubt_by_what_they_say_of_the_trend():
    rows = NATIONAL[NATIONAL["shift"] == "sheinbaum-2024-10"].copy()
    own = rows["estimator"] == "newey_west"
    rows.loc[own & (rows["estimand"] == "level"), ["low", "high"]] = (-90.0, -80.0)
    before = card_of(make_cards(rows, SHIFTS), "sheinbaum-2024-10", "sesnsp")
    assert "estimators" not in before["doubts"]
    rows.loc[own & (rows["estimand"] == "slope"), ["estimate", "low", "high"]] = (5.0, 1.0, 9.0)
    after = card_of(make_cards(rows, SHIFTS), "sheinbaum-2024-10", "sesnsp")
    assert after["doubts"] == f"estimators {before['doubts']}"


def test_too_few_months_make_no_yearly_trend():
    few = card_of(cards(), "sheinbaum-2024-10", "sesnsp")
    assert tell_trends(few) == "−4% a year before it, while 9 months after it make no yearly trend"
    told = tell_trends(card_of(cards(), "calderon-2006-12", "inegi"))
    assert told == "from −2% to +16% a year, a change of +1% to +36%"


def test_a_date_that_is_not_the_datas_own_is_told_with_theirs():
    doubts = dict(describe_doubts(card_of(cards(), "calderon-2006-12", "inegi")))
    (own,) = doubts["the data do not date a change firmly to this month"]
    assert "bend in January 2008, with 7% of the probability" in own
    assert (
        "some methods find a rise where others" in doubts["not all methods of estimation agree"][0]
    )


def test_deaths_around_a_shift_are_those_of_like_months():
    deaths = load_series("sesnsp")["deaths"]
    card = card_of(cards(), "lopez-obrador-2018-12", "sesnsp")
    assert card["deaths_before"] == deaths["2017-12":"2018-11"].sum()
    assert card["deaths_first"] == deaths["2018-12":"2019-11"].sum()
    assert card["deaths_last"] == deaths["2023-10":"2024-09"].sum()
    few = card_of(cards(), "sheinbaum-2024-10", "sesnsp")
    assert few["months"] == len(deaths["2024-10":]) < 12
    assert few["deaths_before"] == deaths["2023-10":].head(few["months"]).sum()
    assert pd.isna(few["deaths_last"])
    assert f"in {few['months']} months to" in tell_counts(few)


def test_the_answer_is_three_sentences_that_change_with_the_numbers():
    answer = write_answer(cards())
    assert len(answer) == 3
    assert "army was sent in" in answer[0]
    counts = "went from 10,423 in the year before to at least 8,935 in the first year and 25,852"
    assert counts in answer[0]  # the record of 2007 has holes
    assert "Under López Obrador" in answer[1]
    assert "under Sheinbaum" in answer[1]
    assert "INEGI says the same of the months that both have" in answer[1]
    assert answer[2].endswith("Whether any policy was the cause, these series cannot say.")
    other = write_answer(changed("calderon-2006-12", "inegi", low=-1.0))
    assert len(other) == 2
    assert "Calderón's offensive" in other[1]
    sure = write_answer(changed("calderon-2006-12", "inegi", **CLEAR))
    assert "the rate began to rise then" in sure[0]


def test_where_nothing_can_be_told_the_answer_says_so():
    silent = cards().assign(certainty="cannot")
    assert write_answer(silent) == [
        "For none of the 7 shifts can these data tell whether the trend changed. "
        "Whether any policy was the cause, these series cannot say."
    ]


@pytest.mark.parametrize(("language", "name"), [("en", "README.md"), ("es", "README.es.md")])
def test_the_readme_answers_its_question_from_the_published_numbers(language, name):
    readme = " ".join((ROOT / name).read_text(encoding="utf-8").split())
    series = {"inegi": load_series("inegi", start="1990-01"), "sesnsp": load_series("sesnsp")}
    with speaking(language):
        for sentence in [*write_answer(cards()), f"![{tell_rate(series, 7)}]"]:
            assert sentence in readme


def test_both_languages_tell_the_same_numbers():
    english = write_answer(cards())
    with speaking("es"):
        spanish = write_answer(cards())
    for one, other in zip(english, spanish, strict=True):
        numbers = [re.findall(r"[+−]?\d[\d,.]*\d|[+−]?\d", text) for text in (one, other)]
        assert numbers[0] == numbers[1]
    assert not re.search(r"\b(the|of|and|year|rate)\b", " ".join(spanish))
