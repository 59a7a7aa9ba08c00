"""Published estimates of what the federal operations did, and ours in the same unit beside them."""

from dataclasses import dataclass

import pandas as pd

PERCENT, RATE = "percent", "per 100,000"


@dataclass(frozen=True)
class Yardstick:
    """One published estimate, and how its design differs from a stack of states."""

    study: str
    events: str
    places: str
    figure: float
    unit: str  # PERCENT or RATE
    months: int  # of the effect, from the event on
    words: str  # the figure as it is quoted
    differs: str
    reference: str


YARDSTICKS = (
    Yardstick(
        study="Espinosa & Rubin (2015)",
        events="first military intervention in a region",
        places="18 regions, each a municipality where the army came and its neighbours, beside "
        "matched regions where it did not",
        figure=11.0,
        unit=RATE,
        months=12,
        words="about +11 per 100,000 in the first year",
        differs="regions smaller than a state, around the place of the intervention, also where "
        "there was no joint operation; Juárez is one of the 18, so that all seven operations are "
        "nearer to it than first ones; matched on the past, no month effects",
        reference="Espinosa, V. and Rubin, D. B. (2015). Did the military interventions in the "
        "Mexican drug war increase violence? The American Statistician 69, 17-27. "
        "doi:10.1080/00031305.2014.965796",
    ),
    Yardstick(
        study="Calderón et al. (2015)",
        events="leaders and lieutenants of drug organisations captured or killed",
        places="the municipality of the event, beside controls weighted to its past",
        figure=36.5,
        unit=PERCENT,
        months=6,
        words="+36.5% in six months",
        differs="an arrest or a death, not the arrival of troops; a municipality, not its state; "
        "events of 2006-2010",
        reference="Calderón, G., Robles, G., Díaz-Cayeros, A. and Magaloni, B. (2015). The "
        "beheading of criminal organizations and the dynamics of violence in Mexico. Journal of "
        "Conflict Resolution 59, 1455-1485. doi:10.1177/0022002715587053",
    ),
    Yardstick(
        study="Lindo & Padilla-Romo (2015)",
        events="first capture or killing of an organisation's leader",
        places="the municipality of the capture, beside those without one",
        figure=80.0,
        unit=PERCENT,
        months=12,
        words="+80% for twelve months or more",
        differs="a leader's fall, not the arrival of troops; a municipality, not its state, over "
        "which a local rise is spread thin",
        reference="Lindo, J. M. and Padilla-Romo, M. (2018). Kingpin approaches to fighting crime "
        "and community violence: evidence from Mexico's drug war. Journal of Health Economics 58, "
        "253-268. doi:10.1016/j.jhealeco.2018.02.002 (working paper 2015)",
    ),
)


def compare_yardsticks(effects: pd.DataFrame) -> pd.DataFrame:
    """Set published estimates beside ours over the same months and in the same unit.

    `effects` has the columns `label` (which of ours), `months`, `unit`, `estimate`, `low`, `high`.
    Each row holds a yardstick with one of ours: is its figure `inside` our interval?
    """
    ours = effects[["label", "months", "unit", "estimate", "low", "high"]]
    found = pd.DataFrame(YARDSTICKS).merge(ours, on=["months", "unit"])
    return found.assign(inside=found["figure"].between(found["low"], found["high"]))
