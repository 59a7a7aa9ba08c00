from dataclasses import FrozenInstanceError

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.its.shifts import PolicyShift, with_choices

COVID = PolicyShift("covid-2020-04", "2020-04", start="2018-12", end="2024-09")


def test_slug_and_month_are_enough_for_a_shift():
    shift = PolicyShift("law", "2010-01")
    assert (shift.months, shift.when) == ((pd.Period("2010-01", "M"),), "2010-01")
    assert (shift.impact, shift.places, shift.beside) == ("level_and_slope", (), ())
    assert len(PolicyShift("law", "2006Q4", until="2007Q2").months) == 3


def test_shift_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        COVID.month = pd.Period("2011-01", "M")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"slug": " "}, "a shift needs a slug of .*, such as 'reform-2010-01'; found ' '"),
        ({"slug": 5}, "a shift needs a slug of .* found 5"),
        *(({"slug": slug}, "a shift needs a slug of small letters, digits and single hyph")
          for slug in ("../../escaped", "a/b", "A", "a--b", "-a", "a_b", "ä", "a\n", "a" * 81)),
        ({"title": 5}, "law: title must be of kind str; found 5"),
        ({"caveat": "a\x00b"}, r"law: caveat must be of kind str; found 'a\\x00b'"),
        ({"places": ["MX09", 5]}, r"law: places must be of kind tuple\[str\]; found \('MX09', 5\)"),
        ({"sources": {"inegi": 1}}, r"law: sources must be of kind tuple\[str\]; found"),
        ({"omit": 5}, "law: omit must be a month, quarter or year"),
        ({"end": pd.Period(year=12_000, freq="Y")}, "law: end must be a month, quarter or year"),
        ({"month": None}, "law: month is missing; expected a period such as '2006-12'"),
        ({"month": "2006-13"}, "law: month must be a month, quarter or year .* found '2006-13'"),
        ({"month": 2006}, "law: month must be .* found 2006"),
        ({"end": "soon"}, "law: end must be .* found 'soon'"),
        ({"impact": "step"}, r"law: impact must be one of \['level_and_slope', .*; found 'step'"),
        ({"until": "2011"}, "law: month and until must have one frequency"),
        ({"until": "2009-12"}, r"law: start, month, until and end must be in order; found \['None"),
        ({"until": "2010-03", "end": "2010-02"}, "law: start, month, until and end must be in ord"),
        ({"beside": ["other"]}, "law: beside must be a PolicyShift; found 'other'; use"),
    ],
)  # fmt: skip
def test_fields_that_cannot_be_are_refused(fields, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        PolicyShift(**{"slug": "law", "month": "2010-01"} | fields)


def test_slugs_of_letters_digits_and_single_hyphens_are_taken():
    for slug in ("r", "reform-2010-01", "2010", "a" * 80):
        assert PolicyShift(slug, "2010-01").slug == slug


text = st.text() | st.from_regex(r"\d{1,5}([-/]\d\d?|Q\d)?", fullmatch=True)
optional = dict.fromkeys(["until", "start", "end", "impact"], text | st.none())


@given(fields=st.fixed_dictionaries({"slug": text, "month": text}, optional=optional))
def test_random_text_makes_a_shift_or_a_message(fields):
    try:
        shift = PolicyShift(**fields)
    except (TypeError, ValueError) as error:
        shift, message = None, str(error)
    assert shift.months[0] == shift.month if shift else "; " in message


def test_choices_replace_place_window_and_impact():
    chosen = with_choices(COVID, place="MX08+MX25", window=":2021-12", impact="level")
    assert (chosen.places, chosen.impact) == (("MX08", "MX25"), "level")
    assert (chosen.start, chosen.end) == (None, pd.Period("2021-12", "M"))
    assert with_choices(COVID) == COVID
    with pytest.raises(ValueError, match=r"^window must look like .*; found '2016-01'"):
        with_choices(COVID, window="2016-01")
