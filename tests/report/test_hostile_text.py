"""Text is data: whatever a declaration or a user's names hold is shown as it is written."""

import json
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.declared import SHIFTS
from support.folders import ROOT
from support.hostile import HOSTILE, MARKDOWN, Shown, hostile_shift, render

from analysis import fit_its, load_series, plot_fit, plot_series
from analysis.claims.declared import DATA_FOLDER, load_claims
from analysis.its.flags import Flag
from analysis.its.words import describe_flags, describe_shift, strip_marks
from analysis.language import fill_template, literal, speaking
from analysis.places.words import show_effects
from analysis.style import interval_rows, legend_above, name_line, save_figure
from mexico_report.runs import open_folders

SHIFT = SHIFTS["special-forces-2020"]
PLACES = {
    "alone": "{}",
    "in a sentence": "Before {} after.",
    "in a heading": "# {}",
    "in a list": "- {}\n- {}",
    "in bold": "**{}**",
    "in a link": "[{}](x.html)",
    "in a table": "| a |\n|---|\n| {} |",
}
PIECES = ["<b>", "</b>", "<!--", "&lt;", "`a`", "~~a~~", "*a*", "__a__", "[a](b)", "![", "\\", "|"]
PIECES += [
    "# a",
    "+ a",
    "- a",
    "1. a",
    "12) a",
    "===",
    "---",
    "> a",
    "$a$",
    "{{ a }}",
    "a",
    " ",
    "\n",
]
texts = st.text() | st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)


def check_shown(text, place):
    words = " ".join(text.replace("\0", "").split())
    if not words:
        return
    shown, plain = (render(PLACES[place].replace("{}", each)) for each in (literal(words), "word"))
    assert shown.text.split() == plain.text.replace("word", words).split()
    assert shown.tags - {"span"} == plain.tags
    assert not set("${}") & set(re.sub("<span>.*?</span>", "", literal(words)))
    assert strip_marks(literal(words)).replace("−", "-") == words.replace("−", "-")


@pytest.mark.parametrize("place", PLACES)
def test_every_mark_stands_in_markdown_as_it_is_written(place):
    for piece in PIECES:
        check_shown(piece, place)


@given(text=texts, place=st.sampled_from(sorted(PLACES)))
def test_any_text_stands_in_markdown_as_it_is_written(text, place):
    check_shown(text, place)


def test_no_formula_is_left_to_a_page_that_looks_for_formulas():
    html = MARKDOWN.render(literal(HOSTILE))
    pieces = [part.partition(">")[2] for part in html.split("<")]
    assert all(piece in ("$", "\\") for piece in pieces if "$" in piece or "\\" in piece)


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_was_declared_of_a_shift_is_shown_as_written(language):
    shift = hostile_shift(SHIFT)
    with speaking(language):
        shown = render(describe_shift(shift))
    for name in ("title", "caveat", "reason", "source", "words", "window_reason"):
        assert getattr(shift, name) in shown.text, name
    assert all(other.title in shown.text for other in shift.beside)
    assert shown.tags <= {"p", "strong", "ul", "li", "span"}


def test_warnings_are_shown_as_written():
    shown = render(describe_flags((Flag("unconfirmed", 1, HOSTILE), Flag(HOSTILE, 1, "x"))))
    assert shown.text.count(HOSTILE) == 2
    assert shown.tags <= {"ul", "li", "strong", "span"}


def test_words_of_a_figure_are_plain_text():
    assert strip_marks(f"**{literal(HOSTILE)}**") == HOSTILE


def test_names_of_places_are_shown_as_written_in_a_table():
    rows = pd.DataFrame({"estimate": [1.0], "low": [0.0], "high": [2.0]}, index=[HOSTILE])
    shown = Shown(show_effects(rows, HOSTILE).to_html())
    assert shown.text.count(HOSTILE) == 2
    assert not shown.tags & {"script", "img", "a"}


def test_tables_of_a_notebook_are_text(tmp_path, monkeypatch):
    with pd.option_context("styler.format.escape", None):
        monkeypatch.chdir(ROOT)
        open_folders("10-synthesis", {"results": str(tmp_path)})
        shown = Shown(pd.DataFrame({"Shift": [HOSTILE]}).style.hide().to_html())
    assert HOSTILE in shown.text
    assert not shown.tags & {"script", "img", "a"}


def hostile_claims(folder):
    """Load the claims with hostile text in every field that is no name of something else."""
    text = (DATA_FOLDER / "claims.toml").read_text(encoding="utf-8")
    for key in ("measured", "rule", "words", "reason"):
        lines = text.splitlines()
        told = f"{key} = {json.dumps(HOSTILE)}"
        text = "\n".join(told if line.startswith(f"{key} = ") else line for line in lines)
    (folder / "claims.toml").write_text(text, encoding="utf-8")
    return load_claims(folder / "claims.toml")


def test_claims_are_shown_as_written_by_their_notebook(tmp_path):
    book = json.loads((ROOT / "notebooks/02-claims.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in book["cells"]]
    shown = {"listed": "", "load_claims": lambda: hostile_claims(tmp_path), "literal": literal}
    said = []
    for cell in cells:
        if "Markdown(" in cell and ("load_claims()" in cell or "not_judged" in cell):
            exec(cell, shown | {"Markdown": said.append}, shown)
    declared = render(said[0])
    assert declared.text.count(HOSTILE) == 20  # measure and rule of ten claims
    assert render(said[1]).text.count(HOSTILE) == 4
    assert declared.tags | render(said[1]).tags <= {"ol", "ul", "li", "p", "em", "span"}


@pytest.mark.slow
def test_pictures_draw_what_is_written(tmp_path):
    shift, series = hostile_shift(SHIFT), load_series("sesnsp")
    fig, axes = plt.subplots(3, figsize=(4.5, 6))
    plot_series({HOSTILE: series, "$a$": series}, [shift], ax=axes[0])
    plot_fit(fit_its(series, shift), ax=axes[1])
    interval_rows(axes[2], [HOSTILE, r"$\frac{$", "$b$"])
    axes[2].plot([0], [0], label=HOSTILE)
    name_line(axes[2], 0, r"$\frac{$ $")
    legend_above(axes[2], 1, title=HOSTILE)
    saved = save_figure(fig, tmp_path / "x", HOSTILE)
    tags = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(saved.svg).iter()}
    assert not tags & {"script", "a", "foreignObject"}
    assert "mathdefault" not in saved.svg


def test_spanish_words_of_a_fit_are_shown_as_written():
    named = ("declared", "effects", "memory", "comparison", "flags", "counts")
    texts = {"title": HOSTILE, "alt": HOSTILE, "alt_comparison": HOSTILE, "key": "x--y"}
    page = fill_template("shift.es.md.j2", excess=[], **texts, **dict.fromkeys(named, "w"))
    html = MARKDOWN.render(page)
    assert html.count("<img") == 2
    assert HOSTILE in Shown(html).text
    assert not Shown(html).tags & {"script", "a"}
