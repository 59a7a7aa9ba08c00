"""What is found of a claim: rows, the deciding one, the verdict and the figures in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from analysis.claims import declared
from analysis.claims.declared import CELL, COUNT, TOLD, Answer, Claim, judge_claim, say, say_parts
from analysis.claims.evidence import PRESS, Cell, Evidence
from analysis.language import literal, say_month, set_minus, spoken

ROW_COLUMNS = [*CELL, "measure", "value", "low", "high", "unit", "article", "bound", "holds"]
ROW_COLUMNS += ["judges"]
RATE, PERCENT_A_YEAR = "deaths per 100,000 person-years", "percent per year"
CLOSE = 0.05  # a figure as near to its bound is the same when both are told to one decimal

Row = dict[str, object]  # values of ROW_COLUMNS


@dataclass(frozen=True)
class Measured:
    """What the data say of one claim."""

    claim: Claim
    rows: pd.DataFrame  # columns ROW_COLUMNS
    decides: str  # the measure of the deciding figure
    finding: str = ""  # the figures in words, unless it was measured in brief
    line: str = ""  # the deciding ones in a few words, without the verdict but of parts

    @cached_property
    def claim_verdict(self) -> str:
        """One of the verdicts of ``claims-words.toml``, by the rule declared."""
        return judge_claim(self.rows, self.claim.parts)

    @cached_property
    def verdict_in_full(self) -> str:
        """The verdict, and those of its parts in brackets."""
        parts = "; ".join(say_parts(self.rows, self.claim.parts))
        return f"{self.claim_verdict} ({parts})" if parts else self.claim_verdict

    @property
    def close_calls(self) -> list[str]:
        """The figures that judge within rounding of their bound, in words."""
        rows = self.rows[self.rows["judges"]]
        rows = rows[(rows["value"] - rows["bound"]).abs() < CLOSE]
        return [say("close_call", cell=name_cell(row[CELL]), **row) for _, row in rows.iterrows()]

    @property
    def deciding(self) -> pd.Series:
        """The deciding row: newest first, then the article's own count, then what says so."""
        rows = self.rows[(self.rows["measure"] == self.decides) & self.rows["judges"]]
        if rows.empty:
            return pd.Series(dict.fromkeys(ROW_COLUMNS, np.nan), dtype=object)
        holds = self.claim_verdict.startswith("holds") and self.claim_verdict != "holds in part"
        wanted = "yes" if holds else "no"
        newest = rows["vintage"] == rows.groupby(COUNT)["vintage"].transform("max")
        own = rows["counted"] == self.claim.parameters.get("counted")
        return rows.iloc[np.lexsort((rows["holds"] != wanted, ~own, ~newest))[0]]

    @property
    def sentence(self) -> str:
        """The verdict with its figures, as Markdown."""
        judged = self.rows["judges"].any()
        told, calls = (literal(text) for text in (self.finding, "; ".join(self.close_calls)))
        said = f"{literal(self.line)}\n\n*Every figure:* {told}" if judged else TOLD["no_figure"]
        close = f"\n\n*Close calls:* {calls}." if calls else ""
        return f"**Claim {self.claim.number}, *{self.claim_verdict}*:** {said}{close}"


def conclude(claim: Claim, table: pd.DataFrame, decides: str, **told: Any) -> Measured:
    """Return what was found of a claim, its finding and its line filled in with what is told."""
    told |= {"parts": say_parts(table, claim.parts), "only": ""}
    if judge_claim(table, claim.parts) == "holds under one population":
        alone = declared.answer_cells(table).query("holds == 'yes'")["population"].iloc[0]
        told["only"] = TOLD["only_with"][alone]
    said = (set_minus(claim.say(form, **told)) for form in ("finding", "line"))
    return Measured(claim, table, decides, *(text[0].upper() + text[1:] for text in said))


def tabulate_claims(found: dict[str, Measured]) -> pd.DataFrame:
    """Return one row per claim: its words, the verdict, and the figure that decides it."""
    columns = ["measure", "value", "low", "high", "unit", "article", *CELL]
    rows = []
    for slug, each in found.items():
        row = {"number": each.claim.number, "slug": slug, "words": each.claim.say("words")}
        row |= {"claim_verdict": each.claim_verdict, "in_full": each.verdict_in_full}
        row |= {"close_calls": "; ".join(each.close_calls), "finding": each.finding}
        rows.append(row | {**each.deciding[columns]})
    return pd.DataFrame(rows)


def tabulate_told(found: dict[str, Measured]) -> pd.DataFrame:
    """Return one row per claim for readers, in the language in use: what it says and comes to."""
    rows = []
    for slug, each in found.items():
        row = {"language": spoken(), "number": each.claim.number, "slug": slug}
        row |= {"claim": each.claim.say("claim"), "verdict": TOLD["verdicts"][each.claim_verdict]}
        row |= {"close_call": TOLD["close"] if each.close_calls else "", "line": each.line}
        row |= {"finding": each.finding, "quoted": say("quoted", words=each.claim.say("words"))}
        change = each.claim.say("changed")
        rows.append(row | {"changed": "yes" if change else "", "change": change})
    return pd.DataFrame(rows)


def tell_verdicts(found: dict[str, Measured]) -> str:
    """Return the numbers of the claims under each verdict, in words."""
    table = pd.Series({str(each.claim.number): each.claim_verdict for each in found.values()})
    said = [f"{TOLD['verdicts'][k]}: {', '.join(part.index)}" for k, part in table.groupby(table)]
    return TOLD["drawn"]["alt"].format(said="; ".join(said))


def lay_out_years(yearly: pd.DataFrame, column: str, years: list[int]) -> pd.DataFrame:
    """Return deaths or rates for readers: a row each way of counting, a column each year."""
    table = yearly[yearly["year"].isin(years)].dropna(subset=[column])
    wide = table.pivot(index=CELL, columns="year", values=column)
    wide.insert(0, "Count", [short_name(cell) for cell in wide.index])
    return wide.rename_axis(columns=None).reset_index(drop=True)


def tabulate_measures(found: dict[str, Measured]) -> pd.DataFrame:
    """Return every row of every claim, with the claim's number and slug in front."""
    parts = [each.rows.assign(number=each.claim.number, slug=slug) for slug, each in found.items()]
    return pd.concat(parts, ignore_index=True)[["number", "slug", *ROW_COLUMNS]]


def by_cell(claim: Claim, evidence: Evidence, column: str, *years: int) -> Iterator[tuple]:
    """Yield the deaths or rates by year of each way of counting that has these years."""
    # The claim's sources come in their order, and the count of its figures first.
    found = _by_cell(evidence, column)
    for source in claim.sources:
        for cell in sorted(found, key=lambda cell: cell[1] != claim.parameters.get("counted")):
            if cell[0] == source and set(years) <= set(found[cell].index):
                yield cell, found[cell]


@lru_cache(maxsize=8)
def _by_cell(evidence: Evidence, column: str) -> dict[Cell, pd.Series]:
    grouped = evidence.yearly.dropna(subset=[column]).groupby(CELL, sort=False)
    return {cell: part.set_index("year")[column].sort_index() for cell, part in grouped}


def earlier_years(evidence: Evidence, cell: Cell, year: int) -> pd.Series:
    """Return the deaths of the years before, by the cell's vintage or, without any, the newest."""
    own, vintage = pd.Series(cell, CELL).drop("vintage"), cell[2]
    table = evidence.yearly[evidence.yearly["year"] < year].set_index("year")
    table = table[(table[own.index] == own).all(axis=1)]
    chosen = vintage if vintage in set(table["vintage"]) else table["vintage"].max()
    return table.loc[table["vintage"] == chosen, "deaths"]


def direction(trend: pd.Series, notable: float = 0.0) -> Answer:
    """Answer whether a trend is upward; no only if its interval leaves out what is notable."""
    if trend["low"] > 0:
        return "yes"
    return "no" if trend["high"] < notable else "cannot tell"


def make_row(
    cell: Cell,
    measure: str,
    value: float | pd.Series,
    unit: str,
    article: float = np.nan,
    holds: bool | str | None = None,
    *,
    bounds: Sequence[float] = (),
    part: bool = False,
) -> Row:
    """Return a number, or an estimate with its 95% interval, as a row that may answer the claim."""
    # The article's number without an answer of `holds` is borne out within the `bounds`, or if it
    # is the same to the unit; the nearest bound is told. A row judges if it answers and its
    # population is in use; what can answer only a `part` of the claim can refute it, no more.
    if holds is None and bounds:
        holds = bounds[0] <= value < bounds[1]
    elif holds is None:
        holds = "" if np.isnan(article) else value == article
    said = value if isinstance(value, pd.Series) else {"estimate": value}
    numbers = [float(said["estimate"]), said.get("low", np.nan), said.get("high", np.nan)]
    bound = min(bounds, key=lambda end: abs(end - numbers[0]), default=np.nan)
    answer = {True: "yes", False: "no"}.get(holds, holds)
    judges = cell[-1] != PRESS and (answer == "no" if part else answer != "")
    values = [*cell, measure, *numbers, unit, float(article), float(bound), answer, judges]
    return dict(zip(ROW_COLUMNS, values, strict=True))


def collect(rows: list[Row], *counted: str) -> pd.DataFrame:
    """Return rows as a table, also of none; if given, only what is `counted` judges."""
    columns = {name: [row[name] for row in rows] for name in ROW_COLUMNS}
    used = [row["judges"] and (not counted or row["counted"] in counted) for row in rows]
    return pd.DataFrame(columns | {"judges": np.array(used, dtype=bool)})


def name_cell(cell: Cell) -> str:
    """Return a way of counting in words, its vintage in brackets."""
    source, counted, vintage, population = cell
    name = f"{source}, {TOLD['counted'][counted]}{TOLD['populations'][population]}"
    return f"{name} ({say_month(pd.Period(vintage))})"


def tell_near(value: float, bound: float) -> str:
    """Return a number to the fewest decimals, of one to three, that tell it from its bound."""
    told = [f"{value:.{decimals}f}" for decimals in (1, 2, 3)]
    return next((text for text in told if float(text) != bound), told[-1])


def short_name(cell: Sequence[str]) -> str:
    """Return a way of counting in few words, with the month of what SESNSP once published."""
    name = TOLD["short"][cell[1]]
    return f"{name}, {say_month(pd.Period(cell[2]), 'yMMM')}" if is_earlier(cell) else name


def is_earlier(cell: Sequence[str]) -> bool:
    """Tell whether a way of counting is what SESNSP once published, and later revised."""
    return cell[0] == "SESNSP" and cell[2] < "2025"


def list_vintages(table: pd.DataFrame, measure: str, counted: str) -> list[float]:
    """Return a measure of one count by vintage, the newest last."""
    own = table[(table["measure"] == measure) & (table["counted"] == counted)]
    return own.sort_values("vintage")["value"].tolist()


def list_by_count(table: pd.DataFrame, measure: str, pattern: str) -> str:
    """List a measure by what is counted, with its vintages in order."""
    listed = []
    for count, part in table[table["measure"] == measure].groupby(COUNT, sort=False):
        pairs = part.sort_values("vintage", kind="stable")[["value", "vintage"]].to_numpy()
        values = [f"{value:{pattern}} ({say_month(pd.Period(when))})" for value, when in pairs]
        listed.append(f"{count[0]}, {TOLD['counted'][count[1]]}: {', '.join(values)}")
    return "; ".join(listed)
