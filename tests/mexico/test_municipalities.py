import gzip
import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv
from support.declared import states_of
from support.municipal_synthesis import synthesise_municipalities
from support.sweeps import sweep

from analysis import load_municipalities
from analysis.mexico.municipalities import (
    assemble_municipalities,
    merge_units,
    read_counts,
    share_person_years,
)
from analysis.mexico.tables import check_file, load_table

CREATED = load_table("municipal_changes").set_index("municipality")
PEOPLE = load_table("municipal_population").set_index("municipality")
UNITS = merge_units(PEOPLE.index, CREATED.reset_index())

# One state of three municipalities, the third separated from the second, and deaths nowhere.
SMALL = """\
ent_mun|year|month|homicides|pop_est|homicide_rate
01001|2000|6|3|100|1.5
01001|2000|7|0|100|0
01001|2000|8|14|100|7
01002|2000|6|0|300|0
01002|2000|7|2|300|0.5
01002|2000|8|1|300|0.25
01003|2000|6|0|NA|NA
01003|2000|7|0|NA|NA
01003|2000|8|5|NA|NA
01999|2000|8|2|NA|NA
"""
MONTHS = pd.period_range("2000-06", "2000-08", freq="M", name="month")
STATES = pd.DataFrame({"deaths": [3, 2, 22], "person_years": [40.0, 41.0, 42.0]}, MONTHS)
STATES = pd.concat({"MX01": STATES}, names=["state", "month"])
POPULATION = pd.DataFrame(
    [("01001", "One", 100, 200), ("01002", "Two", 250, 150), ("01003", "Three", 50, 50)],
    columns=["municipality", "name", "2000", "2001"],
)
NOTHING = {"registered_later": 0, "gaps": [], "unreliable": []}
CHANGES = pd.DataFrame({"municipality": ["01003"], "parents": ["01002"]})


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    path = tmp_path_factory.mktemp("municipalities") / "synthetic.csv"
    synthesise_municipalities(path)
    return path


@pytest.fixture(scope="module")
def everything(synthetic):
    return load_municipalities(synthetic, complete_only=False)


@pytest.fixture(scope="module")
def everywhere(everything):
    """The state and the month of every row."""
    codes, months = (everything.index.get_level_values(level) for level in (0, 1))
    return "MX" + codes.str[:2], months


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text(SMALL, "utf-8")
    return path


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory):
    path = tmp_path_factory.mktemp("undamaged") / "small.csv"
    path.write_text(SMALL, "utf-8")
    return assemble(path)


def assemble(path, *, changes=CHANGES, population=POPULATION, **options):
    return assemble_municipalities(read_counts(path), STATES, population, changes, **options)


def damage(path, pattern, replacement, *, into=None, count=1):
    """Replace the first match of `pattern` (0: all), if there is one, in the table or a copy."""
    before, into = path.read_bytes(), into or path
    content = re.sub(pattern, replacement, before, count=count)
    assert content != before
    into.write_bytes(content)
    return into


# --- a small table, by hand ---------------------------------------------------------------------


def test_small_table_has_the_deaths_of_the_file_and_the_shares_worked_by_hand(small):
    frame = assemble(small, merge_created=False)
    deaths = frame["deaths"].unstack("month").to_numpy()
    assert deaths.tolist() == [[3, 0, 14], [0, 2, 1], [0, 0, 5]]
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
    assert frame.attrs == {"source": "inegi", "merged": {}, "unspecified": {"MX01": 2}, **NOTHING}


def test_created_municipality_is_added_to_its_parent(undamaged):
    assert undamaged["deaths"].unstack("month").to_numpy().tolist() == [[3, 0, 14], [0, 2, 6]]
    assert list(undamaged.index.unique("municipality")) == ["01001", "01002"]
    assert undamaged.loc[("01002", "2000-06"), "person_years"] == pytest.approx(30, rel=1e-12)
    assert undamaged.attrs["merged"] == {"01002": ["01002", "01003"]}


def test_created_municipality_without_a_row_is_added_to_its_parent_either_way(small, undamaged):
    damage(small, rb"01002\|2000\|8\|1\|", b"01002|2000|8|6|")
    damage(small, rb"(01003.*\n)+", b"")
    pd.testing.assert_frame_equal(assemble(small), undamaged)
    pd.testing.assert_frame_equal(assemble(small, merge_created=False), undamaged)


def test_months_after_the_last_asked_for_are_left_out_with_their_unspecified_deaths(small):
    frame = assemble(small, months_to_register=1)
    assert list(frame.index.unique("month")) == list(MONTHS[:2])
    assert frame["deaths"].sum() == 5
    assert frame.attrs["unspecified"] == {}


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    sweep(
        [
            (rb"(?m)^0", b""),  # the leading zeros lost
            (rb"(?m)^(01\d+)", rb'"\1"'),  # codes in quotation marks
            (rb"\n", b"\r\n"),
            (rb"^", b"\xef\xbb\xbf"),
            (rb"NA\|NA", b"|"),
            (rb"NA\|NA", b"\xd1|NA"),  # no UTF-8, in a column that does not count
            (rb"\|", b","),
            (rb"\|(\d+)\|(\d+)\|([\d.NA]+)\|", rb"|\1.0|\2|\3|"),  # counts as decimals
            (rb"01002\|2000\|6", b"01002|2000|06"),
        ],
        0,
        3,
        6,
        7,
    ),
)
def test_other_ways_to_write_the_same_table_give_the_same(small, undamaged, pattern, replacement):
    damage(small, pattern, replacement, count=0)
    pd.testing.assert_frame_equal(assemble(small), undamaged)


def test_rows_in_any_order_give_the_same(small, undamaged):
    head, *rows = SMALL.splitlines()
    small.write_text("\n".join([head, *reversed(rows)]))
    pd.testing.assert_frame_equal(assemble(small), undamaged)


def test_a_further_column_is_no_fault(small):
    expected = read_counts(small)
    pd.testing.assert_frame_equal(read_counts(damage(small, rb"pop_est", b"notes")), expected)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (rb"(?s).*", b"", r"small.csv: columns \['ent_mun', .* are missing; found ''"),
        (rb"^", b"<!DOCTYPE html>\n", "are missing; found '<!DOCTYPE html>'.* again"),
        (rb"^", b"PK\x03\x04", r"columns \['ent_mun'\].* missing; found 'PK"),
        (rb"(?s)^.*", SMALL.replace("|", ";").encode(), r"separated by \| or commas.*'ent_mun;"),
        (rb"homicides", b"deaths", r"columns \['homicides'\].* are missing; found 'ent_mun\|"),
        (rb"pop_est", b"homicides", r"columns \['homicides'\] appear twice"),
        (rb"\|14\|", b"|14.5|", r"homicides must be whole .* found \[14\.5\], the first in row 3"),
        (rb"\|14\|", b"|-14|", r"homicides must be whole .* found \[-14\.0\]"),
        (rb"\|14\|", b"|NA|", r"homicides must be whole .* found \[nan\]"),
        (rb"\|14\|", b"|inf|", r"homicides must be whole .* found \[inf\]"),
        (rb"\|14\|", b"|many|", r"small.csv: cannot be read: .*'many'"),
        (rb"\|14\|", b"|", r"small.csv: cannot be read: .*Expected 6 columns, got 5"),
        (rb"\|8\|14", b"|13|14", r"month must be .* from 1 to 12; found \[13\.0\]"),
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
        (rb"\n(?s:.*)", b"\n", "small.csv: a header but no rows"),
    ],
)
def test_damaged_table_is_refused_with_what_was_found(small, pattern, replacement, message):
    damage(small, pattern, replacement)
    with pytest.raises(ValueError, match=message):
        assemble(small)


def test_absent_municipality_that_was_not_created_since_is_named(small):
    damage(small, rb"\|14\|", b"|19|")
    damage(small, rb"(01003.*\n)+", b"")
    with pytest.raises(ValueError, match=r"^no row of the municipalities \['01003'\]"):
        assemble(small, changes=CHANGES.iloc[:0])


def test_code_that_no_table_knows_is_named(small):
    with pytest.raises(ValueError, match=r"^codes \['01003'\] are not in municipal_population"):
        assemble(small, population=POPULATION.iloc[:2], changes=CHANGES.iloc[:0])


def test_unit_without_population_is_named(small):
    empty = POPULATION.assign(**{"2000": [0, 350, 50], "2001": [0, 350, 50]})
    with pytest.raises(ValueError, match=r"^units without population: \['01001'\]"):
        assemble(small, population=empty)


def test_missing_file_is_answered_with_where_to_find_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere\.csv\. Download .*U8DC3"):
        load_municipalities(tmp_path / "nowhere.csv")


def test_tables_given_are_not_changed(small):
    tables = [read_counts(small), STATES, POPULATION, CHANGES]
    before = [table.copy() for table in tables]
    assemble_municipalities(*tables)
    for table, copy in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)


@given(st.permutations([("e", "b;c"), ("f", "d"), ("g", "f;c")]))
def test_units_linked_through_several_parents_are_one_in_any_order_of_the_changes(order):
    changes = pd.DataFrame(order, columns=["municipality", "parents"])
    units = merge_units(pd.Index(list("abcdefg")), changes)
    assert units.to_dict() == dict(zip("abcdefg", "abbbbbb", strict=True))


def test_share_stays_constant_outside_the_known_years():
    population = pd.DataFrame({"2000": [1, 3], "2001": [2, 2]}, ["01001", "01002"])
    months = pd.PeriodIndex(["1999-01", "2000-06", "2001-07", "2005-01"], freq="M")
    states = pd.DataFrame({"MX01": 8.0}, months)
    shared = share_person_years(population, states)
    assert shared.to_numpy().tolist() == [[2, 2, 4, 4], [6, 6, 4, 4]]


AT, SHORT = st.integers(0, len(SMALL)), st.binary(min_size=1, max_size=3)
ONE = st.binary(min_size=1, max_size=1)
ONE |= st.sampled_from([bytes([c]) for c in b"0123456789|.-+e\n\"' N"])
# Where, how many bytes to leave out (to repeat, if negative), and what to put in.
EDITS = st.one_of(
    st.tuples(AT, st.just(1), ONE),
    st.tuples(AT, st.just(0), SHORT),
    st.tuples(AT, st.integers(-60, 40) | st.just(len(SMALL)), st.just(b"")),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edit=EDITS)
def test_corruption_is_an_error_or_changes_nothing(tmp_path, undamaged, edit):
    (at, left_out, what), content = edit, SMALL.encode()
    broken = tmp_path / "broken.csv"
    broken.write_bytes(content[:at] + what + content[max(at + left_out, 0) :])
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


def test_well_known_separations_are_as_decreed():
    known = CREATED.loc[["23009", "23010", "07124", "12077", "15125", "02006"]]
    parents = ["Solidaridad", "Othón P. Blanco", "Tecpatán", "Azoyú", "Jaltenco", "Ensenada"]
    assert PEOPLE.loc[known["parents"], "name"].tolist() == parents
    assert known["created"].tolist() == [2008, 2011, 2011, 2001, 2003, 2020]


def test_units_are_the_municipalities_of_the_census_of_2000():
    assert UNITS.nunique() == 2443
    assert not set(UNITS) & set(CREATED.index)


# --- the whole table ----------------------------------------------------------------------------


@pytest.mark.slow
def test_synthetic_table_has_the_shape_of_the_published_one(synthetic):
    with synthetic.open() as stream:
        assert stream.readline() == SMALL.splitlines(keepends=True)[0]
    counts = read_counts(synthetic)
    named = counts[~counts["municipality"].astype(str).str.endswith("999")]
    assert len(named) == 2469 * 276
    assert 0.78 < (named["deaths"] == 0).mean() < 0.84
    assert [path.name for path in synthetic.parent.iterdir()] == ["synthetic.csv"]


@pytest.mark.slow
def test_population_column_has_the_step_that_makes_it_useless(synthetic):
    table = pd.read_csv(synthetic, sep="|", dtype={"ent_mun": str})
    by_year = table[table["month"] == 7].groupby("year")["pop_est"].sum()
    assert by_year[2009] == by_year[2000]
    assert by_year[2010] / by_year[2009] > 1.12
    created = table["ent_mun"].isin(CREATED.index)
    assert table.loc[created, ["pop_est", "homicide_rate"]].isna().all(axis=None)


@pytest.mark.slow
def test_deaths_and_those_without_municipality_add_up_to_the_states(everything, everywhere):
    states = states_of("inegi", complete_only=False)
    found = everything["deaths"].groupby(everywhere[0]).sum()
    without = pd.Series(everything.attrs["unspecified"]).reindex(found.index, fill_value=0)
    expected = states["deaths"].groupby("state").sum()
    assert (found + without).to_dict() == expected.to_dict()
    assert 0 < without.sum() < 600
    gap = states["deaths"].groupby("month").sum() - everything["deaths"].groupby("month").sum()
    assert (gap >= 0).all()
    assert gap.sum() == without.sum()


@pytest.mark.slow
def test_person_years_add_up_to_the_states(everything, everywhere):
    states = states_of("inegi", complete_only=False)["person_years"]
    found = everything["person_years"].groupby([*everywhere]).sum()
    np.testing.assert_allclose(found.to_numpy(), states.to_numpy(), rtol=1e-9)


@pytest.mark.slow
def test_merging_changes_no_sum(synthetic, everything):
    apart = load_municipalities(synthetic, complete_only=False, merge_created=False)
    assert len(apart.index.unique("municipality")) == 2469
    assert len(everything.index.unique("municipality")) == 2443
    assert len(everything.attrs["merged"]) == CREATED["parents"].nunique()
    assert set(apart.attrs["merged"]) == {"02002", "04001", "12012", "12023", "12041", "12053"}
    unit = apart.index.get_level_values("municipality").map(UNITS)
    together = apart.groupby([unit, apart.index.get_level_values("month")]).sum()
    assert together["deaths"].tolist() == everything["deaths"].tolist()
    np.testing.assert_allclose(together["person_years"], everything["person_years"], rtol=1e-12)
    early = apart.loc["23009"].loc[:"2007", "deaths"]
    assert (len(early), early.sum()) == (96, 0)
    assert apart.loc["23009", "deaths"].sum() > 0


@pytest.mark.slow
def test_months_still_being_registered_are_left_out_as_in_the_states(
    synthetic, everything, everywhere
):
    complete = load_municipalities(synthetic)
    states = states_of("inegi", complete_only=False).loc[(slice(None), slice(None, "2022-06")), :]
    states.index = states.index.remove_unused_levels()
    assert list(complete.index.unique("month")) == list(states.index.unique("month"))
    assert complete.equals(everything[everywhere[1] <= pd.Period("2022-06", "M")])
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
        (rb"(?s)\n25012\|2005.*", b"\n25012|20", r"cannot be read: .*Expected 6 columns, got 2"),
        (rb"\n30200\|", b"\n30\xf100|", "ent_mun must be codes of five digits|cannot be read"),
    ],
)
def test_fault_in_the_whole_table_is_found(synthetic, tmp_path, pattern, replacement, message):
    path = damage(synthetic, pattern, replacement, into=tmp_path / "damaged.csv")
    with pytest.raises(ValueError, match=message):
        load_municipalities(path)


@pytest.mark.slow
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


# --- the embedded table, and other releases ------------------------------------------------------


@pytest.fixture(scope="module")
def embedded():
    return load_municipalities(complete_only=False)


@pytest.fixture
def copy(tmp_path):
    """The embedded table, unpacked, to be damaged."""
    path = tmp_path / "municipal.csv"
    path.write_bytes(gzip.decompress(check_file("municipal_deaths").read_bytes()))
    return path


@pytest.mark.slow
def test_embedded_table_has_the_deaths_that_its_release_had(embedded):
    assert embedded["deaths"].sum() == 449_679
    assert len(embedded.index.unique("municipality")) == 2443
    months = embedded.index.unique("month")
    assert (str(months[0]), str(months[-1]), len(months)) == ("2000-01", "2021-12", 264)
    assert embedded.attrs["registered_later"] == 1108
    assert embedded.attrs["unspecified"] == {}
    units = embedded.index.unique("municipality")
    carried = {gap["place"] for gap in embedded.attrs["gaps"] if gap["first"] == "2007-01"}
    assert carried == set(units[units.str[:2].isin(["05", "07", "09", "28"])])
    assert {each["place"] for each in embedded.attrs["unreliable"]} == set(
        units[units.str[:2] == "07"]
    )
    by_year = embedded["deaths"].groupby(embedded.index.get_level_values("month").year).sum()
    states = states_of("inegi", complete_only=False)["deaths"]
    later = states.groupby(states.index.get_level_values("month").year).sum() - by_year
    assert later[[2000, 2019, 2020, 2021]].to_list() == [0, 86, 232, 720]


@pytest.mark.slow
def test_known_towns_have_their_known_deaths(embedded):
    # Ciudad Juárez, where most died in 2010
    juarez = embedded.loc["08037", "deaths"]
    by_year = juarez.groupby(juarez.index.year).sum()
    assert by_year.idxmax() == 2010
    assert by_year[[2007, 2010]].to_list() == [200, 3747]


@pytest.mark.slow
def test_embedded_table_leaves_out_half_a_year_that_is_still_being_registered(embedded):
    complete = load_municipalities()
    assert str(complete.index.unique("month")[-1]) == "2021-06"
    assert complete["deaths"].sum() < embedded["deaths"].sum()


@pytest.mark.slow
def test_ones_own_copy_of_the_release_gives_the_same_plain_or_packed(embedded, copy, tmp_path):
    pd.testing.assert_frame_equal(load_municipalities(copy, complete_only=False), embedded)
    bars = tmp_path / "bars.csv.gz"
    bars.write_bytes(gzip.compress(copy.read_bytes().replace(b",", b"|")))
    pd.testing.assert_frame_equal(load_municipalities(bars, complete_only=False), embedded)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    sweep(
        [
            (
                rb"\n15033,2011,3,.*\n",
                b"\n15033,2011,3,900\n",
                r"1 state-months, by \['MX15 2011-03: ",
            ),
            (rb"(?s)\n08037,2010.*", b"\n", "not add up"),
            (rb"\n(09007,2005,\d+,\d+\n)", rb"\n\1\1", r"^more than one row of \['09007 2005-"),
            (rb"\n(14039,20(16|17|18),\d+,\d+\n)+", b"\n", r"not add up .*MX14 201[678]"),
        ],
    ),
)
def test_damage_to_a_release_without_zeros_is_found(copy, pattern, replacement, message):
    damage(copy, pattern, replacement)
    with pytest.raises(ValueError, match=message):
        load_municipalities(copy)


def test_a_gzip_cut_in_the_middle_is_named(tmp_path):
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(check_file("municipal_deaths").read_bytes()[:200_000])
    with pytest.raises(ValueError, match=r"cut\.csv\.gz: cannot be read \(EOFError.*\. Is it cut"):
        load_municipalities(path)


@pytest.mark.parametrize("end", sweep([b"\n", b"\r", b"\r\n"], 1))
def test_a_table_far_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch, end):
    path = tmp_path / "large.csv.gz"
    row = b"01001|2000|6|3|100|1.5" + end
    path.write_bytes(gzip.compress(SMALL.encode() + row * 1_000_001, compresslevel=1))
    monkeypatch.setattr(csv, "read_csv", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=r"large.csv.gz: more than 1,000,000 rows or"):
        read_counts(path)


def test_a_gzip_that_unpacks_to_far_too_much_is_refused_in_little_memory(tmp_path):
    path = tmp_path / "bomb.csv.gz"
    part = gzip.compress(b"1\n" * 2**22, compresslevel=1)
    path.write_bytes(gzip.compress(SMALL.encode()) + part * 17)  # 71 million rows
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"bomb.csv.gz: more than 1,000,000 rows"):
            read_counts(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
