"""A series cut at a month, draws of the months after it, and how good such draws were."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import scoringrules

from analysis.arguments import Draws, Month, Seed, checked, whole
from analysis.checks import OneLine, check_known, require
from analysis.engine.optimise import EstimatorError
from analysis.forecasts.methods import METHODS, Known
from analysis.its.series import ERRORS, PER, check_frame, choose_scale, outcome, rate_of
from analysis.its.shifts import PolicyShift
from analysis.language import Words

MOST_MONTHS = 600  # ahead
FEWEST = 36  # months that every method needs
BANDS = {"50": 0.50, "80": 0.80, "95": 0.95}  # by their name in columns
DRAWS = 10_000  # a probability's Monte Carlo standard error is at most 0.005
ROLLING_DRAWS = 1_000
POOL, BASE_RATE = "pool", "base_rate"
CERTAINTY = Words("forecasts-words.toml", "certainty")  # the least probability of each word
TITLES = Words("forecasts-words.toml", "methods")
SURE = "almost certain"  # the article's own words


@checked
def freeze(series: pd.DataFrame, *, at: Month) -> pd.DataFrame:
    """Return the months of `series` until `at`: all that a forecast is given.

    Parameters
    ----------
    series : DataFrame
        Months; columns `deaths` and `person_years`. What stands after `at` is not even checked.
    at : str or Period
        Last month known.

    Returns
    -------
    DataFrame
        A copy of at least `FEWEST` months, checked for use on the log scale. Person-years after the
        last June are carried on from the year before: interpolated, they would lean on the next.
    """
    months = series.index
    require(isinstance(months, pd.PeriodIndex) and months.freqstr == "M", ERRORS["frozen"])
    require(at in months, f"at must be in the series, {months.min()} to {months.max()}; found {at}")
    known = check_known_months(series.loc[months <= at]).astype({"person_years": float})
    middle = pd.Period(year=at.year - (at.month < 6), month=6, freq="M")
    if at > middle:
        ahead = carry_person_years(known.loc[:middle], at)
        known.loc[ahead.index, "person_years"] = ahead
    return known


def check_known_months(known: pd.DataFrame) -> pd.DataFrame:
    """Return the frame as `check_frame` does, or raise an error if it cannot carry a forecast."""
    known = check_frame(known)
    months = known.index
    require(months.freqstr == "M", f"a forecast needs months; found frequency {months.freqstr!r}")
    require(len(known) >= FEWEST, ERRORS["unready"].format(len(known), months[-1], FEWEST))
    choose_scale(known, "log")
    return known


def carry_person_years(known: pd.DataFrame, until: pd.Period) -> pd.Series:
    """Return person-years after `known` until `until`, growing on as in its last twelve months."""
    last = known.index[-1]
    require(0 < (until - last).n <= MOST_MONTHS, ERRORS["until"].format(MOST_MONTHS, last, until))
    population = known["person_years"] / known.index.days_in_month
    growth = population.iloc[-1] / population.iloc[-13]
    ahead = pd.period_range(last + 1, until, freq="M")
    grown = population.iloc[-1] * growth ** (np.arange(1, len(ahead) + 1) / 12)
    return pd.Series(grown * ahead.days_in_month, index=ahead, name="person_years")


@dataclass(frozen=True, repr=False)
class Forecast(OneLine):
    """Draws of the months after a frozen series, all questions answered from the same ones."""

    method: str
    known: pd.DataFrame  # the frozen series
    person_years: pd.Series  # by month ahead, carried forward from `known`
    paths: np.ndarray  # (draws, months), log of deaths per 100,000

    @property
    def rates(self) -> np.ndarray:
        """Deaths per 100,000 person-years, shape (draws, months)."""
        return np.exp(self.paths)

    def yearly(self) -> pd.DataFrame:
        """Return draws of each full calendar year's rate, (draws, years), with months counted."""
        rates, weight = self.rates, self.person_years.to_numpy() / PER
        years, columns = self.person_years.index.year, {}
        for year in years.unique():
            past = self.known[self.known.index.year == year]
            ahead = years == year
            if len(past) + ahead.sum() == 12:
                size = past["person_years"].sum() + self.person_years[ahead].sum()
                total = past["deaths"].sum() + rates[:, ahead] @ weight[ahead]
                columns[int(year)] = rate_of(total, size)
        return pd.DataFrame(columns)


def band_table(rates: np.ndarray, index: pd.Index) -> pd.DataFrame:
    """Return the median and central bands of draws (draws, m), one row per entry of `index`."""
    columns = {"expected": np.median(rates, axis=0)}
    for name, share in BANDS.items():
        ends = np.quantile(rates, [(1 - share) / 2, (1 + share) / 2], axis=0)
        columns |= {f"low_{name}": ends[0], f"high_{name}": ends[1]}
    return pd.DataFrame(columns, index=index)


@checked
def forecast_all(
    known: pd.DataFrame,
    *,
    until: Month,
    methods: Iterable[str] | None = None,
    inaugurations: Sequence[PolicyShift] = (),
    draws: Draws = DRAWS,
    seed: Seed = 0,
) -> dict[str, Forecast]:
    """Forecast by every method that has an answer.

    Parameters
    ----------
    known : DataFrame
        As `freeze` gives it; the forecast starts after its last month.
    until : str or Period
        Last month to forecast.
    methods : iterable of str, optional
        Slugs of `METHODS`; default all.
    inaugurations : sequence of PolicyShift
        In the order of their months: what the method *its_inauguration* chooses from.
    draws, seed : int
        Number and seed of the paths; each method has a stream of its own, whatever the others.

    Returns
    -------
    dict
        Slug to `Forecast`: `paths` (draws, months), log of deaths per 100,000 person-years. If no
        method has an answer for these months, an EstimatorError is raised.
    """
    known = check_known_months(known)
    person_years = carry_person_years(known, until)
    given = Known(outcome(known, "log"), known.index, person_years.index, inaugurations)
    made, chosen = {}, tuple(METHODS if methods is None else methods)
    require(len(chosen) > 0, f"methods names none; choose of {list(METHODS)}")
    for slug in chosen:
        check_known(slug, METHODS, "method")
        try:
            paths = METHODS[slug](given, draws, np.random.default_rng([seed, *slug.encode()]))
        except EstimatorError:  # no inauguration, or too early for the slope of one
            continue
        made[slug] = Forecast(slug, known, person_years, paths)
    if not made:
        raise EstimatorError("none of the methods has an answer for these months")
    return made


def score_draws(observed: np.ndarray, rates: np.ndarray, index: pd.Index) -> pd.DataFrame:
    """Score draws (draws, m) of the rate against what was observed, (m,), one row per target."""
    # Gneiting and Raftery (2007), Strictly proper scoring rules, doi:10.1198/016214506000001437.
    bands = band_table(rates, index)
    table = pd.DataFrame({"observed": observed, "expected": bands["expected"]}, index=index)
    table["crps"] = scoringrules.crps_ensemble(observed, rates, m_axis=0, estimator="qd")
    inside = (bands["low_95"] <= observed) & (observed <= bands["high_95"])
    return table.assign(covered_95=inside.astype(float))


@checked
def roll_origins(
    known: pd.DataFrame,
    *,
    methods: Iterable[str] | None = None,
    inaugurations: Sequence[PolicyShift] = (),
    every: Annotated[int, whole(1, 120)] = 6,
    horizon: Annotated[int, whole(12, 120)] = 36,
    draws: Draws = ROLLING_DRAWS,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Forecast again and again from earlier freezes, and score what was known by the last one.

    Parameters
    ----------
    known : DataFrame
        A frozen series: no later month takes part.
    methods, inaugurations, draws, seed
        As in `forecast_all`.
    every : int
        Months between origins.
    horizon : int
        Most months ahead, of which whole years are scored; fewer where the frozen series ends.

    Returns
    -------
    DataFrame
        One row per `method`, `origin` (last month known) and `ahead`, for the mean rate of each
        whole year ahead, whose band needs the errors' memory and not only their size. Columns
        `observed`, `expected` (median), `crps` and `covered_95` (0 or 1).

    References
    ----------
    Tashman (2000), Int. J. Forecasting 16, 437-450, doi:10.1016/S0169-2070(00)00065-0
    """
    known = check_known_months(known)
    origins = known.index[FEWEST - 1 : -12 : every]
    require(len(origins) > 0, ERRORS["no_origin"].format(months=len(known), fewest=FEWEST))
    options = {"methods": methods, "inaugurations": inaugurations, "draws": draws, "seed": seed}
    parts = {}
    for origin in origins:
        past, full = freeze(known, at=origin), min(horizon, (known.index[-1] - origin).n) // 12
        came = known.loc[origin + 1 : origin + 12 * full]
        weight = came["person_years"].to_numpy().reshape(full, 12)
        weight = weight / weight.sum(axis=1, keepdims=True)  # of each month in its year ahead
        observed = (outcome(came, "rate").reshape(full, 12) * weight).sum(axis=1)
        for slug, made in forecast_all(past, until=origin + 12 * full, **options).items():
            monthly = made.rates.reshape(len(made.paths), full, 12)
            rates = np.einsum("dym,ym->dy", monthly, weight)
            parts[slug, origin] = score_draws(observed, rates, pd.RangeIndex(1, full + 1))
    return pd.concat(parts, names=["method", "origin", "ahead"]).reset_index()


def judge_record(rolled: pd.DataFrame, at: pd.Period, *, least: float, fewest: int) -> pd.DataFrame:
    """Return by method how many whole years had ended `at` a month, the share held, if kept."""
    # Held: by the 95% bands. Left out: who was asked of `fewest` years and held less than `least`.
    ended = rolled["origin"].array + 12 * rolled["ahead"].to_numpy() <= at
    asked = rolled["covered_95"].where(ended).groupby(rolled["method"], sort=False)
    record = pd.DataFrame({"years": asked.count(), "held": asked.mean()})
    return record.assign(kept=(record["years"] < fewest) | (record["held"] >= least))


def pool_forecasts(made: dict[str, Forecast], record: pd.DataFrame) -> dict[str, Forecast]:
    """Return the forecasts, and last the equal mixture of those that the record keeps."""
    # Hall and Mitchell (2007), Combining density forecasts, doi:10.1016/j.ijforecast.2006.08.001.
    kept = [one for slug, one in made.items() if record["kept"].get(slug, True)]
    if not kept:
        raise EstimatorError(f"the record rejects every method: {list(made)}; ask less of it")
    pooled = np.concatenate([one.paths for one in kept])
    return made | {POOL: Forecast(POOL, kept[0].known, kept[0].person_years, pooled)}


def in_words(probability: float) -> str:
    """Return the word of `CERTAINTY` for a probability."""
    require(0 <= probability <= 1, f"a probability lies between 0 and 1; found {probability}")
    return next(words for words, least in CERTAINTY.items() if probability >= least)
