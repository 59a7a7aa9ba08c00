"""The front page: a card for each national shift, how sure it is, the answer, words of pictures."""

from collections.abc import Mapping

import pandas as pd

from analysis.its.comparison import judge_estimand
from analysis.its.flags import gaps_inside
from analysis.its.series import periods_of, rate_of
from analysis.its.shifts import PolicyShift
from analysis.its.words import significant
from analysis.language import Words, say_month, set_minus
from analysis.mexico.record import SOURCES
from analysis.mexico.sources import load_series

WORDS = Words("front.toml")
TOLD, DRAWN = WORDS.block("told"), WORDS.block("picture")
YEAR = 12
OFFICIAL = "the official date"
BESIDE = ("reml_common_months", "reml_all_months")  # fits to other months, no other estimators
BELIEVED = ("did", "probably")  # what was expected without such a shift is worth a line


def make_cards(estimates: pd.DataFrame, shifts: Mapping[str, PolicyShift]) -> pd.DataFrame:
    """Return a row per national shift and source: trends, counts, certainty and its doubts."""
    rows = []
    for (slug, source), part in estimates.groupby(["shift", "source"], sort=False):
        numbers, shift = part[part["estimator"] == "reml"].set_index("estimand"), shifts[slug]
        slopes = part[part["estimand"] == "slope"].set_index("estimator")
        slope, beside = slopes.loc["reml"], slopes.index.intersection(BESIDE)
        flags = slope["flags"].split() if isinstance(slope["flags"], str) else []
        verdict = judge_estimand(slopes.drop(beside))
        sound = {"estimators": verdict == "agree", "date": slope["date_verdict"] == OFFICIAL}
        warned = {group: words.keys() & flags for group, words in WORDS["warnings"].items()}
        doubts = [name for name in WORDS["doubts"] if warned[name] or not sound.get(name, True)]
        row = {"shift": slug, "source": source, "month": shift.month}
        row |= numbers["estimate"][["pre_trend", "post_trend"]].to_dict()
        row |= slope[["estimate", "low", "high", "n_before", "n_after"]].to_dict()
        row |= slope[["own_break", "mass_near", "date_verdict"]].to_dict() | _counts(shift, source)
        row["on_common_months"] = significant(slopes.reindex(BESIDE[:1]).iloc[0])
        certain = ("did", "probably", "may")[min(len(doubts), 2)]
        row["certainty"] = certain if significant(slope) else "cannot"
        rows.append(row | {"doubts": " ".join(doubts), "flags": " ".join(flags)})
    return pd.DataFrame(rows)


def _counts(shift: PolicyShift, source: str) -> dict[str, object]:
    """Count deaths of like months: a year before, from the shift on, and at the window's end."""
    series = load_series(source, place=shift.places).loc[: shift.end]
    months = min(YEAR, len(series.loc[shift.month :]))
    first, end = shift.month, series.index[-1]
    spans = {"before": first - YEAR, "first": first, "last": end - months + 1}
    if spans["last"] < first + YEAR:
        del spans["last"]
    found, hit = {"months": months, "end": end, "deaths_last": pd.NA}, []
    for name, start in spans.items():
        window = series.loc[start : start + months - 1]
        found[f"deaths_{name}"] = window["deaths"].sum()
        hit += [name] if gaps_inside(series.attrs["gaps"], periods_of(window)) else []
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


def write_answer(cards: pd.DataFrame) -> list[str]:
    """Return the answer in plain sentences: rises, falls, what cannot be told, and of causes."""
    told = cards[cards["certainty"] != "cannot"]
    sentences = []
    for side in (told[told["estimate"] > 0], told[told["estimate"] < 0]):
        parts = [_answer(card, cards) for _, card in side.iterrows()]
        parts[1:] = [part[0].lower() + part[1:] for part in parts[1:]]
        sentences += [f"{'; '.join(parts)}."] if parts else []
    rest = [slug for slug in cards["shift"].unique() if slug not in set(told["shift"])]
    names = [WORDS["names"][slug] for slug in rest]
    listed = TOLD["and"].join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    untold = TOLD["rest" if len(told) else "none"].format(names=listed, shifts=len(rest))
    return [*sentences, f"{untold if rest else ''} {TOLD['cause']}".strip()]


def _answer(card: pd.Series, cards: pd.DataFrame) -> str:
    told = {"counts": tell_counts(card), "trends": tell_trends(card), "turn": tell_turn(card)}
    told |= {"counted": WORDS["counted"][card["source"]], "event": WORDS["events"][card["shift"]]}
    told["month"] = say_month(pd.Period(card["month"], "M"))
    told |= {"source": SOURCES[card["source"]].name, "others": ""}
    silent = cards[(cards["shift"] == card["shift"]) & (cards["certainty"] == "cannot")]
    for _, other in silent.iterrows():
        said = TOLD["same" if other["on_common_months"] else "silent"]
        told["others"] += said.format(names=SOURCES[other["source"]].name)
    return TOLD["answer"].format(**told)


def yearly_rate(series: pd.DataFrame) -> pd.Series:
    """Return the rate of the twelve months around each month: six before it, five after."""
    sums = series[["deaths", "person_years"]].rolling(12).sum().shift(-5).dropna()
    return rate_of(sums["deaths"], sums["person_years"])


def tell_rate(series: Mapping[str, pd.DataFrame], shifts: int) -> str:
    """Return the picture of the rate in words, from its numbers."""
    first, second = series.values()
    main, other = yearly_rate(first), yearly_rate(second)
    low, high, end = main.idxmin(), main.idxmax(), main.index[-1]
    told = {"start": main.iloc[0], "end": main[end], "low": main[low], "high": main[high]}
    told |= {"other": other.iloc[-1], "shifts": shifts}
    months = {"first": first.index[0], "last": second.index[-1], "end_month": end}
    months |= {"low_month": low, "high_month": high, "other_month": other.index[-1]}
    return DRAWN["alt"].format(**told, **{name: say_month(at) for name, at in months.items()})


def load_window(shift: PolicyShift) -> pd.DataFrame:
    """Load a shift's window, of the last of its sources."""
    return load_series(shift.sources[-1], place=shift.places).loc[shift.start : shift.end]


def tell_small(series: pd.DataFrame, shift: PolicyShift) -> str:
    """Return a small picture in words."""
    first, last = (say_month(month) for month in series.index[[0, -1]])
    year = {"before": series.loc[: shift.month - 1].tail(12), "after": series.tail(12)}
    rates = {name: rate_of(*part[["deaths", "person_years"]].sum()) for name, part in year.items()}
    return DRAWN["small"].format(first=first, last=last, month=say_month(shift.month), **rates)
