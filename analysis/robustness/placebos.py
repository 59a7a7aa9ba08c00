"""Would another date, or another place, have done as well? Placebo dates and placebo places."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.arguments import Waves, checked
from analysis.checks import require
from analysis.engine.reml import fit_many
from analysis.its.breaks import admissible_positions
from analysis.its.design import TERMS, break_designs, fewest_periods
from analysis.its.model import SegmentedModel, estimate_effects, prepare_model
from analysis.its.series import EmptyPeriodsError, Scale, as_logs, as_percent, split_panel
from analysis.its.shifts import PolicyShift, is_earlier

JUDGED = ("level", "slope", "effect_12m")


@dataclass(frozen=True)
class Placebos:
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
    none = f"{len(before)} periods before the shift leave no admissible placebo date"
    needed = f"{fewest_periods(before.index)} are needed on either side. Use a longer series."
    require(len(positions) > 0, f"{shift.slug}: {none}: {needed}")
    designs = break_designs(before.index, positions, beside, harmonics, shift.impact, omit)
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
    rows, skipped = {}, {}
    for place, series in split_panel(panel).items():
        if place in shift.places:
            continue
        try:
            rows[place] = _judged(prepare_model(series, shift, scale=scale, harmonics=harmonics))
        except EmptyPeriodsError as error:
            skipped[place] = str(error)
    model = prepare_model(own, shift, scale=scale, harmonics=harmonics)
    placebo = pd.DataFrame.from_dict(rows, orient="index", columns=list(JUDGED))
    return Placebos(placebo, _judged(model), model.scale, skipped)


def _judged(model: SegmentedModel) -> pd.Series:
    return estimate_effects(model)[0]["estimate"].reindex(list(JUDGED))
