"""How often the intervals of each estimator hold the truth, by simulation.

Series without any shift are simulated with errors of a known process, and every estimator is asked
for its 95% intervals for level and slope. Adding a shift to a series moves estimate and interval by
that shift, so what covers zero here covers any other truth. (The count models' intervals move so to
a good approximation.)
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from analysis.engine.errors import rho_nodes
from analysis.engine.optimise import Coefficients, EstimatorError
from analysis.engine.processes import check_simulations, simulate_errors
from analysis.engine.reml import fit_many, integrate_rho
from analysis.its.comparison import COUNTS, LINEAR
from analysis.its.design import build_design
from analysis.its.shifts import PolicyShift

BASE_DEATHS, DEATHS_SD = 10_000, 0.05  # of the simulated counts: exp(0.05 u) on 10,000 a month
PLUGIN_NODES, BLOCK = 200, 2000  # values of rho to choose from; series at a time

ESTIMANDS = ("level", "slope")
CALIBRATED = ("reml", "reml_plugin", "ols", *LINEAR, *COUNTS)


class Cell(NamedTuple):
    """One setting of the simulation: error process, number of months, lag-one autocorrelation."""

    process: str
    n: int
    rho: float


COLUMNS = [*Cell._fields, "estimator", "estimand"]
COLUMNS += ["coverage", "mc_error", "simulations", "failures"]


def coverage_table(
    cells: Iterable[Cell | tuple[str, int, float]],
    *,
    estimators: Sequence[str] = CALIBRATED,
    simulations: int | Mapping[str, int] = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how often nominal 95% intervals for level and slope hold the truth.

    Constant, trend, level and slope are fitted, without harmonics; the shift is in the middle, at
    position ``n // 2``. Every estimator sees the same series; the count models see Poisson counts
    with mean 10,000 exp(0.05 u).

    Parameters
    ----------
    cells : iterable of Cell or tuple
        Process (one of `PROCESSES`), months, lag-one autocorrelation: ``("ar1", 100, 0.8)``.
    estimators : sequence of str
        Of `CALIBRATED`: *reml* (the headline, rho integrated out), *reml_plugin* (rho at the
        maximum of its restricted likelihood, Student t), *ols*, and those of the comparison.
    simulations : int or mapping of int
        Simulated series, for all estimators or for each by its name.
    seed : int
        A cell's series depend on the seed and the cell alone.

    Returns
    -------
    DataFrame
        Long: `process`, `n`, `rho`, `estimator`, `estimand`, `coverage` and `mc_error` (its Monte
        Carlo standard error; both in percent of the answered series), `simulations`, `failures`
        (series for which the estimator had no interval).

    Raises
    ------
    ValueError
        If a cell, an estimator or a number of simulations cannot be used.

    References
    ----------
    Turner, S. L., Forbes, A. B., Karahalios, A., Taljaard, M. and McKenzie, J. E. (2021).
    Evaluation of statistical methods used in the analysis of interrupted time series studies: a
    simulation study. BMC Medical Research Methodology 21, 181. doi:10.1186/s12874-021-01364-0
    """
    counts = _simulations_of_each(estimators, simulations)
    rows = []
    for process, n, rho in cells:
        X, positions = _middle_design(n)
        C = np.eye(X.shape[1])[positions]
        entropy = [seed, n, round(1e6 * (1 + rho))]
        rng, count_rng = (np.random.default_rng([*entropy, stream]) for stream in (0, 1))
        errors = simulate_errors(process, n, max(counts.values()), rng, rho=rho)
        deaths = count_rng.poisson(BASE_DEATHS * np.exp(DEATHS_SD * errors.T)).T.astype(float)
        for name, count in counts.items():
            data = deaths if name in COUNTS else errors
            low, high = _intervals(name, data[:, :count], X, C)
            rows += [
                [process, n, rho, name, estimand, *_share(low[:, i], high[:, i])]
                for i, estimand in enumerate(ESTIMANDS)
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def lay_out_coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Return `coverage_table` to be read: a column an estimator, "level / slope" in percent.

    Rows are process, n and rho; where an estimator was not tried the cell is empty.
    """
    keys = [table[name] for name in (*Cell._fields, "estimator")]
    percent = table["coverage"].map("{:.0f}".format).groupby(keys, sort=False)
    wide = percent.agg(" / ".join).unstack("estimator", sort=False, fill_value="")
    return wide.rename_axis(columns=None)


def _share(low: np.ndarray, high: np.ndarray) -> tuple[float, float, int, int]:
    answered = np.isfinite(low) & np.isfinite(high)
    used = int(answered.sum())
    if not used:
        return np.nan, np.nan, len(low), len(low)
    share = float(((low <= 0) & (high >= 0))[answered].mean())
    error = float(np.sqrt(share * (1 - share) / used))
    return 100 * share, 100 * error, len(low), len(low) - used


def _intervals(
    name: str, data: np.ndarray, X: np.ndarray, C: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the intervals for every series of `data` (n, N), each of shape (N, m)."""
    if name == "reml":
        fits = fit_many(data, X, C)
        return fits.low, fits.high
    if name in BATCHED:
        estimate, se, df = BATCHED[name](data, X, C)
    else:
        fit = (LINEAR | COUNTS)[name]
        found = np.array([_estimate_one(fit, y, X, C) for y in data.T])
        estimate, se, df = found[:, 0], found[:, 1], found[:, 2]
    reach = student.ppf(0.975, df) * se
    return estimate - reach, estimate + reach


def _estimate_one(
    fit: Callable[..., Coefficients], y: np.ndarray, X: np.ndarray, C: np.ndarray
) -> np.ndarray:
    """Return estimate, standard error and df of each contrast, shape (3, m); nan if none."""
    try:
        found = fit(y, X)
    except EstimatorError:
        return np.full((3, len(C)), np.nan)
    variance = np.diag(C @ np.nan_to_num(found.covariance) @ C.T)
    se = np.sqrt(np.where(variance > 0, variance, np.nan))
    return np.array([C @ np.nan_to_num(found.estimate), se, np.full(len(C), found.df)])


def _plug_in_rho(
    data: np.ndarray, X: np.ndarray, C: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return what generalised least squares say at the maximum of the restricted likelihood."""
    width = rho_nodes(PLUGIN_NODES)[1]
    parts = []
    for start in range(0, data.shape[1], BLOCK):
        mixture = integrate_rho(data[:, start : start + BLOCK], X, C, nodes=PLUGIN_NODES)
        top = (mixture.weight / width).argmax(axis=1)[:, None, None]
        parts.append([np.take_along_axis(x, top, 2)[..., 0] for x in (mixture.mean, mixture.scale)])
    estimate, se = (np.concatenate(column) for column in zip(*parts, strict=True))
    return estimate, se, mixture.df


def _ordinary(data: np.ndarray, X: np.ndarray, C: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    coefficients = np.linalg.lstsq(X, data, rcond=None)[0]
    df = len(X) - X.shape[1]
    variance = ((data - X @ coefficients) ** 2).sum(axis=0) / df
    spread = np.diag(C @ np.linalg.solve(X.T @ X, C.T))
    return (C @ coefficients).T, np.sqrt(np.multiply.outer(variance, spread)), df


BATCHED = {"reml_plugin": _plug_in_rho, "ols": _ordinary}


def _middle_design(n: int) -> tuple[np.ndarray, list[int]]:
    index = pd.period_range("2000-01", periods=n, freq="M")
    design = build_design(index, PolicyShift("middle", index[n // 2]), harmonics=0)
    return design.to_numpy(), [design.columns.get_loc(name) for name in ESTIMANDS]


def _simulations_of_each(
    estimators: Sequence[str], simulations: int | Mapping[str, int]
) -> dict[str, int]:
    unknown = [name for name in estimators if name not in CALIBRATED]
    if unknown or not len(estimators):
        raise ValueError(f"unknown estimators {unknown}; choose of {list(CALIBRATED)}")
    if not isinstance(simulations, Mapping):
        simulations = dict.fromkeys(estimators, simulations)
    missing = [name for name in estimators if name not in simulations]
    if missing:
        raise ValueError(f"simulations has no number for {missing}; add one for each estimator")
    return {name: check_simulations(simulations[name]) for name in estimators}
