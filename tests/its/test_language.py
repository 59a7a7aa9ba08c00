"""What is said in Spanish says the same as in English, by the same numbers."""

import re
from string import Formatter

import pandas as pd
import pytest
from support.sweeps import sweep

from analysis import fit_its, load_policy_shifts, load_series
from analysis.files import DATA_FOLDER, read_toml
from analysis.its import words
from analysis.its.comparison import ESTIMATORS, ON_REQUEST, estimate_by
from analysis.its.model import ESTIMANDS
from analysis.its.result import retell
from analysis.language import fill_template, say_month, say_runs, speaking

SPANISH = sorted(DATA_FOLDER.glob("*.es.toml"))
TELLTALES = [" the ", " of ", " rate ", " and ", " to ", " shift", " month", "%  "]
CASES = [("calderon-2006-12", "inegi"), ("special-forces-2020", "sesnsp")]
CASES += [("sheinbaum-2024-10", "sesnsp"), ("chihuahua-2008-04", "inegi")]


def test_every_estimator_flag_and_estimand_has_a_name():
    assert {*ESTIMATORS, *ON_REQUEST} <= set(words.WORDS["estimators"])
    assert set(ESTIMANDS) == set(words.WORDS["estimands"])
    assert all(block["title"] for block in words.WORDS["flags"].values())


def sentences(table, path=()):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from sentences(value, (*path, key))
        else:
            yield (*path, key), value


def fields(sentence):
    return sorted(field for _, field, *_ in Formatter().parse(str(sentence)) if field)


@pytest.mark.parametrize("path", SPANISH, ids=lambda path: path.name)
def test_every_spanish_sentence_has_its_english_one_with_the_same_fields(path):
    spanish = dict(sentences(read_toml(path)[1]))
    english = read_toml(path.with_name(path.name.replace(".es.", ".")))[1]
    if path.name == "policy-shifts.es.toml":
        blocks = {block.pop("slug"): block for block in english["shift"]}
        told = {"title", "reason", "window_reason", "source", "words", "caveat"}
        english = {
            slug: {k: v for k, v in each.items() if k in told} for slug, each in blocks.items()
        }
    english = dict(sentences(english))
    assert spanish.keys() == english.keys()
    assert {key: fields(said) for key, said in spanish.items()} == {
        key: fields(said) for key, said in english.items()
    }


def tell(fit, shift):
    months = min(24, fit.n_after)
    kinds = ("forecast", "segmented")
    return {
        "title": shift.title,
        "key": "key",
        "declared": words.describe_shift(shift),
        "effects": words.describe_effects(fit),
        "memory": words.describe_memory(fit.memory),
        "comparison": words.describe_comparison(fit.comparison, fit.comparison_verdict, fit.units),
        "flags": words.describe_flags(fit.flags),
        "excess": [words.describe_excess(fit, months, k) for k in kinds],
        "counts": words.count_around(fit),
        "alt": words.strip_marks(words.describe_effects(fit)),
        "alt_comparison": "",
    }


def numbers(text):
    return re.findall(r"\d+(?:[.,]\d+)*", text)


@pytest.mark.parametrize(("slug", "source"), sweep(CASES, 2))
def test_a_shift_is_told_in_spanish_by_the_same_numbers_and_without_english(slug, source):
    shift = load_policy_shifts()[slug]
    fit = fit_its(load_series(source, place=shift.places), shift)
    fit.__dict__["_comparison"] = estimate_by(("reml", "newey_west", "quasi_poisson"), fit._model)
    english = tell(fit, shift)
    with speaking("es"):
        translated = load_policy_shifts()[slug]
        again = retell(fit, load_series(source, place=shift.places), translated)
        spanish = tell(again, translated)
        page = fill_template("shift.es.md.j2", **spanish)
    assert [word for word in TELLTALES if word in page.replace("Public Law", "")] == []
    assert translated.title in page
    assert [flag.name for flag in again.flags] == [flag.name for flag in fit.flags]
    for name in ("effects", "memory", "comparison", "flags"):
        assert sorted(numbers(spanish[name])) == sorted(numbers(english[name])), name
    for told, said in zip(english["excess"], spanish["excess"], strict=True):
        assert sorted(numbers(said)) == sorted(numbers(told))


def test_months_are_said_in_both_languages_and_joined_where_they_follow():
    months = pd.PeriodIndex(["2005-01", "2005-02", "2005-03", "2005-12"], freq="M")
    assert say_runs(months) == "January 2005 to March 2005, December 2005"
    assert say_runs(months, str) == "2005-01 to 2005-03, 2005-12"
    assert say_month(pd.Period("2005Q1")) == "2005Q1"
    with speaking("es"):
        assert say_runs(months) == "enero de 2005 a marzo de 2005, diciembre de 2005"
    assert say_runs([]) == ""


@pytest.mark.parametrize(
    ("first", "english", "spanish"),
    [
        ("2007-01", "January and February 2007", "enero y febrero de 2007"),
        ("2006-12", "December 2006 and January 2007", "diciembre de 2006 y enero de 2007"),
        ("2007Q1", "2007Q1 and 2007Q2", "2007Q1 y 2007Q2"),
    ],
)
def test_two_neighbours_are_joined_by_and_and_share_their_year(first, english, spanish):
    pair = [pd.Period(first), pd.Period(first) + 1]
    assert say_runs(pair) == english
    assert say_runs(pair, str) == " to ".join(map(str, pair))  # as the tables have it
    with speaking("es"):
        assert say_runs(pair) == spanish
