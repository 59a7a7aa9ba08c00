"""What other programs read: estimates for Stata and R, tables as LaTeX and Markdown, scripts."""

from pathlib import Path

import pandas as pd

from analysis.files import write_together
from analysis.language import set_minus
from analysis.mexico.shifts import load_policy_shifts
from analysis.report.checklist import read_rows
from report.codebook import make_codebook, tell_codebook, tell_codes, to_stata
from report.tables import (
    DECLARED,
    FRONT,
    read_front,
    split_summary,
    tell_front,
    to_latex,
    to_markdown,
)

SCRIPTS = sorted(Path(__file__).with_name("scripts").iterdir())
WORDED = ("summary", "operations", "checklist")  # tables of 10-synthesis, in words already
READ = ("estimates.csv", *FRONT, *(f"tables/{name}.csv" for name in WORDED))
NAMES = ("shifts", "shifts.es", "claims", "claims.es", "checklist")
NAMES += tuple(f"{name}-{part}" for name in WORDED[:2] for part in DECLARED["parts"])
FILES = ("estimates.dta", "codebook.md", "codebook.csv", *(script.name for script in SCRIPTS))
FILES += tuple(f"{name}.{end}" for name in NAMES for end in ("tex", "md"))
EXPORTS = tuple(f"exports/{name}" for name in FILES)


def write_exports(results: Path) -> None:
    """Write every file of `EXPORTS` below `results`, all or none."""
    shifts = load_policy_shifts()
    estimates, meanings = read_rows([results / "estimates.csv"]), tell_codes(shifts)
    codebook = make_codebook(estimates, meanings)
    made = {"estimates.dta": to_stata(estimates, meanings)}
    made["codebook.csv"] = codebook.to_csv(index=False, lineterminator="\n").encode()
    made["codebook.md"] = tell_codebook(codebook).encode()
    tables = tell_front(*read_front(results), shifts)
    for name in WORDED:
        words = pd.read_csv(results / f"tables/{name}.csv", dtype=str, keep_default_na=False)
        parts = {} if name == "checklist" else split_summary(words)
        tables |= {f"{name}-{part}": table for part, table in parts.items()} or {name: words}
    tables = {name: table.astype(str).map(set_minus) for name, table in tables.items()}
    made |= {f"{name}.tex": to_latex(table).encode() for name, table in tables.items()}
    made |= {f"{name}.md": to_markdown(table).encode() for name, table in tables.items()}
    made |= {script.name: script.read_bytes() for script in SCRIPTS}
    write_together({results / f"exports/{name}": content for name, content in made.items()})
