"""README.md's examples as a user would type them, for the type checker: they are never run."""

import numpy as np
import pandas as pd

from analysis import (
    ITSResult,
    PolicyShift,
    break_posterior,
    certificate,
    find_breaks,
    fit_arima,
    fit_its,
    fit_newey_west,
    fit_places,
    load_completeness,
    load_municipalities,
    load_policy_shifts,
    load_releases,
    load_series,
    load_states,
    placebo_dates,
    pool_places,
)


def fit_own_series() -> ITSResult:
    series = pd.read_csv("mine.csv", index_col="month")  # columns deaths, person_years; or value
    series.index = pd.PeriodIndex(series.index, freq="M")
    return fit_its(series, PolicyShift("reform", "2010-01"))


def read_result(result: ITSResult) -> None:
    effects: pd.DataFrame = result.effects
    flags: list[str] = [flag.text for flag in result.flags]
    comparison: pd.DataFrame = result.comparison
    verdict: str = result.comparison_verdict
    expected: pd.DataFrame = result.counterfactual("forecast")
    excess: pd.DataFrame = result.excess(months=24)
    memory: pd.DataFrame = result.memory
    block: str = result.summary()
    month: pd.Period = result.shift.month
    print(effects, flags, comparison, verdict, expected, excess, memory, block, month.year)


def ask_whether_the_date_is_special(series: pd.DataFrame, shift: PolicyShift) -> None:
    detectable: pd.DataFrame = certificate(series, shift)
    posterior: pd.Series = break_posterior(series).probability
    rank: pd.DataFrame = placebo_dates(series, shift).rank
    print(detectable, posterior, rank)


def estimate(y: np.ndarray, X: np.ndarray) -> None:
    fits = [
        fit_newey_west(y, X, lags=3),
        fit_arima(y, X, order=(2, 1, 0), seasonal_order=(0, 1, 1, 12)),
    ]
    estimates: list[np.ndarray] = [fit.estimate for fit in fits]
    number: int = find_breaks(y, X).best()
    print(estimates, number)


def fit_many_places(path: str) -> None:
    fit_places(load_municipalities(), PolicyShift("reform", "2010-01"))
    fit_places(load_municipalities(path), PolicyShift("reform", "2010-01"))
    fitted = fit_places(load_states("inegi"), load_policy_shifts()["calderon-2006-12"])
    slopes: pd.DataFrame = fitted.of("slope")
    pooled: pd.DataFrame = pool_places(fitted)
    print(slopes, pooled)


def declare_shifts() -> PolicyShift:
    first = PolicyShift("first", pd.Period("2008-01", "M"), impact="level")
    return PolicyShift(
        "second",
        "2010-01",
        until="2010-03",
        start="2005-01",
        end=pd.Period("2015-12", "M"),
        beside=first,
        places="MX08",
        sources=["inegi", "sesnsp"],
        overlaps=("first",),
        omit=["2011-03", "2012-01:2012-03"],
    )


def leave_out(series: pd.DataFrame, shift: PolicyShift) -> int:
    return fit_its(series, shift, omit=[pd.Period("2011-03", "M"), "2012-01:2012-03"]).n_after


def ask_the_record(source: str) -> None:
    usual: pd.DataFrame = load_series("inegi")
    long: pd.DataFrame = load_series("inegi", start="1990-01")
    completed: pd.DataFrame = load_series(source, completed=True)
    shares: pd.DataFrame = load_completeness(source)
    print(usual, long, completed, shares, load_releases())
