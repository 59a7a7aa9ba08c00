"""Published results, and what this package makes of the same data."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM

from analysis.engine.bai_perron import break_intervals, find_breaks
from analysis.engine.estimators import fit_newey_west, fit_quasi_poisson
from analysis.engine.optimise import Coefficients
from analysis.engine.reml import restricted_log_likelihood
from analysis.engine.state_space import fit_arima
from analysis.engine.sup_f import sup_f
from analysis.its.design import build_design
from analysis.its.shifts import PolicyShift

SICILY = "Lopez Bernal, Cummins & Gasparrini (2017), doi:10.1093/ije/dyw098"
QUETIAPINE = "Schaffer, Dobbins & Pearson (2021), doi:10.1186/s12874-021-01235-8"
NILE = "Zeileis, Kleiber, Krämer & Hornik (2003), doi:10.1016/S0167-9473(03)00030-6"
COLUMNS = ["case", "quantity", "target", "ours", "deviation", "tolerance", "holds", "source"]
PRINTED = 0.51  # of the last printed digit
FLAT = 1e-4  # share of the standard error: where an optimiser stops on a flat likelihood


def compare_published(folder: Path | str) -> pd.DataFrame:
    """Fit the cases of `folder` (``tests/reference``) and hold them against what was printed.

    `deviation` is ours less target; `tolerance` half of the last printed digit, unless said
    otherwise.
    """
    folder = Path(folder)
    rows = [*_sicily(folder), *_quetiapine(folder), *_nile(folder), *_r(folder)]
    columns = ["case", "quantity", "target", "ours", "tolerance", "source"]
    table = pd.DataFrame(rows, columns=columns)
    table["deviation"] = table["ours"] - table["target"]
    table["holds"] = table["deviation"].abs() <= table["tolerance"]
    return table[COLUMNS]


def _sicily(folder: Path) -> Iterator[tuple]:
    data = pd.read_csv(folder / "sicily.csv")
    index = pd.period_range("2002-01", periods=len(data), freq="M")
    deaths, exposure = data["aces"].to_numpy(float), data["stdpop"].to_numpy(float)
    full = build_design(index, PolicyShift("ban", "2005-01"))
    plain = full[["const", "level", "trend"]]
    waves = full.drop(columns="slope")[["const", "level", "trend", "sin1", "cos1", "sin2", "cos2"]]
    sloped = waves.assign(slope=12 * full["slope"] + full["level"])  # 1 in the ban's first month
    poisson = GLM(deaths, plain, family=Poisson(), exposure=exposure).fit()
    cases = {
        "Poisson": Coefficients(poisson.params.to_numpy(), poisson.cov_params().to_numpy()),
        "quasi-Poisson": fit_quasi_poisson(deaths, plain.to_numpy(), exposure=exposure),
        "with 2 harmonics": fit_quasi_poisson(deaths, waves.to_numpy(), exposure=exposure),
        "with slope (1 in the first month)": fit_quasi_poisson(
            deaths, sloped.to_numpy(), exposure=exposure
        ),
    }
    targets = [
        (0.8944, 0.8647, 0.9251),
        (0.8944, 0.8392, 0.9532),
        (0.8851, 0.8394, 0.9332),
        (0.8765, 0.8268, 0.9292),
    ]
    for (name, fit), published in zip(cases.items(), targets, strict=True):
        ours = np.exp(fit.estimate[1] + 1.959964 * np.array([0, -1, 1]) * _error(fit)[1])
        for quantity, target, value in zip(("RR", "low", "high"), published, ours, strict=True):
            yield f"Sicily, {name}", quantity, target, value, PRINTED * 1e-4, SICILY
    slope = np.exp(cases["with slope (1 in the first month)"].estimate[-1])
    yield "Sicily, with slope", "slope RR per month", 1.0015, slope, PRINTED * 1e-4, SICILY


def _quetiapine(folder: Path) -> Iterator[tuple]:
    y = pd.read_csv(folder / "quetiapine.csv")["dispensings"].to_numpy(float)
    since = np.arange(len(y)) - 36  # January 2014
    X = np.column_stack([since >= 0, np.maximum(since + 1, 0)]).astype(float)
    fit = fit_arima(y, X, order=(2, 1, 0), seasonal_order=(0, 1, 1, 12))
    published = {"step": (-3284.78, 602.34), "ramp": (-1396.65, 106.63)}
    for place, (name, (target, error)) in enumerate(published.items()):
        allowed = 2 * FLAT * error, QUETIAPINE  # R itself moves by as much with the data's unit
        case = "Quetiapine, ARIMA(2,1,0)(0,1,1)12"
        yield case, name, target, fit.estimate[place], *allowed
        yield case, f"{name}, SE", error, _error(fit)[place], *allowed


def _nile(folder: Path) -> Iterator[tuple]:
    table = pd.read_csv(folder / "nile.csv")
    y, X = table["flow"].to_numpy(float), np.ones((len(table), 1))
    breaks = find_breaks(y, X, most=2)
    found = break_intervals(y, X, breaks, 1)
    years = table["year"].to_numpy()
    published = {"break": (1898, found.first), "low": (1895, found.low), "high": (1902, found.high)}
    for name, (target, first) in published.items():
        ours = years[first[0] - 1]  # printed: the last year before the change
        yield "Nile, one break in the mean", name, target, ours, 0, NILE
    yield "Nile", "sup-F", 75.93, sup_f(y, X).statistic, PRINTED * 1e-2, NILE
    for count, target in enumerate((2835157, 1597457, 1552924)):
        yield "Nile", f"RSS, {count} breaks", target, breaks.rss[count], PRINTED, NILE


def _r(folder: Path) -> Iterator[tuple]:
    """Yield nlme's restricted likelihood and sandwich's Newey-West on windows of our own data."""
    windows = pd.read_csv(folder / "windows.csv")
    gls, panel = (_printed(folder / f"{name}_expected.csv") for name in ("gls", "panel"))
    for slug, data in windows.groupby("window", sort=False):
        design = data.loc[:, "const":]
        y, X = data["log_rate"].to_numpy(), design.to_numpy()
        nlme = gls[f"{slug}/estimated"]
        df = len(y) - X.shape[1]
        constant = -df / 2 * (np.log(2 * np.pi) + 1 - np.log(df))  # what ours leaves out
        ours = restricted_log_likelihood(y, X, [nlme["rho", ""]])[0] + constant
        source = "R nlme, gls(corAR1, REML), doi:10.1007/b98882"
        quantity = f"log-likelihood at R's rho {nlme['rho', '']:.6f}"
        yield f"{slug}, nlme", quantity, nlme["loglik", ""], ours, 1e-6, source
        fit, r = fit_newey_west(y, X), panel[f"{slug}/newey_west"]
        for term in ("level", "slope"):
            place = design.columns.get_loc(term)
            source = "R sandwich, NeweyWest, doi:10.18637/jss.v011.i10"
            target, ours = r["estimate", term], fit.estimate[place]
            yield f"{slug}, Newey-West", term, target, ours, 1e-6 * abs(target), source
            target, ours = r["se", term], _error(fit)[place]
            yield f"{slug}, Newey-West", f"{term}, SE", target, ours, 1e-6 * abs(target), source


def _printed(path: Path) -> pd.Series:
    table = pd.read_csv(path, comment="#", keep_default_na=False)
    return table.set_index(["case", "statistic", "term"])["value"].sort_index()


def _error(fit: Coefficients) -> np.ndarray:
    return np.sqrt(np.diag(fit.covariance))
