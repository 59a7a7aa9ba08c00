"""A window with its design, and the level, slope and effects of a shift in it as mixtures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.engine.counts import split_noise, working_response
from analysis.engine.errors import RhoMixture, join_months
from analysis.engine.reml import integrate_rho, summarise
from analysis.its.design import build_design, cut_window, first_position
from analysis.its.series import (
    PER,
    Scale,
    as_percent,
    choose_scale,
    outcome,
    periods_of,
    periods_per_year,
)
from analysis.its.shifts import PolicyShift

HORIZONS = (12, 24)  # months after the shift
ESTIMANDS = ("level", "slope", *(f"effect_{months}m" for months in HORIZONS), "pre_trend")
NEAR_UNIT_ROOT = 0.9
RHO_NODES = 1_000  # for quantiles of rho itself


@dataclass(frozen=True)
class SegmentedModel:
    """One shift in one window: what every estimator fits."""

    window: pd.DataFrame
    shift: PolicyShift  # its months are periods of the window
    scale: Scale
    harmonics: int
    designs: tuple[pd.DataFrame, ...]  # one for each month of the shift
    contrasts: np.ndarray  # (len(ESTIMANDS), k)
    notes: dict[str, str]  # why an estimand is missing
    n_before: int
    n_after: int

    @property
    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return deaths and exposure (100,000 person-years) of the window, each (n,)."""
        deaths, person_years = self.window["deaths"], self.window["person_years"]
        return deaths.to_numpy(dtype=float), person_years.to_numpy(dtype=float) / PER


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


def prepare_model(
    series: pd.DataFrame,
    shift: PolicyShift,
    *,
    scale: Scale | None = None,
    harmonics: int = 2,
    empty: bool = False,
) -> SegmentedModel:
    """Cut the window and build the model of `fit_its` or, with `empty` periods, of counts."""
    window = cut_window(series, shift)
    scale = choose_scale(window, scale, empty=empty)
    index = periods_of(window)
    n_before, last = (first_position(index, month) for month in (shift.month, shift.months[-1]))
    month, until = index[n_before], None if n_before == last else index[last]
    shift = replace(shift, month=month, until=until)  # each the first that lies wholly after it
    designs = tuple(
        build_design(index, shift, month=month, harmonics=harmonics) for month in shift.months
    )
    n_after = len(window) - last
    months_after = n_after * 12 // periods_per_year(index)
    contrasts, notes = estimand_contrasts(designs[0].columns, months_after)
    return SegmentedModel(
        window, shift, scale, harmonics, designs, contrasts, notes, n_before, n_after
    )


def posterior(
    model: SegmentedModel, contrasts: Sequence[np.ndarray], nodes: int | None = None
) -> RhoMixture:
    """Return the mixture over rho and, with equal weights, over the months of the shift.

    `contrasts` holds one array (m, k) for each month.
    """
    y = outcome(model.window, model.scale)
    return join_months(
        [
            integrate_rho(y, design.to_numpy(), rows, nodes=nodes)
            for design, rows in zip(model.designs, contrasts, strict=True)
        ]
    )


def posterior_rho(model: SegmentedModel) -> tuple[pd.Series, float]:
    """Return median and 95% interval of rho, and the weight of rho near a unit root."""
    first = np.eye(model.contrasts.shape[1])[:1]
    mixture = posterior(model, [first] * len(model.designs), RHO_NODES)
    order = np.argsort(mixture.rho, kind="stable")
    rho, weight = mixture.rho[order], mixture.weight[0, order]
    below = np.cumsum(weight) - weight / 2
    estimate, low, high = np.interp([0.5, 0.025, 0.975], below, rho)
    summary = pd.Series({"estimate": estimate, "low": low, "high": high}, name="rho")
    return summary, float(weight[rho > NEAR_UNIT_ROOT].sum())


def estimate_effects(model: SegmentedModel) -> tuple[pd.DataFrame, bool]:
    """Return the table of effects by the headline model, and whether the fit is exact.

    Rows `ESTIMANDS`, columns `estimate`, `low`, `high`, `p`, in the units of the model's scale.
    """
    mixture = posterior(model, [model.contrasts] * len(model.designs))
    return effects_table(mixture, model), bool(mixture.exact[0])


def effects_table(mixture: RhoMixture, model: SegmentedModel) -> pd.DataFrame:
    """Return the table of effects that `mixture`, of the model's contrasts, says."""
    columns = ["estimate", "low", "high", "p"]
    numbers = np.column_stack([column[0] for column in summarise(mixture)])
    effects = pd.DataFrame(numbers, index=pd.Index(ESTIMANDS, name="estimand"), columns=columns)
    if model.scale == "log":
        effects[columns[:3]] = as_percent(effects[columns[:3]])
    effects.loc[list(model.notes)] = np.nan
    return effects


def count_posterior(model: SegmentedModel) -> RhoMixture:
    """Return what the counts of a window, zeros among them, say of the model's contrasts."""
    return join_months(
        [
            split_noise(*parts, design.to_numpy(), model.contrasts)
            for parts, design in zip(linearise(model), model.designs, strict=True)
        ]
    )


def linearise(model: SegmentedModel) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the `working_response` of the model's counts for each month of its shift."""
    deaths, exposure = model.counts
    return [working_response(deaths, design.to_numpy(), exposure) for design in model.designs]
