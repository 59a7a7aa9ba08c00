import shutil

import pandas as pd
import pytest
from support.folders import REFERENCE

from analysis.validation.published import COLUMNS, compare_published


@pytest.fixture(scope="module")
def table():
    return compare_published(REFERENCE)


def test_every_published_number_is_reproduced(table):
    assert table.columns.tolist() == COLUMNS
    assert table.loc[~table["holds"], ["case", "quantity", "target", "ours"]].empty
    assert len(table) == 44


@pytest.mark.parametrize("case", ["Sicily", "Quetiapine", "Nile", "nlme", "Newey-West"])
def test_every_case_is_there_with_its_source(table, case):
    rows = table[table["case"].str.contains(case)]
    assert len(rows) >= 4
    assert rows["source"].str.contains("doi:10.").all()
    assert (table["deviation"].abs() <= table["tolerance"]).equals(table["holds"])


SICILY = ("sicily.csv", "2005,6,", "2005,7,", None)
NILE = ("nile.csv", "1899,774", "1899,1774", "Nile")
QUETIAPINE = ("quetiapine.csv", None, None, "Quetiapine")


@pytest.mark.parametrize(("name", "old", "new", "case"), [SICILY, NILE, QUETIAPINE])
def test_changed_figure_no_longer_holds(tmp_path, name, old, new, case):
    path = shutil.copytree(REFERENCE, tmp_path / "reference") / name
    text = path.read_text("utf-8")
    if old is None:  # a twentieth more in the last month
        start, value = text.rsplit(",", 1)
        text = f"{start},{1.05 * float(value):.0f}\n"
    else:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    failed = compare_published(path.parent).query("not holds")["case"]
    assert failed.empty == (case is None)  # the month's own number is not read: nothing may change
    assert failed.str.contains(case or "").all()


def test_numbers_are_finite(table):
    assert pd.notna(table[["target", "ours", "deviation", "tolerance"]]).all(axis=None)
