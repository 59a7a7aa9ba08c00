"""What of the package a notebook can reach by its imports: what its results depend on."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "analysis"
BESIDE = "mexico_report"  # which imports it, and notebooks both
EXECUTION = [f"notebooks/{name}.py" for name in ("execution", "kernels", "warm")]  # of them all


def reached_by_notebook(notebook: Path, package: Path = PACKAGE) -> list[Path]:
    """Return the files of the package that a notebook can reach, and what executes it."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    code = re.sub(r"(?m)^[%!].*$", "", "\n".join(code))
    execution = [package.parent / name for name in EXECUTION]
    read = (path.read_text(encoding="utf-8") for path in execution)
    return [*execution, *reached_files("\n".join([*read, code]), package)]


def reached_files(code: str, package: Path = PACKAGE) -> list[Path]:
    """Return the files of the package that code can reach by its imports, sorted."""
    # Wherever an import stands. Of ``data/``, each declaration (``*.toml``) where a file that names
    # it is reached, and all others where the tables are.
    waiting, reached = list(_imports(code, package)), set()
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            code = path.read_text(encoding="utf-8") if path.suffix == ".py" else ""
            waiting += _imports(code, package)
    if package / "mexico/tables.py" in reached:
        data = (package / "data").iterdir()
        reached |= {path for path in data if path.is_file() and path.suffix != ".toml"}
    if package / "style.py" in reached:
        reached |= {*package.glob("fonts/*")}
    return sorted(reached)


@cache
def _imports(code: str, package: Path) -> tuple[Path, ...]:
    """Return the files of the package that some code imports, and the declarations it names."""
    declared = package.glob("data/*.toml")  # its-words.es.toml goes with its-words.toml
    files = [path for path in declared if f"{path.name.split('.')[0]}.toml" in code]
    tree = list(_statements(ast.parse(code)))
    names = [alias.name for each in tree if isinstance(each, ast.Import) for alias in each.names]
    imports = [each for each in tree if isinstance(each, ast.ImportFrom) and each.level == 0]
    names += [f"{each.module}.{alias.name}" for each in imports for alias in each.names]
    for top, *parts in (name.split(".") for name in names):
        if top == package.name and len(parts) == 1:
            parts = _public(package).get(parts[0], parts)
        for depth in range(len(parts) + 1 if top in (package.name, BESIDE) else 0):
            stem = package.with_name(top).joinpath(*parts[:depth])
            files += [stem / "__init__.py", stem.with_suffix(".py")]
    return tuple(path for path in files if path.is_file())


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield all statements, wherever they stand: of its nodes one in fifteen."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, part, ())


@cache
def _public(package: Path) -> dict[str, list[str]]:
    """Return the parts of the module that each public name comes from, by the package's stub."""
    stub = (package / "__init__.pyi").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^from \.(\S+) import (\w+)", stub)
    return {name: module.split(".") for module, name in lines}
