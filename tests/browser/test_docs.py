"""The documentation: built anew with its examples run, complete, and open without a network."""

import os
import subprocess
import sys
import tomllib

import pytest
from support.folders import ROOT
from support.links import broken_links, read_links

import analysis

EXAMPLES = sorted(path.stem for path in (ROOT / "docs/examples").glob("*.md"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    built = tmp_path_factory.mktemp("built") / "docs"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "docs", str(built)]
    own = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return built


@pytest.fixture
def within(site):
    return f"{site.as_uri()}/"


def test_every_warning_has_an_entry_and_no_entry_is_without_a_warning():
    own = tomllib.loads((ROOT / "analysis/data/its-words.toml").read_text("utf-8"))["flags"]
    said = tomllib.loads((ROOT / "docs/words.toml").read_text("utf-8"))["flags"]
    assert set(said) == set(own)
    assert all(set(entry) == {"means", "do"} for entry in said.values())


@pytest.mark.slow
def test_every_public_name_is_on_the_page_of_the_reference(site):
    names = read_links(site / "api.html").names
    assert [name for name in analysis.__all__ if f"analysis.{name}" not in names] == []


@pytest.mark.slow
def test_no_link_is_broken(site):
    assert broken_links(site) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", EXAMPLES)
def test_every_example_has_a_picture_that_is_told_in_words(site, page):
    path = site / f"examples/{page}.html"
    pictures = read_links(path).pictures
    assert pictures
    assert all((path.parent / each["src"]).is_file() for each in pictures)
    assert [each for each in pictures if len(each.get("alt", "")) < 40] == []


@pytest.mark.slow
def test_no_page_asks_for_anything_elsewhere_or_is_wider_than_a_phone(phone, site):
    wide = []
    for path in sorted(site.rglob("*.html")):
        phone.goto(path.as_uri())
        if phone.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(path.name)
    assert wide == []


@pytest.mark.slow
def test_a_tap_explains_a_word(phone, within):
    phone.goto(f"{within}index.html")
    word = phone.locator(".term >> nth=0")
    word.tap()
    assert word.locator("span").is_visible()
