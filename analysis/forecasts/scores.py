"""How good were the forecasts? Scores of draws, on earlier origins and on what came."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import scoringrules

from analysis.checks import check_whole, require
from analysis.forecasts.methods import METHODS
from analysis.forecasts.paths import BANDS, FEWEST, POOL, Forecast, band_table, forecast_all, freeze
from analysis.its.series import outcome
from analysis.its.shifts import PolicyShift

YARDSTICK = "last_value"
ROLLING_DRAWS = 1_000
HORIZONS = (0, 6, 12, 24, 36)  # months ahead that are judged together: after one, until the next
SCORES = ["crps", *(f"{what}_{name}" for what in ("interval", "covered") for name in BANDS)]


def score_draws(observed: np.ndarray, rates: np.ndarray, index: pd.Index) -> pd.DataFrame:
    """Score draws (draws, m) of the rate against what was observed, (m,), one row per target."""
    # Gneiting and Raftery (2007), Strictly proper scoring rules, doi:10.1198/016214506000001437.
    observed = np.asarray(observed, dtype=float)
    bands = band_table(rates, index)
    table = pd.DataFrame({"observed": observed, "expected": bands["expected"]}, index=index)
    table["crps"] = scoringrules.crps_ensemble(observed, rates, m_axis=0, estimator="qd")
    for name, share in BANDS.items():
        low, high = (bands[f"{end}_{name}"].to_numpy() for end in ("low", "high"))
        table[f"interval_{name}"] = scoringrules.interval_score(observed, low, high, 1 - share)
        table[f"covered_{name}"] = ((low <= observed) & (observed <= high)).astype(float)
    return table


def score_forecast(made: Forecast, series: pd.DataFrame) -> pd.DataFrame:
    """Score a forecast on the months of `series` that came after its freeze, one row per month."""
    ahead = made.person_years.index
    came = series.loc[series.index.isin(ahead)]
    fault = f"no month from {ahead[0]} to {ahead[-1]} is in the series: nothing came"
    require(len(came) > 0, fault)
    rates = made.rates[:, ahead.isin(came.index)]
    return score_draws(outcome(came, "rate"), rates, came.index)


def score_table(forecasts: dict[str, Forecast], series: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores by method, best CRPS first, its ratio to that of the last value beside."""
    rows = {}
    for slug, made in forecasts.items():
        scores = score_forecast(made, series)
        rows[slug] = {"months": len(scores)} | scores[SCORES].mean().to_dict()
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method").reset_index()
    yardstick = table.loc[table["method"] == YARDSTICK, "crps"]
    table["crps_ratio"] = table["crps"] / (yardstick.iloc[0] if len(yardstick) else np.nan)
    return table.sort_values("crps", kind="stable", ignore_index=True)


def roll_origins(
    known: pd.DataFrame,
    *,
    methods: Iterable[str] | None = None,
    inaugurations: Sequence[PolicyShift] = (),
    every: int = 6,
    horizon: int = 36,
    draws: int = ROLLING_DRAWS,
    seed: int = 0,
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
        Most months ahead; fewer where the frozen series ends.

    Returns
    -------
    DataFrame
        One row per `method`, `origin` (last month known), `unit` and `ahead`: for each month ahead,
        and for the mean rate of each full year ahead, whose band needs the errors' memory and not
        only their size. Columns `observed`, `expected` (median), `crps`, `interval_50`, …
        (interval score of the central band, in the rate's unit; lower is better) and
        `covered_50`, … (0 or 1).

    Raises
    ------
    ValueError
        If the series is too short for a single origin.

    References
    ----------
    Tashman, L. J. (2000). Out-of-sample tests of forecasting accuracy: an analysis and review.
    International Journal of Forecasting 16, 437-450. doi:10.1016/S0169-2070(00)00065-0
    """
    every, horizon = check_whole(every, "every", 1, 120), check_whole(horizon, "horizon", 1, 120)
    origins = known.index[FEWEST - 1 : -1 : every]
    needs = f"{FEWEST} must be known before it and one after"
    require(len(origins) > 0, f"{len(known)} months leave no origin: {needs}")
    methods, parts = None if methods is None else list(methods), {}
    options = {"methods": methods, "inaugurations": inaugurations, "draws": draws, "seed": seed}
    for origin in origins:
        past = freeze(known, at=origin)
        until = min(origin + horizon, known.index[-1])
        for slug, made in forecast_all(past, until=until, **options).items():
            came = known.loc[made.person_years.index]
            months = score_forecast(made, came).set_axis(range(1, len(came) + 1))
            parts[slug, origin] = pd.concat({"month": months, "year": _years(made, came)})
    return pd.concat(parts, names=["method", "origin", "unit", "ahead"]).reset_index()


def summarise_origins(rolled: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores of `roll_origins` by method and horizon ("months 1-6", "year 1")."""
    # The targets of `origins` overlap, so they are worth fewer.
    targets = ["origin", "unit", "ahead"]
    yardstick = rolled.loc[rolled["method"] == YARDSTICK, [*targets, "crps"]]
    yardstick = yardstick.rename(columns={"crps": "yardstick"})
    joined = rolled.merge(yardstick, on=targets, how="left", validate="m:1")
    spans = [f"months {last + 1}-{until}" for last, until in pairwise(HORIZONS)]
    months, year = pd.cut(joined["ahead"], HORIZONS, labels=spans), joined["unit"] == "year"
    joined["horizon"] = months.astype(object).mask(year, "year " + joined["ahead"].astype(str))
    grouped = joined.dropna(subset=["horizon"]).groupby(["method", "horizon"], sort=False)
    table = grouped[[*SCORES, "yardstick"]].mean()
    table.insert(0, "origins", grouped["origin"].nunique())
    table["crps_ratio"] = table["crps"] / table.pop("yardstick")
    place = table.index.get_level_values("method").map([*METHODS, POOL].index)
    return table.iloc[np.argsort(place, kind="stable")].reset_index()


def _years(made: Forecast, came: pd.DataFrame) -> pd.DataFrame:
    """Score the mean rate of each full year ahead, every month by its person-years."""
    full = len(came) // 12
    weight = came["person_years"].to_numpy()[: 12 * full].reshape(full, 12)
    weight = weight / weight.sum(axis=1, keepdims=True)
    shape = (len(made.paths), full, 12)
    rates = (made.rates[:, : 12 * full].reshape(shape) * weight).sum(axis=2)
    observed = (outcome(came, "rate")[: 12 * full].reshape(full, 12) * weight).sum(axis=1)
    return score_draws(observed, rates, pd.RangeIndex(1, full + 1))
