"""How often intervals hold the truth, by simulation: of each estimator, and of one analysis.

Series are simulated without any shift: one would move estimate and interval alike (for the count
models nearly so), so what covers zero here covers any other truth.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.arguments import Seed, Waves, check_number, check_several, checked, whole
from analysis.checks import check_known, check_whole, require, shown
from analysis.engine.draws import FEWEST, draw_parameters, simulate_errors, simulate_law
from analysis.engine.estimators import newey_west_contrasts
from analysis.engine.optimise import EstimatorError
from analysis.engine.reml import find_ends
from analysis.its.comparison import COUNTS, LINEAR
from analysis.its.design import build_design
from analysis.its.model import ESTIMANDS, prepare_model
from analysis.its.series import ERRORS, Scale, as_percent
from analysis.its.shifts import PolicyShift

BASE_DEATHS, DEATHS_SD = 10_000, 0.05  # of the simulated counts: exp(0.05 u) on 10,000 a month
BREAK = ("level", "slope")
CALIBRATED = ("reml", "reml_ar1", "ols", *LINEAR, *COUNTS)
LATE = 12  # months from a late shift on
JUDGED = ("level", "slope", "effect")
POWER = 0.8
LEAST = ["mde_rise", "mde_fall", "mde_mc_error"]
CERTIFIED = ["month", "estimand", "size", "coverage", "mc_error", *LEAST, "simulations"]


class Cell(NamedTuple):
    """One setting of the simulation: error process, months, its parameter, where the shift is."""

    process: str
    n: int
    parameter: float
    place: Literal["middle", "late"] = "middle"


def check_cells(value: Any, name: str) -> tuple[Cell, ...]:
    """Return one setting, or a sequence of them, as cells."""
    one = isinstance(value, tuple) and len(value) > 0 and isinstance(value[0], str)
    return check_several([value] if one else value, name, _read_cell)


def _read_cell(cell: Any, name: str) -> Cell:
    if not isinstance(cell, tuple | list) or len(cell) not in (3, 4):
        raise TypeError(ERRORS["setting"].format(name=name, found=shown(cell)))
    process, n, rho, place = Cell(*cell)
    check_known(place, ("middle", "late"), "place")
    n = check_whole(n, f"months in {name}", 2 * LATE, 2_000)
    return Cell(process, n, check_number(rho, f"the parameter in {name}", -1, 1e6), place)


MEASURES = ["estimator", "estimand", "coverage", "mc_error", "simulations", "failures"]
COLUMNS = [*Cell._fields, *MEASURES]


@checked
def coverage_table(
    cells: Annotated[Sequence[Cell | tuple], check_cells],
    *,
    estimators: Sequence[str] = CALIBRATED,
    simulations: int | Mapping[str, int] = 1000,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Return how often nominal 95% intervals for level and slope hold the truth.

    Constant, trend, level and slope are fitted, without harmonics; the shift is in the middle, at
    position ``n // 2``, or late, 12 months before the end. Every estimator sees the same series;
    the count models see Poisson counts with mean 10,000 exp(0.05 u).

    Parameters
    ----------
    cells : iterable of Cell or tuple
        Process, months, its parameter (`analysis.engine.draws`), place of the shift:
        ``("ar1", 100, 0.8)``, ``("local_level", 100, 0.2, "late")``.
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
    Turner et al. (2021), BMC Medical Research Methodology 21, 181, doi:10.1186/s12874-021-01364-0
    """
    require(len(estimators) > 0, f"estimators names none; choose of {list(CALIBRATED)}")
    if not isinstance(simulations, Mapping):
        simulations = dict.fromkeys(estimators, simulations)
    for name in (*estimators, *simulations):
        check_known(name, CALIBRATED, "estimator")
    lacking = [name for name in estimators if name not in simulations]
    require(not lacking, f"simulations has no number for {lacking}; add one each")
    counts = {x: check_whole(simulations[x], "simulations", FEWEST) for x in estimators}
    require(len(cells) > 0, "cells names no setting; give one or more such as ('ar1', 100, 0.8)")
    rows = []
    for process, n, rho, place in cells:
        after = n // 2 if place == "middle" else n - LATE
        index = pd.period_range("2000-01", periods=n, freq="M")
        design = build_design(index, PolicyShift("simulated", index[after]), harmonics=0)
        X, C = design.to_numpy(), np.array([design.columns == name for name in BREAK], float)
        entropy = [seed, n, round(1e6 * (1 + rho))]
        rng, count_rng = (np.random.default_rng([*entropy, stream]) for stream in (0, 1))
        errors = simulate_errors(process, n, max(counts.values()), rng, rho=rho, shift_at=after)
        deaths = count_rng.poisson(BASE_DEATHS * np.exp(DEATHS_SD * errors.T)).T.astype(float)
        for name, count in counts.items():
            data = deaths if name in COUNTS else errors
            held = share_held(*intervals(name, data[:, :count], X, C, after), BREAK)
            rows += [[process, n, rho, place, name, *row] for row in held]
    return pd.DataFrame(rows, columns=COLUMNS)


def lay_out_coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Return `coverage_table` to be read: a column an estimator, "level / slope" in percent."""
    keys = [table[name] for name in table.columns[: table.columns.get_loc("estimator") + 1]]
    percent = table["coverage"].map("{:.0f}".format).groupby(keys, sort=False)
    wide = percent.agg(" / ".join).unstack("estimator", sort=False, fill_value="")
    return wide.rename_axis(columns=None)


def share_held(low: np.ndarray, high: np.ndarray, estimands: Sequence[str]) -> Iterator[list]:
    """Yield each estimand with how often its intervals (N, m) hold zero: `MEASURES` from it on."""
    held = np.where(np.isfinite(low) & np.isfinite(high), (low <= 0) & (high >= 0), np.nan)
    for estimand, column in zip(estimands, held.T, strict=True):
        known = column[~np.isnan(column)]
        share = float(known.mean()) if len(known) else np.nan
        error = np.sqrt(share * (1 - share) / max(len(known), 1))
        yield [estimand, 100 * share, 100 * error, len(low), len(low) - len(known)]


def intervals(
    name: str, data: np.ndarray, X: np.ndarray, C: np.ndarray, after: int, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the intervals for every series of `data` (n, N), each of shape (N, m)."""
    if name in ("reml", "reml_ar1"):
        low, high = find_ends(data, X, C, **{"after": after} if name == "reml" else {"law": "ar1"})
        return low, high
    df: Any = len(X) - X.shape[1]
    if name == "newey_west":
        estimate, se = (found.T for found in newey_west_contrasts(data, X, C))
    elif name == "ols":
        b = np.linalg.lstsq(X, data, rcond=None)[0]
        variance = ((data - X @ b) ** 2).sum(axis=0) / df
        spread = np.diag(C @ np.linalg.solve(X.T @ X, C.T))
        estimate, se = (C @ b).T, np.sqrt(np.multiply.outer(variance, spread))
    else:
        fit = partial((LINEAR | COUNTS)[name], **options)
        estimate, se, df = np.array([_estimate_one(fit, y, X, C) for y in data.T]).swapaxes(0, 1)
    reach = stdtrit(df, 0.975) * se
    return estimate - reach, estimate + reach


def _estimate_one(fit: Callable, y: np.ndarray, X: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Return estimate, standard error and df of each contrast, shape (3, m); nan if none."""
    try:
        found = fit(y, X)
    except EstimatorError:
        return np.full((3, len(C)), np.nan)
    variance = np.diag(C @ np.nan_to_num(found.covariance) @ C.T)
    se = np.sqrt(np.where(variance > 0, variance, np.nan))
    return np.array([C @ np.nan_to_num(found.estimate), se, np.full(len(C), found.df)])


@checked
def certificate(
    series: pd.DataFrame,
    shift: PolicyShift,
    *,
    scale: Scale | None = None,
    harmonics: Waves = 2,
    simulations: Annotated[int, whole(FEWEST)] = 4000,
    seed: Seed = 0,
) -> pd.DataFrame:
    """State size, coverage and minimum detectable effects of `fit_its` on this series and shift.

    The fitted model with this shift's terms at zero is simulated, each series with errors of a law
    of its own, drawn from what this series says of it, and fitted as the real one. A true effect
    moves estimate and interval alike: one set of series tells size, coverage and all power.

    Parameters
    ----------
    series, shift, scale, harmonics
        As in `analysis.fit_its`; of a range of months, the first.
    simulations, seed : int
        Number of simulated series, and their seed.

    Returns
    -------
    DataFrame
        One row for each of `level`, `slope`, `effect_12m`, `effect_24m` that the data carry, with
        the shift's `month`, the `simulations`, and

        - `size`: percent of 5% tests that reject a true null hypothesis; `coverage`: percent of 95%
          intervals that hold the truth (100 - size, the tests being those of the intervals);
          `mc_error`: Monte Carlo standard error of both, in percentage points
        - `mde_rise`, `mde_fall`: the least effect of either sign whose interval lies on its own
          side of zero with 80% probability, in the unit of `fit_its` (percent on the log scale,
          where rise and fall differ); `mde_mc_error`: Monte Carlo standard error of `mde_rise`

    References
    ----------
    Zhang et al. (2011), J. Clinical Epidemiology 64, 1252-1261, doi:10.1016/j.jclinepi.2011.02.007
    """
    rng = np.random.default_rng(seed)
    model = prepare_model(series, shift, scale=scale, harmonics=harmonics)
    X, after = model.designs[0].to_numpy(), model.n_before
    drawn = draw_parameters(model.outcome, X, rng, simulations, after=after)
    require(drawn.sigma.all(), ERRORS["exact"])
    wanted = [name for name in ESTIMANDS if name.startswith(JUDGED) and name not in model.notes]
    C = model.contrasts[[ESTIMANDS.index(name) for name in wanted]]
    errors = simulate_law(drawn, len(X), rng, after=after)
    low, high = find_ends(errors, X, C, after=after)  # the null model's X b moves nothing
    size = ((low > 0) | (high < 0)).mean(axis=0)
    effects = [_least_effects(*ends, model.scale) for ends in zip(low.T, high.T, strict=True)]
    error = np.sqrt(size * (1 - size) / simulations)
    shares = {"size": 100 * size, "coverage": 100 * (1 - size), "mc_error": 100 * error}
    table = pd.DataFrame(effects, columns=LEAST).assign(estimand=wanted, **shares)
    return table.assign(month=str(model.shift.month), simulations=simulations)[CERTIFIED]


def _least_effects(low: np.ndarray, high: np.ndarray, scale: Scale) -> tuple[float, float, float]:
    """Return the least rise and fall found with probability `POWER`, and the rise's error."""
    # A rise is found if it exceeds -low, a fall if it exceeds high. The errors are symmetric: one
    # least size serves both signs, and every series counts twice.
    needed = np.concatenate([-low, high])
    size = np.quantile(needed, POWER)
    found = ((-low < size).astype(float) + (high < size)) / 2
    error = found.std() / np.sqrt(len(low))  # of the share found
    near = np.quantile(needed, [max(POWER - error, 0), min(POWER + error, 1)])
    sizes = np.array([size, -size, *near])
    rise, fall, below, above = (as_percent(sizes) if scale == "log" else sizes).tolist()
    return rise, fall, (above - below) / 2
