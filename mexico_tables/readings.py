"""Make the study's tables of what the publishers' files hold: columns of text, named plainly."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.checks import name_some, plain, require

MONTHS = ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto"]
MONTHS += ["septiembre", "octubre", "noviembre", "diciembre"]
OFFENCES = {"homicidio_doloso": "intentional_homicide", "feminicidio": "femicide"}
LAST_YEAR = 2025  # of the instrument of 2015; the registry after it counts otherwise
ICD_9, ICD_10 = "96[0-8]", "X8[5-9]|X9|Y0"  # assaults: registered until 1997, and after
NUMBER = r"([0-9]{1,9}|[0-9]{1,3}(,[0-9]{3}){1,2})(\.0+)?|"  # or nothing


@dataclass(frozen=True)
class Reading:
    """What a file gives for one table: all of it, or the certificates of one year to add."""

    table: str
    frame: pd.DataFrame
    said: str  # of what is counted and what is left out
    registered: int = 0  # the year of registration, of certificates
    release: str = ""  # YYYY-MM, if the file's name or the user says so
    origin: str = ""  # the file, its layout, and what is said of it
    absent: str = ""  # what has no row, or fewer than elsewhere, and is counted as zero


def read_numbers(column: pd.Series, *, blank: bool = False) -> pd.Series:
    """Return whole numbers, without their thousands commas; empty cells, if allowed, are NaN."""
    wrong = column[~column.str.fullmatch(NUMBER) | (column.eq("") & (not blank))]
    found = f"{name_some(wrong.unique())}, first in row {wrong.index.min() + 1} below the header"
    require(wrong.empty, f"{column.name} must be whole numbers to 999,999,999; found {found}")
    numbers = column.str.replace(",", "").replace("", "nan").astype(float)
    return numbers if blank else numbers.astype(int)


def name_states(numbers: pd.Series) -> pd.Series:
    """Return the codes MX01 to MX32 of INEGI's numbers."""
    wrong = numbers[~numbers.between(1, 32)].unique().tolist()
    require(not wrong, f"{numbers.name} must be 1 to 32; found {wrong[:6]}")
    return "MX" + numbers.astype(str).str.zfill(2)


def check_rows(rows: pd.DataFrame, group: list[str], parts: Iterable[str]) -> None:
    """Refuse rows that come twice, and a group with fewer rows than nearly all others have."""
    key = [*group, *parts]
    twice = rows.loc[rows.duplicated(key), key].to_numpy().tolist()
    require(not twice, f"{len(twice):,} rows come more than once, such as {twice[:1]}")
    sizes = rows.groupby(group).size()
    usual = sizes.mode().max()
    short = name_some(map(str, sizes.index[sizes < usual]))
    cut = short != "[]" and (sizes == usual).mean() > 0.9
    require(not cut, f"{short} have fewer rows than the {usual:,} of the others. Is the file cut?")


def read_victims(frame: pd.DataFrame, release: str) -> Reading:
    """Return victims by month and state; attempts and culpable homicide are other offences."""
    offence = frame["subtipo_de_delito"].map(plain).map(OFFENCES)
    rows = frame.assign(offence=offence).dropna(subset="offence")
    labels = rows.columns.difference(MONTHS)
    empty = labels[rows[labels].eq("").any()].tolist()
    require(not empty, f"empty cells in {empty}")
    check_rows(rows, ["ano", "clave_ent"], labels.difference(["ano", "clave_ent"]))
    years, state = read_numbers(rows["ano"]), name_states(read_numbers(rows["clave_ent"]))
    newer = (years > LAST_YEAR).unique()
    fault = f"years to {LAST_YEAR} and later ones are counted by two instruments, never one table"
    require(len(newer) == 1 and years.min() >= 2015, f"found {sorted({*years.tolist()})}: {fault}")
    counts = rows[MONTHS].apply(read_numbers, blank=True)
    counts.columns = [f"-{number:02d}" for number in range(1, 13)]
    counts = counts.assign(year=years.astype(str), state=state, offence=rows["offence"])
    cells = counts.melt(["year", "state", "offence"], var_name="month")
    cells["month"] = cells["year"] + cells["month"]
    # A month of a state is known if every cell of it is.
    counts = cells.groupby(["month", "state", "offence"])["value"].sum(skipna=False)
    # The table to 2025 has its zeros; of the registry it is not known that it has all.
    table = counts.unstack(fill_value=0 if newer[0] else None)
    table = _cut_future(table.reindex(columns=list(OFFENCES.values())), release)
    table = table.astype(int).rename_axis(columns=None).reset_index()
    title = "rnid_victims" if newer[0] else "sesnsp_victims"
    absent = _find_absent(rows.assign(state=state)) if newer[0] else ""
    return Reading(title, table, f"{len(rows):,} of {len(frame):,} rows", absent=absent)


def _find_absent(rows: pd.DataFrame) -> str:
    """Name the states without any row of an offence or, where there are no towns, with fewer."""
    sizes = rows.groupby(["ano", "state", "offence"]).size().unstack(fill_value=0)
    sizes = sizes.reindex(columns=list(OFFENCES.values()), fill_value=0)
    most = sizes.max().clip(upper=1 if "cve_municipio" in rows else None, lower=1)
    short = np.argwhere((sizes < most).to_numpy())
    return ", ".join(f"{' '.join(sizes.index[row])} {sizes.columns[k]}" for row, k in short[:6])


def _cut_future(table: pd.DataFrame, release: str) -> pd.DataFrame:
    """Leave out the months to come, which are empty or zero in every state."""
    nation = table.groupby("month").sum().sum(axis=1)
    filled = nation.index[nation > 0]
    require(len(filled) > 0, "nobody is counted in any month")
    last = filled[-1]
    fault = f"victims are counted after {release}, the month of the release"
    require(not release or last <= release, f"{fault}: correct the name or --release")
    table, silent = table.loc[:last], nation.loc[:last].index.difference(filled)
    require(silent.empty, f"nobody is counted in the nation in {name_some(silent)}")
    holes = table.isna().melt(ignore_index=False).query("value").set_index("offence", append=True)
    where = name_some(" ".join(hole) for hole in holes.index)
    require(holes.empty, f"no count, or empty cells, in {where}. Is the file cut?")
    return table


def read_certificates(frame: pd.DataFrame, _: str) -> Reading:
    """Return deaths by assault by month and state of occurrence, registered in one year."""
    years = read_numbers(frame["anio_regis"]).unique()
    require(len(years) == 1, f"one year of registration is expected; found {years.tolist()}")
    year = int(years[0]) + 1900 * (years[0] < 100)
    rows = frame[frame["causa_def"].str.match(ICD_9 if year < 1998 else ICD_10)]
    require(len(rows) > 0, f"no cause of death is an assault in {year}")
    codes = rows[["ent_ocurr", "mes_ocurr", "anio_ocur"]].apply(read_numbers)
    state, month, when = (codes[word] for word in codes)
    odd = codes[~(state.between(1, 35) | (state == 99)) | ~(month.between(1, 12) | (month == 99))]
    require(odd.empty, f"unknown codes of state or month, such as {odd.iloc[:1].to_dict('list')}")
    when = when + 1900 * (when < 99)  # two digits until 1997, of which 99 is unknown
    dated = (month != 99) & ~when.isin([99, 9999])
    odd = when[dated & ~when.between(1850, year)].unique().tolist()
    require(not odd, f"anio_ocur must be years to {year}, four digits from 1998; found {odd[:6]}")
    here = state <= 32  # 33 to 35 are abroad, 99 is unknown
    months = when.astype(str) + "-" + month.astype(str).str.zfill(2)
    kept = {"month": months[here & dated], "state": name_states(state[here & dated])}
    table = pd.DataFrame(kept).groupby(["month", "state"]).size().reset_index(name="deaths")
    kind = "presunto" if "presunto" in frame else "tipo_defun"
    typed = (read_numbers(frame[kind], blank=True) == 2).sum()
    said = f"{len(rows):,} deaths registered in {year} by their cause, {typed:,} by {kind} 2; left "
    said += f"out {(~here).sum():,} abroad or of no state, {(here & ~dated).sum():,} of no month"
    return Reading("inegi_deaths", table, said, registered=year)


def read_state_deaths(frame: pd.DataFrame, _: str) -> Reading:
    """Return the deaths of Gargiulo and others by month and state, without their population."""
    table = frame.apply(read_numbers).rename(columns={"homicides": "deaths"})
    table["month"] = table["year"].astype(str) + "-" + table["month"].astype(str).str.zfill(2)
    table["state"] = name_states(table["cve_ent"])
    return Reading("inegi_deaths", table[["month", "state", "deaths"]], f"{len(table):,} rows")


def _sum_people(frame: pd.DataFrame, place: str, people: str) -> pd.DataFrame:
    """Return people by year (rows) and number of the place (columns), of all ages and sexes."""
    sexes = sorted(frame["sexo"].str.lower().unique())
    require(sexes == ["hombres", "mujeres"], f"SEXO must be Hombres and Mujeres; found {sexes}")
    time = frame[frame.columns.intersection(["ano", "anio", "fecha"])].iloc[:, :1].squeeze(axis=1)
    years = time.str.extract("((?:19|20)[0-9]{2})", expand=False)
    wrong = name_some(time[years.isna()].unique())
    require(wrong == "[]", f"{time.name} must hold years; found {wrong}")
    numbers = {"place": read_numbers(frame[place]), "people": read_numbers(frame[people])}
    rows = frame.assign(**numbers, year=years.astype(int))
    check_rows(rows, ["year", "place"], rows.columns.intersection(["sexo", "edad", "edad_quin"]))
    return rows.pivot_table(index="year", columns="place", values="people", aggfunc="sum")


def read_population(frame: pd.DataFrame, _: str) -> Reading:
    """Return population by year and state; row 0, if there, must be the sum of the states."""
    wide = _sum_people(frame, "cve_geo", "poblacion")
    states = wide.drop(columns=0, errors="ignore").dropna(how="all")  # before 1970 the nation alone
    whole = [*states] == [*range(1, 33)] and states.notna().all(axis=None)
    require(whole, f"every year needs CVE_GEO 1 to 32; found {name_some(states)}, or fewer in some")
    total = states.sum(axis=1)
    off = total.index[wide[0].reindex(total.index) != total] if 0 in wide else []
    require(len(off) == 0, f"states do not add up to the nation, CVE_GEO 0, in {name_some(off)}")
    states.insert(0, 0, total)
    states.columns = [f"MX{number:02d}" for number in states]
    table = states.astype(int).reset_index().melt("year", var_name="state", value_name="population")
    return Reading("population", table, f"{len(frame):,} rows")


def read_municipal_population(frame: pd.DataFrame, _: str) -> Reading:
    """Return population by municipality, a column a year."""
    people = "pob_total" if "pob_total" in frame else "pob"
    if people == "pob_total":
        ages = frame.filter(regex=r"^pob_[0-9]").apply(read_numbers).sum(axis=1)
        off = name_some(frame["clave"][ages != read_numbers(frame[people])].unique())
        require(off == "[]", f"ages do not add up to POB_TOTAL in {off}")
    wide = _sum_people(frame, "clave", people).T.rename(columns=str)
    wide.index = wide.index.astype(str).str.zfill(5).rename("municipality")
    return Reading("municipal_population", wide.reset_index(), f"{len(frame):,} rows")


def read_country_rates(frame: pd.DataFrame, _: str) -> Reading:
    """Return the rate, which is the fourth column, by country and year."""
    rate = frame.iloc[:, 3]
    known = "homicide" in rate.name or rate.name.startswith("value_category_total")
    require(known, f"column 4 must be a homicide rate; found {rate.name!r}")
    wrong = rate[~rate.str.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?")].unique()
    require(len(wrong) == 0, f"{rate.name} must be numbers from 0 to 999; found {name_some(wrong)}")
    numbers = {"year": read_numbers(frame["year"]), "rate": rate.astype(float)}
    table = frame.assign(**numbers).rename(columns={"code": "iso3", "entity": "country"})
    coded = table["iso3"] != ""
    return Reading("country_rates", table[coded], f"left out {(~coded).sum()} rows without a code")
