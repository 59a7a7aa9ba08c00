"""Would another date, place or window have said the same? Placebos, and refits without a part."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.arguments import Waves, checked
from analysis.checks import OneLine, require
from analysis.engine.reml import fit_many
from analysis.its import series as its_series
from analysis.its.breaks import BreakPosterior, admissible_positions, share_evidence, weigh_dates
from analysis.its.design import FEWEST_DF, FEWEST_MONTHS, TERMS, break_designs, fewest_periods
from analysis.its.model import SegmentedModel, estimate_effects, fill_model, prepare_model
from analysis.its.series import ERRORS, Scale, as_logs, as_percent
from analysis.its.shifts import PolicyShift, is_earlier

JUDGED = ("level", "slope", "effect_12m")
MOST_MONTHS = 24  # that a window's edge is moved
LONGEST_TRANSITION = 12  # months left out from the shift on, or the phase-in that it declares
RUN = 3  # periods left out to see whether a date survives
COLUMNS = ["change", "setting", "estimand", "estimate", "low", "high"]
Fit = tuple[str, object, np.ndarray, slice]  # change, setting, months left out, the window's part


@dataclass(frozen=True, repr=False)
class Placebos(OneLine):
    """The real estimates among placebo ones."""

    placebo: pd.DataFrame  # one row per date or place; columns `JUDGED`
    real: pd.Series  # the real shift's estimates, index `JUDGED`
    scale: Scale
    skipped: dict[str, str] = field(default_factory=dict)  # place or date -> why it has no estimate

    @property
    def rank(self) -> pd.DataFrame:
        """By estimand, the real one's `rank` by size on the scale of the model, `of`, and `p`."""
        placebo, real = self.placebo, self.real
        if self.scale == "log":
            placebo, real = as_logs(placebo), as_logs(real)
        rank, of = (placebo.abs() >= real.abs()).sum() + 1, placebo.notna().sum() + 1
        return pd.DataFrame({"rank": rank, "of": of, "p": rank / of}).where(real.notna(), np.nan)


@checked
def placebo_dates(
    series: pd.DataFrame, shift: PolicyShift, *, scale: Scale | None = None, harmonics: Waves = 2
) -> Placebos:
    """Estimate a shift at every admissible date before the real one, from what came before it.

    Parameters
    ----------
    series, shift, scale, harmonics
        As in `analysis.fit_its`.

    Returns
    -------
    Placebos
        `placebo` by period, in the units of `fit_its`; dates whose months do not vary about the fit
        are in `skipped`. Estimates of one series depend on each other: the rank is no exact test.

    Raises
    ------
    ValueError
        If the months before the shift leave no admissible date.

    References
    ----------
    Abadie, Diamond and Hainmueller (2015), Am. J. Pol. Sci. 59, 495-510, doi:10.1111/ajps.12116
    """
    model = prepare_model(series, shift, scale=scale, harmonics=harmonics)
    scale, omit = model.scale, model.shift.omit
    before = model.window.iloc[: model.n_before]
    beside = [other for other in shift.beside if is_earlier(other, shift)]
    positions = admissible_positions(before.index, beside=beside)
    told = {"shift": shift, "n": len(before), "fewest": fewest_periods(before.index)}
    require(len(positions) > 0, ERRORS["no_placebo"].format(**told))
    designs = break_designs(before, positions, beside, harmonics, shift.impact, omit)
    terms = TERMS[shift.impact]
    C = np.zeros((len(terms) + 1, designs.shape[2]))
    C[:, -len(terms) :] = [*np.eye(len(terms)), np.ones(len(terms))]  # each; all after a year
    fits = fit_many(model.outcome[: model.n_before], designs, C, after=positions)
    placebo = pd.DataFrame(fits.estimate, before.index[positions], [*terms, "effect_12m"])
    still = np.isnan(fits.p).any(axis=1)  # rounding error, before which every real one ranks
    skipped = dict.fromkeys(placebo.index[still].astype(str), "its months do not vary")
    placebo = placebo[~still].reindex(columns=list(JUDGED))
    placebo = as_percent(placebo) if scale == "log" else placebo
    return Placebos(placebo, _judged(model), scale, skipped)


@checked
def placebo_places(
    panel: pd.DataFrame,
    own: pd.DataFrame,
    shift: PolicyShift,
    *,
    scale: Scale | None = None,
    harmonics: Waves = 2,
) -> Placebos:
    """Estimate the shift in each place of a panel.

    Parameters
    ----------
    panel : DataFrame
        MultiIndex (place, period); the columns of a series, such as `analysis.load_states` gives.
    own : DataFrame
        The series of the shift's own places together, or of all there are.
    shift, scale, harmonics
        As in `analysis.fit_its`.

    Returns
    -------
    Placebos
        `placebo` by place: for a shift in some of them, the others only. A place with periods
        without deaths has no estimate on the log scale, and is named in `skipped`.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105, 493-505, doi:10.1198/jasa.2009.ap08746
    """
    whole = prepare_model(own, shift, scale=scale, harmonics=harmonics)
    rows, skipped, like = {}, {}, {}
    counts = {*panel.columns} == {"deaths", "person_years"}  # no place's own covariate
    for place, series in its_series.split_panel(panel).items():
        if place in shift.places:
            continue
        key = its_series.periods_of(series).asi8.tobytes()  # in the same order
        try:
            if counts and key in like:
                model = fill_model(like[key], its_series.check_frame(series))
                its_series.choose_scale(model.window, model.scale, out=model.omitted)
            else:
                model = prepare_model(series, shift, scale=scale, harmonics=harmonics)
            rows[place], like[key] = _judged(model), model
        except its_series.EmptyPeriodsError as error:
            skipped[place] = str(error)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place}: {error}") from error
    placebo = pd.DataFrame.from_dict(rows, orient="index", columns=list(JUDGED))
    return Placebos(placebo, _judged(whole), whole.scale, skipped)


def _judged(model: SegmentedModel) -> pd.Series:
    return estimate_effects(model)[0]["estimate"].reindex(list(JUDGED))


@checked
def vary_window(
    series: pd.DataFrame, shift: PolicyShift, *, scale: Scale | None = None, harmonics: Waves = 2
) -> pd.DataFrame:
    """Refit a shift with one year left out, with other edges, and with a transition left out.

    Parameters
    ----------
    series, shift, scale, harmonics
        As in `analysis.fit_its`; of a range of months, the first.

    Returns
    -------
    DataFrame
        `change` ("year left out", "first month", "last month", "transition"), `setting` (the year,
        the month, or the months left out from the shift on), `estimand` (level, slope),
        `estimate`, `low`, `high`, as `fit_its` has them. Errors are carried over months left out.
    """
    model = prepare_model(series, shift, scale=scale, harmonics=harmonics)
    rows = _rows(model, _fits(model))
    return pd.DataFrame(rows, columns=COLUMNS)


def vary_record(records: Mapping[str, pd.DataFrame], shift: PolicyShift) -> pd.DataFrame:
    """Return the rows of `vary_window` for several records of the same count, by what they are."""
    rows = []
    for name, series in records.items():
        model = prepare_model(series, shift)
        rows += _rows(
            model, [("record", name, np.zeros(len(model.window), dtype=bool), slice(None))]
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def leave_out_dates(
    series: pd.DataFrame, shift: PolicyShift, harmonics: int = 2
) -> tuple[BreakPosterior, pd.DataFrame]:
    """Return the `break_posterior`, and ask it again without each run of one to three periods."""
    index, choices, found, exact = weigh_dates(series, shift, harmonics=harmonics, longest=RUN)
    dates, parts = index[[place for (place,) in choices]], []
    whole = share_evidence(found[0], exact)[0]
    posterior = BreakPosterior(pd.Series(whole, dates, name="probability"))
    near = [posterior.near(month) for month in shift.months]
    for periods, evidence in enumerate(found):
        known = np.flatnonzero(np.isfinite(evidence).any(axis=1))
        shares = share_evidence(evidence[known], exact)
        mass = np.max([shares[:, each].sum(axis=1) for each in near], axis=0)
        part = {"first": index[known], "periods": periods, "mode": dates[shares.argmax(axis=1)]}
        parts.append(pd.DataFrame(part | {"mass_near": mass}))
    return posterior, pd.concat(parts, ignore_index=True)


def _fits(model: SegmentedModel) -> Iterator[Fit]:
    """Yield each change, its setting, the months left out (n,), and the window's part."""
    index, n = model.window.index, len(model.window)
    nothing, everything = np.zeros(n, dtype=bool), slice(None)
    step = 12 // its_series.periods_per_year(index)
    own, places = model.n_before, np.arange(n)
    for year in index.year.unique():
        yield "year left out", year, np.asarray(index.year == year), everything
    for cut in range(0, MOST_MONTHS // step + 1):
        if not cut or (own - cut) * step >= FEWEST_MONTHS["before"]:
            yield "first month", index[cut], nothing, slice(cut, None)
    for cut in range(MOST_MONTHS // step, -1, -1):
        if not cut or (n - own - cut) * step >= FEWEST_MONTHS["after"]:
            yield "last month", index[n - 1 - cut], nothing, slice(0, n - cut)
    phase_in = int(np.argmin([*model.omitted[own:], False]))  # periods left out from the shift on
    for length in range(0, max(LONGEST_TRANSITION // step, phase_in) + 1):
        if not length or (n - own - length) * step >= FEWEST_MONTHS["after"]:
            yield "transition", length * step, (places >= own) & (places < own + length), everything


def _rows(model: SegmentedModel, fits: Iterable[Fit]) -> Iterator[tuple]:
    design, outcome, names = model.designs[0], model.outcome, np.array(["level", "slope"])
    design, columns = design.to_numpy(), design.columns.get_indexer(names)
    for change, setting, out, part in fits:
        seen = (design[part] != 0).any(axis=0)
        # one column for each month left out: it is fitted exactly, and those around it stay put
        own = np.eye(len(design[part]))[:, (out & ~model.omitted)[part]]
        full = np.column_stack([design[part][:, seen], own])
        known = (columns >= 0) & seen[columns]
        n, k = full.shape
        C = np.eye(k)[seen.cumsum()[columns[known]] - 1]
        cut = bool(out.any()) or n < len(out)
        if cut and (n - k < FEWEST_DF or np.linalg.matrix_rank(full) < k):
            continue  # too little is left, or nothing that tells a shift beside apart
        fit = fit_many(outcome[part], full, C, after=model.n_before - (part.start or 0))
        numbers = np.column_stack([fit.estimate[0], fit.low[0], fit.high[0]])
        numbers = as_percent(numbers) if model.scale == "log" else numbers
        for name, row in zip(names[known], numbers, strict=True):
            yield change, str(setting), name, *row
