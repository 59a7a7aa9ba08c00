"""Fit an interrupted time series: one policy shift in one series."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from analysis.counterfactual import (
    Kind,
    check_draws,
    draw_paths,
    simultaneous_band,
    sum_excess,
    without_shift,
)
from analysis.design import build_design, cut_window, first_position
from analysis.estimands import ESTIMANDS, estimand_contrasts, posterior, posterior_rho
from analysis.flags import Flag, find_flags
from analysis.frames import Scale, choose_scale, outcome, periods_per_year
from analysis.policies import PolicyShift
from analysis.reml import summarise

DRAWS = 20_000


@dataclass(frozen=True)
class ITSResult:
    """What the model says of one policy shift in one series."""

    shift: PolicyShift
    series: pd.DataFrame = field(repr=False)  # the window that was fitted
    scale: Scale
    harmonics: int
    effects: pd.DataFrame  # rows ESTIMANDS; columns estimate, low, high, p
    notes: dict[str, str]  # why an estimand is missing
    rho: pd.Series  # estimate (median), low, high of the autocorrelation
    fitted: pd.Series = field(repr=False)  # expected rate or value, by period
    n_before: int
    n_after: int
    flags: tuple[Flag, ...]
    _drawn: dict = field(default_factory=dict, init=False, repr=False, compare=False)  # paths

    @property
    def units(self) -> pd.Series:
        """The unit of each row of `effects`."""
        unit = {"log": "percent", "rate": "deaths per 100,000 person-years", "value": "units"}
        yearly = {"slope": " per year", "pre_trend": " per year"}
        return pd.Series({row: unit[self.scale] + yearly.get(row, "") for row in ESTIMANDS})

    @property
    def observed(self) -> pd.Series:
        """Deaths per 100,000 person-years, or the value, by period."""
        scale = "value" if self.scale == "value" else "rate"
        return pd.Series(outcome(self.series, scale), index=self.series.index)

    def counterfactual(
        self, kind: Kind = "forecast", *, draws: int = DRAWS, seed: int = 0
    ) -> pd.DataFrame:
        """Return what the model expects without the shift.

        Parameters
        ----------
        kind : {"forecast", "segmented"}
            *forecast*: the model without the shift, fitted to the periods before it only and
            projected, with the uncertainty of its parameters, rho and sigma and the AR(1) noise of
            the path. *segmented*: the fitted model with the shift's terms set to zero, with the
            uncertainty of its parameters only.
        draws, seed : int
            Number and seed of the draws.

        Returns
        -------
        DataFrame
            One row per period of the window; columns `observed`, `expected` (median), `low` and
            `high` (simultaneous 95% band: 95% of whole paths lie inside it, over the periods
            before the shift and from it on separately), in deaths per 100,000 person-years or the
            unit of `value`.
        """
        paths = self._paths(kind, draws, seed)
        split = self.n_before
        bands = [simultaneous_band(part) for part in (paths[:, :split], paths[:, split:])]
        low, high = (np.concatenate(ends) for ends in zip(*bands, strict=True))
        expected = np.median(paths, axis=0)
        if kind == "segmented":
            design = build_design(self.series.index, self.shift, harmonics=self.harmonics)
            expected = posterior(
                self.series,
                self.shift,
                self.scale,
                self.harmonics,
                [without_shift(design).to_numpy()] * len(self.shift.months),
            ).quantile(0.5)[0]
        frame = pd.DataFrame({"expected": expected, "low": low, "high": high})
        if self.scale == "log":
            frame = np.exp(frame)
        frame.index = self.series.index
        frame.insert(0, "observed", self.observed)
        return frame

    def excess(
        self,
        months: int | None = None,
        *,
        kind: Kind = "forecast",
        draws: int = DRAWS,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Return observed minus expected over the first `months` from the shift on.

        Parameters
        ----------
        months : int, optional
            Default all that the window has. Whole periods: a multiple of 3 for quarters, of 12
            for years.
        kind, draws, seed
            As in `counterfactual`; the same seed gives the same draws.

        Returns
        -------
        DataFrame
            Rows `deaths`, `per_100k` (person-years), `percent`, all from the same draws; for a
            frame of values `total`, `mean` (per period), `percent`. Columns `estimate` (median),
            `low`, `high` (95%).

        Raises
        ------
        ValueError
            If there are not so many months after the shift.
        """
        step = 12 // periods_per_year(self.series.index)
        available = len(self.series) - self.n_before
        months = available * step if months is None else months
        whole = isinstance(months, int | np.integer) and not isinstance(months, bool)
        if not whole or months < step or months % step or months > available * step:
            raise ValueError(
                f"months must be a multiple of {step} from {step} to {available * step}, which is "
                f"what the window has from {self.shift.month} on; found {months!r}"
            )
        paths = self._paths(kind, draws, seed)
        positions = slice(self.n_before, self.n_before + months // step)
        return sum_excess(self.series, paths, self.scale, positions)

    def _paths(self, kind: Kind, draws: int, seed: int) -> np.ndarray:
        check_draws(kind, draws)
        if (kind, draws, seed) not in self._drawn:
            chosen = self.series, self.shift, self.scale, self.harmonics, kind
            self._drawn[kind, draws, seed] = draw_paths(*chosen, draws, seed).paths
        return self._drawn[kind, draws, seed]


def fit_its(
    series: pd.DataFrame, shift: PolicyShift, *, scale: Scale | None = None, harmonics: int = 2
) -> ITSResult:
    """Fit the headline model: segmented regression with AR(1) errors by REML, rho integrated out.

    Parameters
    ----------
    series : DataFrame
        Regular monthly, quarterly or yearly PeriodIndex; columns `deaths` and `person_years`, or
        one column `value`. It is not changed.
    shift : PolicyShift
        ``PolicyShift("reform", "2010-01")`` is enough.
    scale : {"log", "rate", "value"}, optional
        *log* (default for counts): log of the rate, effects in percent; *rate*: deaths per 100,000
        person-years; *value* (default for a `value` column): its own unit.
    harmonics : int
        Sine and cosine pairs of the year.

    Returns
    -------
    ITSResult
        `effects` has the rows `level` (change at the shift), `slope` (change of the yearly trend),
        `effect_12m` and `effect_24m` (12 and 24 months after the shift), `pre_trend` (yearly trend
        before) and the columns `estimate` (median), `low`, `high` (95%), `p`. A row that the data
        cannot carry is missing, with the reason in `notes`. A shift known only as a range of
        months is averaged over them with equal weights.

    Raises
    ------
    TypeError, ValueError
        If the series or the shift cannot be used; the message says what to do.

    References
    ----------
    Lopez Bernal, J., Cummins, S. and Gasparrini, A. (2017). Interrupted time series regression for
    the evaluation of public health interventions. International Journal of Epidemiology 46,
    348-355. doi:10.1093/ije/dyw098
    """
    if not isinstance(shift, PolicyShift):
        raise TypeError(f"shift must be a PolicyShift, found {type(shift).__name__}")
    window = cut_window(series, shift)
    scale = choose_scale(window, scale)
    shift = _at_frequency(shift, window.index)
    n_before = first_position(window.index, shift.month)
    n_after = len(window) - first_position(window.index, shift.months[-1])
    months_after = n_after * 12 // periods_per_year(window.index)
    design = build_design(window.index, shift, harmonics=harmonics)
    contrasts, notes = estimand_contrasts(design.columns, months_after)
    mixture = posterior(window, shift, scale, harmonics, [contrasts] * len(shift.months))
    effects = pd.DataFrame(
        np.column_stack([column[0] for column in summarise(mixture)]),
        index=pd.Index(ESTIMANDS, name="estimand"),
        columns=["estimate", "low", "high", "p"],
    )
    if scale == "log":
        effects[["estimate", "low", "high"]] = 100 * np.expm1(effects[["estimate", "low", "high"]])
    effects.loc[list(notes)] = np.nan
    rows = [
        build_design(window.index, shift, month=month, harmonics=harmonics).to_numpy()
        for month in shift.months
    ]
    fitted = posterior(window, shift, scale, harmonics, rows).quantile(0.5)[0]
    rho, high_rho = posterior_rho(window, shift, scale, harmonics)
    flags = find_flags(
        window,
        shift,
        scale=scale,
        harmonics=harmonics,
        high_rho=high_rho,
        n_before=n_before,
        n_after=n_after,
    )
    if mixture.exact[0]:
        notes |= {"intervals": "the model fits without any residual variation"}
    return ITSResult(
        shift=shift,
        series=window,
        scale=scale,
        harmonics=harmonics,
        effects=effects,
        notes=notes,
        rho=rho,
        fitted=pd.Series(np.exp(fitted) if scale == "log" else fitted, index=window.index),
        n_before=n_before,
        n_after=n_after,
        flags=flags,
    )


def _at_frequency(shift: PolicyShift, index: pd.PeriodIndex) -> PolicyShift:
    """Return `shift` with its months as periods of `index`, each one that lies wholly after it."""
    first, last = (index[first_position(index, m)] for m in (shift.month, shift.months[-1]))
    return replace(shift, month=first, until=None if first == last else last)
