from types import SimpleNamespace

import pandas as pd

from analysis.operations import averages

ROW = {"estimate": 12.0, "low": -5.0, "high": 30.0, "p": 0.2}


def by_keys(rows):
    return pd.DataFrame(rows).T.rename_axis(["label", "method", "months"])


def test_leads_are_said_with_their_line_both_tests_and_the_quarters_outside_the_band():
    lead = {"F": 3.14, "df": 2, "df_denominator": 11, "p": 0.084}
    bins = pd.DataFrame({"estimate": [-20, 5, 90], "low": [-30, -5, -20], "high": [30, 6, 40]})
    study = SimpleNamespace(pre_trend=lead)
    reassigned = SimpleNamespace(bins=bins, lead_p=0.456)
    line = by_keys({("rise before, in a year", "randomisation", 12): ROW})
    assert averages.describe_leads(study, reassigned, line) == (
        "Before the operations the rate of the states they went to moved against the controls' by "
        "+12.0% (-5.0 to +30.0) a year (the line through the quarters before), p = 0.2 among "
        "operations reassigned at random. That all leads are zero has p = 0.46 among them, and "
        "F(2, 11) = 3.1, p = 0.084 by the usual test. Quarters outside the band: 1 of 3."
    )


VERDICTS = pd.DataFrame(
    {"low": [-9.4, 2], "high": [50.2, 9], "breakdown": [0.4567, 3]}, pd.Index([6, 24])
).assign(label=["not identified", "identified in sign"])
CHOICES = by_keys(
    {
        ("headline", "score bootstrap", 6): ROW,
        ("net of the rise before", "randomisation", 6): ROW | {"estimate": -3.0},
        ("headline", "score bootstrap", 24): ROW | {"estimate": 7.0},
        ("net of the rise before", "randomisation", 24): ROW | {"estimate": 9.0},
    }
)


ALLOWED = pd.DataFrame(
    {"estimate": [-4.0, 8.0, -4.0]},
    pd.MultiIndex.from_tuples(
        [("steps of 0", "quarters without error", 6), ("steps of 0", "quarters without error", 24),
         ("steps of 1", "cluster robust", 6)],
        names=["label", "method", "months"],
    ),
)  # fmt: skip


def test_each_horizon_has_its_verdict_range_and_two_estimates():
    first, second = averages.describe_verdicts(VERDICTS, CHOICES, ALLOWED).splitlines()
    assert first == (
        "- **First 6 months: not identified.** By the choices, the rate under the operations moved "
        "beyond the controls' by -9% to +50%: "
        "+12.0% (-5.0 to +30.0) by the headline, -3.0% (-5.0 to +30.0) net of the rise before. "
        "Against the quarter just before the estimate is -4%, and steps 0.46 times as large as the "
        "largest before could turn that one's sign."
    )
    assert second.startswith("- **First 24 months: identified in sign.** By the choices, the rat")
    assert "+7.0% (-5.0 to +30.0) by the headline, +9.0% (" in second
