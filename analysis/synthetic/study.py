"""All that is compared of one unit, from every start of the panel, and as rows of a table."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.synthetic import control
from analysis.synthetic.control import SyntheticControl, fit_synthetic
from analysis.synthetic.placebos import PlaceboCountries, placebo_countries

HALF = 0.5  # of the variance before the change: a mixture that explains less gives no number
SHAM_BEFORE = 10  # years before a sham change: with fewer, a dozen donors can fit anything
YEARS_BEFORE = 3  # the other gap before: the mean of so many years
UNIT = "deaths per 100,000 and year"


@dataclass(frozen=True)
class SyntheticStudy:
    """One unit beside its synthetic controls: one for each first year of the panel."""

    placebos: dict[int, PlaceboCountries]  # by first year, the earliest first
    choices: pd.DataFrame = field(repr=False)  # start, choice, estimate, error, explained
    sham_year: int  # first year of the sham change

    @property
    def pictured(self) -> PlaceboCountries:
        """The comparison from the earliest start, which the figures of one start show."""
        return next(iter(self.placebos.values()))

    @property
    def controls(self) -> dict[int, SyntheticControl]:
        """The fit to the real change, by start."""
        return {start: each.real for start, each in self.placebos.items()}

    @property
    def explained(self) -> pd.Series:
        """Share of the variance before the change that the mixture explains, by start."""
        return pd.Series(self.controls).map(lambda fit: fit.explained)

    @property
    def has_number(self) -> bool:
        """Whether the mixture explains half of the variance from every start."""
        return bool((self.explained >= HALF).all())

    @property
    def beside(self) -> pd.DataFrame:
        """The other choices that explain half, without the sham change."""
        return self.choices.query("explained >= @HALF and choice != 'sham'")

    @property
    def intervals(self) -> pd.DataFrame:
        """The placebo countries' intervals, by start and year or ``"average"``."""
        return pd.concat({start: each.intervals() for start, each in self.placebos.items()})


def study_unit(starts: dict[int, pd.DataFrame], unit: str, *, first_year: int) -> SyntheticStudy:
    """Do the whole comparison of one unit, with `starts` the panels by their first years."""
    # The sham change comes as many years before the real one as are compared after it.
    last_year = int(next(iter(starts.values())).index[-1])
    change, sham_year = {"first_year": first_year}, 2 * first_year - last_year - 1
    placebos, rows = {}, []
    for start, rates in starts.items():
        placebos[start] = placebo_countries(rates, unit, **change)
        carrying = placebos[start].real.carrying.index
        left_out = [fit_synthetic(rates.drop(columns=one), unit, **change) for one in carrying]
        fits = [("without_one_donor", fit, 1) for fit in left_out]
        fits += [
            ("shifted_by_a_constant", fit_synthetic(rates, unit, **change, intercept=True), 1),
            ("ridge_augmented", control.fit_augmented(rates, unit, **change), 1),
            (f"from_the_mean_of_{YEARS_BEFORE}_years", placebos[start].real, YEARS_BEFORE),
        ]
        if sham_year - start >= SHAM_BEFORE:
            before = rates.loc[: first_year - 1]
            fits.append(("sham", fit_synthetic(before, unit, first_year=sham_year), 1))
        rows += [
            (start, name, fit.changes(n).mean(), fit.rmspe, fit.explained) for name, fit, n in fits
        ]
    columns = ["start", "choice", "estimate", "error", "explained"]
    choices = pd.DataFrame(rows, columns=columns)
    return SyntheticStudy(placebos, choices, sham_year)


def compare_years_before(study: SyntheticStudy) -> pd.DataFrame:
    """Return the donors' mean changes, a row a donor and start, by the years of the gap before."""
    pairs = [pair for each in study.placebos.values() for pair in each.pairs.values()]
    years = (1, 2, YEARS_BEFORE, 5)
    return pd.DataFrame({n: [other.changes(n).mean() for _, other in pairs] for n in years})


def country_rows(slug: str, study: SyntheticStudy) -> pd.DataFrame:
    """Return rows of one shift: an estimand's range over the fits, the reach of its intervals."""
    # `apart` of the intervals leave zero out. Where a mixture explains less than half, no number of
    # the gap is given; of other choices only the `fits` that explain half count.
    controls, choices = pd.Series(study.controls), study.choices
    rows = []
    for year, table in study.intervals.groupby(level=1, sort=False):
        name = "change" if year == "average" else f"change_{year}"
        apart = int((table["low"] * table["high"] > 0).sum())
        reach = [table["low"].min(), table["high"].max(), apart, len(table)]
        rows.append([name, table["estimate"].min(), table["estimate"].max(), *reach, UNIT])
    used = choices[choices["explained"] >= HALF].groupby("choice")["estimate"]
    own = controls.map(lambda fit: fit.changes().mean())
    rows += [
        _range("gap_before", controls.map(lambda fit: fit.before.iloc[-1]), UNIT),
        _range("rank", pd.Series([each.rank for each in study.placebos.values()]), "place"),
        _range("change_every_choice", pd.concat([own, study.beside["estimate"]]), UNIT),
    ]
    rows += [_range(f"change_{name}", values, UNIT) for name, values in used]
    if not study.has_number:
        rows = [[name, *[np.nan] * 5, 0, unit] for name, *_, unit in rows]
    shares = {"explained": study.explained}
    shares |= {f"explained_{name}": part for name, part in choices.groupby("choice")["explained"]}
    rows += [_range(name, values, "share of the variance") for name, values in shares.items()]
    rows += [
        _range("error_before", controls.map(lambda fit: fit.rmspe), UNIT),
        _range("donors", controls.map(lambda fit: len(fit.weights)), "countries"),
        _range("start", pd.Series(controls.index), "year"),
    ]
    columns = ["estimand", "least", "most", "low", "high", "apart", "fits", "unit"]
    return pd.DataFrame(rows, columns=columns).assign(shift=slug)[["shift", *columns]]


def _range(name: str, values: pd.Series, unit: str) -> list[Any]:
    """Return the row of an estimand that has no interval."""
    return [name, values.min(), values.max(), np.nan, np.nan, np.nan, len(values), unit]
