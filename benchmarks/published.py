"""Record what this package makes of published cases: writes published.csv beside this file.

    python benchmarks/published.py

A few seconds. ``tests/reference/published.csv`` names for each target a fit made here, a statistic
and a term; where none is printed, the target is what the R script of the fit's first name wrote of
it. ``tests/validation`` fits all cases again and holds the record against that.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.engine.bai_perron import break_intervals, find_breaks
from analysis.engine.estimators import fit_newey_west, fit_prais_winsten, fit_quasi_poisson
from analysis.engine.reml import restricted_log_likelihood
from analysis.engine.state_space import fit_arima
from analysis.engine.sup_f import sup_f
from analysis.its.design import build_design
from analysis.its.series import periods_per_year
from analysis.its.shifts import PolicyShift
from benchmarks.recording import write_record

REFERENCE = Path(__file__).parents[1] / "tests/reference"
RECORD = Path(__file__).with_suffix(".csv")
COLUMNS = ["case", "quantity", "target", "ours", "deviation", "tolerance", "holds", "source"]
PRINTED = 0.51  # of the last printed digit
FULL = 1e-6  # of R's full digits, at most 1e-6
ARMA = "calderon-2006-12", "sheinbaum-2024-10"  # windows of gls_arma.R
RATIOS = {"ratio": 0.0, "ratio_low": -1.959964, "ratio_high": 1.959964}  # exp(b + reach SE)

Fit = tuple[str, dict[tuple[str, str], float]]  # numbers by statistic and term


def compare_published(folder: Path | str) -> pd.DataFrame:
    """Fit the cases of `folder` (``tests/reference``) and hold them against what was printed.

    `deviation` is ours less target; `tolerance` half of the last printed digit, 1e-6 of R's full
    digits or, for maximum likelihood on a flat top, a small share of the standard error.
    """
    folder = Path(folder)
    fits = dict(fit for study in STUDIES for fit in study(folder))
    targets = pd.read_csv(folder / "published.csv", dtype=str, keep_default_na=False)
    rows = []
    for case, quantity, printed, share, source, fit, statistic, term in targets.to_numpy():
        numbers = fits[fit]
        if statistic in RATIOS:
            ours = np.exp(numbers["estimate", term] + RATIOS[statistic] * numbers["se", term])
        else:
            ours = numbers[statistic, term]
        target = float(printed or _by_r(folder, fit)[statistic, term])
        digits = len(printed.partition(".")[2])
        tolerance = PRINTED / 10**digits if printed else FULL * min(1, abs(target))
        if share:
            tolerance = float(share) * numbers["se", term]
        off = ours - target
        rows.append((case, quantity, target, ours, off, tolerance, abs(off) <= tolerance, source))
    return pd.DataFrame(rows, columns=COLUMNS)


def _sicily(folder: Path) -> Iterator[Fit]:
    data = pd.read_csv(folder / "sicily.csv")
    deaths, people = data["aces"], data["stdpop"]
    sloped = _design(pd.period_range("2002-01", "2006-11", freq="M"), "2005-01", harmonics=2)
    waves = sloped.drop(columns="slope")
    plain = waves[["const", "trend", "level"]]
    for model, X in {"": plain, "_harmonics": waves, "_harmonics_slope1": sloped}.items():
        yield _fit(f"sicily/quasi{model}", fit_quasi_poisson, deaths, X, exposure=people)
    name, numbers = _fit("sicily/poisson", fit_quasi_poisson, deaths, plain, exposure=people)
    numbers["se", "level"] /= np.sqrt(numbers["dispersion", ""])  # as if that were 1
    yield name, numbers


def _quetiapine(folder: Path) -> Iterator[Fit]:
    data = _read(folder / "quetiapine.csv", "M")
    y, X = data["dispensings"], _design(data.index, "2014-01")[["level", "slope"]]
    yield _fit("quetiapine/default", fit_arima, y, X, order=(2, 1, 0), seasonal_order=(0, 1, 1, 12))


def _nile(folder: Path) -> Iterator[Fit]:
    table = pd.read_csv(folder / "nile.csv")
    y, X = table["flow"].to_numpy(float), np.ones((len(table), 1))
    breaks = find_breaks(y, X, most=2)
    found = break_intervals(y, X, breaks, 1)  # printed: the last year before a change
    ends = {"date": found.first, "date_low": found.low, "date_high": found.high}
    numbers = {(end, "m1_1"): table["year"][first[0] - 1] for end, first in ends.items()}
    numbers |= {("rss", f"m{count}"): rss for count, rss in enumerate(breaks.rss)}
    yield "nile/nile", numbers | {("sup_f", ""): sup_f(y, X).statistic}


def _windows(folder: Path) -> Iterator[Fit]:
    for slug, data in pd.read_csv(folder / "windows.csv").groupby("window"):
        y, X = data["log_rate"], data.loc[:, "const":]
        yield _likelihood(folder, f"gls/{slug}/estimated", y, X)
        yield _fit(f"panel/{slug}/newey_west", fit_newey_west, y, X)
        if slug in ARMA:
            for case in ("estimated_equal", "0.8_0.4_1"):
                yield _likelihood(folder, f"gls_arma/{slug}/{case}", y, X)


def _florida(folder: Path) -> Iterator[Fit]:
    data = _read(folder / "florida.csv", "M")  # Florida, and below it the other states
    here = data["case"] == 1
    one = _design(data.index[here], "2005-10", harmonics=2).drop(columns="slope")
    both = _add_control(one).set_axis(data.index)
    for cause in ("hom", "suic", "fhom", "fsuic"):
        people = data["people_fsuic" if cause == "fsuic" else "people"]
        for place, asked in {"fl": here, "c": ~here, "both": here | ~here}.items():
            known = asked & data[cause].notna()
            X = both[known] if place == "both" else both.loc[known, one.columns]
            y, name = data.loc[known, cause], f"florida/{place}_{cause}"
            yield _fit(name, fit_quasi_poisson, y, X, exposure=people[known])


def _queensland(folder: Path) -> Iterator[Fit]:
    y = _read(folder / "queensland.csv", "M")["novice_crash"]
    for month, names in {"2007-07": ("m1", "m2"), "2007-08": ("m3", "m4")}.items():
        for name, harmonics in zip(names, (6, 0), strict=True):  # six: as good as month dummies
            X = _design(y.index, month, harmonics=harmonics)
            yield _fit(f"queensland/{name}", fit_newey_west, y, X, lags=3)
    X = _design(y.index, "2007-07")
    yield _fit("queensland/prais_winsten", fit_prais_winsten, y, X)
    X = X[["level", "slope"]]
    for name, season in {"arima_a": (2, 1, 0, 12), "arima_b": (0, 1, 1, 12)}.items():
        yield _fit(f"queensland/{name}", fit_arima, y, X, order=(0, 1, 1), seasonal_order=season)


def _smoking(folder: Path) -> Iterator[Fit]:
    sales = pd.read_csv(folder / "smoking.csv", index_col="state").loc["California", "1970":]
    X = _design(pd.PeriodIndex(sales.index, freq="Y"), "1989", first=0)
    yield _fit("smoking/prais_winsten", fit_prais_winsten, sales, X)


def _law(folder: Path) -> Iterator[Fit]:
    data = _read(folder / "aswan.csv", "Y")
    old, new = data[:"1930"], data["1950":]
    y, X = old["flow"], _design(old.index, "1898")
    yield _fit("aswan/newey_west", fit_newey_west, y, X, lags=3)
    yield _likelihood(folder, "aswan/ar1", y, X)
    yield _fit("aswan/ar10", fit_arima, y, X, order=(10, 0, 0))
    events, both = X.join(old[["drought", "elnino"]]), _add_control(X)
    yield _fit("aswan/events_ar10", fit_arima, y, events, order=(10, 0, 0))
    yield _fit("aswan/huron", fit_newey_west, pd.concat([y, old["huron"]]), both)
    y, X = new["flow"], _design(new.index, "1968")
    for year in range(1964, 1968):  # left out: each has a column of its own
        X[f"only {year}"] = X.index == str(year)
    yield _fit("aswan/phase_in", fit_newey_west, y, X)
    yield _likelihood(folder, "aswan/phase_in_ar1", y, X)
    data = _read(folder / "west_virginia.csv", "Q")
    y, X = data["west_virginia"], _design(data.index, "2003-04")
    both = pd.concat([y, data["control"]])
    yield _fit("west_virginia/both", fit_newey_west, both, _add_control(X))
    yield _fit("west_virginia/newey_west", fit_newey_west, y, X, lags=2)
    yield _likelihood(folder, "west_virginia/ar1", y, X)


STUDIES = _sicily, _quetiapine, _nile, _windows, _florida, _queensland, _smoking, _law


def _read(path: Path, freq: str) -> pd.DataFrame:
    data = pd.read_csv(path, index_col=0)
    return data.set_axis(pd.PeriodIndex(data.index.astype(str), freq=freq))


def _design(index: Any, shift: str, *, first: int = 1, harmonics: int = 0) -> pd.DataFrame:
    """Return the package's design with time in periods and a slope that starts at `first`."""
    design = build_design(index, PolicyShift("shift", shift), harmonics=harmonics)
    design[["trend", "slope"]] *= periods_per_year(index)
    return design.assign(trend=design["trend"] + 1, slope=design["slope"] + first * design["level"])


def _add_control(design: pd.DataFrame) -> pd.DataFrame:
    """Return the design of a case and, below it, of its control; ``TERM:case`` is what differs."""
    both = pd.concat([design.assign(case=1.0), design.assign(case=0.0)], ignore_index=True)
    terms = both.filter(["trend", "level", "slope"])
    return both.join(terms.mul(both["case"], axis=0).add_suffix(":case"))


def _fit(name: str, estimator: Any, y: Any, X: pd.DataFrame, **how: Any) -> Fit:
    fit = estimator(y.to_numpy(), X.to_numpy(float), **how)
    numbers = {("dispersion", ""): fit.dispersion}
    for place, term in enumerate(map(str, X)):
        numbers["estimate", term] = fit.estimate[place]
        numbers["se", term] = np.sqrt(fit.covariance[place, place])
    return name, numbers


def _likelihood(folder: Path, name: str, y: Any, X: pd.DataFrame) -> Fit:
    """Return the restricted log-likelihood at R's law, with the constant that ours leaves out."""
    df, r = len(y) - X.shape[1], _by_r(folder, name)
    phi, theta = (r["phi1", ""], -r["theta1", ""]) if "arma" in name else (r["rho", ""], 0.0)
    found = restricted_log_likelihood(y.to_numpy(), X.to_numpy(float), phi, theta)
    return name, {("loglik", ""): found[0] - df / 2 * (np.log(2 * np.pi) + 1 - np.log(df))}


def _by_r(folder: Path, fit: str) -> pd.Series:
    script, _, case = fit.partition("/")
    return _read_expected(folder, script)[case]


@cache
def _read_expected(folder: Path, script: str) -> pd.Series:
    table = pd.read_csv(folder / f"{script}_expected.csv", comment="#", keep_default_na=False)
    return table.set_index(["case", "statistic", "term"])["value"].sort_index()


def record() -> pd.DataFrame:
    table = compare_published(REFERENCE)
    write_record(table, RECORD, float_format="%.12g")
    return table


if __name__ == "__main__":
    print(record().to_string())
