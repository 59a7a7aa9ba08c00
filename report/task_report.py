"""The site: the answer first, then every executed notebook; ``pytask`` builds it from these."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode

from analysis.files import hash_files, sha256
from mexico_report.runs import Run, declare_runs
from notebooks.reached import reached_files
from report.exports import EXPORTS
from report.pages import lay_out_notebooks, read_notebooks, write_pages
from report.tables import FRONT

REPORT = Path(__file__).parent
RESULTS = REPORT.parent / "results"
CONFIGURATION = sorted(
    path for path in REPORT.rglob("*.*") if path.suffix in {".py", ".j2", ".toml", ".css", ".js"}
)
KEPT = ".pytask/site"  # below the project's folder: what Sphinx reads, and what it makes of that
RUNS = declare_runs()
REACHED = reached_files((REPORT / "pages.py").read_text(encoding="utf-8"))
OF_ALL = (".py", ".css", ".js")  # what the source has of all pages: Sphinx tells which show others
EXECUTED = {name: RESULTS / f"notebooks/{name}.ipynb" for name in RUNS}
UNFINISHED = "unfinished"  # beside them while Sphinx works: what it kept is not what it wrote
SPHINX = """import importlib, sys
from sphinx.application import builtin_extensions
from sphinx.cmd.build import main
for name in (*builtin_extensions, "myst_nb", "furo"):
    importlib.import_module(name)
input()
sys.exit(main(sys.argv[1:]))
"""  # `python -m sphinx`, which has imported what it needs when it is told to go


def make_report(
    configuration: Path,
    results: Path,
    runs: Mapping[str, Run],
    started: Callable[[], None] | None = None,
) -> None:
    """Build the report of all `runs`, in the menu's order, and put it at once into `results`.

    `started`: what `start_sphinx` yields, where that has been called.
    """
    # pages whose source is as it was are not read again: what Sphinx understood of them is kept
    site, kept = results / "report", results.parent / KEPT
    with tempfile.TemporaryDirectory(dir=results, prefix=".report-") as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        shutil.copytree(configuration, source, ignore=shutil.ignore_patterns("*.pyc", "task_*"))
        begin = nullcontext(started) if started else start_sphinx(kept / "source", kept / "built")
        with begin as build:
            executed = read_notebooks(results, runs)
            write_pages(results, source, runs, executed)
            lay_out_notebooks(executed, runs, source)
            if (kept / UNFINISHED).exists():  # that run was killed
                shutil.rmtree(kept)
            known = kept.is_dir()
            try:
                _build_from(source, kept, build)
            except RuntimeError:
                shutil.rmtree(kept, ignore_errors=True)
                if not known:
                    raise
                with start_sphinx(kept / "source", kept / "built") as again:
                    _build_from(source, kept, again)
        shutil.copytree(kept / "built", built, ignore=shutil.ignore_patterns(".buildinfo"))
        shutil.rmtree(site, ignore_errors=True)
        built.rename(site)


def _build_from(source: Path, kept: Path, build: Callable[[], None]) -> None:
    """Bring the `source` that is kept up to date, each file that has changed, and build these."""
    old, built, afresh = kept / "source", kept / "built", False
    kept.mkdir(parents=True, exist_ok=True)
    (kept / UNFINISHED).touch()
    for path in [path for path in old.rglob("*") if path.is_file()]:
        if not (source / path.relative_to(old)).is_file():
            path.unlink()
            afresh = True
    for path in (path for path in source.rglob("*") if path.is_file()):
        place = old / path.relative_to(source)
        if not place.is_file() or place.read_bytes() != path.read_bytes():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            afresh = afresh or path.suffix in OF_ALL
    # Sphinx gives a page another address of a style sheet that was there before the page
    shutil.rmtree(built if afresh else built / "_static", ignore_errors=True)
    build()
    pages = (path.read_text(encoding="utf-8") for path in built.rglob("*.html"))
    shown = {name for page in pages for name in re.findall(r'_images/([^"]+)"', page)}
    for image in (built / "_images").glob("*"):  # of a page as it was
        if image.name not in shown:
            image.unlink()
    (kept / UNFINISHED).unlink()


@contextmanager
def start_sphinx(source: Path, built: Path) -> Iterator[Callable[[], None]]:
    """Start Sphinx, which takes seconds, and yield what has it build; a warning is an error."""
    options = ["-q", "-W", "-b", "html", "-d", str(built.with_name("doctrees"))]
    command = [sys.executable, "-c", SPHINX, *options, str(source), str(built)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as process:

        def build() -> None:
            told = process.communicate("\n")[1]
            if process.returncode:
                raise RuntimeError(f"Sphinx could not build the report:\n{told}")

        try:
            yield build
        finally:
            process.kill()


@dataclass(kw_only=True)
class SiteNode:
    """The folder of the site as one product of a task: a page edited or deleted is noticed."""

    folder: Path  # not `path`: pytask would take it for a file
    name: str = "site"
    attributes: dict = field(default_factory=dict)

    @property
    def signature(self) -> str:
        """Return what tells this node from others."""
        return sha256(self.folder.as_posix().encode())

    def state(self) -> str | None:
        """Return a hash of all files, or None where there is no site."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return hash_files(files, self.folder) if files else None

    def load(self, is_product: bool = False) -> Path:
        """Return the folder."""
        return self.folder

    def save(self, value: object) -> None:
        """The task itself has written the site."""


def task_report(
    site: Annotated[Path, SiteNode(folder=RESULTS / "report"), Product],
    executed: dict[str, Path] = EXECUTED,
    front: list[Path] = [RESULTS / path for path in (*FRONT, *EXPORTS)],
    configuration: list[Path] = CONFIGURATION,
    package: Any = PythonNode(value=hash_files(REACHED, REPORT.parent), hash=True),
) -> None:
    """Build the report, a site that opens from disk, from the executed notebooks."""
    make_report(REPORT, RESULTS, RUNS)
