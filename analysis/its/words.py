"""A fit in words, by rule: a sentence changes when its number changes."""

import math
import re
from functools import partial
from html import unescape

import numpy as np
import pandas as pd

from analysis.files import round_table
from analysis.its.comparison import JUDGED, judge_estimand
from analysis.its.counterfactual import Kind
from analysis.its.design import TERMS
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
    digits = digits if percent else max(digits, _digits(row))
    told = {end: f"{row[end]:+,.{digits}f}" for end in ("estimate", "low", "high")}
    name = units.get(unit, f" {unit}") if percent or named else ""
    return said["told"].format(unit=name, **told)


def _digits(row: pd.Series) -> int:
    """Return how many decimals numbers below one need to be told apart: else none."""
    largest = abs(row[["low", "high"]]).max()
    return 0 if not 0 < largest < 1 else 1 - math.floor(math.log10(largest))


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
    what = WORDS["summary"]["what"]["value" if result.scale == "value" else "rate"]
    lines = [count_around(result)]
    added = [name for name in map(str, result.effects.index) if ":" in name]
    for name, sentence in (subject | dict.fromkeys(added, "{effect}")).items():
        row = result.effects.T[name]
        effect = format_effect(row, result.units[name])
        said = sentence.format(effect=effect, trends=trends, what=what)
        told = {"name": name_estimand(name, result.shift), "told": said}
        told["meaning"] = TOLD["leaves" if significant(row) else "holds"]
        told["p"] = "< 0.001" if row["p"] < 0.001 else f"= {row['p']:.2g}"
        kind = "effect_exact" if "intervals" in result.notes else "effect"
        if name in result.notes:
            kind, told["note"] = "effect_missing", result.notes[name]
        lines.append(TOLD[kind].format(**told))
    return "\n".join(filter(None, lines))


def name_estimand(name: str, shift: PolicyShift) -> str:
    """Return the name of a row of effects in words, with that of a shift beside or a covariate."""
    base, _, slug = name.partition(":")
    if base == "covariate":
        return TOLD["covariate"].format(slug=literal(slug))
    known = WORDS["estimands"][base]
    title = next((other.title for other in shift.beside if other.slug == slug), "") or slug
    return TOLD["beside"].format(name=known, slug=literal(title)) if slug else known


class Summary(str):
    """A result's text: a console prints it plain, a notebook as HTML."""

    markdown: str

    def __new__(cls, markdown: str) -> "Summary":
        """Return the plain text of Markdown in paragraphs and lists."""
        plain = unescape(re.sub(r"\*\*|</?span>", "", markdown))
        text = super().__new__(cls, plain)
        text.markdown = markdown
        return text

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        html = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", self.markdown)
        blocks = html.split("\n\n")
        item = partial(re.sub, "(?m)^- (.*)$", r"<li>\1</li>")
        return "\n".join(f"<ul>{item(x)}</ul>" if x[:2] == "- " else f"<p>{x}</p>" for x in blocks)


def summarise(result: ITSResult) -> Summary:
    """Return what a fit says as one block: question, numbers, verdict, warnings."""
    said, shift = WORDS["summary"], result.shift
    told = {"title": literal(shift.title or shift.slug), "when": say_runs(shift.months)}
    told |= {"impact": WORDS["impacts"][shift.impact], "scale": said["scales"][result.scale]}
    size = {"before": result.n_before, "after": result.n_after, "omitted": result.months_left_out}
    blocks = [said["head"].format(**told, **size), describe_effects(result)]
    groups = result.groups.drop("difference", level="group")
    if len(groups):
        lines = []
        for group, effects in groups.groupby(level="group", sort=False):
            rows = effects.droplevel("group").T
            each = [
                f"{WORDS['estimands'][x]} {format_effect(rows[x], result.units[x])}"
                for x in TERMS[shift.impact]
            ]
            lines.append(f"- {said['groups'].get(group, literal(group))}: {'; '.join(each)}")
        blocks += [said["control"], "\n".join(lines)]
    comparison = describe_comparison(result.comparison, result.comparison_verdict, result.units)
    blocks += [comparison.splitlines()[0], said["warnings"], describe_flags(result.flags)]
    others = [name for name in result.notes if name not in result.effects.index]
    blocks += ["\n".join(f"- {literal(result.notes[name])}" for name in others)] if others else []
    return Summary(set_minus("\n\n".join(blocks)))


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
    lives = not plain and result._model.attrs["measure"]["kind"] == "deaths"
    told["line"] = TOLD["line_deaths" if lives else "line_units"]
    wanders = any(each.name == "wandering" for each in result.flags)
    digits = _digits(row)
    told |= {end: f"{row[end]:+,.{digits}f}" for end in ("low", "high")}
    size = f"{abs(row['estimate']):,.{digits}f}"
    told |= {"end": TOLD["wanders"] if wanders else "", "size": size}
    percent = format_effect(excess.T["percent"], "percent")
    return TOLD["excess"].format(months=months, percent=percent, **told)


def strip_marks(text: str) -> str:
    """Return Markdown as one line of plain sentences."""
    bare = re.sub(r"\*\*|</?span>|(?<=\n)- ", "", text)
    return unescape(set_minus(" ".join(bare.split())))
