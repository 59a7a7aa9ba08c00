"""What the event study and the average effects of the operations say, in words."""

import pandas as pd

from analysis.its.words import format_effect
from analysis.operations.averages import BOOTED, RANDOMISED
from analysis.operations.event_study import ALPHA, PERCENT, EventStudy
from analysis.operations.randomisation import Randomisation, ReassignedEventStudy


def describe_leads(study: EventStudy, reassigned: ReassignedEventStudy) -> str:
    """Return the range of the leads, both tests of them, and how many quarters stand out."""
    lead, bins = study.pre_trend, reassigned.bins
    outside = (~bins["estimate"].between(bins["low"], bins["high"])).sum()
    leads = study.effects.loc[study.effects.index < 0, "estimate"]
    return (
        f"The leads run from {leads.min():+.0f}% to {leads.max():+.0f}% of the reference "
        f"quarter. The usual joint test of them has F({lead['df']:.0f}, "
        f"{lead['df_denominator']:.0f}) = {lead['F']:.1f}, p = {lead['p']:.2g}; compared with "
        f"operations reassigned at random, p = {reassigned.lead_p:.2g}. Quarters outside the band: "
        f"{outside} of {len(bins)}."
    )


def describe_pretended(test: Randomisation) -> str:
    """Return what operations that came a year earlier would seem to have done."""
    return (
        "From the year before last to the last year before the operations the rate moved, against "
        f"the controls, by {format_effect(test.row, PERCENT)}: p = {test.p:.2g} among operations "
        "reassigned at random."
    )


def describe_inference(record: pd.DataFrame, inference: pd.DataFrame) -> str:
    """Return how often each method rejects the truth in `record`, and the headline, as Markdown."""
    # Above 5% by more than two Monte Carlo errors in any simulation: not believed.
    rejected = record["truth_rejected"]
    short = (rejected - 2 * record["mc_error"].fillna(0) > 5).groupby(record["method"]).any()
    verdicts = [
        f"- **{method.replace('_', ' ')}**: rejects the truth in {row['min']:.0f} to "
        f"{row['max']:.0f}% of cases, "
        f"{'too often to be believed' if short[method] else 'believable'}"
        for method, row in rejected.groupby(record["method"]).agg(["min", "max"]).iterrows()
    ]
    randomised = inference.loc[RANDOMISED, "p"]
    lines = [
        f"- **{months} months**: {format_effect(row, PERCENT)} by the score bootstrap, "
        f"p = {row['p']:.2g}; p = {randomised[months]:.2g} by randomisation"
        for months, row in inference.loc[BOOTED].iterrows()
    ]
    headline = "The headline is the score bootstrap, with the randomisation test beside it:"
    return "\n".join([*verdicts, "", headline, "", *lines])


def describe_operations(single: pd.DataFrame, months: int) -> str:
    """Return which operation alone has the largest effect, and what the others come to."""
    top = single.loc[single["alone"].idxmax()]
    return (
        f"The largest is {top.name}: {top['alone']:+.0f}% in its first {months} months, "
        f"p = {top['p']:.2g}. Without it the other {len(single) - 1} together come to "
        f"{top['without']:+.0f}%. Among their own reassignments "
        f"{(single['p'] <= ALPHA).sum()} of {len(single)} stand out at 5%."
    )


def describe_yardsticks(comparison: pd.DataFrame) -> str:
    """Return what `compare_yardsticks` found, one Markdown list item for each study."""
    lines = []
    for study, rows in comparison.groupby("study", sort=False):
        said, first = [], rows.iloc[0]
        for _, row in rows.iterrows():
            holds = "holds theirs" if row["inside"] else "leaves theirs out"
            said.append(f"{row['label']} {format_effect(row, row['unit'])}, which {holds}")
        lines.append(
            f"- **{study}**: {first['words']}. Ours over {first['months']} months: "
            f"{'; '.join(said)}. What differs: {first['differs']}."
        )
    return "\n".join(lines)
