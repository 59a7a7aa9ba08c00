"""What the robustness checks say of a shift: one row of numbers, and sentences by rule."""

import re

import numpy as np
import pandas as pd

from analysis.its.breaks import BreakPosterior
from analysis.its.shifts import PolicyShift, months_between
from analysis.language import Words, say_month, say_runs
from analysis.robustness.placebos import Placebos
from analysis.robustness.specifications import SpecificationCurve

SHARP = 12  # months: a 95% set no longer than this dates a break
RARE = 0.05
WORDS = Words("robustness-words.toml")
NAMES = {"level": "step", "slope": "change of trend"}
UNITS = {"level": "%", "slope": "% per year"}


def robustness_row(
    shift: PolicyShift,
    source: str,
    posterior: BreakPosterior,
    left_out: pd.DataFrame,
    at_mode: pd.DataFrame,
    classical: pd.DataFrame,
    dates: Placebos,
    places: Placebos,
    curve: SpecificationCurve,
) -> pd.DataFrame:
    """Return the numbers of 04-robustness as one row; the posterior is that of one break."""
    mode, credible, estimand = posterior.mode, posterior.credible, curve.estimand
    # when up to three months are left out
    least = left_out.iloc[left_out["mass_near"].to_numpy().argmin()]
    without = pd.period_range(least["first"], periods=least["periods"])
    row = {"shift": shift.slug, "source": source, "place": "+".join(shift.places)}
    row |= {"own_break": str(mode), "months_off": months_off(mode, shift)}
    row["mass_near"] = max(posterior.mass_near(month) for month in shift.months)
    row |= {"mass_least": least["mass_near"], "without": say_runs(without, str)}
    row["then"] = str(least["mode"])
    for name in ("level", "slope"):  # of the break at the likeliest date, by a fit there
        row[f"own_{name}"] = at_mode["estimate"].get(name, np.nan)
    row["classical"] = "; ".join("{} ({} to {})".format(*each) for each in classical.to_numpy())
    row |= {"credible_first": str(credible[0]), "credible_last": str(credible[-1])}
    row |= {"credible_periods": len(credible), "candidates": len(posterior.probability)}
    row |= {"estimand": estimand, "date_p": dates.rank.loc[estimand, "p"]}
    row["place_p"] = places.rank.loc[estimand, "p"]
    for name in ("median", "share"):
        row[f"curve_{name}"], row[f"curve_{name}_p"] = curve.joint.loc[name, ["observed", "p"]]
    row |= {"specifications": len(curve.table), "moved_most_by": curve.variance_shares.index[0]}
    return pd.DataFrame([row | {"date_verdict": judge_date(row)}])


def months_off(mode: pd.Period, shift: PolicyShift) -> int:
    """Return the months from the nearest official one to `mode`; negative: before it."""
    return min((months_between(month, mode) for month in shift.months), key=abs)


def judge_date(row: dict | pd.Series) -> str:
    """Return the verdict on the date, *no date* where the probability is spread wide."""
    if min(row["mass_near"], row["mass_least"]) > 0.5:
        return "the official date"
    if row["credible_periods"] <= SHARP and row["mass_near"] < RARE:
        return "another date"
    return "no date"


def describe_date(row: dict | pd.Series) -> str:
    """Return what the break posterior says, in words."""
    said, off = WORDS["date"], int(row["months_off"])
    months = f"{abs(off)} month{'s' * (abs(off) != 1)}"
    where = said["where"].format(months=months, side="before" if off < 0 else "after")
    asked = "nothing" if row["mass_near"] <= 0.5 else "survives"
    asked = "rests" if row["mass_near"] > 0.5 >= row["mass_least"] else asked
    told = {"meaning": said[row["date_verdict"]], "where": where if off else said["here"]}
    told |= {"rests": said[asked].format(**row), "breaks": row["classical"] or "no break"}
    return name_months(said["told"].format(**row, **told))


def name_months(text: str, form: str = "yMMMM") -> str:
    """Return a text with each ``2009-03`` in words."""
    return re.sub(r"\b\d{4}-\d{2}\b", lambda found: say_month(pd.Period(found[0]), form), text)


def name_choice(name: str, value: object = "title") -> str:
    """Return a choice of the specification curve, or one of its values, in words."""
    return WORDS["choices"].get(name, {}).get(str(value), str(value))


def describe_placebos(row: dict | pd.Series) -> str:
    """Return what the two placebo tests say of the estimand, in words."""
    name, said = NAMES[row["estimand"]], []
    for kind, what in (("date", "dates before the shift"), ("place", "other places")):
        p = row[f"{kind}_p"]
        verb = "stands out from" if p <= RARE else "is not unusual among"
        text = WORDS["placebos"]["unknown" if pd.isna(p) else "ranked"]
        said.append(text.format(name=name, verb=verb, what=what, p=p))
    return " ".join(said)


def describe_curve(row: dict | pd.Series) -> str:
    """Return what the specification curve says, in words."""
    said, rare = WORDS["curve"], sum(row[f"curve_{name}_p"] <= RARE for name in ("median", "share"))
    told = {"name": NAMES[row["estimand"]], "unit": UNITS[row["estimand"]]}
    choice, reading = name_choice(row["moved_most_by"]).lower(), said["readings"][rare]
    return said["told"].format(**row, **told, choice=choice, reading=reading)
