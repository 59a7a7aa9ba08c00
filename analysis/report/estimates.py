"""A result as rows of estimates.csv, and reading them back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.its.counterfactual import EXCESS_UNITS
from analysis.its.design import FEWEST_AROUND as FEWEST
from analysis.its.result import ITSResult, fit_its

EXCESS_MONTHS = 24

ESTIMATE_COLUMNS = [
    *("shift", "source", "place", "estimator", "estimand", "estimate", "low", "high", "p", "unit"),
    *("n_before", "n_after", "phi", "noise", "sd_ratio", "comparison_verdict", "flags", "note"),
]


def refit(result: ITSResult, series: pd.DataFrame, every: Sequence[pd.DataFrame]) -> dict:
    """Return the fit of `series` with no month left out, and on the months that `every` source has.

    By estimator, `reml_all_months` and `reml_common_months`; only where they differ.
    """
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
    """Return a fit as rows of ``estimates.csv``, labelled with the series' source and place.

    They are the effects, the excess over the first 24 months, or all there are, under both
    counterfactuals, the estimands by every other estimator, and the effects of fits `beside` it,
    whose months and memory are their own.
    """
    headline = result.comparison["estimator"].iloc[0]
    effects = result.effects.assign(unit=result.units.to_numpy(), estimator=headline).reset_index()
    rows = [effects.assign(note=effects["estimand"].map(result.notes))]
    months = min(EXCESS_MONTHS, result.n_after)
    for kind in ("forecast", "segmented"):
        excess = result.excess(months, kind=kind)
        excess["unit"] = [EXCESS_UNITS[name] for name in excess.index]
        excess["estimand"] = [f"excess_{name}_{kind}" for name in excess.index]
        note = excess.attrs.get("note") or f"over the first {months} periods"
        rows.append(excess.assign(estimator=headline, note=note))
    others = result.comparison[result.comparison["estimator"] != headline]
    rows.append(others.assign(unit=others["estimand"].map(result.units)))
    tables = [pd.concat(rows, ignore_index=True).assign(**_size(result))]
    for name, other in (beside or {}).items():
        window = f"{other.series.index[0]} to {other.series.index[-1]}"
        effects = other.effects.assign(unit=other.units.to_numpy(), estimator=name).reset_index()
        effects["note"] = [other.notes.get(name, window) for name in effects["estimand"]]
        tables.append(effects.assign(**_size(other)))
    table = pd.concat(tables, ignore_index=True).assign(
        shift=result.shift.slug,
        source=source,
        place=place,
        comparison_verdict=result.comparison_verdict,
        flags=" ".join(flag.name for flag in result.flags),
    )
    return table[ESTIMATE_COLUMNS]


def _size(fit: ITSResult) -> dict[str, float]:
    return {"n_before": fit.n_before, "n_after": fit.n_after, **fit.memory["estimate"]}


def read_rows(paths: list[Path]) -> pd.DataFrame:
    """Read and join tables of estimates, in the order of `paths`; name those that are missing."""
    missing = [path.stem for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"no result yet of {missing}: run `pytask`, and read why if one of them failed"
        )
    read = {"dtype": {"flags": str, "note": str}, "keep_default_na": False, "na_values": [""]}
    tables = [pd.read_csv(path, **read) for path in paths]
    return pd.concat(tables, ignore_index=True).fillna({"flags": "", "note": ""})


def join_dates(estimates: pd.DataFrame, robustness: pd.DataFrame) -> pd.DataFrame:
    """Return `estimates` with the data's own break of each shift and source beside every row."""
    dates = robustness[["shift", "source", "own_break", "months_off", "mass_near", "date_verdict"]]
    joined = estimates.merge(dates, on=["shift", "source"], validate="m:1")
    if len(joined) != len(estimates):
        missing = set(estimates["shift"]) - set(robustness["shift"])
        raise ValueError(f"no robustness result of {sorted(missing)}: run `pytask`")
    return joined
