"""The estimates for Stata and R, with labels, and their codebook: one source for both."""

import io
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from analysis.checks import name_some, require
from analysis.its.shifts import PolicyShift
from analysis.its.words import WORDS
from analysis.language import literal
from analysis.mexico.record import NATION, SOURCES
from analysis.mexico.tables import load_descriptor, load_table
from report.tables import DECLARED, WHERE, to_markdown

NAMED = f"its-words.toml, or where the {{name}} is declared, or {WHERE}"
VARIABLES = DECLARED["variables"]
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")  # of a variable, as Stata takes it
LONGEST, WIDEST = 80, 2045  # characters of a label, bytes of a text
TITLE = "Mexico's homicide rate and its policy shifts: estimates"
CODEBOOK = ["variable", "code", "meaning", "unit"]
Meanings = dict[str, dict[str, str]]  # by column: what each of its codes means


def tell_codes(shifts: Mapping[str, PolicyShift]) -> Meanings:
    """Return what the codes in ``estimates.csv`` mean."""
    states = load_table("states").set_index("state")["name"].to_dict() | {NATION: "Mexico"}
    lists = {"+".join(each.places): each.places for each in shifts.values()}
    verdicts = {code: told["text"] for code, told in WORDS["verdicts"].items()}
    return {
        "shift": {slug: _title(shift) for slug, shift in shifts.items()},
        "source": {slug: f"{each.name}, {each.title}" for slug, each in SOURCES.items()},
        "place": {code: " + ".join(states[x] for x in places) for code, places in lists.items()},
        "estimator": dict(WORDS["estimators"]),
        "estimand": {**WORDS["estimands"], **DECLARED["estimands"]},
        "comparison_verdict": verdicts,
        "date_verdict": DECLARED["date_verdicts"],
        "flags": {slug: told["title"] for slug, told in WORDS["flags"].items()},
    }


def _title(shift: PolicyShift) -> str:
    return f"{shift.title} [{shift.caveat}]" if shift.caveat else shift.title


def label_estimates(
    estimates: pd.DataFrame, meanings: Meanings, variables: Mapping[str, Any] = VARIABLES
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return ``estimates.csv`` as Stata's variables, with names beside codes, and their labels."""
    stray = sorted(set(estimates) ^ set(variables))
    require(not stray, f"a label for each column, no other; {stray} differ. Correct {WHERE}")
    columns, labels = {}, {}
    for name, told in variables.items():
        values, kind, labels[name] = estimates[name], told.get("kind"), told["label"]
        if kind == "month":
            values = pd.PeriodIndex(values, freq="M").to_timestamp()
        columns[name] = pd.Categorical(values) if kind == "category" else values
        if "names" in told:
            known, codes = meanings[name], values.unique()
            missing = [code for code in codes if code not in known]
            require(not missing, f"no name of {name} {name_some(missing)}; add it to {NAMED}")
            names = [known[code] for code in codes]
            twice = sorted({each for each in names if names.count(each) > 1})
            require(not twice, f"{name}: a name must be that of one code; found twice: {twice}")
            labels[f"{name}_name"] = told["names"]
            columns[f"{name}_name"] = pd.Categorical(values.map(known), categories=names)
    table = pd.DataFrame(columns)
    _check_for_stata(table, labels)
    return table, labels


def _check_for_stata(table: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Refuse what Stata would cut or rename."""
    bad = [name for name in table if not NAME.fullmatch(name)]
    require(not bad, f"{bad}: Stata takes a letter, then up to 31 letters, digits and underscores")
    for name, label in labels.items():
        told = f"the label of {name} has {len(label)} characters, Stata takes {LONGEST}"
        require(len(label) <= LONGEST, f"{told}: {label!r}. Shorten it in {WHERE}")
    for name, values in table.select_dtypes("str").items():
        widest = max(values, key=lambda text: len(text.encode()), default="")
        size, start = len(widest.encode()), widest[:40]
        told = f"a text of {name} has {size} bytes, Stata takes {WIDEST}: {start!r}…"
        require(size <= WIDEST, f"{told}. Shorten it where it is written")


def to_stata(estimates: pd.DataFrame, meanings: Meanings) -> bytes:
    """Return a file of Stata 14 and newer, dated as the data are, not as the run is."""
    table, labels = label_estimates(estimates, meanings)
    months = {name: "tm" for name, told in VARIABLES.items() if told.get("kind") == "month"}
    buffer, created = io.BytesIO(), datetime.fromisoformat(load_descriptor()["created"])
    options = {"version": 118, "write_index": False, "data_label": TITLE, "time_stamp": created}
    table.to_stata(buffer, convert_dates=months, variable_labels=labels, **options)
    return buffer.getvalue()


def make_codebook(estimates: pd.DataFrame, meanings: Meanings) -> pd.DataFrame:
    """Return a row per variable (code empty) and one per code that stands in the estimates."""
    labels, rows = label_estimates(estimates, meanings)[1], []
    for name, label in labels.items():
        told = VARIABLES.get(name, {})
        rows.append((name, "", label, told.get("unit", "")))
        if name in meanings or told.get("kind") == "category":
            said, values = meanings.get(name, {}), estimates[name]
            used = values.str.split().explode().dropna() if name == "flags" else values
            rows += [(name, code, said.get(code, ""), "") for code in used.unique()]
    return pd.DataFrame(rows, columns=CODEBOOK)


def tell_codebook(codebook: pd.DataFrame) -> str:
    """Return the codebook as Markdown: the variables, then the codes of each."""
    variables = codebook[codebook["code"] == ""].drop(columns="code")
    text = [f"# {literal(TITLE)}", DECLARED["text"]["codebook"], to_markdown(variables, "variable")]
    for name, part in codebook[codebook["code"] != ""].groupby("variable", sort=False):
        text += [f"## `{name}`", to_markdown(part[["code", "meaning"]], "code")]
    return "\n\n".join(each.strip() for each in text) + "\n"
