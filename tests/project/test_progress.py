"""What a run tells while it works."""

from types import SimpleNamespace

import pytest
from pytask import Mark, SkippedUnchanged, TaskOutcome, TaskWithoutPath
from support.folders import ROOT

from mexico_report.runs import declare_runs
from notebooks import progress
from notebooks.progress import Progress, name_of


def task(name, *marks):
    markers = [Mark(mark, (), {}) for mark in marks]
    return TaskWithoutPath(name=name, function=print, markers=markers)


FIT = task("task_notebooks.py::task_notebook[03-policy-shift--a--inegi]")
LAST = task("task_notebooks.py::task_notebook[10-synthesis]")
REPORT = task("task_report.py::task_report")
LAST_BUT_ONE = task("task_exports.py::task_exports")
ASIDE = task("task_notebooks.py::task_notebook[01-data]", "skip")


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "study.csv"
    path.write_text("task,seconds\n03-policy-shift,10\n10-synthesis,30\nreport,60\nexports,60\n")
    return path


def report(of, outcome=TaskOutcome.SUCCESS):
    return SimpleNamespace(task=of, outcome=outcome)


@pytest.fixture(autouse=True)
def _pace_of_what_was_seen(monkeypatch):
    """No weight beforehand, so that numbers can be reckoned in the head."""
    monkeypatch.setattr(progress, "FIRST", 1e-9)


def test_time_left_follows_what_the_tasks_took_when_recorded(clock, recorded):
    told = Progress([FIT, LAST, REPORT], recorded=recorded)
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
    told = Progress([FIT, LAST, REPORT, LAST_BUT_ONE], recorded=recorded)
    told.start(FIT)
    told.start(LAST)
    clock.seconds = 5.0  # at twice the recorded pace: 20 + 60 + 60, two at once, are 70: 35 s
    assert told.end(report(FIT)) == "1/4 03-policy-shift--a--inegi: 5 s; about 35 s left"


def test_no_less_is_left_than_the_longest_task_takes(clock, recorded):
    told = Progress([FIT, LAST, REPORT], workers=2, recorded=recorded)
    told.start(FIT)
    told.start(LAST)
    clock.seconds = 10.0
    assert told.end(report(FIT)).endswith("about 60 s left")  # not (20 + 60) / 2
    told.start(REPORT)
    clock.seconds = 400.0
    assert told.left() == "about 6 s"  # a tenth of what was recorded, of a task that takes longer


def test_first_tasks_move_the_recorded_pace_little(monkeypatch, clock, recorded):
    monkeypatch.setattr(progress, "FIRST", 30.0)
    told = Progress([FIT, LAST, REPORT], recorded=recorded)
    assert told.left() == "about 2 min"  # 100 s as recorded
    told.start(FIT)
    clock.seconds = 5.0  # 40 recorded seconds in 35
    assert told.end(report(FIT)).endswith("5 s; about 79 s left")


def test_what_was_unchanged_is_not_told_and_takes_no_time(clock, recorded):
    told = Progress([FIT, LAST, REPORT], recorded=recorded)
    assert told.end(report(LAST, TaskOutcome.SKIP_UNCHANGED)) == ""
    told.start(FIT)
    clock.seconds = 10.0
    assert told.end(report(FIT)) == "2/3 03-policy-shift--a--inegi: 10 s; about 60 s left"


def test_what_is_not_made_since_another_failed_says_so(recorded):
    told = Progress([LAST, REPORT], recorded=recorded)
    failed = told.end(report(LAST, TaskOutcome.SKIP_PREVIOUS_FAILED))
    assert failed == "1/2 10-synthesis: not made, since what it reads was not"


def test_outdated_is_what_pytask_would_execute_and_what_reads_that():
    after = {FIT.signature: {"file", LAST.signature}, ASIDE.signature: set()}
    outcomes = {FIT.signature: None, ASIDE.signature: FileNotFoundError()}
    asked = []

    def set_up(session, task):
        asked.append(session.config)
        if error := outcomes.get(task.signature, SkippedUnchanged()):
            raise error

    session = SimpleNamespace(
        hook=SimpleNamespace(pytask_execute_task_setup=set_up),
        dag=SimpleNamespace(descendants=after.__getitem__),
        config={"force": True, "n_workers": 2},
    )
    tasks = [FIT, LAST, REPORT, ASIDE]
    assert progress.find_outdated(session, tasks, force=False) == [FIT, LAST, ASIDE]
    assert asked == [{"force": False, "n_workers": 2, "dry_run": True}] * 4
    assert session.config == {"force": True, "n_workers": 2}


def test_every_task_has_its_recorded_seconds():
    told = Progress([], recorded=ROOT / "benchmarks/study.csv")
    assert told.left() == ""
    stems = {run.notebook for run in declare_runs().values()} | {"report", "crate", "exports"}
    lines = (ROOT / "benchmarks/study.csv").read_text("utf-8").split()
    assert {line.split(",")[0] for line in lines[1:]} == stems
    assert name_of(REPORT) == "report"
