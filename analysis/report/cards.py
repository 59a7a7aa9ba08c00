"""A card for each national shift, the three sentences of the answer, and how sure they are."""

from collections.abc import Mapping

import pandas as pd

from analysis.its.shifts import PolicyShift
from analysis.its.words import significant
from analysis.language import Words, say_month
from analysis.mexico.record import SOURCES
from analysis.mexico.sources import load_series

WORDS = Words("front.toml")
TOLD = WORDS.block("told")
YEAR = 12
BELIEVED = ("did", "probably")  # what was expected without such a shift is worth a line
TELLERS = ("tell_counts", "tell_trends", "tell_turn", "describe_sure", "describe_doubts")


def make_cards(estimates: pd.DataFrame, shifts: Mapping[str, PolicyShift]) -> pd.DataFrame:
    """Return a row per national shift and source: trends, counts, certainty and its doubts."""
    rows = []
    headline = estimates[estimates["estimator"] == "reml"]
    for (slug, source), part in headline.groupby(["shift", "source"], sort=False):
        numbers, shift = part.set_index("estimand"), shifts[slug]
        slope = numbers.loc["slope"]
        flags = slope["flags"].split() if isinstance(slope["flags"], str) else []
        doubts = _doubts(slope, flags)
        row = {"shift": slug, "source": source, "month": shift.month}
        row |= numbers["estimate"][["pre_trend", "post_trend"]].to_dict()
        row |= slope[["estimate", "low", "high", "n_before", "n_after"]].to_dict()
        row |= _counts(shift, source)
        row |= {"certainty": _certainty(slope, doubts), "doubts": " ".join(doubts)}
        rows.append(row | {"flags": " ".join(flags)})
    return pd.DataFrame(rows)


def _doubts(row: pd.Series, flags: list[str]) -> list[str]:
    found = {group for group, warnings in WORDS["warnings"].items() if warnings.keys() & flags}
    if row["comparison_verdict"] != "agree":
        found.add("estimators")
    if row["date_verdict"] != "the official date":
        found.add("date")
    return [group for group in WORDS["doubts"] if group in found]


def _certainty(slope: pd.Series, doubts: list[str]) -> str:
    if not significant(slope):
        return "cannot"
    return ("did", "probably", "may")[min(len(doubts), 2)]


def _counts(shift: PolicyShift, source: str) -> dict[str, object]:
    """Count deaths of like months: a year before, from the shift on, and at the window's end."""
    deaths = load_series(source, place=shift.places)["deaths"].loc[: shift.end]
    months = min(YEAR, len(deaths.loc[shift.month :]))
    first, end = shift.month, deaths.index[-1]
    spans = {"before": first - YEAR, "first": first, "last": end - months + 1}
    found: dict[str, object] = {"months": months, "end": end}
    for name, start in spans.items():
        found[f"deaths_{name}"] = deaths.loc[start : start + months - 1].sum()
    if spans["last"] < first + YEAR:
        found["deaths_last"] = pd.NA
    return found


def tell_counts(card: pd.Series) -> str:
    """Return the deaths of the year before a shift, from it on, and at its window's end."""
    told = {name: card[f"deaths_{name}"] for name in ("before", "first", "last")}
    told |= {"months": card["months"], "until": say_month(pd.Period(card["end"], "M"))}
    years = "year" if pd.isna(told["last"]) else "years"
    return TOLD["months" if card["months"] < YEAR else years].format(**told)


def tell_trends(card: pd.Series, sentence: str = "trends") -> str:
    """Return the yearly trend before and after a shift."""
    ends = [f"{card[name]:+.0f}".replace("-", "−") for name in ("pre_trend", "post_trend")]
    return TOLD[sentence].format(before=ends[0], after=ends[1])


def tell_turn(card: pd.Series) -> str:
    """Return what became of the rate at a shift, as surely as its card allows."""
    before, after = card["pre_trend"], card["post_trend"]
    if card["certainty"] == "cannot":
        return TOLD["cannot"]
    if card["estimate"] > 0:
        turn = "ease" if after <= 0 else "begin" if before <= 0 else "faster"
    else:
        turn = "slow" if after > 0 else "stop" if before > 0 else "fall"
    return WORDS["turns"][turn][card["certainty"]]


def describe_sure(card: pd.Series) -> str:
    """Return how sure what a card says is, and why."""
    return WORDS["sure"][card["certainty"]].format(doubts=len(card["doubts"].split()))


def describe_doubts(card: pd.Series) -> list[tuple[str, list[str]]]:
    """Return each kind of doubt of a card in words, with the warnings behind it."""
    flags, words = card["flags"].split(), WORDS["warnings"]
    return [
        (WORDS["doubts"][group], [words[group][f] for f in flags if f in words[group]])
        for group in card["doubts"].split()
    ]


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
    told = {"counts": tell_counts(card), "trends": tell_trends(card)}
    told |= {"turn": tell_turn(card), "event": WORDS["events"][card["shift"]]}
    told["month"] = say_month(pd.Period(card["month"], "M"))
    silent = cards[(cards["shift"] == card["shift"]) & (cards["certainty"] == "cannot")]
    names = ", ".join(SOURCES[source].name for source in silent["source"])
    told["others"] = TOLD["others"].format(names=names) if names else ""
    return TOLD["answer"].format(source=SOURCES[card["source"]].name, **told)
