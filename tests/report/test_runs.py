from collections import Counter

import pytest
from support.declared import RUNS, SHIFTS
from support.folders import ROOT

from mexico_report.runs import Run


def test_every_shift_is_fitted_and_doubted_under_every_source_that_carries_it():
    fitted_and_doubted = ("03-policy-shift", "04-robustness")
    assert {name for name, run in RUNS.items() if run.notebook in fitted_and_doubted} == {
        f"{notebook}--{shift.slug}--{source}"
        for shift in SHIFTS.values()
        for source in shift.sources
        for notebook in fitted_and_doubted
    }


def test_every_notebook_is_run_and_every_run_has_one():
    stored = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {run.notebook for run in RUNS.values()} == stored


def test_no_file_is_written_twice_and_every_file_read_is_written_by_another_run():
    written = Counter(path for run in RUNS.values() for path in run.writes)
    assert set(written.values()) == {1}
    for run in RUNS.values():
        assert set(run.reads) <= set(written) - set(run.writes), run.name


def test_recorded_files_stand_in_the_project():
    patterns = {pattern for run in RUNS.values() for pattern in run.recorded}
    assert len(patterns) == 8
    assert [pattern for pattern in patterns if not list(ROOT.glob(pattern))] == []


def test_figures_come_as_vectors_and_as_pixels():
    run = Run("a", "b", tables=("t.csv",), figures=("f",))
    assert run.name == "a--b"
    assert run.writes == ("t.csv", "figures/f.svg", "figures/f.png", "exports/figures/f.pdf")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("01-data", ""),
        ("03-policy-shift--covid-2020-04--sesnsp", "Covid lockdown (SESNSP)"),
        ("04-robustness--michoacan-2006-12--inegi",
         "Operativo Conjunto Michoacán (INEGI): is the date special?"),
    ],
)  # fmt: skip
def test_page_has_its_title(name, title):
    assert RUNS[name].title == title


def test_the_synthesis_draws_a_small_picture_of_each_national_shift():
    small = {path for path in RUNS["10-synthesis"].figures if path.startswith("small--")}
    shifts = SHIFTS.values()
    assert small == {f"small--{shift.slug}" for shift in shifts if shift.places == ("MX00",)}
