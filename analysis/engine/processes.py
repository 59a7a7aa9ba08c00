"""Errors of known autocorrelation, to simulate series from."""

import numpy as np
from scipy.optimize import brentq
from scipy.signal import lfilter

from analysis.checks import check_whole

PROCESSES = ("ar1", "ar2", "arma", "seasonal_ar", "heavy_tails", "variance_change")
SECOND_LAG = 0.3  # coefficient of u_{t-2} in "ar2"
MOVING = -0.3  # coefficient of e_{t-1} in "arma"
SEASONAL = 0.4  # coefficient at lag 12 in "seasonal_ar"
TAIL_DF = 3  # degrees of freedom of the innovations in "heavy_tails": variance, no kurtosis
LATER_SD = 2.0  # factor on the innovations from the shift on in "variance_change"
FORGOTTEN = 1e-4  # what is left of the start, zero, when the simulated series begins


def process_filter(process: str, rho: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what turns innovations into errors with lag-one autocorrelation `rho`.

    With B the step back by one period, and a solved for:

    - *ar1*, *heavy_tails*, *variance_change*: (1 - rho B) u = e
    - *ar2*: (1 - 0.7 rho B - 0.3 B^2) u = e
    - *arma*: (1 - a B) u = (1 - 0.3 B) e, what an AR(1) looks like through the noise of counting
    - *seasonal_ar*: (1 - a B) (1 - 0.4 B^12) u = e

    The two arrays hold the coefficients of 1, B, B^2, … of e and of u.
    """
    if process not in PROCESSES:
        raise ValueError(f"unknown process {process!r}; use one of {list(PROCESSES)}")
    if not -1 < rho < 1:
        raise ValueError(f"rho must lie between -1 and 1; found {rho}")
    moving = np.array([1.0])
    if process == "ar2":
        return moving, np.array([1.0, -(1 - SECOND_LAG) * rho, -SECOND_LAG])
    if process == "arma":
        first = brentq(lambda a: _lag_one_of_arma(a) - rho, -1, 1, xtol=1e-14)
        return np.array([1.0, MOVING]), np.array([1.0, -first])
    if process == "seasonal_ar":
        first = brentq(lambda a: _lag_one_of_seasonal(a) - rho, -1, 1, xtol=1e-14)
        return moving, np.convolve([1.0, -first], [1.0, *[0.0] * 11, -SEASONAL])
    return moving, np.array([1.0, -rho])


def simulate_errors(
    process: str,
    n: int,
    count: int,
    rng: np.random.Generator,
    *,
    rho: float,
    shift_at: int | None = None,
) -> np.ndarray:
    """Simulate stationary errors (n, count) with normal innovations of variance 1.

    Those of *heavy_tails* are Student t of 3 degrees of freedom, scaled to variance 1; those of
    *variance_change* have standard deviation 2 from the shift on, by default at ``n // 2``. The
    first series are the same whatever the `count`.
    """
    moving, autoregressive = process_filter(process, rho)
    shift_at = n // 2 if shift_at is None else shift_at
    if not 0 < shift_at < n:
        raise ValueError(f"shift_at must lie between 1 and {n - 1}; found {shift_at}")
    slowest = np.abs(np.roots(autoregressive)).max(initial=0.0)
    start = int(np.ceil(np.log(FORGOTTEN) / np.log(slowest))) if slowest > 0 else 1
    if process == "heavy_tails":
        noise = rng.standard_t(TAIL_DF, (count, start + n)) * np.sqrt(1 - 2 / TAIL_DF)
    else:
        noise = rng.standard_normal((count, start + n))
    if process == "variance_change":
        noise[:, start + shift_at :] *= LATER_SD
    return lfilter(moving, autoregressive, noise, axis=1)[:, start:].T


def check_simulations(simulations: int) -> int:
    """Return `simulations`; raise a ValueError unless it is a whole number from 20 up."""
    return check_whole(simulations, "simulations", 20)


def _lag_one_of_arma(first: float) -> float:
    """Return the lag-one autocorrelation of (1 - first B) u = (1 + MOVING B) e."""
    product = first * MOVING
    return (1 + product) * (first + MOVING) / (1 + 2 * product + MOVING**2)


def _lag_one_of_seasonal(first: float) -> float:
    """Return the lag-one autocorrelation of (1 - first B)(1 - SEASONAL B^12) u = e.

    The autocovariances are proportional to the sum over years j of SEASONAL^|j| first^|h - 12 j|.
    """
    repeated = SEASONAL / (1 - SEASONAL * first**12)
    return (first + (first**11 + first**13) * repeated) / (1 + 2 * first**12 * repeated)
