"""A result as rows of estimates.csv, and what reports are asked to state, filled in from them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd

from analysis.arguments import check_class, checked, table
from analysis.checks import check_known, require
from analysis.engine.estimators import fit_quasi_poisson
from analysis.files import DATA_FOLDER, read_toml
from analysis.its.comparison import ESTIMATORS
from analysis.its.counterfactual import EXCESS_UNITS
from analysis.its.design import FEWEST_AROUND as FEWEST
from analysis.its.model import ESTIMANDS, prepare_model
from analysis.its.result import ITSResult, fit_its
from analysis.its.shifts import PolicyShift
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.sources import load_series

WORDS = ("shift", "source", "estimator", "comparison_verdict", "flags")  # columns of estimates.csv
NUMBERS = ("n_before", "n_after", "phi", "noise")
SOURCE = "{0.name}, {0.title}, complete through {0.complete_through} ({1} runs)"
EXCESS_MONTHS = 24
ESTIMATE_COLUMNS = ["shift", "source", "place", "estimator", "estimand", "estimate", "low", "high"]
ESTIMATE_COLUMNS += ["p", "unit", *NUMBERS, "sd_ratio", "comparison_verdict", "flags", "note"]


@checked
def fill_checklist(
    shifts: Mapping[str, PolicyShift],
    estimates: Annotated[pd.DataFrame, table(*WORDS, numbers=NUMBERS)],
    robustness: Annotated[pd.DataFrame, table(numbers=["specifications"])],
    certificates: Annotated[pd.DataFrame, table("estimand", numbers=["mde_rise"])],
) -> pd.DataFrame:
    """Return the field's reporting items, each with the answer of this run.

    Parameters
    ----------
    shifts, estimates, robustness, certificates
        The declared shifts; rows of ``estimates.csv``, ``robustness/*.csv``, ``certificates.csv``.

    Returns
    -------
    DataFrame
        Columns `Item` and `Answer`.

    References
    ----------
    Jandoc et al. (2015), J. Clinical Epidemiology 68, 950-956, doi:10.1016/j.jclinepi.2014.12.018
    Turner et al. (2020), J. Clinical Epidemiology 122, 1-11, doi:10.1016/j.jclinepi.2020.02.006
    """
    runs = estimates.drop_duplicates(["shift", "source"])
    for slug, source in runs[["shift", "source"]].to_numpy():
        check_known(slug, shifts, "shift in estimates,")
        check_class(shifts[slug], f"shifts[{slug!r}]", PolicyShift)
        check_known(source, SOURCES, "source in estimates,")
    used = [shifts[slug] for slug in runs["shift"].unique()]
    ranges = ", ".join(each.title or each.slug for each in used if each.until is not None)
    rises = certificates.loc[certificates["estimand"] == "slope", "mde_rise"].dropna()
    require(len(rises) > 0, "the certificates have no least rise of a slope; run `pytask`")
    counts = runs["source"].value_counts(sort=False)
    impacts = pd.Series([shift.impact.replace("_", " ") for shift in used])
    told = {"runs": len(runs), "shifts": len(used), "estimators": len(ESTIMATORS)}
    told |= {"data": "; ".join(SOURCE.format(SOURCES[slug], n) for slug, n in counts.items())}
    told |= {"least": runs[[*NUMBERS]].min(), "most": runs[[*NUMBERS]].max()}
    told |= {"ranges": f"; {ranges} as a range of months" if ranges else ""}
    told |= {"impacts": _count(impacts, "{} ({})"), "dispersion": _dispersion(estimates, shifts)}
    told |= {"flags": Counter(" ".join(runs["flags"].fillna("").astype(str)).split())}
    told |= {"verdicts": _count(runs["comparison_verdict"], "{} {}")}
    told |= {"specifications": robustness["specifications"].agg(["min", "max"]).tolist()}
    told |= {"rises": rises.agg(["min", "max"]).tolist()}
    for name in ("source", "beside", "overlaps", "omit"):
        told[name] = sum(bool(getattr(each, name)) for each in used)
    items = read_toml(DATA_FOLDER / "checklist.toml")[1]
    answers = {item: answer.format(**told) for item, answer in items.items()}
    return pd.DataFrame(answers.items(), columns=["Item", "Answer"])


def _count(values: pd.Series, pattern: str) -> str:
    return ", ".join(pattern.format(*each) for each in values.value_counts().items())


def _dispersion(estimates: pd.DataFrame, shifts: Mapping[str, PolicyShift]) -> list[float]:
    """Fit the counts of every run again: no column of ``estimates.csv`` holds their dispersion."""
    runs = estimates[estimates["estimator"] == "quasi_poisson"]
    require(len(runs) > 0, "the estimates have no row of quasi_poisson; run `pytask`")
    found = []
    for slug, source in runs.groupby(["shift", "source"], sort=False).groups:
        series = load_series(source, place=shifts[slug].places or NATION)
        model = prepare_model(series, shifts[slug], scale="log", empty=True)
        (deaths, exposure), X = model.counts, model.designs[0].to_numpy()
        found.append(fit_quasi_poisson(deaths, X, exposure=exposure).dispersion)
    return [min(found), max(found)]


def refit(result: ITSResult, series: pd.DataFrame, every: Sequence[pd.DataFrame]) -> dict:
    """Return fits with no month left out, and on what `every` source has, where they differ."""
    shift, index, fits = result.shift, result.series.index, {}
    if result.months_left_out:
        fits["reml_all_months"] = replace(shift, omit=())
    first, last = max(one.index[0] for one in every), min(one.index[-1] for one in every)
    if len(every) > 1:
        common = {"start": max(first, index[0]), "end": min(last, index[-1])}
        after = common["end"].ordinal - shift.months[-1].ordinal + 1
        if common["start"] <= shift.month - FEWEST and after >= FEWEST:
            fits["reml_common_months"] = replace(shift, **common)
    options = {"scale": result.scale, "harmonics": result.harmonics}
    return {name: fit_its(series, chosen, **options) for name, chosen in fits.items()}


def estimate_rows(
    result: ITSResult, *, source: str, place: str, beside: Mapping[str, ITSResult] | None = None
) -> pd.DataFrame:
    """Return a fit, its excess, all other estimators and fits `beside` it as rows of the table."""
    headline = result.comparison["estimator"].iloc[0]
    rows = [_effects(result, headline)]
    months = min(EXCESS_MONTHS, result.n_after)
    for kind in ("forecast", "segmented"):
        excess = result.excess(months, kind=kind)
        note = excess.attrs.get("note") or f"over the first {months} periods"
        named = {"estimator": headline, "unit": excess.index.map(EXCESS_UNITS), "note": note}
        rows.append(excess.assign(estimand="excess_" + excess.index + f"_{kind}", **named))
    others = result.comparison[result.comparison["estimator"] != headline]
    others = others[others["estimand"].isin(ESTIMANDS)]  # this shift's own
    rows.append(others.assign(unit=others["estimand"].map(result.units)))
    tables = [pd.concat(rows, ignore_index=True).assign(**_size(result))]
    for name, other in (beside or {}).items():
        window = f"{other.series.index[0]} to {other.series.index[-1]}"
        tables.append(_effects(other, name, window).assign(**_size(other)))
    run = {"shift": result.shift.slug, "source": source, "place": place}
    run |= {"comparison_verdict": result.comparison_verdict}
    run |= {"flags": " ".join(flag.name for flag in result.flags)}
    return pd.concat(tables, ignore_index=True).assign(**run)[ESTIMATE_COLUMNS]


def _effects(fit: ITSResult, name: str, note: object = np.nan) -> pd.DataFrame:
    own = fit.effects.loc[[*ESTIMANDS]]  # of shifts beside, their own runs tell
    effects = own.assign(unit=fit.units, estimator=name).reset_index()
    return effects.assign(note=[fit.notes.get(row, note) for row in effects["estimand"]])


def _size(fit: ITSResult) -> dict[str, float]:
    return {"n_before": fit.n_before, "n_after": fit.n_after, **fit.memory["estimate"]}


def read_rows(paths: list[Path]) -> pd.DataFrame:
    """Read and join tables of estimates, in the order of `paths`; name those that are missing."""
    if missing := [path.stem for path in paths if not path.is_file()]:
        raise FileNotFoundError(f"no result yet of {missing}: run `pytask`, or read why it failed")
    read = {"dtype": {"flags": str, "note": str}, "keep_default_na": False, "na_values": [""]}
    tables = pd.concat([pd.read_csv(path, **read) for path in paths], ignore_index=True)
    return tables.fillna({"flags": "", "note": ""})


def join_dates(estimates: pd.DataFrame, robustness: pd.DataFrame) -> pd.DataFrame:
    """Return `estimates` with the data's own break of each shift and source beside every row."""
    dates = robustness[["shift", "source", "own_break", "months_off", "mass_near", "date_verdict"]]
    joined = estimates.merge(dates, on=["shift", "source"], validate="m:1")
    missing = sorted(set(estimates["shift"]) - set(robustness["shift"]))
    require(len(joined) == len(estimates), f"no robustness result of {missing}: run `pytask`")
    return joined
