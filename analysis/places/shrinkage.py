"""Effects drawn towards their mean, as far as their own errors ask for it: empirical Bayes."""

from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.meta_analysis import combine_effects

from analysis.its.series import as_logs, as_percent

NORMAL = 1.959963984540054  # half a 95% interval in standard errors
FEWEST_PLACES = 4


def shrink_effects(effects: pd.DataFrame) -> pd.Series:
    """Return `estimate` (percent) with less of its distance from the random-effects mean."""
    known = effects[["estimate", "low", "high", "p"]].dropna()
    logs = as_logs(known[["estimate", "low", "high"]].astype(float))
    logs = logs[np.isfinite(logs).all(axis=1)]
    if len(logs) < FEWEST_PLACES:
        return pd.Series(np.nan, effects.index)
    variances = own_variances(logs)
    pooled = combine(logs["estimate"].to_numpy(), variances)
    kept = pooled.tau2 / (pooled.tau2 + variances)
    distance = logs["estimate"] - pooled.mean_effect_re
    return as_percent(pooled.mean_effect_re + kept * distance).reindex(effects.index)


def own_variances(logs: pd.DataFrame) -> np.ndarray:
    """Return the variance (m,) behind each interval `low` to `high`, on the log scale."""
    return ((logs["high"] - logs["low"]).to_numpy() / 2 / NORMAL) ** 2


def combine(effects: np.ndarray, variances: np.ndarray) -> Any:
    """Return statsmodels' random effects of (m,) with Paule and Mandel's variance between them."""
    with np.errstate(divide="ignore"):  # I squared of equal effects, which is not used
        return combine_effects(effects, variances, method_re="pm")
