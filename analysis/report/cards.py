"""A card for each national shift, the three sentences of the answer, and how sure they are."""

from collections.abc import Mapping

import pandas as pd

from analysis.its.comparison import judge_estimand
from analysis.its.flags import gaps_inside
from analysis.its.series import periods_of
from analysis.its.shifts import PolicyShift
from analysis.its.words import significant
from analysis.language import Words, say_month, set_minus
from analysis.mexico.record import SOURCES
from analysis.mexico.sources import load_series

WORDS = Words("front.toml")
TOLD = WORDS.block("told")
YEAR = 12
OFFICIAL = "the official date"
BESIDE = ("reml_common_months", "reml_all_months")  # fits to other months, no other estimators
BELIEVED = ("did", "probably")  # what was expected without such a shift is worth a line
TELLERS = ("tell_card", "tell_counts", "tell_trends", "describe_sure", "describe_doubts")


def make_cards(estimates: pd.DataFrame, shifts: Mapping[str, PolicyShift]) -> pd.DataFrame:
    """Return a row per national shift and source: trends, counts, certainty and its doubts."""
    rows = []
    for (slug, source), part in estimates.groupby(["shift", "source"], sort=False):
        numbers, shift = part[part["estimator"] == "reml"].set_index("estimand"), shifts[slug]
        slopes = part[part["estimand"] == "slope"].set_index("estimator")
        slope, beside = slopes.loc["reml"], slopes.index.intersection(BESIDE)
        flags = slope["flags"].split() if isinstance(slope["flags"], str) else []
        verdict = judge_estimand(slopes.drop(beside))
        doubts = _doubts(verdict, slope["date_verdict"], flags)
        common = slopes.loc[slopes.index.intersection(BESIDE[:1])]
        row = {"shift": slug, "source": source, "month": shift.month}
        row |= numbers["estimate"][["pre_trend", "post_trend"]].to_dict()
        row |= slope[["estimate", "low", "high", "n_before", "n_after"]].to_dict()
        row |= slope[["own_break", "mass_near", "date_verdict"]].to_dict() | _counts(shift, source)
        row["on_common_months"] = any(significant(each) for _, each in common.iterrows())
        certain = ("did", "probably", "may")[min(len(doubts), 2)]
        row["certainty"] = certain if significant(slope) else "cannot"
        row["doubts"] = " ".join(doubts)
        rows.append(row | {"flags": " ".join(flags)})
    return pd.DataFrame(rows)


def _doubts(verdict: str, date_verdict: str, flags: list[str]) -> list[str]:
    """Return the kinds of doubt; `verdict` is the estimators' on the change of trend."""
    found = {group for group, warnings in WORDS["warnings"].items() if warnings.keys() & flags}
    found |= {"estimators"} if verdict != "agree" else set()
    found |= {"date"} if date_verdict != OFFICIAL else set()
    return [group for group in WORDS["doubts"] if group in found]


def _counts(shift: PolicyShift, source: str) -> dict[str, object]:
    """Count deaths of like months: a year before, from the shift on, and at the window's end."""
    series = load_series(source, place=shift.places).loc[: shift.end]
    months = min(YEAR, len(series.loc[shift.month :]))
    first, end = shift.month, series.index[-1]
    spans = {"before": first - YEAR, "first": first, "last": end - months + 1}
    if spans["last"] < first + YEAR:
        del spans["last"]
    found: dict[str, object] = {"months": months, "end": end, "deaths_last": pd.NA}
    windows = {name: series.loc[start : start + months - 1] for name, start in spans.items()}
    found |= {f"deaths_{name}": window["deaths"].sum() for name, window in windows.items()}
    gaps = series.attrs["gaps"]
    hit = [name for name, each in windows.items() if gaps_inside(gaps, periods_of(each))]
    return found | {"holes": " ".join(hit)}


def tell_counts(card: pd.Series) -> str:
    """Return the deaths of the year before a shift, from it on, and at its window's end."""
    told = {"months": card["months"], "until": say_month(pd.Period(card["end"], "M"))}
    for name in ("before", "first", "last"):
        form = TOLD["at_least"] if name in card["holes"].split() else "{count:,.0f}"
        told[name] = form.format(count=card[f"deaths_{name}"])
    years = "year" if pd.isna(card["deaths_last"]) else "years"
    return TOLD["months" if card["months"] < YEAR else years].format(**told)


def tell_trends(card: pd.Series, sentence: str = "trends") -> str:
    """Return the yearly trend before and after a shift, with the change's interval."""
    ends = {"before": "pre_trend", "after": "post_trend", "low": "low", "high": "high"}
    told = {name: set_minus(f"{card[of]:+.0f}") for name, of in ends.items()}
    few = "_few" if card["n_after"] < YEAR else ""
    return TOLD[sentence + few].format(months=card["n_after"], **told)


def tell_turn(card: pd.Series) -> str:
    """Return what became of the rate at a shift, as surely as its card allows."""
    before, after = card["pre_trend"], card["post_trend"]
    then = TOLD["then" if card["date_verdict"] == OFFICIAL else "around"]
    if card["certainty"] == "cannot":
        return TOLD["cannot"].format(then=TOLD["then"])
    if card["estimate"] > 0:
        turn = "ease" if after <= 0 else "begin" if before <= 0 else "faster"
    else:
        turn = "slow" if after > 0 else "stop" if before > 0 else "fall"
    return WORDS["turns"][turn][card["certainty"]].format(then=then)


def tell_card(card: pd.Series) -> str:
    """Return what a card says of one source: turn, trends, counts."""
    turn, counted = tell_turn(card), WORDS["counted"][card["source"]]
    told = {"turn": turn[0].upper() + turn[1:], "trends": tell_trends(card), "counted": counted}
    return TOLD["card"].format(counts=tell_counts(card), **told)


def describe_sure(card: pd.Series) -> str:
    """Return how sure what a card says is, and why."""
    return WORDS["sure"][card["certainty"]].format(doubts=len(card["doubts"].split()))


def describe_doubts(card: pd.Series) -> list[tuple[str, list[str]]]:
    """Return each kind of doubt of a card in words, with the warnings behind it."""
    flags, found = card["flags"].split(), []
    for group in card["doubts"].split():
        words = WORDS["warnings"][group]
        told = [words[name] for name in flags if name in words]
        if group == "date" and card["date_verdict"] != OFFICIAL:
            own = say_month(pd.Period(card["own_break"], "M"))
            told.insert(0, TOLD["likeliest"].format(own_break=own, mass=card["mass_near"]))
        found.append((WORDS["doubts"][group], told))
    return found


def write_answer(cards: pd.DataFrame) -> list[str]:
    """Return the answer in plain sentences: rises, falls, what cannot be told, and of causes."""
    told = cards[cards["certainty"] != "cannot"]
    sides = (told[told["estimate"] > 0], told[told["estimate"] < 0])
    sentences = [_join([_answer(card, cards) for _, card in side.iterrows()]) for side in sides]
    rest = [slug for slug in cards["shift"].unique() if slug not in set(told["shift"])]
    untold = TOLD["none"].format(shifts=len(rest))
    if len(told):
        names = [WORDS["names"][slug] for slug in rest]
        *most, last = names or [""]
        listed = TOLD["and"].join([", ".join(most), last]) if most else last
        untold = TOLD["rest"].format(names=listed) if rest else ""
    return [*filter(None, sentences), f"{untold} {TOLD['cause']}".strip()]


def _join(parts: list[str]) -> str:
    """Return one sentence of several parts."""
    first, *others = parts or [""]
    rest = [part[0].lower() + part[1:] for part in others]
    return "; ".join([first, *rest]) + "." if parts else ""


def _answer(card: pd.Series, cards: pd.DataFrame) -> str:
    told = {"counts": tell_counts(card), "trends": tell_trends(card), "turn": tell_turn(card)}
    told |= {"counted": WORDS["counted"][card["source"]], "event": WORDS["events"][card["shift"]]}
    told["month"] = say_month(pd.Period(card["month"], "M"))
    silent = cards[(cards["shift"] == card["shift"]) & (cards["certainty"] == "cannot")]
    others = [
        TOLD["same" if other["on_common_months"] else "silent"].format(
            names=SOURCES[other["source"]].name
        )
        for _, other in silent.iterrows()
    ]
    name = SOURCES[card["source"]].name
    return TOLD["answer"].format(source=name, others="".join(others), **told)
