"""A fit in words, by rule: a sentence changes when its number changes."""

import numpy as np
import pandas as pd

from analysis.its.comparison import JUDGED
from analysis.its.flags import Flag
from analysis.its.result import ITSResult
from analysis.its.shifts import PolicyShift
from analysis.language import Words

WORDS = Words("its-words.toml")
TOLD = WORDS.block("told")


def significant(row: pd.Series) -> bool:
    """Tell whether an interval leaves zero out."""
    # of an exact fit the ends are one
    return bool(row["low"] * row["high"] > 0 and row["low"] < row["high"])


def format_effect(row: pd.Series, unit: str, *, named: bool = True) -> str:
    """Return ``+22.6% per year (+4.3 to +37.8)``; other units than percent only if `named`."""
    if pd.isna(row["estimate"]):
        return "not estimated"
    percent, yearly = unit.startswith("percent"), " per year" if unit.endswith("per year") else ""
    name = f" {unit.removesuffix(yearly)}" if named else ""
    digits = 1 if percent or abs(row["estimate"]) < 1000 else 0
    estimate, low, high = (f"{row[end]:+,.{digits}f}" for end in ("estimate", "low", "high"))
    return f"{estimate}{'%' if percent else name}{yearly} ({low} to {high})"


def name_trends(before: float, after: float) -> str:
    """Return the yearly trend before and after in percent: ``-2% → +16% a year``."""
    return f"{before:+.0f}% → {after:+.0f}% a year"


def describe_shift(shift: PolicyShift) -> str:
    """Return what was declared of a shift before fitting, as Markdown."""
    beside = ", ".join(other.title or other.slug for other in shift.beside)
    window = f"{shift.start or 'first month of the source'} to {shift.end or 'its last'}"
    caveat = f": {shift.caveat}" if shift.caveat else ""
    lines = [
        f"**{shift.title or shift.slug}**, first month {shift.when}{caveat}.",
        "",
        f"- The article: “{shift.words}”." if shift.words else "",
        f"- Impact: {shift.impact.replace('_', ' ')}. {shift.reason}",
        f"- Source of the date: {shift.source}." if shift.source else "",
        f"- Window: {window}. {shift.window_reason}",
        f"- Left out: {', '.join(map(str, shift.omit)) or 'nothing'}.",
        f"- Beside it in the model: {beside or 'nothing'}.",
    ]
    return "\n".join([*lines[:2], *filter(None, lines[2:])])


def describe_effects(result: ITSResult) -> str:
    """Return what each estimate of a fit says, as a Markdown list."""
    subject: dict[str, str] = dict(WORDS["effects"])
    trends = name_trends(*result.effects["estimate"][["pre_trend", "post_trend"]])
    if result.scale == "log":
        subject["slope"] += f" ({trends})"
    lines = []
    for name, sentence in subject.items():
        if name in result.notes:
            lines.append(f"- **{name}**: not estimated, {result.notes[name]}.")
            continue
        row = result.effects.T[name]
        told = sentence.format(format_effect(row, result.units[name]))
        if "intervals" in result.notes:
            lines.append(f"- **{name}**: {told}; no test: {result.notes['intervals']}.")
            continue
        p = "p < 0.001" if row["p"] < 0.001 else f"p = {row['p']:.2g}"
        meaning = "zero is inside the interval"
        if significant(row):
            meaning = "the 95% interval leaves zero out"
        lines.append(f"- **{name}**: {told}; {meaning} ({p}).")
    return "\n".join(lines)


def describe_comparison(comparison: pd.DataFrame, verdict: str, units: pd.Series) -> str:
    """Return the verdict on a comparison, and the range of the estimates behind it, as Markdown."""
    lines = [f"**Verdict: {verdict}**: {WORDS['verdicts'][verdict]}.", ""]
    for name in JUDGED:
        rows = comparison[comparison["estimand"] == name].dropna(subset=["estimate"])
        if rows.empty:
            lines.append(f"- **{name}**: no estimator has an answer.")
            continue
        low, high = (rows.iloc[at(rows["estimate"])] for at in (np.argmin, np.argmax))
        excluding = sum(significant(row) for _, row in rows.iterrows())
        shown = {"low": low, "high": high, "excluding": excluding, "rows": len(rows)}
        lines.append(TOLD["estimators"].format(name=name, unit=units[name], **shown))
    return "\n".join(lines)


def describe_memory(memory: pd.DataFrame, period: str = "month") -> str:
    """Return what the errors of a fit remember, in words."""
    if memory.isna().all(axis=None):
        return TOLD["no_memory"]
    told = "{0[estimate]:.2f} ({0[low]:.2f} to {0[high]:.2f})"
    said = {str(name): told.format(row) for name, row in memory.T.items()}
    return TOLD["memory"].format(period=period, **said)


def describe_flags(flags: tuple[Flag, ...]) -> str:
    """Return the warnings of a fit as a Markdown list."""
    if not flags:
        return "No warning applies to this fit."
    return "\n".join(f"- **{flag.name}** ({flag.value:.3g}): {flag.text}." for flag in flags)


def describe_excess(excess: pd.DataFrame, months: int, kind: str) -> str:
    """Return one sentence on deaths above what was expected."""
    unit = excess.index[0] if excess.index[0] == "deaths" else "units"
    deaths = excess.iloc[0]
    if pd.isna(deaths["estimate"]):
        return TOLD["no_excess"].format(unit=unit, kind=kind, note=excess.attrs["note"])
    side, size = "more" if deaths["estimate"] > 0 else "fewer", abs(deaths["estimate"])
    told = {"unit": unit, "basis": WORDS["basis"][kind], "side": side, "size": size}
    percent = format_effect(excess.T["percent"], "percent")
    return TOLD["excess"].format(months=months, row=deaths, percent=percent, **told)
