"""How complete is a month, by place and age: from what two releases say of the same months.

The share of a month's deaths that is missing at the end of its year is the nation's for that month
of the year, times a factor of the place. A factor is shrunk to 1, the less the more deaths stand
behind it, and may change until the next year. The constants are those that the registration of
1992-2007 makes likeliest; there the intervals of 480 states and years held 97%.
"""

import numpy as np
import pandas as pd
from scipy.stats import gamma

from analysis.checks import require

ENOUGH = 0.98  # of the deaths that are known a year later: a month with less is not complete
HOLLOW = 0.85  # of last year's ratio to another source: what is below is still being registered
ALIKE = 4.2  # missing deaths that a factor of 1 weighs against a place's own
YEARLY, YEARLY_NATION = 0.40, 0.09  # coefficient of variation of a factor from year to year
TAIL = 0.025


def estimate_shares(first: pd.DataFrame, later: pd.DataFrame, nation: str) -> pd.DataFrame:
    """Return by place and month of the year which share of the deaths is known at its end.

    `first` and `later` are the deaths of one year's months (12 rows) by place, as known at its end
    and a year later. MultiIndex (`place`, `month`, 1 to 12), the `nation` first; columns `share`,
    `low` and `high` (95%, for the months of another year).
    """
    missing = later - first
    require(bool((missing >= 0).all(axis=None)), "a later release has fewer deaths than the first")
    pattern = (missing.sum(axis=1) / later.sum(axis=1)).to_numpy()
    late, due = missing.sum(), (later * pattern[:, None]).sum()
    factor, certain = (ALIKE + late) / (ALIKE + due), ALIKE + late
    yearly = pd.Series(YEARLY, factor.index)
    factor = pd.concat([pd.Series({nation: 1.0}), factor])
    certain = pd.concat([pd.Series({nation: late.sum()}), certain]).astype(float)
    yearly = pd.concat([pd.Series({nation: YEARLY_NATION}), yearly])
    shape = 1 / (1 / certain + yearly**2)
    ends = {"low": 1 - TAIL, "high": TAIL}
    factors = {"share": factor}
    factors |= {name: factor * gamma.ppf(tail, shape) / shape for name, tail in ends.items()}
    known = {name: 1 - np.outer(each, pattern) for name, each in factors.items()}
    index = pd.MultiIndex.from_product([factor.index, range(1, 13)], names=["place", "month"])
    return pd.DataFrame({name: each.clip(0, 1).ravel() for name, each in known.items()}, index)


def months_complete(shares: pd.DataFrame) -> pd.Series:
    """Return by place how many months of a year are complete: all before the first that is not."""
    enough = shares["share"].unstack("month").to_numpy() >= ENOUGH
    months = np.where(enough.all(axis=1), enough.shape[1], enough.argmin(axis=1))
    return pd.Series(months, shares.index.unique("place"))


def find_hollow(deaths: pd.DataFrame, other: pd.DataFrame, months: pd.PeriodIndex) -> pd.Series:
    """Return by place the ratio of two sources in `months`, relative to those of a year before."""
    now, then = (deaths.loc[part].sum() / other.loc[part].sum() for part in (months, months - 12))
    return now / then
