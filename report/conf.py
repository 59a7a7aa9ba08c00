"""Sphinx configuration of the report; ``task_report.py`` lays out its source and builds it."""

import os
import sys
from collections.abc import Callable, Iterable
from functools import cache, wraps

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.highlighting import PygmentsBridge
from sphinx.search import IndexBuilder
from sphinx.search.en import SearchEnglish

# jsonschema would have a grammar built, two seconds, for a format that no notebook has
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

project = "Mexico's homicide rate and its policy shifts"
author = "The mexico-homicide-its authors"
copyright = "2026, the authors; data keep their publishers' licences"
extensions = ["myst_nb"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 2
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_extra_path = ["extra"]
html_css_files = ["report.css"]
html_js_files = ["terms.js", "report.js"]
html_show_sphinx = False
html_copy_source = False
smartquotes = False  # a title's quotes are those that its author wrote
html_show_search_summary = (
    False  # it would ask for pages by a request, which a file:// page may not
)
html_theme_options = {"navigation_with_keys": True}
nb_execution_mode = "off"
suppress_warnings = ["mystnb.unknown_mime_type"]
exclude_patterns = ["templates"]


def name_language(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Let a Spanish page say so to browsers and screen readers."""
    if page.startswith("es/"):
        context["language"] = "es"


def rewrite_all(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write all pages, not only those that have changed, where their menu has changed."""
    titles = sorted((page, title.astext()) for page, title in env.titles.items())
    menu = repr((titles, sorted(env.toctree_includes.items())))
    known, env.menu = getattr(env, "menu", None), menu  # type: ignore[attr-defined]
    return [*env.all_docs] if known != menu else []


def remember(highlight: Callable[..., str]) -> Callable[..., str]:
    """Highlight a piece of code once: the runs of a notebook have their cells alike."""
    known: dict[str, str] = {}

    @wraps(highlight)
    def remembered(
        self: PygmentsBridge, *asked: object, location: object = None, **how: object
    ) -> str:
        key = repr((asked, how))
        if key not in known:
            known[key] = highlight(self, *asked, location=location, **how)
        return known[key]

    return remembered


def forget(prune: Callable[[IndexBuilder, Iterable[str]], None]) -> Callable[..., None]:
    """Forget words of the search that no page has any more, as if all pages were written."""

    @wraps(prune)
    def forgotten(self: IndexBuilder, pages: Iterable[str]) -> None:
        prune(self, pages)
        for words in (self._mapping, self._title_mapping):
            for word in [word for word, found in words.items() if not found]:
                del words[word]

    return forgotten


def write_in_parallel(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write with all cores what was read by one: else images would get other names each time."""
    app.parallel = 1 + (os.cpu_count() or 1)  # this process feeds the others, and the search
    return []


def setup(app: Sphinx) -> None:
    """Connect what pages need, and remember what many of them have alike."""
    app.connect("html-page-context", name_language)
    app.connect("env-updated", rewrite_all)
    app.connect("env-updated", write_in_parallel)
    IndexBuilder.prune = forget(IndexBuilder.prune)  # type: ignore[method-assign]
    SearchEnglish.stem = cache(SearchEnglish.stem)  # type: ignore[method-assign]
    PygmentsBridge.highlight_block = remember(PygmentsBridge.highlight_block)  # type: ignore[method-assign]
