"""A window with its design, and the level, slope and effects of a shift in it as mixtures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated

import numpy as np
import pandas as pd

from analysis.arguments import check_named
from analysis.engine.counts import split_noises, working_response
from analysis.engine.law import LawName
from analysis.engine.mixture import Posterior, join_months
from analysis.engine.optimise import EstimatorError
from analysis.engine.reml import integrate, summarise
from analysis.its.design import OMITTED, build_design, first_position, window_of
from analysis.its.series import (
    COVARIATE,
    KINDS,
    PER,
    Scale,
    as_percent,
    choose_scale,
    control_of,
    groups_of,
    measure_of,
    outcome,
    own_outcome,
    periods_of,
    read_attrs,
    unused_columns,
)
from analysis.its.shifts import PolicyShift, is_earlier, months_between
from analysis.language import Words

SHARES = (0.5, 0.025, 0.975)
HORIZONS = (12, 24)  # months after the shift
ESTIMANDS = ("level", "slope", *(f"effect_{months}m" for months in HORIZONS))
ESTIMANDS += ("pre_trend", "post_trend")  # yearly, just before the shift and from it on
Estimand = Annotated[str, partial(check_named, known=ESTIMANDS, what="estimand")]
NEAR_UNIT_ROOT = 0.95
TOGETHER = 32  # series whose mixtures are held at a time
NOTES = Words("its-words.toml", "notes")


@dataclass(frozen=True)
class SegmentedModel:
    """One shift in one window: what every estimator fits."""

    window: pd.DataFrame
    shift: PolicyShift  # its months are periods of the window
    scale: Scale
    harmonics: int
    designs: tuple[pd.DataFrame, ...]  # one for each month of the shift
    estimands: tuple[str, ...]  # ESTIMANDS, then those of shifts beside and covariates
    contrasts: np.ndarray  # (len(estimands), k)
    notes: dict[str, str]  # why an estimand is missing
    n_before: int
    n_after: int
    omitted: np.ndarray  # (n,) the periods left out
    attrs: dict  # of the series: what only its source can know
    counted: bool  # by the model of counts, for periods without deaths among them
    law: LawName = "ar1_noise"

    @cached_property
    def outcome(self) -> np.ndarray:
        """Return what is modelled, (n,)."""
        return outcome(self.window, self.scale, self.omitted)

    @property
    def baseline(self) -> np.ndarray:
        """Return what was taken from the outcome, (n,): the control's, or zero."""
        control = control_of(self.window)
        without = np.zeros(len(self.window))
        return without if control.empty else own_outcome(control, self.scale, self.omitted)

    @cached_property
    def linearised(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the `working_response` of the counts for each of the shift's months."""
        deaths, exposure = self.counts
        seen, kept = ~self.omitted, self.kept
        both = zip((X.to_numpy()[:, kept] for X in self.designs), self.sides, strict=True)
        return [working_response(deaths, X, exposure, after, seen) for X, after in both]

    @cached_property
    def by_counts(self) -> pd.DataFrame:
        """Return the effects by the model of counts, as `estimate_effects` does."""
        return estimate_effects(replace(self, counted=True))[0]

    @property
    def sides(self) -> list[int | None]:
        """Return where the errors' size may change, for each of the shift's months, or None."""
        places = range(self.n_before, len(self.window) - self.n_after + 1)
        return [None if self.law == "ar1" else place for place in places]

    @cached_property
    def kept(self) -> np.ndarray:
        """Return which columns of the designs are no period's own, (k,)."""
        return ~self.designs[0].columns.str.startswith(OMITTED)

    @property
    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return deaths and exposure (100,000 person-years) of the window, each (n,)."""
        deaths, person_years = self.window["deaths"], self.window["person_years"]
        return deaths.to_numpy(dtype=float), person_years.to_numpy(dtype=float) / PER

    def posterior(self, contrasts: Sequence[np.ndarray]) -> Posterior:
        """Return the mixture of contrasts, one (m, k) for each of the shift's months, over all."""
        parts, kept = [], self.kept
        for number, (rows, after) in enumerate(zip(contrasts, self.sides, strict=True)):
            X = self.designs[number].to_numpy()
            if self.counted:
                y, variance = (x[:, None] for x in self.linearised[number])
                parts += split_noises(y, variance, X[:, kept], rows[:, kept], after=after)
            else:
                parts.append(integrate(self.outcome, X, rows, after=after, law=self.law))
        return join_months(parts)


def estimand_contrasts(
    columns: pd.Index, shift: PolicyShift, months_after: int
) -> tuple[tuple[str, ...], np.ndarray, dict[str, str]]:
    """Return the estimands, a row of each, and the reason for each that the data cannot carry."""
    has = {name: (columns == name).astype(float) for name in ("level", "slope", "trend")}
    rows = has | {f"effect_{h}m": has["level"] + has["slope"] * h / 12 for h in HORIZONS}
    earlier = [f"slope:{other.slug}" for other in shift.beside if is_earlier(other, shift)]
    rows["pre_trend"] = has["trend"] + columns.isin(earlier)
    rows["post_trend"] = rows["pre_trend"] + has["slope"]
    notes = {x: NOTES["absent"].format(name=x) for x in ("level", "slope") if x not in columns}
    for h in HORIZONS:
        if months_after < h:
            notes[f"effect_{h}m"] = NOTES["short"].format(found=months_after, needed=h)
    added = [name for name in columns if name.startswith(("level:", "slope:", COVARIATE))]
    rows |= {name: (columns == name).astype(float) for name in added}
    estimands = (*ESTIMANDS, *added)
    contrasts = np.array([rows[name] for name in estimands])
    contrasts[[name in notes for name in estimands]] = has["trend"]  # a stand-in, blanked later
    return estimands, contrasts, notes


def prepare_model(
    series: pd.DataFrame,
    shift: PolicyShift,
    *,
    scale: Scale | None = None,
    harmonics: int = 2,
    empty: bool = False,
) -> SegmentedModel:
    """Cut the window and build the model of `fit_its` or, with `empty` periods, of counts."""
    attrs, given = read_attrs(series), series
    series = pd.DataFrame(series, copy=False)
    series.attrs = {}  # pandas would copy them at every step
    if scale == "value" and "value" in series:  # counts beside have no say, nor have their months
        series = series.drop(columns=[*{*sum(KINDS.values(), ())} - {"value"}], errors="ignore")
    window, index, omit, omitted = window_of(series, shift, harmonics)
    attrs = attrs | {"measure": measure_of(given), "unused": unused_columns(given)}
    scale = choose_scale(window, scale, empty=empty, out=omitted)
    control = control_of(window)
    n_before, last = (first_position(index, month) for month in (shift.month, shift.months[-1]))
    month, until = index[n_before], None if n_before == last else index[last]
    # each the first that lies wholly after it
    shift = replace(shift, month=month, until=until, omit=omit)
    designs = tuple(build_design(window, shift, month=m, harmonics=harmonics) for m in shift.months)
    n_after = len(window) - last
    under = min(index[-1] + 1, shift.withdrawn or index[-1] + 1, key=lambda end: end.start_time)
    months_after = months_between(index[last], under)
    named = estimand_contrasts(designs[0].columns, shift, months_after)
    counted = scale == "log" and bool((window["deaths"][~omitted] == 0).any())
    if not control.empty:  # a difference of counts without deaths has no model
        for frame in (window, control):
            choose_scale(frame, scale, out=omitted)
    found = designs, *named, n_before, n_after
    return SegmentedModel(window, shift, scale, harmonics, *found, omitted, attrs, counted)


def fill_model(model: SegmentedModel, frame: pd.DataFrame) -> SegmentedModel:
    """Return the model of counts of another checked series of the same periods, and no others."""
    start = periods_of(model.window)[0].ordinal - periods_of(frame)[0].ordinal
    window = frame.iloc[start : start + len(model.window)]
    counted = bool((window["deaths"].to_numpy()[~model.omitted] == 0).any())
    return replace(model, window=window, counted=counted)


def split_groups(model: SegmentedModel) -> dict[str, SegmentedModel]:
    """Return the same model of each series behind a difference, or nothing without a control."""
    if control_of(model.window).empty:
        return {}
    return {x: replace(model, window=frame) for x, frame in groups_of(model.window).items()}


def memory_rows(mixture: Posterior) -> pd.DataFrame:
    """Return median and 95% interval of what `its.words.describe_memory` puts into words."""
    weight = mixture.weight[0]
    if mixture.exact[0]:  # nothing varies about the fit, and no law is identified
        return pd.DataFrame(np.nan, ["phi", "noise", "sd_ratio"], ["estimate", "low", "high"])
    rows = {"phi": _quantiles(mixture.phi, weight), "noise": _noise_quantiles(mixture, weight)}
    rows["sd_ratio"] = np.exp(_smooth_quantiles(np.log(mixture.ratio), weight))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high"])


def _quantiles(value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    order = np.argsort(value, kind="stable")
    value, weight = value[order], weight[order]
    return np.interp(SHARES, np.cumsum(weight) - weight / 2, value)


def _noise_quantiles(mixture: Posterior, weight: np.ndarray) -> np.ndarray:
    """Return the quantiles of s; each of its few nodes' weight is spread evenly around it."""
    pairs = (mixture.theta, mixture.phi), (mixture.noise, np.ones_like(weight))
    value, scale = min(pairs, key=lambda pair: len(np.unique(np.round(pair[0], 12))))
    node, place = np.unique(np.round(value, 12), return_inverse=True)
    if len(node) < 3:
        return _quantiles(value, weight)
    ends = np.array([0, *(node[1:] + node[:-1]) / 2, 1])
    fine = np.linspace(0, 1, 501)
    below = (np.multiply.outer(fine, scale) - ends[place]) / np.diff(ends)[place]
    return np.interp(SHARES, np.clip(below, 0, 1) @ weight, fine)


def _smooth_quantiles(value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the quantiles of few nodes, each many times: their density is smooth between them."""
    node, place = np.unique(np.round(value, 12), return_inverse=True)
    if len(node) < 3:
        return _quantiles(value, weight)
    from scipy.interpolate import PchipInterpolator

    density = np.bincount(place, weight) / np.gradient(node)
    fine = np.linspace(node[0], node[-1], 2001)
    mass = np.exp(PchipInterpolator(node, np.log(density))(fine))
    return _quantiles(fine, mass / mass.sum())


def fit_counts(models: Iterable[SegmentedModel]) -> None:
    """Fill in `linearised` and `by_counts` where there is an answer, at once for one design."""
    alike: dict[int, list[SegmentedModel]] = {}
    for model in models:
        alike.setdefault(id(model.designs), []).append(model)
    for each in alike.values():
        _fit_alike(each)


def _fit_alike(models: list[SegmentedModel]) -> None:
    first, kept, months = models[0], models[0].kept, []
    deaths, exposure = np.dstack([model.counts for model in models])
    try:
        for design, after in zip(first.designs, first.sides, strict=True):
            X = design.to_numpy()[:, kept]
            months.append((X, after, *working_response(deaths, X, exposure, after, ~first.omitted)))
    except EstimatorError:  # who has no answer says why when asked
        for half in np.array_split(np.arange(len(models)), 2) if len(models) > 1 else []:
            _fit_alike([models[number] for number in half])
        return
    for number, model in enumerate(models):
        model.__dict__["linearised"] = [(y[:, number], v[:, number]) for *_, y, v in months]
    for start in range(0, len(models), TOGETHER):
        some, C = slice(start, start + TOGETHER), first.contrasts[:, kept]
        parts = [split_noises(y[:, some], v[:, some], X, C, after=at) for X, at, y, v in months]
        for model, found in zip(models[some], zip(*parts, strict=True), strict=True):
            model.__dict__["by_counts"] = estimate_effects(model, join_months(found))[0]


def estimate_effects(
    model: SegmentedModel, mixture: Posterior | None = None
) -> tuple[pd.DataFrame, Posterior]:
    """Return the effects (rows `estimands`), in units of the scale, and the mixture behind them."""
    mixture = mixture or model.posterior([model.contrasts] * len(model.designs))
    numbers = np.column_stack([column[0] for column in summarise(mixture)])
    if model.scale == "log":
        numbers[:, :3] = as_percent(numbers[:, :3])
    numbers[[name in model.notes for name in model.estimands]] = np.nan
    index = pd.Index(model.estimands, name="estimand")
    return pd.DataFrame(numbers, index, ["estimate", "low", "high", "p"]), mixture
