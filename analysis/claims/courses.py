"""The claims about a course, and the models behind them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.claims import rows
from analysis.claims.declared import TOLD, WITH_FEMICIDE, Answer, Claim, say
from analysis.claims.evidence import MODELLED, OCCURRED, Cell, Evidence, modelled_cell
from analysis.claims.rows import PERCENT_A_YEAR, Measured, conclude, direction, make_row, name_cell
from analysis.engine.reml import fit_many
from analysis.its.breaks import BreakPosterior, break_posterior
from analysis.its.design import build_design
from analysis.its.result import ITSResult, fit_its
from analysis.its.series import as_percent, outcome, rate_of
from analysis.its.shifts import PolicyShift
from analysis.language import say_month, say_runs

COMPARED = (OCCURRED, WITH_FEMICIDE)  # a series scaled to other totals stands beside
COURSES = TOLD.block("courses")  # by the kind of counterfactual


class Rise(NamedTuple):
    """Two bends in a series, the courses beside them, and the bend that starts a rise."""

    bends: tuple[pd.Period, pd.Period]  # the likeliest pair
    courses: pd.DataFrame  # as `fit_courses` gives them there
    start: pd.Series  # the probability of each month as the first bend that leads up, if one does
    credible: pd.Index  # the 95% set of the start
    unseen: str  # why it may be older: ``rising`` before, or a set at the ``edge`` of the series


def fit_rise(claim: Claim, evidence: Evidence, name: str) -> Rise:
    """Date two bends in a claim's window of one series, and fit the courses beside them."""
    return _fit_rise(evidence, name, claim[f"{MODELLED[name][0].lower()}_start"], claim["end"])


@lru_cache(maxsize=64)
def _fit_rise(evidence: Evidence, name: str, start: str, end: str) -> Rise:
    window = evidence.series[name].loc[start:end]
    posterior = break_posterior(window, 2)
    return date_rise(posterior, fit_courses(window, posterior.mode))


def date_rise(posterior: BreakPosterior, courses: pd.DataFrame) -> Rise:
    """Find the first bend after which the 95% interval of the trend lies above zero."""
    before, *upward = courses["low"] > 0
    if not any(upward):
        none = pd.PeriodIndex([], freq="M")
        return Rise(posterior.mode, courses, pd.Series(index=none, dtype=float), none, "")
    start = posterior.probability.groupby(level=upward.index(True)).sum()
    credible = BreakPosterior(start).credible
    edge = "edge" if start.index.min() in credible else ""
    unseen = "rising" if before and upward[0] else edge
    return Rise(posterior.mode, courses, start, credible, unseen)


def fit_courses(window: pd.DataFrame, bends: Sequence[pd.Period] = ()) -> pd.DataFrame:
    """Fit the trends around bends, taken as known: `estimate`, `low`, `high` in percent a year."""
    shifts = [PolicyShift(f"bend-{month}", month) for month in bends]
    design = build_design(window.index, shifts[0] if shifts else None, beside=shifts[1:])
    slopes = ["trend", "slope", *(f"slope:{shift.slug}" for shift in shifts[1:])]
    contrasts = [design.columns.isin(slopes[: count + 1]) for count in range(len(bends) + 1)]
    fit = fit_many(outcome(window, "log"), design.to_numpy(), np.array(contrasts, dtype=float))
    columns = {name: np.ravel(getattr(fit, name)) for name in ("estimate", "low", "high")}
    names = ["trend before", "trend between", "trend after"]
    return as_percent(pd.DataFrame(columns, names[: len(contrasts)]))


@lru_cache(maxsize=8)
def fit_shift(evidence: Evidence, slug: str, start: str) -> ITSResult:
    """Fit a shift on INEGI's series from `start` on, the months left out that it declares."""
    return fit_its(evidence.series["INEGI"].loc[start:], evidence.shifts[slug])


def list_series(claim: Claim) -> list[str]:
    """Return the monthly series of the sources that can carry a claim."""
    return [name for name, (source, _) in MODELLED.items() if source in claim.sources]


def split_term(evidence: Evidence, name: str, slug: str, months: int) -> list[pd.DataFrame]:
    """Return the months of a shift's window before it, and its first `months`."""
    shift = evidence.shifts[slug]
    series = evidence.series[name].loc[shift.start : shift.month + (months - 1)]
    return [series.loc[: shift.month - 1], series.loc[shift.month :]]


@lru_cache(maxsize=128)
def _fit_term(
    evidence: Evidence, name: str, slug: str, months: int
) -> tuple[pd.Period, list[float], pd.Series]:
    before, within = split_term(evidence, name, slug, months)
    sums = [part.sum() for part in (before, within, before.iloc[-12:])]
    rates = [rate_of(total["deaths"], total["person_years"]) for total in sums]
    return before.index[0], rates, fit_courses(within).iloc[0]


def _name_series(cell: Cell) -> str:
    return name_cell(cell) + ("" if cell[1] in COMPARED else TOLD["beside"])


def measure_rise(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure when the rise began, and whether it still went on when the article was written."""
    made, said, chances, last, year = [], [], [], [], claim["year"]
    for series in list_series(claim):
        cell = modelled_cell(evidence, series)
        if brief and cell[1] not in COMPARED:
            continue
        rise = fit_rise(claim, evidence, series)
        inside = float(rise.start[rise.start.index.year == year].sum())
        holds, start = _judge_start(claim, rise, inside)
        name = f"probability that the rise began in {year}"
        made.append(make_row(cell, name, inside, "probability", holds=holds))
        for name, trend in rise.courses.iterrows():
            holds = direction(trend, claim["alarming"]) if name == "trend after" else None
            made.append(make_row(cell, name, trend, PERCENT_A_YEAR, holds=holds))
        if brief:
            continue
        trends = [say("effect", **trend) for _, trend in rise.courses.iterrows()]
        ends = [say_month(bend - 1) for bend in rise.bends]
        said.append(say("rise", series=_name_series(cell), start=start, trends=trends, ends=ends))
        if cell[1] in COMPARED:
            chances.append(say("chance_by", chance=inside, name=series))
            last.append(say("trend_by", name=series, **trend))
    table, until = rows.collect(made, *COMPARED), say_month(pd.Period(claim["end"]))
    if brief:
        return Measured(claim, table, "trend after")
    told = {"started": ", ".join(chances), "trends": ", ".join(last), "until": until}
    return conclude(claim, table, "trend after", courses=". ".join(said), **told)


def _judge_start(claim: Claim, rise: Rise, inside: float) -> tuple[bool | Answer, str]:
    """Answer whether the rise began in the year, and say when it did."""
    if rise.start.empty:
        return "no" if (rise.courses["high"].iloc[1:] < 0).all() else "cannot tell", TOLD["no_rise"]
    told = {"month": say_month(rise.start.idxmax()), "credible": say_runs(rise.credible)}
    told |= {"year": claim["year"], "unseen": TOLD["unseen"].get(rise.unseen, "")}
    undecided = bool(rise.unseen) or claim["unlikely"] <= inside <= claim["likely"]
    holds = "cannot tell" if undecided else inside > claim["likely"]
    return holds, say("start", inside=inside, **told)


def measure_upsurge(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure the change of trend at the shift, by the headline, and how far the rate rose."""
    result, base = fit_shift(evidence, claim["shift"], claim["start"]), claim["year_before"]
    cell, slope = modelled_cell(evidence, "INEGI"), result.effects.loc["slope"]
    made = [make_row(cell, "change of trend", slope, PERCENT_A_YEAR, holds=direction(slope))]
    rises, own = [], np.nan
    for place, rates in rows.by_cell(claim, evidence, "rate", base):
        term = rates[(rates.index > base) & (rates.index <= claim["last_year"])]
        factor, part = term.max() / rates[base], place != cell  # only the months tell the trend
        massive, name = factor >= claim["factor"], "highest rate over the rate before"
        made.append(make_row(place, name, factor, "times", holds=massive, part=part))
        told = {"base": rates[base], "top": term.max(), "year": term.idxmax(), "factor": factor}
        told |= {"cell": name_cell(place), "only": TOLD["only"] if part else ""}
        rises.append(say("times", **told))
        own = own if part else factor
    if brief:
        return Measured(claim, rows.collect(made), "change of trend")
    others = result.comparison.query("estimand == 'slope'").dropna(subset=["estimate"]).iloc[1:]
    above = (others["low"] > 0).sum()  # stands beside: some are wrong, and no one knows which
    beside = [make_row(cell, "other estimators above zero", above, "estimators")]
    deaths = []
    for kind, course in COURSES.items():
        excess = result.excess(kind=kind).loc["deaths"]
        number = TOLD["no_excess"]
        if pd.notna(excess["estimate"]):
            beside.append(make_row(cell, f"deaths above {course}", excess, "deaths"))
            number = say("excess", **excess)
        deaths.append(say("above", number=number, course=course))
    made[1:1] = beside
    warnings = ", ".join(TOLD["warnings"][flag.name] for flag in result.flags) or TOLD["no_warning"]
    told = {"cell": name_cell(cell), "month": say_month(result.shift.month), "factor": own}
    told |= {"slope": say("effect", **slope), "above": above, "others": len(others)}
    told |= {"deaths": f",{TOLD['and']}".join(deaths), "rises": ", ".join(rises)}
    told |= {"trends": say("trends", **result.effects["estimate"]), "warnings": warnings}
    return conclude(claim, rows.collect(made), "change of trend", **told)


def measure_two_years(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure whether the first months of a term lay higher than before, and whether they rose."""
    made, said, levels, trends = [], [], [], []
    for series in list_series(claim):
        cell = modelled_cell(evidence, series)
        first, rates, trend = _fit_term(evidence, series, claim["shift"], claim["months"])
        (old, new, year), holds = rates, direction(trend, claim["noticeable"])
        made.append(make_row(cell, "rate before", old, rows.RATE))
        made.append(make_row(cell, "rate of the last 12 months before", year, rows.RATE))
        made.append(make_row(cell, "rate within", new, rows.RATE, holds=new > old))
        made.append(make_row(cell, "trend within", trend, PERCENT_A_YEAR, holds=holds))
        told = {"series": _name_series(cell), "first": say_month(first), "new": new}
        told |= {"old": old, "year": year, "trend": say("effect", **trend), "name": series}
        said.append(say("term", **told))
        if cell[1] in COMPARED:
            levels.append(say("level_by", **told))
            trends.append(say("trend_by", name=series, **trend))
    if brief:
        return Measured(claim, rows.collect(made, *COMPARED), "trend within")
    told = {"terms": "; ".join(said), "levels": ", ".join(levels), "trends": ", ".join(trends)}
    return conclude(claim, rows.collect(made, *COMPARED), "trend within", **told)
