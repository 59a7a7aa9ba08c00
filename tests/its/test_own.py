"""A stranger's file: read as it can only be meant, or the fault is named with what to do."""

import traceback
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.folders import REFERENCE, ROOT

import analysis
from analysis.files import write_zip
from analysis.its.own import EXAMPLE, read_own
from analysis.mexico.tables import check_file

PAIRS = "date=month, count=cases"
PACKAGE = str(Path(analysis.__file__).parent)


def read(folder, text, columns=PAIRS, encoding="utf-8", **texts):
    (folder / "mine.csv").write_text(text, encoding)
    return read_own("mine.csv", columns, beside=folder, **texts)


def series_of(folder, text, columns=PAIRS, **texts):
    return read(folder, text, columns, **texts)[0]["series"].iloc[:, 0]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["2005-10", "2005-11", "2005-12"], pd.period_range("2005-10", periods=3, freq="M")),
        (["2005-11-01", "2005-10-01"], pd.period_range("2005-10", periods=2, freq="M")),
        (["2005/1", "2005/2"], pd.period_range("2005-01", periods=2, freq="M")),
        (["2005Q3", "2005Q4"], pd.period_range("2005Q3", periods=2, freq="Q")),
        (["2005-q3", "2005-q4"], pd.period_range("2005Q3", periods=2, freq="Q")),
        (["2005-03-31", "2005-06-30"], pd.period_range("2005Q1", periods=2, freq="Q")),
        (["2005", "2006"], pd.period_range("2005", periods=2, freq="Y")),
        (["2005-07-01", "2006-07-01"], pd.period_range("2005", periods=2, freq="Y")),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
def test_dates_are_the_longest_periods_that_have_one_row(tmp_path, dates, expected):
    text = "month,cases\n" + "".join(f"{date},{n}\n" for n, date in enumerate(dates))
    assert series_of(tmp_path, text).index.equals(expected)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("month,cases\n2005-10,1\n2005-11,0\n", [1, 0]),
        ("\ufeffmonth;cases\r\n2005-10;1,5\r\n2005-11;1234,25\r\n;\r\n", [1.5, 1234.25]),
        ("month\tcases\n2005-10\t-1.125\n2005-11\t2.250\n", [-1.125, 2.25]),
        ('"month","cases"\n"2005-10","1,25"\n"2005-11","2"\n', [1.25, 2]),
        ("cases,month\n1,2005-11\n\n2,2005-10\n", [2, 1]),
    ],
    ids=["commas", "semicolons", "tabs", "quoted", "other order"],
)
def test_commas_semicolons_tabs_and_decimal_commas_are_read(tmp_path, text, numbers):
    assert series_of(tmp_path, text).tolist() == numbers


REFUSED = [
    ("month;cases\n2005-10;1.234\n2005-11;5.678\n", PAIRS, "between thousands. Found"),
    ('month,cases\n2005-10,"1,234"\n2005-11,7\n', PAIRS, "Found .'1,234'"),
    ("month;cases\n2005-10;1,5\n2005-11;1.5\n", PAIRS, "one kind of decimal mark"),
    ("month,cases\n2005-10,1,5\n2005-11,2\n", PAIRS, "',': .2, 3.*part the columns by semi"),
    ("month,cases,cases\n2005-10,1,2\n", PAIRS, "a name of its own"),
    ("a;b,c;d\n1;2,3;4\n", PAIRS, "month|a CSV with a header|unknown column"),
    ("", PAIRS, "a CSV with a header"),
    ("month,cases\n01/10/2005,1\n01/11/2005,2\n", PAIRS, "Day and month in another order"),
    ("month,cases\n2005-10,1\n2005,2\n", PAIRS, "one form throughout.*found .'2005'"),
    ("month,cases\n2005-13,1\n", PAIRS, "2005-13"),
    ("month,cases\n2005-10-01,1\n2005-10-08,1\n", PAIRS, "2005-10'. stand in more than one row"),
    ("month,cases\n2005-10,1\n2005-12,1\n", PAIRS, "no row for .'2005-11'.*a row with 0"),
    ("month,cases\n2005-10,5%\n", PAIRS, "'cases' must be numbers; found '5%' in 2005"),
    ("month,cases\n2005-10,\n", PAIRS, "'cases' must be numbers; found none"),
    ("month,cases\n2005-10,1\n", "date=month, count=case", "column 'case'. Did you mean 'cases'"),
    ("month,cases\n2005-10,1\n", "date=month, cuont=cases", "'cuont'. Did you mean 'count'"),
    ("month,cases\n2005-10,1\n", "cases", "take pairs such as"),
    ("month,cases\n2005-10,1\n", "count=cases, count=month", "each name once"),
    ("month,cases\n2005-10,1\n", "", "must say which column is what"),
    ("month,cases\n2005-10,1\n", "count=cases, total=cases", "serve once"),
]


@pytest.mark.parametrize(("text", "columns", "message"), REFUSED, ids=[x[-1] for x in REFUSED])
def test_what_can_be_meant_in_two_ways_is_refused_with_what_to_do(tmp_path, text, columns, message):
    with pytest.raises((ValueError, KeyError), match=message):
        read(tmp_path, text, columns)


def test_other_encodings_and_workbooks_are_named(tmp_path):
    for encoding in ("utf-16", "latin-1"):
        with pytest.raises(ValueError, match=r"mine\.csv must be a CSV saved as UTF-8"):
            read(tmp_path, "mes,niños\n2005-10,1\n", encoding=encoding)


def test_file_is_looked_for_here_then_beside_and_both_places_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"'none\.csv', '.*far/none\.csv'"):
        read_own("none.csv", PAIRS, beside=tmp_path / "far")


def test_holes_of_any_column_are_left_out_and_told(tmp_path):
    text = "month,cases,people,rain\n2005-10,1,9,\n2005-11,NA,9,1\n2005-12,3,9,2\n"
    columns, texts = "count=cases, exposure=people", {"covariates": "rain", "omit": "2005-12"}
    found, told = read(tmp_path, text, columns, **texts)
    assert [*map(str, found["omit"])] == ["2005-12", "2005-10", "2005-11"]
    assert found["series"].notna().all(axis=None)
    assert found["covariates"].columns.tolist() == ["rain"]
    assert "missing: 2005-10, 2005-11. Columns not used: none" in told


def test_rows_of_values_may_be_missing(tmp_path):
    found, told = read(tmp_path, "year,level\n2001,1\n2003,2\n2004,2\n", "value=level")
    assert [*map(str, found["omit"])] == ["2002"]
    assert "4 years, 2001 to 2004" in told


def test_control_has_the_names_of_the_series(tmp_path):
    text = "month,a,b,c,d\n2005-10,1,9,2,8\n2005-11,1,9,3,8\n"
    columns = "count=a, exposure=b"
    control = read(tmp_path, text, columns, control="exposure=d, count=c")[0]["control"]
    assert control.to_dict("list") == {"b": [8, 8], "a": [2, 3]}
    with pytest.raises(ValueError, match="control the same"):
        read(tmp_path, text, columns, control="count=c")


def test_example_is_the_reference_table_with_the_hash_that_is_declared():
    reference = pd.read_csv(REFERENCE / "florida.csv")
    path = check_file("florida-homicides", folder=ROOT / "notebooks/data")
    assert path == ROOT / EXAMPLE["file"]
    own = pd.read_csv(path)
    for case, prefix in ((1, ""), (0, "control_")):
        part = reference[reference["case"] == case].reset_index()
        np.testing.assert_array_equal(own[f"{prefix}homicides"], part["hom"])
        np.testing.assert_array_equal(own[f"{prefix}population"], part["people"])
        assert own["month"].equals(part["month"])


def test_zip_has_the_same_bytes_in_any_order(tmp_path):
    tables = {"b": pd.DataFrame({"x": [1 / 3]}), "a": pd.DataFrame({"y": ["z"]})}
    write_zip(tables, tmp_path / "one.zip")
    write_zip(dict(reversed(tables.items())), tmp_path / "two.zip")
    made = (tmp_path / "one.zip").read_bytes()
    assert made == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as package:
        assert package.namelist() == ["a.csv", "b.csv"]
        assert package.read("b.csv") == b"x\n0.333333\n"


cells = st.sampled_from(
    ["2005-10", "2005", "2005Q1", "1,5", "1.234", "", "NA", "7", '"', "x", "-0"]
)
lines = st.lists(st.lists(cells | st.text(max_size=4), min_size=1, max_size=4), max_size=6)
texts = st.one_of(
    st.text(),
    st.tuples(st.sampled_from(",;\t"), lines).map(lambda x: "\n".join(map(x[0].join, x[1]))),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts, head=st.sampled_from(["", "month,cases\n", "month;cases\n"]), columns=texts)
@example(text="2005-10,1e999", head="month,cases\n", columns=PAIRS)
@example(text="2005-10,٣", head="month,cases\n", columns=PAIRS)
@example(text="0000-10,1", head="month,cases\n", columns=PAIRS)
def test_any_text_is_read_or_explained(tmp_path, text, head, columns):
    (tmp_path / "mine.csv").write_bytes((head + text).encode("utf-8", "surrogatepass"))
    for pairs in (PAIRS, columns):
        try:
            found, _ = read_own("mine.csv", pairs, beside=tmp_path)
        except (ValueError, KeyError) as error:
            last, told = traceback.extract_tb(error.__traceback__)[-1].filename, repr(error)
        else:
            last, told = PACKAGE, found["series"].to_csv()
            assert np.isfinite(found["series"].to_numpy()).all(), told
        assert last.startswith(PACKAGE), told
