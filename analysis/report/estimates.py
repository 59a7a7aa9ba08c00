"""A result as rows of estimates.csv, and reading them back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.checks import require
from analysis.its.counterfactual import EXCESS_UNITS
from analysis.its.design import FEWEST_AROUND as FEWEST
from analysis.its.result import ITSResult, fit_its

EXCESS_MONTHS = 24

ESTIMATE_COLUMNS = [
    *("shift", "source", "place", "estimator", "estimand", "estimate", "low", "high", "p", "unit"),
    *("n_before", "n_after", "phi", "noise", "sd_ratio", "comparison_verdict", "flags", "note"),
]


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
    effects = fit.effects.assign(unit=fit.units, estimator=name).reset_index()
    return effects.assign(note=[fit.notes.get(row, note) for row in effects["estimand"]])


def _size(fit: ITSResult) -> dict[str, float]:
    return {"n_before": fit.n_before, "n_after": fit.n_after, **fit.memory["estimate"]}


def read_rows(paths: list[Path]) -> pd.DataFrame:
    """Read and join tables of estimates, in the order of `paths`; name those that are missing."""
    if missing := [path.stem for path in paths if not path.is_file()]:
        failed = "run `pytask`, and read why if one of them failed"
        raise FileNotFoundError(f"no result yet of {missing}: {failed}")
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
