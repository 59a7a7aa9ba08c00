import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml
from support.folders import ROOT
from support.locked import declared_requirements, environment_yml, locked_versions

from analysis.files import DATA_FOLDER
from analysis.mexico.tables import load_table

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
AUDIT = (ROOT / ".ci/audit.txt").read_text("utf-8")
JOBS = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
SUPPORTED = ["3.11", "3.12", "3.13"]


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


@pytest.mark.parametrize(("lock", "least"), [(LOCK, 150), (AUDIT, 20)], ids=["lock", "audit"])
def test_lock_pins_every_package_by_hash_and_names_no_index(lock, least):
    blocks = re.split(r"\n(?=[^ #])", re.sub(r"(?m)^ *#.*\n", "", lock).strip())
    pinned = r"[\w.-]+==[^ ;]+( ; [^\\]+)?( \\\n +--hash=sha256:[0-9a-f]{64})+"
    assert [block[:60] for block in blocks if not re.fullmatch(pinned, block)] == []
    assert len(blocks) > least
    assert not re.search(r"://|--\w*-?index|--find-links", lock)


def test_what_installs_the_lock_is_itself_installed_by_its_hashes():
    recipe = (ROOT / "Makefile").read_text("utf-8").splitlines()
    cut = next(line.split("requirements.lock")[0] for line in recipe if line.startswith("\t@sed"))
    command = ["sed", "-n", cut.split("'")[1], "requirements.lock"]
    taken = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.match(r"uv==[\d.]+ \\\n", taken)
    assert taken.count("==") == 1
    assert taken.count("--hash=sha256:") > 10
    installs = [line for line in recipe if "pip install" in line and "--editable" not in line]
    assert [line for line in installs if "--require-hashes" not in line] == []


@pytest.mark.parametrize("job", JOBS)
def test_workflow_pins_actions_by_commit_and_reads_alone(job):
    assert JOBS[job]["permissions"] == {"contents": "read"}
    used = [step for step in JOBS[job]["steps"] if "uses" in step]
    floating = [each for each in used if not re.search(r"@[0-9a-f]{40}$", each["uses"])]
    assert floating == []
    checkouts = [step for step in used if step["uses"].startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False]


@pytest.mark.parametrize("python", SUPPORTED)
def test_lock_satisfies_every_declared_requirement(python):
    versions = locked_versions(python)
    unmet = [
        f"{requirement}: {versions.get(requirement.name)}"
        for requirement in declared_requirements()
        if not requirement.specifier.contains(versions.get(requirement.name, "0"))
    ]
    assert unmet == []


def test_supported_pythons_are_those_that_pyproject_names():
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.findall(r"Python :: (3\.\d+)", pyproject) == SUPPORTED
    assert 'requires-python = ">=3.11"' in pyproject


def test_conda_environment_has_the_versions_of_the_lock():
    assert (ROOT / "environment.yml").read_text("utf-8") == environment_yml()


def test_installed_versions_are_those_of_the_lock():
    expected = locked_versions(f"3.{sys.version_info.minor}")
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        # conda resolves anew what the declared packages need
        expected = {need.name: expected[need.name] for need in declared_requirements()}
    found = {name: installed(name) for name in expected}
    assert found == expected


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_no_tracked_file_is_larger_than_1_mib_but_for_data():
    command = ["git", "ls-files", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    tracked = [ROOT / name for name in names.split("\0") if name]
    assert ROOT / "pyproject.toml" in tracked
    large = [path for path in tracked if path.is_file() and path.stat().st_size > 2**20]
    assert [path for path in large if path.parent != ROOT / "analysis" / "data"] == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_clone_on_windows_keeps_the_bytes_and_an_older_one_can_be_mended(tmp_path):
    def git(*command, folder="there"):
        command = ["git", "-c", "core.autocrlf=true", *command]
        alone = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(command, cwd=tmp_path / folder, env=alone, capture_output=True, check=True)

    (tmp_path / "there").mkdir()
    git("init", "-q")
    names = ("datapackage.json", "states.csv", "municipal_deaths.csv.gz")
    for name in names:
        shutil.copy(DATA_FOLDER / name, tmp_path / "there")
    author = ["-c", "user.name=x", "-c", "user.email=x"]
    for name in ("before", "after"):
        git("add", "-A")
        git(*author, "commit", "-qm", name)
        git("clone", "-q", str(tmp_path / "there"), str(tmp_path / name))
        shutil.copy(ROOT / ".gitattributes", tmp_path / "there")
    for name in names:
        assert (tmp_path / "after" / name).read_bytes() == (DATA_FOLDER / name).read_bytes()
    changed = tmp_path / "before/states.csv"
    with pytest.raises(ValueError, match="its line ends were changed to CRLF"):
        load_table("states", folder=changed.parent)
    git("pull", "-q", folder="before")
    changed.unlink()
    git("checkout", "--", "states.csv", folder="before")
    assert len(load_table("states", folder=changed.parent)) == 32


def test_notebooks_are_stored_without_outputs():
    paths = sorted((ROOT / "notebooks").glob("**/*.ipynb"))
    books = {path.name: json.loads(path.read_text("utf-8"))["cells"] for path in paths}
    cells = [(name, cell) for name, book in books.items() for cell in book]
    assert cells
    ran = [name for name, cell in cells if cell.get("outputs") or cell.get("execution_count")]
    assert ran == []


def test_the_kernel_bears_the_projects_name_and_is_found_wherever_python_is():
    name = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["name"]
    recipe = (ROOT / "Makefile").read_text("utf-8")
    assert re.findall(r"ipykernel install .*--display-name (\S+)", recipe) == [name]
    named = {"display_name": name, "language": "python", "name": "python3"}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert json.loads(path.read_text("utf-8"))["metadata"]["kernelspec"] == named
