"""What one unit and its synthetic controls say, in words; every number is of `country_rows`."""

import pandas as pd

from analysis.synthetic.placebos import CONFIDENCE
from analysis.synthetic.study import HALF, UNIT, SyntheticStudy

NO_NUMBER = "no number, as the mixture explains less than half of the variance before"


def say_range(row: pd.Series, form: str = "+.1f") -> str:
    """Return the ends of a row's estimates."""
    return f"{row['least']:{form}} to {row['most']:{form}}"


def say_change(row: pd.Series) -> str:
    """Return the range of a change over the starts, and how far its intervals reach."""
    leave = "leaves" if row["apart"] == 1 else "leave"
    return (
        f"{say_range(row)} ({CONFIDENCE:.0%} prediction intervals from {row['low']:+.1f} to "
        f"{row['high']:+.1f}; {row['apart']:.0f} of the {row['fits']:.0f} {leave} zero out)"
    )


def describe_fit(study: SyntheticStudy, rows: pd.DataFrame, names: pd.Series) -> str:
    """Return in words who the synthetic control is made of, and how well it follows the unit."""
    real = study.pictured.real
    name, share = names[real.treated], rows.loc["explained"]
    parts = ", ".join(f"{names[code]} {weight:.0%}" for code, weight in real.carrying.items())
    missed = int((study.explained < HALF).sum())
    verdict = (
        f"from {missed} of the {share['fits']:.0f} starts less than half, so no number is told"
    )
    if not missed:
        verdict = f"at least half from each of the {share['fits']:.0f} starts"
    return (
        f"From {real.observed.index[0]} on, the synthetic {name} is {parts}. By the first year of "
        f"the panel, {say_range(rows.loc['start'], '.0f')}, it explains {say_range(share, '.0%')} "
        f"of the variance of {name}'s rate before the change, with a typical error of "
        f"{say_range(rows.loc['error_before'], '.1f')} {UNIT}: {verdict}."
    )


def describe_change(study: SyntheticStudy, rows: pd.DataFrame, names: pd.Series) -> str:
    """Return in words the change of the gap over all starts, its intervals and its rank."""
    real, row = study.pictured.real, rows.loc["change"]
    name, before = names[real.treated], real.first_year - 1
    if not study.has_number:
        return f"Of the change of {name}'s gap there is {NO_NUMBER}."
    return (
        f"From {before} to the mean of {real.first_year} to {real.observed.index[-1]} the gap of "
        f"{name} to its synthetic rate changed by {say_change(row)}, in {UNIT}, by the first year "
        f"of the panel. In {before} itself the gap was {say_range(rows.loc['gap_before'])}. By the "
        f"size of the change over its own error before, {name} takes place "
        f"{say_range(rows.loc['rank'], '.0f')} among itself and "
        f"{say_range(rows.loc['donors'], '.0f')} donors."
    )


def describe_choices(study: SyntheticStudy, rows: pd.DataFrame) -> str:
    """Return in words how far the mean change moves with other choices, over all starts."""
    if not study.has_number:
        shifted, augmented = (
            say_range(rows.loc[f"explained_{choice}"], ".0%")
            for choice in ("shifted_by_a_constant", "ridge_augmented")
        )
        return (
            f"Shifted by a constant the mixture explains {shifted}, and {augmented} if it may give "
            "negative weights. Other choices stand beside a number, never in its place: none is "
            "told."
        )
    said = []
    for choice in (*study.beside["choice"].unique(), "every_choice"):
        row = rows.loc[f"change_{choice}"]
        said.append(f"{choice.replace('_', ' ')} {say_range(row)} ({row['fits']:.0f} fits)")
    every = rows.loc["change_every_choice"]
    signs = "have one sign" if every["least"] * every["most"] > 0 else "differ in sign"
    return f"The mean change over all starts: {'; '.join(said)}. They {signs}."


def describe_sham(study: SyntheticStudy, rows: pd.DataFrame, within: list[str]) -> str:
    """Return in words the change at the sham date, with the shifts declared within its years."""
    row, real = rows.reindex(["change_sham"]).iloc[0], rows.loc["change"]
    if not row["fits"] > 0:
        return "No number is told of the sham change."
    ends = [sorted(abs(each[["least", "most"]].astype(float))) for each in (row, real)]
    size = "smaller in size than each of the real one"
    if ends[0][1] >= ends[1][0]:
        size = "as large in size as some of the real one: the method finds them without this shift"
    return (
        f"From {study.sham_year - 1} to the mean of {study.sham_year} to "
        f"{study.pictured.real.first_year - 1} the changes are {say_range(row)} {UNIT} "
        f"({row['fits']:.0f} fits), {size} ({say_range(real)}). Declared national shifts within: "
        f"{', '.join(within) or 'none'}."
    )
