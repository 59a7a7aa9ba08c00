"""The claims about a course: when a rise began, whether it went on, and how steep it was."""

from analysis.claim_evidence import DISCARDED, Evidence
from analysis.claim_fits import Rise, fit_rise, fit_shift, fit_trend, split_term
from analysis.claim_rows import (
    PERCENT_A_YEAR,
    RATE,
    Measured,
    answer,
    by_cell,
    collect,
    direction,
    interval_row,
    make_row,
    modelled_cell,
    name_cell,
    name_months,
    only_part,
)
from analysis.claims import Answer, Claim
from analysis.sentences import format_effect


def measure_rise(claim: Claim, evidence: Evidence) -> Measured:
    """Measure when the rise began, and whether it still went on when the article was written."""
    rows, said, year = [], [], claim["year"]
    decides = f"probability that the rise began in {year}"
    for source in claim.sources:
        cell, rise = modelled_cell(evidence, source), fit_rise(claim, evidence, source)
        start, bends = rise.start, rise.posterior.mode
        inside = float(start[start.index.year == year].sum())
        holds = _answer_start(claim, rise, inside)
        rows.append(make_row(cell, decides, inside, "probability", holds=holds))
        for name, trend in rise.courses.iterrows():
            holds = direction(trend, claim["alarming"]) if name == "trend after" else ""
            rows.append(interval_row(cell, name, trend, PERCENT_A_YEAR, holds))
        before, between, after = (
            format_effect(trend, PERCENT_A_YEAR) for _, trend in rise.courses.iterrows()
        )
        said.append(
            f"{name_cell(cell)}: {_describe_start(rise, inside, year)}; the trend was {before} "
            f"until {bends[0] - 1}, {between} until {bends[1] - 1}, and {after} from then on"
        )
    return Measured(claim, collect(rows), decides, ". ".join(said) + ".")


def _answer_start(claim: Claim, rise: Rise, inside: float) -> Answer:
    if rise.start.empty:
        courses = rise.courses.loc[["trend between", "trend after"], "high"]
        return "no" if (courses < 0).all() else "cannot tell"
    undecided = rise.unseen or claim["unlikely"] <= inside <= claim["likely"]
    return "cannot tell" if undecided else answer(inside > claim["likely"])


def _describe_start(rise: Rise, inside: float, year: int) -> str:
    if rise.start.empty:
        return "no rise began, as neither bend is followed by a trend that is surely upward"
    unseen = ", but a rise may be older than this source can show" if rise.unseen else ""
    return (
        f"the likeliest start of the rise is {rise.start.idxmax()} (95% set: "
        f"{name_months(rise.credible)}), with a probability of {inside:.3f} that it was in "
        f"{year}{unseen}"
    )


def measure_upsurge(claim: Claim, evidence: Evidence) -> Measured:
    """Measure the change of trend at the shift, by every estimator, and how far the rate rose."""
    result, cell, base = (
        fit_shift(claim, evidence),
        modelled_cell(evidence, "INEGI"),
        claim["year_before"],
    )
    slope = result.effects.loc["slope"]
    rows = [interval_row(cell, "change of trend", slope, PERCENT_A_YEAR, direction(slope))]
    panel = result.panel.query("estimand == 'slope'").dropna(subset=["estimate"])
    answers = [direction(row) for _, row in panel.iterrows()]
    above = answers.count("yes")
    holds = "no" if "no" in answers else answer(above == len(panel), otherwise="cannot tell")
    rows.append(make_row(cell, "estimators above zero", above, "estimators", holds=holds))
    excess = result.excess().loc["deaths"]
    rows.append(interval_row(cell, "deaths above the course before", excess, "deaths"))
    said = []
    for place, rates in by_cell(claim, evidence, "rate"):
        if base not in rates:
            continue
        term = rates[(rates.index > base) & (rates.index <= claim["last_year"])]
        factor = term.max() / rates[base]
        massive = answer(factor >= claim["factor"])
        row = make_row(place, "highest rate over the rate before", factor, "times", holds=massive)
        rows.append(row if place == cell else only_part(row))  # only the months tell the trend
        if place[-1] != DISCARDED:
            part = "" if place == cell else "; on the doubling only"
            change = f"{rates[base]:.1f} to {term.max():.1f} in {term.idxmax()}{part}"
            said.append(f"{factor:.2f} times under {name_cell(place)} ({change})")
    warnings = ", ".join(flag.name.replace("_", " ") for flag in result.flags) or "none"
    finding = (
        f"{name_cell(cell)}: at {result.shift.when} the trend changed by "
        f"{format_effect(slope, PERCENT_A_YEAR)}, and "
        f"{above} of {len(panel)} estimators have their interval above zero; over the term "
        f"{excess['estimate']:,.0f} deaths above the course before ({excess['low']:,.0f} to "
        f"{excess['high']:,.0f}). The rate per 100,000 person-years rose {', '.join(said)}. "
        f"Warnings: {warnings}. This dates the rise and leaves its cause open."
    )
    return Measured(claim, collect(rows), "change of trend", finding)


def measure_two_years(claim: Claim, evidence: Evidence) -> Measured:
    """Measure whether the first months of a term lay higher than before, and whether they rose."""
    rows, said = [], []
    for source in claim.sources:
        cell = modelled_cell(evidence, source)
        parts = split_term(claim, evidence, source)
        periods = (*parts, parts[0].iloc[-12:])
        old, new, year = (
            1e5 * part["deaths"].sum() / part["person_years"].sum() for part in periods
        )
        trend = fit_trend(parts[1])
        holds = direction(trend, claim["noticeable"])
        rows += [
            make_row(cell, "rate before", old, RATE),
            make_row(cell, "rate of the last 12 months before", year, RATE),
            make_row(cell, "rate within", new, RATE, holds=answer(new > old)),
            interval_row(cell, "trend within", trend, PERCENT_A_YEAR, holds),
        ]
        said.append(
            f"{name_cell(cell)}: {new:.1f} per 100,000 person-years against {old:.1f} from "
            f"{parts[0].index[0]} on ({year:.1f} in the last 12 months before), and a trend of "
            f"{format_effect(trend, PERCENT_A_YEAR)}"
        )
    finding = "; ".join(said) + ". Elevated is not the same as rising."
    return Measured(claim, collect(rows), "trend within", finding)
