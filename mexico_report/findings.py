"""The answer: ten sentences by rule with the rows they rest on, and the front page's table."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from analysis.checks import require
from analysis.claims.declared import TOLD
from analysis.files import DATA_FOLDER, read_toml, write_atomically, write_table
from analysis.its.counterfactual import Kind
from analysis.its.series import as_percent
from analysis.its.words import WORDS as FIT_WORDS
from analysis.its.words import format_effect, name_trends, significant
from analysis.language import Words, literal
from analysis.mexico.record import SOURCES
from analysis.synthetic.study import NO_NUMBER, UNIT, say_change, say_range

WORDS = Words("answer.toml")
SUMMARY = read_toml(DATA_FOLDER / "summary.toml")[1]  # the columns of the table of shifts
HEADLINES = {"reml": "", "reml_common_months": ", months that both sources have"}
Told = tuple[dict[str, Any], pd.DataFrame]  # what a text of ``answer.toml`` asks for; its rows


@dataclass(frozen=True)
class Findings:
    """The tables of a run that the answer is written from."""

    titles: dict[str, str]  # slug of a shift to its title
    estimates: pd.DataFrame  # rows of estimates.csv, national shifts
    states: pd.DataFrame  # of states/*--pooled.csv
    operations: pd.DataFrame  # of tables/operations-event-study.csv
    countries: pd.DataFrame  # of countries/*.csv
    claims: pd.DataFrame  # of claims.csv
    forecasts: pd.DataFrame  # of forecasts/*--claim-10.csv

    def headline(self, estimand: str, estimator: str = "reml") -> pd.DataFrame:
        """Return the headline model's rows of one estimand, where it was estimated."""
        rows = self.estimates.query("estimator == @estimator and estimand == @estimand")
        return rows.dropna(subset=["estimate", "low", "high"])

    def name(self, row: pd.Series, said: str = "") -> str:
        """Return a shift by its title, with its source and what is said of it."""
        source = SOURCES[row["source"]].name
        return f"{self.titles[row['shift']]} ({source}{', ' + said if said else ''})"

    def apart(self, table: pd.DataFrame, say: Callable[[pd.Series], str]) -> list[str]:
        """Name the rows whose interval leaves zero out, with what is to `say` of them."""
        return [self.name(row, say(row)) for _, row in table.iterrows() if significant(row)]


def list_names(names: list[str]) -> str:
    """Return the end of a sentence that lists names, if there are any."""
    return f": {'; '.join(names)}" if names else ""


def _trends(found: Findings) -> Told:
    slopes, *trends = map(found.headline, ("slope", "pre_trend", "post_trend"))
    keys = ["shift", "source"]
    before, after = (each.set_index(keys)["estimate"] for each in trends)
    names = found.apart(slopes, lambda row: name_trends(before[*row[keys]], after[*row[keys]]))
    bent = f"{len(names)} {'shows' if len(names) == 1 else 'show'}"
    told = {"estimates": len(slopes), "bent": bent, "names": list_names(names)}
    return told, pd.concat([slopes, *trends])


def _steps(found: Findings) -> Told:
    levels = found.headline("level")
    stepped = found.apart(levels, lambda row: f"{row['estimate']:+.0f}%")
    where = f"in {len(stepped)} of {len(levels)}{list_names(stepped)}"
    return {"where": where if stepped else "at none of them"}, levels


def _trust(found: Findings) -> Told:
    slopes, common = (found.headline("slope", x) for x in ("reml", "reml_common_months"))
    flags = slopes["flags"].fillna("")
    signs = np.sign(common["estimate"]).where(common["low"] * common["high"] > 0, 0)
    both = signs.groupby(common["shift"], sort=False).agg(["size", "nunique"]).query("size > 1")
    split = [found.titles[slug] for slug in both.index[both["nunique"] > 1]]
    agreement = WORDS["trust"]["divided" if split else "one" if len(both) else "alone"]
    told = {"estimates": len(slopes), "flagged": (flags != "").sum()}
    told |= {"wandering": flags.str.contains("wandering").sum()}
    told |= {"verdicts": Counter(slopes["comparison_verdict"])}
    told |= {"agreement": agreement.format(shifts="; ".join(split))}
    return told, pd.concat([slopes, common])


def _own_breaks(found: Findings) -> Told:
    slopes = found.headline("slope")
    names = {"the official date": [], "another date": [], "no date": []}
    for _, row in slopes.iterrows():
        side, verdict = "before" if row["months_off"] < 0 else "after", row["date_verdict"]
        off = f"{row['own_break']}, {abs(row['months_off']):.0f} months {side}"
        names[verdict].append(found.name(row, off if verdict == "another date" else ""))
    told = {"estimates": len(slopes), "counts": Counter(slopes["date_verdict"])}
    return told | {"names": {verdict: list_names(each) for verdict, each in names.items()}}, slopes


def _deaths(found: Findings) -> Told:
    excess, other = (found.headline(f"excess_deaths_{kind}") for kind in get_args(Kind))
    number = partial(format_effect, unit="deaths", named=False)

    def both(row: pd.Series) -> str:
        same = other[(other[["shift", "source"]] == row[["shift", "source"]]).all(axis=1)]
        beside = "; ".join(number(each) for _, each in same.iterrows()) or "no number"
        return f"{number(row)}; less the fitted effect {beside}"

    apart = found.apart(excess, both)
    told = {"apart": len(apart), "estimates": len(excess), "names": list_names(apart)}
    return told, pd.concat([excess, other])


def _states(found: Findings) -> Told:
    slopes = found.states[found.states["estimand"] == "slope"]
    methods = ("average", "random_effects_shared", "weighted_average")
    average, spread, weighted = (slopes[slopes["method"] == method] for method in methods)
    apart = found.apart(average, lambda row: name_trends(row["trend_before"], row["trend_after"]))
    furthest = weighted.loc[weighted["minus_national"].abs().idxmax()]
    differ, off = as_percent(spread["tau"]), furthest["minus_national"]
    told = {"apart": len(apart), "averages": len(average), "names": list_names(apart)}
    told |= {"least": differ.min(), "most": differ.max(), "alike": (differ == 0).sum()}
    told |= {"spreads": len(spread), "furthest": found.name(furthest)}
    told |= {"off": abs(off), "side": "above" if off > 0 else "below"}
    return told, pd.concat([average, spread, weighted])


def _operations(found: Findings) -> Told:
    verdict = found.operations.query("block == 'verdict'").iloc[-1]  # of the longest horizon
    same = found.operations[found.operations["months"] == verdict["months"]]
    booted = same[same["method"] == "score bootstrap"]
    first = booted.query("label == 'headline' and unit == 'percent'").iloc[0]
    net = same.query("label == 'net of the rise before' and method == 'randomisation'").iloc[0]
    wrong = booted[booted["block"] == "truth rejected"]
    told = {"first": format_effect(first, "percent"), "net": format_effect(net, "percent")}
    told |= {"least": wrong["estimate"].min(), "most": wrong["estimate"].max()}
    rows = pd.concat([pd.DataFrame([verdict, first, net]), wrong])
    return told | verdict[["label", "months", "low", "high"]].to_dict(), rows


def _countries(found: Findings) -> Told:
    estimands = ["change", "change_every_choice", "explained"]
    rows = found.countries[found.countries["estimand"].isin(estimands)]
    said = []
    for slug, table in rows.groupby("shift", sort=False):
        change, every, share = (table.set_index("estimand").loc[name] for name in estimands)
        number = f"{say_change(change)}, with other choices {say_range(every)}"
        if not change["fits"]:
            number = f"{NO_NUMBER} ({say_range(share, '.0%')})"
        said.append(f"{found.titles[slug]}: {number}")
    return {"unit": UNIT, "changes": "; ".join(said)}, rows


def _claims(found: Findings) -> Told:
    claims, verdicts = found.claims, TOLD["verdicts"]
    stray = sorted(set(claims["claim_verdict"]) - set(verdicts))
    require(not stray, f"claims.csv has verdicts that are none: {stray}; run `pytask`")
    numbers = claims["number"].astype(str).groupby(claims["claim_verdict"]).agg(", ".join)
    said = "; ".join(f"{name}: {numbers[name]}" for name in verdicts if name in numbers)
    return {"claims": len(claims), "verdicts": said}, claims


def _forecast(found: Findings) -> Told:
    table, each = found.forecasts, WORDS["forecast"]["each"]
    said = [each.format(name=SOURCES[row["source"]].name, **row) for _, row in table.iterrows()]
    return {**table.iloc[0][["than", "base_rate"]], "sources": "; ".join(said)}, table


TELLERS = (_trends, _steps, _trust, _own_breaks, _deaths, _states)  # as in ``answer.toml``
TELLERS += (_operations, _countries, _claims, _forecast)


class Sentence(NamedTuple):
    """A sentence and the rows whose numbers it tells."""

    text: str
    page: str
    file: str
    rows: pd.DataFrame  # of the file: the columns that name a row


def write_sentences(found: Findings) -> list[Sentence]:
    """Return the sentences of ``answer.toml``, in their order, filled in from a run."""
    sentences = []
    for block, tell in zip(WORDS.values(), TELLERS, strict=True):
        told, rows = tell(found)
        text, rested = block["text"].format(**told), rows[block["keys"]]
        sentences.append(Sentence(text, block["page"], block["file"], rested))
    return sentences


def trace_table(sentences: list[Sentence]) -> pd.DataFrame:
    """Return the rows that each sentence rests on: its number, a file, and what names the row."""
    lines = [
        (number, said.file.format(**key), ", ".join(f"{name}={key[name]}" for name in key))
        for number, said in enumerate(sentences, start=1)
        for key in said.rows.drop_duplicates().to_dict("records")
    ]
    return pd.DataFrame(lines, columns=["sentence", "file", "row"])


def summary_table(estimates: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """Return rows of ``estimates.csv`` as words, a row or two per shift (by title) and source."""
    rows, keys = [], ["shift", "source", "estimator"]
    headline = estimates[estimates["estimator"].isin(HEADLINES)].fillna({"flags": ""})
    for (slug, source, estimator), part in headline.groupby(keys, sort=False):
        first, numbers = part.iloc[0], part.set_index("estimand")["estimate"]
        told = defaultdict(lambda: "not estimated", first)
        for _, row in part.iterrows():
            told[row["estimand"]] = format_effect(row, row["unit"], named=row["unit"] != "deaths")
        told |= {"title": titles[slug] + HEADLINES[estimator], "name": SOURCES[source].name}
        told |= {"trend": name_trends(numbers["pre_trend"], numbers["post_trend"])}
        warned = ", ".join(FIT_WORDS["flags"][name]["title"] for name in first["flags"].split())
        told["warnings"] = warned.lower() or "none"
        row = {column: form.format_map(told) for column, form in SUMMARY.items()}
        if HEADLINES[estimator]:  # these are said of all months
            row |= dict.fromkeys(list(row)[-3:], "as above")
        rows.append(row)
    return pd.DataFrame(rows)


def write_front_page(sentences: list[Sentence], summary: pd.DataFrame, results: Path) -> None:
    """Write the front page's words and the summary table as CSV and HTML."""
    words = (f"{number}. {literal(each.text)}\n" for number, each in enumerate(sentences, start=1))
    write_atomically(results / "answer.md", "".join(words).encode())
    write_table(summary, results / "tables/summary.csv")
    write_atomically(results / "tables/summary.html", summary.to_html(index=False).encode())
