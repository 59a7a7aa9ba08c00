"""A fit in words, by rule: a sentence changes when its number changes."""

import re
from html import unescape

import numpy as np
import pandas as pd

from analysis.files import round_table
from analysis.its.comparison import JUDGED, judge_estimand
from analysis.its.counterfactual import Kind
from analysis.its.flags import Flag, name_counted
from analysis.its.result import ITSResult
from analysis.its.series import periods_of
from analysis.its.shifts import PolicyShift
from analysis.language import Words, literal, say_month, say_runs, set_minus

WORDS = Words("its-words.toml")
TOLD = WORDS.block("told")


def significant(row: pd.Series) -> bool:
    """Tell whether an interval leaves zero out."""
    return bool(row["low"] * row["high"] > 0 and row["low"] < row["high"])  # exact: the ends meet


def format_effect(row: pd.Series, unit: str, *, named: bool = True) -> str:
    """Return ``+22.6% per year (+4.3 to +37.8)``; other units than percent only if `named`."""
    said, units = WORDS["effect"], WORDS["units"]
    if pd.isna(row["estimate"]):
        return said["missing"]
    percent = unit.startswith("percent")
    digits = 0 if unit == "deaths" or (not percent and abs(row["estimate"]) >= 1000) else 1
    told = {end: f"{row[end]:+,.{digits}f}" for end in ("estimate", "low", "high")}
    name = units.get(unit, f" {unit}") if percent or named else ""
    return said["told"].format(unit=name, **told)


def name_trends(before: float, after: float) -> str:
    """Return the yearly trend before and after in percent: ``-2% → +16% a year``."""
    return WORDS["effect"]["trends"].format(before=before, after=after)


def describe_shift(shift: PolicyShift, first: pd.Period | None = None) -> str:
    """Return what was declared of a shift, as Markdown; `first` is its source's first month."""
    said, texts = WORDS["declared"], {**vars(shift), "title": shift.title or shift.slug}
    texts["beside"] = ", ".join(other.title or other.slug for other in shift.beside)
    told = {name: literal(text) for name, text in texts.items() if isinstance(text, str)}
    told["when"], told["impact"] = say_runs(shift.months), WORDS["impacts"][shift.impact]
    told["start"] = say_month(shift.start) if shift.start else said["first"]
    told["end"] = say_month(shift.end) if shift.end else said["last"]
    told["omit"] = say_runs(shift.omit) or said["nothing"]
    begins = said["begins"].format(first=say_month(first)) if first is not None else ""
    told["begins"] = begins if shift.start and first and first > shift.start else ""
    told["caveat"] = f": {told['caveat']}" if shift.caveat else ""
    names = ("words", "impact", "source", "window", "omit", "beside")
    lines = [said[name].format(**told).rstrip() for name in names if told.get(name, True)]
    return "\n".join([said["head"].format(**told), "", *lines])


def describe_effects(result: ITSResult) -> str:
    """Return what each estimate of a fit says, as a Markdown list."""
    subject: dict[str, str] = dict(WORDS["effects"])
    plain = {"slope": subject.pop("slope_plain")}
    subject |= plain if result.scale != "log" else {}
    trends = name_trends(*result.effects["estimate"][["pre_trend", "post_trend"]])
    lines = [count_around(result)]
    for name, sentence in subject.items():
        row = result.effects.T[name]
        said = sentence.format(effect=format_effect(row, result.units[name]), trends=trends)
        told = {"name": WORDS["estimands"][name], "told": said}
        told["meaning"] = TOLD["leaves" if significant(row) else "holds"]
        told["p"] = "< 0.001" if row["p"] < 0.001 else f"= {row['p']:.2g}"
        kind = "effect_exact" if "intervals" in result.notes else "effect"
        if name in result.notes:
            kind, told["note"] = "effect_missing", result.notes[name]
        lines.append(TOLD[kind].format(**told))
    return "\n".join(filter(None, lines))


def count_around(result: ITSResult) -> str:
    """Return how many deaths the record has in the year before the shift and from it on."""
    if result.scale == "value" or periods_of(result.series).freqstr != "M":
        return ""
    deaths, first = result.series["deaths"], result.n_before
    months = min(12, first, len(deaths) - first)
    before, after = deaths.iloc[first - months : first], deaths.iloc[first : first + months]
    told = {"months": months, "counted": name_counted(result._model.attrs).capitalize()}
    return TOLD["counts"].format(before=before.sum(), after=after.sum(), **told)


def describe_comparison(comparison: pd.DataFrame, verdict: str, units: pd.Series) -> str:
    """Return the verdict on a comparison, and the range of the estimates behind it, as Markdown."""
    verdicts, names = WORDS["verdicts"], WORDS["estimators"]
    lines = [TOLD["verdict"].format(**verdicts[verdict]), ""]
    headline = comparison[comparison["estimator"] == comparison["estimator"].iloc[0]]
    course = headline.set_index("estimand")["estimate"].reindex(["pre_trend", "post_trend"])
    for name in JUDGED:
        told = {"name": WORDS["estimands"][name], "unit": name_unit(units[name]), "trends": ""}
        if units[name] == "percent per year" and course.notna().all():
            told["trends"] = TOLD["course"].format(trends=name_trends(*course))
        rows = comparison[comparison["estimand"] == name].dropna(subset=["estimate"])
        if rows.empty:
            lines.append(TOLD["no_estimator"].format(**told))
            continue
        low, high = (rows.iloc[at(rows["estimate"])] for at in (np.argmin, np.argmax))
        excluding = sum(significant(row) for _, row in rows.iterrows())
        told |= {"low": low, "high": high, "excluding": excluding, "rows": len(rows)}
        told |= {"first": names[low["estimator"]], "last": names[high["estimator"]]}
        told["verdict"] = verdicts[judge_estimand(rows)]["name"]
        lines.append(TOLD["estimators"].format(**told))
    return "\n".join(lines)


def name_unit(unit: str) -> str:
    """Return a unit as it stands in brackets."""
    return WORDS["units"].get(unit, unit).strip()


def describe_memory(memory: pd.DataFrame, period: str = "month") -> str:
    """Return what the errors of a fit remember, in words."""
    if memory.isna().all(axis=None):
        return TOLD["no_memory"]
    said = {str(name): TOLD["interval"].format(row=row) for name, row in memory.T.items()}
    return TOLD["memory"].format(period=WORDS["periods"][period], **said)


def describe_flags(flags: tuple[Flag, ...]) -> str:
    """Return the warnings of a fit as a Markdown list."""
    titles = {name: block["title"] for name, block in WORDS["flags"].items()}
    told = ((titles.get(each.name, each.name), each.text.rstrip(".")) for each in flags)
    lines = (TOLD["flag"].format(title=literal(title), text=literal(text)) for title, text in told)
    return "\n".join(lines) or TOLD["no_flags"]


def describe_excess(result: ITSResult, months: int, kind: Kind) -> str:
    """Return one sentence on how far the first months lie from the old line carried on."""
    excess, plain = result.excess(months, kind=kind), result.scale == "value"
    row = round_table(excess).iloc[0]  # as the stored table has it
    told = {"kind": WORDS["kinds"][kind], "basis": WORDS["basis"][kind], "row": row}
    told["unit"] = name_unit("units") if plain else name_counted(result._model.attrs)
    if pd.isna(row["estimate"]):
        return TOLD["no_excess"].format(note=excess.attrs["note"], **told)
    told["side"] = WORDS["sides"]["more" if row["estimate"] > 0 else "fewer"]
    told["line"] = TOLD["line_units" if plain else "line_deaths"]
    wanders = any(each.name == "wandering" for each in result.flags)
    told |= {"end": TOLD["wanders"] if wanders else "", "size": abs(row["estimate"])}
    percent = format_effect(excess.T["percent"], "percent")
    return TOLD["excess"].format(months=months, percent=percent, **told)


def strip_marks(text: str) -> str:
    """Return Markdown as one line of plain sentences."""
    bare = re.sub(r"\*\*|</?span>|(?<=\n)- ", "", text)
    return unescape(set_minus(" ".join(bare.split())))
