"""One shift by every estimator in use, side by side, and what their spread says."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from analysis.arguments import Waves, check_named, checked
from analysis.checks import unit_size
from analysis.engine import estimators as textbook
from analysis.engine.gls import is_exact
from analysis.engine.optimise import NO_VARIATION, Coefficients, EstimatorError
from analysis.engine.state_space import fit_arima, fit_structural
from analysis.its.model import SegmentedModel, estimate_effects, prepare_model, split_groups
from analysis.its.series import Scale, as_percent, control_of, has_counts
from analysis.its.shifts import PolicyShift

ComparisonVerdict = Literal["agree", "intervals differ", "sign differs"]

Fits = dict[str, Callable[..., Coefficients]]
LINEAR: Fits = {"newey_west": textbook.fit_newey_west, "prais_winsten": textbook.fit_prais_winsten}
LINEAR |= {"arima": fit_arima, "structural": fit_structural}
COUNTS: Fits = {"quasi_poisson": textbook.fit_quasi_poisson}
COUNTS |= {"negative_binomial": textbook.fit_negative_binomial}
ESTIMATORS = ("reml", "reml_ar1", "newey_west", "prais_winsten", *COUNTS, "arima", "structural")
ON_REQUEST = ("count_reml",)  # for months with few or no deaths
NAMED = partial(check_named, known=(*ESTIMATORS, *ON_REQUEST), what="estimator")
Names = Sequence[Annotated[str, NAMED]]
COLUMNS = ["estimator", "estimand", "estimate", "se", "low", "high", "p", "note"]
JUDGED = ("level", "slope")


@checked
def compare_estimators(
    series: pd.DataFrame,
    shift: PolicyShift,
    *,
    scale: Scale | None = None,
    harmonics: Waves = 2,
    estimators: Names = ESTIMATORS,
) -> pd.DataFrame:
    """Estimate one shift by every estimator in use, on the same window, design and units.

    Parameters
    ----------
    series, shift, scale, harmonics
        As in `analysis.fit_its`; months without deaths are allowed on the log scale, where only
        the count models then have an answer.
    estimators : sequence of str
        Default all that are named below; on request also `count_reml`, the headline's principle
        for counts with few or no deaths in a month.

    Returns
    -------
    DataFrame
        Long: `estimator` (`reml`, the headline; `reml_ar1`, the same with AR(1) errors of one size
        and without noise; `newey_west`, `prais_winsten`, `quasi_poisson`, `negative_binomial`,
        `arima`, `structural`; with a control the count models are of both groups' counts, which
        share the season), `estimand`, `estimate`, `se` (missing where none is defined; in
        percent by the delta method), `low`, `high` (95%), `p`, `note` (settings, or what is amiss).

    References
    ----------
    Turner et al. (2021), BMC Medical Research Methodology 21, 134, doi:10.1186/s12874-021-01306-w
    """
    model = prepare_model(series, shift, scale=scale, harmonics=harmonics, empty=True)
    return estimate_by(estimators, model)


def estimate_by(estimators: Sequence[str], model: SegmentedModel) -> pd.DataFrame:
    """Return what `compare_estimators` does, for a model that is prepared already."""
    rows = [row for name in estimators for row in estimator_rows(name, model)]
    return pd.DataFrame(rows, columns=COLUMNS)


def judge_comparison(comparison: pd.DataFrame) -> ComparisonVerdict:
    """Return the worse of the verdicts on level and slope."""
    verdicts = [judge_estimand(comparison[comparison["estimand"] == name]) for name in JUDGED]
    return min(verdicts, key=["sign differs", "intervals differ", "agree"].index)


def judge_estimand(rows: pd.DataFrame) -> ComparisonVerdict:
    """Return the verdict on rows of one estimand: *agree* where fewer than two have an answer."""
    return judge_numbers(rows[["estimate", "low", "high", "p"]].to_numpy(dtype=float))


def judge_numbers(numbers: np.ndarray) -> ComparisonVerdict:
    """Return the verdict on estimates, their intervals and p, (m, 4)."""
    estimate, low, high, _ = numbers[~np.isnan(numbers[:, [0, 3]]).any(axis=1)].T
    above, below = (low > 0).any(), (high < 0).any()  # an exact fit has no p
    # an interval lies wholly on one side of zero, another estimate on the other
    if (above and (estimate < 0).any()) or (below and (estimate > 0).any()):
        return "sign differs"
    excludes = (low > 0) | (high < 0)
    return "intervals differ" if excludes.any() and not excludes.all() else "agree"


def estimator_rows(name: str, model: SegmentedModel) -> Iterator[list]:
    """Yield the rows of one estimator, a cell for each of `COLUMNS`."""
    estimate = _textbook if name in LINEAR or name in COUNTS else _integrated
    counts = name in COUNTS or name == "count_reml"
    try:
        if counts and not (has_counts(model.window) and model.scale == "log"):
            raise EstimatorError("a count model speaks of ratios of rates: log scale only")
        if model.counted and not counts:
            raise EstimatorError("the log scale needs deaths in every period")
        table, note = estimate(name, model)
    except EstimatorError as error:
        table, note = pd.DataFrame(index=model.estimands), str(error)
    numbers = np.column_stack([table.get(name, [np.nan] * len(table)) for name in COLUMNS[2:7]])
    for estimand, row in zip(model.estimands, numbers.tolist(), strict=True):
        yield [name, estimand, *row, model.notes.get(estimand, note)]


def _integrated(name: str, model: SegmentedModel) -> tuple[pd.DataFrame, str]:
    what = "errors' law"
    if name == "count_reml":
        return model.by_counts, f"{what} integrated out"
    if name == "reml_ar1":
        model, what = replace(model, law="ar1"), "rho of AR(1) errors"
    table, mixture = estimate_effects(replace(model, counted=False))
    return table, NO_VARIATION if mixture.exact[0] else f"{what} integrated out"


def _textbook(name: str, model: SegmentedModel) -> tuple[pd.DataFrame, str]:
    fits = [_fit(name, model, design.to_numpy()) for design in model.designs]
    C = model.contrasts
    if name in COUNTS:
        own, C = _own_columns(model)[model.kept], C[:, model.kept]
        C = np.hstack([np.where(own, 0, C), C[:, own]]) if own.any() else C
    means = np.array([C @ np.nan_to_num(fit.estimate) for fit in fits])
    within = [np.diag(C @ np.nan_to_num(fit.covariance) @ C.T) for fit in fits]
    power = 0 if name in COUNTS else unit_size(model.outcome)[1]
    estimate, variance = means.mean(axis=0), np.mean(within, axis=0) + means.var(axis=0)
    if not np.isfinite(variance).all() or (variance < 0).any():
        raise EstimatorError("no standard errors: the likelihood is not curved where it ended")
    (estimate, se), df = np.ldexp([estimate, np.sqrt(variance)], power), fits[0].df
    reach = stdtrit(df, 0.975) * se
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(se > 0, 2 * stdtr(df, -np.abs(estimate) / se), np.nan)
    low, high = estimate - reach, estimate + reach
    if model.scale == "log":
        se *= 100 * np.exp(estimate)
        estimate, low, high = as_percent(np.array([estimate, low, high]))
    numbers = np.column_stack([estimate, se, low, high, p])
    numbers[[name in model.notes for name in model.estimands]] = np.nan
    return pd.DataFrame(numbers, model.estimands, COLUMNS[2:7]), fits[0].note


def _own_columns(model: SegmentedModel) -> np.ndarray:
    """Return which columns (k,) a group beside a control has to itself: none without a control.

    Both share the season, the covariates and the periods left out.
    """
    if control_of(model.window).empty:
        return np.zeros(model.designs[0].shape[1], dtype=bool)
    return model.designs[0].columns.str.contains("^(?:const|trend|level.*|slope.*)$")


def _fit(name: str, model: SegmentedModel, X: np.ndarray) -> Coefficients:
    if name in COUNTS:
        groups = [*split_groups(model).values()][:2] or [model]  # treated and control
        deaths, exposure = np.hstack([group.counts for group in groups])
        own, seen = X[:, _own_columns(model)], np.tile(~model.omitted, len(groups))
        X = np.vstack([X[:, model.kept]] * len(groups))
        X = np.hstack([X, np.vstack([own, np.zeros_like(own)])[: len(X)]])
        return COUNTS[name](deaths[seen], X[seen], exposure=exposure[seen])
    y = unit_size(model.outcome)[0]
    fitted = np.linalg.lstsq(X, y, rcond=None)[0]
    if is_exact(y - X @ fitted, y):
        return Coefficients(fitted, np.zeros_like(X.T @ X), note=NO_VARIATION)
    return LINEAR[name](y, X)
