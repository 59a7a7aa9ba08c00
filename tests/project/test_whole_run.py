"""The whole analysis, as a stranger runs it: fresh, interrupted, with a broken notebook."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest
from support.cluster import descendants, running_cluster, stop_with_children
from support.declared import RUNS
from support.folders import ROOT
from support.published import assert_published, published_estimates
from support.validators import validate_crate
from support.whole_run import copy_project, run_pytask, start_pytask, take_results

from analysis.files import sha256
from mexico_report.runs import declare_runs
from report.exports import EXPORTS
from report.task_crate import map_inputs

pytestmark = pytest.mark.slow

UNCHANGED = r"Skipped because unchanged\s+\(100\.0%\)"
PART_RUNS = ("00-start", "03-policy-shift--merida-2008-07--inegi")
PART_RUNS += ("07-comparison-countries--lopez-obrador-2018-12",)
PART = " or ".join(PART_RUNS)  # of three runs, two at a time
EDITED = {
    "shifts/merida-2008-07--inegi.csv": (b"level", b"levle"),
    "report/01-data.html": (b"</body>", b"<!-- edited --></body>"),
}
DELETED = "figures/start.png"


def tables(folder: Path) -> dict[str, bytes]:
    kept = {".csv", ".md", ".parquet", ".tex", ".html", ".svg", ".pdf", ".dta"}
    results = folder / "results"
    paths = [path.relative_to(results) for path in results.rglob("*") if path.suffix in kept]
    made = [path for path in paths if path.parts[0] not in {"report", "notebooks"}]
    return {str(path): (results / path).read_bytes() for path in made}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A whole run: that of `make`, if one is here, of which pytask makes anew what has changed."""
    folder = copy_project(tmp_path_factory.mktemp("undisturbed"))
    take_results(folder)
    code, output = run_pytask(folder)
    assert code == 0, output
    return folder, output


@pytest.fixture(scope="module")
def undisturbed(run):
    return run[0]


@pytest.fixture(scope="module")
def elsewhere(undisturbed, tmp_path_factory):
    """That run at another user's, who makes site and crate anew, and what is damaged."""
    place = tmp_path_factory.mktemp("elsewhere")
    made, folder = undisturbed / "results", copy_project(place / "a place of its own")
    own = {"ro-crate-metadata.json", "report"}
    shutil.copytree(made, folder / "results", ignore=lambda *_: own)
    shutil.copy(undisturbed / "pytask.lock", folder)
    other = {"PYTHONHASHSEED": "77", "TMPDIR": str(place), "HOME": str(place)}
    other |= {"USER": "somebody", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    build = "from report.task_crate import *; write_crate(RESULTS, RUNS, EXPORTS)\n"
    build += (
        "from report.task_report import *; page = EXECUTED['00-start']; own = page.read_text()\n"
    )
    build += "assert '# ' in own; page.write_text(own.replace('# ', '# Another ', 1))\n"
    build += "make_report(REPORT, RESULTS, RUNS); page.write_text(own)"
    command, paths = [sys.executable, "-c", build], {"PYTHONPATH": str(folder)}
    subprocess.run(command, cwd=folder, env=os.environ | other | paths, check=True)
    for path, change in EDITED.items():
        content = (folder / "results" / path).read_bytes()
        (folder / "results" / path).write_bytes(content.replace(*change))
        assert (folder / "results" / path).read_bytes() != content
    (folder / "results" / DELETED).unlink()
    # the report is made from what is kept, all but one page
    code, output = run_pytask(folder, "-k", f"{PART} or report", **other)
    assert code == 0, output
    assert re.search(r"\d/\d+ report: \d+ s", output), output  # else after any part of a run
    return folder


def test_the_published_numbers_come_out(undisturbed):
    found = pd.read_csv(undisturbed / "results/estimates.csv")
    assert_published(found, published_estimates())
    parquet = pd.read_parquet(undisturbed / "results/estimates.parquet")
    assert parquet["estimate"].equals(found["estimate"])


def test_every_sentence_of_the_answer_is_traced_to_one_row(undisturbed):
    results = undisturbed / "results"
    traced = pd.read_csv(results / "tables/answer-rows.csv")
    assert sorted(traced["sentence"].unique()) == list(range(1, 11))
    assert len((results / "answer.md").read_text("utf-8").splitlines()) == 10
    for file, rows in traced.groupby("file"):
        table = pd.read_csv(results / file, dtype=str)
        for row in rows["row"]:
            named = dict(part.split("=", 1) for part in row.split(", "))
            matches = (table[list(named)] == list(named.values())).all(axis=1)
            assert matches.sum() == 1, (file, row)


def test_the_figures_of_the_readmes_are_those_of_the_run(undisturbed):
    for shown, made in (("rate.svg", "rate.svg"), ("rate.es.svg", "es/rate.svg")):
        drawn = (undisturbed / "results/figures" / made).read_bytes()
        assert (ROOT / "docs" / shown).read_bytes() == drawn, shown


def test_the_report_asks_for_nothing_from_the_network(undisturbed):
    pages = list((undisturbed / "results/report").glob("*.html"))
    assert len(pages) > 15
    for page in pages:
        html = page.read_text(encoding="utf-8")
        for tag in re.findall(r"<(?:script|img|link|iframe|source)\b[^>]*>", html):
            assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", tag), (page.name, tag)
        for image in re.findall(r"<img\b[^>]*>", html):
            assert len(re.search(r'alt="([^"]*)"', image)[1]) > 40, (page.name, image[:200])


def test_site_and_crate_have_the_same_bytes_wherever_they_are_built(undisturbed, elsewhere):
    first, second = (hash_site(each / "results") for each in (undisturbed, elsewhere))
    assert [
        path for path in first.keys() | second.keys() if first.get(path) != second.get(path)
    ] == []


def hash_site(results: Path) -> dict[str, str]:
    """Hash every page and the crate, whose date of publication is meant to differ."""
    crate = (results / "ro-crate-metadata.json").read_bytes()
    crate = re.sub(rb'"datePublished": "[\d-]+"', b"", crate)
    pages = [path for path in (results / "report").rglob("*") if path.is_file()]
    hashed = {str(path.relative_to(results)): sha256(path.read_bytes()) for path in pages}
    return hashed | {"crate": sha256(crate)}


def test_no_executed_notebook_prints_a_warning_or_a_log(undisturbed):
    told = {}
    for path in (undisturbed / "results/notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                if output.get("name") == "stderr":
                    told.setdefault(path.name, "".join(output["text"])[:300])
    assert told == {}


def test_nothing_of_the_machine_is_published(undisturbed):
    results = undisturbed / "results"
    places = [str(undisturbed).encode(), str(Path(sys.prefix, "lib")).encode()]
    for path in (path for path in results.rglob("*") if path.is_file() and path.suffix != ".ipynb"):
        content = path.read_bytes()
        assert [place for place in places if place in content] == [], path


def test_nothing_is_run_twice(run):
    folder, output = run
    if not re.search(UNCHANGED, output):  # else that of `make` was the first
        code, output = run_pytask(folder)
        assert code == 0
    assert re.search(UNCHANGED, output), output


def test_an_edited_result_a_deleted_figure_and_an_edited_page_are_made_again(
    undisturbed, elsewhere
):
    first, second = undisturbed / "results", elsewhere / "results"
    paths = (*EDITED, DELETED)
    assert [x for x in paths if (first / x).read_bytes() != (second / x).read_bytes()] == []


def test_what_stands_in_the_results_is_what_is_declared(undisturbed):
    results, runs = undisturbed / "results", declare_runs()
    found = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    declared = {path for run in runs.values() for path in run.writes}
    declared |= {f"notebooks/{name}.ipynb" for name in runs} | {"ro-crate-metadata.json"}
    declared |= {*map_inputs(undisturbed, runs), *EXPORTS}
    assert {path for path in found if not path.startswith("report/")} == declared
    crate = json.loads((results / "ro-crate-metadata.json").read_text("utf-8"))
    described = {entity["@id"] for entity in crate["@graph"]}
    assert declared - {"ro-crate-metadata.json"} <= described


def test_the_crate_is_valid(undisturbed, tmp_path):
    assert validate_crate(undisturbed / "results", tmp_path) == set()


def test_a_changed_comment_and_an_edited_result_rerun_only_what_reaches_them(undisturbed):
    paths = [undisturbed / path for path in ("analysis/claims/rows.py", "results/tables/start.csv")]
    before = [path.read_bytes() for path in paths]
    for path, content in zip(paths, before, strict=True):
        path.write_bytes(content + b"\n# a comment\n")
    code, output = run_pytask(undisturbed, "--dry-run")
    explained, why = run_pytask(undisturbed, "--explain")
    for path, content in zip(paths, before, strict=True):
        path.write_bytes(content)
    assert code == 0, output
    rerun = set(re.findall(r"(task_\w+(?:\[[\w-]+\])?)\s+│ w", output))
    # what they write is read by the last notebook, the exports, the report and the crate
    runs = ("00-start", "02-claims", "08-forecast--inegi", "08-forecast--sesnsp", "10-synthesis")
    expected = {f"task_notebook[{name}]" for name in runs} | {
        "task_exports",
        "task_report",
        "task_crate",
    }
    assert rerun == expected
    assert explained == 0, why
    assert re.search(rf"{len(expected)}\s+Would be executed", why), why
    assert not re.search(r"\d\s+Succeeded", why), why


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A part run, killed when its first table is there, and run again with a broken notebook."""
    folder = copy_project(tmp_path_factory.mktemp("resumed"))
    process = start_pytask(folder, "-k", PART)
    started = time.monotonic()
    while not first_tables(folder):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - started < 300
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert 0 < len(first_tables(folder)) < 3
    path = folder / "notebooks/01-data.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][4]["source"] = ["raise ValueError('planted fault')"]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    code, output = run_pytask(folder, "-k", f"01-data or {PART}")
    assert code == 1, output
    assert re.search(r" 1\s+Failed", output), output
    return folder, output


def first_tables(folder):
    """Return the tables that are there of the runs of `PART`, each of which writes one."""
    return list((folder / "results").glob("*/*.csv"))


def test_a_run_killed_in_the_middle_ends_with_the_same_tables(undisturbed, resumed):
    folder, _ = resumed
    found, expected = tables(folder), tables(undisturbed)
    assert len(first_tables(folder)) == 3
    assert found == {name: expected[name] for name in found}


def test_a_failing_notebook_leaves_the_others_and_says_where_it_failed(resumed):
    folder, output = resumed
    assert "\nresults/notebooks/failed/01-data.ipynb\n" in output
    assert "execution.py" not in output  # the cell is at fault, not what ran it
    assert "\nStale now, since it reads that: 10-synthesis, report, exports, crate.\n" in output
    assert re.search(r"\nStale besides: 01-data, 02-claims, .* and 49 more\.\n", output)
    words = " ".join(output.replace("│", " ").split())
    assert "01-data.ipynb, cell 5" in words  # after the one with the parameters that it was given
    assert "ValueError: planted fault" in words
    assert (folder / "results/notebooks/failed/01-data.ipynb").is_file()
    assert not (folder / "results/notebooks/01-data.ipynb").exists()
    assert len(list((folder / "results/notebooks").glob("*.ipynb"))) == 3


def test_notebooks_end_with_the_same_bytes_though_a_worker_is_killed(undisturbed, tmp_path):
    shared = copy_project(tmp_path / "shared")
    (tmp_path / "cluster").mkdir()
    with running_cluster(tmp_path / "cluster") as running:
        workers = [running.add_worker(shared) for _ in range(2)]
        cluster = {"DASK_SCHEDULER_ADDRESS": running.address}
        process = start_pytask(shared, "--parallel-backend", "dask", "-k", PART, **cluster)
        try:
            killed, orphans = kill_while_it_works(workers, shared, process)
            output, _ = process.communicate(timeout=600)
            assert process.returncode == 0, output
        finally:
            stop_with_children(process)
    results, expected = shared / "results", undisturbed / "results"
    found = {path.relative_to(results) for path in results.rglob("*") if path.is_file()}
    made = {path.as_posix() for path in found if path.parts[0] != "notebooks"}
    assert made == {path for name in PART_RUNS for path in RUNS[name].writes}
    assert [x for x in made if (results / x).read_bytes() != (expected / x).read_bytes()] == []
    assert not killed.is_running()
    assert psutil.wait_procs(orphans, timeout=10)[1] == []  # kernels notice that their parent died
    assert list(results.rglob(".*")) == []


def is_kernel(process: psutil.Process) -> bool:
    with suppress(psutil.Error):  # it ended meanwhile
        return all("notebooks.warm" in each.cmdline() for each in (process, process.parent()))
    return False


def kill_while_it_works(workers: list[psutil.Process], folder: Path, process: subprocess.Popen):
    """Kill a worker and its nanny at once, as a queue does, when it runs a kernel amid results."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0]
        for worker in workers if first_tables(folder) else ():
            if kernels := [child for child in descendants(worker) if is_kernel(child)]:
                os.killpg(worker.pid, signal.SIGKILL)
                return worker, kernels  # which that orphans
        time.sleep(0.1)
    raise AssertionError("no worker was ever seen at work")
