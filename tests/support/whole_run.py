"""A copy of the project, with results of `make` in it or none, and pytask."""

import os
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

from support.declared import RUNS
from support.folders import ROOT


def copy_project(folder: Path) -> Path:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = tracked.splitlines()
    names += [cache_from_source(name) for name in names if name.endswith(".py")]  # where it is
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)  # with its time, by which Python knows it
    return folder


def take_results(folder: Path, *names: str) -> None:
    """Take over what `make` made, if it is here, all or some runs': pytask tells what is stale."""
    if not (ROOT / "pytask.lock").is_file():  # it knows every file of a run by its hash
        return
    shutil.copy(ROOT / "pytask.lock", folder)
    if not names:
        kept = shutil.ignore_patterns("explored", ".*")
        shutil.copytree(ROOT / "results", folder / "results", ignore=kept)
    for name in names:
        for path in (f"notebooks/{name}.ipynb", *RUNS[name].writes):
            if (ROOT / "results" / path).is_file():
                (folder / "results" / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / "results" / path, folder / "results" / path)


def start_pytask(folder: Path, *options: str, **environment: str) -> subprocess.Popen:
    own = {"PYTHONPATH": str(folder), "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": ""}  # as make
    return subprocess.Popen(
        [sys.executable, "-m", "pytask", *options],
        cwd=folder,
        env=os.environ | own | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_pytask(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    process = start_pytask(folder, *options, **environment)
    output, _ = process.communicate(timeout=2400)
    return process.returncode, output
