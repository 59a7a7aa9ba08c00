from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.declared import states_of
from support.stacked_panels import SEVEN, under

from analysis import PolicyShift
from analysis.operations.stacks import first_operations, lay_out, leave_out, stack_operations

EARLY = PolicyShift("early", "2003-01", places=("A",))
LATE = PolicyShift("late", "2003-03", places=("B", "C"))
AGAIN = PolicyShift("again", "2003-04", places=("A",))


def small_panel(places="ABCDE"):
    periods = pd.period_range("2002-01", periods=36, freq="M")
    index = pd.MultiIndex.from_product([list(places), periods], names=["place", "month"])
    deaths = np.arange(len(index)) % 7
    return pd.DataFrame({"deaths": deaths, "person_years": 1000.0 + np.arange(len(index))}, index)


def stack(operations=(EARLY, LATE), **options):
    return stack_operations(small_panel(), operations, before=4, after=3, **options)


def months_of(stacked, operation, place):
    rows = stacked[(stacked["operation"] == operation) & (stacked["place"] == place)]
    return rows["event_time"].tolist()


def test_stack_holds_treated_and_never_treated_places_for_the_whole_window():
    stacked = stack()
    assert stacked["operation"].unique().tolist() == ["early", "late"]
    for operation, places in (("early", "ADE"), ("late", "BCDE")):
        rows = stacked[stacked["operation"] == operation]
        assert rows["place"].unique().tolist() == list(places)
        assert all(months_of(stacked, operation, place) == [*range(-4, 3)] for place in places)
        assert rows.loc[rows["treated"], "place"].unique().tolist() == list(places[:-2])
    assert len(stacked) == 3 * 7 + 4 * 7


def test_rows_carry_the_panels_own_figures():
    stacked = stack()
    own = small_panel().loc[pd.MultiIndex.from_frame(stacked[["place", "month"]])]
    for name in ("deaths", "person_years"):
        np.testing.assert_array_equal(stacked[name], own[name])
    first = stacked[stacked["event_time"] == 0].groupby("operation")["month"].unique()
    assert first.explode().to_dict() == {"early": EARLY.month, "late": LATE.month}


def test_not_yet_treated_places_are_controls_until_their_own_operation():
    stacked = stack(controls="not_yet")
    for place in "BC":
        assert months_of(stacked, "early", place) == [*range(-4, 2)]
    assert months_of(stacked, "late", "A") == []
    same_month = stack([EARLY, replace(LATE, month=EARLY.month)], controls="not_yet")
    assert months_of(same_month, "early", "B") == []


def test_place_reached_twice_is_treated_in_both_stacks_and_a_control_in_none():
    stacked = stack([EARLY, LATE, AGAIN], controls="not_yet")
    assert months_of(stacked, "early", "A") == months_of(stacked, "again", "A") == [*range(-4, 3)]
    assert months_of(stacked, "late", "A") == []


def test_first_operations_keep_only_places_that_none_had_reached():
    both = replace(AGAIN, places=("A", "D"))
    assert first_operations([both, LATE, EARLY]) == [EARLY, LATE, replace(both, places=("D",))]
    first = first_operations(SEVEN)
    assert [operation.slug for operation in first] == [shift.slug for shift in SEVEN[:5]]
    treated = [place for operation in first for place in operation.places]
    assert len(treated) == len(set(treated)) == 8


def test_a_second_operation_ends_the_months_of_its_place_only():
    options = {"before": 4, "after": 6}
    whole = lay_out(small_panel(), [EARLY, LATE], **options)
    layout = lay_out(small_panel(), [EARLY, LATE], **options, second=[EARLY, LATE, AGAIN])
    for one, other in zip(whole.experiments, layout.experiments, strict=True):
        counted, before = layout.history, whole.history
        cut = other.slug == "early"  # of A, from the fourth month under it on
        expected = one.counted[before].copy()
        expected[0, 7:] &= not cut
        np.testing.assert_array_equal(other.counted[counted], expected)
        exposed = one.exposed[before] & expected
        np.testing.assert_array_equal(other.exposed[counted], exposed)


def test_places_left_out_leave_the_panel_and_their_operations():
    panel, operations = leave_out(small_panel(), [EARLY, LATE], ["A", "B", "E"])
    assert panel.index.unique(0).tolist() == ["C", "D"]
    assert operations == [replace(LATE, places=("C",))]


def test_two_operations_of_one_month_share_a_first_arrival():
    twin = replace(EARLY, slug="twin")
    assert first_operations([EARLY, twin]) == [EARLY, twin]


def test_seven_operations_leave_24_states_as_controls():
    stacked = stack_operations(states_of("inegi"), SEVEN)
    assert stacked.loc[stacked["treated"], "place"].nunique() == 8
    assert stacked.loc[~stacked["treated"], "place"].nunique() == 24
    assert len(stacked) == 48 * (1 + 1 + 1 + 3 + 2 + 1 + 1 + 7 * 24)


def test_layout_and_stack_are_one_rule():
    three = [EARLY, LATE, AGAIN]
    for controls in ("never", "not_yet"):
        layout = lay_out(small_panel(), three, before=4, after=3, controls=controls)
        stacked = stack(three, controls=controls)
        cells = sum(part.counted[layout.history].sum() for part in layout.experiments)
        exposed = sum(part.exposed[layout.history].sum() for part in layout.experiments)
        assert cells == len(stacked)
        assert exposed == under(stacked).sum()


def test_callers_panel_is_left_alone():
    panel = small_panel()
    before = panel.copy(deep=True)
    stack_operations(panel, [EARLY], before=4, after=3)
    pd.testing.assert_frame_equal(panel, before)


PANEL = small_panel()
UNTIL = replace(EARLY, until=pd.Period("2003-03", "M"))
QUARTER = replace(EARLY, month=pd.Period("2003Q1", "Q"))


@pytest.mark.parametrize(
    ("panel", "operations", "options", "message"),
    [
        (PANEL, [EARLY], {"before": 13}, "early: needs 2001-12 .* A has no .'2001-12'"),
        (PANEL.drop(("B", pd.Period("2003-02"))), [EARLY], {}, "B has no .'2003-02'"),
        (PANEL, [replace(EARLY, places="X")], {}, r"has no place \['X'\], but \['A'"),
        (PANEL, [replace(EARLY, places=())], {}, "early: an operation needs places"),
        (small_panel("A"), [EARLY], {}, "at least 3 places are needed; found 1"),
        (PANEL, [replace(EARLY, places=tuple("ABCDE"))], {}, r"early: no .* control \(never\)"),
        (PANEL, [UNTIL], {}, "early: an .* needs one first month, .* found 2003-01 to 2003-03"),
        (PANEL, [QUARTER], {}, "early: an operation needs one first month, .* found 2003Q1"),
        (PANEL, [EARLY, EARLY], {}, "slugs of their own; found .'early', 'early'"),
        (PANEL, [], {}, r"one or more .* found \[\]"),
        (PANEL, ["early"], {}, "must be a PolicyShift; found 'early'"),
        (PANEL, [EARLY], {"controls": "all"}, "controls must be one of .* found 'all'"),
        (PANEL, [EARLY], {"after": 0}, "after must be a whole number"),
        (PANEL.droplevel(0), [EARLY], {}, r"a MultiIndex \(place, period\)"),
        (pd.concat([PANEL] * 2), [EARLY], {}, r"\('A', .* appears more than once"),
        (
            PANEL.drop(columns="deaths"),
            [EARLY],
            {},
            "panel must have one column of each of .'deaths'",
        ),
        (
            PANEL.assign(deaths=-1),
            [EARLY],
            {},
            r"deaths must be zero or more.* {\('A', .*: -1}",
        ),
        (PANEL.assign(person_years=0.0), [EARLY], {}, "person_years must be positive"),
        (PANEL.assign(person_years=1), [EARLY], {}, "positive and no fewer than deaths"),
        (PANEL.astype(str), [EARLY], {}, r"numbers in \['deaths', 'person_years'\]"),
        (PANEL * 1j, [EARLY], {}, r"numbers in \['deaths', 'person_years'\]"),
        (PANEL, {"early": EARLY}, {}, "operations must be one or a sequence"),
        (PANEL, [EARLY], {"before": pd.Period("2003")}, "before must be a whole number from 1"),
        (PANEL.assign(deaths=np.nan), [EARLY], {}, "not missing; found .* nan}"),
        (PANEL.rename(index=str, level=1), [EARLY], {}, "second level must be months"),
    ],
)
def test_bad_panel_or_operation_is_named(panel, operations, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        stack_operations(panel, operations, **{"before": 4, "after": 3} | options)
