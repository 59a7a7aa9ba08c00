"""All that is compared of one unit beside its synthetic control, and as rows of a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.synthetic import control, placebos
from analysis.synthetic.control import SyntheticControl
from analysis.synthetic.placebos import CONFIDENCE, PlaceboCountries


@dataclass(frozen=True)
class SyntheticStudy:
    """One unit beside its synthetic control, and what other choices would have given."""

    placebos: PlaceboCountries
    left_out: dict[str, SyntheticControl]  # by the donor left out
    starts: pd.DataFrame = field(repr=False)  # by first year of the panel
    augmented: float  # mean of the ridge-augmented gap over the years from the change on
    conformal: pd.DataFrame = field(repr=False)  # gap by year: estimate, low, high
    coverage: float  # share of the donors' conformal intervals that hold zero
    sham: SyntheticControl  # as if the change had come earlier, from the years before the real one

    @property
    def real(self) -> SyntheticControl:
        """The fit to the real change."""
        return self.placebos.real


def study_unit(
    rates: pd.DataFrame, unit: str, *, first_year: int, starts: Mapping[int, pd.DataFrame]
) -> SyntheticStudy:
    """Do the whole comparison of one unit, with `starts` the panels by their first years."""
    # The sham change comes as many years before the real one as are compared after it, or as many
    # as leave the fewest years that a fit needs.
    compared = int(rates.index[-1]) + 1 - first_year
    earlier = max(int(rates.index[0]) + control.FEWEST_BEFORE, first_year - compared)
    augmented = control.augmented_gap(rates, unit, first_year=first_year).loc[first_year:]
    return SyntheticStudy(
        placebos=placebos.placebo_countries(rates, unit, first_year=first_year),
        left_out=control.leave_one_out(rates, unit, first_year=first_year),
        starts=placebos.vary_start(starts, unit, first_year=first_year),
        augmented=float(augmented.mean()),
        conformal=placebos.conformal_intervals(rates, unit, first_year=first_year),
        coverage=placebos.conformal_coverage(rates, unit, first_year=first_year),
        sham=control.fit_synthetic(rates.loc[: first_year - 1], unit, first_year=earlier),
    )


def country_rows(slug: str, study: SyntheticStudy) -> pd.DataFrame:
    """Return all that was found of one shift as rows: an `estimand`, its numbers and its `unit`."""
    real, placebos = study.real, study.placebos
    table = placebos.intervals()
    first, last = int(real.after.index[0]), int(real.after.index[-1])
    unit = "deaths per 100,000 and year"
    interval = f"{CONFIDENCE:.0%} interval from placebo countries"
    averages = pd.Series([fit.average for fit in study.left_out.values()])
    count, none = len(placebos.placebo), [np.nan] * 3
    chances = f"rank among {count + 1} countries; smallest possible p {placebos.smallest_p:.3f}"
    rows = [
        ["average_gap", *table.loc["average"], unit, f"{first} to {last}; {interval}"],
        ["last_year_gap", *table.loc[last], unit, f"{last}; {interval}"],
        ["year_before_gap", real.before.iloc[-1], *none, unit, f"{first - 1}: fitted"],
        ["rmspe_ratio", real.ratio, *none[:2], placebos.p, "after / before", chances],
        ["average_gap_one_donor_out", *_spread(averages), unit, "median and range"],
        ["average_gap_other_starts", *_spread(study.starts["average"]), unit, "median and range"],
        ["average_gap_augmented", study.augmented, *none, unit, "ridge-augmented"],
        ["rmspe_before", real.rmspe, *none, unit, f"{real.before.index[0]} to {first - 1}"],
        ["explained_before", real.explained, *none, "share of variance", ""],
        ["donors", count, *none, "countries", ""],
    ]
    for year, gap in study.conformal.iterrows():
        note = f"{CONFIDENCE:.0%} conformal interval: too short where gaps wander"
        rows.append([f"gap_{year}_conformal", *gap, np.nan, unit, note])
    for year, gap in table.drop("average").iterrows():
        rows.append([f"gap_{year}", *gap, unit, interval])
    columns = ["estimand", "estimate", "low", "high", "p", "unit", "note"]
    return pd.DataFrame(rows, columns=columns).assign(shift=slug)[["shift", *columns]]


def _spread(values: pd.Series) -> list[float]:
    return [values.median(), values.min(), values.max(), np.nan]
