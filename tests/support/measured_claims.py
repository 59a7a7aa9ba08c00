"""The declared claims, the verdicts by hand, and evidence with a planted number."""

from dataclasses import replace

import numpy as np

from analysis.claims.counts import MEASURES
from analysis.claims.declared import load_claims
from analysis.claims.evidence import load_evidence

DECLARED = load_claims()
CLAIMS = DECLARED.claims
EVIDENCE = load_evidence(DECLARED)
VERDICTS = {  # worked by hand from the tables
    "record-2019": "revised since",  # 34,648 in January 2021, 34,723 in June 2025
    "decline-2020": "revised since",  # 133, then 34,723 - 34,569 = 154; INEGI rises
    "one-typical-day": "revised since",  # 133 / (34,515 / 366) = 1.41, then 1.63
    "rising-since-2016": "does not hold",  # INEGI: June 2014; flat since 2017
    "rate-2011": "holds under one population",  # 23.6, not 23.49 or 23.39
    "recent-rate": "holds under one population",  # 29.448, 29.151, 29.001
    "city-ranking-2020": "holds",  # 7 of 10, 18 of 50, second, third
    "calderon-upsurge": "holds",  # +17.9% a year (+0.9 to +36.2) and 23.5 / 9.6 = 2.4 times
    # 28.0 against 21.2; -0.7% a year (to +4.5) is no, +1.1% (to +8.2) cannot tell
    "lopez-obrador-two-years": "holds in part",
    "almost-certain-worse": "does not hold",  # every rate after 2020 is lower
}


def measure(slug, evidence=EVIDENCE):
    return MEASURES[slug](CLAIMS[slug], evidence)


def plant(value, column="deaths", **labels):
    """Evidence in which one number is another."""
    yearly = EVIDENCE.yearly.copy()
    chosen = np.logical_and.reduce([yearly[name] == wanted for name, wanted in labels.items()])
    assert chosen.any()
    yearly.loc[chosen, column] = value
    return replace(EVIDENCE, yearly=yearly)


def value(measured, name, **labels):
    rows = measured.rows[measured.rows["measure"] == name]
    for column, wanted in labels.items():
        rows = rows[rows[column] == wanted]
    (only,) = rows["value"]
    return only
