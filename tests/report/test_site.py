import json

import pytest

from analysis.report.runs import Run
from report import task_report as site
from report.task_report import SiteNode, make_report


def test_site_is_one_product_and_sees_a_page_edited_or_deleted(tmp_path):
    node = SiteNode(folder=tmp_path / "report")
    assert node.state() is None
    (node.folder / "_static").mkdir(parents=True)
    page, style = node.folder / "index.html", node.folder / "_static/style.css"
    page.write_text("<p>1</p>")
    style.write_text("p {}")
    whole = node.state()
    style.write_text("p { }")
    assert node.state() not in {None, whole}
    style.write_text("p {}")
    assert node.state() == whole == SiteNode(folder=node.folder).state()
    page.unlink()
    assert node.state() not in {None, whole}


def lay_out(tmp_path, monkeypatch, build):
    for path in site.FRONT:
        (tmp_path / "results" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / path).write_text(path)
    (tmp_path / "results/notebooks").mkdir()
    cell = {"cell_type": "markdown", "metadata": {}, "source": ["# Of all\n", "\n", "Text"]}
    for name in ("a--x", "b"):
        (tmp_path / f"results/notebooks/{name}.ipynb").write_text(json.dumps({"cells": [cell]}))
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration/index.md").write_text("# Front\n")
    runs = {"a--x": Run("a", "x", group="National shifts", title="Of one"), "b": Run("b")}
    monkeypatch.setattr(site, "_run_sphinx", build)
    make_report(tmp_path / "configuration", tmp_path / "results", runs)


def test_pages_are_grouped_and_titled_by_their_runs(tmp_path, monkeypatch):
    lay_out(tmp_path, monkeypatch, lambda source, built: source.rename(built))
    made = tmp_path / "results/report"
    contents = (made / "index.md").read_text()
    assert contents.startswith("# Front\n")
    assert ":caption: The argument\n\nb\n```" in contents
    assert ":caption: National shifts\n\na--x\n```" in contents
    first = [json.loads((made / f"{name}.ipynb").read_text())["cells"][0] for name in ("a--x", "b")]
    assert ["".join(cell["source"]) for cell in first] == ["# Of one\n\nText", "# Of all\n\nText"]


def test_site_that_cannot_be_built_leaves_the_old_one(tmp_path, monkeypatch):
    def fail(source, built):
        raise RuntimeError("planted")

    (tmp_path / "results/report").mkdir(parents=True)
    (tmp_path / "results/report/index.html").write_text("old")
    with pytest.raises(RuntimeError, match="planted"):
        lay_out(tmp_path, monkeypatch, fail)
    assert (tmp_path / "results/report/index.html").read_text() == "old"
    assert [path.name for path in (tmp_path / "results").glob(".report-*")] == []
