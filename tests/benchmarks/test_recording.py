import json
import shutil

import pandas as pd
import pytest
from support.folders import ROOT

from analysis.mexico.tables import check_file, forget_tables, load_table
from benchmarks.recording import write_record

HERE = ROOT / "benchmarks"
RECORDS = {
    x["name"]: x for x in json.loads((HERE / "datapackage.json").read_text("utf-8"))["resources"]
}


@pytest.fixture
def records(tmp_path):
    for path in ("datapackage.json", "gaps.csv", "windows.csv"):
        shutil.copy(HERE / path, tmp_path)
    return tmp_path


def test_every_recorded_table_is_declared():
    found = {path.relative_to(HERE).as_posix() for path in HERE.rglob("*.csv")}
    assert found == {record["path"] for record in RECORDS.values()}


@pytest.mark.slow
def test_records_are_a_valid_data_package():
    import frictionless  # for this alone

    report = frictionless.validate(str(HERE / "datapackage.json"))
    assert report.flatten(["title", "rowNumber", "fieldName", "note"]) == []
    assert [task.name for task in report.tasks] == list(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_every_recorded_table_has_its_hash_and_a_program_that_made_it(name):
    assert check_file(name, folder=HERE).stat().st_size == RECORDS[name]["bytes"]
    program = ROOT / RECORDS[name]["made"].split()[1]
    assert "write_record(" in program.read_text(encoding="utf-8")


@pytest.mark.parametrize("place", [0, 0.3, 0.999])
def test_a_changed_digit_is_refused_and_the_program_named(records, place):
    path = records / "windows.csv"
    content = bytearray(path.read_bytes())
    digits = [at for at, byte in enumerate(content) if chr(byte).isdigit()]
    at = digits[int(place * len(digits))]
    content[at] = ord("0") + (content[at] - ord("0") + 1) % 10
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"windows\.csv has .* `python benchmarks/windows\.py`"):
        load_table("windows", folder=records)
    load_table("gaps", folder=records)


def test_recording_anew_writes_the_hash_too(records):
    before = json.loads((records / "datapackage.json").read_text("utf-8"))["resources"]
    table = pd.DataFrame({"value": [0.1, 5, 1 / 3]})
    write_record(table, records / "gaps.csv", float_format="%.3g")
    assert (records / "gaps.csv").read_bytes() == b"value\n0.1\n5\n0.333\n"
    forget_tables()
    assert load_table("gaps", folder=records)["value"].tolist() == [0.1, 5, 0.333]
    after = json.loads((records / "datapackage.json").read_text("utf-8"))["resources"]
    assert [new["name"] for old, new in zip(before, after, strict=True) if new != old] == ["gaps"]
    write_record(table, records / "windows.csv")
    forget_tables()
    for name in ("gaps", "windows"):
        assert len(load_table(name, folder=records)) == 3


def test_a_table_that_nobody_declared_is_not_written(records):
    before = {path: path.read_bytes() for path in records.iterdir()}
    with pytest.raises(ValueError, match=r"new\.csv: declare it in .*datapackage\.json first"):
        write_record(pd.DataFrame({"a": [1]}), records / "new.csv")
    assert {path: path.read_bytes() for path in records.iterdir()} == before
