"""Warnings that stand next to a result, each with its number."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc, stdtr

from analysis.checks import OneLine, check_month, unit_size
from analysis.engine.gls import take_out
from analysis.engine.law import MOST_RATIO, precision
from analysis.engine.mixture import Posterior
from analysis.engine.reml import fit_many, summarise
from analysis.its.breaks import BreakPosterior
from analysis.its.design import (
    FEWEST_MONTHS,
    TERMS,
    background,
    covariates_of,
    omitted_periods,
    outside_window,
)
from analysis.its.model import (
    ESTIMANDS,
    NEAR_UNIT_ROOT,
    SegmentedModel,
    estimate_effects,
    memory_rows,
    split_groups,
)
from analysis.its.series import COVARIATE, periods_of, periods_per_year
from analysis.its.shifts import PolicyShift
from analysis.language import Words, say_month, say_runs

MOVED_P, CURVED_P, RATIO_DRIFT, SHARE_DRIFT = 0.05, 0.05, 0.05, 0.02
SEASON_P, OUTLIER_P = 0.01, 0.01
NEAR_MOST = 0.95 * MOST_RATIO
WORDS = Words("its-words.toml")
FLAGS = WORDS.block("flags")


@dataclass(frozen=True, repr=False)
class Flag(OneLine):
    """One warning: a short name, the number it rests on, and the sentence to print."""

    name: str
    value: float
    text: str

    def __str__(self) -> str:
        return self.text


def flag(name: str, value: float, /, **told: Any) -> Flag:
    """Return a flag with its sentence filled in."""
    return Flag(name, value, FLAGS[name]["text"].format(**told))


def find_flags(model: SegmentedModel, mixture: Posterior) -> Iterator[Flag]:
    """Yield the flags of a fit; `mixture` is what it says of the errors' law."""
    series, shift = model.window, model.shift
    yield from _doubt_errors(model, mixture)
    yield from _few_months(model)
    yield from _of_columns(model, mixture)
    if gone := outside_window(periods_of(series), shift):
        yield flag("outside_window", len(gone), gone=", ".join(gone))
    if shift.overlaps:
        yield flag("overlapping_shift", len(shift.overlaps), others=", ".join(shift.overlaps))
    if not model.counted:
        yield from _curved(model)
    yield from _gaps(model)
    yield from _registering(series, model.attrs)
    for mark in gaps_inside(model.attrs.get("marked", ()), periods_of(series)):
        months = pd.period_range(mark["first"], mark["last"], freq="M")
        yield Flag(mark["name"], len(months), mark["text"])
    yield from _share_moves(series, model.attrs)
    yield from _drifting(series, model.attrs)
    if shift.caveat:
        yield Flag("unconfirmed", len(shift.months), shift.caveat)


def _doubt_errors(model: SegmentedModel, mixture: Posterior) -> Iterator[Flag]:
    """Yield what the errors of a fit show that their law does not carry well."""
    if mixture.exact[0]:
        return  # no law is identified
    wandering = float(mixture.weight[0, mixture.phi > NEAR_UNIT_ROOT].sum())
    if wandering > 0.5:
        yield flag("wandering", wandering, limit=NEAR_UNIT_ROOT, share=wandering)
    estimate, low, high = memory_rows(mixture).T["sd_ratio"].to_numpy()
    if low > 1 or high < 1:
        at_limit = not 1 / NEAR_MOST < estimate < NEAR_MOST
        end = FLAGS["size_changed"]["end"].format(most=MOST_RATIO) if at_limit else ""
        told = {"estimate": estimate, "low": low, "high": high, "end": end}
        yield flag("size_changed", float(estimate), **told)
    if model.counted:
        return
    index = periods_of(model.window)
    n, year = len(index), periods_per_year(index)
    left, shocks = standardise(model, mixture)
    if year > 1 and n >= 4 * year:
        lags = np.array([year, 2 * year])
        r = np.array([shocks[lag:] @ shocks[:-lag] for lag in lags]) / (shocks @ shocks)
        p = float(chdtrc(2, n * (n + 2) * (r**2 / (n - lags)).sum()))  # Ljung and Box's
        if p < SEASON_P:
            yield flag("season_remembers", p, p=p)
    p = 2 * stdtr(mixture.df - 1, -np.abs(left)) * n  # after Bonferroni
    if p.min() < OUTLIER_P:
        worst = p.argmin()
        when = say_month(index[worst])
        yield flag("outlier", float(left[worst]), when=when, size=abs(left[worst]))


def standardise(model: SegmentedModel, mixture: Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Return each period against all others, as a t statistic, and the innovations, both (n,)."""
    best = int(mixture.weight[0].argmax())  # the likeliest law, for the shift's first month
    law = mixture.phi[best], mixture.theta[best], mixture.ratio[best]
    X = model.designs[0].to_numpy()
    y, power = unit_size(take_out(model.outcome, X))  # no line in it, no unit costs digits
    P = precision(len(y), *law, model.n_before)
    left = P - P @ X @ np.linalg.solve(X.T @ P @ X, X.T @ P)
    u = left @ y
    own = np.maximum(np.diag(left), 1e-12 * np.diag(P))  # zero where a column has the period alone
    rss = np.maximum(y @ u - u**2 / own, np.finfo(float).tiny)
    residual = y - np.linalg.solve(P, P @ y - u)
    root = np.linalg.cholesky(P[::-1, ::-1])[::-1, ::-1]  # upper: P = root root'
    return u / np.sqrt(own * rss / (mixture.df - 1)), np.ldexp(root.T @ residual, power)


def signs_differ(comparison: pd.DataFrame, verdict: str) -> Iterator[Flag]:
    """Yield a flag if the estimators of `comparison` contradict each other in sign."""
    if verdict != "sign differs":
        return
    rows = comparison[comparison["estimand"].isin(("level", "slope"))].dropna(subset=["estimate"])
    sides = rows["estimate"].gt(0).groupby(rows["estimand"]).agg(["sum", "size"])
    sides["fewer"] = np.minimum(sides["sum"], sides["size"] - sides["sum"])
    name = str(sides["fewer"].idxmax())
    told = {"above": sides["sum"][name], "all": sides["size"][name]}
    yield flag("signs_differ", int(sides["fewer"][name]), name=WORDS["estimands"][name], **told)


def unremarkable_date(dates: BreakPosterior, shift: PolicyShift) -> Iterator[Flag]:
    """Yield a flag if most other dates fit better than the official one (the best of a range)."""
    probability = dates.probability
    likelier = float((probability > probability[pd.PeriodIndex(shift.months)].max()).mean())
    if likelier > 0.5:
        best = say_month(pd.Period(str(dates.mode)))
        yield flag("unremarkable_date", likelier, share=likelier, best=best)


def _few_months(model: SegmentedModel) -> Iterator[Flag]:
    """Count what is fitted before the shift and from its last month on."""
    kept, step = ~model.omitted, 12 // periods_per_year(periods_of(model.window))
    sides = {"before": kept[: model.n_before], "after": kept[len(kept) - model.n_after :]}
    for side, fewest in FEWEST_MONTHS.items():
        found = step * int(sides[side].sum())
        if found < fewest:
            yield flag(f"few_months_{side}", found, found=found, fewest=fewest)


def _curved(model: SegmentedModel) -> Iterator[Flag]:
    """Ask whether the trend before the shift bends: a quadratic term, fitted there only."""
    own, before = model.shift, model.window.iloc[: model.n_before]
    design = background(before, own.beside, model.harmonics, own.omit)
    design.insert(0, "quadratic", (design["trend"] - design["trend"].mean()) ** 2)
    if len(design) < design.shape[1] + 3:
        return
    contrast = np.eye(design.shape[1])[0]
    y = model.outcome[: model.n_before]
    p = fit_many(y, design.to_numpy(), contrast, law=model.law).p.item()
    if p < CURVED_P:
        yield flag("curved_pre_period", p, p=p)


def _of_columns(model: SegmentedModel, mixture: Posterior) -> Iterator[Flag]:
    """Ask whether the control ran parallel before, and what moves beside the series."""
    terms = [ESTIMANDS.index(name) for name in TERMS[model.shift.impact]]
    groups = split_groups(model)
    if groups:
        p = float(summarise(mixture)[3][0, ESTIMANDS.index("pre_trend")])
        if p < MOVED_P:
            yield flag("trends_not_parallel", p, p=p)
        p = len(terms) * float(estimate_effects(groups["control"])[0]["p"].iloc[terms].min())
        if p < MOVED_P:
            yield flag("control_moves", p, p=p)
    design, after = model.designs[0], model.sides[0]
    own = [*covariates_of(design)]
    X = design.drop(columns=own).to_numpy()
    C = model.contrasts[terms][:, ~design.columns.isin(own)]
    for name in own:
        moved = fit_many(design[name].to_numpy(), X, C, law=model.law, after=after).p
        p = len(own) * len(terms) * float(moved.min())
        if p < MOVED_P:
            yield flag("covariate_moves", p, name=name.removeprefix(COVARIATE), p=p)


def _gaps(model: SegmentedModel) -> Iterator[Flag]:
    """Yield a flag if the source has holes in the window, left out of the fit or not."""
    index = periods_of(model.window)
    inside = gaps_inside(model.attrs.get("gaps", ()), index)
    if not inside:
        return
    months = gap_months(inside)
    hit, said = omitted_periods(index, months), FLAGS["source_gap"]
    missing = sum(gap["expected"] - gap["found"] for gap in inside)
    kept, places = (hit & ~model.omitted).sum(), len({gap["place"] for gap in inside})
    fitted = said["some" if kept < hit.sum() else "every"].format(kept=kept, months=hit.sum())
    told = {"runs": say_runs(months), "places": places, "counted": name_counted(model.attrs)}
    yield flag("source_gap", missing, missing=missing, fitted=fitted, **told)


def name_counted(attrs: dict) -> str:
    """Return what a record counts: deaths, or victims."""
    said, count = WORDS["counted"], str(attrs["measure"].get("count", "deaths"))
    return said.get(str(attrs.get("source")), said.get(count, count))


def name_run(gap: dict) -> str:
    """Return the months of a gap in words."""
    return gap["first"] if gap["first"] == gap["last"] else f"{gap['first']} to {gap['last']}"


def gap_months(gaps: Iterable[dict]) -> list[pd.Period]:
    """Return the months of gaps in order, each once."""
    ranges = (pd.period_range(gap["first"], gap["last"], freq="M") for gap in gaps)
    return sorted({month for each in ranges for month in each})


def gaps_inside(gaps: Iterable[dict], index: pd.PeriodIndex) -> list[dict]:
    """Return the gaps that touch the periods of `index`."""
    first, last = str(index[0].asfreq("M", "start")), str(index[-1].asfreq("M", "end"))
    return [gap for gap in gaps if gap["first"] <= last and gap["last"] >= first]


def _registering(series: pd.DataFrame, attrs: dict) -> Iterator[Flag]:
    if "complete_through" not in attrs or periods_of(series).freqstr != "M":
        return
    last = check_month(attrs["complete_through"], "attrs['complete_through']")
    if touched := int((series.index > last).sum()):
        yield flag("still_registering", touched, touched=touched, last=say_month(last))


def _share_moves(series: pd.DataFrame, attrs: dict) -> Iterator[Flag]:
    """Compare this source with an official total in the whole years of the window."""
    total, index = attrs.get("registered_share"), periods_of(series)
    if not total or index.freqstr != "M":
        return
    months = index.year.value_counts()
    shares = pd.Series(total["by_year"].get(total["own"], {}), dtype=float)
    shares = shares[shares.index.astype(int).isin(months.index[months == 12])]
    moved = shares.max() - shares.min()
    if moved > SHARE_DRIFT:
        years = sorted(map(str, (shares.idxmin(), shares.idxmax())))
        told = {"years": years, "ends": [shares[year] for year in years]}
        yield flag("registered_share", moved, own=total["own"], of=total["of"], **told)


def _drifting(series: pd.DataFrame, attrs: dict) -> Iterator[Flag]:
    """Compare the two sources year by year: a drifting ratio is a trend in one of them only."""
    given = attrs.get("source_ratio")
    if given is None or periods_of(series).freqstr != "M":
        return
    ratio = pd.Series(given["by_month"], dtype=float)
    ratio.index = pd.PeriodIndex(ratio.index, freq="M")
    whole = ratio.groupby(periods_of(ratio).year).transform("size") == 12
    ratio = ratio[whole & ratio.index.isin(series.index)]
    years = ratio.groupby(periods_of(ratio).year).agg(["mean", "size"])
    yearly = years["mean"][years["size"] >= 6]
    low, high = yearly.min(), yearly.max()
    if len(yearly) > 1 and high - low > RATIO_DRIFT:
        ends = [str(yearly.idxmin()), str(yearly.idxmax())]
        told = {"name": given["name"], "low": low, "high": high, "years": ends}
        moved = _which_moved(attrs.get("registered_share"), sorted(ends))
        yield flag("source_ratio_drifting", high - low, moved=moved, **told)


def _which_moved(total: dict | None, years: list[str]) -> str:
    """Say which source moved more against an official total from one year to another, if known."""
    shares = pd.DataFrame(total["by_year"] if total else {}).reindex(years).dropna(axis=1)
    if not total or shares.shape[1] < 2:
        return ""
    most = shares.pct_change().iloc[-1].abs().idxmax()
    said = FLAGS["source_ratio_drifting"]
    ends = [said["end"].format(name=name, first=a, last=b) for name, (a, b) in shares.items()]
    return said["moved"].format(of=total["of"], years=years, most=most, ends=", ".join(ends))
