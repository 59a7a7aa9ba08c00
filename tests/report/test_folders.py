"""A run as declared writes to results/; a run of one's own never does."""

import ast
import contextlib
import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.declared import RUNS
from support.folders import ROOT
from support.sweeps import sweep

from mexico_report.runs import DECLARED, SAME_NUMBERS, open_folders

FIT = RUNS["03-policy-shift--calderon-2006-12--inegi"].parameters


def tagged_cell(notebook):
    cells = json.loads((ROOT / f"notebooks/{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    return next(
        "".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", "")
    )


def defaults_of(notebook):
    body = ast.parse(tagged_cell(notebook)).body
    return {line.target.id: ast.literal_eval(line.value) for line in body}


def open_with(notebook="03-policy-shift", cells=(), **parameters):
    namespace = defaults_of(notebook) | parameters
    return open_folders(notebook, namespace | {"In": ["", tagged_cell(notebook), *cells]})


@pytest.fixture
def project(tmp_path, monkeypatch):
    for folder in ("notebooks", "results/notebooks", "benchmarks/deep"):
        (tmp_path / folder).mkdir(parents=True)
    for notebook in {run.notebook for run in RUNS.values()}:
        (tmp_path / f"notebooks/{notebook}.ipynb").touch()
    (tmp_path / "results/notebooks/01-data.ipynb").touch()  # as a run leaves it
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setattr("mexico_report.runs.declare_runs", lambda: RUNS)  # made once, above
    return tmp_path


@pytest.mark.parametrize("run", sweep(RUNS.values(), 0, 10, 20), ids=RUNS)
def test_every_declared_run_writes_to_the_results_and_says_nothing(project, capsys, run):
    folders = open_with(run.notebook, **run.parameters)
    assert folders == (project, project / "results", project / "results")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("notebook", [name for name in DECLARED if "recorded" in DECLARED[name]])
def test_a_changed_record_stops_every_notebook_that_reads_it(project, notebook):
    recorded = DECLARED[notebook]["recorded"]
    for path in recorded:
        folder = (project / path).parent
        folder.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, project / path)
        shutil.copy((ROOT / path).with_name("datapackage.json"), folder)
    open_with(notebook)
    changed = project / recorded[-1]
    changed.write_bytes(changed.read_bytes().replace(b"9", b"8", 1))
    with pytest.raises(ValueError, match=f"{changed.name} has sha256 .*the table was changed"):
        open_with(notebook)


def test_every_record_that_a_notebook_reads_is_declared():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        code = [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
        read = re.findall(r"benchmarks/[^\s\"']+\.csv", "".join("".join(c["source"]) for c in code))
        recorded = DECLARED[path.stem].get("recorded", ())
        assert set(read) == {each for each in recorded if each.startswith("benchmarks/")}


def test_declared_parameters_are_those_of_the_notebooks_own_cells():
    for run in RUNS.values():
        cell = defaults_of(run.notebook)
        assert {*run.parameters, *SAME_NUMBERS} >= {*cell} >= {*run.parameters, "results"}
        types = {name: type(value) for name, value in run.parameters.items()}
        assert types == {name: type(cell[name]) for name in types}, run.name
        told = {"shift", "source", "every", "probabilities", *SAME_NUMBERS}
        for name in cell.keys() - told:
            assert cell[name] == run.parameters[name], (run.name, name)


@pytest.mark.parametrize(
    ("notebook", "own", "name"),
    [
        ("03-policy-shift", {"window": "2003-01:2010-12"},
         "03-policy-shift--calderon-2006-12--inegi--window=2003-01..2010-12"),
        ("03-policy-shift", {"place": "MX16+MX11"},
         "03-policy-shift--calderon-2006-12--inegi--place=MX16+MX11"),
        ("03-policy-shift", {"shift": "covid-2020-04", "source": "sesnsp", "impact": "level"},
         "03-policy-shift--covid-2020-04--sesnsp--impact=level"),
        ("03-policy-shift", {"harmonics": 4, "impact": "slope"},
         "03-policy-shift--calderon-2006-12--inegi--impact=slope--harmonics=4"),
        ("04-robustness", {"draws": 10, "seed": 7},
         "04-robustness--calderon-2006-12--inegi--draws=10--seed=7"),
        ("05-states", {"shift": "michoacan-2006-12"}, "05-states--michoacan-2006-12--inegi"),
        ("06-operations", {"draws": 9}, "06-operations--inegi--draws=9"),
        ("07-comparison-countries", {"shift": "merida-2008-07"},
         "07-comparison-countries--merida-2008-07"),
        ("08-forecast", {"source": "inegi"}, "08-forecast--inegi--every=3"),
        ("09-validation", {"simulations": 5}, "09-validation--simulations=5"),
    ],
)  # fmt: skip
def test_a_run_of_ones_own_has_a_place_that_tells_it_and_is_printed(
    project, capsys, notebook, own, name
):
    folders = open_with(notebook, **own)
    assert folders == (project, project / "results", project / f"results/explored/{name}")
    assert capsys.readouterr().out.endswith(f"it writes to {folders.results}\n")


@pytest.mark.parametrize("same", [{"jobs": 3}, {"progress": True}, {"jobs": 0, "draws": 250}])
def test_parameters_that_change_no_number_make_no_run_of_ones_own(project, same):
    assert open_with("04-robustness", **same).results == project / "results"


def test_a_value_saved_in_the_notebook_is_not_declared_by_that(project):
    cell = re.sub("harmonics: int = 2", "harmonics: int = 3", tagged_cell("03-policy-shift"))
    cells = [{"source": [cell], "metadata": {"tags": ["parameters"]}}]
    (project / "notebooks/03-policy-shift.ipynb").write_text(json.dumps({"cells": cells}))
    assert open_with(harmonics=3).results.name.endswith("--harmonics=3")
    assert open_with(harmonics=2).results == project / "results"


@pytest.mark.parametrize("cell", ["# Parameters\nshfit = 'x'\n", 'results: str = ""\nshfit = "x"'])
def test_an_unknown_parameter_is_refused_with_the_nearest_known_name(project, cell):
    with pytest.raises(KeyError, match=r"03-policy-shift 'shfit'\. Did you mean 'shift'"):
        open_with(cells=[cell])


def test_a_mended_name_is_forgiven_in_the_same_kernel(project):
    wrong = tagged_cell("03-policy-shift").replace("harmonics", "harmonic")
    assert open_with(cells=[wrong, tagged_cell("03-policy-shift")]).results.name == "results"
    with pytest.raises(KeyError, match="'harmonic'"):
        open_with(cells=[wrong])


def test_variables_of_other_cells_are_no_parameters(project):
    cells = ["x = 1\nresults = folders.results", "%matplotlib inline"]
    assert open_with(cells=cells).results == project / "results"


def test_a_parameter_left_out_is_named(project):
    with pytest.raises(ValueError, match=r"tagged parameters must set \['harmonics', 'results'\]"):
        open_folders("03-policy-shift", {k: v for k, v in FIT.items() if k != "harmonics"})


@pytest.mark.parametrize(
    "wrong",
    [{"harmonics": 2.0}, {"harmonics": "3"}, {"harmonics": True}, {"place": 16}, {"results": None}],
    ids=str,
)
def test_a_value_of_another_type_is_refused(project, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(TypeError, match=f"{name} must be of type .*; found {value!r}"):
        open_with(**wrong)


def test_a_source_that_the_shift_does_not_declare_is_refused(project):
    told = "sheinbaum-2024-10 declares the source sesnsp; found 'inegi'"
    for notebook in ("03-policy-shift", "04-robustness", "05-states"):
        with pytest.raises(ValueError, match=told):
            open_with(notebook, shift="sheinbaum-2024-10")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"shift": "calderon"}, "unknown policy shift 'calderon'.*'calderon-2006-12'"),
        ({"source": "ingei"}, "unknown source 'ingei'.*'inegi'"),
    ],
)
def test_an_unknown_shift_or_source_is_answered_with_the_nearest(project, own, message):
    with pytest.raises(KeyError, match=message):
        open_with(**own)
    if "source" in own:
        with pytest.raises(KeyError, match=message):
            open_with("08-forecast", **own)


@pytest.mark.parametrize(
    "start", [".", "notebooks", "benchmarks/deep", "results", "results/notebooks"]
)
def test_from_any_folder_of_the_project_the_answer_is_the_same(project, monkeypatch, start):
    monkeypatch.chdir(project / start)
    for notebook in ("01-data", "03-policy-shift"):
        assert open_with(notebook) == (project, project / "results", project / "results")


def test_the_nearest_project_counts(project, monkeypatch):
    inner = project / "benchmarks/deep"
    (inner / "notebooks").mkdir()
    (inner / "notebooks/03-policy-shift.ipynb").touch()
    monkeypatch.chdir(inner / "notebooks")
    assert open_with().results == inner / "results"
    assert open_with("01-data").project == project  # another's notebooks/ is passed by


def test_outside_of_a_project_nothing_runs(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    told = r"upwards holds notebooks/03-policy-shift\.ipynb; run the notebook from a folder of"
    with pytest.raises(FileNotFoundError, match=told):
        open_with()
    assert list(tmp_path.rglob("*")) == [tmp_path / "notebooks"]


def test_results_elsewhere_have_the_same_two_places(project):
    elsewhere = project / "benchmarks/deep"
    assert open_with(results=str(elsewhere)) == (project, elsewhere, elsewhere)
    assert open_with(results="../benchmarks/deep").results == elsewhere
    own = open_with(results="../results", harmonics=3)  # the published ones by another name
    assert own.results.parent == project / "results/explored"


@pytest.mark.parametrize("notebook", sorted({run.notebook for run in RUNS.values()}))
def test_a_notebook_names_no_folder_but_those_it_was_given(notebook):
    cells = json.loads((ROOT / f"notebooks/{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert f'\nfolders = open_folders("{notebook}", globals())\nresults = folders.results' in code
    folders = set(re.findall(r"\bPath\(([^,)]*)", code))
    assert folders - {"results", "folders.project", "folders.published"} == set()
    assert not re.search(r"\.\./|\bcwd\b|\bglob\b|\bopen\(|read_csv\((?!Path\()", code)


def test_nothing_declared_is_read_from_what_was_explored():
    paths = {path for run in RUNS.values() for path in (*run.reads, *run.recorded, *run.writes)}
    assert len(paths) > 300
    assert [path for path in paths if "explored" in path or "*" in path.split("/")[0]] == []


HOSTILE = st.text() | st.sampled_from(["..", "../../x", "/etc", "a" * 400, "C:\\x", "ñ" * 90, "\0"])


@pytest.mark.slow
@settings(max_examples=20)
@given(place=HOSTILE, window=HOSTILE, impact=HOSTILE)
def test_whatever_is_given_stays_in_one_folder_below_explored(place, window, impact):
    with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
        project = Path.cwd()
        (project / "notebooks").mkdir()
        (project / "notebooks/03-policy-shift.ipynb").touch()
        given = {"place": place, "window": window, "impact": impact}
        with contextlib.redirect_stdout(None):
            results = open_folders("03-policy-shift", FIT | given | {"results": ""}).results
        if any(given.values()):
            assert results.resolve().parent == project / "results/explored"
            assert re.fullmatch(r"03-policy-shift--[\w.+=-]{1,130}", results.name, re.ASCII)
            results.mkdir(parents=True)  # no name that the system refuses
            assert list((project / "results/explored").iterdir()) == [results]
        else:
            assert results == project / "results"


def test_values_that_are_spelt_alike_in_a_name_have_folders_of_their_own(project):
    places = ["MX16 MX11", "MX16/MX11", "MX16\\MX11", "MX16-MX11", "x" * 300, "x" * 301]
    assert len({open_with(place=place).results.name.lower() for place in places}) == len(places)
