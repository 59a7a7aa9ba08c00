"""Sphinx configuration of the report; ``task_report.py`` lays out its source and builds it."""

project = "Mexico's homicide rate and its policy shifts"
author = "The mexico-homicide-its authors"
copyright = "2026, the authors; data keep their publishers' licences"
extensions = ["myst_nb"]
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["report.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
nb_execution_mode = "off"
suppress_warnings = ["mystnb.unknown_mime_type"]
exclude_patterns = ["answer.md"]
