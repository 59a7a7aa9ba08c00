"""Sphinx configuration of the documentation; ``make docs`` builds it into ``results/docs``.

A page listed in `FILLED` is a Jinja template: what it lists comes from the package itself.
"""

import ast
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from sphinx.application import Sphinx

import analysis

# jsonschema would have a grammar built, two seconds, for a format that no notebook has
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

ROOT = Path(__file__).parents[1]
FILLED = ("api", "warnings", "glossary")


def read_toml(path: str) -> dict[str, Any]:
    """Return a TOML file of the project."""
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def list_rooms() -> dict[str, dict[str, Any]]:
    """Return the sentence and the public names of each room, from the package's stub."""
    stub = ast.parse((ROOT / "analysis/__init__.pyi").read_text(encoding="utf-8"))
    rooms: dict[str, dict[str, Any]] = {}
    for statement in stub.body:
        if isinstance(statement, ast.ImportFrom):
            room = str(statement.module).split(".")[0]
            face = ast.parse((ROOT / f"analysis/{room}/__init__.py").read_text(encoding="utf-8"))
            own = rooms.setdefault(room, {"says": ast.get_docstring(face), "names": {}})
            for each in statement.names:
                kind = "class" if isinstance(getattr(analysis, each.name), type) else "function"
                own["names"][each.name] = kind
    return rooms


WORDS = read_toml("docs/words.toml")
TERMS = read_toml("report/glossary.toml")["en"] | WORDS["glossary"]

project = "mexico-homicide-its"
author = "The mexico-homicide-its authors"
copyright = "2026, the authors; data keep their publishers' licences"
release = analysis.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb"]
default_role = "literal"
autodoc_default_options = {"members": True, "undoc-members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # the docstrings say it in words
napoleon_google_docstring = False
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_output_stderr = "warn"  # and a warning ends the build
html_theme = "furo"
html_title = "Interrupted time series: how to"
html_static_path = ["../report/static"]
html_css_files = ["report.css"]
html_js_files = [(None, {"body": f"const TERMS = {json.dumps({'en': TERMS})};"}), "report.js"]
html_show_sphinx = False
html_copy_source = False
html_show_search_summary = False  # it would ask for pages by a request


def fill_page(app: Sphinx, page: str, source: list[str]) -> None:
    """Fill in what a page lists; a file of the project outside this folder is named, not linked."""
    source[0] = re.sub(r"\[([^]]+)\]\(\.\./[A-Z][^)]*\)", r"`\1`", source[0])
    if page in FILLED:
        own = read_toml("analysis/data/its-words.toml")["flags"]
        given = {"rooms": list_rooms(), "own": own, "flags": WORDS["flags"], "terms": TERMS}
        jinja = Environment(undefined=StrictUndefined, trim_blocks=True)
        jinja.filters["dotted"] = lambda text: re.sub(r"{[^}]*}", "…", text)  # what is filled in
        source[0] = jinja.from_string(source[0]).render(given)


def leave_out(
    app: Sphinx, what: str, name: str, member: Any, skip: bool, options: object
) -> bool | None:
    """Leave out former names, which lead to a member of another name, and constants."""
    former = isinstance(member, property) and member.fget.__name__ != name
    return True if former or name.isupper() else None


def shorten_signature(
    app: Sphinx, what: str, name: str, member: Any, options: object, signature: str, returned: str
) -> tuple[str, str] | None:
    """Leave out how a result is made: its function does it."""
    return ("", returned) if what == "class" and name != "analysis.PolicyShift" else None


def setup(app: Sphinx) -> None:
    """Connect what the pages need."""
    app.connect("source-read", fill_page)
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-signature", shorten_signature)
