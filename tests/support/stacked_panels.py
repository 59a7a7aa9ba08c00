"""Small panels with a known effect, and the same model by dummies, for the tests of operations."""

import numpy as np
import pandas as pd
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM
from support.declared import SHIFTS

from analysis import PolicyShift
from analysis.mexico.tables import load_table

OPERATIONS = [
    PolicyShift("early", "2003-01", places=("A", "F")),
    PolicyShift("late", "2003-05", places=("B",)),
    PolicyShift("again", "2003-07", places=("A",)),
]
TWO = OPERATIONS[:2]
SEVEN = [shift for shift in SHIFTS.values() if shift.places != ("MX00",)]

PUBLISHED = load_table("published_effects")
# Estimates of ours, as `compare_yardsticks` takes them: 50 per 100,000 over the first 12 months.
OURS = {
    "first": pd.DataFrame(
        {"estimate": [15.0, 25.0], "low": [-10.0, 0], "high": [36.5, 28]}, [6, 12]
    ),
    "seven": pd.DataFrame({"estimate": [60.0], "low": [40.0], "high": [90.0]}, [6]),
}
OURS = {label: rows.assign(deaths=50, person_years=1e5) for label, rows in OURS.items()}


def make_panel(places=12, start="2002-01", months=36, seed=0, ratio=1.0, noise=True):
    """Poisson deaths with place and month effects that person-years do not separate into."""
    rng = np.random.default_rng(seed)
    names = [chr(ord("A") + i) for i in range(places)]
    periods = pd.period_range(start, periods=months, freq="M")
    index = pd.MultiIndex.from_product([names, periods], names=["place", "month"])
    growth = rng.uniform(0, 0.01, places)[:, None] * np.arange(months)
    person_years = np.exp(rng.uniform(5, 6, places)[:, None] + growth)
    rate = np.exp(rng.normal(-3, 0.5, places)[:, None] + rng.normal(0, 0.2, months))
    panel = pd.DataFrame({"person_years": person_years.ravel()}, index)
    mean = pd.Series((person_years * rate).ravel(), index)
    for operation in TWO:
        inside = index.get_level_values(0).isin(operation.places)
        mean[inside & (index.get_level_values(1) >= operation.month)] *= ratio
    panel.insert(0, "deaths", rng.poisson(mean) if noise else mean)
    return panel


def make_big_panel(**options):
    """The same without noise and with thousands of deaths, of which chance moves few."""
    panel = make_panel(noise=False, **options)
    return panel.assign(deaths=panel["person_years"] * 50, person_years=panel["person_years"] * 1e3)


def fit_dummies(stacked, terms):
    """Poisson by statsmodels with a dummy for every place and month of every stack."""
    operation = stacked["operation"] + "/"
    place = pd.get_dummies(operation + stacked["place"], dtype=float)
    month = pd.get_dummies(operation + stacked["month"].astype(str), dtype=float)
    # One month of each stack is the base of its place effects.
    first = stacked.groupby("operation")["month"].min().astype(str)
    month = month.drop(columns=first.index + "/" + first)
    X = np.column_stack([terms, place, month])
    deaths, exposure = (stacked[name].to_numpy() for name in ("deaths", "person_years"))
    model = GLM(deaths, X, families.Poisson(), exposure=exposure)
    groups = pd.factorize(stacked["place"])[0]
    fit = model.fit(tol=1e-14, maxiter=200, cov_type="cluster", cov_kwds={"groups": groups})
    return fit, X.shape


def under(stacked):
    return (stacked["treated"] & (stacked["event_time"] >= 0)).astype(float)
