"""Effects on the log rate, from what each place's untreated months lead to expect: pyfixest."""

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.operations.event_study import with_intervals
from analysis.operations.stacks import Operations

HALF = 0.5  # deaths, added for the logarithm of months without any


def impute_effects(
    panel: pd.DataFrame, operations: Operations, horizons: Iterable[int], *, before: int
) -> pd.DataFrame:
    """Return effects by `months` of places reached once, every place alike, clustered by place."""
    # Gardner (2022), Two-stage differences in differences, doi:10.48550/arXiv.2207.05943.
    from pyfixest import event_study  # takes two seconds to import

    place, month = panel.index.get_level_values(0), panel.index.get_level_values(1).asi8
    came = {own: one.month.ordinal for one in operations for own in one.places}
    arrival = place.map(came).to_numpy(dtype=float)  # NaN: never
    start = min(came.values()) - before
    rate = ((panel["deaths"] + HALF) / panel["person_years"]).to_numpy()
    table = pd.DataFrame({"log_rate": np.log(rate), "place": pd.factorize(place)[0]})
    table = table.assign(month=month - start + 1, cohort=np.nan_to_num(arrival - start + 1))
    names = {"yname": "log_rate", "idname": "place", "tname": "month", "gname": "cohort"}
    effects = []  # cohort 0: never
    for horizon in horizons:
        inside = (month >= arrival - before) & (month < arrival + horizon)
        never = (month >= start) & (month < max(came.values()) + horizon) & np.isnan(arrival)
        with warnings.catch_warnings():
            # pyfixest 0.60 itself calls what pandas 3.1 is about to change.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="pyfixest")
            fit = event_study(table[inside | never], **names, estimator="did2s", cluster="place")
        b, se = fit.coef().set_axis([horizon]), fit.se().to_numpy()
        effects.append(with_intervals(b, se, table["place"].nunique()))
    return pd.concat(effects).rename_axis("months")
