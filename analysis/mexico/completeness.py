"""How complete is a month, by place and age: from what two releases say of the same months.

INEGI: the share of a month's deaths that is missing at the end of its year is the nation's for that
month of the year, times a factor of the place, shrunk to 1, the less the more deaths stand behind
it. The constants are those that the registration of 1992-2007 makes likeliest; there the intervals
of 480 states and years held 97%. SESNSP: what its releases printed, and how that changed since.
"""

import numpy as np
import pandas as pd
from scipy.stats import gamma

from analysis.arguments import checked
from analysis.checks import require
from analysis.mexico.tables import load_table

ENOUGH = 0.98  # of the deaths that are known a year later: a month with less is not complete
HOLLOW = 0.85  # of last year's ratio to another source: what is below is still being registered
ALIKE = 4.2  # missing deaths that a factor of 1 weighs against a place's own
YEARLY, YEARLY_NATION = 0.40, 0.09  # coefficient of variation of a factor from year to year
TAIL = 0.025
AGES = 3  # last months of a release that may still move
COUNTS = ["intentional_homicide", "femicide"]


def estimate_shares(first: pd.DataFrame, later: pd.DataFrame, nation: str) -> pd.DataFrame:
    """Return by place and month, 1 to 12, which share of deaths is known at the end of a year."""
    # from one year's deaths, months (12) by place, as known at its end and a year later; `low` and
    # `high` are the ends of 95% for the months of another year
    missing = later - first
    require(bool((missing >= 0).all(axis=None)), "a later release has fewer deaths than the first")
    pattern = (missing.sum(axis=1) / later.sum(axis=1)).to_numpy()
    late, due = missing.sum(), (later * pattern[:, None]).sum()
    factor = np.append(1.0, (ALIKE + late) / (ALIKE + due))  # the nation's first
    certain = pd.Series(np.append(late.sum(), ALIKE + late))
    shape = 1 / (1 / certain + np.append(YEARLY_NATION, [YEARLY] * len(late)) ** 2)
    tails = {"low": gamma.ppf(1 - TAIL, shape) / shape, "high": gamma.ppf(TAIL, shape) / shape}
    factors = {"share": factor} | {name: factor * tail for name, tail in tails.items()}
    known = {x: (1 - np.outer(each, pattern)).clip(0, 1).ravel() for x, each in factors.items()}
    places = [nation, *late.index]
    index = pd.MultiIndex.from_product([places, range(1, 13)], names=["place", "month"])
    return pd.DataFrame(known, index)


def months_complete(shares: pd.DataFrame) -> pd.Series:
    """Return by place how many months of a year are complete: all before the first that is not."""
    enough = shares["share"].unstack("month").to_numpy() >= ENOUGH
    months = np.where(enough.all(axis=1), enough.shape[1], enough.argmin(axis=1))
    return pd.Series(months, shares.index.unique("place"))


def find_hollow(deaths: pd.DataFrame, other: pd.DataFrame, months: pd.PeriodIndex) -> pd.Series:
    """Return by place the ratio of two sources in `months`, relative to those of a year before."""
    now, then = (deaths.loc[part].sum() / other.loc[part].sum() for part in (months, months - 12))
    return now / then


@checked
def load_releases() -> pd.DataFrame:
    """Load the victims that SESNSP's releases printed, by month and state.

    Returns
    -------
    DataFrame
        MultiIndex (`release`, `month`, both Periods, `state`); `intentional_homicide`, `femicide`
        (missing in the releases of 2017-12 to 2019-01, which are here as a sum) and `victims`,
        their sum. 23 releases: of 2019-02 to 2023-06 none was to be had.
    """
    changes = load_table("sesnsp_revisions").set_index(["release", "month", "state"])
    printed = changes.reindex(pd.MultiIndex.from_product(changes.index.levels))
    known = printed.groupby(["month", "state"]).ffill().dropna()  # what has no row did not change
    table = known.astype(int).reset_index()
    table["victims"] = table[COUNTS].sum(axis=1)
    table = pd.concat([load_table("sesnsp_releases_2018"), table], ignore_index=True)
    for name in ("release", "month"):
        codes, words = pd.factorize(table[name])  # reading each text once is much faster
        table[name] = pd.PeriodIndex(words, freq="M")[codes]
    return table.set_index(["release", "month", "state"]).sort_index()[[*COUNTS, "victims"]]


def first_print_shares(releases: pd.DataFrame, last: pd.Period) -> pd.DataFrame:
    """Return which share of today's count former releases printed of months as old as the last."""
    # MultiIndex (place, month), the `AGES` months up to the last, by their age in the newest
    # release; the share is that of the sums over releases, with the lowest and the highest
    printed = releases["victims"].unstack("state")
    printed = printed[printed.index.get_level_values("month") >= pd.Period("2023-01", "M")]
    printed.insert(0, "MX00", printed.sum(axis=1))
    newest = printed.index.get_level_values("release").max()
    today, former = printed.loc[newest], printed.index.unique("release").drop(newest)
    shares = {}
    for back in range(AGES):
        age = (newest - last).n + back
        pairs = [(release, release - age) for release in former]
        first = printed.loc[printed.index.isin(pairs)].droplevel("release")
        now = today.loc[first.index]
        share = first / now.replace(0, np.nan)
        ends = {"low": share.min(), "high": share.max()}
        shares[last - back] = pd.DataFrame({"share": first.sum() / now.sum()} | ends)
    return pd.concat(shares, names=["month", "place"]).swaplevel().sort_index()
