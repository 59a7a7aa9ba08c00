"""Short series and forecasts of constant rates, for the tests of the forecasts."""

import numpy as np
import pandas as pd

from analysis import load_claims
from analysis.claims.outcome import worse_probabilities
from analysis.forecasts.paths import POOL, Forecast

CLAIM = load_claims().claims["almost-certain-worse"]
CAME = pd.Series({2020: 20.0, 2022: 21.0, 2023: 19.0, 2024: 25.0})


def counts(months=84, start="2015-01", seed=1):
    index = pd.period_range(start, periods=months, freq="M")
    rng = np.random.default_rng(seed)
    deaths = 300 * np.exp(np.cumsum(0.05 * rng.standard_normal(months)))
    person_years = 1e6 * 1.01 ** (np.arange(months) / 12) * index.days_in_month
    return pd.DataFrame({"deaths": deaths.astype(int), "person_years": person_years}, index=index)


def forecast_of(rates, first="2021-05"):
    """Forecast constant rates by year: one row a draw, one column for each of 2022 to 2024."""
    ahead = pd.period_range(first, "2024-12", freq="M")
    months = pd.period_range("2018-01", ahead[0] - 1, freq="M")
    known = pd.DataFrame({"deaths": 200, "person_years": 1e6}, index=months)
    years = np.clip(ahead.year, 2022, 2024) - 2022
    paths = np.log(np.asarray(rates, dtype=float)[:, years])
    return Forecast("last_value", known, pd.Series(1e6, ahead), paths)


def probabilities_of(rates, came=CAME, claim=CLAIM):
    forecasts = {"last_value": forecast_of(rates), POOL: forecast_of(rates)}
    return worse_probabilities(forecasts, came, claim, source="SESNSP", base_rate=(1, 4))
