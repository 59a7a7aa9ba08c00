"""The validators of the metadata, which stand in an environment of their own: .ci/metadata.in."""

import json
import subprocess

import pytest
from support.folders import REFERENCE, ROOT

TOOLS = ROOT / ".venv/metadata/bin"
ADDRESS = "https://w3id.org/ro/crate/1.1/context"
# roc-validator reads the context of the crate from its cache alone: this puts it there.
CACHE = """
import sys
from pathlib import Path
from requests_cache import CachedRequest, CachedResponse, CachedSession
cache, context, address = sys.argv[1:]
with CachedSession(cache, backend="sqlite", expire_after=-1) as session:
    given = {"url": address, "request": CachedRequest(method="GET", url=address)}
    given |= {"headers": {"Content-Type": "application/ld+json"}, "status_code": 200}
    session.cache.save_response(CachedResponse(content=Path(context).read_bytes(), **given))
"""


def run_tool(name, *arguments):
    """Run a validator and return what it did."""
    if not (TOOLS / name).is_file():
        pytest.fail(f"no {name} here; make its environment: make .venv/metadata/ready")
    command = [TOOLS / name, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def validate_crate(results, folder, severity="required"):
    """Return what roc-validator has against a crate: pairs of severity and message."""
    context = REFERENCE / "ro-crate-1.1-context.jsonld"
    cached = run_tool("python", "-c", CACHE, folder / "cache", context, ADDRESS)
    assert cached.returncode == 0, cached.stderr
    options = [
        "--profile-identifier",
        "process-run-crate",
        "--offline",
        "--cache-path",
        folder / "cache",
    ]
    options += ["--requirement-severity", severity, "--output-format", "json"]
    options += ["--output-file", folder / "said.json", "--no-paging"]
    said = run_tool("rocrate-validator", "--no-interactive", "validate", *options, results)
    assert (folder / "said.json").is_file(), said.stdout + said.stderr
    report = json.loads((folder / "said.json").read_text("utf-8"))
    assert {"process-run-crate-0.5", "ro-crate-1.1"} == set(report["statistics"]["profiles"])
    return {(issue["severity"], issue["message"]) for issue in report["issues"]}
