import hashlib
import json

import pytest

from analysis.mexico.tables import load_descriptor
from analysis.report.runs import Run
from report.exports import READ
from report.task_crate import write_crate


@pytest.fixture
def results(tmp_path):
    files = {
        **dict.fromkeys(["notebooks/a.ipynb", "notebooks/b.ipynb"], "{}"),
        **dict.fromkeys(["results/notebooks/a--x.ipynb", "results/notebooks/b.ipynb"], "{ }"),
        "benchmarks/recorded.csv": "z\n2\n",
        "results/tables/a.csv": "x\n1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "results"


def crate_of(results):
    parameters = {"shift": "calderon-2006-12", "draws": 100}
    run = Run("a", "x", parameters, recorded=("benchmarks/*.csv",), tables=("tables/a.csv",))
    reader = Run("b", reads=("tables/a.csv",))
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
    assert {"../notebooks/a.ipynb", "../analysis/data/population.csv", "#a--x-shift"} <= inputs
    assert entities["#a--x-shift"]["value"] == "calderon-2006-12"
    assert entities["#a--x-draws"]["value"] == 100


def test_files_of_the_project_and_of_other_runs_are_inputs(results):
    entities = crate_of(results)
    assert {"@id": "../benchmarks/recorded.csv"} in entities["#a--x"]["object"]
    assert {"@id": "tables/a.csv"} in entities["#b"]["object"]


def test_exports_are_described_with_what_they_were_made_from(results):
    for path in (*READ, "exports/estimates.dta"):
        (results / path).parent.mkdir(exist_ok=True)
        (results / path).write_text("x\n1\n")
    write_crate(results, {}, ["exports/estimates.dta"])
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
    assert entities["../notebooks/a.ipynb"]["sha256"] == hashlib.sha256(b"{}").hexdigest()
    for resource in load_descriptor()["resources"]:
        table = entities[f"../analysis/data/{resource['path']}"]
        assert f"sha256:{table['sha256']}" == resource["hash"]


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
