"""One notebook by papermill's own command line, from wherever it is called."""

import os
import re
import subprocess
import sys

import pytest
from support.declared import RUNS
from support.folders import ROOT
from support.whole_run import copy_project, run_pytask, take_results

pytestmark = pytest.mark.slow

OWN = "03-policy-shift--merida-2008-07--inegi--window=2003-01..2010-12"


def run_papermill(project, start, *given, notebook="03-policy-shift"):
    folder = project / start
    folder.mkdir(parents=True, exist_ok=True)
    path = os.path.relpath(project / f"notebooks/{notebook}.ipynb", folder)
    executed = project.parent / f"{project.name}-executed.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "papermill", path, executed, "--no-progress-bar", *given],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    said = executed.read_text(encoding="utf-8") if executed.is_file() else ""
    return done.returncode, done.stdout + done.stderr, said


def contents(results):
    return {p.relative_to(results): p.read_bytes() for p in results.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with the published fit of one shift."""
    folder = copy_project(tmp_path_factory.mktemp("explored"))
    take_results(folder, "03-policy-shift--merida-2008-07--inegi")
    code, output = run_pytask(folder, "-k", "03-policy-shift--merida")
    assert code == 0, output
    return folder


# What is refused depends on no folder, and each folder has a refusal of its own.
@pytest.mark.parametrize(
    ("start", "given", "error"),
    [
        (".", ["-p", "shfit", "x"], "unknown parameter of 03-policy-shift 'shfit'. Did you mean"),
        ("notebooks", ["-p", "harmonics", "9"], "must be a whole number from 0 to 6; found 9"),
        ("docs/own/deep", ["-p", "harmonics", "two"], "harmonics must be of type int; found 'two'"),
        (".", ["-p", "shift", "sheinbaum-2024-10", "-p", "source", "inegi"],
         "sheinbaum-2024-10 declares the source sesnsp; found 'inegi'"),
    ],
    ids=["unknown name", "out of range", "other type", "undeclared source"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_and_writes_nothing(project, start, given, error):
    before = contents(project / "results")
    code, output, _ = run_papermill(project, start, *given)
    assert code != 0
    assert error in output
    assert contents(project / "results") == before
    assert not (project / start / "results").exists() or start == "."


@pytest.mark.parametrize("start", [".", "docs/own/deep"])  # pytask starts in notebooks/ itself
def test_a_window_of_ones_own_leaves_the_published_results_alone(project, start):
    results = project / "results"
    before = contents(results)
    assert len(before) > 4
    own = ("-p", "shift", "merida-2008-07", "-p", "window", "2003-01:2010-12")
    code, output, executed = run_papermill(project, start, *own)
    assert code == 0, output
    assert f"it writes to {results / 'explored' / OWN}" in executed
    after = contents(results)
    made = {path.as_posix(): after[path] for path in after.keys() - before.keys()}
    assert {path: after[path] for path in before} == before
    declared = RUNS["03-policy-shift--merida-2008-07--inegi"].writes
    assert set(made) == {f"explored/{OWN}/{file}" for file in declared}
    table = "shifts/merida-2008-07--inegi.csv"
    assert made[f"explored/{OWN}/{table}"] != (results / table).read_bytes()
    for path in (results / "explored").rglob("*.*"):
        if path.is_file():
            path.unlink()


def test_a_declared_run_by_hand_makes_the_published_bytes_and_pytask_nothing_anew(project):
    before = contents(project / "results")
    code, output, executed = run_papermill(project, "docs", "-p", "shift", "merida-2008-07")
    assert code == 0, output
    assert "Not a run of the published analysis" not in executed
    assert contents(project / "results") == before
    own = ("-p", "shift", "merida-2008-07", "-p", "harmonics", "3")
    assert run_papermill(project, "docs", *own)[0] == 0
    code, output = run_pytask(project, "-k", "03-policy-shift--merida")
    assert code == 0
    assert re.search(r"1\s+Skipped because unchanged", output), output
    assert before.items() <= contents(project / "results").items()


def test_a_value_saved_in_the_notebook_changes_no_published_number(project):
    path, table = project / "notebooks/03-policy-shift.ipynb", "shifts/merida-2008-07--inegi.csv"
    source, before = path.read_text("utf-8"), (project / "results" / table).read_bytes()
    assert "harmonics: int = 2" in source
    path.write_text(source.replace("harmonics: int = 2", "harmonics: int = 3"), "utf-8")
    code, output = run_pytask(project, "-k", "03-policy-shift--merida")
    path.write_text(source, "utf-8")
    assert code == 0, output
    assert re.search(r"1\s+Succeeded", output), output
    assert (project / "results" / table).read_bytes() == before


def test_the_validation_finds_its_records_from_a_folder_far_down(project):
    own = ("-p", "simulations", "20")
    code, output, _ = run_papermill(project, "docs/own/deep", *own, notebook="09-validation")
    assert code == 0, output
    made = project / "results/explored/09-validation--simulations=20/tables"
    assert {path.name for path in made.iterdir()} >= {"validation.csv", "certificates.csv"}


def test_outside_of_a_project_the_run_refuses(tmp_path):
    (tmp_path / "notebooks").mkdir()
    command = [
        sys.executable,
        "-m",
        "papermill",
        ROOT / "notebooks/01-data.ipynb",
        "executed.ipynb",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "upwards holds notebooks/01-data.ipynb; run the notebook from" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"notebooks", "executed.ipynb"}
