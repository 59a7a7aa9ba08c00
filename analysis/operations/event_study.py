"""Stacked sub-experiments -> effects by quarter, test of the leads, average effects: pyfixest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from analysis.arguments import Months, checked, table
from analysis.checks import OneLine, require
from analysis.engine.optimise import quietly
from analysis.its.series import as_percent, rate_of
from analysis.operations.stacks import ERRORS, MOST, Operations

BIN = 3  # months
HORIZONS = (6, 12, 24)
ALPHA = 0.05
PERCENT, RATE = "percent", "per 100,000"  # units
ROBUST, BOOTED, RANDOMISED = "cluster robust", "score bootstrap", "randomisation"  # intervals
ESTIMATE = ["estimate", "low", "high", "p"]
COLUMNS = ("operation", "place", "month", "treated")  # of a stack, beside its numbers
NUMBERS = ("event_time", "deaths", "person_years")
MOST_MONTHS = 1200
HALF = 0.5  # deaths, added for the logarithm of months without any


def check_stacked(stacked: Any, name: str) -> pd.DataFrame:
    """Return what `stack_operations` gives, or raise a TypeError or ValueError."""
    rows = table(*COLUMNS, numbers=NUMBERS)(stacked, name).copy(deep=False)
    rows.attrs = {}  # pandas compares them with ==
    time, deaths, person_years = (rows[each].astype(float) for each in NUMBERS)
    whole = (time == np.floor(time)) & (time.abs() < MOST_MONTHS)
    likely = (deaths >= 0) & (person_years > 0) & (person_years < MOST) & (deaths <= person_years)
    true = rows["treated"].dtype == bool and bool((whole & likely).all())
    require(true, ERRORS["stacked"].format(name=name))
    twice = int(rows.duplicated(["operation", "place", "month"]).sum())
    require(not twice, f"{name} has {twice} rows twice of an operation, place and month: drop them")
    return rows.astype({"event_time": int})


Stacked = Annotated[pd.DataFrame, check_stacked]


@dataclass(frozen=True, repr=False)
class EventStudy(OneLine):
    """Effects by months since the operation, relative to the months just before it."""

    HOW: ClassVar[str] = "use fit_event_study(stacked)"
    effects: pd.DataFrame  # index `first_month`; columns estimate, low, high (percent), p, months
    pre_trend: pd.Series  # joint test that the leads are zero: F, df, df_denominator, p
    places: int  # clusters
    treated: int  # places under an operation
    log_ratios: pd.Series  # by first month, the reference left out
    covariance: pd.DataFrame


@checked
def fit_event_study(stacked: Stacked, *, months: Months = BIN) -> EventStudy:
    """Fit Poisson with place and month effects in every stack, and an effect for each few months.

    Parameters
    ----------
    stacked : DataFrame
        As `stack_operations` gives it.
    months : int
        Length of a bin of event time, of which two whole ones at least come before the operation
        and one after; the last before it is the reference.

    Returns
    -------
    EventStudy
        Intervals and tests are clustered by place (a place in several stacks is one cluster), with
        Student's t of one degree of freedom less than places.

    References
    ----------
    Correia, Guimarães and Zylkin (2020), Stata Journal 20, 95-115, doi:10.1177/1536867X20909691
    """
    before, after = -stacked["event_time"].min(), stacked["event_time"].max() + 1
    starts = list_bins(before, after, months)
    first, treated = stacked["event_time"] // months * months, stacked["treated"]
    reference = -months
    names = {start: f"bin_{start + before}" for start in starts if start != reference}
    bins = {name: ((first == start) & treated).astype(float) for start, name in names.items()}
    effects, b, V, places = _fit_poisson(stacked.assign(**bins), names)
    effects.loc[reference] = [0.0, 0.0, 0.0, np.nan]
    effects = effects.sort_index().rename_axis("first_month").assign(months=months)
    leads = [start for start in names if start < reference]
    df = len(leads), places - 1
    F = b[leads] @ np.linalg.solve(V.loc[leads, leads], b[leads]) / len(leads)
    pre_trend = pd.Series([F, *df, stats.f.sf(F, *df)], ["F", "df", "df_denominator", "p"])
    reached = stacked.loc[treated, "place"].nunique()
    return EventStudy(effects, pre_trend, places, reached, log_ratios=b, covariance=V)


def list_bins(before: int, after: int, months: int) -> range:
    """Return the first months of the bins, or raise a ValueError if they do not come out even."""
    even = not (before % months or after % months) and before >= 2 * months and after
    require(even, ERRORS["bins"].format(before=before, after=after, months=months))
    return range(-before, after, months)


@checked
def average_effects(stacked: Stacked, *, horizons: Sequence[Months] = HORIZONS) -> pd.DataFrame:
    """Estimate the average effect over the first months under the operations.

    Parameters
    ----------
    stacked : DataFrame
        As `stack_operations` gives it. All its months before the operation are the baseline.
    horizons : sequence of int
        Months from the operation on, as many as the stack has or fewer.

    Returns
    -------
    DataFrame
        Index `months`; columns `estimate`, `low`, `high` (percent) and `p`, clustered by place with
        Student's t of one degree of freedom less than places: too short where few places are
        treated. Columns `deaths` and `person_years`, observed under the operations in these months.
    """
    require(len(horizons) > 0, "horizons names no months; give one or more")
    most = int(stacked["event_time"].max()) + 1
    rows = {}
    for horizon in horizons:
        require(horizon <= most, ERRORS["horizons"].format(most=most, found=horizon))
        window = stacked[stacked["event_time"] < horizon]
        under = window["treated"] & (window["event_time"] >= 0)
        row, *_ = _fit_poisson(window.assign(under=under.astype(float)), {horizon: "under"})
        rows[horizon] = row.assign(**window.loc[under, ["deaths", "person_years"]].sum())
    return pd.concat(rows.values()).rename_axis("months")


def per_100k(effects: pd.DataFrame) -> pd.DataFrame:
    """Return percent effects as deaths per 100,000 person-years: observed less observed / ratio."""
    # The deaths observed under the operations are taken as they are: the interval is the ratio's.
    ratio = 1 + effects[["estimate", "low", "high"]] / 100
    return (1 - 1 / ratio).mul(rate_of(effects["deaths"], effects["person_years"]), axis=0)


def _fit_poisson(
    rows: pd.DataFrame, names: dict[int, str]
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, int]:
    """Return effects, coefficients, their covariance clustered by place, and how many places."""
    pyfixest = quietly(partial(import_module, "pyfixest"))  # takes two seconds
    before, terms = len(rows) + 1, list(names.values())
    while len(rows) < before:  # places and months without a death in their stack tell nothing
        before = len(rows)
        for name in ("place", "month"):
            deaths = rows.groupby(["operation", name], observed=True)["deaths"].transform("sum")
            rows = rows[deaths > 0]
    empty = [term for term in terms if not rows.loc[rows[term] > 0, "deaths"].any()]
    require(not empty, ERRORS["no_deaths"].format(empty=len(empty), bins=len(terms)))
    data = rows[["deaths", *terms]].assign(
        offset=np.log(rows["person_years"]),
        place=pd.factorize(rows["place"])[0],
        place_effect=rows.groupby(["operation", "place"]).ngroup(),
        month_effect=rows.groupby(["operation", "month"]).ngroup(),
    )
    formula = f"deaths ~ {' + '.join(terms)} | place_effect + month_effect"
    # What is separated has been left out above.
    options = {"separation_check": [], "iwls_tol": 1e-10, "store_data": False, "offset": "offset"}
    fit = quietly(lambda: pyfixest.fepois(formula, data=data, vcov={"CRV1": "place"}, **options))
    b, places = pd.Series(fit.coef()[terms].to_numpy(), list(names)), data["place"].nunique()
    V = pd.DataFrame(np.asarray(fit._vcov), b.index, b.index)
    return with_intervals(b, np.sqrt(np.diag(V)), places), b, V, places


def with_intervals(b: pd.Series, se: np.ndarray, places: int) -> pd.DataFrame:
    """Return ESTIMATE in percent by Student's t of one degree of freedom less than places."""
    reach = stats.t.ppf(1 - ALPHA / 2, places - 1) * se
    effects = as_percent(pd.DataFrame({"estimate": b, "low": b - reach, "high": b + reach}))
    return effects.assign(p=2 * stats.t.sf(np.abs(b / se), places - 1))


def impute_effects(
    panel: pd.DataFrame, operations: Operations, horizons: Iterable[int], *, before: int
) -> pd.DataFrame:
    """Return effects by `months` of places reached once, every place alike, clustered by place."""
    # Gardner (2022), Two-stage differences in differences, doi:10.48550/arXiv.2207.05943.
    pyfixest = quietly(partial(import_module, "pyfixest"))  # takes two seconds
    place, month = panel.index.get_level_values(0), panel.index.get_level_values(1).asi8
    came = {own: one.month.ordinal for one in operations for own in one.places}
    arrival = place.map(came).to_numpy(dtype=float)  # NaN: never
    start = min(came.values()) - before
    rate = ((panel["deaths"] + HALF) / panel["person_years"]).to_numpy()
    table = pd.DataFrame({"log_rate": np.log(rate), "place": pd.factorize(place)[0]})
    table = table.assign(month=month - start + 1, cohort=np.nan_to_num(arrival - start + 1))
    names = {"yname": "log_rate", "idname": "place", "tname": "month", "gname": "cohort"}
    names |= {"estimator": "did2s", "cluster": "place"}
    effects = []  # cohort 0: never
    for horizon in horizons:
        inside = (month >= arrival - before) & (month < arrival + horizon)
        never = (month >= start) & (month < max(came.values()) + horizon) & np.isnan(arrival)
        fit = quietly(partial(pyfixest.event_study, table[inside | never], **names))
        b, se = fit.coef().set_axis([horizon]), fit.se().to_numpy()
        effects.append(with_intervals(b, se, table["place"].nunique()))
    return pd.concat(effects).rename_axis("months")
