"""Average effects over several horizons: three intervals beside each other, and other choices."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from analysis.its.shifts import PolicyShift
from analysis.operations.event_study import PERCENT, RATE, per_100k
from analysis.operations.randomisation import Randomisation, randomisation_test, score_bootstrap

ESTIMATE = ["estimate", "low", "high", "p"]
HEADLINE = "headline"
ROBUST, BOOTED, RANDOMISED = "cluster robust", "score bootstrap", "randomisation"  # intervals


def infer_averages(
    panel: pd.DataFrame,
    operations: Sequence[PolicyShift],
    effects: pd.DataFrame,
    *,
    draws: int,
    **options: int,
) -> tuple[pd.DataFrame, dict[int, Randomisation]]:
    """Return estimates by `method` and `months`, of `effects` first, and each horizon's test."""
    test = partial(randomisation_test, panel, operations, draws=draws, **options)
    tests = {months: test(after=months) for months in effects.index}
    methods = {
        ROBUST: effects[ESTIMATE],
        BOOTED: _bootstrap(panel, operations, effects.index, **options),
        RANDOMISED: pd.DataFrame({months: test.row for months, test in tests.items()}).T,
    }
    return pd.concat(methods, names=["method", "months"]), tests


def vary_choices(
    panel: pd.DataFrame,
    first: Sequence[PolicyShift],
    seven: Sequence[PolicyShift],
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
    panel: pd.DataFrame, operations: Sequence[PolicyShift], horizons: Iterable[int], **options: Any
) -> pd.DataFrame:
    bootstrap = partial(score_bootstrap, panel, operations, **options)
    return pd.DataFrame({months: bootstrap(after=months) for months in horizons}).T
