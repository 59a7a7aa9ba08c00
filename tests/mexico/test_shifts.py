import pandas as pd
import pytest
from support.declared import SHIFTS, states_of

from analysis import national_gaps
from analysis.its.design import cut_window
from analysis.its.shifts import months_between
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.shifts import load_policy_shifts
from analysis.mexico.sources import load_series
from analysis.mexico.tables import DATA_FOLDER

COVID, SIERRA_MADRE = "covid-2020-04", "sierra-madre-2007-02"
DECLARED = {  # slug: first month, shifts beside it, known shifts within 12 months
    "calderon-2006-12": ("2006-12", [], []),
    "merida-2008-07": ("2008-07", ["calderon-2006-12"], []),
    "pena-nieto-2012-12": ("2012-12", [], []),
    "lopez-obrador-2018-12": ("2018-12", [], []),
    COVID: ("2020-04", ["lopez-obrador-2018-12"], ["special-forces-2020"]),
    "special-forces-2020": ("2020-10", ["lopez-obrador-2018-12", COVID], [COVID]),
    "sheinbaum-2024-10": ("2024-10", [], []),
    "michoacan-2006-12": ("2006-12", [], ["calderon-2006-12"]),
    "baja-california-2007-01": ("2007-01", [], ["calderon-2006-12"]),
    "guerrero-2007-02": ("2007-02", [], ["calderon-2006-12"]),
    SIERRA_MADRE: ("2007-02", [], ["calderon-2006-12"]),
    "nuevo-leon-tamaulipas-2008-01": ("2008-01", [], ["merida-2008-07"]),
    "chihuahua-2008-04": ("2008-04", [SIERRA_MADRE], ["merida-2008-07"]),
    "sinaloa-2008-05": ("2008-05", [SIERRA_MADRE], ["merida-2008-07"]),
}
HEAD = "[[shift]]\n"
BLOCK = HEAD + 'slug = "law"\nmonth = "2000-01"\n'


@pytest.fixture
def load_text(tmp_path):
    def load(text):
        (tmp_path / "shifts.toml").write_text(text, encoding="utf-8")
        return load_policy_shifts(tmp_path / "shifts.toml")

    return load


def test_every_shift_is_declared_as_registered():
    slugs = {shift.title: slug for slug, shift in SHIFTS.items()}
    found = {
        slug: (
            str(shift.month),
            [other.slug for other in shift.beside],
            [slugs[title] for title in shift.overlaps],
        )
        for slug, shift in SHIFTS.items()
    }
    assert list(found.items()) == list(DECLARED.items())
    for shift in SHIFTS.values():
        assert all([shift.title, shift.reason, shift.source, shift.words, shift.window_reason])


@pytest.mark.parametrize("slug", DECLARED)
def test_window_runs_from_the_previous_administration_to_the_next(slug):
    terms = {  # first month of the administration: first and last month of the window
        "2006-12": (None, "2012-11"),
        "2012-12": ("2006-12", "2018-11"),
        "2018-12": ("2012-12", "2024-09"),
        "2024-10": ("2018-12", None),
    }
    term = max(first for first in terms if first <= str(SHIFTS[slug].month))
    ends = (SHIFTS[slug].start, SHIFTS[slug].end)
    assert tuple(end and str(end) for end in ends) == terms[term]


@pytest.mark.parametrize("slug", DECLARED)
def test_every_declared_source_carries_its_shift(slug):
    shift = SHIFTS[slug]
    windows = [cut_window(load_series(each, place=shift.places), shift) for each in shift.sources]
    assert windows
    assert min(map(len, windows)) >= 79  # months: from López Obrador's shift to June 2025


@pytest.mark.slow
def test_national_windows_leave_out_the_months_whose_holes_the_rule_finds_and_no_others():
    gaps = {source: set(national_gaps(states_of(source)).index) for source in SOURCES}
    assert {str(month) for month in gaps["inegi"]} == {"2007-01", "2007-02"}
    left_out = {}
    for slug, shift in SHIFTS.items():
        held = set()
        for source in shift.sources:
            window = cut_window(load_series(source, place=shift.places), shift)
            held |= gaps[source] & set(window.index)
        left_out[slug] = set(shift.omit)
        assert left_out[slug] == (held if shift.places == (NATION,) else set()), slug
    assert [slug for slug, omitted in left_out.items() if omitted] == [
        "calderon-2006-12",
        "merida-2008-07",
        "pena-nieto-2012-12",
    ]


def test_joint_operations_start_with_the_first_month_mostly_under_them():
    started = pd.read_csv(DATA_FOLDER / "military_operations.csv", parse_dates=["start"])
    expected = {}
    for (operation, start), rows in started.groupby(["operation", "start"]):
        mostly = start.days_in_month - start.day + 1 >= start.days_in_month / 2
        expected[operation] = (start.to_period("M") + int(not mostly), tuple(rows["state"]))
    local = [shift for shift in SHIFTS.values() if shift.places != ("MX00",)]
    assert {shift.title: (shift.month, shift.places) for shift in local} == expected


def test_special_forces_report_is_a_range_of_four_months_with_a_caveat():
    shift = SHIFTS["special-forces-2020"]
    assert [str(month) for month in shift.months] == ["2020-10", "2020-11", "2020-12", "2021-01"]
    assert (shift.when, shift.caveat) == ("2020-10 to 2021-01", "unconfirmed, date unknown")


def test_unknown_slug_is_answered_with_the_nearest():
    with pytest.raises(KeyError, match=r"^unknown policy shift 'calderon'\. Did you mean 'cald"):
        SHIFTS["calderon"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (BLOCK + BLOCK, ValueError, r"shifts\.toml, shift 'law': the slug appears twice"),
        (BLOCK + "reasn = 1", KeyError, r"shifts\.toml, shift 'law': 'reasn'.*'reason'"),
        (BLOCK + "overlaps = []", KeyError, r"shifts\.toml, shift 'law': 'overlaps'"),
        (
            HEAD + 'month = "2000-01"',
            ValueError,
            r"shifts\.toml, a shift needs a slug of .*found None",
        ),
        (HEAD + 'slug = "law"', ValueError, r"shifts\.toml, law: month is missing"),
        (HEAD + 'slug = "law"\nmonth = 2000-01-01', ValueError, "law: month must be a month"),
        (BLOCK + "title = 5", TypeError, "shifts.toml, law: title must be of kind str; found 5"),
        (BLOCK + 'beside = ["tax"]', KeyError, r"shift beside in shifts\.toml, .*'law': 'tax'"),
        (BLOCK + 'sources = ["ineg"]', KeyError, r"shifts\.toml, shift 'law': 'ineg'.*'inegi'"),
        ("[shift]", TypeError, r"shifts\.toml: shift must be of kind list\[dict\]; found {}"),
        ("", ValueError, r"shifts\.toml: shift missing"),
        (BLOCK + "title =", ValueError, "Invalid value"),
    ],
)
def test_malformed_block_is_named(load_text, text, error, message):
    with pytest.raises(error, match=message):
        load_text(text)


@pytest.mark.parametrize(("month", "overlaps"), [("2001-01", ("law",)), ("2001-02", ())])
def test_shifts_overlap_up_to_twelve_months_apart(load_text, month, overlaps):
    shifts = load_text(f'{BLOCK}[[shift]]\nslug = "tax"\nmonth = "{month}"\n')
    assert shifts["tax"].overlaps == overlaps
    assert months_between(shifts["law"].month, shifts["tax"].month) == 13 - len(overlaps)
