"""Average effects by three methods and with other choices, and all results as one table."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.operations import randomisation
from analysis.operations.event_study import ESTIMATE, PERCENT, RATE, EventStudy, per_100k
from analysis.operations.stacks import Operations

HEADLINE = "headline"
ROBUST, BOOTED, RANDOMISED = "cluster robust", "score bootstrap", "randomisation"  # intervals
COLUMNS = [
    *("block", "label", "method", "first_month", "months", "unit", *ESTIMATE),
    *("reassigned_low", "reassigned_high", "reassigned_p", "without", "figure"),
]


def infer_averages(
    panel: pd.DataFrame, operations: Operations, effects: pd.DataFrame, *, draws: int, **given: int
) -> tuple[pd.DataFrame, dict[int, randomisation.Randomisation]]:
    """Return estimates by `method` and `months`, of `effects` first, and each horizon's test."""
    test = partial(randomisation.randomisation_test, panel, operations, draws=draws, **given)
    tests = {months: test(after=months) for months in effects.index}
    methods = {
        ROBUST: effects[ESTIMATE],
        BOOTED: _bootstrap(panel, operations, effects.index, **given),
        RANDOMISED: pd.DataFrame({months: test.row for months, test in tests.items()}).T,
    }
    return pd.concat(methods, names=["method", "months"]), tests


def vary_choices(
    panel: pd.DataFrame,
    first: Operations,
    seven: Operations,
    horizons: Iterable[int],
    *,
    before: int,
    seed: int,
) -> pd.DataFrame:
    """Return the score bootstrap by `choice` of operations, baseline and controls, and `months`."""
    choices = {
        HEADLINE: (first, before, "never"),
        "not-yet treated as controls too": (first, before, "not_yet"),
        "baseline of 12 months": (first, 12, "never"),
        "all seven operations": (seven, before, "never"),
        "all seven, not-yet treated too": (seven, before, "not_yet"),
    }
    varied = {
        name: _bootstrap(panel, chosen, horizons, before=start, controls=controls, seed=seed)
        for name, (chosen, start, controls) in choices.items()
    }
    return pd.concat(varied, names=["choice", "months"])


def list_estimates(effects: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return effects by their `label` in both units, as `compare_yardsticks` takes them."""
    parts = [
        part.assign(label=label, unit=unit)
        for label, ratios in effects.items()
        for part, unit in ((ratios, PERCENT), (per_100k(ratios), RATE))
    ]
    return pd.concat(parts).reset_index(names="months")


def compare_yardsticks(effects: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Set effects (`list_estimates`) beside published figures, and tell if these are `inside`."""
    ours = effects[["label", "months", "unit", "estimate", "low", "high"]]
    found = published.merge(ours, on=["months", "unit"])
    return found.assign(inside=found["figure"].between(found["low"], found["high"]))


def _bootstrap(
    panel: pd.DataFrame, operations: Operations, horizons: Iterable[int], **options: Any
) -> pd.DataFrame:
    bootstrap = partial(randomisation.score_bootstrap, panel, operations, **options)
    return pd.DataFrame({months: bootstrap(after=months) for months in horizons}).T


def result_rows(
    study: EventStudy,
    reassigned: randomisation.ReassignedEventStudy,
    pretended: randomisation.Randomisation,
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
