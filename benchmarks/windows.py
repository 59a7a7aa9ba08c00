"""Record the coverage of every estimator on the study's own windows: writes windows.csv beside it.

    python benchmarks/windows.py

About ten minutes on two cores. For each national shift and source, series without an effect are
simulated on the window's own design, each with errors of a law of its own, drawn from what the
window says of it; count models see Poisson counts of its person-years. A shift that is known only
as a range of months stands at its first month.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.engine.draws import draw_parameters, simulate_law
from analysis.engine.executors import open_executor
from analysis.its.comparison import COUNTS
from analysis.its.model import ESTIMANDS, prepare_model
from analysis.mexico.record import NATION
from analysis.mexico.shifts import load_policy_shifts
from analysis.mexico.sources import load_series
from analysis.validation.coverage import (
    CALIBRATED,
    MEASURES,
    intervals,
    lay_out_coverage,
    share_held,
)
from benchmarks.recording import write_record

SIMULATIONS = dict.fromkeys(CALIBRATED, 1000) | {"arima": 200}  # a fit takes a quarter of a second
JUDGED = ("level", "slope", "effect_24m")
RECORD = Path(__file__).with_suffix(".csv")


def list_jobs() -> list[tuple[str, str]]:
    """List the national shifts, each with every source that can carry it."""
    shifts = load_policy_shifts().values()
    return [(s.slug, source) for s in shifts if s.places == (NATION,) for source in s.sources]


def run(job: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(_rows(*job), columns=["shift", "source", *MEASURES])


def _rows(slug: str, source: str) -> Iterator[list]:
    shift = load_policy_shifts()[slug]
    model = prepare_model(load_series(source), shift)
    X, after, rng = model.designs[0].to_numpy(), model.n_before, np.random.default_rng(20061201)
    wanted = [name for name in JUDGED if name not in model.notes]
    C = model.contrasts[[ESTIMANDS.index(name) for name in wanted]]
    drawn = draw_parameters(model.outcome, X, rng, max(SIMULATIONS.values()), after=after)
    errors = simulate_law(drawn, len(X), rng, after=after)
    null = drawn.b.mean(axis=0) * ~model.designs[0].columns.isin(["level", "slope"])
    exposure, seen, kept = model.counts[1], ~model.omitted, model.kept
    around = errors - errors.mean(axis=0)  # near a unit root the constant alone could be anything
    deaths = rng.poisson(exposure[:, None] * np.exp((X @ null)[:, None] + around)).astype(float)
    for name, count in SIMULATIONS.items():
        if name in COUNTS:  # a month left out is left out, not fitted by a column of its own
            design, rows = X[np.ix_(seen, kept)], C[:, kept]
            options = {"exposure": exposure[seen]}
            ends = intervals(name, deaths[seen, :count], design, rows, after, **options)
        else:
            ends = intervals(name, errors[:, :count], X, C, after)
        for row in share_held(*ends, wanted):
            yield [slug, source, name, *row]


def record() -> pd.DataFrame:
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    with open_executor(processes=True) as pool:
        table = pd.concat(pool.map(run, list_jobs()), ignore_index=True)
    write_record(table.round({"coverage": 2, "mc_error": 2}), RECORD)
    return table


if __name__ == "__main__":
    start = time.perf_counter()
    print(lay_out_coverage(record()).to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
