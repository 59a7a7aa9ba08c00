"""Average effects by method and choice, what the quarters before say of them, told and tabled."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.its.series import as_percent
from analysis.its.words import format_effect
from analysis.language import Words
from analysis.operations import event_study, randomisation
from analysis.operations.event_study import ESTIMATE, PERCENT, RANDOMISED, ROBUST, EventStudy
from analysis.operations.inversion import share_as_large
from analysis.operations.randomisation import ReassignedEventStudy
from analysis.operations.stacks import Operations, leave_out

WORDS = Words("operations-words.toml")
HEADLINE = "headline"
KEYS = ["label", "method", "months"]
RISE, NET = "rise before, in a year", "net of the rise before"
EVEN = "quarters weighted alike"  # as NET, without its line
MAGNITUDES = (0.0, 0.5, 1.0, 2.0)  # of the largest step from quarter to quarter before
KNOWN = "quarters without error"
LOST = 1.0  # a sign that steps as large as those before could turn is not identified
COLUMNS = ["block", "label", "method", "first_month", "months", "unit", *ESTIMATE]
COLUMNS += ["reassigned_low", "reassigned_high", "reassigned_p", "figure"]


def infer_averages(
    panel: pd.DataFrame, operations: Operations, effects: pd.DataFrame, *, draws: int, **given: int
) -> tuple[pd.DataFrame, dict[int, randomisation.Randomisation]]:
    """Return the headline's estimates by KEYS, of `effects` first, and each horizon's test."""
    test = partial(randomisation.randomisation_test, panel, operations, draws=draws, **given)
    tests = {months: test(after=months) for months in effects.index}
    methods = {
        (HEADLINE, event_study.BOOTED): _bootstrap(panel, operations, effects.index, **given),
        (HEADLINE, RANDOMISED): pd.DataFrame({months: one.row for months, one in tests.items()}).T,
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
        (name, event_study.BOOTED): _bootstrap(part, chosen, horizons, **given | options)
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
    ratios = pd.concat(effects)
    units = {PERCENT: ratios, event_study.RATE: event_study.per_100k(ratios)}
    ours = pd.concat(units, names=["unit", "label", "months"])[ESTIMATE[:3]].reset_index()
    found = published.merge(ours, on=["months", "unit"])
    return found.assign(inside=found["figure"].between(found["low"], found["high"]))


def _bootstrap(
    panel: pd.DataFrame, operations: Operations, horizons: Iterable[int], **options: Any
) -> pd.DataFrame:
    bootstrap = partial(randomisation.score_bootstrap, panel, operations, **options)
    return pd.DataFrame({months: bootstrap(after=months) for months in horizons}).T


def result_rows(
    study: EventStudy, reassigned: ReassignedEventStudy, others: Iterable[tuple[str, pd.DataFrame]]
) -> pd.DataFrame:
    """Return one row per estimate, columns COLUMNS, of the event study and of `others` by block."""
    tests = {ROBUST: study.pre_trend["p"], RANDOMISED: reassigned.lead_p}
    leads = pd.DataFrame({"method": tests.keys(), "p": tests.values(), "label": "all together"})
    band = reassigned.bins[["low", "high", "p"]].add_prefix("reassigned_")
    quarters = study.effects.join(band).assign(label=HEADLINE, method=ROBUST)
    blocks = [("quarter", quarters), ("leads", leads), *others]
    table = pd.concat([part.reset_index().assign(block=block) for block, part in blocks])
    return table.reindex(columns=COLUMNS).fillna({"unit": PERCENT}).reset_index(drop=True)


def fit_lead_line(
    study: EventStudy, reassigned: ReassignedEventStudy, horizons: Iterable[int]
) -> pd.DataFrame:
    """Return by `label`, `method` and `months` the leads' line and the effects net of it."""
    b, V = _with_reference(study)
    lines = weigh_quarters(b.index, horizons)
    clustered = event_study.with_intervals(lines @ b, _errors(lines.to_numpy(), V), study.places)
    # Each reassignment has a line of its own, so that they scatter as line and effect do together.
    logs = lines.to_numpy() @ reassigned.log_ratios.to_numpy()
    reach = np.quantile(logs[:, 1:], [1 - event_study.ALPHA / 2, event_study.ALPHA / 2], axis=1)
    found = as_percent(np.column_stack([logs[:, 0], *(logs[:, 0] - reach)]))
    randomised = pd.DataFrame(found, lines.index, ESTIMATE[:3])
    randomised["p"] = [share_as_large(row) for row in logs]
    both = pd.concat({ROBUST: clustered, RANDOMISED: randomised}, names=["method"])
    return both.reorder_levels(["label", "method", "months"]).sort_index()


def weigh_quarters(starts: pd.Index, horizons: Iterable[int]) -> pd.DataFrame:
    """Return the weights of the quarters' log ratios in each line and effect, (effects, bins)."""
    years, leads = starts.to_numpy() / 12, starts < 0
    level, slope = np.zeros((2, len(starts)))
    level[leads], slope[leads] = np.linalg.pinv(np.column_stack([years[leads] ** 0, years[leads]]))
    weights = {(RISE, 12): slope}
    for months in horizons:
        mean = _mean_after(starts, months)
        weights[EVEN, months] = mean - leads / leads.sum()
        weights[NET, months] = mean - level - slope * (mean @ years)
    return pd.DataFrame(weights, starts).T.rename_axis(["label", "months"])


def allow_trends(
    study: EventStudy, horizons: Iterable[int]
) -> tuple[pd.DataFrame, dict[int, float]]:
    """Return relative-magnitude sets by `label`, `method`, `months`, and each breakdown value."""
    # Rambachan and Roth (2023), doi:10.1093/restud/rdad018: trends may part from quarter to quarter
    # by so many times the largest step before. KNOWN takes the estimates for the truth.
    b, V = _with_reference(study)
    steps = np.diff(np.eye(len(b)), axis=0)[: (b.index < 0).sum() - 1]
    rows, breakdown = {}, {}
    for months in horizons:
        mean = _mean_after(b.index, months)
        drift = steps * ((mean > 0).sum() + 1) / 2  # the mean of 1, 2, 3, ... steps
        breakdown[months] = abs(mean @ b) / np.abs(drift @ b).max()
        for magnitude in MAGNITUDES:
            # Whichever step was truly the largest, the interval of its own end holds in 95%: that
            # from the lowest to the highest end of all holds no less often.
            ends = mean + magnitude * np.vstack([drift, -drift])
            each = event_study.with_intervals(pd.Series(ends @ b), _errors(ends, V), study.places)
            label, estimate = f"steps of {magnitude:g} times the largest", as_percent(mean @ b)
            for method, low, high in ((KNOWN, "estimate", "estimate"), (ROBUST, "low", "high")):
                rows[label, method, months] = [estimate, each[low].min(), each[high].max()]
    index = pd.MultiIndex.from_tuples(rows, names=["label", "method", "months"])
    return pd.DataFrame(rows.values(), index, ESTIMATE[:3]), breakdown


def describe_verdicts(verdicts: pd.DataFrame, choices: pd.DataFrame, allowed: pd.DataFrame) -> str:
    """Return what of the effect is identified, one Markdown list item a horizon."""
    lines, quarter = [], allowed.xs(KNOWN, level="method")["estimate"].groupby("months").first()
    for months, row in verdicts.iterrows():
        pair = ((HEADLINE, event_study.BOOTED), (NET, RANDOMISED))
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


def _mean_after(starts: pd.Index, months: int) -> np.ndarray:
    """Return weights, (bins,), of the mean over the first months under the operations."""
    after = (starts >= 0) & (starts < months)
    return after / after.sum()


def _with_reference(study: EventStudy) -> tuple[pd.Series, np.ndarray]:
    """Return log ratios and covariance, (bins,) and (bins, bins), with the reference's zeros."""
    starts = study.effects.index
    V = study.covariance.reindex(index=starts, columns=starts, fill_value=0.0)
    return study.log_ratios.reindex(starts, fill_value=0.0), V.to_numpy()


def _errors(weights: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Return the standard errors of weighted sums, one a row of `weights`."""
    return np.sqrt(np.einsum("ij,jk,ik->i", weights, V, weights))
