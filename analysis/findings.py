"""The tables of a run that the answer is written from, and sentences that know their rows."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from analysis.sources import SOURCES


@dataclass(frozen=True)
class Findings:
    """The tables of a run that the answer is written from."""

    titles: dict[str, str]  # slug of a shift to its title
    estimates: pd.DataFrame  # rows of estimates.csv, national shifts
    states: pd.DataFrame  # of states/*--pooled.csv
    operations: pd.DataFrame  # of tables/operations-event-study.csv
    countries: pd.DataFrame  # of countries/*.csv
    claims: pd.DataFrame  # of claims.csv
    forecasts: pd.DataFrame  # of forecasts/*--claim-10.csv


@dataclass(frozen=True)
class Sentence:
    """A sentence and the rows whose numbers it tells."""

    text: str
    file: str
    rows: pd.DataFrame = field(repr=False)  # of the file: the columns that name a row


def headline_rows(found: Findings, estimand: str) -> pd.DataFrame:
    """Return the headline model's rows of one estimand, where it was estimated."""
    table = found.estimates
    chosen = (table["estimator"] == "reml") & (table["estimand"] == estimand)
    return table[chosen].dropna(subset=["estimate", "low", "high"])


def name_row(row: pd.Series, titles: dict[str, str], said: str = "") -> str:
    """Return a shift by its title, with its source and what is said of it."""
    parts = [SOURCES[row["source"]].name] if "source" in row else []
    return f"{titles[row['shift']]} ({', '.join([*parts, *([said] if said else [])])})"


def select_rows(table: pd.DataFrame, chosen: Callable[[pd.Series], bool]) -> list[pd.Series]:
    """Return the rows for which `chosen` is true."""
    return [row for _, row in table.iterrows() if chosen(row)]
