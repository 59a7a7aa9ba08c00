"""A site made of hostile declarations runs none of them, and shows them as they are written."""

import pandas as pd
import pytest
from support.hostile import HOSTILE, SCRIPTS, hostile_shift
from support.small_site import CLAIM, lay_out_site, notebook, write_results

from analysis import load_policy_shifts
from analysis.its.flags import Flag
from analysis.its.words import describe_flags, describe_shift
from analysis.language import fill_template
from analysis.mexico.shifts import INAUGURATIONS
from mexico_report import runs as declared_runs
from report import pages

pytestmark = pytest.mark.slow

# each kind: those that notebooks name, of a range of months, of one state and of two
KINDS = (*INAUGURATIONS, "special-forces-2020", "sinaloa-2008-05", "nuevo-leon-tamaulipas-2008-01")
SHIFTS = {slug: hostile_shift(load_policy_shifts()[slug]) for slug in KINDS}
FLAGS = [Flag("unconfirmed", 1, HOSTILE), Flag(HOSTILE, 1, "x")]
COUNT = "window.hits = 0; window.hit = () => { window.hits += 1 }; window.alert = window.hit"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    from report.task_report import start_sphinx  # it takes seconds, also where no test is run

    folder = tmp_path_factory.mktemp("hostile")
    results, source, built = (folder / name for name in ("results", "source", "built"))
    with pytest.MonkeyPatch.context() as patch:
        for module in (pages, declared_runs):
            patch.setattr(module, "load_policy_shifts", lambda: SHIFTS)
        runs = declared_runs.declare_runs()
        claim = CLAIM | {
            name: HOSTILE if name not in ("number", "slug", "changed") else value
            for name, value in CLAIM.items()
        }
        named = ("effects", "memory", "comparison", "counts")
        words = {"title": HOSTILE, "alt": HOSTILE, "alt_comparison": HOSTILE, "key": "x"}
        words |= {"flags": describe_flags(FLAGS), "excess": []}
        shift = SHIFTS["special-forces-2020"]
        page = fill_template(
            "shift.es.md.j2", declared=describe_shift(shift), **dict.fromkeys(named, "w"), **words
        )
        write_results(results, runs, SHIFTS, finding=HOSTILE, claim=claim, spanish=page)
        table = pd.DataFrame({"Shift": [HOSTILE]}).style.format(escape="html").hide()
        outputs = [("text/markdown", describe_shift(shift))]
        outputs += [("text/markdown", describe_flags(FLAGS)), ("text/html", table.to_html())]
        for name in runs:
            if name.startswith("03-policy-shift"):
                path = results / f"notebooks/{name}.ipynb"
                path.write_text(notebook([("x", HOSTILE)], outputs), encoding="utf-8")
        figures = [run.key for run in runs.values() if run.notebook == "03-policy-shift"]
        drawn = [f"{each}.svg" for run in runs.values() for each in run.figures]
        drawn += [f"{each}.svg" for each in figures] + ["es/x.svg", "es/x--comparison.svg"]
        for name in drawn:
            path = results / "figures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
        lay_out_site(results, source, runs)
        with start_sphinx(source, built) as build:
            build()
    return built


@pytest.fixture
def within(site):
    return f"{site.as_uri()}/"


def test_no_script_of_a_declaration_runs_on_any_page(desktop, within, site):
    desktop.add_init_script(COUNT)
    ran, loaded = [], []
    for path in sorted(site.rglob("*.html")):
        desktop.goto(path.as_uri())
        desktop.wait_for_load_state()
        for link in desktop.query_selector_all("a[href^='javascript:'], [onerror], img[src='x']"):
            loaded.append((path.name, link.evaluate("each => each.outerHTML")))
        if desktop.evaluate("window.hits"):
            ran.append(path.name)
    assert (ran, loaded) == ([], [])
    assert len(list(site.rglob("*.html"))) > 50


def test_the_counter_would_see_a_script(desktop, within, site):
    (site / "seen.html").write_text("<script>hit()</script>", encoding="utf-8")
    desktop.add_init_script(COUNT)
    desktop.goto(f"{within}seen.html")
    (site / "seen.html").unlink()
    assert desktop.evaluate("window.hits") == 1


@pytest.mark.parametrize(
    ("page", "most"),
    [
        ("index", 20),
        ("es/index", 5),
        ("es/claims", 5),
        ("shift--calderon-2006-12", 2),
        ("operations", 2),
        ("chapters", 20),
        ("03-policy-shift--calderon-2006-12--inegi", 8),
        ("es/03-policy-shift--calderon-2006-12--inegi", 8),
    ],
)
def test_text_is_shown_as_it_is_written(desktop, within, page, most):
    desktop.goto(f"{within}{page}.html")
    shown = " ".join(desktop.evaluate("document.querySelector('article').textContent").split())
    assert shown.count(HOSTILE) >= most
    assert shown.count("<script>") == shown.count(SCRIPTS)


def test_a_title_is_that_of_its_page_and_a_picture_is_described_as_written(desktop, within):
    desktop.goto(f"{within}shift--calderon-2006-12.html")
    assert HOSTILE in desktop.title()
    alts = desktop.evaluate("[...document.querySelectorAll('article img')].map(img => img.alt)")
    assert any(alt.startswith(HOSTILE) for alt in alts)


def test_a_search_runs_no_script_of_what_it_finds(desktop, within):
    desktop.add_init_script(COUNT)
    desktop.goto(f"{within}index.html")
    desktop.fill("input[name=q]", "onerror")
    desktop.press("input[name=q]", "Enter")
    desktop.wait_for_selector("#search-results li a")
    assert desktop.evaluate("window.hits") == 0
