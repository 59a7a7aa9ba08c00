"""Warnings that stand next to a result, each with its number."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2
from scipy.stats import t as student

from analysis.engine.errors import Mixture
from analysis.engine.law import precision
from analysis.engine.reml import fit_many
from analysis.its.breaks import break_posterior
from analysis.its.design import FEWEST_MONTHS, build_design, omitted_periods
from analysis.its.model import NEAR_UNIT_ROOT, SegmentedModel, describe_memory
from analysis.its.series import Scale, periods_of, periods_per_year
from analysis.its.shifts import PolicyShift

CURVED_P = 0.05
SEASON_P, OUTLIER_P = 0.01, 0.01
RATIO_DRIFT = 0.05


@dataclass(frozen=True)
class Flag:
    """One warning: a short name, the number it rests on, and the sentence to print."""

    name: str
    value: float
    text: str

    def __str__(self) -> str:
        return self.text


def find_flags(model: SegmentedModel, mixture: Mixture) -> tuple[Flag, ...]:
    """Return the flags of a fit; `mixture` is what it says of the errors' law.

    The ``attrs`` of the series may say what only its source can know: `complete_through`, the last
    month that is no longer filling up (text); `gaps`, records of `place`, `first`, `last` (text),
    `found` and `expected`, the deaths; and `source_ratio`, another source over this one or
    the other way round: `name` and `by_month` (text to number).
    """
    series, shift = model.window, model.shift
    months = 12 // periods_per_year(periods_of(series))
    return (
        *(() if mixture.exact[0] else _of_errors(model, mixture)),  # exact: no law is identified
        *_few_months(*(int((~side).sum()) * months for side in _sides(model))),
        *_overlapping(shift),
        *(() if model.counted else _curved(model)),
        *_gaps(model),
        *_registering(series, model.attrs),
        *_drifting(series, model.attrs),
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


def _of_errors(model: SegmentedModel, mixture: Mixture) -> Iterator[Flag]:
    """Yield what the law of the errors does not carry well, or not at all."""
    wandering = float(mixture.weight[0, mixture.phi > NEAR_UNIT_ROOT].sum())
    if wandering > 0.5:
        yield Flag(
            "wandering",
            wandering,
            f"the series wanders: phi is above {NEAR_UNIT_ROOT} with probability {wandering:.2f}, "
            "so a straight line before the shift says little about after, and 95% intervals of "
            "the slope hold the truth in about 90%",
        )
    ratio = describe_memory(mixture).T["sd_ratio"]
    if ratio["low"] > 1 or ratio["high"] < 1:
        yield Flag(
            "size_changed",
            float(ratio["estimate"]),
            f"the errors' size changed: from the shift on {ratio['estimate']:.2f} times what it "
            f"was before ({ratio['low']:.2f} to {ratio['high']:.2f})",
        )
    if model.counted:
        return
    index = periods_of(model.window)
    left, shocks = _standardise(model, mixture)
    year = periods_per_year(index)
    if year > 1 and len(index) >= 4 * year:
        lags = np.array([year, 2 * year])
        r = np.array([shocks[lag:] @ shocks[:-lag] for lag in lags]) / (shocks @ shocks)
        p = float(chi2.sf(len(index) * (len(index) + 2) * (r**2 / (len(index) - lags)).sum(), 2))
        if p < SEASON_P:
            yield Flag(
                "season_remembers",
                p,
                f"the season remembers: errors a year and two years apart go together (p = "
                f"{p:.2g}), so intervals of the slope are too short; harmonics=6 often cures it",
            )
    p = 2 * student.sf(np.abs(left), mixture.df - 1) * len(index)  # after Bonferroni
    if p.min() < OUTLIER_P:
        yield Flag(
            "outlier",
            float(left[p.argmin()]),
            f"{index[p.argmin()]} lies {abs(left[p.argmin()]):.1f} standard errors from what the "
            "other months say of it, more than any law of the errors explains; see what happened, "
            "and leave it out",
        )


def _standardise(model: SegmentedModel, mixture: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """Return each period against all others, as a t statistic, and the innovations, both (n,).

    At the likeliest law of the errors, for the first of the shift's months.
    """
    best = int(mixture.weight[0].argmax())
    law = mixture.phi[best], mixture.theta[best], mixture.ratio[best]
    y, X = model.outcome, model.designs[0].to_numpy()
    P = precision(len(y), *law, model.n_before)
    solved = P @ X @ np.linalg.solve(X.T @ P @ X, X.T @ P)
    left = P - solved
    u = left @ y
    own = np.maximum(np.diag(left), 1e-12 * np.diag(P))  # zero where a column has the period alone
    rss = np.maximum(y @ u - u**2 / own, np.finfo(float).tiny)
    residual = y - np.linalg.solve(P, P @ y - u)
    root = np.linalg.cholesky(P[::-1, ::-1])[::-1, ::-1]  # upper: P = root root'
    return u / np.sqrt(own * rss / (mixture.df - 1)), root.T @ residual


def _sides(model: SegmentedModel) -> tuple[np.ndarray, np.ndarray]:
    """Return which periods are left out, before the shift and from its last month on."""
    return model.omitted[: model.n_before], model.omitted[len(model.omitted) - model.n_after :]


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
    omit = model.shift.omit
    design = build_design(periods_of(before), harmonics=model.harmonics, beside=beside, omit=omit)
    design = design.loc[:, (design != 0).any()]
    design.insert(0, "quadratic", (design["trend"] - design["trend"].mean()) ** 2)
    if len(design) < design.shape[1] + 3:
        return
    contrast = np.eye(design.shape[1])[0]
    y = model.outcome[: model.n_before]
    p = fit_many(y, design.to_numpy(), contrast, law=model.law).p.item()
    if p < CURVED_P:
        yield Flag(
            "curved_pre_period",
            p,
            f"curved pre-period: the trend before the shift bends (quadratic term, p = {p:.2g}), "
            "so a straight line is a poor guide to what would have followed",
        )


def _gaps(model: SegmentedModel) -> Iterator[Flag]:
    """Yield a flag if the source has holes in the window, left out of the fit or not."""
    index = periods_of(model.window)
    inside = gaps_inside(model.attrs.get("gaps", ()), index)
    if not inside:
        return
    hit = np.zeros(len(index), dtype=bool)
    for gap in inside:
        hit |= omitted_periods(index, pd.period_range(gap["first"], gap["last"], freq="M"))
    missing = sum(gap["expected"] - gap["found"] for gap in inside)
    runs = ", ".join(dict.fromkeys(sorted(name_run(gap) for gap in inside)))
    kept = int((hit & ~model.omitted).sum())
    yield Flag(
        "source_gap",
        missing,
        f"holes in the record: about {missing:,.0f} deaths are missing in {runs} (places: "
        f"{len({gap['place'] for gap in inside})}); {kept} of these {int(hit.sum())} months are in "
        "the fit",
    )


def name_run(gap: dict) -> str:
    """Return the months of a gap in words."""
    return gap["first"] if gap["first"] == gap["last"] else f"{gap['first']} to {gap['last']}"


def gaps_inside(gaps: Iterable[dict], index: pd.PeriodIndex) -> list[dict]:
    """Return the gaps that touch the periods of `index`."""
    first, last = str(index[0].asfreq("M", "start")), str(index[-1].asfreq("M", "end"))
    return [gap for gap in gaps if gap["first"] <= last and gap["last"] >= first]


def _registering(series: pd.DataFrame, attrs: dict) -> Iterator[Flag]:
    last = attrs.get("complete_through")
    if last is not None and periods_of(series).freqstr == "M":
        touched = int((series.index > pd.Period(last, "M")).sum())
        if touched:
            yield Flag(
                "still_registering",
                touched,
                f"still being registered: {touched} months after {last}",
            )


def _drifting(series: pd.DataFrame, attrs: dict) -> Iterator[Flag]:
    """Compare the two sources year by year: a drifting ratio is a trend in one of them only."""
    given = attrs.get("source_ratio")
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
