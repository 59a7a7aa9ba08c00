"""The engine: the law of the errors integrated out by its likelihood, for many series at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, cast

import numpy as np
import pandas as pd

from analysis import checks
from analysis.arguments import Share, check_number, check_several, checked, whole
from analysis.checks import Array, check_columns, match_rows, real_numbers, require, unit_size
from analysis.engine import gls
from analysis.engine.errors import mix
from analysis.engine.executors import Jobs, open_executor
from analysis.engine.law import LawName, law_grid
from analysis.engine.mixture import Mixture, Posterior, mixture_quantiles, mixture_tails

Work = Callable[[Mixture], tuple[Array, ...]]

ROUGH = 0.001  # of the standard deviation: what is left is its square
FAR = 0.01  # tail areas below which no component is left out
SERIES, DESIGNS = 1024, 64  # rows at a time: memory is bounded, and threads share the work


@dataclass(frozen=True, repr=False)
class Fits(checks.OneLine):
    """Posterior median, interval and two-sided p of every contrast, each of shape (R, m)."""

    estimate: Array
    low: Array
    high: Array
    p: Array


@checked
def fit_many(
    outcomes: Array,
    design: Array,
    contrasts: Array,
    *,
    after: int | Sequence[int] | None = None,
    law: LawName = "ar1_noise",
    confidence: Share = 0.95,
    jobs: Jobs = None,
) -> Fits:
    """Fit many series with one design, or one series with many designs.

    The errors are an AR(1) disturbance seen through noise, whose size may differ from the period
    `after` on; memory, share of noise and ratio of sizes are integrated out, not estimated.

    Parameters
    ----------
    outcomes : array, shape (n,) or (n, N)
        One series a column.
    design : array, shape (n, k) or (D, n, k)
        The design matrix, or D of them for a single series; of pandas, rows are matched by label.
    contrasts : array, shape (k,) or (m, k)
        Linear combinations of the coefficients.
    after : int or sequence of int, optional
        The number of periods before the size of the errors may differ, from 1 to n - 1: one for
        all, or one for each design. Default: it does not.
    law : {"ar1_noise", "ar1"}
        *ar1*: errors without noise and of one size, rho uniform on (-0.5, 0.995).
    confidence : float
        Probability of the interval.
    jobs : int or "dask", optional
        Threads that share the work, by default one for each core, or a cluster.

    Returns
    -------
    Fits
        `estimate` (median), `low`, `high`, `p` (twice the smaller tail at zero), each (N, m) or
        (D, m). A finer grid moves an end by some 1e-3 of the interval's width (8e-3 where errors
        alternate in sign). A series without residual variation has no width and p missing.

    References
    ----------
    Harville (1977), JASA 72, 320-338, doi:10.1080/01621459.1977.10480998
    """
    summary = partial(summarise, confidence=confidence)
    return Fits(*_share(summary, jobs, outcomes, design, contrasts, after, law=law))


def find_ends(y: Array, X: Array, C: Array, after: Any = None, **law: LawName) -> list[Array]:
    """Return the ends of the 95% intervals of `fit_many`, each (R, m), and nothing else."""
    ends = partial(mixture_quantiles, (0.025, 0.975), tolerance=ROUGH)
    return _share(lambda mixture: (*ends(*mixture.light),), None, y, X, C, after, **law)


def _share(work: Work, jobs: Jobs, *given: Any, law: LawName = "ar1_noise") -> list[Array]:
    """Do `work` on the mixtures of all rows, on as many threads as wanted, and join the results."""
    y, X, C, sides = check_shapes(*given)
    grid = law_grid(law, len(y), sides is not None)
    if len(X) > 1:
        parts = [slice(start, start + DESIGNS) for start in range(0, len(X), DESIGNS)]
        own = None if sides is None else np.broadcast_to(sides, len(X))
        makers = [partial(mix, X[at], C, y, grid, None if own is None else own[at]) for at in parts]
    else:
        starts = range(0, y.shape[1], SERIES)
        makers = [partial(mix, X, C, y[:, at : at + SERIES], grid, sides) for at in starts]
    with open_executor(jobs) as pool:
        found = list(pool.map(partial(_do, work), makers))
    return [np.concatenate(columns) for columns in zip(*found, strict=True)]


def _do(work: Work, make: Callable[[], Iterator[tuple[Array, Mixture]]]) -> list[Array]:
    rows, parts = zip(*((rows, work(mixture)) for rows, mixture in make()), strict=True)
    order = np.argsort(np.concatenate(rows), kind="stable")
    return [np.concatenate(columns)[order] for columns in zip(*parts, strict=True)]


def integrate(
    y: Array, X: Array, C: Array, *, after: int | None = None, law: LawName = "ar1_noise"
) -> Posterior:
    """Return the mixture of one series with one design, or with some that share their nodes."""
    y, X, C, sides = check_shapes(y, X, C, after)
    _, mixture = next(mix(X, C, y, law_grid(law, len(y), sides is not None), sides))
    return cast("Posterior", mixture)


@checked
def restricted_log_likelihood(
    outcome: Array,
    design: Array,
    phi: Array,
    theta: Annotated[float, partial(check_number, above=-1, below=1)] = 0.0,
) -> Array:
    """Return the restricted log-likelihood of the errors, coefficients and sigma profiled out.

    Parameters
    ----------
    outcome, design : array, shapes (n,) and (n, k)
        One series and its design; of pandas, rows are matched by label.
    phi : array, shape (G,)
        Values inside (-1, 1).
    theta : float
        0 for AR(1) errors.

    Returns
    -------
    array, shape (G,)
        -1/2 ``[(n - k) log RSS + log |X'PX| + log |Sigma|]``, without the constants.
    """
    own, shape = real_numbers(outcome, "outcome").shape, real_numbers(design, "design").shape
    wanted = "expected one outcome (n,) and one design (n, k)"
    require((len(own), len(shape)) == (1, 2), f"{wanted}; found {own} and {shape}")
    y, X, C, _ = check_shapes(outcome, design, np.eye(shape[1]))
    phi = np.atleast_1d(real_numbers(phi, "phi"))
    outside = phi[~(np.abs(phi) < 1)].tolist()
    require(not outside, f"phi must lie inside (-1, 1); found {outside}")
    y, power = unit_size(y.astype(float))
    exact = gls.is_exact(gls.take_out(y[:, 0], X[0]), y[:, 0])
    require(not exact, "the design fits the outcome exactly: its likelihood has no bound")
    basis, periods, at = gls.Basis(X, C), gls.split_periods(len(y), None), np.array([theta])
    lagged = gls.lag(basis.columns, periods, at)
    sums = gls.add_up(lagged, basis.take_out(y)[1], periods, at)
    turned = gls.turn(basis, lagged, at, phi[None])
    rss, log_det = gls.weigh(turned, gls.look(turned, sums), np.ones(1))
    log_rss = np.log(rss[0, :, 0, 0]) + 2 * np.log(2) * power
    return -0.5 * ((len(y) - shape[1]) * log_rss + log_det[0, :, 0] + basis.log_size)


def summarise(mixture: Mixture, confidence: float = 0.95) -> tuple[Array, ...]:
    """Return estimate, low, high and p of every contrast of `mixture`."""
    shares = (1 - confidence) / 2, 0.5, (1 + confidence) / 2
    parts = mixture.light
    low, estimate, high = mixture_quantiles(shares, *parts, tolerance=ROUGH)
    p = mixture_tails(np.zeros_like(estimate), *parts)
    far = (p < FAR).any(axis=1)  # there the lightest components have a say
    heavy_and_light = (part[far] for part in mixture.parts[:3])
    p[far] = mixture_tails(np.zeros_like(p[far]), *heavy_and_light, mixture.df)
    low[mixture.exact] = high[mixture.exact] = estimate[mixture.exact]
    p[mixture.exact] = np.nan
    return estimate, low, high, p


def check_shapes(
    outcomes: Array, design: Array, rows: Array, after: int | Sequence[int] | None = None
) -> tuple[Array, Array, Array, Array | None]:
    """Return outcomes (n, N), designs (D, n, k), contrasts (m, k) and sides, if they can serve."""
    names = getattr(design, "columns", None)
    if names is not None and isinstance(rows, pd.Series | pd.DataFrame):
        rows = checks.put_in_order(rows.T, names, "contrasts and the design's columns").T
    frames = isinstance(design, list | tuple) and any(isinstance(x, pd.DataFrame) for x in design)
    designs = {f"design {i}": x for i, x in enumerate(design)} if frames else {"design": design}
    outcomes, *matched = match_rows(outcomes=outcomes, **designs)
    y, C = real_numbers(outcomes, "outcomes"), real_numbers(rows, "contrasts")
    X = real_numbers(matched if frames else matched[0], "design").astype(float)
    found = f"{y.shape}, {X.shape} and {C.shape}"
    y, X = y[:, None] if y.ndim == 1 else y, X[None] if X.ndim == 2 else X
    C = np.atleast_2d(C).astype(float)
    fit = (y.ndim, X.ndim, C.ndim) == (2, 3, 2) and len(y) == X.shape[1]
    fit &= 0 not in (*y.shape, *X.shape, *C.shape)
    wanted = "outcomes (n,) or (n, N), design (n, k) or (D, n, k) and contrasts (m, k)"
    require(fit, f"expected {wanted}; found {found}")
    D, n, k = X.shape
    require(C.shape[1] == k, f"contrasts need {k} columns, as the design has; found {C.shape[1]}")
    require(bool(C.any(axis=1).all()), "contrasts must say something; found one of zeros alone")
    many = D > 1 and y.shape[1] > 1
    require(not many, "many series with many designs at once are not supported: loop over one")
    few = f"{n} periods are too few for {k} coefficients; at least {k + 3} are needed"
    require(n - k >= 3, f"{few}. Use fewer harmonics or a longer series.")
    check_columns(X, names)
    if after is None:
        return y, X, C, None
    sides = np.array(check_several(after, "after", whole(1, n - 1)))
    require(len(sides) in (1, D), f"after needs one number, or one for each of {D} designs")
    return y, X, C, sides
