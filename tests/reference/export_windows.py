"""Write windows.csv: the windows of four national shifts with outcome and design, for gls.R."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis import load_policy_shifts, load_series
from analysis.its.design import build_design, cut_window
from analysis.its.series import outcome

WINDOWS = {
    "calderon-2006-12": "inegi",
    "pena-nieto-2012-12": "inegi",
    "lopez-obrador-2018-12": "inegi",
    "sheinbaum-2024-10": "sesnsp",
}
DECIMALS = "%.12g"  # the tests read the same file, so both sides see the same numbers


def export_window(slug: str, source: str) -> pd.DataFrame:
    """Return window, month, deaths, person_years, log_rate and the columns of the design."""
    shift = replace(load_policy_shifts()[slug], omit=())  # with every month
    window = cut_window(load_series(source, place="MX00"), shift)
    design = build_design(window.index, shift).round(12)
    table = window[["deaths", "person_years"]].assign(log_rate=outcome(window, "log")).join(design)
    return table.rename_axis("month").reset_index().assign(window=slug).set_index("window")


if __name__ == "__main__":
    tables = [export_window(slug, source) for slug, source in WINDOWS.items()]
    target = Path(__file__).with_name("windows.csv")
    pd.concat(tables).to_csv(target, float_format=DECIMALS, lineterminator="\n")
