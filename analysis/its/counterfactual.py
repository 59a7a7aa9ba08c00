"""What the periods would have looked like without the shift."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.checks import check_seed, check_whole
from analysis.engine.reml import draw_parameters
from analysis.its.design import build_design, first_position
from analysis.its.series import PER, Scale, outcome, periods_of
from analysis.its.shifts import PolicyShift

Kind = Literal["forecast", "segmented"]

EXCESS_UNITS = {
    "deaths": "deaths",
    "per_100k": "deaths per 100,000 person-years",
    "percent": "percent",
    "total": "units",
    "mean": "units per period",
}


@dataclass(frozen=True)
class Draws:
    """Draws of the model's parameters, and of what it expects without the shift."""

    rho: np.ndarray  # (draws,)
    sigma: np.ndarray  # (draws,)
    paths: np.ndarray  # (draws, n) on the scale of the model


def draw_paths(
    series: pd.DataFrame,
    shift: PolicyShift,
    scale: Scale,
    harmonics: int,
    kind: Kind,
    draws: int,
    seed: int,
) -> Draws:
    """Draw counterfactual paths for every period of `series`, a window already cut.

    *segmented*: the model fitted to the whole window with this shift's terms set to zero;
    uncertainty of the parameters only. *forecast*: the model without the shift, fitted to the
    periods before it and projected; from the shift on the paths carry the AR(1) noise too.
    """
    check_draws(kind, draws, seed)
    rng = np.random.default_rng(seed)
    y, index = outcome(series, scale), periods_of(series)
    if kind == "segmented":
        per_month = np.array_split(np.arange(draws), len(shift.months))
        designs = [
            build_design(index, shift, month=month, harmonics=harmonics) for month in shift.months
        ]
        parts = []
        for design, part in zip(designs, per_month, strict=True):
            rho, sigma, b = draw_parameters(y, design.to_numpy(), rng, len(part))
            parts.append((rho, sigma, b @ without_shift(design).to_numpy().T))
        return Draws(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    before = first_position(index, shift.month)
    design = build_design(index, harmonics=harmonics, beside=shift.beside)
    X = design.loc[:, (design.iloc[:before] != 0).any()].to_numpy()
    rho, sigma, b = draw_parameters(y[:before], X[:before], rng, draws)
    paths = b @ X.T
    error = y[before - 1] - paths[:, before - 1]
    for period in range(before, len(series)):
        error = rho * error + sigma * rng.standard_normal(draws)
        paths[:, period] += error
    return Draws(rho, sigma, paths)


def without_shift(design: pd.DataFrame) -> pd.DataFrame:
    """Return `design` with the shift's own terms set to zero."""
    return design.assign(**{name: 0.0 for name in ("level", "slope") if name in design})


def simultaneous_band(paths: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends, each (n,), of a band that holds the share `confidence` of whole paths."""
    low, centre, high = np.quantile(paths, [0.1587, 0.5, 0.8413], axis=0)
    rounding = 1e-13 * max(np.abs(centre).max(), 1e-100)
    spread = np.maximum((high - low) / 2, rounding)
    reach = np.quantile((np.abs(paths - centre) / spread).max(axis=1), confidence)
    return centre - reach * spread, centre + reach * spread


def sum_excess(
    series: pd.DataFrame, paths: np.ndarray, scale: Scale, positions: slice
) -> pd.DataFrame:
    """Return observed minus expected over `positions`, all rows from the same quantiles.

    Rows `deaths`, `per_100k` (person-years), `percent`; for a frame of values `total`, `mean`,
    `percent`. Columns `estimate`, `low`, `high`.
    """
    part = series.iloc[positions]
    expected = paths[:, positions]
    if scale == "value":
        observed, size = part["value"].sum(), float(len(part))
        names = ["total", "mean", "percent"]
    else:
        rate = np.exp(expected) if scale == "log" else expected
        expected = rate * (part["person_years"].to_numpy() / PER)
        observed, size = part["deaths"].sum(), part["person_years"].sum() / PER
        names = ["deaths", "per_100k", "percent"]
    total = np.quantile(expected.sum(axis=1), [0.5, 0.975, 0.025])
    excess = observed - total
    with np.errstate(divide="ignore", invalid="ignore"):
        positive = observed >= 0 and (total > 0).all()
        percent = np.where(positive, 100 * excess / total, np.nan)
    return pd.DataFrame(
        [excess, excess / size, percent], index=names, columns=["estimate", "low", "high"]
    )


def check_draws(kind: str, draws: int, seed: int) -> None:
    """Raise a ValueError for an unknown kind, a useless number of draws, or no seed."""
    if kind not in get_args(Kind):
        raise ValueError(f"unknown kind {kind!r}; use 'forecast' or 'segmented'")
    check_whole(draws, "draws", 100)
    check_seed(seed)
