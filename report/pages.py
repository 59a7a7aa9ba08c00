"""The site's own pages, from templates and the run's tables: front, shifts, chapters, Spanish."""

import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.its.shifts import PolicyShift
from analysis.language import Words, literal, say_month, speaking
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.shifts import load_policy_shifts
from mexico_report.cards import BELIEVED, load_window, tell_small, write_answer
from mexico_report.runs import Run
from report import card_words
from report.exports import EXPORTS
from report.tables import read_front

REPORT = Path(__file__).parent
KINDS = {  # the notebooks of a shift in the order of its page, and what each is called there
    "03-policy-shift": "the fit",
    "04-robustness": "is the date special?",
    "05-states": "state by state",
    "11-municipalities": "municipality by municipality",
    "07-comparison-countries": "beside other countries",
}
FOLDERS = re.compile(r"(?m)^.*[/\\](?=[^/\\\n]+\.py:\d+: )")  # before the file that a warning names
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)]+)\)")  # of a notebook, to a file of the project
Page = tuple[str, str, str, dict[str, Any]]  # where, its template, its language, what only it knows


def read_notebooks(results: Path, runs: Mapping[str, Run]) -> dict[str, dict]:
    """Return the executed notebook of every run, by the run's name."""
    paths = {name: results / f"notebooks/{name}.ipynb" for name in runs}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items()}


def write_pages(
    results: Path, source: Path, runs: Mapping[str, Run], executed: Mapping[str, dict]
) -> None:
    """Write every page that is no notebook into Sphinx's `source`, with the figures they show."""
    shutil.copytree(results / "figures", source / "figures", dirs_exist_ok=True)
    (source / "extra/exports").mkdir(parents=True, exist_ok=True)  # what Sphinx hands on as it is
    for path in EXPORTS:
        shutil.copy(results / path, source / "extra" / path)
    context = _context(results, runs, executed)
    for place, template, language, own in _pages(context):
        with speaking(language):
            text = _environment(language).get_template(template).render(context | own)
        path = source / f"{place}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    told = (name for run in runs.values() for name in run.tables if name.endswith(".es.md"))
    for path in (results / name for name in told):
        words = path.read_text(encoding="utf-8").replace("](figures/", "](../figures/")
        name = f"03-policy-shift--{path.name.removesuffix('.es.md')}"
        text = f"[English](../{name}.ipynb)\n\n{words}"
        (source / f"es/{name}.md").write_text(text, encoding="utf-8")
    terms = f"const TERMS = {json.dumps(context['terms'], ensure_ascii=False)};\n"
    (source / "static/terms.js").write_text(terms, encoding="utf-8")


def _pages(context: Mapping[str, Any]) -> Iterator[Page]:
    for language, folder in (("en", ""), ("es", "es/")):
        for name in ("index", "glossary"):
            yield f"{folder}{name}", f"{name}.md.j2", language, {}
    yield "es/claims", "claims.md.j2", "es", {}
    for name in ("operations", "chapters"):
        yield name, f"{name}.md.j2", "en", {}
    for number, slug in enumerate(context["national"], start=1):
        yield f"shift--{slug}", "shift.md.j2", "en", {"slug": slug, "number": number}


def _environment(language: str) -> Environment:
    """Return the templates of a language; what a page asks for and nobody knows is an error.

    What is filled in is text, shown as written, but for what is `safe`: Markdown of the project's
    own; an `option` of a directive is quoted.
    """
    loader = FileSystemLoader(REPORT / "templates" / language)
    options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    found = Environment(loader=loader, finalize=_fill_in, **options)
    found.filters["option"] = lambda text: Markup(json.dumps(text, ensure_ascii=False))
    words = {name: getattr(card_words, name) for name in card_words.TELLERS}
    found.globals |= words | {"say_month": say_month, "words": Words("front.toml")}
    return found


def _fill_in(value: object) -> str:
    return value if isinstance(value, Markup) else literal(value)


def _context(
    results: Path, runs: Mapping[str, Run], executed: Mapping[str, dict]
) -> dict[str, Any]:
    """Return what the pages are told."""
    cards, claims = read_front(results)
    by_shift = cards.groupby("shift", sort=False)
    by_language = claims.groupby("language", sort=False)
    shifts = load_policy_shifts()
    national = {slug: shift for slug, shift in shifts.items() if shift.places == (NATION,)}
    windows = {slug: load_window(shift) for slug, shift in national.items()}
    return {
        "cards": {slug: [row for _, row in part.iterrows()] for slug, part in by_shift},
        "believed": cards["certainty"].isin(BELIEVED).any(),
        "answer": partial(write_answer, cards),
        "claims": {code: part.to_dict("records") for code, part in by_language},
        "shifts": shifts,
        "national": national,
        "sources": SOURCES,
        "runs": runs,
        "chapters": {run.notebook: _question(executed[name]) for name, run in runs.items()},
        "pages_of": partial(pages_of, runs=runs),
        "alts": read_alts(executed),
        "tell_small": lambda slug: tell_small(windows[slug], shifts[slug]),
        "terms": tomllib.loads((REPORT / "glossary.toml").read_text(encoding="utf-8")),
    }


def _question(notebook: dict) -> tuple[str, str]:
    """Return a notebook's heading and its question."""
    heading, *lines = "".join(notebook["cells"][0]["source"]).splitlines()
    question = next(line for line in lines if line.startswith("**Question.**"))
    return heading.removeprefix("# "), question.removeprefix("**Question.** ")


def read_alts(executed: Mapping[str, dict]) -> dict[str, str]:
    """Return every figure's finding in words, by the file below ``figures/`` that shows it."""
    found = {}
    for notebook in executed.values():
        for cell in notebook["cells"]:
            for output in cell.get("outputs", ()):
                found[_of_figure(output, "name")] = _of_figure(output, "alt")
    return found


def lay_out_notebooks(executed: Mapping[str, dict], runs: Mapping[str, Run], source: Path) -> None:
    """Write executed notebooks into Sphinx's `source`, changed: heading, links, figures' words."""
    shifts = load_policy_shifts()
    for name, run in runs.items():
        notebook = executed[name]
        for cell in (each for each in notebook["cells"] if each["cell_type"] == "markdown"):
            cell["source"] = LINK.sub(partial(_lead, runs=runs), "".join(cell["source"]))
        first, *others = notebook["cells"]
        heading, *text = "".join(first["source"]).splitlines(True)
        if run.title:  # the notebook serves many runs: its heading is that of this one
            heading = f"# {literal(run.title)}\n"
        text = [line for line in text if not line.startswith(("**Reads**", "**Writes**"))]
        first["source"] = [heading, *_link_siblings(name, run, runs, shifts), *text]
        for cell in others:
            _prepare_cell(cell)
        if run.notebook == "02-claims":
            forecasts = [name for name, each in runs.items() if each.notebook == "08-forecast"]
            tree = "\n".join(["```{toctree}", ":hidden:", "", *forecasts, "```"])
            notebook["cells"].append({"cell_type": "markdown", "metadata": {}, "source": tree})
        (source / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def _lead(link: re.Match, runs: Mapping[str, Run]) -> str:
    """Return a notebook's link as the site has it: to another's first page, or as plain text."""
    told, target = link.groups()
    pages = (f"{name}.ipynb" for name, run in runs.items() if f"{run.notebook}.ipynb" == target)
    page = next(pages, None)
    return f"[{told}]({page})" if page else told


def pages_of(slug: str, runs: Mapping[str, Run]) -> list[tuple[str, str]]:
    """Return the pages of a shift, and what each is called beside the others."""
    order, found = list(KINDS), []
    for name, run in runs.items():
        if run.parameters.get("shift") == slug:
            told, source = KINDS[run.notebook], run.parameters.get("source")
            told += f" ({SOURCES[source].name})" if source else ""
            found.append((order.index(run.notebook), name, told))
    return [(name, told) for _, name, told in sorted(found)]


def _link_siblings(
    name: str, run: Run, runs: Mapping[str, Run], shifts: Mapping[str, PolicyShift]
) -> list[str]:
    """Return a line of links to the other pages of the same shift."""
    slug = run.parameters.get("shift")
    if not slug:
        return []
    up = f"shift--{slug}.md" if shifts[slug].places == (NATION,) else "operations.md"
    links = [
        f"**{told}**" if page == name else f"[{told}]({page}.ipynb)"
        for page, told in pages_of(slug, runs)
    ]
    spanish = [f"[Español](es/{name}.md)"] if run.notebook == "03-policy-shift" else []
    return ["\n", " · ".join([f"[The shift]({up})", *links, *spanish]) + "\n"]


def _prepare_cell(cell: dict) -> None:
    """Fold code away, leave out Spanish figures and the machine's folders, give words to others."""
    if cell["cell_type"] != "code":
        return
    cell["metadata"]["tags"] = ["hide-input"]
    shown = [each for each in cell["outputs"] if not _of_figure(each, "name").startswith("es/")]
    cell["outputs"] = shown
    for printed in (each for each in shown if each.get("output_type") == "stream"):
        printed["text"] = FOLDERS.sub("", "".join(printed["text"]))
    for alt in filter(None, (_of_figure(each, "alt") for each in shown)):
        cell["metadata"]["mystnb"] = {"image": {"alt": alt}}


def _of_figure(output: dict, what: str) -> str:
    """Return the `name` or the `alt` of the figure that an output shows, if it shows one."""
    return output.get("metadata", {}).get("image/svg+xml", {}).get(what, "")
