"""The claims about counts and rates, the list of all, and how far the rules' constants may move."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.checks import check_known
from analysis.claims import rows
from analysis.claims.courses import measure_rise, measure_two_years, measure_upsurge
from analysis.claims.declared import CELL, HOMICIDE, TOLD, WITH_FEMICIDE, Claim, Declared, say
from analysis.claims.evidence import PRESS, REGISTERED, Evidence
from analysis.claims.outcome import measure_outcome
from analysis.claims.rows import RATE, Measured, conclude, list_by_count, make_row, name_cell
from analysis.language import say_month

STEPS = 16  # from a constant to the end of its range, if it is no whole number or month
NEAR = 1e-4  # how near its turn is then found, as a share of that way
NONE = "none"  # where nothing tried changes the verdict


def measure_claims(declared: Declared, evidence: Evidence) -> dict[str, Measured]:
    """Measure every claim by the function of its slug; the evidence is not changed."""
    for slug in declared.claims:
        check_known(slug, MEASURES, "claim")
    return {slug: MEASURES[slug](claim, evidence) for slug, claim in declared.claims.items()}


def measure_record(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure whether a year's count is the article's, and above that of every earlier year."""
    made, beaten, year = [], [], claim["year"]
    name = f"deaths in {year}"
    for cell, deaths in rows.by_cell(claim, evidence, "deaths", year):
        earlier = rows.earlier_years(evidence, cell, year)
        top = earlier.max()
        above = "cannot tell" if earlier.empty else deaths[year] > top
        made.append(make_row(cell, name, deaths[year], "deaths", claim["deaths"]))
        made.append(make_row(cell, "highest earlier year", top, "deaths", holds=above))
        if made[-1]["holds"] == "no":
            beaten.append(say("beaten", name=rows.short_name(cell), top=top, year=earlier.idxmax()))
    table = rows.collect(made, claim["counted"])
    if brief:
        return Measured(claim, table, name)
    record = say("no_record", counts=TOLD["and"].join(beaten)) if beaten else TOLD["record"]
    now, full = (rows.list_vintages(table, name, count)[-1] for count in (HOMICIDE, WITH_FEMICIDE))
    told = {"femicide": full - now, "record": record, "way": full - claim["deaths"], "now": now}
    return conclude(claim, table, name, counts=list_by_count(table, name, ",.0f"), **told)


def measure_decline(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure the decline from the year before, in deaths."""
    made, year = [], claim["year"]
    total = f"deaths in {year}"
    for cell, deaths in rows.by_cell(claim, evidence, "deaths", year - 1, year):
        fall = deaths[year - 1] - deaths[year]
        made.append(make_row(cell, total, deaths[year], "deaths", claim["deaths"]))
        made.append(make_row(cell, "decline", fall, "deaths", claim["decline"]))
    table = rows.collect(made, claim["counted"])
    if brief:
        return Measured(claim, table, "decline")
    falls, totals = (list_by_count(table, name, ",.0f") for name in ("decline", total))
    fall, now = (rows.list_vintages(table, name, HOMICIDE)[-1] for name in ("decline", total))
    told = {"falls": falls, "totals": totals, "now": now, "before": now + fall}
    told["rise"] = -rows.list_vintages(table, "decline", REGISTERED)[-1]
    return conclude(claim, table, "decline", **told)


def measure_typical_day(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure the decline from the year before in typical days of the year."""
    made, year, name = [], claim["year"], "decline in days"
    days = 365 + pd.Period(f"{year}", "Y").is_leap_year
    low, high = claim["days"], claim["limit"]
    for cell, deaths in rows.by_cell(claim, evidence, "deaths", year - 1, year):
        day = deaths[year] / days
        ratio = (deaths[year - 1] - deaths[year]) / day
        made.append(make_row(cell, "deaths per day", day, "deaths"))
        made.append(make_row(cell, name, ratio, "typical days", low, bounds=(low, high)))
    table = rows.collect(made, claim["counted"])
    if brief:
        return Measured(claim, table, name)
    ratios, daily = list_by_count(table, name, ".2f"), list_by_count(table, "deaths per day", ".1f")
    then, *_, now = rows.list_vintages(table, name, HOMICIDE)
    told = {"then": then, "now": now, "rise": -rows.list_vintages(table, name, REGISTERED)[-1]}
    return conclude(claim, table, name, ratios=ratios, daily=daily, **told)


def measure_rates(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure the rates of two years, rounded, and whether the later was unprecedented."""
    made, said, year, base = [], [], claim["year"], claim["year_before"]
    name = f"rate of {year}"
    for cell, rates in rows.by_cell(claim, evidence, "rate", year):
        if base not in rates:  # what INEGI gave then
            made.append(make_row(cell, name, rates[year], RATE, claim["rate"]))
            continue
        for when, figure in ((base, claim["before"]), (year, claim["rate"])):
            bounds = figure - claim["rounding"], figure + claim["rounding"]
            made.append(make_row(cell, f"rate of {when}", rates[when], RATE, figure, bounds=bounds))
        before, rate = (rows.tell_near(row["value"], row["bound"]) for row in made[-2:])
        top, highest = rates[rates.index < year].max(), "highest rate of an earlier year"
        made.append(make_row(cell, highest, top, RATE, holds=rates[year] > top))
        said.append(say("rates", cell=name_cell(cell), rate=rate, before=before))
    table, least = rows.collect(made), claim["rate"] - claim["rounding"]
    if brief:
        return Measured(claim, table, name)
    told = _tell_rates(table, name, [year])
    return conclude(claim, table, name, rates="; ".join(said), least=least, **told)


def _tell_rates(table: pd.DataFrame, name: str, years: list[int]) -> dict[str, str]:
    """Return the lowest, nearest and highest that judge, and what INEGI itself gave then."""
    judged = table[table["measure"].eq(name) & table["judges"]].sort_values("value")
    gaps, values = (judged["value"] - judged["bound"]).abs(), judged["value"]
    shown = judged[(gaps == gaps.min()) | values.isin([values.min(), values.max()])]
    cells = zip(shown["value"], shown["bound"], shown[CELL].to_numpy(), strict=True)
    ends = [f"{rows.tell_near(*told)} ({rows.short_name(cell)})" for *told, cell in cells]
    rates = table[table["measure"].isin([f"rate of {year}" for year in years])]
    then = rates[rates["population"] == PRESS].set_index("measure")["value"]
    today = rates[rates["counted"] == REGISTERED].set_index("measure")["value"]
    told = []
    for measure, given in then.items():
        now, year = today[measure], str(measure).removeprefix("rate of ")
        revised = "" if round(now) == given else TOLD["revised"]
        told.append(say("printed", given=given, year=year, today=now, revised=revised))
    said = {"given": ", ".join(f"{given:.0f}" for given in then.unique())}
    return said | {"ends": ", ".join(ends), "press": say("press", given="; ".join(told))}


def measure_recent_rate(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Measure whether every one of the last years had a rate above the article's."""
    made, said, years, least = [], [], claim.years, claim["rate"]
    name = f"lowest rate of {years[0]} to {years[-1]}"
    for cell, rates in rows.by_cell(claim, evidence, "rate", *years):
        recent = rates[years]
        made += [make_row(cell, f"rate of {year}", rate, RATE) for year, rate in recent.items()]
        press = cell[-1] == PRESS
        # a whole number may stand for more or for less
        above = "cannot tell" if press and recent.min() == least else recent.min() > least
        made.append(make_row(cell, name, recent.min(), RATE, least, above, bounds=(least,)))
        if not press:
            told = ", ".join(rows.tell_near(rate, least) for rate in recent)
            said.append(f"{name_cell(cell)} {told}")
    table = rows.collect(made)
    if brief:
        return Measured(claim, table, name)
    return conclude(claim, table, name, rates="; ".join(said), **_tell_rates(table, name, years))


def measure_ranking(claim: Claim, evidence: Evidence, *, brief: bool = False) -> Measured:
    """Count a country's cities in the ranking, and find the places of two of them."""
    ranking, country = evidence.ranking, claim["country"]
    if ranking["rank"].duplicated().any() or ranking["city"].duplicated().any():
        raise ValueError("the city ranking must give each place and each city once")
    cell = ("Consejo Ciudadano", "places in the ranking", "2021-04", "as published")
    own = ranking.loc[ranking["country"] == country, "rank"]
    place = ranking.set_index("city")["rank"]
    made = []
    for most, figure in ((10, claim["top_ten"]), (50, claim["top_fifty"])):
        name = f"cities of {country} among the first {most}"
        made.append(make_row(cell, name, (own <= most).sum(), "cities", figure))
    for wanted, city in ((2, claim["second"]), (3, claim["third"])):
        made.append(make_row(cell, f"place of {city}", place.get(city, np.nan), "place", wanted))
    table = rows.collect(made)
    if brief:
        return Measured(claim, table, name)
    return conclude(claim, table, name, cell=name_cell(cell), found=table["value"])


MEASURES: dict[str, Callable[..., Measured]] = {
    "record-2019": measure_record,
    "decline-2020": measure_decline,
    "one-typical-day": measure_typical_day,
    "rising-since-2016": measure_rise,
    "rate-2011": measure_rates,
    "recent-rate": measure_recent_rate,
    "city-ranking-2020": measure_ranking,
    "calderon-upsurge": measure_upsurge,
    "lopez-obrador-two-years": measure_two_years,
    "almost-certain-worse": measure_outcome,
}


def vary_constants(declared: Declared, evidence: Evidence) -> pd.DataFrame:
    """Return by constant the nearest values that change the verdict, or a part's (`part_*`)."""
    found = []
    for claim in declared.claims.values():
        for name, (least, most) in claim.vary.items():
            row = {"number": claim.number, "slug": claim.slug, "constant": name}
            row |= {"value": claim[name], "least": least, "most": most}
            measure = cache(partial(measure_with, claim, evidence, name))
            for mark in ("", "part_")[: 1 + bool(claim.parts)]:
                judge = partial(_judge, measure, full=bool(mark))
                row[f"{mark}verdict"] = judge(claim[name])
                for side, end in (("below", least), ("above", most)):
                    turn, verdict = find_turn(judge, claim[name], end)
                    row |= {f"{mark}{side}": turn, f"{mark}verdict_{side}": verdict}
            found.append(row)
    return pd.DataFrame(found)


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


def measure_with(claim: Claim, evidence: Evidence, name: str, value: Any) -> Measured:
    """Measure a claim where one of its constants has another value, without the words."""
    kind = "figures" if name in claim.figures else "parameters"
    other = replace(claim, **{kind: getattr(claim, kind) | {name: value}})
    return MEASURES[claim.slug](other, evidence, brief=True)


def _judge(measure: Callable[[Any], Measured], value: Any, *, full: bool) -> str:
    """Return the verdict, with those of the parts if in `full`, where a constant has a value."""
    found = measure(value)
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
