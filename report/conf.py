"""Sphinx configuration of the report; ``task_report.py`` lays out its source and builds it."""

import sys

from sphinx.application import Sphinx

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


def setup(app: Sphinx) -> None:
    """Connect what pages need."""
    app.connect("html-page-context", name_language)
