"""One notebook by papermill's own command line, from wherever it is called."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
from support.declared import RUNS
from support.published import assert_published, published_estimates
from support.whole_run import copy_project, run_pytask

pytestmark = pytest.mark.slow

PUBLISHED = "03-policy-shift--merida-2008-07--inegi"
TABLE = "shifts/merida-2008-07--inegi.csv"
OWN = f"{PUBLISHED}--window=2003-01..2010-12"
SAVED = "harmonics: int = 3"  # in the project's copy of the notebook, by whoever tried it there

# Some commands one after another, each as a process of its own would take it.
COMMANDS = """
import json, os, sys, traceback
from papermill.cli import papermill
told = []
for folder, command in json.loads(sys.argv[1]):
    os.chdir(folder)
    try:
        papermill(command)
    except SystemExit as end:
        told.append([end.code, ""])
    except Exception:
        told.append([1, traceback.format_exc()])
print(json.dumps(told))
"""


def run_python(project, folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def run_papermill(project, start, *given, notebook="03-policy-shift"):
    folder = project / start
    folder.mkdir(parents=True, exist_ok=True)
    path = os.path.relpath(project / f"notebooks/{notebook}.ipynb", folder)
    executed = project.parent / f"{project.name}-executed.ipynb"
    done = run_python(
        project, folder, "-m", "papermill", path, executed, "--no-progress-bar", *given
    )
    said = executed.read_text(encoding="utf-8") if executed.is_file() else ""
    return done.returncode, done.stdout + done.stderr, said


def contents(results):
    return {p.relative_to(results): p.read_bytes() for p in results.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with one fit by pytask, and another value saved in its notebook."""
    folder = copy_project(tmp_path_factory.mktemp("explored"))
    path = folder / "notebooks/03-policy-shift.ipynb"
    source = path.read_text("utf-8")
    assert "harmonics: int = 2" in source
    path.write_text(source.replace("harmonics: int = 2", SAVED), "utf-8")
    code, output = run_pytask(folder, "-k", "03-policy-shift--merida")
    assert code == 0, output
    assert re.search(r"1\s+Succeeded", output), output
    return folder


def test_a_value_saved_in_the_notebook_changes_no_published_number(project):
    assert SAVED in (project / f"results/notebooks/{PUBLISHED}.ipynb").read_text("utf-8")
    published = published_estimates().query("shift == 'merida-2008-07'")
    assert len(published) > 30
    assert_published(pd.read_csv(project / "results" / TABLE), published)


# What is refused depends on no folder, and each folder has a refusal of its own.
REFUSED = [
    (".", ["-p", "shfit", "x"], "unknown parameter of 03-policy-shift 'shfit'. Did you mean"),
    ("notebooks", ["-p", "harmonics", "9"], "must be a whole number from 0 to 6; found 9"),
    ("docs/own/deep", ["-p", "harmonics", "two"], "harmonics must be of type int; found 'two'"),
    (".", ["-p", "shift", "sheinbaum-2024-10", "-p", "source", "inegi"],
     "sheinbaum-2024-10 declares the source sesnsp; found 'inegi'"),
    ("../outside", [], "upwards holds notebooks/03-policy-shift.ipynb; run the notebook from"),
]  # fmt: skip


@pytest.fixture(scope="module")
def refused(project):
    """What each refusal ended with and said, and the published results before and after them."""
    (project.parent / "outside/notebooks").mkdir(parents=True)
    before, commands = contents(project / "results"), []
    for start, given, _ in REFUSED:
        folder = project / start
        folder.mkdir(parents=True, exist_ok=True)
        path = os.path.relpath(project / "notebooks/03-policy-shift.ipynb", folder)
        executed = "executed.ipynb" if start == "../outside" else f"{project}-executed.ipynb"
        commands.append([str(folder), [path, executed, "--no-progress-bar", *given]])
    done = run_python(project, project, "-c", COMMANDS, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), before, contents(project / "results")


@pytest.mark.parametrize("case", range(4), ids=["unknown name", "range", "type", "source"])
def test_what_cannot_be_meant_is_refused_and_writes_nothing(project, refused, case):
    told, before, after = refused
    start, _, error = REFUSED[case]
    code, output = told[case]
    assert code != 0
    assert error in output
    assert after == before
    assert not (project / start / "results").exists() or start == "."


def test_outside_of_a_project_the_run_refuses(project, refused):
    (code, output), outside = refused[0][-1], project.parent / "outside"
    assert code != 0
    assert REFUSED[-1][-1] in output
    assert {path.name for path in outside.rglob("*")} == {"notebooks", "executed.ipynb"}


EXPLORED = {  # pytask starts in notebooks/ itself; the validation reads records
    OWN: (".", {"shift": "merida-2008-07", "window": "2003-01:2010-12", "harmonics": "2"}),
    "09-validation--simulations=20": ("docs/own/deep", {"simulations": "20"}),
}


@pytest.fixture(scope="module")
def explored(project):
    """What runs of one's own said, and the results before and after each."""
    made = {}
    for name, (start, given) in EXPLORED.items():
        before = contents(project / "results")
        options = [each for key, value in given.items() for each in ("-p", key, value)]
        notebook = RUNS[name.rpartition("--")[0]].notebook
        code, output, executed = run_papermill(project, start, *options, notebook=notebook)
        assert code == 0, output
        made[name] = executed, before, contents(project / "results")
    return made


@pytest.mark.parametrize("name", EXPLORED)
def test_a_run_of_ones_own_leaves_the_published_results_alone(project, explored, name):
    executed, before, after = explored[name]
    results = project / "results"
    assert len(before) > 4
    assert f"it writes to {results / 'explored' / name}" in executed
    made = {path.as_posix() for path in after.keys() - before.keys()}
    assert {path: after[path] for path in before} == before
    assert made == {f"explored/{name}/{file}" for file in RUNS[name.rpartition("--")[0]].writes}
    if name == OWN:
        assert (results / "explored" / name / TABLE).read_bytes() != (results / TABLE).read_bytes()


@pytest.mark.usefixtures("explored")
def test_a_declared_run_by_hand_makes_the_published_bytes_and_pytask_nothing_anew(project):
    before = contents(project / "results")
    own = ("-p", "shift", "merida-2008-07", "-p", "harmonics", "2")
    code, output, executed = run_papermill(project, "docs", *own)
    assert code == 0, output
    assert "Not a run of the published analysis" not in executed
    assert contents(project / "results") == before
    code, output = run_pytask(project, "-k", "03-policy-shift--merida")
    assert code == 0
    assert re.search(r"1\s+Skipped because unchanged", output), output
    assert contents(project / "results") == before
