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
from packaging.requirements import Requirement
from support.folders import ROOT
from support.locked import (
    PUBLISHED_PYTHON,
    declared_requirements,
    environment_yml,
    locked_versions,
)

from analysis.files import DATA_FOLDER
from analysis.mexico.tables import load_table

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
TOOLS = {name: (ROOT / f".ci/{name}.txt").read_text("utf-8") for name in ("audit", "metadata")}
SUPPORTED = ["3.11", "3.12", "3.13"]


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


@pytest.mark.parametrize(
    ("lock", "least"),
    [(LOCK, 150), *((tools, 20) for tools in TOOLS.values())],
    ids=["lock", *TOOLS],
)
def test_lock_pins_every_package_by_hash_and_names_no_index(lock, least):
    blocks = re.split(r"\n(?=[^ #])", re.sub(r"(?m)^ *#.*\n", "", lock).strip())
    pinned = r"[\w.-]+==[^ ;]+( ; [^\\]+)?( \\\n +--hash=sha256:[0-9a-f]{64})+"
    assert [block[:60] for block in blocks if not re.fullmatch(pinned, block)] == []
    assert len(blocks) > least
    assert not re.search(r"://|--\w*-?index|--find-links", lock)


@pytest.mark.skipif(shutil.which("sed") is None, reason="make has no home here")
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


def test_conda_is_asked_only_for_what_a_feedstock_is_known_to_have():
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert text == environment_yml()
    *conda, by_pip = yaml.safe_load(text)["dependencies"]
    asked = [Requirement(entry) for entry in conda]
    assert {each.name for each in asked} == {"python", "pip"}
    for each in asked:
        known = rf"  - {each.name} .+  # (\S+): conda-forge/{each.name}-feedstock[#@]\w+, .*20\d\d-"
        assert each.specifier.contains(re.search(known, text)[1])
    minor = [f"3.{number}" for number in range(10, 14) if f"3.{number}.99" in asked[0].specifier]
    assert minor == [PUBLISHED_PYTHON]
    assert by_pip == {"pip": ["-r requirements.lock"]}  # an editable here, and pip refuses all


def test_binder_and_the_dev_container_take_the_lock_and_its_python():
    binder = {path.name: path.read_text("utf-8") for path in (ROOT / "binder").iterdir()}
    assert binder.pop("postBuild").startswith("#!/usr/bin/env bash\n")
    assert os.access(ROOT / "binder/postBuild", os.X_OK)
    assert binder == {
        "requirements.txt": "-r ../requirements.lock\n",
        "runtime.txt": f"python-{PUBLISHED_PYTHON}\n",
    }
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    assert container["image"].split(":")[1].split("-")[0] == PUBLISHED_PYTHON
    assert container["postCreateCommand"] == "make environment"
    settings = container["customizations"]["vscode"]["settings"]
    folder = "${containerWorkspaceFolder}"
    assert settings == {"python.defaultInterpreterPath": f"{folder}/.venv/bin/python"}


@pytest.mark.slow
def test_what_binder_runs_at_its_end_installs_the_package_without_the_network(tmp_path):
    project, prefix = tmp_path / "project", tmp_path / "prefix"
    shutil.copytree(ROOT / "analysis", project / "analysis")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    alone = os.environ | {"PATH": path, "PIP_PREFIX": str(prefix), "PIP_NO_INDEX": "1"}
    alone["PIP_IGNORE_INSTALLED"] = "1"  # or pip takes the project out of this environment
    subprocess.run([ROOT / "binder/postBuild"], cwd=project, env=alone, check=True)
    (link,) = prefix.rglob("*homicide*.pth")
    assert link.read_text("utf-8").strip() == str(project)


def test_installed_versions_are_those_of_the_lock():
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():  # resolved anew
        met = {
            f"{need}": need.specifier.contains(installed(need.name))
            for need in declared_requirements()
        }
        assert [need for need in met if not met[need]] == []
        return
    expected = locked_versions(f"3.{sys.version_info.minor}")
    assert {name: installed(name) for name in expected} == expected


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
