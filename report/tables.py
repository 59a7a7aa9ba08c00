"""Tables in words: those of the front page, and any as LaTeX (booktabs) and as Markdown."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from analysis.checks import require
from analysis.files import read_toml
from analysis.its.shifts import PolicyShift
from analysis.language import literal, say_month, speaking, spoken
from analysis.mexico.record import SOURCES
from mexico_report.cards import WORDS, tell_counts, tell_trends, tell_turn

FRONT = ("tables/cards.csv", "tables/claims-told.csv")  # the tables that the pages rest on
WHERE = "report/exports.toml"
DECLARED = read_toml(Path(__file__).parent / "exports.toml")[1]
LETTERS = DECLARED["latex"]
ESCAPES = str.maketrans(LETTERS)
NEEDS = r"""% \usepackage[T1]{fontenc}, \usepackage{array,booktabs,longtable}; UTF-8
% in \footnotesize as wide as A4 with margins of 25 mm
"""
COLUMN = r">{{\raggedright\arraybackslash}}p{{\dimexpr {:.3f}\linewidth-2\tabcolsep}}"
LIGATURES = re.compile(r"([-',])(?=\1)")  # what two of them would become one sign
LATIN = {chr(code) for code in range(0xA1, 0x180)} - set("ĦħĸĿŀŉŦŧſ")  # but what T1 has not


def read_front(results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cards and the claims, as the front page tells them."""
    cards, claims = (pd.read_csv(results / path, keep_default_na=False) for path in FRONT)
    return cards.assign(deaths_last=pd.to_numeric(cards["deaths_last"])), claims


def tell_shifts(cards: pd.DataFrame, shifts: Mapping[str, PolicyShift]) -> pd.DataFrame:
    """Return the cards of the front page as a table, in the language in use."""
    rows = []
    for _, card in cards.iterrows():
        turn, shift = tell_turn(card), shifts[card["shift"]]
        title, caveat, month = shift.title, shift.caveat, say_month(shift.month)
        if spoken() == "es":
            title = WORDS["names"][shift.slug]
            caveat = caveat and WORDS["warnings"]["date"]["unconfirmed"]
        row = {"shift": title[0].upper() + title[1:]}
        row["month"] = f"{month}; {caveat}" if caveat else month
        row |= {"source": SOURCES[card["source"]].name, "turn": turn[0].upper() + turn[1:]}
        row |= {"trends": tell_trends(card), "counts": tell_counts(card)}
        row["doubts"] = "; ".join(WORDS["doubts"][name] for name in card["doubts"].split()) or "–"
        rows.append(row)
    return _head(pd.DataFrame(rows), "shifts")


def tell_claims(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the claims of the front page as a table, in the language in use."""
    rows = claims[claims["language"] == spoken()].copy()
    close = rows["close_call"].where(rows["close_call"] == "", ", " + rows["close_call"])
    changed = rows["changed"].where(rows["changed"] == "", "†")
    return _head(rows.assign(verdict=rows["verdict"] + close, changed=changed), "claims")


def _head(table: pd.DataFrame, name: str) -> pd.DataFrame:
    headings = DECLARED[name][spoken()]
    return table[list(headings)].rename(columns=headings)


def tell_front(
    cards: pd.DataFrame, claims: pd.DataFrame, shifts: Mapping[str, PolicyShift]
) -> dict[str, pd.DataFrame]:
    """Return the front page's tables, in English and as ``NAME.es`` in Spanish."""
    found = {}
    for language, end in (("en", ""), ("es", ".es")):
        with speaking(language):
            found[f"shifts{end}"] = tell_shifts(cards, shifts)
            found[f"claims{end}"] = tell_claims(claims)
    return found


def split_summary(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the columns of a table of all shifts as tables no wider than a page."""
    return {name: table[columns] for name, columns in DECLARED["parts"].items()}


def escape_latex(text: object) -> str:
    """Return a text, on one line, so that LaTeX prints it as it is written."""
    told = re.sub(r"\s+", " ", str(text).strip(), flags=re.ASCII)
    strange = sorted({sign for sign in told if not _known(sign)})
    signs = ", ".join(f"{sign!r} (U+{ord(sign):04X})" for sign in strange)
    require(not strange, f"LaTeX takes no {signs} in {told[:60]!r}; say how in [latex] of {WHERE}")
    return LIGATURES.sub(r"\1{}", told.translate(ESCAPES))


def _known(sign: str) -> bool:
    """Tell whether pdflatex takes a sign, or is told how: ASCII, and the letters of LATIN."""
    return sign in LETTERS or (sign.isascii() and sign.isprintable()) or sign in LATIN


def to_latex(table: pd.DataFrame) -> str:
    """Return a whole ``longtable`` as wide as the line, a column by the length of its texts."""
    weights = [_weigh(column) for column in zip(*_rows(table), strict=True)]
    columns = "".join(COLUMN.format(weight / sum(weights)) for weight in weights)
    cells = [map(escape_latex, row) for row in _rows(table)]
    head, *body = (" & ".join(row) + r" \\" for row in cells)
    begin = NEEDS + rf"\begin{{longtable}}{{{columns}}}"
    ends = (r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot")
    return "\n".join([begin, *ends, "\n\\addlinespace\n".join(body), r"\end{longtable}", ""])


def _weigh(column: Iterable[object]) -> float:
    """Return how wide a column should be against others: its longest word fits, prose wraps."""
    texts = [str(text) for text in column]
    words = (len(word) for text in texts for word in text.split())
    return max(1.2 * max(words, default=0) + 4, 2 * max(map(len, texts)) ** 0.5)  # 4: the gap


def to_markdown(table: pd.DataFrame, code: str = "") -> str:
    """Return a table of Markdown, each cell as it is written, the column `code` to be copied."""
    write = ["`{}`".format if name == code else literal for name in table]
    head, *body = _rows(table)
    rows = [[each(x) for each, x in zip(write, row, strict=True)] for row in body]
    lines = [" | ".join(row) for row in (map(literal, head), *rows)]
    lines.insert(1, " | ".join(["---"] * table.shape[1]))
    return "".join(f"| {line} |\n" for line in lines)


def _rows(table: pd.DataFrame) -> list[tuple]:
    return [tuple(table), *table.itertuples(index=False, name=None)]
