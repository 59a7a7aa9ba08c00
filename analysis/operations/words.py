"""What the quarters before say, and what of the operations' effect is identified, in words."""

import pandas as pd

from analysis.its.words import format_effect
from analysis.language import Words
from analysis.operations.averages import HEADLINE, KNOWN, NET, RISE
from analysis.operations.event_study import BOOTED, PERCENT, RANDOMISED, EventStudy
from analysis.operations.randomisation import ReassignedEventStudy

WORDS = Words("operations-words.toml")


def describe_verdicts(verdicts: pd.DataFrame, choices: pd.DataFrame, allowed: pd.DataFrame) -> str:
    """Return what of the effect is identified, one Markdown list item a horizon."""
    lines, quarter = [], allowed.xs(KNOWN, level="method")["estimate"].groupby("months").first()
    for months, row in verdicts.iterrows():
        pair = ((HEADLINE, BOOTED), (NET, RANDOMISED))
        first, net = (format_effect(choices.loc[(*one, months)], PERCENT) for one in pair)
        told = {"first": first, "net": net, "months": months, "quarter": quarter[months]}
        lines.append(WORDS["verdict"].format(row=row, **told))
    return "\n".join(lines)


def describe_leads(study: EventStudy, reassigned: ReassignedEventStudy, line: pd.DataFrame) -> str:
    """Return the rise before, both tests of the leads, and how many quarters stand out."""
    bins, rise = reassigned.bins, line.loc[(RISE, RANDOMISED, 12)]
    outside = (~bins["estimate"].between(bins["low"], bins["high"])).sum()
    told = {"rise": format_effect(rise, PERCENT), "p": rise["p"], "lead_p": reassigned.lead_p}
    return WORDS["leads"].format(lead=study.pre_trend, outside=outside, of=len(bins), **told)
