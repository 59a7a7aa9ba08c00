"""Warnings that stand next to a result, each with its number."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.stats.diagnostic import acorr_ljungbox

from analysis.engine.gls import whiten
from analysis.engine.reml import fit_many
from analysis.its.breaks import break_posterior
from analysis.its.design import FEWEST_MONTHS, build_design
from analysis.its.model import NEAR_UNIT_ROOT, SegmentedModel
from analysis.its.series import Scale, outcome, periods_of, periods_per_year
from analysis.its.shifts import PolicyShift

CURVED_P = 0.05
LEFT_OVER_P = 0.02  # on AR(1) series of ten years, with the season fitted, 6% fall below
RATIO_DRIFT = 0.05


@dataclass(frozen=True)
class Flag:
    """One warning: a short name, the number it rests on, and the sentence to print."""

    name: str
    value: float
    text: str

    def __str__(self) -> str:
        return self.text


def find_flags(model: SegmentedModel, high_rho: float) -> tuple[Flag, ...]:
    """Return the flags of a fit; `high_rho` is the mixture weight of rho near a unit root.

    The ``attrs`` of the window may say what only its source can know: `complete_through`, the last
    month that is no longer filling up (text), and `source_ratio`, another source over this one or
    the other way round: `name` and `by_month` (text to number).
    """
    series, shift = model.window, model.shift
    months = 12 // periods_per_year(periods_of(series))
    return (
        *_near_unit_root(high_rho),
        *_few_months(model.n_before * months, model.n_after * months),
        *_overlapping(shift),
        *_curved(model),
        *_registering(series),
        *_drifting(series),
        *_unconfirmed(shift),
    )


def signs_differ(comparison: pd.DataFrame, verdict: str) -> Iterator[Flag]:
    """Yield a flag if the estimators of `comparison` contradict each other in sign."""
    if verdict != "sign differs":
        return
    rows = comparison[comparison["estimand"].isin(("level", "slope"))].dropna(subset=["estimate"])
    sides = rows["estimate"].gt(0).groupby(rows["estimand"]).agg(["sum", "size"])
    sides["fewer"] = np.minimum(sides["sum"], sides["size"] - sides["sum"])
    name = str(sides["fewer"].idxmax())
    yield Flag(
        "signs_differ",
        int(sides["fewer"][name]),
        f"estimators contradict each other: the {name} change is above zero by "
        f"{sides['sum'][name]} of {sides['size'][name]}",
    )


def longer_memory(
    series: pd.DataFrame, shift: PolicyShift, scale: Scale, harmonics: int, rho: float
) -> Iterator[Flag]:
    """Yield a flag if AR(1) leaves memory in the errors: Ljung-Box over a year of what is left."""
    index = periods_of(series)
    lags = max(periods_per_year(index), 6)
    if len(series) < 4 * lags:
        return
    X = whiten(build_design(index, shift, harmonics=harmonics).to_numpy(), rho)
    y = whiten(outcome(series, scale), rho)
    left = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    p = float(acorr_ljungbox(left, lags=[lags], model_df=1)["lb_pvalue"].iloc[0])
    if p < LEFT_OVER_P:
        yield Flag(
            "longer_memory",
            p,
            f"longer memory: the errors remember more than AR(1) says (Ljung-Box over {lags} "
            f"periods, p = {p:.2g}), so the intervals are too short",
        )


def unremarkable_date(
    series: pd.DataFrame, shift: PolicyShift, scale: Scale, harmonics: int
) -> Iterator[Flag]:
    """Yield a flag if most other dates fit better than the official one (the best of a range)."""
    try:
        dates = break_posterior(series, shift=shift, scale=scale, harmonics=harmonics)
    except ValueError:
        return  # too short a series to ask
    probability = dates.probability
    likelier = float((probability > probability[pd.PeriodIndex(shift.months)].max()).mean())
    if likelier > 0.5:
        yield Flag(
            "unremarkable_date",
            likelier,
            f"unremarkable date: {100 * likelier:.0f}% of the other dates fit better, "
            f"{dates.mode} best",
        )


def _near_unit_root(high_rho: float) -> Iterator[Flag]:
    if high_rho > 0.5:
        yield Flag(
            "near_unit_root",
            high_rho,
            f"near unit root: rho is above {NEAR_UNIT_ROOT} with probability {high_rho:.2f}, so "
            "the series wanders and a straight line before the shift says little about after",
        )


def _few_months(before: int, after: int) -> Iterator[Flag]:
    for side, found in (("before", before), ("after", after)):
        if found < FEWEST_MONTHS[side]:
            yield Flag(
                f"few_months_{side}",
                found,
                f"few months: {found} {side} the shift, fewer than {FEWEST_MONTHS[side]}",
            )


def _overlapping(shift: PolicyShift) -> Iterator[Flag]:
    if shift.overlaps:
        yield Flag(
            "overlapping_shift",
            len(shift.overlaps),
            f"overlapping: within 12 months of {', '.join(shift.overlaps)}",
        )


def _curved(model: SegmentedModel) -> Iterator[Flag]:
    """Ask whether the trend before the shift bends: a quadratic term, fitted there only."""
    before, beside = model.window.iloc[: model.n_before], model.shift.beside
    design = build_design(periods_of(before), harmonics=model.harmonics, beside=beside)
    design = design.loc[:, (design != 0).any()]
    design.insert(0, "quadratic", (design["trend"] - design["trend"].mean()) ** 2)
    if len(design) < design.shape[1] + 3:
        return
    contrast = np.eye(design.shape[1])[0]
    p = fit_many(outcome(before, model.scale), design.to_numpy(), contrast).p.item()
    if p < CURVED_P:
        yield Flag(
            "curved_pre_period",
            p,
            f"curved pre-period: the trend before the shift bends (quadratic term, p = {p:.2g}), "
            "so a straight line is a poor guide to what would have followed",
        )


def _registering(series: pd.DataFrame) -> Iterator[Flag]:
    last = series.attrs.get("complete_through")
    if last is not None and periods_of(series).freqstr == "M":
        touched = int((series.index > pd.Period(last, "M")).sum())
        if touched:
            yield Flag(
                "still_registering",
                touched,
                f"still being registered: {touched} months after {last}",
            )


def _drifting(series: pd.DataFrame) -> Iterator[Flag]:
    """Compare the two sources year by year: a drifting ratio is a trend in one of them only."""
    given = series.attrs.get("source_ratio")
    if given is None or periods_of(series).freqstr != "M":
        return
    ratio = pd.Series(given["by_month"], dtype=float)
    ratio.index = pd.PeriodIndex(ratio.index, freq="M")
    ratio = ratio[ratio.index.isin(series.index)]
    years = ratio.groupby(periods_of(ratio).year).agg(["mean", "size"])
    yearly = years["mean"][years["size"] >= 6]
    if len(yearly) > 1 and yearly.max() - yearly.min() > RATIO_DRIFT:
        low, high = yearly.idxmin(), yearly.idxmax()
        yield Flag(
            "source_ratio_drifting",
            yearly.max() - yearly.min(),
            f"sources drift apart: {given['name']} is {yearly.min():.2f} in {low} and "
            f"{yearly.max():.2f} in {high}, both inside the window",
        )


def _unconfirmed(shift: PolicyShift) -> Iterator[Flag]:
    if shift.caveat:
        yield Flag("unconfirmed", len(shift.months), shift.caveat)
