"""What the site's templates ask of a card: its sentence, how sure it is, and its doubts."""

import pandas as pd

from analysis.language import say_month
from mexico_report.cards import OFFICIAL, TOLD, WORDS, tell_counts, tell_trends, tell_turn

TELLERS = ("tell_card", "describe_sure", "describe_doubts")


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
