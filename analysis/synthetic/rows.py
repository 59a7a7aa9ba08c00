"""What the comparison countries say, as rows."""

import numpy as np
import pandas as pd

from analysis.synthetic.placebos import CONFIDENCE
from analysis.synthetic.study import SyntheticStudy


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
