"""What the quarters before the operations say of those after: their line, their largest step."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.its.series import as_percent
from analysis.operations import event_study
from analysis.operations.event_study import ALPHA, ESTIMATE, RANDOMISED, ROBUST, EventStudy
from analysis.operations.inversion import share_as_large
from analysis.operations.randomisation import ReassignedEventStudy

RISE, NET = "rise before, in a year", "net of the rise before"
EVEN = "quarters weighted alike"  # as NET, without its line
MAGNITUDES = (0.0, 0.5, 1.0, 2.0)  # of the largest step from quarter to quarter before
KNOWN = "quarters without error"


def fit_lead_line(
    study: EventStudy, reassigned: ReassignedEventStudy, horizons: Iterable[int]
) -> pd.DataFrame:
    """Return by `label`, `method` and `months` the leads' line and the effects net of it."""
    b, V = _with_reference(study)
    lines = weigh_quarters(b.index, horizons)
    clustered = event_study.with_intervals(lines @ b, _errors(lines.to_numpy(), V), study.places)
    # Each reassignment has a line of its own, so that they scatter as line and effect do together.
    logs = lines.to_numpy() @ reassigned.log_ratios.to_numpy()
    reach = np.quantile(logs[:, 1:], [1 - ALPHA / 2, ALPHA / 2], axis=1)
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
            inside = each["estimate"].min(), each["estimate"].max()
            rows[label, KNOWN, months] = [estimate, *inside]
            rows[label, ROBUST, months] = [estimate, each["low"].min(), each["high"].max()]
    index = pd.MultiIndex.from_tuples(rows, names=["label", "method", "months"])
    return pd.DataFrame(rows.values(), index, ESTIMATE[:3]), breakdown


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
