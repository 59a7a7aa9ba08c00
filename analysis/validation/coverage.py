"""How often the intervals of each estimator hold the truth, by simulation.

Series are simulated without any shift: one would move estimate and interval alike (for the count
models nearly so), so what covers zero here covers any other truth.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from analysis.checks import check_known, check_whole, require
from analysis.engine.optimise import Coefficients, EstimatorError
from analysis.engine.processes import FEWEST, simulate_errors
from analysis.engine.reml import fit_many
from analysis.its.comparison import COUNTS, LINEAR
from analysis.its.design import build_design
from analysis.its.shifts import PolicyShift

BASE_DEATHS, DEATHS_SD = 10_000, 0.05  # of the simulated counts: exp(0.05 u) on 10,000 a month
ESTIMANDS = ("level", "slope")
CALIBRATED = ("reml", "reml_ar1", "ols", *LINEAR, *COUNTS)
LATE = 12  # months from a late shift on


class Cell(NamedTuple):
    """One setting of the simulation: error process, months, its parameter, where the shift is."""

    process: str
    n: int
    parameter: float
    place: Literal["middle", "late"] = "middle"


MEASURES = ["estimator", "estimand", "coverage", "mc_error", "simulations", "failures"]
COLUMNS = [*Cell._fields, *MEASURES]


def coverage_table(
    cells: Iterable[Cell | tuple],
    *,
    estimators: Sequence[str] = CALIBRATED,
    simulations: int | Mapping[str, int] = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how often nominal 95% intervals for level and slope hold the truth.

    Constant, trend, level and slope are fitted, without harmonics; the shift is in the middle, at
    position ``n // 2``, or late, 12 months before the end. Every estimator sees the same series;
    the count models see Poisson counts with mean 10,000 exp(0.05 u).

    Parameters
    ----------
    cells : iterable of Cell or tuple
        Process, months, the process's parameter (`analysis.engine.processes`), and *middle*
        (default) or *late*: ``("ar1", 100, 0.8)``, ``("local_level", 100, 0.2, "late")``.
    estimators : sequence of str
        Of `CALIBRATED`: *reml* (the headline), *reml_ar1*, *ols*, and those of the comparison.
    simulations : int or mapping of int
        Simulated series, for all estimators or for each by its name.
    seed : int
        A cell's series depend on the seed and the cell alone.

    Returns
    -------
    DataFrame
        Long: `process`, `n`, `parameter`, `place`, `estimator`, `estimand`, `coverage` and
        `mc_error` (its Monte Carlo standard error; both in percent of the answered series),
        `simulations`, `failures` (series for which the estimator had no interval).

    References
    ----------
    Turner, S. L., Forbes, A. B., Karahalios, A., Taljaard, M. and McKenzie, J. E. (2021).
    Evaluation of statistical methods used in the analysis of interrupted time series studies: a
    simulation study. BMC Medical Research Methodology 21, 181. doi:10.1186/s12874-021-01364-0
    """
    require(len(estimators) > 0, f"no estimator is named; choose of {list(CALIBRATED)}")
    if not isinstance(simulations, Mapping):
        simulations = dict.fromkeys(estimators, simulations)
    counts, rows = {}, []
    for name in estimators:
        check_known(name, CALIBRATED, "estimator")
        require(name in simulations, f"simulations has no number for {name!r}; add one")
        counts[name] = check_whole(simulations[name], "simulations", FEWEST)
    for cell in cells:
        process, n, rho, place = cell = Cell(*cell)
        check_known(place, ("middle", "late"), "place")
        after = n // 2 if place == "middle" else n - LATE
        index = pd.period_range("2000-01", periods=n, freq="M")
        design = build_design(index, PolicyShift("simulated", index[after]), harmonics=0)
        X, C = design.to_numpy(), np.array([design.columns == name for name in ESTIMANDS], float)
        entropy = [seed, n, round(1e6 * (1 + rho))]
        rng, count_rng = (np.random.default_rng([*entropy, stream]) for stream in (0, 1))
        errors = simulate_errors(process, n, max(counts.values()), rng, rho=rho, shift_at=after)
        deaths = count_rng.poisson(BASE_DEATHS * np.exp(DEATHS_SD * errors.T)).T.astype(float)
        for name, count in counts.items():
            data = deaths if name in COUNTS else errors
            held = share_held(*intervals(name, data[:, :count], X, C, after), ESTIMANDS)
            rows += [[*cell, name, *row] for row in held]
    return pd.DataFrame(rows, columns=COLUMNS)


def lay_out_coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Return `coverage_table` to be read: a column an estimator, "level / slope" in percent."""
    keys = [table[name] for name in table.columns[: table.columns.get_loc("estimator") + 1]]
    percent = table["coverage"].map("{:.0f}".format).groupby(keys, sort=False)
    wide = percent.agg(" / ".join).unstack("estimator", sort=False, fill_value="")
    return wide.rename_axis(columns=None)


def share_held(low: np.ndarray, high: np.ndarray, estimands: Sequence[str]) -> Iterator[list]:
    """Yield each estimand with how often its intervals (N, m) hold zero: `MEASURES` from it on."""
    answered = np.isfinite(low) & np.isfinite(high)
    held = (low <= 0) & (high >= 0)
    for column, estimand in enumerate(estimands):
        known = held[answered[:, column], column]
        share = float(known.mean()) if len(known) else np.nan
        error = np.sqrt(share * (1 - share) / max(len(known), 1))
        yield [estimand, 100 * share, 100 * error, len(low), len(low) - len(known)]


def intervals(
    name: str, data: np.ndarray, X: np.ndarray, C: np.ndarray, after: int, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the intervals for every series of `data` (n, N), each of shape (N, m)."""
    if name in ("reml", "reml_ar1"):
        own = {"after": after} if name == "reml" else {"law": "ar1"}
        fits = fit_many(data, X, C, **own)
        return fits.low, fits.high
    if name == "ols":
        b, df = np.linalg.lstsq(X, data, rcond=None)[0], len(X) - X.shape[1]
        variance = ((data - X @ b) ** 2).sum(axis=0) / df
        spread = np.diag(C @ np.linalg.solve(X.T @ X, C.T))
        estimate, se = (C @ b).T, np.sqrt(np.multiply.outer(variance, spread))
    else:
        fit = partial((LINEAR | COUNTS)[name], **options)
        estimate, se, df = np.array([_estimate_one(fit, y, X, C) for y in data.T]).swapaxes(0, 1)
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
