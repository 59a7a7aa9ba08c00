"""The report as a reader has it: on a phone and on a desk, opened from disk, without a network."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from support.folders import ROOT
from support.links import broken_links
from support.whole_run import run_pytask

pytestmark = pytest.mark.slow

SITE = ROOT / "results/report"
LEAST = 9.0  # pixels of the smallest text in a figure
PAGES = ("index", "es/index", "02-claims", "10-synthesis", "shift--calderon-2006-12")
PAGES += ("03-policy-shift--calderon-2006-12--inegi", "es/03-policy-shift--covid-2020-04--inegi")


@pytest.fixture(scope="module")
def within():
    code, output = run_pytask(ROOT)
    assert code == 0, output
    return f"{SITE.as_uri()}/"


def test_no_link_is_broken(within):
    assert broken_links(SITE) == []


def test_no_page_is_wider_than_a_phone_and_none_complains(phone, within):
    wide = []
    for path in sorted(SITE.rglob("*.html")):
        phone.goto(path.as_uri())
        if phone.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(path.name)
    assert wide == []


@pytest.mark.parametrize("page", PAGES)
def test_a_table_that_goes_on_says_so_and_keeps_its_first_column(phone, within, page):
    phone.goto(f"{within}{page}.html")
    told = phone.evaluate(
        "[...document.querySelectorAll('.output.text_html, .table-wrapper')]"
        ".filter(box => box.scrollWidth > box.clientWidth + 1)"
        ".map(box => [box.previousElementSibling.className,"
        " getComputedStyle(box.querySelector('tr > :first-child')).position])"
    )
    assert all(each == ["swipe", "sticky"] for each in told), told


def smallest_text(source: str) -> tuple[float, float]:
    """Return the width of a drawing and its smallest text, both in its own pixels."""
    drawn = Path(unquote(urlsplit(source).path)).read_text(encoding="utf-8")
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', drawn)[1])
    sizes = re.findall(r"scale\(([\d.]+) -[\d.]+\)", drawn)  # of glyphs a hundred units high
    return width, 100 * min(map(float, sizes))


@pytest.mark.parametrize("page", PAGES)
def test_the_text_of_every_figure_can_be_read_on_a_phone(phone, within, page):
    phone.goto(f"{within}{page}.html")
    figures = phone.evaluate(
        "[...document.querySelectorAll('article img:not(.small)')]"
        ".map(i => [i.src, i.getBoundingClientRect().width, i.alt])"
    )
    assert figures or page == "es/claims"
    for source, shown, alt in figures:
        width, text = smallest_text(source)
        assert text * shown / width >= LEAST - 0.05, (source, shown)
        assert len(alt) > 40, source


def test_a_tap_enlarges_a_figure_and_a_tap_closes_it(phone, within):
    phone.goto(f"{within}index.html")
    phone.tap("article img:not(.small) >> nth=0")
    large = phone.locator("dialog.figure img")
    shown = phone.locator("article img:not(.small) >> nth=0").bounding_box()["width"]
    assert large.bounding_box()["width"] > 2 * shown
    large.tap()
    phone.wait_for_selector("dialog.figure", state="detached")


def test_a_tap_explains_a_word(phone, within):
    phone.goto(f"{within}index.html")
    word = phone.locator(".term >> nth=0")
    assert not word.locator("span").is_visible()
    word.tap()
    assert word.locator("span").is_visible()


def test_a_search_finds_pages(desktop, within):
    desktop.goto(f"{within}index.html")
    desktop.fill("input[name=q]", "Sheinbaum")
    desktop.press("input[name=q]", "Enter")
    desktop.wait_for_selector("#search-results li a")
    assert "Sheinbaum" in desktop.inner_text("#search-results")


def test_light_dark_and_paper(desktop, within):
    seen = {}
    for scheme in ("light", "dark"):
        desktop.emulate_media(color_scheme=scheme)
        desktop.goto(f"{within}index.html")
        style = "getComputedStyle(document.querySelector('{}')).backgroundColor"
        seen[scheme] = [desktop.evaluate(style.format(each)) for each in ("body", "article img")]
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] == seen["dark"][1] == "rgb(255, 255, 255)"
    desktop.emulate_media(media="print")
    assert not desktop.locator(".sidebar-drawer").is_visible()
    assert desktop.locator(".answer").is_visible()


def test_the_menu_says_where_one_is_and_the_reader_can_go_on(desktop, within):
    desktop.goto(f"{within}index.html")
    for _ in range(3):
        here = desktop.locator("h1").inner_text()
        desktop.click(".next-page")
        assert desktop.locator("h1").inner_text() != here
        assert desktop.locator(".sidebar-tree .current-page").count() == 1


def test_a_spanish_page_says_so(desktop, within):
    desktop.goto(f"{within}index.html")
    desktop.click("article a:has-text('Español')")
    assert desktop.evaluate("document.documentElement.lang") == "es"
    assert "homicidios pasaron de" in desktop.inner_text(".answer")
