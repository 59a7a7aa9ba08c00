"""Deaths and person-years by municipality and month, from the table that a user downloads.

Its 680,000 rows are too many to embed. What is read is held against the embedded state table; the
population is CONAPO's: the file's own ``pop_est`` is a step function that falls on rates in 2010.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.checks import name_some, require
from analysis.mexico.municipal_file import WHERE, read_counts
from analysis.mexico.sources import SOURCES, days_from_july, load_states
from analysis.mexico.tables import load_table

# Last digits of the code of deaths whose municipality is not known. The release of 2024 leaves such
# deaths out, of the state table too; INEGI's own tables have them.
UNSPECIFIED = "999"


def load_municipalities(
    path: Path | str, *, complete_only: bool = True, merge_created: bool = True
) -> pd.DataFrame:
    """Load deaths and person-years of every municipality from the downloaded table.

    Parameters
    ----------
    path : Path or str
        The file ``mexico-muni-month-homicide-rates-2000-2022.csv``, ``|`` between columns.
    complete_only : bool
        Leave out the months that are still being registered, as in `load_series`.
    merge_created : bool
        Add municipalities created since 2000 to the one they were separated from, so that every
        unit is the same territory in every month. With False they stay as in the file: no death
        before they were created, though CONAPO gives them a population from 2000 on. Those that
        are not in the file are added to their parent either way, for it has their deaths.

    Returns
    -------
    DataFrame
        MultiIndex (`municipality`, `month`); columns `deaths` (int) and `person_years` (float), as
        in `load_states`. Person-years are the municipality's share of its state's mid-year
        population, linear between mid-years and constant before July 2000, times the person-years
        of the state. ``attrs``: `source`; `synthetic`, True for a table made by
        `synthesise_municipalities`; `merged`, code of a unit to the codes in it; `unspecified`,
        state to its deaths without a known municipality, which belong to no row.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not that table, a municipality lacks a month or has it twice, a count cannot
        be true, or the municipalities do not add up to the embedded state table. Deaths that
        moved between two municipalities of a state in the same month cannot be noticed.

    References
    ----------
    Gargiulo, M., Aburto, J. M. and Floridi, G. (2024). Monthly municipal-level homicide rates in
    Mexico (January 2000-December 2022). OSF. doi:10.17605/OSF.IO/U8DC3
    """
    return assemble_municipalities(
        read_counts(path),
        load_states("inegi", complete_only=False),
        load_table("municipal_population"),
        load_table("municipal_changes"),
        last=SOURCES["inegi"].complete_through if complete_only else None,
        merge_created=merge_created,
    )


def assemble_municipalities(
    counts: pd.DataFrame,
    states: pd.DataFrame,
    population: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    last: pd.Period | None = None,
    merge_created: bool = True,
) -> pd.DataFrame:
    """Hold counts (`read_counts`) against their states (`load_states`), give them person-years."""
    by_state = states.unstack("state")
    months = by_state.index
    people = population.set_index("municipality")
    wide = spread_counts(counts, months)
    named = ~wide.index.str.endswith(UNSPECIFIED)
    unknown = wide.index[named].difference(people.index)
    no_state = states_of(wide.index).difference(by_state["deaths"].columns)
    fault = f"codes {name_some([*unknown, *no_state])} are not in municipal_population"
    why = f"either they are misspelt or the file is of a later catalogue. {WHERE}"
    require(unknown.empty and no_state.empty, f"{fault}: {why}")
    check_sums(wide, by_state["deaths"])
    absent = people.index.difference(wide.index)
    lost = absent.difference(changes["municipality"])
    require(lost.empty, f"no row of the municipalities {name_some(lost)}; is the file cut? {WHERE}")
    merging = changes if merge_created else changes[changes["municipality"].isin(absent)]
    units = merge_units(people.index, merging)
    years = people.filter(regex=r"^\d{4}$")
    person_years = share_person_years(years, by_state["person_years"]).groupby(units).sum()
    empty = name_some(person_years.index[(person_years <= 0).any(axis=1)])
    require(empty == "[]", f"units without population: {empty}; correct municipal_population")
    deaths = wide[named].reindex(people.index, fill_value=0).groupby(units).sum()
    kept = months[months <= (last or months[-1])]
    index = pd.MultiIndex.from_product([deaths.index, kept], names=["municipality", "month"])
    parts = {"deaths": deaths[kept], "person_years": person_years[kept]}
    frame = pd.DataFrame({name: part.to_numpy().ravel() for name, part in parts.items()}, index)
    without = wide.loc[~named, kept].sum(axis=1)
    without.index = "MX" + without.index.str[:2]
    families = units.index.to_series().groupby(units).agg(list)
    frame.attrs = {
        "source": "inegi",
        "synthetic": counts.attrs.get("synthetic", False),
        "merged": families[families.str.len() > 1].to_dict(),
        "unspecified": without[without > 0].to_dict(),
    }
    return frame


def spread_counts(counts: pd.DataFrame, months: pd.PeriodIndex) -> pd.DataFrame:
    """Return deaths with a row per code and a column per month, if every one is there once."""
    found = counts["month"].unique()
    outside = [str(month) for month in found if month not in months]
    fault = f"months must be {months[0]} to {months[-1]}; found {name_some(outside)}"
    require(not outside, fault)
    cells = counts.groupby(["municipality", "month"])["deaths"].agg(["size", "sum"])
    wide = cells.unstack(fill_value=0)
    times, deaths = (wide[name].reindex(columns=months, fill_value=0) for name in ("size", "sum"))
    # Deaths without a known municipality need no row in a month without one.
    needed = ~times.index.str.endswith(UNSPECIFIED)[:, None]
    for wrong, fault in ((times > 1, "more than one row"), ((times == 0) & needed, "no row")):
        places = np.argwhere(wrong)
        where = [f"{times.index[row]} {months[column]}" for row, column in places[:6]]
        require(not where, f"{fault} of {where} ({len(places):,} in all). {WHERE}")
    return deaths.rename_axis(index=None)


def check_sums(wide: pd.DataFrame, deaths: pd.DataFrame) -> None:
    """Raise a ValueError unless rows by municipality add up to `deaths` by month and state."""
    sums = wide.groupby(states_of(wide.index)).sum().reindex(deaths.columns, fill_value=0)
    gap = (sums - deaths.T).to_numpy()
    where = np.argwhere(gap)
    off = [f"{sums.index[i]} {sums.columns[j]}: {gap[i, j]:+d}" for i, j in where[:6]]
    fault = f"do not add up to inegi_deaths in {len(where):,} state-months, by {off}"
    why = "counts were changed, or the file is of another release"
    require(not off, f"the municipalities {fault}: {why}. {WHERE}")


def merge_units(codes: pd.Index, changes: pd.DataFrame) -> pd.Series:
    """Return the unit of every municipality: the smallest code it is linked to by `changes`."""
    unit = {code: code for code in codes}
    for created, parents in changes[["municipality", "parents"]].to_numpy():
        joined = {unit[code] for code in (created, *parents.split(";"))}
        unit = {code: min(joined) if now in joined else now for code, now in unit.items()}
    return pd.Series(unit, dtype=str)


def share_person_years(population: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Split person-years of states (month x state) over municipalities: municipality x month."""
    # Shares of `population` (municipality x year) are linear between mid-years, constant outside.
    months, of = states.index, states_of(population.index)
    shares = (population / population.groupby(of).transform("sum")).to_numpy()
    position = np.interp(*days_from_july(months, population.columns), np.arange(shares.shape[1]))
    before = np.minimum(position.astype(int), max(shares.shape[1] - 2, 0))
    after = np.minimum(before + 1, shares.shape[1] - 1)
    share = shares[:, before] + (shares[:, after] - shares[:, before]) * (position - before)
    return pd.DataFrame(share * states[of].T.to_numpy(), population.index, months)


def states_of(codes: pd.Index) -> pd.Index:
    """Return the state of each municipal code."""
    return pd.Index("MX" + codes.str[:2], name="state")
