"""All that is compared of one unit beside its synthetic control."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from analysis.synthetic import control, placebos
from analysis.synthetic.control import SyntheticControl
from analysis.synthetic.placebos import PlaceboCountries


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
