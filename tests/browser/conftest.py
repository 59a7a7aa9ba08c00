"""A real browser, and pages that note whatever goes wrong in them.

A test module says by a fixture `within` which addresses its pages may ask for: how they begin.
"""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_REQUEST = ("data:", "blob:", "about:")


@pytest.fixture(scope="module")  # its loop of events is not for other files' kernels
def browser():
    from playwright.sync_api import sync_playwright  # takes a while, and all its tests are slow

    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("no chromium here; install it: apt-get update && apt-get install -y chromium")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if root else []
        opened = playwright.chromium.launch(executable_path=found, args=options)
        yield opened
        opened.close()


@pytest.fixture
def complaints():
    """What pages noted, by kind; what is still there at the end of the test fails it."""
    noted = {"console": [], "error": [], "failed": [], "left": []}
    yield noted
    assert noted == {kind: [] for kind in noted}


@pytest.fixture
def phone(browser, within, complaints):
    options = {"device_scale_factor": 2, "is_mobile": True, "has_touch": True}
    yield from open_page(browser, within, complaints, (390, 844), **options)


@pytest.fixture
def desktop(browser, within, complaints):
    yield from open_page(browser, within, complaints, (1280, 900))


def open_page(browser, within, complaints, size, **options):
    viewport = dict(zip(("width", "height"), size, strict=True))
    context = browser.new_context(viewport=viewport, **options)
    context.set_default_timeout(60_000)
    page = context.new_page()

    def note_console(message):
        if message.type == "error":
            complaints["console"].append(f"{page.url}: {message.text}")

    def note_error(error):
        complaints["error"].append(f"{page.url}: {error}")

    def note_request(request):
        if not request.url.startswith((within, *NO_REQUEST)):
            complaints["left"].append(f"{page.url}: {request.url}")

    def note_failed(request):
        if request.failure != "net::ERR_ABORTED":  # the page was left while it loaded
            complaints["failed"].append(f"{page.url}: {request.url}: {request.failure}")

    def note_response(response):
        if response.status >= 400:
            complaints["failed"].append(f"{page.url}: {response.url}: {response.status}")

    page.on("console", note_console)
    page.on("pageerror", note_error)
    page.on("request", note_request)
    page.on("requestfailed", note_failed)
    page.on("response", note_response)
    yield page
    context.close()
