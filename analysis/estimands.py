"""From a window and a shift to what the engine says of each estimand."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.design import build_design
from analysis.frames import Scale, outcome
from analysis.policies import PolicyShift
from analysis.reml import RhoMixture, integrate_rho

HORIZONS = (12, 24)  # months after the shift
ESTIMANDS = ("level", "slope", *(f"effect_{months}m" for months in HORIZONS), "pre_trend")
NEAR_UNIT_ROOT = 0.9
RHO_NODES = 1_000  # for quantiles of rho itself


def estimand_contrasts(columns: pd.Index, months_after: int) -> tuple[np.ndarray, dict[str, str]]:
    """Return one row per estimand, and the reason for each that the data cannot carry."""
    has = {name: (columns == name).astype(float) for name in ("level", "slope", "trend")}
    rows = {"level": has["level"], "slope": has["slope"]}
    rows |= {f"effect_{h}m": has["level"] + has["slope"] * h / 12 for h in HORIZONS}
    rows["pre_trend"] = has["trend"]
    notes = {
        name: f"the impact model has no {name} term"
        for name in ("level", "slope")
        if name not in columns
    }
    notes |= {
        f"effect_{h}m": f"{months_after} months after the shift; {h} are needed, or it extrapolates"
        for h in HORIZONS
        if months_after < h
    }
    contrasts = np.array([rows[name] for name in ESTIMANDS])
    contrasts[[name in notes for name in ESTIMANDS]] = has["trend"]  # a stand-in, blanked later
    return contrasts, notes


def posterior(
    window: pd.DataFrame,
    shift: PolicyShift,
    scale: Scale,
    harmonics: int,
    contrasts: list[np.ndarray],
    nodes: int | None = None,
) -> RhoMixture:
    """Return the mixture over rho and, with equal weights, over the months of the shift."""
    y = outcome(window, scale)
    parts = [
        integrate_rho(
            y,
            build_design(window.index, shift, month=month, harmonics=harmonics).to_numpy(),
            rows,
            nodes=nodes,
        )
        for month, rows in zip(shift.months, contrasts, strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=-1)
        for name in ("rho", "mean", "scale", "rss")
    }
    weight = np.concatenate([part.weight for part in parts], axis=-1) / len(parts)
    exact = np.all([part.exact for part in parts], axis=0)
    return replace(parts[0], weight=weight, exact=exact, **joined)


def posterior_rho(
    window: pd.DataFrame, shift: PolicyShift, scale: Scale, harmonics: int
) -> tuple[pd.Series, float]:
    """Return median and 95% interval of rho, and the weight of rho near a unit root."""
    k = build_design(window.index, shift, harmonics=harmonics).shape[1]
    contrasts = [np.eye(k)[:1]] * len(shift.months)
    mixture = posterior(window, shift, scale, harmonics, contrasts, RHO_NODES)
    order = np.argsort(mixture.rho, kind="stable")
    rho, weight = mixture.rho[order], mixture.weight[0, order]
    below = np.cumsum(weight) - weight / 2
    estimate, low, high = np.interp([0.5, 0.025, 0.975], below, rho)
    summary = pd.Series({"estimate": estimate, "low": low, "high": high}, name="rho")
    return summary, float(weight[rho > NEAR_UNIT_ROOT].sum())
