"""Time the whole study: as `pytask` runs it, and its cells alone, forked from one warm process.

``python benchmarks/study.py`` prints both and writes the second's CPU seconds to study.csv, by
which a run tells how long is left. Both in a folder of its own, without the project's results.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.recording import write_record

PROJECT = Path(__file__).parents[1]
WORKERS = 2
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "results", ".pytask", "__pycache__", ".*_cache")


def time_pytask(project: Path) -> float:
    """Return the seconds of a whole run."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytask"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout[-4000:])
    return time.monotonic() - began


def time_cells(project: Path) -> tuple[float, dict[str, float]]:
    """Return the seconds of all notebooks' cells, and the CPU seconds of each run."""
    from mexico_report.runs import declare_runs
    from notebooks.warm import load

    load()
    runs = declare_runs()
    makers = {path: name for name, run in runs.items() for path in run.writes}
    waits = {name: {makers[path] for path in run.reads} for name, run in runs.items()}
    began, used, at_work = time.monotonic(), {}, {}
    while len(used) < len(runs):
        ready = [name for name in runs if name not in at_work.values() and waits[name] <= {*used}]
        for name in [name for name in ready if name not in used][: WORKERS - len(at_work)]:
            at_work[fork(partial(run_cells, project, runs[name]))] = name
        number, status, usage = os.wait3(0)
        name = at_work.pop(number)
        if status:
            raise RuntimeError(f"{name} failed")
        used[name] = usage.ru_utime + usage.ru_stime
    return time.monotonic() - began, used


def fork(action: Callable[[], object]) -> int:
    """Do something in a child; return its number."""
    number = os.fork()
    if not number:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    return number


def run_cells(project: Path, run: object) -> None:
    """Execute the cells of a run in this process, what they show left aside."""
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib_inline.backend_inline import configure_inline_support
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    os.chdir(project / "notebooks")
    stored = load_notebook_node(f"{run.notebook}.ipynb")
    cells = parameterize_notebook(stored, dict(run.parameters)).cells
    shell = InteractiveShell.instance()
    configure_inline_support(shell, os.environ["MPLBACKEND"])
    shell.display_pub.publish = shell.displayhook.write_format_data = lambda *_, **__: None
    shell.displayhook.write_output_prompt = lambda *_: None
    for cell in cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source, store_history=True).raise_error()


def time_rest() -> Iterator[tuple[str, float]]:
    """Yield what is made of the results, and its CPU seconds."""
    from report import task_crate, task_exports, task_report

    made = task_crate.RESULTS, task_crate.RUNS
    actions = {
        "exports": partial(task_exports.write_exports, task_exports.RESULTS),
        "report": partial(task_report.make_report, task_report.REPORT, *made),
        "crate": partial(task_crate.write_crate, *made, task_crate.EXPORTS),
    }
    for name, action in actions.items():
        fork(action)
        _, status, usage = os.wait3(0)
        if status:
            raise RuntimeError(f"{name} failed")
        yield name, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Time both, compare, and record."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "study")
        shutil.copytree(PROJECT, project, ignore=LEFT_OUT)
        os.environ |= {"PYTHONPATH": str(project), "PYTHONHASHSEED": "0"}
        whole = time_pytask(project)
        sys.path.insert(0, str(project))
        cells, used = time_cells(project)
        told = pd.Series(used).rename("seconds").rename_axis("task")
        shutil.rmtree(project / ".pytask/site")  # or the report would be made from what is kept
        rest = pd.Series(dict(time_rest()))
    stems = told.groupby(told.index.str.partition("--").get_level_values(0), sort=False).mean()
    recorded = pd.concat([stems, rest]).round(2).rename("seconds").rename_axis("task")
    write_record(recorded.reset_index(), Path(__file__).with_suffix(".csv"))
    print(told.sort_values(ascending=False).round(1).to_string())
    print(f"all cells: {told.sum():.0f} CPU seconds, {cells:.0f} s on {WORKERS} cores")
    print(f"pytask, report and crate included: {whole:.0f} s, {whole / cells:.2f} times as long")


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") != "1":
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        command = [sys.executable, "-Xfrozen_modules=off", *sys.argv]  # as debugpy asks
        os.execve(sys.executable, command, os.environ | threads)
    main()
