"""The rooms and their rules: imports go downwards, the face is light, the stub tells the truth."""

import ast
import inspect
import re
import shutil
import subprocess
import sys

import pytest
from support.folders import ROOT
from support.sweeps import sweep

import analysis

PACKAGE = ROOT / "analysis"
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
STUB = ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8"))
IMPORTS = [statement for statement in STUB.body if isinstance(statement, ast.ImportFrom)]


def check_contracts(folder):
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    environment = {"PYTHONPATH": str(folder), "PATH": ""}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("planted", "broken"),
    sweep(
        [
            ("", []),
            ("engine/gls.py: import analysis.its.series", ["Rooms import downwards"]),
            ("places/words.py: import analysis.robustness.words", ["Rooms import downwards"]),
            (
                "its/flags.py: from analysis.mexico.sources import SOURCES",
                ["Rooms import downwards", "The method knows no country"],
            ),
            ("engine/gls.py: from analysis.style import REAL", ["The engine takes arrays"]),
            ("files.py: import benchmarks.speed", ["The package needs neither"]),
            ("mexico/gaps.py: import mexico_tables.package", ["The package needs neither"]),
        ],
        3,
    ),
)
def test_contracts_hold_and_see_what_is_planted(tmp_path, planted, broken):
    shutil.copytree(PACKAGE, tmp_path / "analysis", ignore=shutil.ignore_patterns("data"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    if planted:
        path, line = planted.split(": ")
        with (tmp_path / "analysis" / path).open("a", encoding="utf-8") as stream:
            stream.write(f"\n{line}\n")
    said = check_contracts(tmp_path)
    assert said.returncode == (1 if broken else 0), said.stdout + said.stderr
    kept = re.findall(r"^(.+) (KEPT|BROKEN)\b", said.stdout, flags=re.MULTILINE)
    assert len(kept) == 4
    found = [name for name, word in kept if word == "BROKEN"]
    assert [name for name in found if name.startswith(tuple(broken) or ("?",))] == found
    assert len(found) == len(broken)


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.name)
def test_room_says_what_it_is_and_imports_nothing(room):
    statements = ast.parse((room / "__init__.py").read_text("utf-8")).body
    assert len(statements) == 1
    assert ast.get_docstring(ast.Module(statements, [])).endswith(".")


def test_public_names_are_those_of_the_stub_and_each_is_there():
    names = {alias.name for statement in IMPORTS for alias in statement.names}
    assert set(analysis.__all__) == names
    assert all(alias.asname == alias.name for one in IMPORTS for alias in one.names)
    assert [name for name in names if not callable(getattr(analysis, name))] == []
    assert names <= set(dir(analysis))


def test_public_functions_say_what_they_take_and_give():
    public = {name: getattr(analysis, name) for name in analysis.__all__}
    # from Python 3.13 on, docstrings are stored without their indentation
    called = {name: said for name, said in public.items() if not isinstance(said, type)}
    functions = {name: inspect.getdoc(said) for name, said in called.items()}
    assert [name for name, said in functions.items() if "Returns\n-------" not in said] == []
    taking = [name for name in functions if inspect.signature(public[name]).parameters]
    assert [name for name in taking if "Parameters\n------" not in functions[name]] == []
    assert [name for name, said in public.items() if not (said.__doc__ or "").strip()] == []


def test_face_loads_nothing_and_writing_a_table_loads_no_model():
    code = "import sys, analysis; print('numpy' in sys.modules); import analysis.files; "
    code += "print(sorted({'statsmodels', 'matplotlib', 'scipy'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.split("\n")[:2] == ["False", "[]"], run.stderr
