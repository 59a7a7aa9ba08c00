"""What one unit and its synthetic control say, in words."""

import pandas as pd

from analysis.synthetic.placebos import CONFIDENCE
from analysis.synthetic.study import SyntheticStudy

GOOD_FIT, POOR_FIT = 0.8, 0.5  # share of the variance before the change that is accounted for
RARE = 0.1
SHORT = 0.05  # so far below what it promises a coverage is too short
LARGE_SHAM = 0.5  # of the real gap


def describe_fit(study: SyntheticStudy, names: pd.Series) -> str:
    """Return in words who the synthetic control is made of, and how well it follows the unit."""
    real = study.real
    name = names[real.treated]
    parts = ", ".join(f"{names[code]} {weight:.0%}" for code, weight in real.carrying.items())
    share = real.explained
    verdict = "it misses the years before the change, and a gap after it says little"
    if share >= POOR_FIT:
        part = "" if share >= GOOD_FIT else " in part"
        verdict = f"it follows the years before the change{part}"
    return (
        f"The synthetic {name} is {parts}. Its typical error before the change is "
        f"{real.rmspe:.1f} deaths per 100,000 and year, and it accounts for {share:.0%} of the "
        f"variance of {name}'s rate: {verdict}."
    )


def describe_gap(study: SyntheticStudy, names: pd.Series) -> str:
    """Return in words the gap after the change, its interval and its rank."""
    real, placebos = study.real, study.placebos
    row, name = placebos.intervals().loc["average"], names[real.treated]
    first, last, p = real.after.index[0], real.after.index[-1], placebos.p
    side = "above" if row["estimate"] > 0 else "below"
    outside = "outside" if row["low"] * row["high"] > 0 else "inside"
    rank, of = int((placebos.table["ratio"] > real.ratio).sum()) + 1, len(placebos.placebo) + 1
    reading = "so large a gap for the fit is nothing unusual among these countries"
    if p <= RARE:
        reading = "so large a gap for the fit is rare where nothing is known to have happened"
    return (
        f"From {first} to {last} {name}'s rate stood on average {abs(row['estimate']):.1f} deaths "
        f"per 100,000 and year {side} the synthetic one ({CONFIDENCE:.0%} interval "
        f"{row['low']:+.1f} to {row['high']:+.1f}: zero is {outside}). In {first - 1}, before the "
        f"change, the gap was {real.before.iloc[-1]:+.1f}, and in {last} "
        f"{real.after.iloc[-1]:+.1f}. By the ratio of errors after and before, {name} ranks {rank} "
        f"of {of} (p = {p:.2f}; the smallest possible is {placebos.smallest_p:.2f}): {reading}."
    )


def describe_coverage(study: SyntheticStudy) -> str:
    """Return in words how many of the donors' conformal intervals hold zero."""
    said, then = "on these donors they hold what they promise", "stay the headline"
    if study.coverage < CONFIDENCE - SHORT:
        said, then = "they are too short here", "are the ones to believe"
    share = f"Of the donors' {CONFIDENCE:.0%} conformal intervals {study.coverage:.0%} hold zero"
    return f"{share}: {said}, and the placebo intervals {then}."


def describe_choices(study: SyntheticStudy) -> str:
    """Return in words the average gap without a donor, from another start, and augmented."""
    averages, starts = [fit.average for fit in study.left_out.values()], study.starts
    outside = int((starts["low"] * starts["high"] > 0).sum())
    one_sign = starts["average"].min() * starts["average"].max() > 0
    either = "it keeps its sign" if one_sign else "it changes its sign"
    return (
        f"With one donor left out the average gap lies between {min(averages):+.1f} and "
        f"{max(averages):+.1f}; with the panel begun in any year from {starts.index[0]} to "
        f"{starts.index[-1]}, between {starts['average'].min():+.1f} and "
        f"{starts['average'].max():+.1f}: {either}, and {outside} of the {len(starts)} intervals "
        f"{'leaves' if outside == 1 else 'leave'} zero out. The augmented average is "
        f"{study.augmented:+.1f}."
    )


def describe_sham(study: SyntheticStudy, within: list[str]) -> str:
    """Return in words the gap of the sham change, with the shifts declared within its years."""
    sham, real = study.sham, study.real
    first, last = sham.after.index[0], sham.after.index[-1]
    share = abs(sham.average) / abs(real.average)
    beside, without = f"the real one ({real.average:+.1f})", "without this change"
    size = f"in size {share:.0%} of {beside}"
    if share >= 1:
        size = f"in size no smaller than {beside}: the method finds gaps as large {without}"
    elif share > LARGE_SHAM:
        size += f", more than half of it: the method finds gaps of that order {without}"
    return (
        f"From {first} to {last} the average gap of such a sham change is {sham.average:+.1f} "
        f"deaths per 100,000 and year, {size}. Declared national shifts within: "
        f"{', '.join(within) or 'none'}."
    )
