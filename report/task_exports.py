"""The exports, made anew where the estimates, a table or what writes them has changed."""

from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode

from analysis.files import hash_files
from notebooks.reached import reached_files
from report.exports import EXPORTS, READ, SCRIPTS, write_exports

REPORT = Path(__file__).parent
RESULTS = REPORT.parent / "results"
CODE = [REPORT / f"{name}.py" for name in ("exports", "codebook", "tables", "task_exports")]
REACHED = {path for code in CODE for path in reached_files(code.read_text(encoding="utf-8"))}
FILES = {*CODE, *SCRIPTS, *REACHED, REPORT / "exports.toml"}


def task_exports(
    read: list[Path] = [RESULTS / path for path in READ],
    package: Any = PythonNode(value=hash_files(FILES, REPORT.parent), hash=True),
    exports: Annotated[list[Path], Product] = [RESULTS / path for path in EXPORTS],
) -> None:
    """Write the estimates and the tables in other programs' formats."""
    write_exports(RESULTS)
