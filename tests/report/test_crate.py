import hashlib
import json
from email.message import Message
from pathlib import Path

import pytest
from support.validators import validate_crate

from analysis.files import DATA_FOLDER
from analysis.mexico.tables import load_descriptor
from mexico_report.runs import Run, declare_runs
from report import task_crate
from report.exports import READ
from report.task_crate import MEDIA, map_inputs, write_crate

# Who ran it, and when, is left out on purpose; what wants an address waits for the project's.
LEFT = {
    "The Action SHOULD have an endTime in ISO 8601 format",
    "The Action SHOULD have an agent that is a Person or Organization",
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
    "The organization SHOULD have a URL.",
}


@pytest.fixture
def results(tmp_path):
    files = {
        **dict.fromkeys(["notebooks/a.ipynb", "notebooks/b.ipynb"], "{}"),
        **dict.fromkeys(["results/notebooks/a--x.ipynb", "results/notebooks/b.ipynb"], "{ }"),
        "benchmarks/recorded.csv": "z\n2\n",
        **dict.fromkeys(["results/tables/a.csv", "results/tables/b.csv"], "x\n1\n"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "results"


def crate_of(results):
    parameters = {"shift": "calderon-2006-12", "draws": 100}
    run = Run("a", "x", parameters, recorded=("benchmarks/*.csv",), tables=("tables/a.csv",))
    reader = Run("b", reads=("tables/a.csv",), tables=("tables/b.csv",))
    write_crate(results, {"a--x": run, "b": reader})
    metadata = json.loads((results / "ro-crate-metadata.json").read_text("utf-8"))
    return {entity["@id"]: entity for entity in metadata["@graph"]}


def test_run_is_described_with_inputs_parameters_and_outputs(results):
    entities = crate_of(results)
    action = entities["#a--x"]
    assert action["@type"] == "CreateAction"
    made = [made["@id"] for made in action["result"]]
    assert made == ["notebooks/a--x.ipynb", "tables/a.csv"]
    inputs = {part["@id"] for part in action["object"]}
    assert {"inputs/notebooks/a.ipynb", "inputs/data/population.csv", "#a--x-shift"} <= inputs
    assert entities["#a--x-shift"]["value"] == "calderon-2006-12"
    assert entities["#a--x-draws"]["value"] == 100


def test_files_of_the_project_and_of_other_runs_are_inputs(results):
    entities = crate_of(results)
    assert {"@id": "inputs/benchmarks/recorded.csv"} in entities["#a--x"]["object"]
    assert {"@id": "tables/a.csv"} in entities["#b"]["object"]


def test_exports_are_described_with_what_they_were_made_from(results):
    for path in (*READ, "exports/estimates.dta"):
        (results / path).parent.mkdir(exist_ok=True)
        (results / path).write_text("x\n1\n")
    write_crate(results, {"a--x": Run("a", "x", tables=READ)}, ["exports/estimates.dta"])
    metadata = json.loads((results / "ro-crate-metadata.json").read_text("utf-8"))
    action = next(each for each in metadata["@graph"] if each["@id"] == "#exports")
    assert action["result"] in (
        {"@id": "exports/estimates.dta"},
        [{"@id": "exports/estimates.dta"}],
    )
    assert {"@id": "estimates.csv"} in action["object"]


def test_hashes_are_those_of_the_files(results):
    entities = crate_of(results)
    assert entities["tables/a.csv"]["sha256"] == hashlib.sha256(b"x\n1\n").hexdigest()
    assert entities["inputs/notebooks/a.ipynb"]["sha256"] == hashlib.sha256(b"{}").hexdigest()
    for resource in load_descriptor()["resources"]:
        table = entities[f"inputs/data/{resource['path']}"]
        assert f"sha256:{table['sha256']}" == resource["hash"]


def test_every_file_lies_in_the_folder_as_described_and_is_linked_by_the_root(results):
    entities = crate_of(results)
    files = {each["@id"]: each for each in entities.values() if each["@type"] == "File"}
    assert {part["@id"] for part in entities["./"]["hasPart"]} == files.keys()
    for place, described in files.items():
        content = (results / place).read_bytes()
        assert described["sha256"] == hashlib.sha256(content).hexdigest()
        assert described["contentSize"] == str(len(content))
    there = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    assert there == files.keys() | {"ro-crate-metadata.json"}


def test_every_table_keeps_its_publishers_licence(results):
    entities = crate_of(results)
    address = "https://creativecommons.org/licenses/by/4.0/"
    assert entities["inputs/data/inegi_deaths.csv"]["license"] == {"@id": address}
    assert entities[address]["name"] == "Creative Commons Attribution 4.0"
    for resource in load_descriptor()["resources"]:
        licence = entities[f"inputs/data/{resource['path']}"]["license"]
        named = entities[licence["@id"]]["name"] if isinstance(licence, dict) else licence
        assert named == resource["licenses"][0]["title"]


def test_whatever_the_runs_read_and_write_has_a_media_type():
    runs = declare_runs()
    inputs = map_inputs(Path(task_crate.__file__).parents[1], runs)
    places = [*inputs, *(path for run in runs.values() for path in run.writes)]
    assert {Path(place).suffix for place in places} <= MEDIA.keys()
    assert inputs["inputs/data/states.csv"] == DATA_FOLDER / "states.csv"
    assert "inputs/benchmarks/windows.csv" in inputs


def test_address_of_the_project_is_the_softwares_as_soon_as_there_is_one(results, monkeypatch):
    assert "url" not in crate_of(results)["#software"]
    known = Message()
    known["Project-URL"] = "Repository, https://example.org/there"
    monkeypatch.setattr(task_crate, "metadata", lambda _: known)
    assert crate_of(results)["#software"]["url"] == "https://example.org/there"


@pytest.mark.slow
def test_crate_is_a_valid_process_run_crate(results, tmp_path):
    crate_of(results)
    assert validate_crate(results, tmp_path, "recommended") == {
        ("RECOMMENDED", message) for message in LEFT
    }


@pytest.mark.slow
def test_validator_sees_what_is_planted(results, tmp_path):
    crate_of(results)
    path = results / "ro-crate-metadata.json"
    crate = json.loads(path.read_text("utf-8"))
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    entities["./"]["hasPart"].pop()
    del entities["./"]["conformsTo"], entities["#a--x"]["instrument"]
    path.write_text(json.dumps(crate), encoding="utf-8")
    found = validate_crate(results, tmp_path)
    seen = "\n".join(message for severity, message in found if severity == "REQUIRED")
    for message in ("RootDataEntity", "permalink of the profile", "MUST have an instrument"):
        assert message in seen


def test_same_run_gives_the_same_bytes(results, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    written = [json.dumps(crate_of(results)) for _ in range(2)]
    assert written[0] == written[1]
    assert crate_of(results)["./"]["datePublished"] == "2026-01-01"


def test_versions_of_what_the_package_needs_are_named(results):
    needed = crate_of(results)["#software"]["softwareRequirements"]
    assert {text.split()[0] for text in needed} >= {"Python", "numpy", "pandas", "statsmodels"}


def test_missing_result_leaves_no_crate(results):
    (results / "tables/a.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.csv"):
        crate_of(results)
    assert not (results / "ro-crate-metadata.json").exists()
