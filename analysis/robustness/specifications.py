"""Would another analyst have found the same? Every defensible choice, crossed, and their null.

The specification curve of Simonsohn, Simmons and Nelson (2020), doi:10.1038/s41562-020-0912-z,
whose resampling of rows becomes a parametric bootstrap of the series: months are not exchangeable.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, product
from typing import Any, Literal

import numpy as np
import pandas as pd
from tqdm import tqdm

from analysis.arguments import Draws, Frames, Seed, checked
from analysis.checks import OneLine, require
from analysis.engine.draws import draw_parameters
from analysis.engine.estimators import newey_west_many
from analysis.engine.executors import Jobs, open_executor
from analysis.engine.law import run_errors, start_variance
from analysis.engine.reml import screen_many
from analysis.its import design
from analysis.its.breaks import taken_positions
from analysis.its.model import SegmentedModel, estimate_effects, prepare_model
from analysis.its.series import PERIOD_NAMES, as_percent, check_frame, outcome
from analysis.its.shifts import PolicyShift, until_withdrawn

CHOICES: dict[str, tuple] = {  # and as "impact" both terms, or the one that is estimated
    "date": (-6, -4, -2, 0, 2, 4, 6),  # months from the official one
    "window": ("declared", "shorter before", "shorter after", "shorter on both sides"),
    "harmonics": (0, 1, 2, 3),
    "scale": ("log", "rate"),
    "denominator": ("person-years", "population"),
    "estimator": ("reml", "newey_west"),
}
SHORTER = 24  # months cut off a side of the window, where enough are left
SIGNIFICANT = 0.05
Estimand = Literal["level", "slope"]
Case = tuple[dict[str, Any], slice, int]  # the choices with a design of their own, months, position


@dataclass(frozen=True, repr=False)
class SpecificationCurve(OneLine):
    """Every specification's estimate, and how the whole curve compares with that of no effect."""

    table: pd.DataFrame  # the choices, `estimate` (percent, of a slope per year), `p`; in order
    joint: pd.DataFrame  # rows `median`, `share`; columns `observed`, `null_low`, `null_high`, `p`
    draws: int
    estimand: Estimand = "slope"

    @property
    def choices(self) -> pd.Index:
        """The columns of `table` that are choices."""
        return self.table.columns.drop(["estimate", "p"])

    @property
    def variance_shares(self) -> pd.Series:
        """The share of the estimates' variance that each choice explains alone, largest first."""
        estimate = self.table["estimate"]
        means = {x: estimate.groupby(self.table[x]).transform("mean") for x in self.choices}
        return (pd.DataFrame(means).var(ddof=0) / estimate.var(ddof=0)).sort_values(ascending=False)


@checked
def specification_curve(
    series: Frames,
    shift: PolicyShift,
    *,
    draws: Draws = 1_000,
    seed: Seed = 0,
    jobs: Jobs = None,
    progress: bool = False,
) -> SpecificationCurve:
    """Estimate the change of slope under every choice, and under each for series with no effect.

    Of a shift declared as a level alone, the change of level instead.

    Parameters
    ----------
    series : mapping of str to DataFrame
        Source to its series of deaths and person-years by month.
    shift : PolicyShift
        As in `analysis.fit_its`; of a range of months, the first.
    draws, seed : int
        Series simulated without the shift, and the seed.
    jobs : int or "dask", optional
        Threads that share the work, by default one for each core, or a cluster.
    progress : bool
        Show a progress bar.

    Returns
    -------
    SpecificationCurve
        `estimate` in percent, of a slope per year; on the rate scale, percent of the mean rate
        before the shift. `joint`: the median estimate, and the share with p < 0.05 in the commoner
        direction, each with the null's central 95% and its share of series that are as extreme.
    """
    shift = replace(until_withdrawn(shift), until=None, withdrawn=None)
    series = {name: check_frame(frame) for name, frame in series.items()}
    models = {name: _prepare(name, frame, shift) for name, frame in series.items()}
    cases = [case for name, model in models.items() for case in _cases(name, model)]
    paths = {name: simulate_null(model, draws, seed) for name, model in models.items()}
    frames, nulls = ([held[chosen["source"]] for chosen, *_ in cases] for held in (series, paths))
    with open_executor(jobs) as pool:
        fitted = pool.map(partial(_fit_case, shift), cases, frames, nulls)
        done = tqdm(fitted, total=len(cases), disable=not progress, desc="designs")
        rows, *numbers = zip(*chain.from_iterable(done), strict=True)
    estimate, p = map(np.array, numbers)  # each (specifications, 1 + draws)
    table = pd.DataFrame(rows).assign(estimate=estimate[:, 0], p=p[:, 0])
    table = table.sort_values("estimate", kind="stable", ignore_index=True)
    estimand: Estimand = "level" if shift.impact == "level" else "slope"
    return SpecificationCurve(table, _joint(estimate, p), draws, estimand)


def _prepare(name: str, frame: pd.DataFrame, shift: PolicyShift) -> SegmentedModel:
    model, needs = prepare_model(frame, shift), "a specification curve needs"
    require(model.scale == "log", f"{needs} the columns 'deaths' and 'person_years'")
    frequency = model.window.index.freqstr.split("-")[0]
    require(frequency == "M", f"{needs} months; found {PERIOD_NAMES[frequency]}")
    exact = estimate_effects(model)[1].exact[0]
    require(not exact, f"{name!r} is fitted without residual variation: it has no null")
    return model


def simulate_null(model: SegmentedModel, draws: int, seed: int) -> pd.DataFrame:
    """Simulate the log rate (n, draws): one line and season through the window, and errors."""
    index, y, after = model.window.index, model.outcome, model.n_before
    X = design.build_design(
        model.window, beside=model.shift.beside, omit=model.shift.omit
    ).to_numpy()
    # The errors' law is that of the model with step and slope: without these a true change would
    # pass for a series that wanders, and hide in a null as wide.
    full = model.designs[0].to_numpy()
    drawn = draw_parameters(y, full, np.random.default_rng(seed), draws, after=after)
    b = draw_parameters(y, X, np.random.default_rng(seed), draws).b
    # series of one seed share their shocks month by month, as two sources share the deaths
    generators = (np.random.default_rng([seed, month]) for month in 12 * index.year + index.month)
    shocks = np.array([each.standard_normal(draws) for each in generators])
    first = np.random.default_rng([seed, 0]).standard_normal(draws)
    # of errors that wander anything may have been before the first month: no more than came after
    left = y - full @ np.linalg.lstsq(full, y, rcond=None)[0]
    wide = np.minimum(drawn.sigma * np.sqrt(start_variance(drawn.phi, drawn.theta)), left.std())
    shocks[after:] *= drawn.ratio
    errors = run_errors(drawn.phi, drawn.theta, wide * first, drawn.sigma * shocks)
    return pd.DataFrame((X @ np.median(b, axis=0))[:, None] + errors, index=index)


def _cases(source: str, model: SegmentedModel) -> Iterator[Case]:
    index, own, shift = model.window.index, model.n_before, model.shift
    before = SHORTER if own - SHORTER >= design.FEWEST_MONTHS["before"] else 0
    after = SHORTER if len(index) - own - SHORTER >= design.FEWEST_MONTHS["after"] else 0
    cuts = [(0, 0), (before, 0), (0, after), (before, after)]
    used = dict(zip(reversed(cuts), reversed(CHOICES["window"]), strict=True))  # those that differ
    taken = taken_positions(index, shift.beside) - {own}
    impacts = ("level_and_slope", "level" if shift.impact == "level" else "slope")
    for (cut_before, cut_after), window in used.items():
        part = index[cut_before : len(index) - cut_after]
        for date, harmonics, impact in product(CHOICES["date"], CHOICES["harmonics"], impacts):
            position = own - cut_before + date
            if 6 <= position <= len(part) - 6 and own + date not in taken:
                chosen = {"source": source, "date": date, "window": window}
                chosen |= {"harmonics": harmonics, "impact": impact}
                yield chosen, slice(part[0], part[-1]), position


def _fit_case(shift: PolicyShift, case: Case, frame: pd.DataFrame, paths: pd.DataFrame) -> list:
    """Return one design's (choices, estimates, p) on both scales, with both denominators."""
    chosen, months, position = case
    part = frame.loc[months]
    out = design.omitted_periods(part.index, shift.omit)
    own, before = outcome(part, "log", out), np.flatnonzero(~out[:position])
    log_rates = np.column_stack([own, paths.loc[months]])
    terms = chosen["harmonics"], chosen["impact"]
    X = design.break_designs(part, [position], shift.beside, *terms, shift.omit)[0]
    first, beside = design.first_position, [other.month for other in shift.beside]
    lost = any(first(part.index, month) <= 0 < first(paths.index, month) for month in beside)
    if lost or (chosen["window"] != "declared" and np.linalg.matrix_rank(X) < X.shape[1]):
        return []  # the shorter window has lost what tells a shift beside apart
    level_of_both = shift.impact == "level" != chosen["impact"]  # the slope stands behind it
    contrast = np.eye(X.shape[1])[-2 if level_of_both else -1]
    yearly = frame["person_years"].groupby(frame.index.year).transform("mean")
    stepped = np.log(frame["person_years"] / yearly).loc[months].to_numpy()
    # "population": a step a year, blind to the length of the months
    logs = {"person-years": log_rates, "population": log_rates + stepped[:, None]}
    measures = list(product(CHOICES["denominator"], CHOICES["scale"]))
    outcomes = [logs[name] if scale == "log" else np.exp(logs[name]) for name, scale in measures]
    stacked = np.hstack(outcomes)
    fits = {"reml": screen_many(stacked, X, contrast, jobs=1)}
    fits["newey_west"] = newey_west_many(stacked, X, contrast)
    fitted = []
    for estimator, found in fits.items():
        each = (values.reshape(len(measures), -1) for values in found)  # (measures, 1 + draws)
        for (denominator, scale), y, estimate, p in zip(measures, outcomes, *each, strict=True):
            logs = scale == "log"
            percent = as_percent(estimate) if logs else 100 * estimate / y[before].mean(axis=0)
            choice = {"scale": scale, "denominator": denominator, "estimator": estimator}
            fitted.append((chosen | choice, percent, p))
    return fitted


def _joint(estimate: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    sides = estimate > 0, estimate < 0
    share = np.maximum(*(((p < SIGNIFICANT) & side).mean(axis=0) for side in sides))
    joint = {}
    for name, (observed, *null) in {"median": np.median(estimate, axis=0), "share": share}.items():
        beyond = np.array(null) - observed
        above, below = ((1 + side.sum()) / (1 + len(null)) for side in (beyond >= 0, beyond <= 0))
        p_joint = above if name == "share" else min(1.0, 2 * min(above, below))
        joint[name] = [observed, *np.quantile(null, [0.025, 0.975]), p_joint]
    columns = ["observed", "null_low", "null_high", "p"]
    return pd.DataFrame.from_dict(joint, orient="index", columns=columns)
