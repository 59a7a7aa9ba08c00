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


def locked_versions(python: str = PUBLISHED_PYTHON) -> dict[str, str]:
    """Return package -> version that the lock holds for one Python on Linux."""
    environment = {"python_version": python, "python_full_version": f"{python}.9"}
    environment |= {"sys_platform": "linux", "os_name": "posix"}
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
    """Return the conda environment with the lock's versions of what pyproject.toml states."""
    versions = locked_versions()
    names = sorted({requirement.name for requirement in declared_requirements()})
    return "\n".join(
        [
            "# Made by `make lock` from requirements.lock; the same versions for conda users:",
            "# conda env create -f environment.yml && conda activate mexico-homicide-its && pytask",
            "name: mexico-homicide-its",
            "channels: [conda-forge]",
            "dependencies:",
            f"  - python={PUBLISHED_PYTHON}",
            "  - pip",
            *[f"  - {name}={versions[name]}" for name in names],
            "  - pip:",
            "      - -e .",
            "",
        ]
    )


if __name__ == "__main__":
    print(environment_yml(), end="")
