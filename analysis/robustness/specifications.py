"""Would another analyst have found the same? Every defensible choice, crossed, and their null.

The specification curve of Simonsohn, Simmons and Nelson (2020), doi:10.1038/s41562-020-0912-z,
whose resampling of rows becomes a parametric bootstrap of the series: months are not exchangeable.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, pairwise, product
from typing import Literal

import numpy as np
import pandas as pd
from tqdm import tqdm

from analysis.arguments import Draws, Frames, Seed, checked
from analysis.checks import OneLine, require, unit_size
from analysis.engine.draws import draw_parameters
from analysis.engine.estimators import newey_west_many
from analysis.engine.executors import Jobs, open_executor
from analysis.engine.gls import take_out
from analysis.engine.law import run_errors, start_variance
from analysis.engine.reml import check_shapes
from analysis.engine.screening import screen_many
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
CHOSEN = ["source", "date", "window", "harmonics", "impact", "scale", "denominator", "estimator"]
Window = tuple[str, str, slice, dict[int, int]]  # source, name, months, date: position


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
    with open_executor(jobs) as pool:
        models = {name: _prepare(name, frame, shift) for name, frame in series.items()}
        windows = [window for name, model in models.items() for window in _windows(name, model)]
        paths = {name: simulate_null(model, draws, seed) for name, model in models.items()}
        frames, nulls = ([held[name] for name, *_ in windows] for held in (series, paths))
        fitted = pool.map(partial(_fit_window, shift), windows, frames, nulls)
        done = tqdm(fitted, total=len(windows), disable=not progress, desc="windows")
        rows, *numbers = zip(*chain.from_iterable(done), strict=True)
    estimate, p = map(np.array, numbers)  # each (specifications, 1 + draws)
    table = pd.DataFrame(rows, columns=CHOSEN).assign(estimate=estimate[:, 0], p=p[:, 0])
    # windows that only the months before a shift beside tell apart agree but for rounding
    ordered = {"key": lambda estimate: estimate.round(8), "kind": "stable"}
    table = table.sort_values("estimate", ignore_index=True, **ordered)
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


def _windows(source: str, model: SegmentedModel) -> Iterator[Window]:
    index, own, shift = model.window.index, model.n_before, model.shift
    before = SHORTER if own - SHORTER >= design.FEWEST_MONTHS["before"] else 0
    after = SHORTER if len(index) - own - SHORTER >= design.FEWEST_MONTHS["after"] else 0
    cuts = [(0, 0), (before, 0), (0, after), (before, after)]
    used = dict(zip(reversed(cuts), reversed(CHOICES["window"]), strict=True))  # those that differ
    taken = taken_positions(index, shift.beside) - {own}
    beside = [design.first_position(index, other.month) for other in shift.beside]
    for (cut_before, cut_after), window in used.items():
        part = index[cut_before : len(index) - cut_after]
        free = [date for date in CHOICES["date"] if own + date not in taken]
        moved = {date: own - cut_before + date for date in free}
        dates = {date: place for date, place in moved.items() if 6 <= place <= len(part) - 6}
        lost = any(0 < place <= cut_before for place in beside)  # what tells it apart
        if dates and not lost:
            yield source, window, slice(part[0], part[-1]), dates


def _fit_window(
    shift: PolicyShift, window: Window, frame: pd.DataFrame, null: pd.DataFrame
) -> list:
    """Return (choices, estimates, p) of all designs in a window, by all measures and estimators."""
    source, name, months, dates = window
    part, waves = frame.loc[months], sorted(CHOICES["harmonics"])
    out = design.omitted_periods(part.index, shift.omit)
    yearly = frame["person_years"].groupby(frame.index.year).transform("mean")
    stepped = np.log(frame["person_years"] / yearly).loc[months].to_numpy()
    logs = {"person-years": np.column_stack([outcome(part, "log", out), null.loc[months]])}
    # a step a year, blind to the length of the months
    logs["population"] = logs["person-years"] + stepped[:, None]
    outcomes = {
        (scale, size): logs[size] if scale == "log" else unit_size(np.exp(logs[size]), axis=0)[0]
        for size, scale in product(CHOICES["denominator"], CHOICES["scale"])
    }
    shared = [design.background(part, shift.beside, number, shift.omit) for number in waves]
    blocks = [each.drop(columns=[*one]).to_numpy() for one, each in pairwise([(), *shared])]
    terms = ("level", "slope") if shift.impact == "level" else ("slope", "level")
    columns = design.break_columns(part.index, [*dates.values()])
    own, choices = np.hstack([columns[term] for term in terms]), {}
    for (place, date), impact in product(enumerate(dates), ("level_and_slope", terms[0])):
        choice = [place] if impact == terms[0] else [place, place + len(dates)]
        X = np.column_stack([*blocks, own[:, choice]])
        if name != "declared" and np.linalg.matrix_rank(X) < X.shape[1]:
            continue  # the shorter window has lost what tells a shift beside apart
        check_shapes(part["deaths"], X, np.eye(X.shape[1])[0])
        choices[date, impact] = choice
    y, fitted = np.hstack([*outcomes.values()]), []
    screened = screen_many(y, blocks, own, [*choices.values()])
    for number, common, by_design in zip(waves, shared, screened, strict=True):
        alone, left = (take_out(x, common.to_numpy()) for x in (own, y))
        for ((date, impact), choice), reml in zip(choices.items(), by_design, strict=True):
            ols = newey_west_many(left, alone[:, choice], gone=common.shape[1])
            before = np.flatnonzero(~out[: dates[date]])
            for estimator, found in (("reml", reml), ("newey_west", ols)):
                each = np.reshape(found, (2, len(outcomes), -1))
                for (scale, size), estimate, p in zip(outcomes, *each, strict=True):
                    mean = 1 if scale == "log" else outcomes[scale, size][before].mean(axis=0)
                    percent = as_percent(estimate) if scale == "log" else 100 * estimate / mean
                    chosen = source, date, name, number, impact, scale, size, estimator
                    fitted.append((chosen, percent, p))
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
