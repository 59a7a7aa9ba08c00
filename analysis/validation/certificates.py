"""What an analysis of this series at these dates can and cannot see, by simulation."""

import numpy as np
import pandas as pd

from analysis.checks import check_seed, check_whole, require
from analysis.engine.draws import draw_parameters, simulate_law
from analysis.engine.processes import FEWEST
from analysis.engine.reml import fit_many
from analysis.its.model import ESTIMANDS, prepare_model
from analysis.its.series import Scale, as_percent
from analysis.its.shifts import PolicyShift

JUDGED = ("level", "slope", "effect")
POWER = 0.8
LEAST = ["mde_rise", "mde_fall", "mde_mc_error"]
COLUMNS = ["month", "estimand", "size", "coverage", "mc_error", *LEAST, "simulations"]


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

    The fitted model with this shift's terms at zero is simulated, each series with errors of a law
    of its own, drawn from what this series says of it, and fitted as the real one. Adding a shift
    to a series moves estimate and interval by that shift and changes nothing else: one set of
    simulated series tells size, coverage, whatever the true effect, and the power at every effect.

    A shift known only as a range of months is certified at its first month.

    Parameters
    ----------
    series, shift, scale, harmonics
        As in `analysis.fit_its`.
    simulations, seed : int
        Number of simulated series, and their seed.

    Returns
    -------
    DataFrame
        One row for each of `level`, `slope`, `effect_12m`, `effect_24m` that the data carry:

        - `month`: the shift's
        - `size`: percent of 5% tests that reject a true null hypothesis; `coverage`: percent of 95%
          intervals that hold the truth (100 - size, the tests being those of the intervals);
          `mc_error`: Monte Carlo standard error of both, in percentage points
        - `mde_rise`, `mde_fall`: the least effect of either sign whose interval lies on its own
          side of zero with 80% probability, in the unit of `fit_its` (percent on the log scale,
          where rise and fall differ); `mde_mc_error`: Monte Carlo standard error of `mde_rise`
        - `simulations`

    References
    ----------
    Zhang, F., Wagner, A. K. and Ross-Degnan, D. (2011). Simulation-based power calculation for
    designing interrupted time series analyses of health policy interventions. Journal of Clinical
    Epidemiology 64, 1252-1261. doi:10.1016/j.jclinepi.2011.02.007
    """
    check_whole(simulations, "simulations", FEWEST)
    rng = np.random.default_rng(check_seed(seed))
    model = prepare_model(series, shift, scale=scale, harmonics=harmonics)
    X, after = model.designs[0].to_numpy(), model.n_before
    drawn = draw_parameters(model.outcome, X, rng, simulations, after=after)
    fault = "the model fits without any residual variation: there is no error to simulate"
    require(drawn.sigma.all(), f"{fault}. Use a series with noise, or fewer terms.")
    wanted = [name for name in ESTIMANDS if name.startswith(JUDGED) and name not in model.notes]
    C = model.contrasts[[ESTIMANDS.index(name) for name in wanted]]
    errors = simulate_law(drawn, len(X), rng, after=after)
    fits = fit_many(errors, X, C, after=after)  # the null model's X b left out: it moves nothing
    size = ((fits.low > 0) | (fits.high < 0)).mean(axis=0)
    ends = zip(fits.low.T, fits.high.T, strict=True)
    effects = [_least_effects(low, high, model.scale) for low, high in ends]
    error = np.sqrt(size * (1 - size) / simulations)
    shares = {"size": 100 * size, "coverage": 100 * (1 - size), "mc_error": 100 * error}
    table = pd.DataFrame(effects, columns=LEAST).assign(estimand=wanted, **shares)
    return table.assign(month=str(model.shift.month), simulations=simulations)[COLUMNS]


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
