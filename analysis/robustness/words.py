"""What the robustness checks say of a shift: one row of numbers, and sentences by rule."""

import pandas as pd

from analysis.its.breaks import BreakPosterior
from analysis.its.shifts import PolicyShift
from analysis.robustness.placebos import Placebos
from analysis.robustness.specifications import SpecificationCurve

SHARP = 12  # months: a 95% set no longer than this dates a break
RARE = 0.05
ESTIMAND = "slope"


def robustness_row(
    shift: PolicyShift,
    source: str,
    posterior: BreakPosterior,
    dates: Placebos,
    places: Placebos,
    curve: SpecificationCurve,
) -> pd.DataFrame:
    """Return the numbers of 04-robustness as one row; the posterior is that of one break.

    `own_break` is the data's likeliest date, `mass_near` the probability within three months of
    the official one; `date_p` and `place_p` are of the slope change's rank among the placebos.
    """
    mode, credible = posterior.mode, posterior.credible
    median, share = curve.joint.loc["median"], curve.joint.loc["share"]
    row = {
        "shift": shift.slug,
        "source": source,
        "place": "+".join(shift.places),
        "own_break": str(mode),
        "months_off": months_off(mode, shift),
        "mass_near": max(posterior.mass_near(month) for month in shift.months),
        "credible_first": str(credible[0]),
        "credible_last": str(credible[-1]),
        "credible_periods": len(credible),
        "candidates": len(posterior.probability),
        "date_p": dates.rank.loc[ESTIMAND, "p"],
        "place_p": places.rank.loc[ESTIMAND, "p"],
        "curve_median": median["observed"],
        "curve_median_p": median["p"],
        "curve_share": share["observed"],
        "curve_share_p": share["p"],
        "specifications": len(curve.table),
        "moved_most_by": curve.variance_shares.index[0],
    }
    return pd.DataFrame([row | {"date_verdict": judge_date(row)}])


def months_off(mode: pd.Period, shift: PolicyShift) -> int:
    """Return the months from the nearest official one to `mode`; negative: before it."""
    ordinal, *official = (each.asfreq("M", "start").ordinal for each in (mode, *shift.months))
    return min((ordinal - month for month in official), key=abs)


def judge_date(row: dict | pd.Series) -> str:
    """Return the verdict on the date: *the official date*, *another date* or *no date*.

    *The official date* if more than half of the probability lies within three months of it;
    *another date* if the 95% set is at most a year long and leaves those months out; otherwise,
    the probability is spread wider, *no date*.
    """
    if row["mass_near"] > 0.5:
        return "the official date"
    if row["credible_periods"] <= SHARP and row["mass_near"] < RARE:
        return "another date"
    return "no date"


def describe_date(row: dict | pd.Series) -> str:
    """Return what the break posterior says, in words."""
    off = int(row["months_off"])
    side = "before" if off < 0 else "after"
    where = f"{abs(off)} month{'s' * (abs(off) != 1)} {side} the official one"
    where = where if off else "in the official month itself"
    meaning = {
        "the official date": "The data date the break where the policy changed",
        "another date": "The data date a break, but elsewhere",
        "no date": "The data do not date a break",
    }[row["date_verdict"]]
    return (
        f"**{meaning}.** The likeliest month is {row['own_break']}, {where}; "
        f"{row['credible_periods']} of {row['candidates']} months, from {row['credible_first']} to "
        f"{row['credible_last']}, make up the 95% set, and the probability within three months of "
        f"the official date is {row['mass_near']:.2f}."
    )


def describe_placebos(row: dict | pd.Series) -> str:
    """Return what the two placebo tests say of the change of slope, in words."""
    return " ".join(
        _placebo_sentence(row[f"{kind}_p"], what)
        for kind, what in (("date", "dates before the shift"), ("place", "other places"))
    )


def _placebo_sentence(p: float, what: str) -> str:
    if pd.isna(p):
        return f"Against {what} the change of slope could not be ranked."
    verb = "stands out from" if p <= RARE else "is not unusual among"
    return f"The change of slope {verb} those estimated at {what} (rank p = {p:.2f})."


def describe_curve(row: dict | pd.Series) -> str:
    """Return what the specification curve says, in words."""
    rare = sum(row[f"curve_{name}_p"] <= RARE for name in ("median", "share"))
    reading = (
        "would be no surprise if nothing had happened",
        "is at the edge of what could be seen if nothing had happened",
        "would be rare if nothing had happened",
    )[rare]
    return (
        f"Over {row['specifications']:,} specifications the median change of slope is "
        f"{row['curve_median']:+.1f}% per year (p = {row['curve_median_p']:.2g}), and "
        f"{100 * row['curve_share']:.0f}% of them have p < 0.05 in one direction "
        f"(p = {row['curve_share_p']:.2g} for so many): such a curve {reading}. The choice that "
        f"moves the answer most is the {row['moved_most_by']}."
    )
