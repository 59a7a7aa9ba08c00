"""What a run tells: each notebook as it ends and how long is left, and what ``-k`` leaves stale."""

import csv
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from pytask import ExecutionReport, PTask, Session, TaskOutcome, console, get_marks, hookimpl

from notebooks.hooks import only_asks

PROJECT = Path(__file__).parents[1]
RECORDED = PROJECT / "benchmarks/study.csv"  # CPU seconds of each notebook, on some machine
UNCHANGED = (TaskOutcome.SKIP, TaskOutcome.SKIP_UNCHANGED, TaskOutcome.PERSISTENCE)
NAMED = 6  # stale tasks that are told by name


def name_of(task: PTask) -> str:
    """Return what a task makes: the run of a notebook, or a product of all."""
    stem = task.name.rpartition("::")[2]
    return stem.partition("[")[2].rstrip("]") or stem.removeprefix("task_")


class Progress:
    """How far a run is, by what its tasks took when that was recorded."""

    def __init__(self, session: Session, recorded: Path = RECORDED) -> None:
        lines = recorded.read_text(encoding="utf-8").splitlines() if recorded.is_file() else []
        seconds = {row["task"]: float(row["seconds"]) for row in csv.DictReader(lines)}
        asked = [task for task in session.tasks if not get_marks(task, "skip")]  # not deselected
        names = {task.signature: name_of(task) for task in asked}
        stems = {signature: name.partition("--")[0] for signature, name in names.items()}
        self.names, self.size = names, {each: seconds.get(stems[each], 1.0) for each in names}
        self.ahead = {*names}  # what has not ended
        self.starts, self.workers = {}, 1  # of what runs; how many have run at once
        self.done = self.took = 0.0

    def start(self, task: PTask) -> None:
        """A task begins."""
        self.starts[task.signature] = time.monotonic()
        self.workers = max(self.workers, len(self.starts))

    def end(self, report: ExecutionReport) -> str:
        """Return what to tell of a task that has ended: nothing of one that was not executed."""
        signature, now = report.task.signature, time.monotonic()
        self.ahead.discard(signature)
        took = now - self.starts.pop(signature, now)
        if report.outcome in UNCHANGED or signature not in self.names:
            return ""
        self.done, self.took = self.done + self.size[signature], self.took + took
        count = len(self.names)
        place = f"{count - len(self.ahead):>{len(str(count))}}/{count}"
        failed = "" if report.outcome is TaskOutcome.SUCCESS else ", not made"
        told = f"{place} {self.names[signature]}: {took:.0f} s{failed}"
        return f"{told}; {left}" if (left := self.left()) else told

    def left(self) -> str:
        """Say how long what is ahead takes, if all of it is to be executed."""
        if not self.ahead or not self.took:
            return ""
        pace, now = self.done / self.took, time.monotonic()
        worked = {each: pace * (now - self.starts.get(each, now)) for each in self.ahead}
        ahead = sum(max(self.size[each] - worked[each], 0.0) for each in self.ahead)
        seconds = max(ahead / pace / self.workers, 1.0)
        if seconds > 90:
            return f"about {seconds / 60:.0f} min left"
        return f"about {seconds:.0f} s left"


def find_stale(session: Session) -> tuple[list[str], list[str]]:
    """Return what was executed, and what would be made anew since it reads that."""
    made = [each.task for each in session.execution_reports if each.outcome is TaskOutcome.SUCCESS]
    own = {task.signature for task in made}
    after = {node for each in own for node in session.dag.descendants(each)} - own
    return [*map(name_of, made)], [
        name_of(task) for task in session.tasks if task.signature in after
    ]


@hookimpl(wrapper=True)
def pytask_execute_build(session: Session) -> Generator[None, Any, Any]:
    """Tell the progress of a run; after one of a part, show that part in the report."""
    progress = Progress(session)
    session.config["pm"].register(Teller(progress, session), "progress")
    part = session.config["expression"] or session.config["marker_expression"]
    if only_asks(session) or not part:
        return (yield)
    from report.task_report import KEPT, start_sphinx

    with start_sphinx(PROJECT / KEPT / "source", PROJECT / KEPT / "built") as build:
        done = yield  # it loads meanwhile
        made, stale = find_stale(session)
        if made and stale:
            _tell_part(made, stale, build)
    return done


class Teller:
    """What listens to the tasks of a run."""

    def __init__(self, progress: Progress, session: Session) -> None:
        self.progress, self.count = progress, len(session.tasks)  # as its table counts them
        self.live = session.config["pm"].get_plugin("live_execution")

    @hookimpl(wrapper=True)
    def pytask_execute_task_log_start(self, task: PTask) -> Generator[None, Any, Any]:
        """Note when a task begins."""
        self.progress.start(task)
        return (yield)

    @hookimpl(wrapper=True)
    def pytask_execute_task_log_end(self, report: ExecutionReport) -> Generator[None, Any, Any]:
        """Say it below the table of a terminal, or on a line of its own."""
        told = self.progress.end(report)
        if self.live is not None and (left := self.progress.left()):
            self.live.n_tasks = f"{self.count}, {left}"
        done = yield
        if told and not console.is_terminal:
            console.print(told, highlight=False, soft_wrap=True)
        return done


def _tell_part(made: list[str], stale: list[str], build: Callable[[], None]) -> None:
    from report.task_report import EXECUTED, REPORT, RESULTS, RUNS, make_report

    if (
        RUNS.keys() & {*made}
        and "report" not in made
        and all(path.is_file() for path in EXECUTED.values())
    ):
        make_report(REPORT, RESULTS, RUNS, build)
        console.print("The report (results/report/index.html) shows what was made.")
    more = f" and {len(stale) - NAMED} more" if len(stale) > NAMED else ""
    told = f"Stale now, since it reads that: {', '.join(stale[:NAMED])}{more}"
    console.print(f"{told}; `pytask` makes it anew.", highlight=False, soft_wrap=True)
