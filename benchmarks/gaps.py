"""Record how often `find_gaps` is wrong, and what it finds: writes gaps.csv beside this file.

    python benchmarks/gaps.py

About three minutes on two cores. Tables of 32 states and 276 months are simulated from INEGI's own
series without their holes: a state's level is its mean over two years around, its log rate strays
from that as far, as lastingly and as unevenly up and down as the state's own, and deaths are
counts. Nothing in them is a hole, so whatever is found is a false alarm, but for the holes that
are planted to see how many are found.
"""

import os
import time
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.engine.executors import open_executor
from analysis.mexico.gaps import find_gaps
from analysis.mexico.sources import load_states
from benchmarks.recording import write_record

TABLES, AROUND, TAIL_DF, START = 300, 25, 5, 50
UNRELIABLE = "MX07"  # Chiapas: whole years are holes, so its errors are the other states' median
MEANS, MISSING = (10, 20, 60), (0.5, 0.75, 0.9)
RECORD = Path(__file__).with_suffix(".csv")
COLUMNS = ["measure", "world", "mean_deaths", "missing_percent", "tables", "value", "mc_error"]


class Law(NamedTuple):
    """What a table is simulated from: arrays (months, places), and (places,) for the errors."""

    months: pd.PeriodIndex
    level: np.ndarray  # deaths a month
    below: np.ndarray  # spread of the log rate below the level, and above it
    above: np.ndarray
    rho: np.ndarray


def fit_law() -> Law:
    """Fit each state's level, spread and autocorrelation by moments, without its gaps."""
    panel = load_states("inegi", complete_only=False)
    deaths = panel["deaths"].unstack("state").astype(float)
    for gap in find_gaps(panel).itertuples():
        deaths.loc[gap.first : gap.last, gap.place] = np.nan
    days = deaths.index.days_in_month.to_numpy()[:, None]
    level = (deaths / days).rolling(AROUND, center=True, min_periods=6).mean() * days
    level, error = level.clip(lower=0.2), deaths - level
    beyond = error**2 - level  # what is not the noise of counting
    spread = {}
    for side, chosen in (("below", error < 0), ("above", error > 0), ("both", error.notna())):
        variance = beyond.where(chosen).sum() / (level**2).where(chosen).sum()
        spread[side] = variance.clip(lower=0)
    lagged = (error * error.shift()).sum() / (level * level.shift()).where(error.notna()).sum()
    rho = (lagged / spread["both"].clip(lower=1e-3)).clip(0, 0.9)
    errors = [np.sqrt(spread["below"]), np.sqrt(spread["above"]), rho]
    for part in errors:
        part[UNRELIABLE] = part.drop(UNRELIABLE).median()
    return Law(deaths.index, level.to_numpy(), *(part.to_numpy() for part in errors))


def simulate(law: Law, rng: np.random.Generator, *, common: float = 0, tail_df: float = TAIL_DF):
    """Simulate deaths (months, places); `common` is what places share of a month's innovation."""
    shape = (START + len(law.level), law.level.shape[1])
    noise = rng.standard_t(tail_df, shape) * np.sqrt(1 - 2 / tail_df)
    shared = rng.standard_t(tail_df, (shape[0], 1)) * np.sqrt(1 - 2 / tail_df)
    noise = np.sqrt(common) * shared + np.sqrt(1 - common) * noise
    noise *= np.where(noise < 0, law.below, law.above)
    strayed = np.zeros(shape)
    for month in range(1, len(noise)):
        kept = law.rho * strayed[month - 1]
        strayed[month] = kept + np.sqrt(1 - law.rho**2) * noise[month]
    factor = np.exp(strayed[START:])
    return rng.poisson(law.level * factor / factor.mean(axis=0))


def change(law: Law, rng: np.random.Generator, months: int, *factors: float) -> Law:
    """Give every place one true change of its level, for so many months from a random one on."""
    level = law.level.copy()
    for place in range(level.shape[1]):
        start = rng.integers(24, len(level) - 36)
        level[start : start + months, place] *= rng.choice(factors)
    return law._replace(level=level)


def as_panel(law: Law, deaths: np.ndarray) -> pd.DataFrame:
    places = [f"P{number:02d}" for number in range(deaths.shape[1])]
    index = pd.MultiIndex.from_product([places, law.months], names=["place", "month"])
    return pd.DataFrame({"deaths": deaths.T.ravel(), "person_years": 1e5}, index=index)


WORLDS = {
    "as the states": lambda law, rng: simulate(law, rng),
    "half the innovations shared": lambda law, rng: simulate(law, rng, common=0.5),
    "normal tails": lambda law, rng: simulate(law, rng, tail_df=1000),
    "as far below as above": lambda law, rng: simulate(law._replace(below=law.above), rng),
    "longer memory": lambda law, rng: simulate(law._replace(rho=0 * law.rho + 0.8), rng),
    "no memory": lambda law, rng: simulate(law._replace(rho=0 * law.rho), rng),
    "each level once times or over 2.5": lambda law, rng: simulate(
        change(law, rng, len(law.level), 2.5, 0.4), rng
    ),
    "each at 40% for a year": lambda law, rng: simulate(change(law, rng, 12, 0.4), rng),
    "each at 55% for three months": lambda law, rng: simulate(change(law, rng, 3, 0.55), rng),
}


def false_alarms(world: str, tables: int = TABLES) -> list[list]:
    """Return the gaps found in a table without holes: their mean number."""
    law, rng = fit_law(), np.random.default_rng([1, list(WORLDS).index(world)])
    found = [len(find_gaps(as_panel(law, WORLDS[world](law, rng)))) for _ in range(tables)]
    error = np.std(found, ddof=1) / np.sqrt(tables)
    return [["false_alarms", world, np.nan, np.nan, tables, np.mean(found), error]]


def power(mean: float, missing: float, tables: int = TABLES // 5) -> list[list]:
    """Return how many holes of two months are found: one a place, at any time or all at one time.

    Where half of the places have theirs at one time, as in 2007, what is found in the other half
    then are false alarms beside true holes.
    """
    law, rng = fit_law(), np.random.default_rng([2, round(mean), round(100 * missing)])
    typical = [np.full_like(part, np.median(part)) for part in law[2:]]
    law = Law(law.months, np.full_like(law.level, mean), *typical)
    months, places = law.level.shape
    measured = {"found_alone": [], "found_together": [], "false_beside": []}
    for _ in range(tables):
        deaths, starts = simulate(law, rng), rng.integers(24, months - 24, places)
        measured["found_alone"].append(100 * find_planted(law, deaths, starts, missing, rng).mean())
        starts[:] = starts[0]
        found = find_planted(law, deaths, starts, missing, rng, planted=places // 2)
        measured["found_together"].append(100 * found[: places // 2].mean())
        measured["false_beside"].append(found[places // 2 :].sum())
    return [
        [name, "", mean, 100 * missing, tables, np.mean(part), np.std(part, ddof=1) / tables**0.5]
        for name, part in measured.items()
    ]


def find_planted(
    law: Law,
    deaths: np.ndarray,
    starts: np.ndarray,
    missing: float,
    rng: np.random.Generator,
    *,
    planted: int | None = None,
) -> np.ndarray:
    """Plant holes of two months in the first places; tell for each place if one is found there."""
    damaged = deaths.copy()
    for place, start in enumerate(starts[:planted]):
        damaged[start : start + 2, place] = rng.binomial(
            deaths[start : start + 2, place], 1 - missing
        )
    found = np.zeros(len(starts), dtype=bool)
    for gap in find_gaps(as_panel(law, damaged)).itertuples():
        place = int(gap.place[1:])
        hole = law.months[starts[place]]
        found[place] |= gap.first <= hole + 1 and gap.last >= hole
    return found


def run(job: tuple) -> list[list]:
    return false_alarms(*job) if isinstance(job[0], str) else power(*job)


def record() -> pd.DataFrame:
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores already
    jobs = [*((world,) for world in WORLDS), *product(MEANS, MISSING)]
    with open_executor(processes=True) as pool:
        rows = [row for part in pool.map(run, jobs) for row in part]
    table = pd.DataFrame(rows, columns=COLUMNS).sort_values("measure", kind="stable")
    write_record(table.round({"value": 2, "mc_error": 2}), RECORD)
    return table


if __name__ == "__main__":
    start = time.perf_counter()
    print(record().to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
