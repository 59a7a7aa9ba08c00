"""Refits that ask what the answer hangs on: one year, the window's edges, a slow start."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from analysis.arguments import Waves, checked
from analysis.engine.reml import fit_many
from analysis.its.breaks import BreakPosterior, share_evidence, weigh_dates
from analysis.its.design import FEWEST_DF, FEWEST_MONTHS
from analysis.its.model import SegmentedModel, prepare_model
from analysis.its.series import Scale, as_percent, periods_per_year
from analysis.its.shifts import PolicyShift

CONTRASTS = ("level", "slope")
MOST_MONTHS = 24  # that a window's edge is moved
LONGEST_TRANSITION = 12  # months left out from the shift on, or the phase-in that it declares
LONGEST_RUN = 3  # periods left out to see whether a date survives
COLUMNS = ["change", "setting", "estimand", "estimate", "low", "high"]


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
    rows = [row for fit in _fits(model) for row in _rows(model, *fit)]
    return pd.DataFrame(rows, columns=COLUMNS)


def vary_record(records: Mapping[str, pd.DataFrame], shift: PolicyShift) -> pd.DataFrame:
    """Return the rows of `vary_window` for several records of the same count, by what they are."""
    rows = []
    for name, series in records.items():
        model = prepare_model(series, shift)
        rows += _rows(model, "record", name, np.zeros(len(model.window), dtype=bool), slice(None))
    return pd.DataFrame(rows, columns=COLUMNS)


def leave_out_dates(series: pd.DataFrame, shift: PolicyShift, harmonics: int = 2) -> pd.DataFrame:
    """Ask the date of the break again without each run of one to three periods, and with all."""
    weighed = weigh_dates(series, shift, harmonics=harmonics, longest=LONGEST_RUN)
    index, choices, found, exact = weighed
    dates, rows = index[[place for (place,) in choices]], []
    for periods, evidence in enumerate(found):
        known = np.isfinite(evidence).all(axis=1)
        shares = share_evidence(evidence[known], exact)
        for first, probability in zip(index[np.flatnonzero(known)], shares, strict=True):
            posterior = BreakPosterior(pd.Series(probability, dates))
            near = max(posterior.mass_near(month) for month in shift.months)
            rows.append([first, periods, posterior.mode, near])
    return pd.DataFrame(rows, columns=["first", "periods", "mode", "mass_near"])


def _fits(model: SegmentedModel) -> Iterator[tuple[str, object, np.ndarray, slice]]:
    """Yield each change, its setting, the months left out (n,), and the window's part."""
    index, n = model.window.index, len(model.window)
    nothing, everything = np.zeros(n, dtype=bool), slice(None)
    step = 12 // periods_per_year(index)
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
            out = (places >= own) & (places < own + length)
            yield "transition", length * step, out, everything


def _rows(
    model: SegmentedModel, change: str, setting: object, out: np.ndarray, part: slice
) -> Iterator[tuple]:
    design = model.designs[0].iloc[part]
    X = design.loc[:, (design != 0).any()]
    # one column for each month left out: it is fitted exactly, and the months around it stay put
    full = np.column_stack([X, np.eye(len(X))[:, (out & ~model.omitted)[part]]])
    names = [name for name in CONTRASTS if name in X]
    n, k = full.shape
    C = np.eye(k)[X.columns.get_indexer(names)]
    changed = out.any() or n < len(out)
    if changed and (n - k < FEWEST_DF or np.linalg.matrix_rank(full) < k):
        return  # too little is left, or nothing that tells a shift beside apart
    fit = fit_many(model.outcome[part], full, C, after=model.n_before - (part.start or 0))
    numbers = np.column_stack([fit.estimate[0], fit.low[0], fit.high[0]])
    numbers = as_percent(numbers) if model.scale == "log" else numbers
    for name, row in zip(names, numbers, strict=True):
        yield change, str(setting), name, *row
