"""A synthetic table of municipal counts in the layout of the publisher's, for tests."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from analysis.checks import check_whole
from analysis.engine.draws import simulate_errors
from analysis.files import write_atomically
from analysis.its.series import rate_of
from analysis.mexico.municipalities import UNSPECIFIED, share_person_years, states_of
from analysis.mexico.sources import load_states
from analysis.mexico.tables import load_table

# With these, 81% of its municipality-months have no death, about as many as in
# the real counts of 2000-2020.
SHAPE = 1.0  # of the gamma distribution of each municipality's own level
SD = 0.5  # of its log intensity over time, an AR(1)
RHO = 0.98
UNSPECIFIED_SHARE = 0.0005
CATALOGUE = 2020  # year of the file's list of municipalities


def synthesise_municipalities(path: Path | str, *, seed: int = 0) -> None:
    """Write a table of the shape of the real one, made from the state table by simulation.

    The deaths of each state and month are drawn into its municipalities in proportion to
    population times a level of their own (gamma) times a slow drift (AR(1) in logs), so that the
    table adds up to the state table exactly. It stands in for the real file where that is not at
    hand, to run and test code. Nothing about a municipality can be learned from it.

    Parameters
    ----------
    path : Path or str
        The file to write.
    seed : int
        The same seed gives the same bytes.

    Returns
    -------
    None
        The table is written.

    Raises
    ------
    ValueError
        If `seed` is not a whole number from 0 up.
    """
    rng = np.random.default_rng(check_whole(seed, "seed", 0))
    by_state = load_states("inegi", complete_only=False).unstack("state")
    changes = load_table("municipal_changes").set_index("municipality")
    people = load_table("municipal_population").set_index("municipality")
    years = people.filter(regex=r"^\d{4}$")
    weights = share_person_years(years, by_state["person_years"])
    months = weights.columns
    weights *= rng.gamma(SHAPE, size=(len(weights), 1))
    drift = simulate_errors("ar1", len(months), len(weights), rng, rho=RHO)
    weights *= np.exp(SD * np.sqrt(1 - RHO**2) * drift.T)
    drawn = []
    for state, group in weights.groupby(states_of(weights.index)):
        total = by_state["deaths"][state].to_numpy()
        unknown = rng.binomial(total, UNSPECIFIED_SHARE)
        split = rng.multinomial(total - unknown, (group / group.sum()).T)
        codes = [*group.index, state[2:] + UNSPECIFIED]
        drawn.append(pd.DataFrame(np.vstack([split.T, unknown]), codes, months))
    deaths = pd.concat(drawn)
    deaths = deaths[deaths.index.isin(people.index) | (deaths.sum(axis=1) > 0)]
    for code, parents, created in changes[["parents", "created"]].itertuples():
        # A code created after the file's catalogue has no row: its deaths stay with the parent.
        early = months.year < (created if created <= CATALOGUE else np.inf)
        deaths.loc[parents[:5], early] += deaths.loc[code, early]
        deaths.loc[code, early] = 0
    later = changes.index[changes["created"] > CATALOGUE]
    write_atomically(Path(path), _format_table(deaths.drop(index=later).sort_index(), years))


def _format_table(deaths: pd.DataFrame, population: pd.DataFrame) -> bytes:
    """Return deaths as the publisher's file, with the step in its population and its `NA`."""
    months = deaths.columns
    created = load_table("municipal_changes")["municipality"]
    census = population.drop(index=created).reindex(deaths.index)[["2000", "2010"]].to_numpy()
    pop_est = np.where(months.year < 2010, census[:, :1], census[:, 1:])
    days = np.where(months.month == 2, 28, months.days_in_month)
    rate = np.round(rate_of(deaths, pop_est / 365.25 * days), 10).to_numpy()
    codes = deaths.index.to_numpy(dtype=object)
    table = pa.table(
        {
            "ent_mun": pa.array(np.repeat(codes, len(months)), pa.string()),
            "year": np.tile(months.year, len(deaths)),
            "month": np.tile(months.month, len(deaths)),
            "homicides": deaths.to_numpy().ravel(),
            "pop_est": _with_na(pop_est),
            "homicide_rate": _with_na(rate),
        }
    )
    buffer = io.BytesIO()
    buffer.write(("|".join(table.column_names) + "\n").encode())
    options = csv.WriteOptions(include_header=False, delimiter="|", quoting_style="none")
    csv.write_csv(table, buffer, options)
    return buffer.getvalue()


def _with_na(values: np.ndarray) -> pa.Array:
    numbers = pa.array(values.ravel(), from_pandas=True)
    return pc.fill_null(pc.cast(numbers, pa.string()), "NA")
