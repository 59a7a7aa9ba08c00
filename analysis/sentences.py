"""Numbers in words, by rule: a sentence changes when its number changes."""

from pathlib import Path
from typing import get_args

import pandas as pd

from analysis.flags import Flag
from analysis.its import ITSResult
from analysis.outputs import significant, write_table
from analysis.panel import JUDGED, Verdict
from analysis.policies import PolicyShift
from analysis.sources import SOURCES
from analysis.tables import write_atomically


def format_effect(row: pd.Series, unit: str) -> str:
    """Return an estimate with its interval and unit: ``+22.6% per year (+4.3 to +37.8)``."""
    if pd.isna(row["estimate"]):
        return "not estimated"
    percent, yearly = unit.startswith("percent"), unit.endswith("per year")
    name = "%" if percent else f" {unit.removesuffix(' per year')}"
    digits = 1 if percent or abs(row["estimate"]) < 1000 else 0
    estimate, low, high = (f"{row[end]:+,.{digits}f}" for end in ("estimate", "low", "high"))
    return f"{estimate}{name}{' per year' if yearly else ''} ({low} to {high})"


def describe_shift(shift: PolicyShift) -> str:
    """Return what was declared of a shift before fitting, as Markdown."""
    beside = ", ".join(other.title or other.slug for other in shift.beside)
    window = f"{shift.start or 'first month of the source'} to {shift.end or 'its last'}"
    lines = [
        f"**{shift.title or shift.slug}**, first month {shift.when}"
        f"{': ' + shift.caveat if shift.caveat else ''}.",
        f"- The article: “{shift.words}”.",
        f"- Why this month, and this impact ({shift.impact.replace('_', ' ')}): {shift.reason}",
        f"- Source of the date: {shift.source}.",
        f"- Window: {window}. {shift.window_reason}",
        f"- Beside it in the model: {beside or 'nothing'}.",
    ]
    return "\n".join([lines[0], "", *lines[1:]])


def describe_effects(result: ITSResult) -> str:
    """Return what each estimate of a fit says, as a Markdown list."""
    shown = {
        name: format_effect(row, result.units[name]) for name, row in result.effects.iterrows()
    }
    subject = {
        "pre_trend": "Before the shift the rate was moving by {}",
        "level": "At the shift it stepped by {}",
        "slope": "From then on its yearly trend differed by {}",
        "effect_12m": "Twelve months later it stood {} from where the old course led",
        "effect_24m": "Twenty-four months later it stood {} from where the old course led",
    }
    lines = []
    for name, sentence in subject.items():
        row = result.effects.loc[name]
        if name in result.notes:
            lines.append(f"- **{name}**: not estimated, {result.notes[name]}.")
            continue
        p = "p < 0.001" if row["p"] < 0.001 else f"p = {row['p']:.2g}"
        meaning = (
            "the 95% interval leaves zero out"
            if significant(row)
            else "zero is inside the interval"
        )
        lines.append(f"- **{name}**: {sentence.format(shown[name])}; {meaning} ({p}).")
    return "\n".join(lines)


def describe_panel(panel: pd.DataFrame, verdict: str, units: pd.Series) -> str:
    """Return the verdict on a panel, and the range of the estimates behind it, as Markdown."""
    meaning = {
        "agree": "the estimators agree on whether level and slope changed, and in which direction",
        "intervals differ": "some intervals leave zero out and others do not, so the finding rests "
        "on the choice of estimator",
        "sign differs": "one interval lies on one side of zero and another estimate on the other: "
        "no single column may be quoted alone",
    }
    lines = [f"**Verdict: {verdict}**: {meaning[verdict]}.", ""]
    for name in JUDGED:
        rows = panel[panel["estimand"] == name].dropna(subset=["estimate"])
        if rows.empty:
            lines.append(f"- **{name}**: no estimator has an answer.")
            continue
        low, high = rows.loc[rows["estimate"].idxmin()], rows.loc[rows["estimate"].idxmax()]
        excluding = sum(significant(row) for _, row in rows.iterrows())
        lines.append(
            f"- **{name}** ({units[name]}): from {low['estimate']:+.1f} ({low['estimator']}) to "
            f"{high['estimate']:+.1f} ({high['estimator']}); {excluding} of {len(rows)} intervals "
            "leave zero out."
        )
    return "\n".join(lines)


def describe_flags(flags: tuple[Flag, ...]) -> str:
    """Return the warnings of a fit as a Markdown list."""
    if not flags:
        return "No warning applies to this fit."
    return "\n".join(f"- **{flag.name}** ({flag.value:.2g}): {flag.text}." for flag in flags)


def describe_excess(excess: pd.DataFrame, months: int, kind: str) -> str:
    """Return one sentence on deaths above what was expected."""
    deaths, percent = excess.loc["deaths"], excess.loc["percent"]
    basis = {
        "forecast": "the months before the shift alone",
        "segmented": "the whole window with the shift's terms taken out",
    }[kind]
    side = "more" if deaths["estimate"] > 0 else "fewer"
    return (
        f"Over the first {months} months, {abs(deaths['estimate']):,.0f} {side} deaths than "
        f"{basis} would have led to expect (95% interval {deaths['low']:+,.0f} to "
        f"{deaths['high']:+,.0f}), or {format_effect(percent, 'percent')}."
    )


def write_answer(estimates: pd.DataFrame, titles: dict[str, str]) -> list[str]:
    """Return the four sentences of the front page.

    Parameters
    ----------
    estimates : DataFrame
        Rows of ``estimates.csv``, national shifts only.
    titles : dict
        Slug to the shift's title.

    Returns
    -------
    list of str
        How many rates changed course, which most, how far to trust it, and whether the data
        would have chosen these dates themselves.
    """
    headline = estimates[estimates["estimator"] == "reml"]
    slopes, levels = (headline[headline["estimand"] == name] for name in ("slope", "level"))
    bent = [row for _, row in slopes.iterrows() if significant(row)]
    stepped = [row for _, row in levels.iterrows() if significant(row)]

    def listed(rows: list[pd.Series]) -> str:
        names = [
            f"{titles[row['shift']]} ({SOURCES[row['source']].name}, {row['estimate']:+.0f}%"
            f"{' per year' if row['estimand'] == 'slope' else ''})"
            for row in rows
        ]
        return "; ".join(names)

    first = (
        f"Of {len(slopes)} estimates of a national shift (shift by source), {len(bent)} "
        f"{'shows' if len(bent) == 1 else 'show'} a change of trend whose 95% interval leaves zero "
        f"out{': ' + listed(bent) if bent else ''}."
    )
    where = (
        f"in {len(stepped)} of {len(levels)}: {listed(stepped)}" if stepped else "at none of them"
    )
    second = (
        f"A step at the date itself that leaves zero out is seen {where}; where an interval "
        "includes zero, these data do not tell an effect from none."
    )
    flagged = slopes[slopes["flags"].fillna("") != ""]
    unit_root = slopes["flags"].str.contains("near_unit_root").sum()
    verdicts = slopes["verdict"].value_counts().reindex(get_args(Verdict), fill_value=0)
    both = slopes.groupby("shift")["source"].nunique()
    split = [
        titles[slug]
        for slug in both[both > 1].index
        if len({significant(row) for _, row in slopes[slopes["shift"] == slug].iterrows()}) > 1
    ]
    agreement = (
        f"the two sources disagree on whether the trend changed at {'; '.join(split)}"
        if split
        else "no shift divides the two sources"
    )
    third = (
        f"{len(flagged)} of the {len(slopes)} carry at least one warning, {unit_root} of them that "
        "the series wanders like a random walk; the estimators in use agree in "
        f"{verdicts['agree']}, their intervals differ in {verdicts['intervals differ']} and their "
        f"signs in {verdicts['sign differs']}; and {agreement}: a change of course at a date is "
        "not yet the work of the policy."
    )
    return [first, second, third, _own_breaks(slopes, titles)]


def _own_breaks(slopes: pd.DataFrame, titles: dict[str, str]) -> str:
    """Say where the data put the break themselves."""
    said = {}
    for verdict, part in slopes.groupby("date_verdict"):
        said[verdict] = [
            f"{titles[row['shift']]} ({SOURCES[row['source']].name}"
            + (
                f": {row['own_break']}, {abs(row['months_off']):.0f} months "
                f"{'before' if row['months_off'] < 0 else 'after'}"
                if verdict == "another date"
                else ""
            )
            + ")"
            for _, row in part.iterrows()
        ]
    own, other, none = (
        said.get(verdict, []) for verdict in ("the official date", "another date", "no date")
    )
    return (
        f"Asked where they bend themselves, {len(own)} of {len(slopes)} series answer with the "
        f"official date, give or take three months{': ' + '; '.join(own) if own else ''}; "
        f"{len(other)} with another{': ' + '; '.join(other) if other else ''}; the remaining "
        f"{len(none)} with no date in particular."
    )


def summary_table(estimates: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """Return one row of words per shift and source, for a reader.

    Parameters
    ----------
    estimates : DataFrame
        Rows of ``estimates.csv``.
    titles : dict
        Slug to the shift's title.

    Returns
    -------
    DataFrame
        Columns of text; estimates with their 95% intervals.
    """
    rows = []
    headline = estimates[estimates["estimator"] == "reml"]
    for (slug, source), part in headline.groupby(["shift", "source"], sort=False):
        cells = {row["estimand"]: format_effect(row, row["unit"]) for _, row in part.iterrows()}
        first = part.iloc[0]
        rows.append(
            {
                "Shift": titles[slug],
                "Source": SOURCES[source].name,
                "Step at the date": cells["level"],
                "Change of trend": cells["slope"],
                "After 24 months": cells["effect_24m"],
                "Months": f"{first['n_before']} + {first['n_after']}",
                "Rho": f"{first['rho']:.2f}",
                "Estimators": first["verdict"],
                "The data's own break": f"{first['own_break']} ({first['months_off']:+.0f} months)",
                "Warnings": first["flags"].replace(" ", ", ").replace("_", " ") or "none",
            }
        )
    return pd.DataFrame(rows)


def write_front_page(sentences: list[str], summary: pd.DataFrame, results: Path) -> None:
    """Write the front page's words and the summary table as CSV, LaTeX and HTML."""
    write_atomically(results / "answer.md", ("\n\n".join(sentences) + "\n").encode())
    write_table(summary, results / "tables/summary.csv")
    latex = summary.to_latex(index=False, escape=True, column_format="l" * summary.shape[1])
    write_atomically(results / "tables/summary.tex", latex.encode())
    write_atomically(results / "tables/summary.html", summary.to_html(index=False).encode())
