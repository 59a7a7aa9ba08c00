"""The effects of many places as one number, six ways, and how much they differ between places."""

import numpy as np
import pandas as pd
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from analysis.checks import name_some
from analysis.counts import split_noise, working_response
from analysis.estimands import ESTIMANDS, join_months
from analysis.estimators import newey_west_lags
from analysis.frames import outcome
from analysis.places import PlaceEffects
from analysis.prediction import prediction_interval
from analysis.reml import summarise
from analysis.rho import RhoMixture

NORMAL = 1.959963984540054  # half a 95% interval in standard errors
POOLED = ["estimate", "low", "high", "p", "places"]
POOLED += ["tau", "i_squared", "prediction_low", "prediction_high", "note"]
PERCENT = ["estimate", "low", "high", "prediction_low", "prediction_high"]


def pool_places(fitted: PlaceEffects, estimand: str = "slope") -> pd.DataFrame:
    """Pool one estimand over the places that have an estimate.

    Parameters
    ----------
    fitted : PlaceEffects
        What `analysis.fit_places` returned.
    estimand : str
        Such as ``"slope"``.

    Returns
    -------
    DataFrame
        Rows, with `estimate`, `low`, `high` (95%, percent), `p`, `places` and `note`:

        - *average*: the mean of the places' effects, from the mean of their series by the
          headline's principle, so that what their errors share is in the interval;
        - *weighted_average*: the same with person-years as weights;
        - *random_effects*: Paule and Mandel's between-place variance, the interval of Hartung and
          Knapp; takes the places' errors as independent;
        - *random_effects_shared*: the same, widened by what the places' errors share;
        - *driscoll_kraay*: panel regression of log rates with place effects, over the places with
          deaths in every month.

        Random effects also have `tau` (standard deviation of the effects between places, on the
        log scale), `i_squared` (percent of the variation that is between places) and
        `prediction_low`, `prediction_high` (95%, for a further place; see
        `analysis.prediction`).

    Raises
    ------
    ValueError
        If fewer than three places have an estimate.

    References
    ----------
    Hartung, J. and Knapp, G. (2001). A refined method for the meta-analysis of controlled clinical
    trials with binary outcome. Statistics in Medicine 20, 3875-3889. doi:10.1002/sim.1009
    Driscoll, J. C. and Kraay, A. C. (1998). Consistent covariance matrix estimation with spatially
    dependent panel data. Review of Economics and Statistics 80, 549-560.
    doi:10.1162/003465398557825
    """
    effects = fitted.of(estimand).dropna(subset=["estimate", "p"])
    if len(effects) < 3:
        raise ValueError(
            f"{fitted.shift.slug}: {len(effects)} places have an estimate of {estimand!r}; at "
            "least 3 are needed to pool them. Use larger places or a longer window."
        )
    logs = np.log1p(effects[["estimate", "low", "high"]] / 100)
    half = ((logs["high"] - logs["low"]) / 2).to_numpy()
    k = len(effects)
    average, _ = _pool_series(fitted, estimand, logs.index, np.full(k, 1 / k))
    size = np.array([fitted.models[p].window["person_years"].sum() for p in logs.index])
    weighted, _ = _pool_series(fitted, estimand, logs.index, size / size.sum())
    single, shared = _random_effects(fitted, estimand, logs, half)
    rows = {
        "average": average,
        "weighted_average": weighted,
        "random_effects": single,
        "random_effects_shared": shared,
        "driscoll_kraay": _driscoll_kraay(fitted, estimand, logs.index),
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=POOLED).rename_axis("method")
    table[PERCENT] = 100 * np.expm1(table[PERCENT].astype(float))
    return table.fillna({"note": ""})


def _pool_series(
    fitted: PlaceEffects, estimand: str, places: pd.Index, weights: np.ndarray
) -> tuple[dict, float]:
    """Return the effect on the weighted mean of the places' log rates, and its half interval."""
    first = fitted.models[places[0]]
    parts: list[RhoMixture] = []
    for design in first.designs:
        X = design.to_numpy()
        response, variance = np.zeros(len(X)), np.zeros(len(X))
        for place, weight in zip(places, weights, strict=True):
            window = fitted.models[place].window
            deaths = window["deaths"].to_numpy(dtype=float)
            exposure = window["person_years"].to_numpy(dtype=float) / 1e5
            own, noise = working_response(deaths, X, exposure)
            response += weight * own
            variance += weight**2 * noise
        contrast = first.contrasts[[list(ESTIMANDS).index(estimand)]]
        parts.append(split_noise(response, variance, X, contrast))
    estimate, low, high, p = (float(x[0, 0]) for x in summarise(join_months(parts)))
    row = {"estimate": estimate, "low": low, "high": high, "p": p, "places": len(places)}
    return row, (high - low) / 2


def _random_effects(
    fitted: PlaceEffects, estimand: str, logs: pd.DataFrame, half: np.ndarray
) -> tuple[dict, dict]:
    k, estimates, variances = len(logs), logs["estimate"].to_numpy(), (half / NORMAL) ** 2
    pooled = combine_effects(estimates, variances, method_re="pm")
    tau, weights = np.sqrt(pooled.tau2), pooled.weights_rel_re
    between = {"places": k, "tau": tau, "i_squared": 100 * max(0.0, 1 - (k - 1) / pooled.q)}
    total = (_pool_series(fitted, estimand, logs.index, weights)[1] / NORMAL) ** 2
    common = max(0.0, total - weights**2 @ variances)
    rows = []
    # Shared errors do not show in the spread between places, and make it look small:
    # the expected value of Hartung and Knapp's variance is the true one less k / (k - 1) of them.
    for extra in (0.0, common * k / (k - 1)):
        se = np.sqrt(pooled.var_hksj_re + extra)
        row = _student_row(pooled.mean_effect_re, se, k - 1)
        low, high = prediction_interval(estimates, variances, shared=extra)
        rows.append(row | between | {"prediction_low": low, "prediction_high": high})
    return rows[0], rows[1]


def _driscoll_kraay(fitted: PlaceEffects, estimand: str, places: pd.Index) -> dict:
    from linearmodels.panel import PanelOLS  # takes more than a second to import

    used = [p for p in places if (fitted.models[p].window["deaths"] > 0).all()]
    left_out = [p for p in places if p not in used]
    note = f"without {name_some(left_out)}: months without deaths" if left_out else ""
    if len(used) < 2:
        return {"places": len(used), "note": note}
    first = fitted.models[used[0]]
    months = first.window.index.to_timestamp()
    index = pd.MultiIndex.from_product([used, months], names=["place", "month"])
    rates = np.concatenate([outcome(fitted.models[p].window, "log") for p in used])
    lags = newey_west_lags(len(months))
    rows = []
    for design in first.designs:
        regressors = pd.DataFrame(np.tile(design.to_numpy(), (len(used), 1)), index, design.columns)
        fit = PanelOLS(
            pd.Series(rates, index, name="log_rate"),
            regressors.drop(columns="const"),
            entity_effects=True,
        ).fit(cov_type="kernel", kernel="bartlett", bandwidth=lags)
        contrast = first.contrasts[list(ESTIMANDS).index(estimand), 1:]
        rows.append((contrast @ fit.params, contrast @ fit.cov @ contrast))
    means, variances = np.array(rows).T
    se = np.sqrt(variances.mean() + means.var())
    row = _student_row(means.mean(), se, len(months) - first.contrasts.shape[1])
    return row | {"places": len(used), "note": note}


def _student_row(estimate: float, se: float, df: int) -> dict:
    reach = student.ppf(0.975, df) * se
    p = 2 * student.sf(abs(estimate) / se, df) if se > 0 else np.nan
    return {"estimate": estimate, "low": estimate - reach, "high": estimate + reach, "p": p}
