"""Read requirements.lock; written as a script, the environment.yml that matches it.

``python tests/support/locked.py > environment.yml`` is part of ``make lock``.
"""

import re
import tomllib
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PUBLISHED_PYTHON = "3.11"  # the published numbers were made with this minor version
# What conda-forge is asked for, and a version that its feedstock is known to have, with the source.
CONDA = {
    "python": (">=3.11,<3.12", "3.11.14", "conda-forge/python-feedstock#816, of 2025-09-25"),
    "pip": (">=24", "25.3", "conda-forge/pip-feedstock@1360e1e, read 2026-11-27"),
}


def locked_versions(python: str = PUBLISHED_PYTHON) -> dict[str, str]:
    """Return package -> version that the lock holds for one Python on this system."""
    environment = {"python_version": python, "python_full_version": f"{python}.9"}
    versions = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        pinned = re.match(r"([a-zA-Z0-9_.-]+)==([^ ;\\]+)(?: ; ([^\\]+))?", line)
        if pinned and (not pinned[3] or Marker(pinned[3].strip()).evaluate(environment)):
            versions[pinned[1]] = pinned[2]
    return versions


def declared_requirements() -> list[Requirement]:
    """Return every requirement that pyproject.toml states, of all extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(text) for text in sum(extras, project["dependencies"])]


def environment_yml() -> str:
    """Return the conda environment: conda-forge's Python, and the lock's own files by pip."""
    conda = [
        f"  - {name} {asked}  # {known}: {where}" for name, (asked, known, where) in CONDA.items()
    ]
    return "\n".join(
        [
            "# Made by `make lock`. Python comes from conda-forge; every package by pip, from the",
            "# files that requirements.lock names by their hashes: conda's are other builds. The",
            "# project itself takes a second call: pip takes no folder where it checks hashes.",
            "#   conda env create -f environment.yml && conda activate mexico-homicide-its",
            "#   pip install --no-deps --no-build-isolation -e . && pytask",
            "name: mexico-homicide-its",
            "channels: [conda-forge]",
            "dependencies:",
            *conda,
            "  - pip:",
            "      - -r requirements.lock",
            "",
        ]
    )


if __name__ == "__main__":
    print(environment_yml(), end="")
