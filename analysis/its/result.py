"""Fit an interrupted time series: one policy shift in one series."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd

from analysis.arguments import Draws, Seed, Waves, checked, whole
from analysis.checks import require
from analysis.engine.mixture import Posterior
from analysis.engine.optimise import NO_VARIATION
from analysis.its.breaks import BreakPosterior, break_posterior
from analysis.its.columns import add_control, add_covariates, name_columns
from analysis.its.comparison import ESTIMATORS, estimate_by, judge_comparison
from analysis.its.counterfactual import Kind, band_paths, draw_paths, sum_excess, tabulate_paths
from analysis.its.design import TERMS, outside_window
from analysis.its.flags import Flag, find_flags, signs_differ, unremarkable_date
from analysis.its.model import (
    NOTES,
    SegmentedModel,
    estimate_effects,
    memory_rows,
    prepare_model,
    split_groups,
)
from analysis.its.series import Scale, check_index, own_outcome, periods_of, periods_per_year
from analysis.its.shifts import PolicyShift, read_omitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis.its.words import Summary

DRAWS = 20_000


@dataclass(frozen=True, repr=False)
class ITSResult:
    """What the model says of one policy shift in one series."""

    shift: PolicyShift
    series: pd.DataFrame  # the window that was fitted
    scale: Scale
    harmonics: int
    effects: pd.DataFrame  # rows `estimands` of its.model; columns estimate, low, high, p
    notes: dict[str, str]  # why an estimand is missing
    n_before: int
    n_after: int
    _model: SegmentedModel = field(compare=False)
    _mixture: Posterior = field(compare=False)
    _drawn: dict = field(default_factory=dict, init=False, compare=False)

    @cached_property
    def memory(self) -> pd.DataFrame:
        """What the errors remember: phi, noise, sd_ratio; median as estimate, low and high."""
        return memory_rows(self._mixture)

    @property
    def comparison(self) -> pd.DataFrame:
        """The shift by every estimator, as `compare_estimators` gives it."""
        return self._comparison.copy()

    @cached_property
    def _comparison(self) -> pd.DataFrame:
        headline = "count_reml" if self._model.counted else "reml"
        return estimate_by((headline, *ESTIMATORS[1:]), self._model)

    @property
    def comparison_verdict(self) -> str:  # a Literal here would stop IPython's completion
        """Whether the estimators *agree*, their *intervals differ* or their *sign differs*."""
        return judge_comparison(self._comparison)

    panel, verdict = comparison, comparison_verdict  # their former names

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """The warnings that stand next to the result, each with its number."""
        flags = [*find_flags(self._model, self._mixture)]
        flags += signs_differ(self.comparison, self.comparison_verdict)
        if self._dates is not None:
            flags += unremarkable_date(self._dates, self.shift)
        return tuple(flags)

    @cached_property
    def _dates(self) -> BreakPosterior | None:
        """Where a break is likely; None of an exact fit, and of too short or too long a series."""
        if "intervals" in self.notes:
            return None
        series, shift = self.series, self.shift
        with suppress(ValueError):
            return break_posterior(series, shift=shift, scale=self.scale, harmonics=self.harmonics)
        return None

    def __repr__(self) -> str:
        size = f"{self.n_before} + {self.n_after} periods, {self.scale} scale"
        row = self.effects.T[TERMS[self.shift.impact][-1]]
        told = f"{row.name} {row['estimate']:+.3g} ({row['low']:+.3g} to {row['high']:+.3g})"
        return f"ITSResult({self.shift.slug}, {self.shift.when}; {size}; {told})"

    def summary(self) -> "Summary":
        """Return one readable block: question, numbers, verdict, warnings.

        A console prints it as text, a notebook shows it as HTML.
        """
        from analysis.its.words import summarise  # it reads results, as the figures do

        return summarise(self)

    def plot(self, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the standard figure, that of `analysis.plot_fit`, and return its Axes."""
        from analysis.its.plots import plot_fit

        return plot_fit(self, ax=ax)

    @property
    def months_left_out(self) -> int:
        """How many periods of the window are left out of the fit."""
        return int(self._model.omitted.sum())

    @property
    def units(self) -> pd.Series:
        """The unit of each row of `effects`; of a covariate, for one more of it."""
        unit = {"log": "percent", "rate": self._model.attrs["measure"]["unit"], "value": "units"}
        yearly = {x for x in self.effects.index if x.startswith("slope") or x.endswith("_trend")}
        units = {x: unit[self.scale] + " per year" * (x in yearly) for x in self.effects.index}
        return pd.Series(units)

    @cached_property
    def groups(self) -> pd.DataFrame:
        """With a control: `effects` of each (group, estimand), and of their difference last.

        The groups are `treated`, `control` and, of several, each control by its name.
        """
        parts = {x: estimate_effects(model)[0] for x, model in split_groups(self._model).items()}
        return pd.concat(parts | {"difference": self.effects}, names=["group"])

    @cached_property
    def fitted(self) -> pd.Series:
        """The expected rate or value, by period."""
        designs = [design.to_numpy() * self._model.kept for design in self._model.designs]
        expected = self._model.posterior(designs).quantile(0.5)[0] + self._model.baseline
        expected = np.exp(expected) if self.scale == "log" else expected
        return pd.Series(expected, index=self.series.index)

    @property
    def observed(self) -> pd.Series:
        """Deaths per 100,000 person-years, or the value, by period."""
        scale: Scale = "value" if self.scale == "value" else "rate"
        return pd.Series(own_outcome(self.series, scale), index=self.series.index)

    @checked
    def counterfactual(
        self, kind: Kind = "forecast", *, draws: Draws = DRAWS, seed: Seed = 0
    ) -> pd.DataFrame:
        """Return what the model expects without the shift.

        Parameters
        ----------
        kind : {"forecast", "segmented"}
            *forecast*: the model without the shift, fitted to the periods before it only and
            projected, with the uncertainty of its parameters and the errors of the path.
            *segmented*: what was observed, less the fitted step and change of slope, with the
            uncertainty of these only.
        draws, seed : int
            Number and seed of the draws.

        Returns
        -------
        DataFrame
            One row per period of the window; columns `observed`, `expected` (median), `low` and
            `high` (simultaneous 95% band: 95% of whole paths lie inside it, over the periods
            before the shift and from it on separately), in deaths per 100,000 person-years or the
            unit of `value`. The forecast's are missing before the shift. From the first month on
            that no one could believe they are missing, and `attrs["note"]` says why.
        """
        return self._projected(kind, draws, seed)[1]

    @checked
    def excess(
        self,
        months: Annotated[int, whole(1, 1200)] | None = None,
        *,
        kind: Kind = "forecast",
        draws: Draws = DRAWS,
        seed: Seed = 0,
    ) -> pd.DataFrame:
        """Return observed minus expected over the first `months` from the shift on.

        Parameters
        ----------
        months : int, optional
            Default all that the window has; for quarters a multiple of 3, for years of 12.
        kind, draws, seed
            As in `counterfactual`; the same seed gives the same draws.

        Returns
        -------
        DataFrame
            Rows `deaths`, `per_100k` (person-years), `percent`, all from the same draws; for a
            frame of values `total`, `mean` (per period), `percent`. Columns `estimate` (median),
            `low`, `high` (95%). Missing where the counterfactual is: `attrs["note"]` says why.

        Raises
        ------
        ValueError
            If there are not so many months after the shift.
        """
        step = 12 // periods_per_year(periods_of(self.series))
        available = (len(self.series) - self.n_before) * step
        months = available if months is None else months
        fits = months % step == 0 and months <= available
        held = f"which is what the window has from {self.shift.month} on; found {months!r}"
        require(fits, f"months must be a multiple of {step} from {step} to {available}, {held}")
        positions = slice(self.n_before, self.n_before + months // step)
        paths, expected = self._projected(kind, draws, seed)
        excess = sum_excess(self._model, paths, positions)
        asked = expected["expected"].iloc[positions][~self._model.omitted[positions]]
        if "note" not in excess.attrs and asked.isna().any():
            excess[:] = np.nan
            excess.attrs["note"] = expected.attrs["note"]
        return excess

    def _projected(self, kind: Kind, draws: int, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
        """Return the paths, which are drawn once, and the table of them."""
        if (kind, draws, seed) not in self._drawn:
            paths = draw_paths(self._model, kind, draws, seed)
            self._drawn[kind, draws, seed] = paths, band_paths(self._model, paths)
        paths, columns = self._drawn[kind, draws, seed]
        return paths, tabulate_paths(self._model, columns, self.observed, kind)


@checked
def fit_its(
    series: pd.DataFrame,
    shift: PolicyShift,
    *,
    scale: Scale | None = None,
    harmonics: Waves = 2,
    omit: Iterable[pd.Period | str] = (),
    columns: Mapping[str, str] | None = None,
    covariates: pd.DataFrame | pd.Series | str | Sequence[str] | None = None,
    control: pd.DataFrame | pd.Series | str | Sequence[str] | Mapping[str, Any] | None = None,
) -> ITSResult:
    """Fit the headline model: segmented regression whose errors remember, seen through noise.

    Their memory, the share of noise and the change of their size at the shift are integrated out.

    Parameters
    ----------
    series : DataFrame
        Regular monthly, quarterly or yearly PeriodIndex; columns `deaths` and `person_years`,
        `count` and `exposure` (any denominator), `count` and `total` (a share), `count` alone, or
        one column `value` (a mean, or any number). It is not changed.
    shift : PolicyShift
        ``PolicyShift("reform", "2010-01")`` is enough.
    scale : {"log", "rate", "value"}, optional
        *log* (default for counts): log of the rate, effects in percent; where months have no
        deaths, by the model of the counts themselves (unless *log* was asked for); *rate*:
        deaths per 100,000 person-years; *value* (default for a `value` column): its own unit.
    harmonics : int
        Sine and cosine pairs of the year.
    omit : iterable of Period or str
        Periods, or ranges such as ``"2007-01:2007-02"``, to leave out beside ``shift.omit`` and
        missing values: holes of the source, a phase-in. Each gets a column of its own.
    columns : mapping, optional
        Those names to the series' own, such as ``{"count": "admissions", "exposure": "people"}``.
    covariates : DataFrame, Series or names of columns of `series`, optional
        Beside the series, matched by label: linear in the model and in both counterfactuals.
    control : DataFrame, mapping of names to frames, Series or names of columns, optional
        A series of the same columns where nothing was to change, matched by label; of several,
        counts are added up and values averaged. The model is then one of the difference (of logs,
        rates or values), whose errors follow the law of the headline: nothing is assumed of those
        of either series. Effects are differences of changes; `groups` has each series' own.

    Returns
    -------
    ITSResult
        `effects` has the rows `level` (change at the shift), `slope` (change of the yearly trend),
        `effect_12m` and `effect_24m` (12 and 24 months after the shift), `pre_trend` and
        `post_trend` (yearly trend before it and from it on) and the columns `estimate` (median),
        `low`, `high` (95%), `p`. A row that the data cannot carry is missing, with the reason in
        `notes`, which also name what has no say: outside the window, columns not used. A shift
        known only as a range of months is averaged over them with equal weights. Each shift beside
        adds the rows ``level:SLUG`` and ``slope:SLUG``, each covariate ``covariate:NAME``. The
        result's `series` and `shift` go into every other function as they are.

    Raises
    ------
    TypeError, ValueError
        If the series or the shift cannot be used; the message says what to do.

    References
    ----------
    Lopez Bernal et al. (2017), Int. J. Epidemiology 46, 348-355, doi:10.1093/ije/dyw098
    """
    shift = replace(shift, omit=(*shift.omit, *read_omitted(omit, shift.slug)))
    series = name_columns(series, columns)
    if covariates is not None or control is not None:
        check_index(series, gaps=True)
        series = add_control(add_covariates(series, covariates), control, columns)
    model = prepare_model(series, shift, scale=scale, harmonics=harmonics, empty=scale is None)
    effects, mixture = estimate_effects(model)
    notes = model.notes | ({"intervals": NO_VARIATION} if mixture.exact[0] else {})
    if gone := outside_window(periods_of(model.window), model.shift):
        notes["outside"] = NOTES["outside"].format(gone=", ".join(gone))
    if unused := model.attrs["unused"]:
        notes["columns"] = NOTES["columns"].format(unused=", ".join(unused))
    if model.attrs["measure"]["kind"] not in ("deaths", "value"):
        model.window.attrs = {"measure": model.attrs["measure"]}  # as other functions will ask
    fitted = model.shift, model.window, model.scale, harmonics, effects, notes
    return ITSResult(*fitted, model.n_before, model.n_after, model, mixture)


def retell(result: ITSResult, series: pd.DataFrame, shift: PolicyShift) -> ITSResult:
    """Return the same fit with the words of `shift`, and notes and flags in the language in use."""
    again = fit_its(series, shift, scale=result.scale, harmonics=result.harmonics)
    for name in ("_comparison", "_dates", "_drawn"):  # which take long, and have no words
        again.__dict__[name] = getattr(result, name)
    return again
