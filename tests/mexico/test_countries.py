import numpy as np
import pandas as pd
import pytest
from support.declared import SHIFTS
from support.sweeps import sweep

from analysis import PolicyShift, load_country_panel
from analysis.mexico import countries
from analysis.mexico.countries import REGION, load_country_rates, treated_years
from analysis.mexico.tables import load_table


def made_rates(**changed):
    """Rates of Mexico and four others in 1990 to 2010, some changed: {code: {year: rate}}."""
    rng = np.random.default_rng(0)
    codes = ["MEX", "BRA", "CRI", "PAN", "GRD"]
    rates = pd.DataFrame(rng.uniform(9, 11, (21, 5)), index=range(1990, 2011), columns=codes)
    for code, values in changed.items():
        rates.loc[list(values), code] = list(values.values())
    return rates


@pytest.fixture
def use(monkeypatch):
    return lambda rates: monkeypatch.setattr(countries, "load_country_rates", lambda: rates)


def test_region_is_that_of_m49():
    assert len(REGION) == len(set(REGION)) == 52
    assert {"MEX", "CUB", "PRI", "GUF", "BLZ"} <= set(REGION)
    assert not {"USA", "CAN", "ESP", "BMU", "GRL"} & set(REGION)


def test_rates_are_those_of_the_table_and_gaps_stay_gaps():
    rates, table = load_country_rates(), load_table("country_rates")
    assert rates.index.tolist() == list(range(1990, 2025))
    assert set(rates.columns) == set(REGION)
    own = table[table["iso3"].isin(REGION)]
    assert rates.notna().sum().sum() == len(own)
    assert rates.sum().sum() == pytest.approx(own["rate"].sum())
    assert rates.loc[[1996, 1997, 1998], "HND"].isna().all()
    assert rates["SXM"].isna().all()


def test_administration_has_its_full_years():
    assert treated_years(SHIFTS["calderon-2006-12"]) == (2007, 2012)
    assert treated_years(SHIFTS["pena-nieto-2012-12"]) == (2013, 2018)
    assert treated_years(SHIFTS["lopez-obrador-2018-12"]) == (2019, 2023)  # Mexico's last rate


def test_shift_in_january_begins_in_its_year():
    assert treated_years(PolicyShift("x", "2008-01")) == (2008, 2023)
    assert treated_years(PolicyShift("x", "2008-02", end="2012-06")) == (2009, 2012)


def test_shift_after_the_last_rate_is_refused():
    message = "sheinbaum-2024-10: the first full year under it is 2025, .* rate is of 2023"
    with pytest.raises(ValueError, match=message):
        treated_years(SHIFTS["sheinbaum-2024-10"])


@pytest.mark.parametrize(
    ("years", "start", "count"), sweep([((2007, 2012), 1992, 13), ((2013, 2018), 1995, 12)], 0)
)
def test_panel_starts_as_early_as_a_dozen_donors_allow(years, start, count):
    panel = load_country_panel(*years)
    assert (panel.rates.index[0], panel.rates.index[-1]) == (start, years[1])
    assert panel.rates.shape[1] == count + 1
    assert panel.rates.columns[0] == "MEX"
    assert panel.rates.notna().all(axis=None)
    earlier = load_country_panel(*years, start=start - 1)
    assert earlier.rates.shape[1] - 1 < 12
    assert set(panel.rates.columns) | set(panel.excluded.index) == set(REGION)
    assert not set(panel.rates.columns) & set(panel.excluded.index)


def test_countries_left_out_are_named_with_their_years():
    excluded = load_country_panel(2007, 2012).excluded
    assert excluded["HND"] == "no rate in 1996-1998"
    assert excluded["CHL"] == "no rate in 1992-2002, 2004"
    assert excluded["BES"] == "no rate in these years"
    assert excluded["AIA"] == "rates of zero before 2007: too few deaths a year"


def test_rate_that_jumps_is_out_and_only_the_years_before_count(use):
    jumps = {year: 10 * 1.6 ** (year % 2) for year in range(1990, 2005)}
    use(made_rates(GRD=jumps, BRA={year: 99.0 * (year % 2 + 0.1) for year in range(2005, 2011)}))
    panel = load_country_panel(2005, 2010, fewest_donors=3)
    assert panel.rates.columns.tolist() == ["MEX", "BRA", "CRI", "PAN"]
    size = 100 * np.expm1(np.log([16 / 10 if i % 2 else 10 / 16 for i in range(14)]).std(ddof=1))
    assert panel.excluded["GRD"].startswith(f"jumps by {size:.0f}% from year to year before 2005")


def test_mexico_stays_however_much_it_jumps(use):
    use(made_rates(MEX={year: 10 * 2.0 ** (year % 2) for year in range(1990, 2005)}))
    assert "MEX" in load_country_panel(2005, 2010, fewest_donors=3).rates


def test_gap_of_mexico_itself_is_refused(use):
    use(made_rates(MEX={1995: np.nan}))
    with pytest.raises(ValueError, match="Mexico itself cannot be used: no rate in 1995"):
        load_country_panel(2005, 2010)


@pytest.mark.parametrize(
    ("years", "options", "message"),
    [
        ((2007, 2012), {"fewest_donors": 40}, "no start from 1990 to 1997 leaves 40 donors"),
        ((2007, 2030), {}, "within 1990 to 2024; found start 1990, .* last year 2030"),
        ((2007, 2012), {"start": 2008}, "years must be in order"),
    ],
)
def test_impossible_panels_are_refused(years, options, message):
    with pytest.raises(ValueError, match=message):
        load_country_panel(*years, **options)


@pytest.mark.slow
def test_every_admissible_start_leaves_the_donors_and_the_years():
    starts = countries.load_starts(2007, 2012)
    assert list(starts) == list(range(1992, 1998))
    for start, rates in starts.items():
        assert rates.equals(load_country_panel(2007, 2012, start=start).rates)
        assert rates.shape[1] > countries.FEWEST_DONORS
    assert 1991 in countries.load_starts(2007, 2012, fewest_donors=11)


def test_rate_of_mexico_is_that_of_the_registered_deaths():
    deaths = load_table("inegi_registered").set_index("year")["registered_deaths"]
    people = (1e5 * deaths / load_country_rates()["MEX"]).dropna()
    # A population: no year's deaths are missing from either.
    assert people.loc[[1990, 2023]].round(-5).tolist() == [82_800_000, 129_700_000]
    assert people.pct_change().dropna().between(0.006, 0.02).all()
