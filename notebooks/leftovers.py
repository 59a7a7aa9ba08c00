"""What killed runs left in the folder of the results, removed by the next run."""

import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from notebooks.execution import NotebookError, hold

HALF = r"\.half-.+\.\w{8}"  # what analysis.files writes, to rename it at once
SECONDS = 2  # an older one is of a run that was killed


def remove_leftovers(results: Path) -> None:
    """Remove what killed runs left below `results`, where nobody holds it any more."""
    for path in list(results.rglob(".*")):
        if path.name.startswith(".report-"):
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(".running-"):
            with suppress(NotebookError), hold(path, path.name):
                pass  # it is removed
        elif re.fullmatch(HALF, path.name):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > SECONDS:
                    path.unlink()
