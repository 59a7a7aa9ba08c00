"""What reports of interrupted time series are asked to state, filled in from the run."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import pandas as pd

from analysis.arguments import check_class, checked, table
from analysis.checks import check_known, require
from analysis.engine.estimators import fit_quasi_poisson
from analysis.files import DATA_FOLDER, read_toml
from analysis.its.comparison import ESTIMATORS
from analysis.its.model import prepare_model
from analysis.its.shifts import PolicyShift
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.sources import load_series

WORDS = ("shift", "source", "estimator", "comparison_verdict", "flags")  # columns of estimates.csv
NUMBERS = ("n_before", "n_after", "phi", "noise")
SOURCE = "{0.name}, {0.title}, complete through {0.complete_through} ({1} runs)"


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
    numbers = runs[[*NUMBERS]]
    told = {
        "runs": len(runs),
        "shifts": len(used),
        "data": "; ".join(SOURCE.format(SOURCES[slug], n) for slug, n in counts.items()),
        "least": numbers.min(),
        "most": numbers.max(),
        "ranges": f"; {ranges} as a range of months" if ranges else "",
        "impacts": _count(pd.Series([shift.impact.replace("_", " ") for shift in used]), "{} ({})"),
        "flags": Counter(" ".join(runs["flags"].fillna("").astype(str)).split()),
        "dispersion": _dispersion(estimates, shifts),
        "estimators": len(ESTIMATORS),
        "verdicts": _count(runs["comparison_verdict"], "{} {}"),
        "specifications": robustness["specifications"].agg(["min", "max"]).tolist(),
        "rises": rises.agg(["min", "max"]).tolist(),
    }
    fields = {"sourced": "source", "beside": "beside", "overlaps": "overlaps", "omit": "omit"}
    told |= {key: sum(bool(getattr(each, name)) for each in used) for key, name in fields.items()}
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
