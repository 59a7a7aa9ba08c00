import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from support.published import assert_published, published_estimates

from analysis import fit_its, load_policy_shifts, load_series
from analysis.files import round_table, write_table
from analysis.its.words import significant
from analysis.report.estimates import ESTIMATE_COLUMNS, estimate_rows, read_rows
from analysis.style import save_figure

SINALOA, CALDERON = ("sinaloa-2008-05", "inegi"), ("calderon-2006-12", "inegi")


@pytest.mark.parametrize(("slug", "source"), [CALDERON, ("special-forces-2020", "sesnsp"), SINALOA])
def test_published_numbers_come_out_of_a_fit(slug, source):
    shift = load_policy_shifts()[slug]
    series = load_series(source, place=shift.places)
    rows = estimate_rows(fit_its(series, shift), source=source, place="+".join(shift.places))
    assert list(rows.columns) == ESTIMATE_COLUMNS
    assert_published(rows, published_estimates().query("shift == @slug and source == @source"))


def test_a_missing_estimand_carries_its_reason():
    shift = load_policy_shifts()["sheinbaum-2024-10"]
    rows = estimate_rows(fit_its(load_series("sesnsp"), shift), source="sesnsp", place="MX00")
    rows = rows[rows["estimand"] == "effect_24m"]
    assert len(rows) == 7
    assert rows["estimate"].isna().all()
    assert set(rows["note"]) == {"9 months after the shift; 24 are needed, or it extrapolates"}


def test_numbers_are_rounded_to_significant_digits_and_the_table_is_left_alone():
    numbers = [123456.789, 0.000123456789, np.nan]
    table = pd.DataFrame({"x": numbers, "n": [1, 2, 3], "s": list("abc")})
    before = table.copy()
    rounded = round_table(table)
    assert rounded["x"].tolist()[:2] == [123457.0, 0.000123457]
    assert rounded["n"].tolist() == [1, 2, 3]
    pd.testing.assert_frame_equal(table, before)


def test_tables_are_the_same_bytes_each_time_and_come_back(tmp_path):
    table = pd.DataFrame({"x": [1 / 3, np.nan], "flags": ["a b", ""], "note": ["", "é"]})
    for name in ("a.csv", "b.csv", "a.parquet", "b.parquet"):
        write_table(table, tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == "x,flags,note\n0.333333,a b,\n,,é\n".encode()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = read_rows([tmp_path / "a.csv"])
    assert back["flags"].tolist() == ["a b", ""]


def test_a_missing_result_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no result yet of \['merida--inegi'\].*pytask"):
        read_rows([tmp_path / "merida--inegi.csv"])


def test_a_figure_is_the_same_bytes_each_time(tmp_path):
    for name in ("one/figure", "two/figure"):
        figure, ax = plt.subplots()
        ax.plot([0, 1], [1, 0])
        save_figure(figure, tmp_path / name)
    for name in ("figure.svg", "figure.png"):
        first, second = (tmp_path / folder / name for folder in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size > 1000


def test_an_interval_that_leaves_zero_out_is_significant():
    rows = pd.DataFrame({"low": [1.0, -1.0, -2.0, np.nan], "high": [2.0, 1.0, -1.0, np.nan]})
    assert [significant(row) for _, row in rows.iterrows()] == [True, False, True, False]
