"""What reports of interrupted time series are asked to state, filled in from the run."""

from collections.abc import Mapping

import pandas as pd

from analysis.engine.estimators import fit_quasi_poisson
from analysis.its.comparison import ESTIMATORS
from analysis.its.model import prepare_model
from analysis.its.shifts import PolicyShift
from analysis.mexico.sources import NATION, SOURCES, load_series


def fill_checklist(
    shifts: Mapping[str, PolicyShift],
    estimates: pd.DataFrame,
    robustness: pd.DataFrame,
    certificates: pd.DataFrame,
) -> pd.DataFrame:
    """Return the field's reporting items, each with the answer of this run.

    Parameters
    ----------
    shifts : mapping
        Slug to declared shift.
    estimates, robustness, certificates : DataFrame
        Rows of ``estimates.csv``, of ``robustness/*.csv`` and of ``tables/certificates.csv``.

    Returns
    -------
    DataFrame
        Columns `Item` and `Answer`.

    References
    ----------
    Jandoc, R., Burden, A. M., Mamdani, M., Lévesque, L. E. and Cadarette, S. M. (2015). Interrupted
    time series analysis in drug utilization research is increasing. Journal of Clinical
    Epidemiology 68, 950-956. doi:10.1016/j.jclinepi.2014.12.018
    Turner, S. L. et al. (2020). Design characteristics and statistical methods used in interrupted
    time series studies evaluating public health interventions. Journal of Clinical Epidemiology
    122, 1-11. doi:10.1016/j.jclinepi.2020.02.006
    """
    runs = estimates.drop_duplicates(["shift", "source"])
    used = [shifts[slug] for slug in runs["shift"].unique()]
    impacts = pd.Series([shift.impact.replace("_", " ") for shift in used]).value_counts()
    kinds = ", ".join(f"{kind} ({count})" for kind, count in impacts.items())
    answers = {
        "Design": f"Interrupted time series, {len(runs)} runs of {len(used)} shifts under their "
        "sources; the states, comparison countries and forecasts stand beside them.",
        "Data": _data(runs),
        "Outcome": "Deaths by homicide per 100,000 person-years and month; person-years are "
        "population, interpolated between mid-years, times the days of the month.",
        "Months before and after": f"{runs['n_before'].min()} to {runs['n_before'].max()} before, "
        f"{runs['n_after'].min()} to {runs['n_after'].max()} after.",
        "Date of the intervention": _dates(used),
        "Impact model chosen before": "Yes, in policy-shifts.toml, with a reason for each: "
        f"{kinds}.",
        "Other events": f"{sum(bool(shift.beside) for shift in used)} of {len(used)} shifts have "
        f"another one beside them in the model; {sum(bool(shift.overlaps) for shift in used)} lie "
        "within a year of another, and say so.",
        "Autocorrelation": "Memory seen through noise, both integrated out (medians of phi "
        f"{runs['phi'].min():.2f} to {runs['phi'].max():.2f}, of the share of noise "
        f"{runs['noise'].min():.2f} to {runs['noise'].max():.2f}); the series wanders in "
        f"{_flagged(runs, 'wandering')}; the errors' size changes at the shift in "
        f"{_flagged(runs, 'size_changed')}.",
        "Seasonality": "Two pairs of sine and cosine waves; none to three among the "
        "specifications.",
        "Over-dispersion": _dispersion(estimates, shifts),
        "Trend before the shift": f"Straight; it bends in {_flagged(runs, 'curved_pre_period')}.",
        "Change of measurement": "The two sources drift apart in "
        f"{_flagged(runs, 'source_ratio_drifting')}; months still being registered are in "
        f"{_flagged(runs, 'still_registering')}.",
        "Missing data": "No month is missing; a zero is a count. The record has holes in "
        f"{_flagged(runs, 'source_gap')}; {sum(bool(shift.omit) for shift in used)} of {len(used)} "
        "shifts leave out the months that lose most, with an estimate from all months beside.",
        "Sensitivity": _sensitivity(runs, robustness),
        "What could be found": _power(certificates),
        "Data and code": "All data, code and exact versions are in the repository; "
        "`ro-crate-metadata.json` holds hashes of inputs and outputs.",
    }
    return pd.DataFrame(answers.items(), columns=["Item", "Answer"])


def _data(runs: pd.DataFrame) -> str:
    return "; ".join(
        f"{SOURCES[slug].name}, {SOURCES[slug].title}, complete through "
        f"{SOURCES[slug].complete_through} ({(runs['source'] == slug).sum()} runs)"
        for slug in runs["source"].unique()
    )


def _dates(used: list[PolicyShift]) -> str:
    ranges = ", ".join(shift.slug for shift in used if shift.until is not None)
    told = f"; {ranges} as a range of months" if ranges else ""
    sourced = sum(bool(shift.source) for shift in used)
    return f"The first month under the policy, with its source for {sourced} of {len(used)}{told}."


def _dispersion(estimates: pd.DataFrame, shifts: Mapping[str, PolicyShift]) -> str:
    """Fit the counts of every run again: no column of ``estimates.csv`` holds their dispersion."""
    runs = estimates[estimates["estimator"] == "quasi_poisson"]
    found = []
    for slug, source in runs.groupby(["shift", "source"], sort=False).groups:
        series = load_series(source, place=shifts[slug].places or NATION)
        model = prepare_model(series, shifts[slug], scale="log", empty=True)
        (deaths, exposure), X = model.counts, model.designs[0].to_numpy()
        found.append(fit_quasi_poisson(deaths, X, exposure=exposure).dispersion)
    if not found:
        return "Not estimated in this run."
    return (
        f"Pearson's chi-squared per degree of freedom is {min(found):.1f} to {max(found):.1f}; "
        "counts are fitted by quasi-Poisson and negative binomial regression beside the headline."
    )


def _sensitivity(runs: pd.DataFrame, robustness: pd.DataFrame) -> str:
    verdicts = runs["comparison_verdict"].value_counts()
    listed = ", ".join(f"{name} {count}" for name, count in verdicts.items())
    least, most = robustness["specifications"].agg(["min", "max"])
    return (
        f"{len(ESTIMATORS)} estimators for each ({listed}); {least:,.0f} to {most:,.0f} "
        "specifications with a null; every other date and place as a placebo; one year left out."
    )


def _power(certificates: pd.DataFrame) -> str:
    least = certificates.loc[certificates["estimand"] == "slope", "mde_rise"].dropna()
    if least.empty:
        return "Not simulated in this run."
    return (
        f"The least rise of the yearly trend that four of five such series would show is "
        f"{least.min():.0f} to {least.max():.0f}%, by national shift and source."
    )


def _flagged(runs: pd.DataFrame, flag: str) -> str:
    return f"{runs['flags'].fillna('').str.contains(flag).sum()} of {len(runs)} runs"
