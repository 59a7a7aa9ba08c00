"""Many places as one number, five ways, and how much they differ."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.arguments import checked
from analysis.checks import name_some
from analysis.engine.counts import split_noises
from analysis.engine.estimators import newey_west_lags
from analysis.engine.mixture import join_months
from analysis.engine.reml import summarise
from analysis.its.flags import gaps_inside
from analysis.its.model import ESTIMANDS, Estimand
from analysis.its.series import ERRORS, as_logs, as_percent, periods_of
from analysis.places.effects import FEWEST_PLACES, PlaceEffects, combine, fit_places, own_variances

ROUNDS = 20  # of the variance between places, once what their errors share is taken out
LEAST_OWN = 0.05  # of a place's variance: the least that is left as its own
ABOVE = ["above", "above_low", "above_high"]
POOLED = ["estimate", "low", "high", "p", "places", "trend_before", "trend_after", "tau", *ABOVE]
POOLED += ["note"]
PERCENT = ["estimate", "low", "high", "trend_before", "trend_after"]
# What of a panel's ``attrs`` is heeded, one after another.
FAULTS = ["gaps", "unreliable"]
RECORDS: dict[str, list[str]] = {"with every month and state": [], "without the holes": ["gaps"]}
RECORDS |= {"without unreliable states too": FAULTS}
Average = Callable[[np.ndarray], dict]


@checked
def pool_places(fitted: PlaceEffects, estimand: Estimand = "slope") -> pd.DataFrame:
    """Pool one estimand over the places that have an estimate: `FEWEST_PLACES` at least.

    Parameters
    ----------
    fitted : PlaceEffects
    estimand : str
        Such as ``"slope"``.

    Returns
    -------
    DataFrame
        Rows, with `estimate`, `low`, `high` (95%, percent), `p`, `places` and `note`:

        - *average*: the mean of the places' effects, from the mean of their series by the
          headline's principle, over months that all have: what their errors share is in it;
        - *weighted_average*: the same with person-years as weights;
        - *random_effects*: Paule and Mandel's between-place variance, the interval of Hartung and
          Knapp; takes the places' errors as independent;
        - *random_effects_shared*: the same with what the places' errors share taken out of the
          variance between places and added to that of the mean; centred on the mean series;
        - *driscoll_kraay*: panel regression of log rates with place effects, over the places with
          deaths in every month.

        The averages also have `trend_before` and `trend_after` (percent per year), random effects
        `tau` (standard deviation of the effects between places, on the log scale), those *shared*
        `above`: how many percent of the shrunken effects are above zero, and what that becomes if
        the average lies at the ends of its interval (`above_low`, `above_high`).

    References
    ----------
    Hartung and Knapp (2001), Statistics in Medicine 20, 3875-3889, doi:10.1002/sim.1009
    Driscoll and Kraay (1998), Rev. Econ. Statistics 80, 549-560, doi:10.1162/003465398557825
    """
    known, logs, average = _known(fitted, estimand)
    size = np.array([fitted.models[place].window["person_years"].sum() for place in logs.index])
    single, shared = _random_effects(average, logs)
    shrunken = as_logs(known["shrunken"])
    for name, end in zip(ABOVE, ("estimate", "low", "high"), strict=True):
        shared[name] = 100 * (shrunken + shared[end] - shared["estimate"] > 0).mean()
    rows = {"average": average(np.full(len(logs), 1 / len(logs)))}
    rows |= {"weighted_average": average(size / size.sum()), "random_effects": single}
    rows["random_effects_shared"] = shared
    rows["driscoll_kraay"] = _driscoll_kraay(fitted, estimand, logs.index)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=POOLED).rename_axis("method")
    table[PERCENT] = as_percent(table[PERCENT].astype(float))
    return table.fillna({"note": ""})


def pool_groups(fitted: PlaceEffects, groups: pd.Series) -> pd.DataFrame:
    """Return for groups of places the slope's *random_effects_shared*, or why there is none."""
    rows, slopes = {}, fitted.effects[fitted.effects["estimand"] == "slope"]
    deaths = fitted.places[["deaths_before", "deaths_after"]].sum(axis=1)
    for group, members in groups.groupby(groups):
        own = replace(fitted, effects=slopes[slopes["place"].isin(members.index)])
        known = int(own.of("slope")["estimate"].notna().sum())
        if known >= FEWEST_PLACES:
            _, logs, average = _known(own, "slope")
            rows[group] = _random_effects(average, logs)[1] | {"note": ""}
        else:
            rows[group] = {"places": known, "note": f"fewer than {FEWEST_PLACES} have an estimate"}
        rows[group]["deaths"] = deaths[members.index].sum()
    columns = ["deaths", *PERCENT[:3], "p", "places", "tau", "note"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("group")
    table[PERCENT[:3]] = as_percent(table[PERCENT[:3]])
    return table


def pool_records(
    panel: pd.DataFrame, fitted: PlaceEffects, estimands: Sequence[str] = ("slope", "level")
) -> pd.DataFrame:
    """Return two pooled rows as the faults of the record are left out: `RECORDS`, by method."""
    rows = {}
    fits = {name: _heed(panel, fitted, heeded) for name, heeded in RECORDS.items()}
    for estimand in estimands:
        for name, own in fits.items():
            _, logs, average = _known(own, estimand)
            rows[estimand, name, "average"] = average(np.full(len(logs), 1 / len(logs)))
            rows[estimand, name, "random_effects_shared"] = _random_effects(average, logs)[1]
    index = pd.MultiIndex.from_tuples(rows, names=["estimand", "record", "method"])
    table = pd.DataFrame([*rows.values()], index)[[*PERCENT[:3], "p", "places", "tau"]]
    table[PERCENT[:3]] = as_percent(table[PERCENT[:3]])
    return table


def _heed(panel: pd.DataFrame, fitted: PlaceEffects, heeded: list[str]) -> PlaceEffects:
    """Return estimates and models with some of the record's faults left in, where there are any."""
    left_in = [x for kind in FAULTS if kind not in heeded for x in panel.attrs.get(kind, ())]
    windows = {place: periods_of(model.window) for place, model in fitted.models.items()}
    own = {place: [x for x in left_in if x["place"] == place] for place in windows}
    moved = [place for place, months in windows.items() if gaps_inside(own[place], months)]
    if not moved:
        return fitted
    part = panel.loc[moved]
    part.attrs = {kind: panel.attrs.get(kind, []) for kind in heeded}
    harmonics = fitted.models[moved[0]].harmonics
    again = fit_places(part, fitted.shift, harmonics=harmonics, beside=())
    models = fitted.models | again.models
    same = fitted.effects[~fitted.effects["place"].isin(moved)]
    effects = pd.concat([same, again.effects]).set_index("place").loc[[*models]].reset_index()
    return replace(fitted, effects=effects, models=models)


def _known(fitted: PlaceEffects, estimand: str) -> tuple[pd.DataFrame, pd.DataFrame, Average]:
    """Return the places' estimates, on the log scale too, and what averages their series."""
    effects = fitted.of(estimand)
    known = effects.dropna(subset=["estimate", "p"])
    if len(known) < FEWEST_PLACES:
        notes = effects.loc[effects["estimate"].isna(), "note"].value_counts()
        why = f" ({notes.index[0]})" if len(notes) else ""
        told = {"known": len(known), "estimand": estimand, "why": why, "fewest": FEWEST_PLACES}
        raise ValueError(ERRORS["few_places"].format(shift=fitted.shift, **told))
    logs = as_logs(known[["estimate", "low", "high"]])
    average = partial(_average, fitted, estimand, logs.index)
    return known, logs, average


def _average(fitted: PlaceEffects, estimand: str, places: pd.Index, weights: np.ndarray) -> dict:
    """Return the effect on the weighted mean of the log rates, errors as they share them."""
    first = fitted.models[places[0]]
    kept = first.kept  # a month left out has a variance without bound instead of a column
    n = min(len(fitted.models[place].window) for place in places)  # the months of all
    wanted = [ESTIMANDS.index(name) for name in (estimand, "pre_trend", "post_trend")]
    months = zip(*(fitted.models[place].linearised for place in places), strict=True)
    mixtures = []
    for design, parts, after in zip(first.designs, months, first.sides, strict=True):
        cut = ([each[:n] for each in arrays] for arrays in zip(*parts, strict=True))
        responses, variances = map(np.column_stack, cut)
        y, variance = responses @ weights[:, None], variances @ weights[:, None] ** 2
        X, C = design.to_numpy()[:n, kept], first.contrasts[wanted][:, kept]
        mixtures += split_noises(y, variance, X, C, after=after)
    estimate, low, high, p = (x[0] for x in summarise(join_months(mixtures)))
    row = dict(zip(["estimate", "trend_before", "trend_after"], estimate, strict=True))
    return row | {"low": low[0], "high": high[0], "p": p[0], "places": len(weights)}


def _random_effects(average: Average, logs: pd.DataFrame) -> tuple[dict, dict]:
    """Return the random-effects rows: errors taken as independent, and as they share them."""
    # The shared part of the errors moves all places alike: it is in the variance of the mean once,
    # and not in the spread between places, which only their own part explains.
    effects = logs["estimate"].to_numpy()
    variances = own_variances(logs)
    alone = combine(effects, variances)
    single = _pooled_row(alone, float(alone.mean_effect_re))
    pooled, common = alone, 0.0
    for _ in range(ROUNDS):
        weights, before = pooled.weights_rel_re, common
        mean = average(weights)
        common = max(0.0, (own_variances(mean) - weights**2 @ variances) / (1 - weights @ weights))
        pooled = combine(effects, np.maximum(variances - common, LEAST_OWN * variances))
        if abs(common - before) <= 1e-3 * common:
            break
    return single, _pooled_row(pooled, mean["estimate"], common)


def _pooled_row(pooled: Any, centre: float, shared: float = 0.0) -> dict:
    row = _student_row(centre, np.sqrt(pooled.var_hksj_re + shared), pooled.k - 1)
    return row | {"places": pooled.k, "tau": np.sqrt(pooled.tau2)}


def _driscoll_kraay(fitted: PlaceEffects, estimand: str, places: pd.Index) -> dict:
    from linearmodels.panel import PanelOLS  # takes more than a second to import

    used = [p for p in places if not fitted.places.loc[p, "empty_months"]]
    left_out = [p for p in places if p not in used]
    note = f"without {name_some(left_out)}: months without deaths" if left_out else ""
    if len(used) < 2:
        return {"places": len(used), "note": note}
    first = min((fitted.models[place] for place in used), key=lambda model: len(model.window))
    months = first.window.index.to_timestamp()
    index = pd.MultiIndex.from_product([used, months], names=["place", "month"])
    rates = np.concatenate([fitted.models[p].outcome[: len(months)] for p in used])
    y, bandwidth = pd.Series(rates, index, name="log_rate"), newey_west_lags(len(months))
    out = np.any([fitted.models[p].omitted[: len(months)] for p in used], axis=0)
    own = np.eye(len(months))[:, out]  # a column for each month that any leaves out
    contrast = first.contrasts[list(ESTIMANDS).index(estimand), first.kept][1:]
    contrast = np.append(contrast, np.zeros(out.sum()))
    rows = []
    for design in first.designs:
        X = np.column_stack([design.to_numpy()[:, first.kept][:, 1:], own])  # the first: const
        model = PanelOLS(y, pd.DataFrame(np.tile(X, (len(used), 1)), index), entity_effects=True)
        fit = model.fit(cov_type="kernel", kernel="bartlett", bandwidth=bandwidth)
        rows.append((contrast @ fit.params, contrast @ fit.cov @ contrast))
    means, variances = np.array(rows).T
    se, df = np.sqrt(variances.mean() + means.var()), len(months) - len(contrast) - 1
    return _student_row(means.mean(), se, df) | {"places": len(used), "note": note}


def _student_row(estimate: float, se: float, df: int) -> dict:
    reach = stats.t.ppf(0.975, df) * se
    tested = se > 1e-13 * abs(estimate)  # else the places differ by rounding alone
    p = 2 * stats.t.sf(abs(estimate) / se, df) if tested else np.nan
    return {"estimate": estimate, "low": estimate - reach, "high": estimate + reach, "p": p}
