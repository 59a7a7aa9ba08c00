"""The article's claims, declared before measuring, and the rule of the verdict."""

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import pandas as pd

from analysis.arguments import AnyPath, checked
from analysis.checks import OneLine, check_fields, check_known, check_month, require
from analysis.files import DATA_FOLDER, read_toml
from analysis.language import Words

Figure = int | float | str
Answer = Literal["no", "cannot tell", "yes"]
WEAKEST = get_args(Answer)  # first: what the answers to several parts come to
CARRIERS = ("SESNSP", "INEGI", "Consejo Ciudadano")
HOMICIDE, WITH_FEMICIDE = "intentional homicide", "intentional homicide and femicide"
TOLD = Words("claims-words.toml")
SPELT_OUT = 20  # figures up to here may stand in words
COUNT = ["source", "counted"]  # what is revised from one vintage to the next
CELL = [*COUNT, "vintage", "population"]  # one way of measuring a claim


def say(sentence: str, /, **told: Any) -> str:
    """Return a sentence of ``claims-words.toml`` by its name, filled in."""
    return TOLD[sentence].format(**told)


@dataclass(frozen=True, repr=False)
class Claim(OneLine):
    """One claim of the article, with the rule that judges it."""

    number: int
    slug: str
    figures: dict[str, Figure]  # the numbers in the article's words
    measured: str  # what is computed
    rule: str  # when the words are borne out
    parameters: dict[str, Figure | dict[str, Figure]]  # the numbers that the rule needs
    vary: dict[str, list[Figure]]  # of its numbers: the least and the most that are tried
    parts: dict[str, str]  # measure -> a part of the claim that it judges alone
    sources: list[str]  # who can carry it

    def __getitem__(self, name: str) -> Any:
        """Return a figure or parameter by name."""
        known = self.figures | self.parameters
        check_known(name, known, f"figure or parameter of {self.slug!r}")
        return known[name]

    @property
    def years(self) -> list[int]:
        """The years that it asks about, `first` to `last`."""
        return list(range(self["first"], self["last"] + 1))

    def say(self, form: str, **told: Any) -> str:
        """Return its ``words``, ``claim``, ``line``, ``finding`` or ``changed``, filled in."""
        return TOLD["claims"][self.slug][form].format(**self.figures | self.parameters | told)


BLOCKS: dict[str, dict[str, Any]] = {  # of ``claims.toml``: the kind of each key
    "claim": get_type_hints(Claim),
    "published": {"year": int, "deaths": int, "vintage": str, "counted": str, "source": str},
    "not_judged": {"words": str, "reason": str},
}


@dataclass(frozen=True, repr=False)
class Declared(OneLine):
    """What ``claims.toml`` holds."""

    claims: dict[str, Claim]  # by slug, in the order of their numbers
    published: pd.DataFrame  # year, counted, vintage, deaths, source: SESNSP's earlier totals
    not_judged: pd.DataFrame  # words, reason


@checked
def load_claims(path: AnyPath | None = None) -> Declared:
    """Load the declared claims.

    Parameters
    ----------
    path : Path or str, optional
        A TOML file laid out like ``analysis/data/claims.toml``, the default.

    Returns
    -------
    Declared
        `claims` by slug; the totals once published; what is not judged.

    Raises
    ------
    ValueError, TypeError
        If a block is malformed: the message names the block.
    KeyError
        For an unknown key or source, with the nearest known names.
    """
    path, content = read_toml(DATA_FOLDER / "claims.toml" if path is None else path)
    check_fields(content, path.name, dict.fromkeys(BLOCKS, list[dict]))
    for kind, keys in BLOCKS.items():
        for block in content[kind]:
            named = next((block[key] for key in ("slug", "year", "words") if key in block), "")
            check_fields(block, f"{path.name}, {kind} {named!r:.100}", keys)
    claims: dict[str, Claim] = {}
    for block in content["claim"]:
        claim = Claim(**block)
        _check_claim(claim, claims, f"{path.name}, claim {claim.slug!r}")
        claims[claim.slug] = claim
    numbers = [claim.number for claim in claims.values()]
    ordered = numbers == list(range(1, len(numbers) + 1))
    require(ordered, f"{path.name}: claims must be numbered 1, 2, 3, …; found {numbers}")
    for row in content["published"]:
        name = f"{path.name}, published {row['year']}"
        check_known(row["counted"], (HOMICIDE, WITH_FEMICIDE), f"count in {name}:")
        check_month(row["vintage"], f"{name}: vintage")
        require(row["deaths"] >= 0, f"{name}: expected 0 deaths or more; found {row['deaths']}")
    return Declared(claims, *(pd.DataFrame(content[name]) for name in ("published", "not_judged")))


def judge_claim(rows: pd.DataFrame, parts: dict[str, str] | None = None) -> str:
    """Return the verdict by the rule at the head of ``claims.toml``, of rows as `collect` gives."""
    told = _tell(rows)
    whole, alone = _judge(told), [_judge(told, name) for name in parts or {}]
    return "holds in part" if "holds" in alone and not whole.startswith("holds") else whole


def judge_parts(rows: pd.DataFrame, parts: dict[str, str]) -> dict[str, str]:
    """Return the verdict of each part of a claim by its name, each by the measure that tells it."""
    told = _tell(rows)
    return {part: _judge(told, name) for name, part in parts.items()}


def say_parts(rows: pd.DataFrame, parts: dict[str, str]) -> list[str]:
    """Return each part of a claim with its verdict, in words."""
    said, names, verdicts = judge_parts(rows, parts), TOLD["parts"], TOLD["verdicts"]
    return [say("part", part=names[k], verdict=verdicts[v]) for k, v in said.items()]


def _judge(told: list[list], measure: str = "") -> str:
    cells = _answers([row for row in told if measure in ("", row[0])])
    newest: dict[tuple, str] = {}
    for *count, vintage, _ in cells:
        newest[*count] = max(vintage, newest.get((*count,), vintage))
    last = {cell: holds for cell, holds in cells.items() if cell[2] == newest[cell[:2]]}
    now, before = {*last.values()}, {cells[cell] for cell in cells.keys() - last.keys()}
    if now == {"yes"}:
        return "holds"
    if "yes" in now:
        yes, no = (
            {x[3] for x, y in last.items() if (y == "yes") == each} for each in (True, False)
        )
        return "holds under one source" if yes & no else "holds under one population"
    if "yes" in before:
        return "revised since"
    if "no" in now:
        return "does not hold" if now == {"no"} else "not shown"
    return "cannot be judged with these data"


def answer_cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one answer for each way of measuring: no if any part says no, yes if all say yes."""
    answers = _answers(_tell(rows))
    return pd.DataFrame(
        [(*cell, holds) for cell, holds in answers.items()], columns=[*CELL, "holds"]
    )


def _tell(rows: pd.DataFrame) -> list[list]:
    """Return what `_answers` needs of each row."""
    return rows.reindex(columns=["measure", *CELL, "holds", "judges"]).to_numpy(object).tolist()


def _answers(told: list[list]) -> dict[tuple[str, ...], Answer]:
    """Return what `answer_cells` does by the values of `CELL`, in the order of the rows."""
    answers: dict[tuple[str, ...], Answer] = {}
    for _, *cell, holds, judges in told:
        if judges and holds != "":
            require(holds in WEAKEST, f"holds must be one of {list(WEAKEST)}; found {[holds]}")
            answers[*cell] = min(answers.get((*cell,), holds), holds, key=WEAKEST.index)
    return answers


def _check_claim(claim: Claim, known: dict[str, Claim], name: str) -> None:
    require(claim.slug not in known, f"{name}: the slug appears twice")
    check_known(claim.slug, TOLD["claims"], f"slug in {name}:")
    words = claim.say("words")
    for key, value in claim.figures.items():
        told = isinstance(value, int) and value > SPELT_OUT
        if told and f"{value:,}" not in words and str(value) not in words:
            raise ValueError(f"{name}: {key} = {value} does not stand in its words")
    for field in ("measured", "rule", "sources"):
        require(bool(getattr(claim, field)), f"{name}: {field} is empty")
    for source in claim.sources:
        check_known(source, CARRIERS, f"source in {name}:")
    for key, ends in claim.vary.items():
        check_known(key, claim.figures | claim.parameters, f"figure or parameter in {name}:")
        kind = str if isinstance(claim[key], str) else int | float
        paired = len(ends) == 2 and all(isinstance(each, kind) for each in (claim[key], *ends))
        fault = f"{key} = {claim[key]} lies outside {ends}, where it may vary"
        require(paired and ends[0] <= claim[key] <= ends[1], f"{name}: {fault}")
