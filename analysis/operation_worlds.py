"""Panels of places to simulate from, with an effect of the operations that is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from analysis.policies import PolicyShift

REGIONS = 4
BURN_IN = 100


@dataclass(frozen=True)
class World:
    """What the simulated panels have in common.

    The defaults are near the real states before 2006: their log rates stray from a common course
    by about 0.2 (median 0.17 by state), with an autocorrelation of 0.7 to 0.85 from month to month.
    """

    name: str
    ratio: float = 1.0  # of the rates under the operations
    rho: float = 0.7  # of every AR(1) error, by month
    sigma: float = 0.2  # of a state's own and regional log errors, in the middle
    uneven: float = 0.4  # log standard deviation of sigma between states
    regional: float = 1 / 3  # share of a state's variance that its region shares
    national: float = 0.15  # standard deviation of the national error, loaded by 0.5 to 1.5
    dispersion: float = 0.01  # squared coefficient of variation without memory
    spread: float = 0.0  # log standard deviation of the effect between places


def simulate_panel(
    panel: pd.DataFrame, operations: Sequence[PolicyShift], world: World, seed: int
) -> pd.DataFrame:
    """Return `panel`, sorted, with deaths simulated at its mean rates, and a known effect.

    Parameters
    ----------
    panel : DataFrame
        As for `stack_operations`, every place with the same months.
    operations : sequence of PolicyShift
        From their months on the rates of their places are `world.ratio` times as high on average.
    world : World
        Errors and effect.
    seed : int
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    person_years = panel["person_years"].unstack()
    n, periods = person_years.shape
    size = world.sigma * np.exp(world.uneven * rng.standard_normal((n, 1)))
    near = _errors(rng, REGIONS, periods, world.rho)[np.arange(n) % REGIONS]
    own = _errors(rng, n, periods, world.rho)
    loading = world.national * rng.uniform(0.5, 1.5, (n, 1))
    log_rate = size * (np.sqrt(world.regional) * near + np.sqrt(1 - world.regional) * own)
    log_rate += loading * _errors(rng, 1, periods, world.rho)
    middle = np.log(world.ratio) - world.spread**2 / 2  # the mean ratio is `world.ratio`
    for operation in operations:
        here = person_years.index.isin(operation.places)[:, None]
        effect = middle + world.spread * rng.standard_normal((n, 1))
        log_rate += np.where(here & (person_years.columns >= operation.month), effect, 0)
    total = panel.groupby(level=0)[["deaths", "person_years"]].sum()
    mean = (total["deaths"] / total["person_years"]).to_numpy()[:, None] * np.exp(log_rate)
    shape = 1 / world.dispersion
    deaths = rng.poisson(person_years.to_numpy() * mean * rng.gamma(shape, 1 / shape, mean.shape))
    return panel.sort_index().assign(deaths=deaths.ravel())  # the order of `unstack`


def _errors(rng: np.random.Generator, count: int, periods: int, rho: float) -> np.ndarray:
    """Stationary AR(1) errors of variance one, (count, periods)."""
    noise = rng.standard_normal((count, periods + BURN_IN))
    return np.sqrt(1 - rho**2) * lfilter([1], [1, -rho], noise, axis=1)[:, BURN_IN:]
