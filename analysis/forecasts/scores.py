"""How good were the forecasts? Scores of draws, on earlier origins and on what came."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
import pandas as pd
import scoringrules

from analysis.arguments import Draws, Seed, checked, whole
from analysis.checks import require
from analysis.engine.optimise import EstimatorError
from analysis.forecasts import paths
from analysis.forecasts.paths import FEWEST, POOL, Forecast, band_table, forecast_all, freeze
from analysis.its.series import outcome
from analysis.its.shifts import PolicyShift

ROLLING_DRAWS = 1_000


def score_draws(observed: np.ndarray, rates: np.ndarray, index: pd.Index) -> pd.DataFrame:
    """Score draws (draws, m) of the rate against what was observed, (m,), one row per target."""
    # Gneiting and Raftery (2007), Strictly proper scoring rules, doi:10.1198/016214506000001437.
    observed = np.asarray(observed, dtype=float)
    bands = band_table(rates, index)
    table = pd.DataFrame({"observed": observed, "expected": bands["expected"]}, index=index)
    table["crps"] = scoringrules.crps_ensemble(observed, rates, m_axis=0, estimator="qd")
    inside = (bands["low_95"] <= observed) & (observed <= bands["high_95"])
    return table.assign(covered_95=inside.astype(float))


@checked
def roll_origins(
    known: pd.DataFrame,
    *,
    methods: Iterable[str] | None = None,
    inaugurations: Sequence[PolicyShift] = (),
    every: Annotated[int, whole(1, 120)] = 6,
    horizon: Annotated[int, whole(12, 120)] = 36,
    draws: Draws = ROLLING_DRAWS,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Forecast again and again from earlier freezes, and score what was known by the last one.

    Parameters
    ----------
    known : DataFrame
        A frozen series: no later month takes part.
    methods, inaugurations, draws, seed
        As in `forecast_all`.
    every : int
        Months between origins.
    horizon : int
        Most months ahead, of which whole years are scored; fewer where the frozen series ends.

    Returns
    -------
    DataFrame
        One row per `method`, `origin` (last month known) and `ahead`, for the mean rate of each
        whole year ahead, whose band needs the errors' memory and not only their size. Columns
        `observed`, `expected` (median), `crps` and `covered_95` (0 or 1).

    References
    ----------
    Tashman (2000), Int. J. Forecasting 16, 437-450, doi:10.1016/S0169-2070(00)00065-0
    """
    known = paths.check_known_months(known)
    origins = known.index[FEWEST - 1 : -12 : every]
    needs = f"{FEWEST} must be known before it and a year after"
    require(len(origins) > 0, f"{len(known)} months leave no origin: {needs}")
    options = {"methods": methods, "inaugurations": inaugurations, "draws": draws, "seed": seed}
    parts = {}
    for origin in origins:
        past, full = freeze(known, at=origin), min(horizon, (known.index[-1] - origin).n) // 12
        came = known.loc[origin + 1 : origin + 12 * full]
        weight = came["person_years"].to_numpy().reshape(full, 12)
        weight = weight / weight.sum(axis=1, keepdims=True)  # of each month in its year ahead
        observed = (outcome(came, "rate").reshape(full, 12) * weight).sum(axis=1)
        for slug, made in forecast_all(past, until=origin + 12 * full, **options).items():
            rates = (made.rates.reshape(len(made.paths), full, 12) * weight).sum(axis=2)
            parts[slug, origin] = score_draws(observed, rates, pd.RangeIndex(1, full + 1))
    return pd.concat(parts, names=["method", "origin", "ahead"]).reset_index()


def judge_record(rolled: pd.DataFrame, at: pd.Period, *, least: float, fewest: int) -> pd.DataFrame:
    """Return by method how many whole years had ended `at` a month, the share held, if kept."""
    # Held: by the 95% bands. Left out: who was asked of `fewest` years and held less than `least`.
    ended = rolled["origin"].array + 12 * rolled["ahead"].to_numpy() <= at
    asked = rolled["covered_95"].where(ended).groupby(rolled["method"], sort=False)
    record = pd.DataFrame({"years": asked.count(), "held": asked.mean()})
    return record.assign(kept=(record["years"] < fewest) | (record["held"] >= least))


def pool_forecasts(made: dict[str, Forecast], record: pd.DataFrame) -> dict[str, Forecast]:
    """Return the forecasts, and last the equal mixture of those that the record keeps."""
    # Hall and Mitchell (2007), Combining density forecasts, doi:10.1016/j.ijforecast.2006.08.001.
    rejected = record.index[~record["kept"]]
    kept = [one for slug, one in made.items() if slug not in rejected]
    if not kept:
        raise EstimatorError(f"the record rejects every method: {list(made)}; ask less of it")
    pooled = np.concatenate([one.paths for one in kept])
    return made | {POOL: Forecast(POOL, kept[0].known, kept[0].person_years, pooled)}
