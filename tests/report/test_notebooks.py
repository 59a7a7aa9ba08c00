import json
import re

import nbformat
import pytest
from support.folders import ROOT

from analysis.report.notebooks import NotebookError, run_notebook

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def write_notebook(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)
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
    with pytest.raises(NotebookError, match=message):
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
            if "subplots" in source:
                assert len(cell["metadata"]["mystnb"]["image"]["alt"]) > 40
