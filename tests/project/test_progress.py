"""What a run tells while it works."""

from types import SimpleNamespace

import pytest
from pytask import Mark, TaskOutcome, TaskWithoutPath
from support.folders import ROOT

from mexico_report.runs import declare_runs
from notebooks import progress
from notebooks.progress import Progress, find_stale, name_of


def task(name, *marks):
    markers = [Mark(mark, (), {}) for mark in marks]
    return TaskWithoutPath(name=name, function=print, markers=markers)


FIT = task("task_notebooks.py::task_notebook[03-policy-shift--a--inegi]")
LAST = task("task_notebooks.py::task_notebook[10-synthesis]")
REPORT = task("task_report.py::task_report")
ASIDE = task("task_notebooks.py::task_notebook[01-data]", "skip")


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "study.csv"
    path.write_text("task,seconds\n03-policy-shift,10\n10-synthesis,30\nreport,60\n")
    return path


def report(of, outcome=TaskOutcome.SUCCESS):
    return SimpleNamespace(task=of, outcome=outcome)


def test_time_left_follows_what_the_tasks_took_when_recorded(clock, recorded):
    told = Progress(SimpleNamespace(tasks=[FIT, LAST, REPORT, ASIDE]), recorded)
    told.start(FIT)
    clock.seconds = 5.0  # half of what was recorded: 90 more take 45 s
    assert told.end(report(FIT)) == "1/3 03-policy-shift--a--inegi: 5 s; about 45 s left"
    assert told.end(report(ASIDE, TaskOutcome.SKIP)) == ""
    told.start(LAST)
    clock.seconds = 120.0
    failed = told.end(report(LAST, TaskOutcome.FAIL))
    assert failed == "2/3 10-synthesis: 115 s, not made; about 3 min left"
    told.start(REPORT)
    clock.seconds = 121.0
    assert told.end(report(REPORT)) == "3/3 report: 1 s"


def test_time_left_counts_what_runs_and_how_much_at_once(clock, recorded):
    told = Progress(SimpleNamespace(tasks=[FIT, LAST, REPORT]), recorded)
    told.start(FIT)
    told.start(LAST)
    clock.seconds = 5.0  # at twice the recorded pace: 20 of the other's 30 and 60 more, two at once
    assert told.end(report(FIT)) == "1/3 03-policy-shift--a--inegi: 5 s; about 20 s left"


def test_what_was_unchanged_is_not_told_and_takes_no_time(clock, recorded):
    told = Progress(SimpleNamespace(tasks=[FIT, LAST, REPORT]), recorded)
    assert told.end(report(LAST, TaskOutcome.SKIP_UNCHANGED)) == ""
    told.start(FIT)
    clock.seconds = 10.0
    assert told.end(report(FIT)) == "2/3 03-policy-shift--a--inegi: 10 s; about 60 s left"


def test_what_is_stale_is_what_reads_what_was_made():
    after = {FIT.signature: {"file", LAST.signature, REPORT.signature}, ASIDE.signature: set()}
    dag = SimpleNamespace(descendants=after.__getitem__)
    reports = [report(FIT), report(ASIDE, TaskOutcome.SKIP)]
    session = SimpleNamespace(tasks=[FIT, LAST, REPORT, ASIDE], dag=dag, execution_reports=reports)
    assert find_stale(session) == (["03-policy-shift--a--inegi"], ["10-synthesis", "report"])


def test_every_task_has_its_recorded_seconds():
    told = Progress(SimpleNamespace(tasks=[]), ROOT / "benchmarks/study.csv")
    assert told.left() == ""
    stems = {run.notebook for run in declare_runs().values()} | {"report", "crate", "exports"}
    lines = (ROOT / "benchmarks/study.csv").read_text("utf-8").split()
    assert {line.split(",")[0] for line in lines[1:]} == stems
    assert name_of(REPORT) == "report"
