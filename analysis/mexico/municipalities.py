"""Deaths and person-years by municipality and month, from the embedded table or one's own copy.

What is read is held against the embedded state table; the population is CONAPO's: ``pop_est`` of
the publisher's files is a step function that falls on rates in 2010.
"""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from analysis.arguments import AnyPath, checked
from analysis.checks import name_some, require
from analysis.mexico.record import SOURCES, days_from_july
from analysis.mexico.sources import load_states
from analysis.mexico.tables import ERRORS, check_file, explained, load_table

FILE = "mexico-muni-month-homicide-rates-2000-2022.csv"
WHERE = f"Download {FILE} from https://doi.org/10.17605/OSF.IO/U8DC3 again, or give no path."
COLUMNS = ["ent_mun", "year", "month", "homicides"]
CHUNK = 2**20  # bytes
MOST_ROWS, MOST_BYTES = 1_000_000, 2**27  # a row for each of 2,475 places and 276 months is 683,100
UNSPECIFIED = "999"  # ends codes of deaths of no known municipality: only INEGI's tables have them
# What a release may lack of the next year's deaths of a state and year: in its last year, in the
# four before, and earlier (three deaths). That of 2021 lacks 6.8% and 2.5% at most, and 3 deaths.
LATE, LATER, FEW, RECENT = 0.1, 0.03, 3, 5


@checked
def load_municipalities(
    path: AnyPath | None = None, *, complete_only: bool = True, merge_created: bool = True
) -> pd.DataFrame:
    """Load deaths and person-years of every municipality.

    Parameters
    ----------
    path : Path or str, optional
        A downloaded table with the columns `ent_mun`, `year`, `month` and `homicides`, of any
        release, plain or gzip. Default the embedded one, registered until the end of 2021.
    complete_only : bool
        Leave out the months that are still being registered: half a year of its last.
    merge_created : bool
        Add municipalities created since 2000 to the one they were separated from, so that every
        unit is the same territory in every month. With False they stay as in the file, without a
        death before they were created; those that are not in it are added to their parent.

    Returns
    -------
    DataFrame
        MultiIndex (`municipality`, `month`); columns `deaths` (int) and `person_years` (float), as
        in `load_states`. Person-years are the municipality's share of its state's mid-year
        population, linear between mid-years and constant before July 2000, times the person-years
        of the state. ``attrs``: `source`; `merged`, code of a unit to the codes in it;
        `unspecified`, state to its deaths without a known municipality, which belong to no row;
        `registered_later`, deaths that the state table has and this one lacks; `gaps` and
        `unreliable` of its state for every unit.

    Raises
    ------
    ValueError
        If a municipality lacks a month or has it twice, a count cannot be true, or they do not add
        up to the embedded state table (an earlier release: exceed it, or lack more than was
        registered late). Deaths moved between municipalities of a state cannot be noticed.

    References
    ----------
    Gargiulo, Aburto and Floridi (2024), OSF, doi:10.17605/OSF.IO/U8DC3
    """
    return assemble_municipalities(
        read_counts(check_file("municipal_deaths") if path is None else path),
        load_states("inegi", complete_only=False),
        load_table("municipal_population"),
        load_table("municipal_changes"),
        months_to_register=SOURCES["inegi"].open_months if complete_only else 0,
        merge_created=merge_created,
    )


def assemble_municipalities(
    counts: pd.DataFrame,
    states: pd.DataFrame,
    population: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    months_to_register: int = 0,
    merge_created: bool = True,
) -> pd.DataFrame:
    """Hold counts (`read_counts`) against their states (`load_states`), give them person-years."""
    last, known = counts["month"].max(), states.index[-1][1]
    earlier = last < known and last.month == 12  # a release that ends before the states'
    by_state = states.unstack("state").loc[: last if earlier else known]
    months = by_state.index
    people = population.set_index("municipality")
    wide = spread_counts(counts, months)
    named = ~wide.index.str.endswith(UNSPECIFIED)
    unknown = [*wide.index[named].difference(people.index)]
    unknown += [*states_of(wide.index).difference(by_state["deaths"].columns)]
    require(not unknown, ERRORS["codes"].format(found=name_some(unknown), cure=WHERE))
    later = check_sums(wide, by_state["deaths"], states.index[-1][1].year - months[-1].year)
    absent = people.index.difference(wide.index)
    if (counts["deaths"] > 0).all():
        absent = absent[:0]  # no death is no row
    lost = absent.difference(changes["municipality"])
    require(lost.empty, f"no row of the municipalities {name_some(lost)}; is the file cut? {WHERE}")
    merging = changes if merge_created else changes[changes["municipality"].isin(absent)]
    units = merge_units(people.index, merging)
    years = people.filter(regex=r"^\d{4}$")
    person_years = share_person_years(years, by_state["person_years"]).groupby(units).sum()
    empty = name_some(person_years.index[(person_years <= 0).any(axis=1)])
    require(empty == "[]", f"units without population: {empty}; correct municipal_population")
    deaths = wide[named].reindex(people.index, fill_value=0).groupby(units).sum()
    kept = months[: len(months) - months_to_register]
    index = pd.MultiIndex.from_product([deaths.index, kept], names=["municipality", "month"])
    parts = {"deaths": deaths[kept], "person_years": person_years[kept]}
    frame = pd.DataFrame({name: part.to_numpy().ravel() for name, part in parts.items()}, index)
    without = wide.loc[~named, kept].sum(axis=1).rename(lambda code: f"MX{code[:2]}")
    families = units.index.to_series().groupby(units).agg(list)
    merged, unspecified = families[families.str.len() > 1], without[without > 0].to_dict()
    frame.attrs = {"source": "inegi", "merged": merged.to_dict(), "unspecified": unspecified}
    frame.attrs["registered_later"] = later
    members = deaths.index.groupby(states_of(deaths.index))
    for kind in ("gaps", "unreliable"):  # a hole of a state is one of all its municipalities
        known = states.attrs.get(kind, ())
        frame.attrs[kind] = [x | {"place": y} for x in known for y in members.get(x["place"], ())]
    return frame


def spread_counts(counts: pd.DataFrame, months: pd.PeriodIndex) -> pd.DataFrame:
    """Return deaths with a row per code and a column per month, if none is there twice."""
    outside = [str(month) for month in counts["month"].unique() if month not in months]
    require(not outside, f"months must be {months[0]} to {months[-1]}; found {name_some(outside)}")
    cells = counts.groupby(["municipality", "month"])["deaths"].agg(["size", "sum"])
    wide = cells.unstack(fill_value=0)
    times, deaths = (wide[name].reindex(columns=months, fill_value=0) for name in ("size", "sum"))
    # Deaths without a known municipality need no row in a month without one.
    needed = ~times.index.str.endswith(UNSPECIFIED)[:, None] & (counts["deaths"] == 0).any()
    for wrong, fault in ((times > 1, "more than one row"), ((times == 0) & needed, "no row")):
        places = np.argwhere(wrong)
        where = [f"{times.index[row]} {months[column]}" for row, column in places[:6]]
        require(not where, f"{fault} of {where} ({len(places):,} in all). {WHERE}")
    return deaths.rename_axis(index=None)


def check_sums(wide: pd.DataFrame, deaths: pd.DataFrame, later: int = 0) -> int:
    """Return how many of the states' deaths the rows lack; refuse more than come that late."""
    sums = wide.groupby(states_of(wide.index)).sum().reindex(deaths.columns, fill_value=0)
    gap = sums - deaths.T
    years = deaths.index.year
    short, all_of = (-gap).T.groupby(years).sum(), deaths.groupby(years).sum()
    back = (years[-1] - short.index.to_numpy())[:, None]
    share = later * np.select([back == 0, back < RECENT], [LATE, LATER], 0.0)
    lost = ((short > share * all_of) & (short > later * FEW)).T.to_numpy()[:, years - years[0]]
    wrong = (gap > 0) | ((gap < 0) & lost)
    where = np.argwhere(wrong.to_numpy())
    off = [f"{sums.index[i]} {sums.columns[j]}: {gap.iloc[i, j]:+d}" for i, j in where[:6]]
    require(not off, ERRORS["months"].format(wrong=len(where), off=off, cure=WHERE))
    return int(-gap.to_numpy().sum())


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


def read_counts(path: Path) -> pd.DataFrame:
    """Read `municipality` (five digits), `month` and `deaths` of a table, plain or gzip."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}. {WHERE}")
    with explained(path.name):
        content = _read_bytes(path)
        parse = csv.ParseOptions(delimiter=_find_mark(content))
        kinds = dict.fromkeys(COLUMNS, pa.float64()) | {"ent_mun": pa.string()}
        options = {"include_columns": COLUMNS, "column_types": kinds, "null_values": ["", "NA"]}
        convert, source = csv.ConvertOptions(**options), pa.BufferReader(content)
        try:
            table = csv.read_csv(source, parse_options=parse, convert_options=convert)
        except (pa.ArrowException, ValueError) as error:
            raise ValueError(f"cannot be read: {error}. {WHERE}") from error
        require(table.num_rows > 0, f"a header but no rows. {WHERE}")
        numbers = {name: table[name].to_numpy() for name in COLUMNS[1:]}
        for name, column in numbers.items():
            least, most = (1, 12) if name == "month" else (0, 999_999)
            wrong = ~((column >= least) & (column <= most) & (column == np.floor(column)))
            told = name, least, most, column[wrong][:3].tolist(), np.argmax(wrong) + 1
            require(not wrong.any(), ERRORS["whole"].format(*told))
        codes = table["ent_mun"].to_pandas()
        wrong = name_some(codes[~codes.str.fullmatch("[0-9]{4,5}")].unique())
        require(wrong == "[]", f"ent_mun must be codes of five digits; found {wrong}")
    ordinal = ((numbers["year"] - 1970) * 12 + numbers["month"] - 1).astype(int)
    months, deaths = pd.PeriodIndex.from_ordinals(ordinal, freq="M"), numbers["homicides"]
    codes = codes.str.zfill(5)  # spreadsheets drop the zero of the first nine states
    return pd.DataFrame({"municipality": codes, "month": months, "deaths": deaths.astype(int)})


def _read_bytes(path: Path) -> bytes:
    """Return the file's content, unpacked, reading no more of it than such a table can have."""
    parts, rows, size = [], 0, 0
    with path.open("rb") as stream:
        source = gzip.GzipFile(fileobj=stream) if stream.peek(2)[:2] == b"\x1f\x8b" else stream
        while part := source.read(CHUNK):
            parts.append(part)
            rows += max(part.count(b"\n"), part.count(b"\r"))  # whichever ends a line
            size += len(part)
            much = f"more than {MOST_ROWS:,} rows or {MOST_BYTES:,} bytes, which no such table has"
            require(rows <= MOST_ROWS and size <= MOST_BYTES, f"{much}. {WHERE}")
    return b"".join(parts)


def _find_mark(content: bytes) -> str:
    """Return what stands between the columns, if the file begins as the table does."""
    start = content[:10_000].partition(b"\n")[0].decode("utf-8-sig", errors="replace").strip()
    mark = "|" if "|" in start else ","
    header = [column.strip('"') for column in start.split(mark)]
    missing = [column for column in COLUMNS if column not in header]
    require(not missing, ERRORS["header"].format(missing=missing, found=start[:60], cure=WHERE))
    twice = {column for column in header if header.count(column) > 1}
    require(not twice, f"columns {sorted(twice)} appear twice")
    return mark
