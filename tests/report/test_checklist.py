import pandas as pd
import pytest
from support.answer_tables import estimate_rows

from analysis import PolicyShift
from analysis.report.checklist import fill_checklist

SHIFTS = {
    "a-2010-01": PolicyShift("a-2010-01", "2010-01", source="gazette", overlaps=("b-2015-01",)),
    "b-2015-01": PolicyShift("b-2015-01", "2015-01", until="2015-03", impact="slope"),
}
ROBUSTNESS = pd.DataFrame({"specifications": [640, 2688]})
CERTIFICATES = pd.DataFrame(
    {"estimand": ["slope", "slope", "level"], "mde_rise": [2.2, 31.0, 99.0]}
)


@pytest.fixture
def filled():
    estimates = estimate_rows().assign(note="")
    counts = estimates.iloc[:2].assign(
        estimator="quasi_poisson", note=["dispersion 4.20", "dispersion 17.31"]
    )
    table = fill_checklist(SHIFTS, pd.concat([estimates, counts]), ROBUSTNESS, CERTIFICATES)
    return table.set_index("Item")["Answer"]


def test_every_item_is_answered_from_the_run(filled):
    assert filled["Design"].startswith("Interrupted time series, 3 runs of 2 shifts")
    assert "complete through 2022-06 (2 runs)" in filled["Data"]
    assert filled["Months before and after"] == "80 to 80 before, 70 to 70 after."
    assert "for 1 of 2; b-2015-01 as a range of months" in filled["Date of the intervention"]
    assert "level and slope (1), slope (1)" in filled["Impact model chosen before"]
    assert "1 lie within a year" in filled["Other events"]
    assert "near a unit root in 1 of 3 runs" in filled["Autocorrelation"]
    assert "is 4.2 to 17.3;" in filled["Over-dispersion"]
    assert "640 to 2,688 specifications" in filled["Sensitivity"]
    assert "is 2 to 31%" in filled["What could be found"]
    assert (filled.str.len() > 20).all()


def test_what_was_not_run_is_said():
    estimates = estimate_rows().assign(note="")
    table = fill_checklist(SHIFTS, estimates, ROBUSTNESS, CERTIFICATES.iloc[2:])
    answers = table.set_index("Item")["Answer"]
    assert answers["Over-dispersion"] == "Not estimated in this run."
    assert answers["What could be found"] == "Not simulated in this run."
