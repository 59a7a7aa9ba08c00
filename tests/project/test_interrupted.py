"""A run that is stopped, killed or started twice; in a project of two small notebooks."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from support.folders import ROOT
from support.whole_run import run_pytask, start_pytask

pytestmark = pytest.mark.slow

TASKS = """\
from pathlib import Path
from typing import Annotated
from pytask import Product, task
from notebooks.execution import run_notebook
PROJECT = Path(__file__).parents[1]
for _name in ("one", "other"):
    @task(id=_name)
    def task_notebook(
        executed: Annotated[Path, Product] = PROJECT / f"results/notebooks/{_name}.ipynb",
        table: Annotated[Path, Product] = PROJECT / f"results/{_name}.csv",
        name: str = _name,
    ) -> None:
        run_notebook(PROJECT / "notebooks/small.ipynb", executed, {"name": name})
"""
WRITES = """\
import time
from pathlib import Path
from analysis.engine.executors import open_executor
from analysis.files import write_atomically
held = not Path("../go-on").exists()
with open_executor(2, processes=held) as pool:
    list(pool.map(abs, [-1, 2]))
    for _ in range(30 if held else 1):
        write_atomically(Path("../results") / f"{name}.csv", b"a,b " * 200_000)
        time.sleep(0.05)
    while not Path("../go-on").exists():
        time.sleep(0.05)
"""
SIZE = 800_000  # bytes of a table that is whole
LOADS = "fork_kernels(load(), read_embedded())"
LOADS_LITTLE = "import ipykernel.kernelapp, analysis.engine.executors; fork_kernels({})"


@pytest.fixture
def project(tmp_path, monkeypatch):
    for folder in ("notebooks", "report"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("hooks", "leftovers", "execution", "kernels", "warm", "progress"):
        shutil.copy(ROOT / f"notebooks/{name}.py", tmp_path / "notebooks")
    warm = tmp_path / "notebooks/warm.py"
    assert LOADS in warm.read_text("utf-8")
    warm.write_text(warm.read_text("utf-8").replace(LOADS, LOADS_LITTLE))
    (tmp_path / "analysis").symlink_to(ROOT / "analysis")
    (tmp_path / "notebooks/task_small.py").write_text(TASKS)
    cells = [
        nbformat.v4.new_code_cell(source) for source in ('name: str = ""  # of the table', WRITES)
    ]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.write(notebook, tmp_path / "notebooks/small.ipynb")
    with tempfile.TemporaryDirectory(prefix="t-") as short:  # of a path that sockets can have
        monkeypatch.setenv("TMPDIR", short)
        (tmp_path / "go-on").touch()
        yield tmp_path


def start_and_wait(project, table):
    """Start a run, whose notebooks go on until they may end, and wait for one's first table."""
    (project / "go-on").unlink()
    process = start_pytask(project)
    wait_for((project / "results" / table).exists, process)
    return process


def wait_for(condition, process, seconds=120):
    started = time.monotonic()
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - started < seconds
        time.sleep(0.05)


def processes():
    """Return the living processes that a run of the project started, by what they inherit."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == os.environ["TMPDIR"]:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def left_behind(project):
    return [*project.glob("results/**/.*"), *Path(os.environ["TMPDIR"]).iterdir()]


def assert_all_ends(project):
    _, living = psutil.wait_procs(processes(), timeout=20)
    assert living == []
    assert all(path.stat().st_size == SIZE for path in project.glob("results/*.csv"))


def assert_next_run_completes(project):
    (project / "go-on").touch()
    code, output = run_pytask(project)
    assert code == 0, output
    assert {path.stat().st_size for path in project.glob("results/*.csv")} == {SIZE}
    assert left_behind(project) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_an_interrupted_run_says_so_and_leaves_no_kernel(project, number):
    process = start_and_wait(project, "one.csv")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"The run was interrupted by {number.name}." in output
    assert "Succeeded" not in output
    assert_all_ends(project)
    assert not list(project.glob("results/notebooks/*.ipynb"))
    assert_next_run_completes(project)


def test_a_killed_run_leaves_no_worker_and_the_next_removes_its_leftovers(project):
    process = start_and_wait(project, "other.csv")
    process.kill()
    process.communicate(timeout=60)
    assert_all_ends(project)
    assert left_behind(project) != []
    half = project / "results/.half-one.csv.ab12cd34"
    half.write_bytes(b"a,")
    os.utime(half, (0, 0))
    assert_next_run_completes(project)


def test_a_second_run_meanwhile_is_refused_and_the_first_ends_well(project):
    first = start_and_wait(project, "one.csv")
    code, output = run_pytask(project)
    assert code != 0
    assert "The analysis is already running: another process holds" in output.replace("\n", " ")
    assert "Traceback" not in output
    (project / "go-on").touch()
    output, _ = first.communicate(timeout=120)
    assert first.returncode == 0, output
    assert left_behind(project) == []


def test_a_part_that_no_task_is_named_by_is_refused(project):
    code, output = run_pytask(project, "-k", "nonsense")
    assert code != 0
    assert "No task has a name with 'nonsense': `pytask collect` lists them." in output
    assert not list(project.glob("results/*.csv"))


def test_a_run_whose_errors_nobody_can_read_is_a_run(project):
    command = ["sh", "-c", '"$0" -m pytask 2>&-', sys.executable]
    told = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, text=True)
    assert told.returncode == 0, told.stdout
    assert len(list(project.glob("results/*.csv"))) == 2


def test_results_that_cannot_be_written_are_told_without_a_traceback(project):
    (project / "results").write_text("a file where the folder would be")
    code, output = run_pytask(project)
    assert code != 0
    assert "The run stopped: " in output
    assert "Traceback" not in output


def test_results_deleted_in_the_middle_are_missed(project):
    notebook = project / "notebooks/small.ipynb"
    assert "30 if held else 1" in notebook.read_text("utf-8")
    notebook.write_text(notebook.read_text("utf-8").replace("30 if held else 1", "1"))
    process = start_and_wait(project, "one.csv")
    wait_for((project / "results/other.csv").exists, process)
    (project / "results").rename(project / "gone")
    (project / "go-on").touch()
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "did not produce" in output
    assert_all_ends(project)
    assert_next_run_completes(project)


@pytest.mark.parametrize("seed", range(3))
def test_whenever_the_signal_comes_nothing_lives_on_and_the_next_run_completes(project, seed):
    chosen = random.Random(seed)
    number = chosen.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    little = (project / "notebooks/warm.py").read_text("utf-8")
    shutil.copy(ROOT / "notebooks/warm.py", project / "notebooks")  # it may also come as this loads
    (project / "go-on").unlink()
    process = start_pytask(project)
    # from then on pytask has loaded what handles signals
    wait_for((project / ".pytask").exists, process)
    time.sleep(chosen.uniform(0, 8))
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    if number != signal.SIGKILL:
        assert "interrupted" in output
    assert_all_ends(project)
    (project / "notebooks/warm.py").write_text(little)
    assert_next_run_completes(project)
