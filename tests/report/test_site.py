import shutil
from contextlib import contextmanager, nullcontext
from functools import partial

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


def lay_out(tmp_path, monkeypatch, build, files=()):
    (tmp_path / "configuration").mkdir()
    (tmp_path / "results").mkdir(exist_ok=True)
    for name in files:
        (tmp_path / "configuration" / name).write_text(files[name])
    monkeypatch.setattr(site, "write_pages", lambda *folders: None)
    monkeypatch.setattr(site, "lay_out_notebooks", lambda *folders: None)

    @contextmanager
    def start(source, built):
        yield partial(build, source, built)

    monkeypatch.setattr(site, "start_sphinx", start)
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


def test_of_what_is_kept_only_files_that_changed_are_written_anew(tmp_path, monkeypatch):
    seen = []

    def build(source, built):
        seen.append({path.name: path.stat().st_mtime_ns for path in source.iterdir()})
        built.mkdir()

    lay_out(tmp_path, monkeypatch, build, {"conf.py": "1", "a.md": "a", "gone.md": "x"})
    shutil.rmtree(tmp_path / "configuration")
    lay_out(tmp_path, monkeypatch, build, {"conf.py": "1", "a.md": "b", "new.md": "y"})
    first, second = seen
    assert second.keys() == {"conf.py", "a.md", "new.md"}
    assert second["conf.py"] == first["conf.py"]
    assert second["a.md"] > first["a.md"]


@pytest.mark.slow
def test_pages_are_written_anew_where_they_or_the_menu_have_changed(tmp_path, monkeypatch):
    names = ("index.md", "a.md", "b.md")
    start, conf = site.start_sphinx, (site.REPORT / "conf.py").read_text("utf-8")
    files = {"conf.py": conf.replace('["static"]', "[]").replace('["extra"]', "[]")}
    files |= {"index.md": "# Menu\n\n```{toctree}\na\nb\n```\n", "b.md": "# B\n\nplain\n"}

    def run(source, built):
        with start(source, built) as build:
            build()

    def build(first):
        files["a.md"] = first
        shutil.rmtree(tmp_path / "configuration", ignore_errors=True)
        lay_out(tmp_path, monkeypatch, run, files)
        pages = tmp_path / ".pytask/site/built"
        return {name: (pages / name.replace("md", "html")).stat().st_mtime_ns for name in names}

    def build_anew():
        shown = tmp_path / "results/report"
        kept = {path: path.read_bytes() for path in shown.rglob("*") if path.is_file()}
        shutil.rmtree(tmp_path / ".pytask/site")
        new = build(files["a.md"])
        assert kept == {path: path.read_bytes() for path in shown.rglob("*") if path.is_file()}
        return new

    first = build("# A\n\nhippopotamus\n")
    images = tmp_path / ".pytask/site/built/_images"
    images.mkdir(exist_ok=True)
    (images / "of-a-page-as-it-was.svg").touch()
    second = build("# A\n\nordinary\n")
    assert second["a.md"] > first["a.md"]
    assert second["b.md"] == first["b.md"]
    first, second = build_anew(), build("# Another A\n\nordinary\n")
    assert second["b.md"] > first["b.md"]
    build_anew()


def test_what_a_killed_sphinx_left_is_not_built_upon(tmp_path, monkeypatch):
    seen = []

    def build(source, built):
        seen.append(sorted(path.name for path in built.glob("*")))
        built.mkdir(exist_ok=True)
        (built / f"{len(seen)}.html").touch()
        if len(seen) == 2:
            raise KeyboardInterrupt  # as what ends the process: nothing is cleared away

    lay_out(tmp_path, monkeypatch, build, {"a.md": "a"})
    files = sorted((tmp_path / "results/report").iterdir())
    for error in (pytest.raises(KeyboardInterrupt), nullcontext()):
        shutil.rmtree(tmp_path / "configuration")
        with error:
            lay_out(tmp_path, monkeypatch, build, {"a.md": "b"})
    assert seen == [[], ["1.html"], []]
    assert [path.name for path in files] == ["1.html"]
    assert [path.name for path in (tmp_path / "results/report").iterdir()] == ["3.html"]


def test_site_that_fails_from_what_is_kept_is_built_without_it(tmp_path, monkeypatch):
    def build(source, built):
        if (tmp_path / ".pytask/site/doctrees").exists():
            raise RuntimeError("planted")
        built.mkdir(parents=True, exist_ok=True)

    (tmp_path / ".pytask/site/doctrees").mkdir(parents=True)
    lay_out(tmp_path, monkeypatch, build)
    assert (tmp_path / "results/report").is_dir()
