"""What the comparison countries say, as rows and in words."""

import numpy as np
import pandas as pd

from analysis.synthetic.control import NO_WEIGHT, SyntheticControl
from analysis.synthetic.placebos import CONFIDENCE, PlaceboCountries

GOOD_FIT, POOR_FIT = 0.8, 0.5  # share of the variance before the change that is accounted for
RARE = 0.1
LARGE_SHAM = 0.5  # of the real gap


def country_rows(
    slug: str,
    placebos: PlaceboCountries,
    *,
    left_out: dict[str, SyntheticControl],
    starts: pd.DataFrame,
    augmented: pd.Series,
    conformal: pd.DataFrame,
) -> pd.DataFrame:
    """Return the comparison as rows, for one shift.

    Parameters
    ----------
    slug : str
        The shift.
    placebos : PlaceboCountries
        Of the chosen panel.
    left_out : dict
        As `leave_one_out` gives it.
    starts : DataFrame
        As `vary_start` gives it.
    augmented : Series
        As `augmented_gap` gives it.
    conformal : DataFrame
        As `conformal_intervals` gives it.

    Returns
    -------
    DataFrame
        Columns `shift`, `estimand`, `estimate`, `low`, `high`, `p`, `unit`, `note`.
    """
    real, table = placebos.real, placebos.intervals()
    first, last = int(real.after.index[0]), int(real.after.index[-1])
    unit, interval = (
        "deaths per 100,000 and year",
        f"{CONFIDENCE:.0%} interval from placebo countries",
    )
    averages = pd.Series([fit.average for fit in left_out.values()])
    count, none = len(placebos.placebo), [np.nan] * 3
    chances = f"rank among {count + 1} countries; smallest possible p {placebos.smallest_p:.3f}"
    rows = [
        ["average_gap", *table.loc["average"], unit, f"{first} to {last}; {interval}"],
        ["last_year_gap", *table.loc[last], unit, f"{last}; {interval}"],
        ["year_before_gap", real.before.iloc[-1], *none, unit, f"{first - 1}: fitted"],
        ["rmspe_ratio", real.ratio, *none[:2], placebos.p, "after / before", chances],
        ["average_gap_one_donor_out", *_spread(averages), unit, "median and range"],
        ["average_gap_other_starts", *_spread(starts["average"]), unit, "median and range"],
        ["average_gap_augmented", augmented.loc[first:].mean(), *none, unit, "ridge-augmented"],
        ["rmspe_before", real.rmspe, *none, unit, f"{real.before.index[0]} to {first - 1}"],
        ["explained_before", real.explained, *none, "share of variance", ""],
        ["donors", count, *none, "countries", ""],
    ]
    for year, gap in conformal.iterrows():
        note = f"{CONFIDENCE:.0%} conformal interval: too short where gaps wander"
        rows.append([f"gap_{year}_conformal", *gap, np.nan, unit, note])
    for year, gap in table.drop("average").iterrows():
        rows.append([f"gap_{year}", *gap, unit, interval])
    columns = ["estimand", "estimate", "low", "high", "p", "unit", "note"]
    return pd.DataFrame(rows, columns=columns).assign(shift=slug)[["shift", *columns]]


def describe_fit(control: SyntheticControl, names: pd.Series) -> str:
    """Return in words who the synthetic control is made of, and how well it follows the unit."""
    weights = control.weights[control.weights > NO_WEIGHT].sort_values(ascending=False)
    parts = ", ".join(f"{names[code]} {weight:.0%}" for code, weight in weights.items())
    share = control.explained
    if share >= GOOD_FIT:
        verdict = "it follows the years before the change"
    elif share >= POOR_FIT:
        verdict = "it follows the years before the change in part"
    else:
        verdict = "it misses the years before the change, and a gap after it says little"
    return (
        f"The synthetic Mexico is {parts}. Its typical error before the change is "
        f"{control.rmspe:.1f} deaths per 100,000 and year, and it accounts for {share:.0%} of the "
        f"variance of Mexico's rate: {verdict}."
    )


def describe_gap(placebos: PlaceboCountries, confidence: float = CONFIDENCE) -> str:
    """Return in words the gap after the change, its interval and its rank."""
    real, row = placebos.real, placebos.intervals(confidence).loc["average"]
    first, last, p = real.after.index[0], real.after.index[-1], placebos.p
    side = "above" if row["estimate"] > 0 else "below"
    outside = "outside" if row["low"] * row["high"] > 0 else "inside"
    rank, of = int((placebos.table["ratio"] > real.ratio).sum()) + 1, len(placebos.placebo) + 1
    reading = (
        "so large a gap for the fit is rare where nothing is known to have happened"
        if p <= RARE
        else "so large a gap for the fit is nothing unusual among these countries"
    )
    return (
        f"From {first} to {last} Mexico's rate stood on average {abs(row['estimate']):.1f} deaths "
        f"per 100,000 and year {side} the synthetic one ({confidence:.0%} interval "
        f"{row['low']:+.1f} to {row['high']:+.1f}: zero is {outside}). In {first - 1}, before the "
        f"change, the gap was {real.before.iloc[-1]:+.1f}, and in {last} "
        f"{real.after.iloc[-1]:+.1f}. By the ratio of errors after and before, Mexico ranks {rank} "
        f"of {of} (p = {p:.2f}; the smallest possible is {placebos.smallest_p:.2f}): {reading}."
    )


def describe_choices(left_out: dict[str, SyntheticControl], starts: pd.DataFrame) -> str:
    """Return in words what the average gap becomes without a donor, and from another start."""
    averages = [fit.average for fit in left_out.values()]
    outside = int((starts["low"] * starts["high"] > 0).sum())
    one_sign = starts["average"].min() * starts["average"].max() > 0
    either = "it keeps its sign" if one_sign else "it changes its sign"
    return (
        f"With one donor left out the average gap lies between {min(averages):+.1f} and "
        f"{max(averages):+.1f}; with the panel begun in any year from {starts.index[0]} to "
        f"{starts.index[-1]}, between {starts['average'].min():+.1f} and "
        f"{starts['average'].max():+.1f}: {either}, and {outside} of the {len(starts)} intervals "
        f"{'leaves' if outside == 1 else 'leave'} zero out."
    )


def describe_sham(sham: SyntheticControl, real: SyntheticControl, within: list[str]) -> str:
    """Return in words the gap of a change that never was beside the real one's.

    Parameters
    ----------
    sham : SyntheticControl
        A fit that ends before the real change.
    real : SyntheticControl
        The fit to the real change.
    within : list of str
        Shifts that were declared within the years of the sham gap.
    """
    first, last = sham.after.index[0], sham.after.index[-1]
    share = abs(sham.average) / abs(real.average)
    if share >= 1:
        size = f"in size no smaller than the real one ({real.average:+.1f}): the method finds gaps "
        size += "as large without this change"
    elif share > LARGE_SHAM:
        size = f"in size {share:.0%} of the real one ({real.average:+.1f}), more than half of it: "
        size += "the method finds gaps of that order without this change"
    else:
        size = f"in size {share:.0%} of the real one ({real.average:+.1f})"
    return (
        f"From {first} to {last} the average gap of such a sham change is {sham.average:+.1f} "
        f"deaths per 100,000 and year, {size}. Declared national shifts within: "
        f"{', '.join(within) or 'none'}."
    )


def _spread(values: pd.Series) -> list[float]:
    return [values.median(), values.min(), values.max(), np.nan]
