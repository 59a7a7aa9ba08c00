"""What continuous integration runs, read as it is written."""

import re

import pytest
import yaml
from support.folders import ROOT

WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in (ROOT / ".github/workflows").glob("*.yml")
}
JOBS = {
    f"{workflow}-{name}": job
    for workflow, declared in WORKFLOWS.items()
    for name, job in declared["jobs"].items()
}
DEPLOYS = {"pages": "write", "id-token": "write"}
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
SUPPORTED = re.findall(r"Python :: (3\.\d+)", PYPROJECT)


@pytest.mark.parametrize(("workflow", "ends"), [("ci", "pull_request"), ("weekly", "False")])
def test_a_workflow_reads_alone_and_a_newer_push_ends_a_pull_requests_older_run(workflow, ends):
    assert WORKFLOWS[workflow]["permissions"] == {"contents": "read"}
    alone = WORKFLOWS[workflow]["concurrency"]
    assert "github.ref" in alone["group"]
    assert ends in str(alone["cancel-in-progress"])


@pytest.mark.parametrize("job", JOBS)
def test_a_job_pins_actions_by_commit_may_no_more_and_ends(job):
    assert JOBS[job].get("permissions") == (DEPLOYS if job == "ci-pages" else None)
    assert JOBS[job]["timeout-minutes"] <= 60
    used = [step for step in JOBS[job]["steps"] if "uses" in step]
    floating = [each for each in used if not re.search(r"@[0-9a-f]{40}$", each["uses"])]
    assert floating == []
    checkouts = [step for step in used if step["uses"].startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * len(checkouts)
    assert checkouts or job == "ci-pages"


def test_every_supported_python_is_tested_and_every_make_target_is_there():
    matrix = JOBS["ci-test"]["strategy"]["matrix"]
    assert set(matrix["python"]) >= set(SUPPORTED)
    runs = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    runs += (ROOT / ".ci/run").read_text("utf-8").splitlines()
    runs = [
        run.replace("${{ matrix.versions }}", each) for run in runs for each in ("newest", "lowest")
    ]
    called = {match for run in runs for match in re.findall(r"^make ([\w-]+)$", run.strip())}
    targets = re.findall(
        r"^([\w -]+?): .*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert called <= set(" ".join(targets).split())
    tests = {"test", "test-slow", "test-all", "test-newest", "test-lowest"}
    assert called >= tests | {"lint", "audit"}


@pytest.mark.parametrize("place", [".ci/run", ".github/workflows/weekly.yml"])
def test_the_way_without_make_is_that_of_the_readme(place):
    readme = (ROOT / "README.md").read_text("utf-8")
    told = [line.split("  #")[0] for line in re.findall(r"^\$ (uv .+)$", readme, re.MULTILINE)]
    ran = [line.strip() for line in (ROOT / place).read_text("utf-8").splitlines()]
    ran = {" ".join(re.sub(r"^- run: | --quiet|--python \S+", "", line).split()) for line in ran}
    asked = [" ".join(re.sub(r"--python \S+", "", line).split()) for line in told]
    assert len(asked) == 5
    assert [line for line in asked if line not in ran] == ["uv run --no-sync pytask"]
