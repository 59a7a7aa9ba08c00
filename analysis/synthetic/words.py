"""What one unit and its synthetic controls say, in words; every number is of `country_rows`."""

import pandas as pd

from analysis.language import Words
from analysis.synthetic.study import CONFIDENCE, HALF, UNIT, SyntheticStudy

WORDS = Words("synthetic-words.toml")
NO_NUMBER = WORDS["no_number"]


def say_range(row: pd.Series, form: str = "+.1f") -> str:
    """Return the ends of a row's estimates."""
    return f"{row['least']:{form}} to {row['most']:{form}}"


def say_change(row: pd.Series) -> str:
    """Return the range of a change over the starts, and how far its intervals reach."""
    told = {"range": say_range(row), "leave": "leaves" if row["apart"] == 1 else "leave"}
    return WORDS["moved"].format(row=row, confidence=CONFIDENCE, **told)


def describe_fit(study: SyntheticStudy, rows: pd.DataFrame, names: pd.Series) -> str:
    """Return in words who the synthetic control is made of, and how well it follows the unit."""
    real, said = study.pictured.real, WORDS["fit"]
    parts = ", ".join(f"{names[code]} {weight:.0%}" for code, weight in real.carrying.items())
    missed = int((study.explained < HALF).sum())
    told = {"first": real.observed.index[0], "name": names[real.treated], "parts": parts}
    text = said["told"] + said["missed" if missed else "close"]
    return text.format(missed=missed, unit=UNIT, **told, **rows.T)


def describe_change(study: SyntheticStudy, rows: pd.DataFrame, names: pd.Series) -> str:
    """Return in words the change of the gap over all starts, its intervals and its rank."""
    real, said = study.pictured.real, WORDS["change"]
    name, first = names[real.treated], real.first_year
    if not study.has_number:
        return said["none"].format(name=name, no_number=NO_NUMBER)
    years = {"before": first - 1, "first": first, "last": real.observed.index[-1]}
    told = {"name": name, "unit": UNIT, "moved": say_change(rows.loc["change"])}
    return said["told"].format(**years, **told, **rows.T)


def describe_choices(study: SyntheticStudy, rows: pd.DataFrame) -> str:
    """Return in words how far the mean change moves with other choices, over all starts."""
    if not study.has_number:
        return WORDS["choices"]["none"].format(**rows.T)
    made, said = WORDS["choices"], []
    for choice in (*study.beside["choice"].unique(), "every_choice"):
        row = rows.loc[f"change_{choice}"]
        said.append(f"{choice.replace('_', ' ')} {say_range(row)} ({row['fits']:.0f} fits)")
    every = rows.loc["change_every_choice"]
    signs = made["one_sign" if every["least"] * every["most"] > 0 else "differ"]
    return made["told"].format(said="; ".join(said), signs=signs)


def describe_sham(study: SyntheticStudy, rows: pd.DataFrame, within: list[str]) -> str:
    """Return in words the change at the sham date, with the shifts declared within its years."""
    row, real = rows.reindex(["change_sham"]).iloc[0], rows.loc["change"]
    said, first = WORDS["sham"], study.sham_year
    if not row["fits"] > 0:
        return said["none"]
    sham = study.choices.query("choice == 'sham' and explained >= @HALF")
    own = pd.DataFrame([(fit.changes().mean(), fit.rmspe) for fit in study.controls.values()])
    sizes, reals = sham["estimate"].abs(), own[0].abs()
    large = sizes.max() >= reals.min(), (sizes / sham["error"]).max() >= (reals / own[1]).min()
    told = {"size": said["as_large" if any(large) else "smaller"], "fits": row["fits"]}
    told |= {"moved": say_range(row), "real": say_range(real), "unit": UNIT}
    told |= {"within": ", ".join(within) or "none", "before": first - 1, "first": first}
    return said["told"].format(last=study.pictured.real.first_year - 1, **told)
