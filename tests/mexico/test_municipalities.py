import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import load_states
from analysis.mexico.municipal_file import read_counts
from analysis.mexico.municipal_synthesis import synthesise_municipalities
from analysis.mexico.municipalities import (
    assemble_municipalities,
    load_municipalities,
    merge_units,
    share_person_years,
)
from analysis.mexico.tables import load_table

CREATED = load_table("municipal_changes").set_index("municipality")
PEOPLE = load_table("municipal_population").set_index("municipality")

# One state of three municipalities, the third separated from the second, and deaths nowhere.
SMALL = """\
ent_mun|year|month|homicides|pop_est|homicide_rate|synthetic
01001|2000|6|3|100|1.5|1
01001|2000|7|0|100|0|1
01001|2001|1|14|100|7|1
01002|2000|6|0|300|0|1
01002|2000|7|2|300|0.5|1
01002|2001|1|1|300|0.25|1
01003|2000|6|0|NA|NA|1
01003|2000|7|0|NA|NA|1
01003|2001|1|5|NA|NA|1
01999|2001|1|2|NA|NA|1
"""
MONTHS = pd.PeriodIndex(["2000-06", "2000-07", "2000-08"], freq="M", name="month")
SMALL = SMALL.replace("2001|1|", "2000|8|")
STATES = pd.DataFrame(
    {"deaths": [3, 2, 22], "person_years": [40.0, 41.0, 42.0]},
    pd.MultiIndex.from_product([["MX01"], MONTHS], names=["state", "month"]),
)
POPULATION = pd.DataFrame(
    {
        "municipality": ["01001", "01002", "01003"],
        "name": ["One", "Two", "Three"],
        "2000": [100, 250, 50],
        "2001": [200, 150, 50],
    }
)
CHANGES = pd.DataFrame({"municipality": ["01003"], "parents": ["01002"]})


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    path = tmp_path_factory.mktemp("municipalities") / "synthetic.csv"
    synthesise_municipalities(path)
    return path


@pytest.fixture(scope="module")
def everything(synthetic):
    return load_municipalities(synthetic, complete_only=False)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text(SMALL, "utf-8")
    return path


def assemble(path, **options):
    return assemble_municipalities(read_counts(path), STATES, POPULATION, CHANGES, **options)


def damage(path, into, pattern, replacement):
    """Copy the table with the first match of `pattern` replaced; fail if there is none."""
    content, times = re.subn(pattern, replacement, path.read_bytes(), count=1)
    assert times == 1
    into.write_bytes(content)
    return into


# --- a small table, by hand ---------------------------------------------------------------------


def test_small_table_has_the_deaths_of_the_file_and_the_shares_worked_by_hand(small):
    frame = assemble(small, merge_created=False)
    assert frame["deaths"].unstack("month").to_numpy().tolist() == [
        [3, 0, 14],
        [0, 2, 1],
        [0, 0, 5],
    ]
    # Shares are 100, 250 and 50 of 400 at mid-2000, kept before it, and 200, 150 and 50 of 400 at
    # mid-2001. The middle of July is 15.5 of the 365 days later, that of August 46.5.
    july, august = 15.5 / 365, 46.5 / 365
    expected = [
        [10, 41 * (1 + july) / 4, 42 * (1 + august) / 4],
        [25, 41 * (2.5 - july) / 4, 42 * (2.5 - august) / 4],
        [5, 41 / 8, 42 / 8],
    ]
    found = frame["person_years"].unstack("month").to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert frame.index.names == ["municipality", "month"]
    assert frame.dtypes.astype(str).to_dict() == {"deaths": "int64", "person_years": "float64"}
    assert frame.attrs == {
        "source": "inegi",
        "synthetic": True,
        "merged": {},
        "unspecified": {"MX01": 2},
    }


def test_created_municipality_is_added_to_its_parent(small):
    frame = assemble(small)
    assert frame["deaths"].unstack("month").to_numpy().tolist() == [[3, 0, 14], [0, 2, 6]]
    assert list(frame.index.unique("municipality")) == ["01001", "01002"]
    assert frame.loc[("01002", "2000-06"), "person_years"] == pytest.approx(30, rel=1e-12)
    assert frame.attrs["merged"] == {"01002": ["01002", "01003"]}


def test_created_municipality_without_a_row_is_added_to_its_parent_either_way(small, tmp_path):
    path = damage(small, tmp_path / "absent.csv", rb"01002\|2000\|8\|1\|", b"01002|2000|8|6|")
    path.write_text(re.sub(r"01003.*\n", "", path.read_text()))
    pd.testing.assert_frame_equal(assemble(path), assemble(small))
    pd.testing.assert_frame_equal(assemble(path, merge_created=False), assemble(small))


def test_months_after_the_last_asked_for_are_left_out_with_their_unspecified_deaths(small):
    frame = assemble(small, last=MONTHS[1])
    assert list(frame.index.unique("month")) == list(MONTHS[:2])
    assert frame["deaths"].sum() == 5
    assert frame.attrs["unspecified"] == {}


def test_real_looking_table_is_not_called_synthetic(small):
    plain = "\n".join(line.rsplit("|", 1)[0] for line in SMALL.splitlines()) + "\n"
    small.write_text(plain)
    frame = assemble(small)
    assert frame.attrs["synthetic"] is False
    assert frame["deaths"].sum() == 25


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"(?m)^0", ""),  # the leading zeros lost
        (r"(?m)^(01\d+)", r'"\1"'),  # codes in quotation marks
        (r"\n", "\r\n"),
        (r"^", "\ufeff"),
        (r"NA\|NA", "|"),
        (r"\|(\d+)\|(\d+)\|([\d.NA]+)\|", r"|\1.0|\2|\3|"),  # counts as decimals
        (r"01002\|2000\|6", "01002|2000|06"),
    ],
)
def test_other_ways_to_write_the_same_table_give_the_same(small, tmp_path, pattern, replacement):
    text = re.sub(pattern, replacement, SMALL)
    assert text != SMALL
    other = tmp_path / "other.csv"
    other.write_bytes(text.encode())
    pd.testing.assert_frame_equal(assemble(other), assemble(small))


def test_rows_in_any_order_give_the_same(small, tmp_path):
    head, *rows = SMALL.splitlines()
    other = tmp_path / "other.csv"
    other.write_text("\n".join([head, *reversed(rows)]))
    pd.testing.assert_frame_equal(assemble(other), assemble(small))


def test_bytes_that_are_no_utf8_in_a_column_that_does_not_count_do_no_harm(small, tmp_path):
    other = damage(small, tmp_path / "latin.csv", rb"NA\|NA", b"\xd1|NA")
    pd.testing.assert_frame_equal(assemble(other), assemble(small))


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (rb"(?s).*", b"", "small.csv is empty"),
        (rb"^", b"<!DOCTYPE html>\n", "is a web page, not the table"),
        (rb"^", b"PK\x03\x04", "is compressed"),
        (
            rb"(?s)^.*",
            SMALL.replace("|", ",").encode(),
            r"columns separated by \|.*found 'ent_mun,",
        ),
        (rb"homicides", b"deaths", r"columns \['homicides'\] are missing; found \['ent_mun'"),
        (rb"pop_est", b"homicides", r"columns \['homicides'\] appear twice"),
        (rb"synthetic", b"syntetic", r"column \['syntetic'\] looks like 'synthetic'"),
        (rb"\|1\n", b"|0\n", "synthetic must be 1 in every row"),
        (rb"\|14\|", b"|14.5|", r"homicides must be whole .* found \[14\.5\], the first in row 3"),
        (rb"\|14\|", b"|-14|", r"homicides must be whole .* found \[-14\.0\]"),
        (rb"\|14\|", b"|NA|", r"homicides must be whole .* found \[nan\]"),
        (rb"\|14\|", b"|inf|", r"homicides must be whole .* found \[inf\]"),
        (rb"\|14\|", b"|many|", r"small.csv cannot be read: .*'many'"),
        (rb"\|14\|", b"|", r"small.csv cannot be read: .*Expected 7 columns, got 6"),
        (rb"\|8\|14", b"|13|14", r"months must be 1 to 12; found \[13\.0\]"),
        (rb"\|8\|14", b"|9|14", r"months must be 2000-06 to 2000-08; found \['2000-09'\]"),
        (rb"01001\|2000\|7.*\n", b"", r"^no row of \['01001 2000-07'\] \(1 in all\)"),
        (rb"(01001\|2000\|7.*\n)", rb"\1\1", r"^more than one row of \['01001 2000-07'\]"),
        (rb"01001\|2000\|7", b"01002|2000|7", r"^more than one row of \['01002 2000-07'\]"),
        (rb"01999", b"01998", r"^no row of \['01998 2000-06', '01998 2000-07'\]"),
        (rb"01999", b"33999", r"^codes \['MX33'\] are not in municipal_population"),
        (rb"01001", b"\xd11001", "ent_mun must be codes of five digits|cannot be read"),
        (rb"01001", b"001", r"ent_mun must be codes of five digits; found \['001'\]"),
        (rb"\|14\|", b"|15|", r"not add up .* in 1 state-months, by \['MX01 2000-08: \+1'\]"),
        (rb"01999.*\n", b"", r"not add up .* in 1 state-months, by \['MX01 2000-08: -2'\]"),
        (rb"(01002.*\n)+", b"", r"not add up .* in 2 state-months"),
        (rb"(01002.*\n)+(?s:.*)", b"", r"not add up .* in 2 state-months"),
        (rb"\n(?s:.*)", b"\n", "small.csv has a header but no rows"),
    ],
)
def test_damaged_table_is_refused_with_what_was_found(
    small, tmp_path, pattern, replacement, message
):
    (tmp_path / "damaged").mkdir()
    path = damage(small, tmp_path / "damaged" / "small.csv", pattern, replacement)
    with pytest.raises(ValueError, match=message):
        assemble(path)


def test_absent_municipality_that_was_not_created_since_is_named(small, tmp_path):
    path = damage(small, tmp_path / "absent.csv", rb"\|14\|", b"|19|")
    path.write_text(re.sub(r"01003.*\n", "", path.read_text()))
    counts = read_counts(path)
    nothing = CHANGES.iloc[:0]
    with pytest.raises(ValueError, match=r"^no row of the municipalities \['01003'\]"):
        assemble_municipalities(counts, STATES, POPULATION, nothing)


def test_code_that_no_table_knows_is_named(small):
    fewer = POPULATION.iloc[:2]
    with pytest.raises(ValueError, match=r"^codes \['01003'\] are not in municipal_population"):
        assemble_municipalities(read_counts(small), STATES, fewer, CHANGES.iloc[:0])


def test_unit_without_population_is_named(small):
    empty = POPULATION.assign(**{"2000": [0, 350, 50], "2001": [0, 350, 50]})
    with pytest.raises(ValueError, match=r"^units without population: \['01001'\]"):
        assemble_municipalities(read_counts(small), STATES, empty, CHANGES)


def test_missing_file_is_answered_with_where_to_find_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere\.csv\. Download .*U8DC3"):
        load_municipalities(tmp_path / "nowhere.csv")


def test_tables_given_are_not_changed(small):
    counts, given_ = read_counts(small), [STATES, POPULATION, CHANGES]
    before = [counts.copy(), *(table.copy() for table in given_)]
    assemble_municipalities(counts, *given_)
    for table, copy in zip([counts, *given_], before, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def test_units_linked_through_several_parents_are_one():
    changes = pd.DataFrame(
        {"municipality": ["e", "f", "g"], "parents": ["b;c", "d", "f;c"]},
    )
    assert merge_units(pd.Index(list("abcdefg")), changes).to_dict() == dict(
        zip("abcdefg", "abbbbbb", strict=True)
    )


@given(st.permutations([("e", "b;c"), ("f", "d"), ("g", "f;c")]))
def test_units_do_not_depend_on_the_order_of_the_changes(order):
    changes = pd.DataFrame(order, columns=["municipality", "parents"])
    assert "".join(merge_units(pd.Index(list("abcdefg")), changes)) == "abbbbbb"


def test_share_stays_constant_outside_the_known_years():
    population = pd.DataFrame({"2000": [1, 3], "2001": [2, 2]}, index=["01001", "01002"])
    months = pd.PeriodIndex(["1999-01", "2000-06", "2001-07", "2005-01"], freq="M")
    states = pd.DataFrame({"MX01": [8.0, 8.0, 8.0, 8.0]}, months)
    shared = share_person_years(population, states)
    assert shared.to_numpy().tolist() == [[2, 2, 4, 4], [6, 6, 4, 4]]


EDITS = st.one_of(
    st.tuples(
        st.just("replace"), st.integers(0, len(SMALL) - 1), st.binary(min_size=1, max_size=1)
    ),
    st.tuples(st.just("insert"), st.integers(0, len(SMALL)), st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("delete"), st.integers(0, len(SMALL) - 1), st.integers(1, 40)),
    st.tuples(st.just("cut"), st.integers(0, len(SMALL)), st.none()),
    st.tuples(st.just("repeat"), st.integers(0, len(SMALL) - 1), st.integers(1, 60)),
    st.tuples(
        st.just("replace"),
        st.integers(0, len(SMALL) - 1),
        st.sampled_from([bytes([c]) for c in b"0123456789|.-+e\n\"' N"]),
    ),
)


def corrupt(content, kind, at, what):
    if kind == "replace":
        return content[:at] + what + content[at + 1 :]
    if kind == "insert":
        return content[:at] + what + content[at:]
    if kind == "delete":
        return content[:at] + content[at + what :]
    if kind == "cut":
        return content[:at]
    return content[: at + what] + content[at:]


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory):
    path = tmp_path_factory.mktemp("undamaged") / "small.csv"
    path.write_text(SMALL, "utf-8")
    return assemble(path)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(edit=EDITS)
def test_corruption_is_an_error_or_changes_nothing(tmp_path, undamaged, edit):
    broken = tmp_path / "broken.csv"
    broken.write_bytes(corrupt(SMALL.encode(), *edit))
    try:
        found = assemble(broken)
    except (ValueError, FileNotFoundError):
        return
    assert found.equals(undamaged)
    assert found.attrs == undamaged.attrs


# --- the table of created municipalities --------------------------------------------------------


def test_created_municipalities_and_parents_are_known_by_name_and_of_one_state():
    assert len(CREATED) == 32
    assert CREATED["name"].to_dict() == PEOPLE.loc[CREATED.index, "name"].to_dict()
    parents = CREATED["parents"].str.split(";").explode()
    assert set(parents) <= set(PEOPLE.index) - set(CREATED.index)
    assert (parents.str[:2] == parents.index.str[:2]).all()
    assert (parents < parents.index).all()
    assert CREATED["created"].between(2000, 2022).all()


@pytest.mark.parametrize(
    ("code", "parent", "created"),
    [
        ("23009", "Solidaridad", 2008),
        ("23010", "Othón P. Blanco", 2011),
        ("07124", "Tecpatán", 2011),
        ("12077", "Azoyú", 2001),
        ("15125", "Jaltenco", 2003),
        ("02006", "Ensenada", 2020),
    ],
)
def test_well_known_separations_are_as_decreed(code, parent, created):
    assert PEOPLE.loc[CREATED.loc[code, "parents"], "name"] == parent
    assert CREATED.loc[code, "created"] == created


def test_units_are_the_municipalities_of_the_census_of_2000():
    units = merge_units(PEOPLE.index, CREATED.reset_index())
    assert units.nunique() == 2443
    assert not set(units) & set(CREATED.index)


# --- the whole table ----------------------------------------------------------------------------


def test_synthetic_table_has_the_shape_of_the_published_one(synthetic):
    with synthetic.open() as stream:
        head = stream.readline()
    assert head == "ent_mun|year|month|homicides|pop_est|homicide_rate|synthetic\n"
    counts = read_counts(synthetic)
    named = counts[~counts["municipality"].astype(str).str.endswith("999")]
    assert len(named) == 2469 * 276
    assert 0.78 < (named["deaths"] == 0).mean() < 0.84
    assert [path.name for path in synthetic.parent.iterdir()] == ["synthetic.csv"]


def test_population_column_has_the_step_that_makes_it_useless(synthetic):
    table = pd.read_csv(synthetic, sep="|", dtype={"ent_mun": str})
    by_year = table[table["month"] == 7].groupby("year")["pop_est"].sum()
    assert by_year[2009] == by_year[2000]
    assert by_year[2010] / by_year[2009] > 1.12
    created = table["ent_mun"].isin(CREATED.index)
    assert table.loc[created, ["pop_est", "homicide_rate"]].isna().all(axis=None)


def test_deaths_and_those_without_municipality_add_up_to_the_states(everything):
    states = load_states("inegi", complete_only=False)
    of = "MX" + everything.index.get_level_values("municipality").str[:2]
    found = everything["deaths"].groupby(of).sum()
    without = pd.Series(everything.attrs["unspecified"]).reindex(found.index, fill_value=0)
    expected = states["deaths"].groupby("state").sum()
    assert (found + without).to_dict() == expected.to_dict()
    assert 0 < without.sum() < 600
    gap = states["deaths"].groupby("month").sum() - everything["deaths"].groupby("month").sum()
    assert (gap >= 0).all()
    assert gap.sum() == without.sum()


def test_person_years_add_up_to_the_states(everything):
    states = load_states("inegi", complete_only=False)["person_years"]
    months = everything.index.get_level_values("month")
    of = "MX" + everything.index.get_level_values("municipality").str[:2]
    found = everything["person_years"].groupby([of, months]).sum()
    np.testing.assert_allclose(found.to_numpy(), states.to_numpy(), rtol=1e-9)


def test_merging_changes_no_sum(synthetic, everything):
    apart = load_municipalities(synthetic, complete_only=False, merge_created=False)
    assert len(apart.index.unique("municipality")) == 2469
    assert len(everything.index.unique("municipality")) == 2443
    assert len(everything.attrs["merged"]) == CREATED["parents"].nunique()
    assert set(apart.attrs["merged"]) == {"02002", "04001", "12012", "12023", "12041", "12053"}
    units = merge_units(PEOPLE.index, CREATED.reset_index())
    unit = apart.index.get_level_values("municipality").map(units)
    together = apart.groupby([unit, apart.index.get_level_values("month")]).sum()
    assert together["deaths"].tolist() == everything["deaths"].tolist()
    np.testing.assert_allclose(together["person_years"], everything["person_years"], rtol=1e-12)
    early = apart.loc["23009"].loc[:"2007", "deaths"]
    assert (len(early), early.sum()) == (96, 0)
    assert apart.loc["23009", "deaths"].sum() > 0


def test_months_still_being_registered_are_left_out_as_in_the_states(synthetic, everything):
    complete = load_municipalities(synthetic)
    states = load_states("inegi")
    assert complete.attrs["synthetic"] is True
    assert list(complete.index.unique("month")) == list(states.index.unique("month"))
    kept = everything[everything.index.get_level_values("month") <= pd.Period("2022-06", "M")]
    assert complete.equals(kept)
    total = complete["deaths"].sum() + sum(complete.attrs["unspecified"].values())
    assert total == states["deaths"].sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (rb"\n09015\|2011\|3\|.*\n", b"\n", r"^no row of \['09015 2011-03'\] \(1 in all\)"),
        (rb"\n(26018\|2011\|3\|.*\n)", rb"\n\1\1", r"^more than one row of \['26018 2011-03'\]"),
        (rb"\n08037\|2010\|(\d+)\|(\d)", rb"\n08037|2010|\1|1\2", r"1 state-months, by \['MX08 20"),
        (rb"\n20570\|2000\|1\|", b"\n20571|2000|1|", r"^no row of \['20570 2000-01', '20571 2000-"),
        (rb"(?s)\n25012\|2005\|.*", b"\n", r"^no row of \['25012 2005-01', "),
        (rb"(?s)\n25012\|2005.*", b"\n25012|20", r"cannot be read: .*Expected 7 columns, got 2"),
        (rb"\n30200\|", b"\n30\xf100|", "ent_mun must be codes of five digits|cannot be read"),
    ],
)
def test_fault_in_the_whole_table_is_found(synthetic, tmp_path, pattern, replacement, message):
    path = damage(synthetic, tmp_path / "damaged.csv", pattern, replacement)
    with pytest.raises(ValueError, match=message):
        load_municipalities(path)


def test_same_seed_gives_the_same_bytes(synthetic, tmp_path):
    synthesise_municipalities(tmp_path / "again.csv", seed=0)
    assert (tmp_path / "again.csv").read_bytes() == synthetic.read_bytes()


@pytest.mark.slow
def test_another_seed_gives_another_table(synthetic, everything, tmp_path):
    synthesise_municipalities(tmp_path / "other.csv", seed=1)
    other = load_municipalities(tmp_path / "other.csv", complete_only=False)
    assert (other["deaths"] != everything["deaths"]).any()
    assert other["person_years"].equals(everything["person_years"])


def test_seed_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        synthesise_municipalities(tmp_path / "x.csv", seed=None)
    assert list(tmp_path.iterdir()) == []


def test_a_further_column_is_no_fault(small, tmp_path):
    path = damage(small, tmp_path / "more.csv", rb"pop_est", b"notes")
    pd.testing.assert_frame_equal(read_counts(path), read_counts(small))
