"""Latin America's yearly rates, and which countries can stand in for Mexico."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arguments import Count, Year, checked
from analysis.checks import OneLine, require
from analysis.files import DATA_FOLDER, read_toml
from analysis.its.series import as_percent
from analysis.its.shifts import PolicyShift
from analysis.mexico.record import NATION
from analysis.mexico.tables import ERRORS, load_table

MEXICO = "MEX"
DECLARED = read_toml(DATA_FOLDER / "regions.toml")[1]["latin_america"]
REGION = [code for part in DECLARED.values() for code in part]  # ISO 3166-1 alpha-3
FEWEST_DONORS = 12  # a choice: with fewer than nine no interval of 90% has ends
FEWEST_YEARS = 10  # before the change: with fewer, a dozen donors can fit anything
# From one year to the next a rate made of d deaths moves by about sqrt(2 / d) on the log scale by
# chance alone. A country whose rate moved more, before the change, is no measure of anything.
FEWEST_DEATHS = 20


@dataclass(frozen=True, repr=False)
class CountryPanel(OneLine):
    """Yearly rates without a gap, and the countries that had to stay out."""

    rates: pd.DataFrame  # year x ISO3 code, deaths per 100,000 and year
    excluded: pd.Series  # ISO3 code -> why
    names: pd.Series  # ISO3 code -> country, the excluded ones too


def load_country_rates() -> pd.DataFrame:
    """Load every rate of the region: year x ISO3 code, with its gaps, nothing interpolated."""
    table = load_table("country_rates").query("iso3 in @REGION")
    rates = table.pivot_table(index="year", columns="iso3", values="rate")
    years = range(int(rates.index.min()), int(rates.index.max()) + 1)
    return rates.reindex(index=pd.Index(years, name="year"), columns=sorted(REGION))


def treated_years(shift: PolicyShift) -> tuple[int, int]:
    """Return the first and last full year under a national shift that Mexico has a rate for."""
    require(shift.places in ((), (NATION,)), ERRORS["national"].format(shift))
    first = shift.month.year + (shift.month.start_time.month > 1)
    newest = int(load_country_rates()[MEXICO].dropna().index[-1])
    last = newest if shift.end is None else min(newest, shift.end.end_time.year)
    require(first <= last, ERRORS["no_rate"].format(shift=shift, first=first, newest=newest))
    return first, last


@checked
def load_country_panel(
    first_year: Year,
    last_year: Year,
    *,
    start: Year | None = None,
    fewest_donors: Count = FEWEST_DONORS,
) -> CountryPanel:
    """Load Mexico and every country of the region that can stand beside it.

    Parameters
    ----------
    first_year, last_year : int
        First year under the new policy, and last year that is compared.
    start : int, optional
        First year before the change. Without one: the earliest that leaves `fewest_donors`.
    fewest_donors : int
        Donors that a start must leave, where it is not given.

    Returns
    -------
    CountryPanel
        A donor has a rate in every year, and before the change one that does not jump more from
        year to year than 20 deaths a year would by chance. Every other country is in `excluded`.

    Raises
    ------
    ValueError
        If Mexico lacks a year, or no start leaves enough donors.
    """
    if start is None:
        start = min(load_starts(first_year, last_year, fewest_donors=fewest_donors))
    return _cut_panel(load_country_rates(), start, first_year, last_year)


def load_starts(
    first_year: int, last_year: int, *, fewest_donors: int = FEWEST_DONORS
) -> dict[int, pd.DataFrame]:
    """Load `load_country_panel`'s rates from each start that leaves years and donors enough."""
    rates = load_country_rates()
    years = range(rates.index[0], first_year - FEWEST_YEARS + 1)
    panels = {start: _cut_panel(rates, start, first_year, last_year).rates for start in years}
    admissible = {start: each for start, each in panels.items() if each.shape[1] > fewest_donors}
    tried = f"no start from {years.start} to {years.stop - 1} leaves {fewest_donors} donors"
    require(bool(admissible), f"{tried} with rates to {last_year}: ask for fewer, or end sooner")
    return admissible


def _cut_panel(rates: pd.DataFrame, start: int, first_year: int, last_year: int) -> CountryPanel:
    ends = rates.index[0], rates.index[-1]
    inside = ends[0] <= start < first_year <= last_year <= ends[1]
    require(inside, ERRORS["order"].format(ends, start, first_year, last_year))
    part = rates.loc[start:last_year]
    years = part.index.to_numpy()
    reasons = {code: _why_out(code, years, part[code].to_numpy(), first_year) for code in part}
    excluded = pd.Series({code: why for code, why in reasons.items() if why}, dtype=object)
    require(MEXICO not in excluded, f"Mexico itself cannot be used: {excluded.get(MEXICO)}")
    table = load_table("country_rates").drop_duplicates("iso3").set_index("iso3")["country"]
    names = table.reindex(rates.columns).fillna(pd.Series(rates.columns, rates.columns))
    kept = part[[MEXICO, *part.columns.drop([MEXICO, *excluded.index])]]
    return CountryPanel(kept, excluded.rename("reason"), names)


def _why_out(code: str, years: np.ndarray, rates: np.ndarray, first_year: int) -> str:
    missing = years[np.isnan(rates)]
    if len(missing) == len(rates):
        return "no rate in these years"
    if len(missing):
        spans = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
        told = (f"{span[0]}-{span[-1]}" if len(span) > 1 else f"{span[0]}" for span in spans)
        return f"no rate in {', '.join(told)}"
    before = rates[years < first_year]
    if (before == 0).any():
        return f"rates of zero before {first_year}: too few deaths a year"
    moves = float(np.diff(np.log(before)).std(ddof=1))
    if code != MEXICO and moves > np.sqrt(2 / FEWEST_DEATHS):
        jumps = f"jumps by {as_percent(moves):.0f}% from year to year before {first_year}"
        return f"{jumps}, more than {FEWEST_DEATHS} deaths a year would by chance"
    return ""
