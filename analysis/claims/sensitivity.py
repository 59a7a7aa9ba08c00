"""How far each constant of a rule may move before the verdict of its claim is another."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.claims.counts import MEASURES
from analysis.claims.declared import TOLD, Claim, Declared
from analysis.claims.evidence import Evidence
from analysis.language import say_month

STEPS = 16  # from a constant to the end of its range, if it is no whole number or month
NEAR = 1e-4  # how near its turn is then found, as a share of that way
NONE = "none"  # where nothing tried changes the verdict


def vary_constants(declared: Declared, evidence: Evidence) -> pd.DataFrame:
    """Return by constant the nearest values that change the verdict, or a part's (`part_*`)."""
    rows = []
    for claim in declared.claims.values():
        for name, (least, most) in claim.vary.items():
            row = {"number": claim.number, "slug": claim.slug, "constant": name}
            row |= {"value": claim[name], "least": least, "most": most}
            for mark in ("", "part_")[: 1 + bool(claim.parts)]:
                judge = partial(judge_with, claim, evidence, name, full=bool(mark))
                row[f"{mark}verdict"] = judge(claim[name])
                for side, end in (("below", least), ("above", most)):
                    turn, verdict = find_turn(judge, claim[name], end)
                    row |= {f"{mark}{side}": turn, f"{mark}verdict_{side}": verdict}
            rows.append(row)
    return pd.DataFrame(rows)


def describe_turns(turns: pd.DataFrame) -> list[str]:
    """Return by constant, in words, where the verdict (or that of a part) is another."""
    said, words = [], TOLD["turns"]
    for _, row in turns.iterrows():
        mark = "part_" if row.get("part_verdict") else ""
        ends = [(row[mark + end], row[f"{mark}verdict_{end}"]) for end in ("below", "above")]
        told = [words["at"].format(turn=_show(e), verdict=v) for e, v in ends if e != NONE]
        same = words["none"].format(least=_show(row["least"]), most=_show(row["most"]))
        names = {"constant": TOLD["constants"][row["constant"]], "value": _show(row["value"])}
        said.append(words["turn"].format(turns="; ".join(told) or same, **names))
    return said


def _show(value: Any) -> str:
    """Return a number to five digits, a year or a month as readers write it."""
    if isinstance(value, str):
        return say_month(pd.Period(value))
    return f"{value:,}" if isinstance(value, int) and value > 9999 else f"{value:.5g}"


def judge_with(claim: Claim, evidence: Evidence, name: str, value: Any, *, full: bool) -> str:
    """Return the verdict, with those of the parts if in `full`, where a constant has a value."""
    kind = "figures" if name in claim.figures else "parameters"
    other = replace(claim, **{kind: getattr(claim, kind) | {name: value}})
    found = MEASURES[claim.slug](other, evidence)
    return found.verdict_in_full if full else found.claim_verdict


def find_turn(judge: Callable[[Any], str], value: Any, end: Any) -> tuple[Any, str]:
    """Return the first value on the way to `end` that is judged otherwise, and how."""
    now, near = judge(value), value
    for far in list_values(value, end):
        if judge(far) != now:
            break
        near = far
    else:
        return NONE, NONE
    while isinstance(end, float) and abs(far - near) > NEAR * abs(end - value):
        middle = (near + far) / 2
        near, far = (middle, far) if judge(middle) == now else (near, middle)
    return far, judge(far)


def list_values(value: Any, end: Any) -> list[Any]:
    """Return the values to try from one to another: whole numbers, months, or `STEPS` numbers."""
    if isinstance(end, float):
        return np.linspace(value, end, STEPS + 1)[1:].tolist()
    if isinstance(end, int):
        return [*range(value + 1, end + 1), *range(value - 1, end - 1, -1)]
    first, last = pd.Period(value), pd.Period(end)
    return [str(first + step) for step in list_values(0, (last - first).n)]
