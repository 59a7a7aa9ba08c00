"""What a run tells: each notebook as it ends and how long is left, and what ``-k`` leaves stale."""

import csv
import time
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

from pytask import (
    ExecutionError,
    ExecutionReport,
    PTask,
    Session,
    SkippedUnchanged,
    TaskOutcome,
    console,
    get_marks,
    hookimpl,
    remove_marks,
)

from notebooks.hooks import only_asks

PROJECT = Path(__file__).parents[1]
RECORDED = PROJECT / "benchmarks/study.csv"  # CPU seconds of each notebook, on some machine
PREVIOUS_FAILED = TaskOutcome.SKIP_PREVIOUS_FAILED
UNCHANGED = (TaskOutcome.SKIP, TaskOutcome.SKIP_UNCHANGED, TaskOutcome.PERSISTENCE)
SITE = "results/report/index.html"
FIRST = 30.0  # recorded seconds whose pace is the recorded one, until more have been seen
LEAST = 0.1  # of what was recorded is taken to be left of what has not ended
NAMED = 6  # stale tasks that are told by name


def name_of(task: PTask) -> str:
    """Return what a task makes: the run of a notebook, or a product of all."""
    stem = task.name.rpartition("::")[2]
    return stem.partition("[")[2].rstrip("]") or stem.removeprefix("task_")


class Progress:
    """How far a run is, by what its tasks took when that was recorded."""

    def __init__(
        self, outdated: Sequence[PTask], workers: int = 1, recorded: Path = RECORDED
    ) -> None:
        lines = recorded.read_text(encoding="utf-8").splitlines() if recorded.is_file() else []
        self.seconds = {row["task"]: float(row["seconds"]) for row in csv.DictReader(lines)}
        self.ahead = {task.signature: self.size(task) for task in outdated}  # what has not ended
        self.count, self.workers = len(outdated), workers
        self.starts: dict[str, float] = {}  # of what runs
        self.done = self.took = FIRST

    def size(self, task: PTask) -> float:
        """Return the seconds that a task like this took when that was recorded."""
        return self.seconds.get(name_of(task).partition("--")[0], 1.0)

    def start(self, task: PTask) -> None:
        """A task begins."""
        self.starts[task.signature] = time.monotonic()
        self.workers = max(self.workers, len(self.starts))

    def end(self, report: ExecutionReport) -> str:
        """Return what to tell of a task that has ended: nothing of one that was not executed."""
        task, now = report.task, time.monotonic()
        self.ahead.pop(task.signature, None)
        took = now - self.starts.pop(task.signature, now)
        if report.outcome in UNCHANGED:
            return ""
        place = f"{self.count - len(self.ahead):>{len(str(self.count))}}/{self.count}"
        told = f"{place} {name_of(task)}: "
        if report.outcome is PREVIOUS_FAILED:
            return f"{told}not made, since what it reads was not"
        self.done, self.took = self.done + self.size(task), self.took + took
        told += f"{took:.0f} s{'' if report.outcome is TaskOutcome.SUCCESS else ', not made'}"
        return f"{told}; {left} left" if (left := self.left()) else told

    def left(self) -> str:
        """Say how long what is ahead takes, if all of it is to be executed."""
        if not self.ahead:
            return ""
        pace, now = self.done / self.took, time.monotonic()
        ahead = [
            max(size - pace * (now - self.starts.get(each, now)), LEAST * size)
            for each, size in self.ahead.items()
        ]
        seconds = max(sum(ahead) / self.workers, *ahead, pace) / pace
        return f"about {seconds / 60:.0f} min" if seconds > 90 else f"about {seconds:.0f} s"


def find_outdated(session: Session, tasks: Iterable[PTask], **config: bool) -> list[PTask]:
    """Return those of `tasks` that pytask would execute, and all that read what they make."""
    kept, outdated = session.config, set()
    session.config = kept | {"dry_run": True} | config  # it notes nothing then
    for task in tasks:
        try:
            session.hook.pytask_execute_task_setup(session=session, task=task)
        except SkippedUnchanged:
            continue
        except Exception:  # what is amiss is told where the task is executed
            pass
        outdated.add(task.signature)
    session.config = kept
    outdated |= {node for each in outdated for node in session.dag.descendants(each)}
    return [task for task in tasks if task.signature in outdated]


@hookimpl(wrapper=True)
def pytask_execute_build(session: Session) -> Generator[None, Any, Any]:
    """Tell the progress of a run; after one of a part, show that part in the report."""
    if only_asks(session.config):
        return (yield)
    part = session.config["expression"] or session.config["marker_expression"]
    asked = [task for task in session.tasks if not get_marks(task, "skip")]  # not deselected
    if part and not asked:
        console.print(f"No task has a name with {part!r}: `pytask collect` lists them.")
        raise ExecutionError
    outdated = find_outdated(session, asked)
    progress = Progress(outdated, min(session.config["n_workers"], max(len(outdated), 1)))
    session.config["pm"].register(Teller(progress, session), "progress")
    if left := progress.left():
        told = f"{progress.count} of {len(session.tasks)} to make, {left}"
        console.print(told, highlight=False)
    return (yield from _show_part(session) if part and outdated else _tell_old(session))


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

    @hookimpl(tryfirst=True)
    def pytask_execute_task_log_end(self, report: ExecutionReport) -> bool | None:
        """Say it below the table of a terminal, or on a line of its own."""
        told = self.progress.end(report)
        if self.live is not None:
            left = self.progress.left()
            self.live.n_tasks = f"{self.count}, {left} left" if left else self.count
        if console.is_terminal:
            return None
        if told:
            console.print(told, highlight=False, soft_wrap=True)
        return True  # and no dot


def _tell_old(session: Session) -> Generator[None, Any, Any]:
    """Let the tasks be executed, and say so if the report is not what they made."""
    done = yield
    late = {name_of(x.task) for x in session.execution_reports if x.outcome is PREVIOUS_FAILED}
    if "report" in late and Path(PROJECT, SITE).is_file():
        console.print(f"The report ({SITE}) is as it was before.", highlight=False)
    return done


def _show_part(session: Session) -> Generator[None, Any, Any]:
    """Let a part be executed, show it in the report, and name what is stale then."""
    from report.task_report import EXECUTED, KEPT, REPORT, RESULTS, RUNS, make_report, start_sphinx

    with start_sphinx(PROJECT / KEPT / "source", PROJECT / KEPT / "built") as build:
        done = yield  # it loads meanwhile
        reports = session.execution_reports
        made = {x.task.signature: x.task for x in reports if x.outcome is TaskOutcome.SUCCESS}
        names = {*map(name_of, made.values())}
        whole = all(path.is_file() for path in EXECUTED.values())
        if names & RUNS.keys() and "report" not in names and whole:
            make_report(REPORT, RESULTS, RUNS, build)
            console.print(f"The report ({SITE}) shows what was made.", highlight=False)
    for task in session.tasks:
        remove_marks(task, "skip")
    stale = find_outdated(session, session.tasks, force=False)
    after = {node for each in made for node in session.dag.descendants(each)}
    reading = [name_of(task) for task in stale if task.signature in after]
    others = [name_of(task) for task in stale if task.signature not in after]
    told = [("now, since it reads that", reading), ("besides", others)]
    for why, each in told:
        if each:
            more = f" and {len(each) - NAMED} more" if len(each) > NAMED else ""
            listed = f"Stale {why}: {', '.join(each[:NAMED])}{more}."
            console.print(listed, highlight=False, soft_wrap=True)
    if stale:
        took = Progress(stale, session.config["n_workers"]).left()
        console.print(f"`pytask` makes all that anew, {took}.", highlight=False)
    return done
