import pytest

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
    (tmp_path / "configuration").mkdir()
    monkeypatch.setattr(site, "write_pages", lambda *folders: None)
    monkeypatch.setattr(site, "lay_out_notebooks", lambda *folders: None)
    monkeypatch.setattr(site, "_run_sphinx", build)
    make_report(tmp_path / "configuration", tmp_path / "results", {})


def test_site_that_cannot_be_built_leaves_the_old_one(tmp_path, monkeypatch):
    def fail(source, built):
        raise RuntimeError("planted")

    (tmp_path / "results/report").mkdir(parents=True)
    (tmp_path / "results/report/index.html").write_text("old")
    with pytest.raises(RuntimeError, match="planted"):
        lay_out(tmp_path, monkeypatch, fail)
    assert (tmp_path / "results/report/index.html").read_text("utf-8") == "old"
    assert [path.name for path in (tmp_path / "results").glob(".report-*")] == []
