"""What the periods would have looked like without the shift."""

from typing import Literal

import numpy as np
import pandas as pd

from analysis.engine.draws import draw_parameters
from analysis.engine.gls import is_exact
from analysis.engine.law import run_errors
from analysis.its.design import build_design
from analysis.its.model import NOTES, SegmentedModel
from analysis.its.series import ERRORS, PER, EmptyPeriodsError

Kind = Literal["forecast", "segmented"]

WIDEST = 10  # times the observed rate: a band that no one could believe
EXCESS_UNITS = {"deaths": "deaths", "per_100k": "deaths per 100,000 person-years"}
EXCESS_UNITS |= {"percent": "percent", "total": "units", "mean": "units per period"}


def draw_paths(model: SegmentedModel, kind: Kind, draws: int, seed: int) -> np.ndarray:
    """Draw the paths (draws, n) of `ITSResult.counterfactual` on the scale of the model."""
    if model.counted:
        raise EmptyPeriodsError(ERRORS["no_path"])
    rng = np.random.default_rng(seed)
    y, shift, n = model.outcome, model.shift, len(model.window)
    if kind == "segmented":  # less the effects only: where errors wander the line says little
        shares = np.array_split(np.arange(draws), len(model.designs))
        parts = []
        for design, after, share in zip(model.designs, model.sides, shares, strict=True):
            drawn = draw_parameters(y, design.to_numpy(), rng, len(share), after=after)
            own = design.columns.isin(("level", "slope"))
            parts.append(y - drawn.b[:, own] @ design.loc[:, own].to_numpy().T)
        return np.concatenate(parts) + model.baseline
    before = model.n_before
    window, waves = model.window, model.harmonics
    design = build_design(window, harmonics=waves, beside=shift.beside, omit=shift.omit)
    X = design.loc[:, (design.iloc[:before] != 0).any()].to_numpy()
    drawn = draw_parameters(y[:before], X[:before], rng, draws)
    paths = drawn.b @ X.T
    shocks = drawn.sigma * rng.standard_normal((n - before, draws))
    paths[:, before:] += run_errors(drawn.phi, drawn.theta, drawn.known, shocks).T
    return paths + model.baseline


def simultaneous_band(paths: np.ndarray) -> np.ndarray:
    """Return the median and the ends, (3, n), of a band that holds 95% of whole paths."""
    low, centre, high = np.quantile(paths, [0.1587, 0.5, 0.8413], axis=0)
    spread = np.maximum((high - low) / 2, 1e-13 * (np.abs(centre).max() or 1.0))  # rounding
    off = np.abs(paths - centre)
    off /= spread
    reach = np.quantile(off.max(axis=1), 0.95)
    return np.stack([centre, centre - reach * spread, centre + reach * spread])


def band_paths(model: SegmentedModel, paths: np.ndarray) -> np.ndarray:
    """Return what is expected and the ends of its bands, one on each side of the shift, (n, 3)."""
    parts = np.split(paths, [model.n_before], axis=1)
    columns = np.hstack([simultaneous_band(part) for part in parts]).T
    return np.exp(columns) if model.scale == "log" else columns


def tabulate_paths(
    model: SegmentedModel, columns: np.ndarray, observed: pd.Series, kind: Kind
) -> pd.DataFrame:
    """Return the table of `ITSResult.counterfactual` from a summary of its paths (n, 3)."""
    split, columns = model.n_before, columns.copy()
    columns[model.omitted] = np.nan
    if kind == "forecast":
        columns[:split] = np.nan
    table = pd.DataFrame(columns, observed.index, ["expected", "low", "high"])
    table.insert(0, "observed", observed)
    after = table.iloc[split:]
    width = (after["high"] - after["low"]).to_numpy()
    at, why = find_doubt(model, after["expected"].to_numpy(), width, after["observed"].mean())
    if why:
        table.attrs["note"] = NOTES["doubt"].format(first=after.index[at], why=why)
        table.iloc[split + at :, 1:] = np.nan
    return table


def find_doubt(
    model: SegmentedModel, expected: np.ndarray, width: np.ndarray, observed: float
) -> tuple[int, str]:
    """Return from where on no one could believe what is `expected` (m,), and why, or nothing."""
    own, count = ("value", "values"), ("deaths", str(model.attrs["measure"].get("count")))
    column, plural = own if model.scale == "value" else count
    counted = NOTES.get(plural, plural)
    kept = np.flatnonzero(~model.omitted[: model.n_before])
    y, X = model.outcome[kept], model.designs[0].drop(columns=["level", "slope"], errors="ignore")
    left = y - X.to_numpy()[kept] @ np.linalg.lstsq(X.to_numpy()[kept], y, rcond=None)[0]
    same = np.ptp(model.window[column].to_numpy()[kept]) == 0
    if same or is_exact(left, y):
        return 0, NOTES["same" if same else "exact"].format(counted=counted)
    below, wide = expected < 0, width > WIDEST * observed
    doubted = np.flatnonzero(below | wide)
    if model.scale == "value" or not len(doubted):
        return len(expected), ""
    return doubted[0], NOTES["below" if below[doubted[0]] else "wide"].format(widest=WIDEST)


def sum_excess(model: SegmentedModel, paths: np.ndarray, positions: slice) -> pd.DataFrame:
    """Return the table of `ITSResult.excess` from drawn paths (draws, n)."""
    kept = positions.start + np.flatnonzero(~model.omitted[positions])
    part, expected = model.window.iloc[kept], paths[:, kept]
    if model.scale == "value":
        observed, size = part["value"].sum(), float(len(part))
        names = ["total", "mean", "percent"]
    else:
        rate = np.exp(expected) if model.scale == "log" else expected
        expected = rate * (part["person_years"].to_numpy() / PER)
        observed, size = part["deaths"].sum(), part["person_years"].sum() / PER
        own = model.attrs["measure"]["kind"] == "deaths"
        names = ["deaths", "per_100k", "percent"] if own else ["count", "rate", "percent"]
    total = np.quantile(expected.sum(axis=1), [0.5, 0.975, 0.025])
    excess = observed - total
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = np.where(observed >= 0 and (total > 0).all(), 100 * excess / total, np.nan)
    rows, columns = [excess, excess / size, percent], ["estimate", "low", "high"]
    table = pd.DataFrame(rows, index=names, columns=columns)
    why = find_doubt(model, total[:1], total[1:2] - total[2:], observed)[1]
    if not why and model.scale == "rate" and total[2] < 0:
        why = NOTES["excess_below"]
    if why:
        table[:] = np.nan
        table.attrs["note"] = why
    return table
