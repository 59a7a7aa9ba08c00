"""The pages that the other tests of this folder open see what goes wrong, and nothing else."""

import pytest

pytestmark = pytest.mark.slow

GOOD = "<p>good</p><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"
BAD = """
<img src="missing.png"><img src="../above.png"><script src="http://127.0.0.1:9/x.js"></script>
<script>console.error("told"); console.log("said"); throw new Error("thrown")</script>
"""


@pytest.fixture
def within(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "good.html").write_text(GOOD)
    (folder / "bad.html").write_text(BAD)
    return f"{folder.as_uri()}/"


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_a_page_notes_each_fault_once_and_by_its_kind(request, within, complaints, size):
    page = request.getfixturevalue(size)
    page.goto(f"{within}good.html")
    assert not any(complaints.values())
    page.goto(f"{within}bad.html")
    page.wait_for_load_state()
    assert any("told" in line for line in complaints["console"])
    assert not any("said" in line for line in complaints["console"])
    assert [line.split(": ")[-1] for line in complaints["error"]] == ["thrown"]
    assert {line.split(": ")[-1].split("/")[-1] for line in complaints["left"]} == {
        "above.png",
        "x.js",
    }
    assert any("missing.png" in line for line in complaints["failed"])
    for lines in complaints.values():
        lines.clear()


def test_the_phone_is_a_phone_and_the_desktop_none(phone, desktop, within):
    for page, width, touch in ((phone, 390, True), (desktop, 1280, False)):
        page.goto(f"{within}good.html")
        assert page.viewport_size["width"] == width
        assert page.evaluate("navigator.maxTouchPoints > 0") == touch
