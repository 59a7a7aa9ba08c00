"""What an analysis of this series at these dates can and cannot see, by simulation."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.checks import check_seed
from analysis.engine.errors import EXACT
from analysis.engine.gls import whiten
from analysis.engine.processes import check_simulations, simulate_errors
from analysis.engine.reml import fit_many
from analysis.its.model import ESTIMANDS, SegmentedModel, posterior_rho, prepare_model
from analysis.its.series import Scale, as_percent, outcome
from analysis.its.shifts import PolicyShift

POWER = 0.8
SETTINGS = {"low": "2.5% quantile", "estimate": "median", "high": "97.5% quantile"}  # of rho
LEAST = ["mde_rise", "mde_fall", "mde_mc_error"]
COLUMNS = ["month", "rho_setting", "rho", "sigma", "estimand", "size", "coverage", "mc_error"]
COLUMNS += [*LEAST, "simulations"]


def certificate(
    series: pd.DataFrame,
    shift: PolicyShift,
    *,
    scale: Scale | None = None,
    harmonics: int = 2,
    simulations: int = 4000,
    seed: int = 0,
) -> pd.DataFrame:
    """State size, coverage and minimum detectable effects of `fit_its` on this series and shift.

    The fitted model with this shift's terms at zero is simulated, with AR(1) errors, and every
    simulated series is fitted as the real one. rho is not known, so that this is done at three
    values of it, with sigma as estimated at each. Adding a shift to a series moves estimate and
    interval by that shift and changes nothing else: one set of simulated series tells size,
    coverage, whatever the true effect, and the power at every effect.

    A shift known only as a range of months is certified at its first month.

    Parameters
    ----------
    series, shift, scale, harmonics
        As in `analysis.fit_its`.
    simulations : int
        Simulated series for each value of rho.
    seed : int
        Seed of the simulation.

    Returns
    -------
    DataFrame
        One row for each value of rho and each of `level`, `slope`, `effect_12m`, `effect_24m` that
        the data carry:

        - `month`: the shift's; `rho_setting`, `rho`: median or end of the 95% interval of rho;
          `sigma`: standard deviation of the innovations, on the scale of the model
        - `size`: percent of 5% tests that reject a true null hypothesis; `coverage`: percent of 95%
          intervals that hold the truth (100 - size, the tests being those of the intervals);
          `mc_error`: Monte Carlo standard error of both, in percentage points
        - `mde_rise`, `mde_fall`: the least effect of either sign whose interval lies on its own
          side of zero with 80% probability, in the unit of `fit_its` (percent on the log scale,
          where rise and fall differ); `mde_mc_error`: Monte Carlo standard error of `mde_rise`
        - `simulations`

    Raises
    ------
    TypeError, ValueError
        If series, shift or `simulations` cannot be used.

    References
    ----------
    Zhang, F., Wagner, A. K. and Ross-Degnan, D. (2011). Simulation-based power calculation for
    designing interrupted time series analyses of health policy interventions. Journal of Clinical
    Epidemiology 64, 1252-1261. doi:10.1016/j.jclinepi.2011.02.007
    """
    check_simulations(simulations)
    rng = np.random.default_rng(check_seed(seed))
    model = prepare_model(series, shift, scale=scale, harmonics=harmonics)
    model = replace(model, designs=model.designs[:1])
    rho = posterior_rho(model)[0]
    tables = [
        _certify(model, rho[setting], simulations, rng).assign(rho_setting=words)
        for setting, words in SETTINGS.items()
    ]
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _certify(
    model: SegmentedModel, rho: float, simulations: int, rng: np.random.Generator
) -> pd.DataFrame:
    X = model.designs[0].to_numpy()
    sigma = _sigma(outcome(model.window, model.scale), X, rho)
    errors = sigma * simulate_errors("ar1", len(X), simulations, rng, rho=rho)
    wanted = [name for name in ESTIMANDS if name != "pre_trend" and name not in model.notes]
    C = model.contrasts[[ESTIMANDS.index(name) for name in wanted]]
    fits = fit_many(errors, X, C)  # the null model's X b left out: it moves nothing
    size = ((fits.low > 0) | (fits.high < 0)).mean(axis=0)
    effects = [
        _least_effects(low, high, model.scale)
        for low, high in zip(fits.low.T, fits.high.T, strict=True)
    ]
    return pd.DataFrame(effects, columns=LEAST).assign(
        month=str(model.shift.month),
        rho=rho,
        sigma=sigma,
        estimand=wanted,
        size=100 * size,
        coverage=100 * (1 - size),
        mc_error=100 * np.sqrt(size * (1 - size) / simulations),
        simulations=simulations,
    )


def _least_effects(low: np.ndarray, high: np.ndarray, scale: Scale) -> tuple[float, float, float]:
    """Return the least rise and fall found with probability `POWER`, and the rise's error.

    A rise is found if it exceeds -low, a fall if it exceeds high. The errors are symmetric, so one
    least size serves both signs, and every series counts twice.
    """
    needed = np.concatenate([-low, high])
    size = np.quantile(needed, POWER)
    found = ((-low < size).astype(float) + (high < size)) / 2
    error = found.std() / np.sqrt(len(low))  # of the share found
    near = np.quantile(needed, [max(POWER - error, 0), min(POWER + error, 1)])
    sizes = np.array([size, -size, *near])
    if scale == "log":
        sizes = as_percent(sizes)
    rise, fall, below, above = sizes.tolist()
    return rise, fall, (above - below) / 2


def _sigma(y: np.ndarray, X: np.ndarray, rho: float) -> float:
    """Return the standard deviation of the innovations given `rho`, by least squares."""
    white, target = whiten(X, rho), whiten(y, rho)
    b = np.linalg.lstsq(white, target, rcond=None)[0]
    rss = ((target - white @ b) ** 2).sum()
    if rss <= EXACT * (target**2).sum():
        raise ValueError(
            "the model fits without any residual variation: there is no error to simulate. "
            "Use a series with noise, or fewer terms."
        )
    return float(np.sqrt(rss / (len(y) - X.shape[1])))
