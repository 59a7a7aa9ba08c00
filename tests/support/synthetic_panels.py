"""Panels of units and ready fits, for the tests of synthetic control."""

import numpy as np
import pandas as pd
from support.folders import REFERENCE

from analysis.synthetic.control import SyntheticControl
from analysis.synthetic.study import PlaceboCountries, SyntheticStudy

PREDICTORS = ["lnincome", "retprice", "age15to24", "beer", "1988", "1980", "1975"]
SMOKING = pd.read_csv(REFERENCE / "smoking.csv", index_col="state")
PACKS = SMOKING.drop(columns=PREDICTORS[:4]).T.rename(index=int)  # sold per head: year x state


def panel(years=20, donors=6, seed=0, start=1990, memory=0.5):
    """One unit and its donors: levels, a common path, and errors of their own."""
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(size=years))
    errors = rng.normal(size=(years, donors + 1))
    for t in range(1, years):
        errors[t] = memory * errors[t - 1] + np.sqrt(1 - memory**2) * errors[t]
    values = rng.uniform(10, 20, donors + 1) + np.outer(path, rng.uniform(0.5, 1.5, donors + 1))
    names = ["own", *(f"donor{i}" for i in range(donors))]
    return pd.DataFrame(values + errors, index=range(start, start + years), columns=names)


def control(own, synthetic, first_year):
    index = range(first_year - 3, first_year - 3 + len(own))
    own, synthetic = (pd.Series(x, index, dtype=float) for x in (own, synthetic))
    return SyntheticControl("own", first_year, own, synthetic, pd.Series({"a": 1.0}))


def scaled(changes):
    """A fit with error 1 before 2003, and these changes of the gap from then on."""
    gap = [-1, 1, -1, *(change - 1 for change in changes)]
    own = [10, -10, 10]  # of which the fit explains 99%
    return control([*own, *gap[3:]], [own[i] - gap[i] for i in range(3)] + [0] * len(changes), 2003)


def unrelated(real, placebo):
    """Placebos of units that have no weight in each other."""
    return PlaceboCountries(real, placebo, {unit: (real, fit) for unit, fit in placebo.items()})


def study(starts, choices=(), sham_year=0):
    """A study of fits made by hand: `starts` of placebo countries, rows of `choices`."""
    columns = ["start", "choice", "estimate", "explained"]
    table = pd.DataFrame(choices, columns=columns).assign(error=1.0)
    return SyntheticStudy(starts, table, sham_year)
