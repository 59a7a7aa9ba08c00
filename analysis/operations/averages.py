"""Average effects by three methods and by other choices, their verdict, all results as a table."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.operations import event_study, randomisation
from analysis.operations.event_study import BOOTED, ESTIMATE, PERCENT, RANDOMISED, ROBUST
from analysis.operations.stacks import Operations, leave_out

HEADLINE = "headline"
KEYS = ["label", "method", "months"]
LOST = 1.0  # a sign that steps as large as those before could turn is not identified
COLUMNS = [
    *("block", "label", "method", "first_month", "months", "unit", *ESTIMATE),
    *("reassigned_low", "reassigned_high", "reassigned_p", "figure"),
]


def infer_averages(
    panel: pd.DataFrame, operations: Operations, effects: pd.DataFrame, *, draws: int, **given: int
) -> tuple[pd.DataFrame, dict[int, randomisation.Randomisation]]:
    """Return the headline's estimates by KEYS, of `effects` first, and each horizon's test."""
    test = partial(randomisation.randomisation_test, panel, operations, draws=draws, **given)
    tests = {months: test(after=months) for months in effects.index}
    reassigned = pd.DataFrame({months: test.row for months, test in tests.items()}).T
    methods = {
        (HEADLINE, BOOTED): _bootstrap(panel, operations, effects.index, **given),
        (HEADLINE, RANDOMISED): reassigned,
        (HEADLINE, ROBUST): effects[ESTIMATE],
    }
    return pd.concat(methods, names=KEYS), tests


def vary_choices(
    panel: pd.DataFrame,
    first: Operations,
    seven: Operations,
    horizons: Iterable[int],
    *,
    left_out: dict[str, Sequence[str]],
    **given: int,
) -> pd.DataFrame:
    """Return effects by other choices, by KEYS; `left_out` names places to do without."""
    choices: dict[str, tuple[pd.DataFrame, Operations, dict[str, Any]]] = {
        "until a second operation comes": (panel, first, {"second": seven}),
        "not-yet treated as controls too": (panel, first, {"controls": "not_yet"}),
        "baseline of 12 months": (panel, first, {"before": 12}),
        "all seven operations": (panel, seven, {}),
        "all seven, not-yet treated too": (panel, seven, {"controls": "not_yet"}),
    }
    for name, places in left_out.items():
        choices[f"without {name}"] = (*leave_out(panel, first, places), {})
    varied = {
        (name, BOOTED): _bootstrap(part, chosen, horizons, **given | options)
        for name, (part, chosen, options) in choices.items()
    }
    grouped = event_study.impute_effects(panel, first, horizons, before=given["before"])
    return pd.concat(varied | {("imputed log rates", ROBUST): grouped}, names=KEYS)


def judge_choices(choices: pd.DataFrame, breakdown: dict[int, float]) -> pd.DataFrame:
    """Return by `months` how far all estimates go, the breakdown, and as `label` the verdict."""
    found = choices.groupby("months")["estimate"].agg(low="min", high="max")
    found["breakdown"] = pd.Series(breakdown)
    turned = (found["low"] * found["high"] <= 0) | (found["breakdown"] < LOST)
    return found.assign(label=np.where(turned, "not identified", "identified in sign"))


def compare_yardsticks(effects: dict[str, pd.DataFrame], published: pd.DataFrame) -> pd.DataFrame:
    """Set effects by their `label` beside published figures, and tell if these are `inside`."""
    rates = {label: event_study.per_100k(ratios) for label, ratios in effects.items()}
    units = {PERCENT: pd.concat(effects), event_study.RATE: pd.concat(rates)}
    ours = pd.concat(units, names=["unit", "label", "months"])[ESTIMATE[:3]].reset_index()
    found = published.merge(ours, on=["months", "unit"])
    return found.assign(inside=found["figure"].between(found["low"], found["high"]))


def _bootstrap(
    panel: pd.DataFrame, operations: Operations, horizons: Iterable[int], **options: Any
) -> pd.DataFrame:
    bootstrap = partial(randomisation.score_bootstrap, panel, operations, **options)
    return pd.DataFrame({months: bootstrap(after=months) for months in horizons}).T


def result_rows(
    study: event_study.EventStudy,
    reassigned: randomisation.ReassignedEventStudy,
    others: Iterable[tuple[str, pd.DataFrame]],
) -> pd.DataFrame:
    """Return one row per estimate, columns COLUMNS, of the event study and of `others` by block."""
    tests = {ROBUST: study.pre_trend["p"], RANDOMISED: reassigned.lead_p}
    leads = pd.DataFrame({"method": tests.keys(), "p": tests.values(), "label": "all together"})
    band = reassigned.bins[["low", "high", "p"]].add_prefix("reassigned_")
    quarters = study.effects.join(band).assign(label=HEADLINE, method=ROBUST)
    blocks = [("quarter", quarters), ("leads", leads), *others]
    table = pd.concat([part.reset_index().assign(block=block) for block, part in blocks])
    table["unit"] = table["unit"].fillna(PERCENT)
    return table.reindex(columns=COLUMNS).reset_index(drop=True)
