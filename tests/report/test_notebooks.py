import ast
import errno
import json
import os
import re
import shutil
import subprocess
import sys

import grimp
import nbformat
import pytest
from support.folders import ROOT
from support.sweeps import sweep

from analysis.files import hash_files
from analysis.language import spoken
from notebooks import execution, kernels, warm
from notebooks.execution import hold, run_notebook
from notebooks.reached import PACKAGE, reached_by_notebook, reached_files

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module", autouse=True)
def _little_loaded(request):
    """Among the fast tests kernels are forked from a process that has not loaded the package."""
    if request.config.getoption("markexpr") != "not slow":
        yield
        return
    code = "from notebooks.warm import fork_kernels; import ipykernel.kernelapp; fork_kernels({})"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kernels, "COMMAND", [*kernels.COMMAND[:2], "-c", code])
        yield
        kernels.WARM.end()


def write_notebook(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_a_parameter_that_the_notebook_lacks_fails_and_nothing_is_written(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb", "harmonics: int = 2  # pairs")
    with pytest.raises(KeyError, match=r"unknown parameter of a\.ipynb 'harmonic'.*'harmonics'"):
        run_notebook(notebook, tmp_path / "out/a.ipynb", {"harmonic": 3})
    assert not (tmp_path / "out").exists()


def test_a_notebook_runs_with_its_parameters_in_its_own_folder(tmp_path):
    code = "from pathlib import Path; Path('made.txt').write_text(str(n))"
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2", code)
    run_notebook(notebook, tmp_path / "out/a.ipynb", {"n": 5})
    assert (tmp_path / "made.txt").read_text("utf-8") == "5"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.ipynb"]


def test_a_failing_cell_is_named_and_the_partly_executed_copy_is_kept(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2", "print('so far')", "1 / 0")
    message = r"a\.ipynb, cell 2 .*ZeroDivisionError: division by zero"
    with pytest.raises(execution.NotebookError, match=message):
        run_notebook(notebook, tmp_path / "out/a.ipynb", {})
    kept = json.loads((tmp_path / "out/failed/a.ipynb").read_text(encoding="utf-8"))
    assert any("so far" in str(cell.get("outputs")) for cell in kept["cells"])
    assert not (tmp_path / "out/a.ipynb").exists()


WORLD = """
import os, signal, subprocess, sys
import matplotlib, numpy, pandas
assert os.getsid(0) == os.getpid() and sys.stdin.read() == ""
assert subprocess.run(["false"]).returncode == 1  # it hears of its own children
{"path": sys.path, "folder": os.getcwd(),
 "tables": [str(getattr(pandas.options.display, each)).lower()
            for each in dir(pandas.options.display)],
 "numbers": numpy.get_printoptions(), "figures": dict(matplotlib.rcParams),
 "options": [each.split("=")[0] for each in sys.argv[1:] if each[0] == "-"],
 "signals": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
 "environment": sorted(os.environ.items() - {("JPY_PARENT_PID", os.environ.get("JPY_PARENT_PID"))})}
"""


@pytest.mark.slow
def test_a_forked_kernel_sees_the_world_that_a_cold_one_sees(tmp_path, monkeypatch):
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2", WORLD)
    monkeypatch.setattr(kernels.WARM, "lock", None)  # no fork is thought of
    monkeypatch.setattr(kernels, "FORKS", False)
    run_notebook(notebook, tmp_path / "cold.ipynb", {})
    monkeypatch.undo()
    run_notebook(notebook, tmp_path / "forked.ipynb", {})
    assert (tmp_path / "forked.ipynb").read_bytes() == (tmp_path / "cold.ipynb").read_bytes()


@pytest.mark.slow
def test_each_kernel_draws_numbers_of_its_own(tmp_path):
    drawn = "import numpy, random; print(numpy.random.rand(), random.random())"
    notebook, found = write_notebook(tmp_path / "a.ipynb", "n: int = 2", drawn), []
    for name in ("one", "other"):
        run_notebook(notebook, tmp_path / f"{name}.ipynb", {})
        cells = json.loads((tmp_path / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        found.append("".join(cells[-1]["outputs"][0]["text"]).split())
    assert [len({*each}) for each in zip(*found, strict=True)] == [2, 2]


@pytest.mark.slow
@pytest.mark.skipif(not kernels.FORKS, reason="kernels are forked on Linux alone")
def test_a_kernel_whose_warm_process_died_starts_cold_and_the_next_is_forked(tmp_path, monkeypatch):
    told = "import os; print(open(f'/proc/{os.getppid()}/cmdline').read().split('\\0')[3])"
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2", told)

    def parent():
        run_notebook(notebook, tmp_path / "out.ipynb", {})
        return "notebooks.warm" in (tmp_path / "out.ipynb").read_text("utf-8")

    fails = [sys.executable, "-c", "raise SystemExit(1)"]
    with monkeypatch.context() as patched:
        kernels.WARM.end()
        patched.setattr(kernels, "COMMAND", fails)
        assert not parent()
    assert parent()


def test_the_warm_process_loads_its_libraries_with_what_kernels_inherit(monkeypatch):
    for name in kernels.INHERITED:
        monkeypatch.delenv(name, raising=False)
    told = "import json, os; print(json.dumps(dict(os.environ)), flush=True)"
    monkeypatch.setattr(kernels, "COMMAND", [sys.executable, "-c", told])
    kernels.WARM.end()
    try:
        environment = json.loads(kernels.WARM.start().stdout.readline())
    finally:
        kernels.WARM.end()
    assert kernels.INHERITED.items() <= environment.items()


READING = """
import sys
from notebooks import warm
warm.os.fork = lambda: 7
warm.fork_kernels({}, [lambda: print("read", flush=True)])
"""


@pytest.mark.parametrize("waits", [False, True])
def test_a_kernel_that_is_asked_for_does_not_wait_for_data_to_be_read(waits):
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", READING], cwd=ROOT, text=True, **pipes) as process:
        first = process.stdout.readline() if waits else ""  # where none is asked for, they are
        assert first + process.communicate("a kernel\n")[0] == ("read\n7\n" if waits else "7\n")


def test_reading_the_embedded_data_leaves_the_language_alone():
    for read in warm.read_embedded():
        read()
        assert spoken() == "en"


def test_what_the_packages_import_where_they_use_it_is_loaded_before_a_fork():
    found = set()
    code = [
        path.read_text("utf-8") for name in warm.PACKAGES for path in (ROOT / name).rglob("*.py")
    ]
    for text in filter(re.compile("^ +from ", re.M).search, code):
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef):
                inside = [each for each in ast.walk(function) if isinstance(each, ast.ImportFrom)]
                found |= {each.module for each in inside}
    libraries = ("linearmodels", "scipy", "statsmodels")
    slow = {name for name in found if name.partition(".")[0] in libraries}
    assert slow <= {*warm.MODULES}
    assert len(slow) > 5


def run_python(code, *arguments, **environment):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    paths = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen(command, env=paths, stdout=subprocess.PIPE, text=True)


def printed(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    return "".join("".join(output.get("text", [])) for output in outputs)


def test_a_run_of_the_same_file_meanwhile_is_refused_and_disturbs_nothing(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2")
    executed = tmp_path / "out/a.ipynb"
    with hold(tmp_path / "out/.running-a.ipynb", "it"):
        message = r"^a\.ipynb is already running: another process holds .*\. Wait until it has end"
        with pytest.raises(execution.NotebookError, match=message):
            run_notebook(notebook, executed, {})
        assert (tmp_path / "out/.running-a.ipynb").exists()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_what_a_killed_process_held_is_free(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from notebooks.execution import hold\n"
        "with hold(Path(sys.argv[1]), 'it'): print('held', flush=True); time.sleep(100)"
    )
    process = run_python(code, tmp_path / "lock")
    with process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(execution.NotebookError), hold(tmp_path / "lock", "it"):
            pass
        process.kill()
    assert (tmp_path / "lock").exists()
    with hold(tmp_path / "lock", "it"):
        pass
    assert not (tmp_path / "lock").exists()


@pytest.mark.slow
def test_the_kernel_is_of_this_python_whatever_the_machine_offers(tmp_path, monkeypatch):
    spec = tmp_path / "jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    startup = tmp_path / "ipython/profile_default/startup/of-the-user.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("print('as the user likes it')")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    long = tmp_path / f"{'x' * 83}/{{n}}"  # sockets there would have too long a path
    long.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(long))
    notebook = write_notebook(long / "a.ipynb", "n: int = 2", "import sys; print(sys.executable)")
    run_notebook(notebook, long / "out/a.ipynb", {})
    assert printed(long / "out/a.ipynb") == f"{sys.executable}\n"
    assert sorted(path.name for path in long.iterdir()) == ["a.ipynb", "out"]


DRAWN = """\
import warnings
import matplotlib.pyplot as plt, pandas as pd
fig, ax = plt.subplots()
ax.plot([1, 2, 3], clip_on=True)
warnings.warn("told")
display(pd.DataFrame({"a": [1]}).style.hide(), pd.DataFrame({"a": [2]}).style, ax.plot, object())
"""


@pytest.mark.slow
def test_runs_in_folders_of_their_own_make_the_same_bytes_cold_or_forked(tmp_path, monkeypatch):
    for folder in ("one", "another/deeper", "cold"):
        monkeypatch.setattr(kernels, "FORKS", folder != "cold" and kernels.FORKS)
        (tmp_path / folder).mkdir(parents=True)
        notebook = write_notebook(tmp_path / folder / "a.ipynb", "n: int = 2", DRAWN)
        cells = json.loads(notebook.read_text("utf-8"))
        for number, cell in enumerate(cells["cells"]):
            cell["id"] = f"00-{number:02}"
        notebook.write_text(json.dumps(cells))
        run_notebook(notebook, tmp_path / folder / "out/a.ipynb", {"n": 3})
    made = (tmp_path / "one/out/a.ipynb").read_bytes()
    assert made == (tmp_path / "another/deeper/out/a.ipynb").read_bytes()
    assert made == (tmp_path / "cold/out/a.ipynb").read_bytes()
    text = made.decode()
    assert str(tmp_path) not in text
    assert not re.search(r"ipykernel_\d|_time|duration|papermill\"|0x[0-9a-f]{8}", text)
    cells = json.loads(text)["cells"]
    assert [cell["id"] for cell in cells] == ["00-00", "added-001", "00-01"]
    tables = [output["data"]["text/html"] for output in cells[2]["outputs"][1:3]]
    identifiers = [set(re.findall(r"T_[0-9a-f]{5}", "".join(table))) for table in tables]
    assert identifiers == [{"T_00000"}, {"T_00001"}]


@pytest.mark.slow
def test_a_full_disk_is_told_in_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    def refuse(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(execution, "write_atomically", refuse)
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2")
    message = r"^a\.ipynb did not end, and .*out/a\.ipynb was not made: .*No space left on device"
    with pytest.raises(execution.NotebookError, match=message):
        run_notebook(notebook, tmp_path / "out/a.ipynb", {})
    assert list((tmp_path / "out").iterdir()) == []


def test_results_that_cannot_be_made_are_told_in_one_sentence(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2")
    (tmp_path / "out").write_text("a file where the folder would be")
    with pytest.raises(execution.NotebookError, match=r"a\.ipynb did not end, and .*: .*exists"):
        run_notebook(notebook, tmp_path / "out/a.ipynb", {})


@pytest.mark.slow
def test_a_kernel_that_is_killed_is_told_in_one_sentence(tmp_path):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2", code)
    with pytest.raises(execution.NotebookError, match=r"^a\.ipynb did not end, and .*[Kk]ernel"):
        run_notebook(notebook, tmp_path / "out/a.ipynb", {})
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_the_house_rules(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    assert sources[0].startswith("# ")
    assert all(word in sources[0] for word in ("**Question.**", "**Reads**", "**Writes**"))
    assert cells[1]["metadata"]["tags"] == ["parameters"]
    assert all(re.match(r"\w+: \w+ = .+  # .+", line) for line in sources[1].splitlines())
    for cell, source in zip(cells, sources, strict=True):
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            assert cell["execution_count"] is None
            assert not re.search(r"^\s*(def|class) ", source, flags=re.M), source
            assert "plt." not in source or "import" in source or "save_figure(" in source


def test_links_of_the_notebooks_lead_to_files():
    found = []
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        told = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        found += [
            (path.parent / link).resolve() for link in re.findall(r"\]\((?!https:)(.+?)\)", told)
        ]
    assert len(found) > 15
    made = {ROOT / "results/estimates.csv"}
    assert [link for link in set(found) - made if not link.is_file()] == []


ALL = {path.stem[:2] for path in NOTEBOOKS}


def hashes(package):
    return {
        path: hash_files(reached_by_notebook(path, package), package.parent) for path in NOTEBOOKS
    }


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package, which each test leaves as it was, and what it is by its hashes."""
    folder = tmp_path_factory.mktemp("copied")
    package = folder / "analysis"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "mexico_report", folder / "mexico_report")
    (folder / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.py"):
        shutil.copy(path, folder / "notebooks")
    return package, hashes(package)


@pytest.mark.parametrize(
    ("changed", "expected"),
    sweep([
        ("checks.py", ALL), ("__init__.py", ALL), ("../notebooks/execution.py", ALL),
        ("../notebooks/warm.py", ALL), ("../notebooks/kernels.py", ALL),
        ("engine/gls.py", ALL - {"07"}),
        ("its/result.py", ALL - {"07", "08", "09"}),
        ("robustness/placebos.py", {"04", "12"}), ("places/pooling.py", {"05", "11"}),
        ("operations/event_study.py", {"06"}), ("synthetic/control.py", {"07", "10"}),
        ("forecasts/methods.py", {"02", "08"}), ("data/forecasts-words.toml", {"02", "08"}),
        ("validation/coverage.py", {"09", "12"}), ("data/validation-words.toml", {"09"}),
        ("its/own.py", {"12"}), ("data/own-words.toml", {"12"}),
        ("mexico/municipalities.py", {"11"}), ("__main__.py", set()),
        ("claims/rows.py", {"02", "08"}), ("../mexico_report/findings.py", {"10"}),
        ("data/checklist.toml", {"02", "03", "10"}), ("data/answer.toml", {"10"}),
        ("data/summary.toml", {"10"}),
        ("data/claims.toml", {"02", "08", "10"}), ("data/claims-words.toml", {"02", "08", "10"}),
        ("data/policy-shifts.toml", ALL),
        ("data/population.csv", ALL), ("data/sources.toml", ALL), ("data/runs.toml", ALL),
    ], 1, 8, 24),
)  # fmt: skip
def test_change_reaches_exactly_the_notebooks_that_import_it(copied, changed, expected):
    package, before = copied
    content = (package / changed).read_bytes()
    (package / changed).write_bytes(content + b"\n# another comment\n")
    after = hashes(package)
    (package / changed).write_bytes(content)
    assert {path.stem[:2] for path in before if after[path] != before[path]} == expected


def test_what_is_reached_is_what_an_independent_reader_of_imports_finds():
    graph = grimp.build_graph("analysis", "mexico_report", cache_dir=None)
    for module in ("analysis.its.result", "mexico_report.findings", "analysis.claims.counts"):
        reached = reached_files(f"import {module}")
        upstream = {module} | graph.find_upstream_modules(module)
        expected = {PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in upstream}
        found = {path for path in reached if path.suffix == ".py" and path.name != "__init__.py"}
        assert found == {path for path in expected if path.is_file()}


def test_public_name_is_followed_to_its_module_and_a_magic_is_no_code(tmp_path):
    code = "%matplotlib inline\nfrom analysis import sup_f"
    reached = reached_by_notebook(write_notebook(tmp_path / "a.ipynb", "n: int = 2", code))
    assert PACKAGE / "engine/sup_f.py" in reached
    assert PACKAGE / "engine/reml.py" not in reached
