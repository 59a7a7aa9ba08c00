import gc
import hashlib
import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from analysis.files import hash_files, write_atomically, write_together
from analysis.mexico.tables import DATA_FOLDER, load_table

RESOURCES = json.loads((DATA_FOLDER / "datapackage.json").read_text("utf-8"))["resources"]
TABLES = [resource["name"] for resource in RESOURCES if resource["path"].endswith(".csv")]


@pytest.fixture
def package(tmp_path):
    return shutil.copytree(DATA_FOLDER, tmp_path / "data")


@pytest.mark.slow  # the hashes that the package describes are compared below
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # frictionless leaves .gz open
def test_tables_are_as_the_data_package_describes_them():
    import frictionless  # for this alone

    report = frictionless.validate(str(DATA_FOLDER / "datapackage.json"))
    gc.collect()
    assert report.flatten(["title", "rowNumber", "fieldName", "note"]) == []
    assert [task.name for task in report.tasks] == [resource["name"] for resource in RESOURCES]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource["name"])
def test_described_hash_and_size_are_those_of_the_file(resource):
    content = (DATA_FOLDER / resource["path"]).read_bytes()
    assert resource["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert resource["bytes"] == len(content)


def test_no_table_lies_undescribed_in_the_data_folder():
    found = {
        path.name for path in DATA_FOLDER.iterdir() if path.suffix in {".csv", ".gz", ".geojson"}
    }
    assert found == {resource["path"] for resource in RESOURCES}


INEGI = {2000: 10559, 2007: 8837, 2011: 27330, 2018: 34426, 2020: 35787, 2022: 31048}
SESNSP = {2015: 18312, 2018: 34662, 2020: 35545, 2024: 30898, 2025: 13090}


@pytest.mark.parametrize(("table", "totals"), [("inegi_deaths", INEGI), ("sesnsp_victims", SESNSP)])
def test_yearly_totals_are_the_published_ones(table, totals):
    frame = load_table(table)
    by_row = frame.drop(columns=["month", "state"]).sum(axis=1)
    by_year = by_row.groupby(frame["month"].str[:4].astype(int)).sum()
    assert by_year[list(totals)].to_dict() == totals


def test_sesnsp_ends_with_the_first_half_of_2025():
    assert load_table("sesnsp_victims")["month"].max() == "2025-06"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_loads_without_a_hole(name):
    table = load_table(name).drop(columns="rate_per_100000", errors="ignore")
    assert not table.empty
    assert table.notna().all(axis=None)


def test_codes_keep_their_leading_zeros():
    assert load_table("municipal_population")["municipality"].iloc[0] == "01001"


def test_a_loaded_table_is_a_fresh_copy():
    table = load_table("states")
    table.loc[:, "name"] = "nowhere"
    assert load_table("states")["name"].iloc[0] == "Aguascalientes"


def test_one_changed_byte_is_refused(package):
    path = package / "inegi_deaths.csv"
    path.write_bytes(path.read_bytes().replace(b"2000-01,MX02,59", b"2000-01,MX02,58"))
    with pytest.raises(ValueError, match=r"inegi_deaths\.csv has sha256 .*expects 0f4a463ba47d"):
        load_table("inegi_deaths", folder=package)
    pd.testing.assert_frame_equal(load_table("states", folder=package), load_table("states"))


def test_line_ends_of_windows_are_named_with_what_helps(package):
    path = package / "states.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    fault = (
        r"states\.csv: its line ends were changed to CRLF, .* with core\.autocrlf\. Restore it so:"
    )
    with pytest.raises(
        ValueError, match=rf'{fault} delete it, then `git checkout -- ".*states\.csv"`'
    ):
        load_table("states", folder=package)


@pytest.mark.parametrize(
    ("name", "hint"), [("inegi_death", "Did you mean 'inegi_deaths'"), ("qqq", "Known: .'inegi_d")]
)
def test_unknown_table_is_answered_with_known_names(name, hint):
    with pytest.raises(KeyError, match=rf"^unknown table '{name}'\. {hint}"):
        load_table(name)


def test_written_file_has_the_content_and_can_be_read_by_others(tmp_path):
    path = tmp_path / "new" / "table.csv"
    write_atomically(path, b"a,b\n")
    assert path.read_bytes() == b"a,b\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write", "rename"])
def test_interrupted_writing_leaves_the_old_file_and_no_other(
    tmp_path, monkeypatch, step, interruption
):
    def interrupt(*_):
        raise interruption

    @contextmanager
    def full_disk(handle, mode):
        with open(handle, mode) as stream:  # noqa: PTH123 (a handle, not a path)
            yield SimpleNamespace(write=lambda content: interrupt(stream.write(content[:1])))

    path = tmp_path / "table.csv"
    path.write_bytes(b"old")
    target = ("analysis.files.os.fdopen", full_disk)
    monkeypatch.setattr(*(target if step == "write" else ("pathlib.Path.replace", interrupt)))
    with pytest.raises(type(interruption)):
        write_atomically(path, b"new content")
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {"table.csv": b"old"}


@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()])
def test_a_rename_that_fails_midway_leaves_all_files_as_they_were(
    tmp_path, monkeypatch, interruption
):
    names, replace = ["a.csv", "new.csv", "b.csv", "c.csv"], Path.replace

    def fail_once(self, target):
        if target.name == "c.csv" and self.suffix != ".former":
            raise interruption
        return replace(self, target)

    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.setattr("pathlib.Path.replace", fail_once)
    with pytest.raises(type(interruption)):
        write_together({tmp_path / name: b"new" for name in names})
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {name: name.encode() for name in ("a.csv", "b.csv", "c.csv")}


def test_one_hash_for_many_files_changes_with_names_and_contents_alone(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"

    def hash_with(text):
        first.write_text(text)
        return hash_files([first, second], tmp_path)

    second.write_text("2")
    before = hash_with("1")
    assert hash_files([second, first], tmp_path) == before
    assert hash_with("3") != before
    assert hash_with("1") == before
    assert hash_files([first, second.rename(tmp_path / "c.csv")], tmp_path) != before


def test_files_of_one_name_in_two_folders_cannot_change_places_unseen(tmp_path):
    paths = [tmp_path / folder / "plots.py" for folder in ("its", "places")]
    hashes = []
    for contents in (("a", "b"), ("b", "a")):
        for path, content in zip(paths, contents, strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        hashes.append(hash_files(paths, tmp_path))
    assert hashes[0] != hashes[1]
