"""What the quarters before say, and what of the operations' effect is identified, in words."""

import pandas as pd

from analysis.its.words import format_effect
from analysis.operations.averages import HEADLINE
from analysis.operations.event_study import BOOTED, PERCENT, RANDOMISED, EventStudy
from analysis.operations.randomisation import ReassignedEventStudy
from analysis.operations.trends import NET, RISE


def describe_verdicts(verdicts: pd.DataFrame, choices: pd.DataFrame, record: pd.DataFrame) -> str:
    """Return what of the effect is identified, one Markdown list item a horizon."""
    lines = []
    for months, row in verdicts.iterrows():
        told = ((HEADLINE, BOOTED), (NET, RANDOMISED))
        first, net = (format_effect(choices.loc[(*one, months)], PERCENT) for one in told)
        lines.append(
            f"- **First {months} months: {row['label']}.** The estimates of all choices go from "
            f"{row['low']:+.0f}% to {row['high']:+.0f}%: {first} by the headline, {net} net of the "
            f"rise before. Against the quarter just before, steps {row['breakdown']:.2g} times as "
            f"large as the largest before could turn the sign{_rejected(record, months)}."
        )
    return "\n".join(lines)


def _rejected(record: pd.DataFrame, months: int) -> str:
    """Return how often intervals over these months left the truth out where it was known."""
    same = record[(record["months"] == months) & record["mc_error"].notna()]
    named = [
        f"{shares.min():.0f} to {shares.max():.0f}% ({method.replace('_', ' ')})"
        for method, shares in same.groupby("method")["truth_rejected"]
    ]
    apart = f"effects alike or with a standard deviation of up to {same['spread'].max():.1f} (log)"
    told = f"; in simulated panels, {apart}, intervals over as many months leave the truth out in "
    return told + ", ".join(named) if named else ""


def describe_leads(study: EventStudy, reassigned: ReassignedEventStudy, line: pd.DataFrame) -> str:
    """Return the rise before, both tests of the leads, and how many quarters stand out."""
    lead, bins, rise = study.pre_trend, reassigned.bins, line.loc[(RISE, RANDOMISED, 12)]
    outside = (~bins["estimate"].between(bins["low"], bins["high"])).sum()
    return (
        f"The line through the quarters before changes by {format_effect(rise, PERCENT)} a year, "
        f"p = {rise['p']:.2g} among operations reassigned at random. That all leads are zero has "
        f"p = {reassigned.lead_p:.2g} among them, and F({lead['df']:.0f}, "
        f"{lead['df_denominator']:.0f}) = {lead['F']:.1f}, p = {lead['p']:.2g} by the usual test. "
        f"Quarters outside the band: {outside} of {len(bins)}."
    )
