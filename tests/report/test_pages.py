import json
import shutil

import pytest
from support.declared import RUNS, SHIFTS
from support.small_site import lay_out_site, notebook, write_results

from report import pages
from report.pages import lay_out_notebooks, pages_of


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """The source of a site whose notebooks say next to nothing."""
    folder = tmp_path_factory.mktemp("site")
    write_results(folder / "results", RUNS, SHIFTS)
    lay_out_site(folder / "results", folder / "source", RUNS)
    for name in ("templates", "extra"):  # no pages
        shutil.rmtree(folder / "source" / name)
    return folder / "source"


def test_the_front_page_gives_answer_picture_cards_and_claims_in_both_languages(laid_out):
    for page, folder in (("index.md", ""), ("es/index.md", "es/")):
        text = (laid_out / page).read_text(encoding="utf-8")
        parts = [
            "Carpenter",
            "10,423",
            f':alt: "Finding of {folder}rate"',
            'class="card"',
            "A line.",
        ]
        places = [text.index(part) for part in parts]
        assert places == sorted(places)
        assert text.count('class="card"') == len(pages_of("x", {})) + 7
        assert [line[:5] for line in text.splitlines() if "A line." in line] == ["1. **", "2. **"]
        assert "None" not in text
        assert "nan" not in text


def test_every_page_is_in_the_menu_once(laid_out):
    listed = []
    for path in laid_out.rglob("*"):
        if path.suffix not in {".md", ".ipynb"}:
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        for block in text.split("```{toctree}")[1:]:
            names = block.split("```")[0].splitlines()
            entries = [
                name for name in names if name and not name.startswith((":", "The answer in"))
            ]
            here = path.parent.relative_to(laid_out).as_posix()
            listed += [name if here == "." else f"{here}/{name}" for name in entries]
    found = {
        path.relative_to(laid_out).with_suffix("").as_posix()
        for path in laid_out.rglob("*")
        if path.suffix in {".md", ".ipynb"} and path.parent.name != "exports"  # which are no pages
    }
    assert sorted(listed) == sorted(found - {"index"})


def test_a_shift_leads_to_its_fit_its_date_and_its_states(laid_out):
    text = (laid_out / "shift--calderon-2006-12.md").read_text(encoding="utf-8")
    for name in ("03-policy-shift", "04-robustness", "05-states"):
        assert f"]({name}--calderon-2006-12--inegi.ipynb)" in text
    assert "](07-comparison-countries--calderon-2006-12.ipynb)" in text
    cells = json.loads(
        (laid_out / "04-robustness--covid-2020-04--sesnsp.ipynb").read_text("utf-8")
    )["cells"]
    heading = "".join(cells[0]["source"])
    assert heading.startswith("# Covid lockdown (SESNSP): is the date special?\n")
    assert "[The shift](shift--covid-2020-04.md)" in heading
    assert "[the fit (SESNSP)](03-policy-shift--covid-2020-04--sesnsp.ipynb)" in heading
    assert "**is the date special? (SESNSP)**" in heading


def test_links_in_a_row_stand_apart(laid_out):
    for page, apart in (
        ("index.md", ") · \n["),
        ("es/index.md", ") · \n["),
        ("chapters.md", "), ["),
    ):
        assert apart in (laid_out / page).read_text(encoding="utf-8"), page


def test_a_figure_carries_the_finding_of_its_run(laid_out):
    cells = json.loads((laid_out / "01-data.ipynb").read_text("utf-8"))["cells"]
    assert cells[1]["metadata"]["mystnb"]["image"]["alt"] == "Finding of rate"
    assert cells[1]["metadata"]["tags"] == ["hide-input"]
    shown = [each["metadata"]["image/svg+xml"]["name"] for each in cells[1]["outputs"]]
    assert shown == ["rate"]
    assert cells[2]["outputs"] == []  # the Spanish figure has a page of its own


@pytest.mark.parametrize("folder", ["/home/ana/my work/", "C:\\Users\\Ana Ruiz\\", "//host/a/", ""])
def test_a_warning_on_a_page_names_its_file_and_no_folder_of_the_machine(tmp_path, folder):
    told = f"before\n{folder}gls.py:208: RuntimeWarning: odd\n  rho = x / y\nafter 1/2\n"
    printed = {"output_type": "stream", "name": "stderr", "text": told.splitlines(True)}
    executed = {name: json.loads(notebook([("rate", "Finding")])) for name in RUNS}
    executed["01-data"]["cells"][1]["outputs"].append(printed)
    lay_out_notebooks(executed, RUNS, tmp_path)
    cell = json.loads((tmp_path / "01-data.ipynb").read_text("utf-8"))["cells"][1]
    text = "before\ngls.py:208: RuntimeWarning: odd\n  rho = x / y\nafter 1/2\n"
    assert cell["outputs"][1]["text"] == text


def test_a_link_of_a_notebook_leads_to_a_page_or_is_text(tmp_path):
    executed = {name: json.loads(notebook([])) for name in RUNS}
    told = "[01](01-data.ipynb), [fit](03-policy-shift.ipynb), [runs](../analysis/data/runs.toml)"
    far = "[doi](https://doi.org/10.1016/x)"
    cell = {"cell_type": "markdown", "metadata": {}, "source": [f"{told}\n", far]}
    executed["00-start"]["cells"].append(cell)
    lay_out_notebooks(executed, RUNS, tmp_path)
    cell = json.loads((tmp_path / "00-start.ipynb").read_text("utf-8"))["cells"][-1]
    first = next(name for name in RUNS if name.startswith("03-policy-shift"))
    shown = f"[01](01-data.ipynb), [fit]({first}.ipynb), runs\n{far}"
    assert "".join(cell["source"]) == shown


def test_spanish_words_of_a_fit_find_their_figures_and_the_english_page(laid_out):
    text = (laid_out / "es/03-policy-shift--covid-2020-04--inegi.md").read_text(encoding="utf-8")
    assert "(../figures/es/x.svg)" in text
    assert "[English](../03-policy-shift--covid-2020-04--inegi.ipynb)" in text


def test_a_page_that_asks_for_what_nobody_knows_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "templates/en").mkdir(parents=True)
    (tmp_path / "templates/en/index.md.j2").write_text("{{ unheard_of }}")
    monkeypatch.setattr(pages, "REPORT", tmp_path)
    with pytest.raises(Exception, match="'unheard_of' is undefined"):
        pages._environment("en").get_template("index.md.j2").render()


def test_both_languages_explain_their_words(laid_out):
    terms = (laid_out / "static/terms.js").read_text(encoding="utf-8")
    assert set(json.loads(terms.removeprefix("const TERMS = ").rstrip(";\n"))) == {"en", "es"}
