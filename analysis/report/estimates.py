"""A result as rows of estimates.csv, and reading them back."""

from pathlib import Path

import pandas as pd

from analysis.its.counterfactual import EXCESS_UNITS
from analysis.its.result import ITSResult

EXCESS_MONTHS = 24

ESTIMATE_COLUMNS = [
    *("shift", "source", "place", "estimator", "estimand", "estimate", "low", "high", "p", "unit"),
    *("n_before", "n_after", "rho", "comparison_verdict", "flags", "note"),
]


def estimate_rows(result: ITSResult, *, source: str, place: str) -> pd.DataFrame:
    """Return a fit as rows of ``estimates.csv``, labelled with the series' source and place.

    They are the effects, the excess over the first 24 months, or all there are, under both
    counterfactuals, and the estimands by every other estimator.
    """
    effects = result.effects.assign(unit=result.units.to_numpy(), estimator="reml").reset_index()
    rows = [effects.assign(note=effects["estimand"].map(result.notes))]
    months = min(EXCESS_MONTHS, result.n_after)
    for kind in ("forecast", "segmented"):
        excess = result.excess(months, kind=kind)
        excess["unit"] = [EXCESS_UNITS[name] for name in excess.index]
        excess["estimand"] = [f"excess_{name}_{kind}" for name in excess.index]
        rows.append(excess.assign(estimator="reml", note=f"over the first {months} periods"))
    others = result.comparison[result.comparison["estimator"] != "reml"]
    rows.append(others.assign(unit=others["estimand"].map(result.units)))
    table = pd.concat(rows, ignore_index=True).assign(
        shift=result.shift.slug,
        source=source,
        place=place,
        n_before=result.n_before,
        n_after=result.n_after,
        rho=result.rho["estimate"],
        comparison_verdict=result.comparison_verdict,
        flags=" ".join(flag.name for flag in result.flags),
    )
    return table[ESTIMATE_COLUMNS]


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
