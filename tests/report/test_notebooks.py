import json
import re
import shutil

import grimp
import nbformat
import pytest
from support.folders import ROOT

from analysis.files import hash_files
from analysis.report import notebooks
from analysis.report.notebooks import run_notebook
from notebooks.reached import PACKAGE, reached_by_notebook, reached_files

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


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
    assert (tmp_path / "made.txt").read_text() == "5"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.ipynb"]


def test_a_failing_cell_is_named_and_the_partly_executed_copy_is_kept(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb", "n: int = 2", "print('so far')", "1 / 0")
    message = r"a\.ipynb, cell 2 .*ZeroDivisionError: division by zero"
    with pytest.raises(notebooks.NotebookError, match=message):
        run_notebook(notebook, tmp_path / "out/a.ipynb", {})
    kept = json.loads((tmp_path / "out/failed/a.ipynb").read_text(encoding="utf-8"))
    assert any("so far" in str(cell.get("outputs")) for cell in kept["cells"])
    assert not (tmp_path / "out/a.ipynb").exists()


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


ALL = {path.stem[:2] for path in NOTEBOOKS}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("checks.py", ALL), ("__init__.py", ALL), ("report/notebooks.py", ALL),
        ("engine/gls.py", ALL - {"07"}), ("engine/processes.py", {"09"}),
        ("its/result.py", ALL - {"07", "08", "09"}),
        ("robustness/windows.py", {"04"}), ("places/pooling.py", {"05", "11"}),
        ("operations/event_study.py", {"06"}), ("synthetic/control.py", {"07", "10"}),
        ("forecasts/methods.py", {"02", "08"}), ("data/forecasts-words.toml", {"02", "08"}),
        ("validation/coverage.py", {"09"}), ("data/validation-words.toml", {"09"}),
        ("mexico/municipalities.py", {"11"}), ("mexico/compile.py", set()),
        ("claims/rows.py", {"02", "08"}), ("report/answer.py", {"10"}),
        ("data/checklist.toml", {"10"}), ("data/answer.toml", {"10"}),
        ("data/summary.toml", {"10"}),
        ("data/claims.toml", {"02", "08", "10"}), ("data/claims-words.toml", {"02", "08", "10"}),
        ("data/policy-shifts.toml", ALL),
        ("data/population.csv", ALL), ("data/sources.toml", ALL), ("data/runs.toml", ALL),
    ],
)  # fmt: skip
def test_change_reaches_exactly_the_notebooks_that_import_it(tmp_path, changed, expected):
    package = tmp_path / "analysis"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = {path: hash_files(reached_by_notebook(path, package), package) for path in NOTEBOOKS}
    with (package / changed).open("ab") as stream:
        stream.write(b"\n# another comment\n")
    after = {path: hash_files(reached_by_notebook(path, package), package) for path in NOTEBOOKS}
    assert {path.stem[:2] for path in before if after[path] != before[path]} == expected


def test_what_is_reached_is_what_an_independent_reader_of_imports_finds():
    graph = grimp.build_graph("analysis", cache_dir=None)
    for module in ("analysis.its.result", "analysis.report.answer", "analysis.claims.counts"):
        reached = reached_files(f"import {module}")
        upstream = {module} | graph.find_upstream_modules(module)
        expected = {PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in upstream}
        found = {path for path in reached if path.suffix == ".py" and path.name != "__init__.py"}
        assert found == {path for path in expected if path.is_file()}


def test_public_name_is_followed_to_its_module_and_a_magic_is_no_code(tmp_path):
    code = "%matplotlib inline\nfrom analysis import sup_f"
    reached = reached_by_notebook(write_notebook(tmp_path / "a.ipynb", "n: int = 2", code))
    assert PACKAGE / "engine/sup_f.py" in reached
    assert PACKAGE / "engine/gls.py" not in reached
