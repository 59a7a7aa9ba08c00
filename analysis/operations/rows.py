"""What was found about the operations, as rows of one table."""

import numpy as np
import pandas as pd

from analysis.operations.averages import BOOTED, ESTIMATE, HEADLINE, RANDOMISED, ROBUST
from analysis.operations.event_study import PERCENT, RATE, EventStudy, per_100k
from analysis.operations.randomisation import Randomisation, ReassignedEventStudy

COLUMNS = [
    *("block", "label", "method", "first_month", "months", "unit", *ESTIMATE),
    *("reassigned_low", "reassigned_high", "reassigned_p", "without", "figure"),
]


def result_rows(
    study: EventStudy,
    reassigned: ReassignedEventStudy,
    pretended: Randomisation,
    *,
    inference: pd.DataFrame,
    headline: pd.DataFrame,
    varied: pd.DataFrame,
    single: pd.DataFrame,
    comparison: pd.DataFrame,
) -> pd.DataFrame:
    """Return one row per estimate, columns COLUMNS, from what the functions of this room gave."""
    # `headline` also holds what was observed, `single` the `months` of its effects.
    tests = [
        ["all together", ROBUST, *[np.nan] * 3, study.pre_trend["p"]],
        ["all together", RANDOMISED, *[np.nan] * 3, reassigned.lead_p],
        ["a year earlier", RANDOMISED, *pretended.row],
    ]
    leads = pd.DataFrame(tests, columns=["label", "method", *ESTIMATE])
    band = reassigned.bins[["low", "high", "p"]].add_prefix("reassigned_")
    quarters = study.effects.join(band).reset_index()
    others = varied.drop(HEADLINE).rename_axis(["label", "months"])
    alone = single.rename(columns={"alone": "estimate", "p": "reassigned_p"}).rename_axis("label")
    published = comparison.assign(label=comparison["study"] + ": " + comparison["label"])
    parts = [
        quarters.assign(block="quarter", label=HEADLINE, method=ROBUST, unit=PERCENT),
        _averages(inference, label=HEADLINE, unit=PERCENT),
        _averages(per_100k(headline), label=HEADLINE, method=BOOTED, unit=RATE),
        _averages(others, method=BOOTED, unit=PERCENT),
        alone.reset_index().assign(block="operation alone", method=RANDOMISED, unit=PERCENT),
        published.assign(block="beside published", method=BOOTED),
        leads.assign(block="leads", unit=PERCENT),
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _averages(effects: pd.DataFrame, **columns: str) -> pd.DataFrame:
    return effects.reset_index().assign(block="average", **columns)
