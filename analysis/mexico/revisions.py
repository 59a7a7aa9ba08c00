"""What each release of SESNSP's table printed, and how a month's count has changed since."""

import numpy as np
import pandas as pd

from analysis.mexico.tables import load_table

AGES = 3  # last months of a release that may still move
COUNTS = ["intentional_homicide", "femicide"]


def load_releases() -> pd.DataFrame:
    """Load the victims that SESNSP's releases printed, by month and state.

    Returns
    -------
    DataFrame
        MultiIndex (`release`, `month`, both Periods, `state`); `intentional_homicide`, `femicide`
        (missing in the releases of 2017-12 to 2019-01, which are here as a sum) and `victims`,
        their sum. 23 releases: of 2019-02 to 2023-06 none was to be had.
    """
    changes = load_table("sesnsp_revisions").set_index("release")
    printed, known = {}, changes.iloc[:0]
    for release in sorted(changes.index.unique()):
        known = pd.concat([known, changes.loc[[release]]])
        known = known.drop_duplicates(["month", "state"], keep="last")
        printed[release] = known
    table = pd.concat(printed, names=["release"]).droplevel(1).reset_index()
    table["victims"] = table[COUNTS].sum(axis=1)
    table = pd.concat([load_table("sesnsp_releases_2018"), table], ignore_index=True)
    for name in ("release", "month"):
        codes, words = pd.factorize(table[name])  # reading each text once is much faster
        table[name] = pd.PeriodIndex(words, freq="M")[codes]
    return table.set_index(["release", "month", "state"]).sort_index()[[*COUNTS, "victims"]]


def first_print_shares(releases: pd.DataFrame, last: pd.Period) -> pd.DataFrame:
    """Return which share of today's count former releases printed of months as old as the last.

    MultiIndex (`place`, `month`), the `AGES` months up to the `last`; `share`, of the sums over
    releases, and the `low`est and `high`est; the age is that in the newest release.
    """
    printed = releases["victims"].unstack("state")
    printed = printed[printed.index.get_level_values("month") >= pd.Period("2023-01", "M")]
    printed.insert(0, "MX00", printed.sum(axis=1))
    newest = printed.index.get_level_values("release").max()
    today, former = printed.loc[newest], printed.index.unique("release").drop(newest)
    rows = {}
    for back in range(AGES):
        age = (newest - last).n + back
        pairs = [(release, release - age) for release in former]
        first = printed.loc[printed.index.isin(pairs)].droplevel("release")
        now = today.loc[first.index]
        share = first / now.replace(0, np.nan)
        for place in printed.columns:
            mean = first[place].sum() / now[place].sum()
            rows[place, last - back] = (mean, share[place].min(), share[place].max())
    index = pd.MultiIndex.from_tuples(rows, names=["place", "month"])
    return pd.DataFrame(list(rows.values()), index, ["share", "low", "high"]).sort_index()
