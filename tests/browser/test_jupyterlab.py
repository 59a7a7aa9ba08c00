"""JupyterLab as a student opens it: one value changed, all cells run, nothing published touched."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from support.whole_run import copy_project

pytestmark = pytest.mark.slow

NOTEBOOK = "03-policy-shift"
EXPLORED = "explored/03-policy-shift--calderon-2006-12--inegi--harmonics=3"
TOKEN = secrets.token_hex(16)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with something in the place of the published results."""
    folder = copy_project(tmp_path_factory.mktemp("lab"))
    for path in ("shifts/calderon-2006-12--inegi.csv", "figures/calderon-2006-12--inegi.svg"):
        (folder / "results" / path).parent.mkdir(parents=True)
        (folder / "results" / path).write_text("as published")
    return folder


@pytest.fixture(scope="module")
def within(project, tmp_path_factory):
    """The address of a JupyterLab that knows no settings but its own."""
    home = tmp_path_factory.mktemp("home")
    folders = {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    folders |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "IPYTHONDIR": str(home)}
    folders["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "workspaces")
    options = ["--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root"]
    options += [f"--IdentityProvider.token={TOKEN}", "--LabApp.extension_manager=readonly"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", *options],
            cwd=project,
            env=os.environ | folders | {"PYTHONPATH": str(project)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield wait_for(lambda: read_address(home, server), 120)
    finally:
        server.send_signal(signal.SIGTERM)  # it ends its kernels
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def read_address(home, server):
    assert server.poll() is None, (home / "log").read_text("utf-8")
    for path in (home / "RUNTIME").glob("jpserver-*.json"):
        return json.loads(path.read_text("utf-8"))["url"]
    return None


def wait_for(found, seconds):
    started = time.monotonic()
    while not (value := found()):
        assert time.monotonic() - started < seconds
        time.sleep(0.2)
    return value


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_changed_parameter_shows_its_figure_and_writes_to_its_own_place(project, within, desktop):
    page, results, path = desktop, project / "results", project / f"notebooks/{NOTEBOOK}.ipynb"
    published = contents(results)
    page.goto(f"{within}lab/tree/notebooks/{NOTEBOOK}.ipynb?token={TOKEN}")
    page.locator(".cm-line", has_text="harmonics: int = 2").click()
    page.keyboard.press("Home")
    for _ in "harmonics: int = ":
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    page.keyboard.type("3")
    # Saved first: what stands in the notebook's file is not what is declared.
    page.keyboard.press("Control+s")
    wait_for(lambda: "harmonics: int = 3" in path.read_text("utf-8"), 30)

    run_all(page, within)
    table = results / EXPLORED / "shifts/calderon-2006-12--inegi.csv"
    wait_for(table.is_file, 300)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.keyboard.press("Control+s")
    wait_for(lambda: ran_through(path), 60)

    outputs = [cell["outputs"] for cell in read_code(path)]
    kinds = [output["output_type"] for cell in outputs for output in cell]
    assert "error" not in kinds
    told = [output["text"] for cell in outputs for output in cell if "text" in output]
    assert any(str(results / EXPLORED) in "".join(text) for text in told)
    drawn = [sum("image/" in str(output.get("data", {}).keys()) for output in c) for c in outputs]
    sources = ["".join(cell["source"]) for cell in read_code(path)]
    assert drawn == [int("save_figure(" in source) for source in sources]  # each figure once
    assert sum(drawn) >= 2
    figure = scroll_to_figure(page, "plot_fit(")
    assert figure.count() == 1
    assert figure.evaluate("image => image.complete && image.naturalWidth") > 300
    assert figure.bounding_box()["width"] > 300

    made = contents(results)
    assert {path: made[path] for path in published} == published
    elsewhere = [path for path in made.keys() - published.keys() if EXPLORED not in str(path)]
    assert elsewhere == []


def test_the_first_notebook_opens_with_its_kernel_runs_and_leads_on(project, within, desktop):
    page, path = desktop, project / "notebooks/00-start.ipynb"
    page.goto(f"{within}lab/workspaces/first/tree/notebooks/00-start.ipynb?token={TOKEN}")
    page.get_by_role("heading", name="Start here").wait_for()
    named = KernelSpecManager().get_kernel_spec("python3").display_name
    page.locator(".jp-KernelName", has_text=named).wait_for()
    assert page.locator(".jp-Dialog").count() == 0  # it asks for nothing
    run_all(page, within)
    wait_for((project / "results/tables/start.csv").is_file, 120)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.keyboard.press("Control+s")
    wait_for(lambda: ran_through(path), 60)
    assert "error" not in {out["output_type"] for c in read_code(path) for out in c["outputs"]}
    page.locator(".jp-WindowedPanel-outer").hover()
    page.mouse.wheel(0, -20_000)
    page.locator(".jp-Notebook a", has_text="the shifts").click()  # a file beside notebooks/
    page.locator(".lm-TabBar-tabLabel", has_text="policy-shifts.toml").wait_for()
    page.locator(".jp-FileEditor", has_text="calderon-2006-12").wait_for()


def run_all(page, within):
    """Run all cells once the page has its kernel: before, JupyterLab forgets that it was asked."""
    wait_for(lambda: has_kernel(page, within), 120)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def has_kernel(page, within):
    with urllib.request.urlopen(f"{within}api/sessions?token={TOKEN}", timeout=30) as answer:
        kernels = {each["path"]: each["kernel"] for each in json.load(answer)}
    kernel = kernels.get(page.url.partition("/tree/")[2].partition("?")[0], {})
    return kernel.get("connections") and kernel["execution_state"] == "idle"


def read_code(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def ran_through(path):
    try:
        return all(cell["execution_count"] for cell in read_code(path))
    except json.JSONDecodeError:  # half written
        return False


def scroll_to_figure(page, code):
    """Return what the cell with this code shows; JupyterLab draws only what is near."""
    shown = page.locator(".jp-CodeCell", has_text=code).locator(".jp-OutputArea-output img")
    page.locator(".jp-WindowedPanel-outer").hover()
    for _ in range(100):
        if shown.count() and shown.first.is_visible():
            break
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(100)
    return shown
