import dataclasses

import pandas as pd
import pytest
from support.synthetic_panels import panel

from analysis import fit_synthetic, load_country_panel, placebo_countries
from analysis.synthetic.control import augmented_gap, leave_one_out
from analysis.synthetic.placebos import conformal_coverage, conformal_intervals, vary_start
from analysis.synthetic.study import country_rows, study_unit

NUMBERS = ["estimate", "low", "high", "p"]


@pytest.fixture(scope="module")
def calderon():
    rates = load_country_panel(2007, 2012).rates
    starts = {year: rates.loc[year:] for year in (1991, 1994, 1996)}
    return study_unit(rates, "MEX", first_year=2007, starts=starts)


def test_study_holds_what_each_function_finds():
    rates, options = panel(), {"treated": "own", "first_year": 2006}
    starts = {1990: rates, 1992: rates.loc[1992:]}
    found = study_unit(rates, "own", first_year=2006, starts=starts)
    placebos = placebo_countries(rates, **options)
    pd.testing.assert_frame_equal(found.placebos.intervals(), placebos.intervals())
    pd.testing.assert_series_equal(found.real.gap, placebos.real.gap)
    assert list(found.left_out) == list(leave_one_out(rates, **options))
    pd.testing.assert_frame_equal(found.starts, vary_start(starts, "own", first_year=2006))
    assert found.augmented == augmented_gap(rates, **options).loc[2006:].mean()
    pd.testing.assert_frame_equal(found.conformal, conformal_intervals(rates, **options))
    assert found.coverage == conformal_coverage(rates, **options)


@pytest.mark.parametrize(("first_year", "earlier"), [(2006, 2002), (2001, 1995)])
def test_sham_change_comes_as_many_years_earlier_as_are_compared(first_year, earlier):
    rates = panel()  # 1990 to 2009: 2001 less nine years would leave two to fit on
    sham = study_unit(rates, "own", first_year=first_year, starts={1990: rates}).sham
    own = fit_synthetic(rates.loc[: first_year - 1], "own", first_year=earlier)
    pd.testing.assert_series_equal(sham.gap, own.gap)
    assert sham.first_year == earlier


def test_rows_hold_every_number_with_its_unit(calderon):
    placebos, left_out = calderon.placebos, calderon.left_out
    starts = pd.DataFrame({"average": [3.0, 1, 4]})
    table = country_rows("x", dataclasses.replace(calderon, starts=starts))
    assert (table["shift"] == "x").all()
    rows = table.set_index("estimand")
    assert rows.index.is_unique
    intervals = placebos.intervals()
    assert rows.loc["average_gap", NUMBERS].tolist() == intervals.loc["average"].tolist()
    assert rows.loc["last_year_gap", NUMBERS].tolist() == intervals.loc[2012].tolist()
    assert rows.loc["year_before_gap", "estimate"] == placebos.real.gap.loc[2006]
    assert rows.loc["rmspe_ratio", "p"] == placebos.p
    averages = [found.average for found in left_out.values()]
    low, high = rows.loc["average_gap_one_donor_out", ["low", "high"]]
    assert (low, high) == (min(averages), max(averages))
    assert rows.loc["average_gap_other_starts", NUMBERS[:3]].tolist() == [3, 1, 4]
    assert rows.loc["average_gap_augmented", "estimate"] == calderon.augmented
    assert rows.loc["donors", "estimate"] == 13
    assert {f"gap_{year}" for year in range(2007, 2013)} <= set(rows.index)
    assert {f"gap_{year}_conformal" for year in range(2007, 2013)} <= set(rows.index)
    assert (rows["unit"] != "").all()
