import numpy as np
import pandas as pd
import pytest
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from support.answer_tables import estimate_rows

from analysis import PolicyShift, load_series
from analysis.its.model import prepare_model
from analysis.report.checklist import fill_checklist

SHIFTS = {
    "a-2010-01": PolicyShift(
        "a-2010-01", "2010-01", source="gazette", overlaps=("b-2015-01",), omit=("2007-01:2007-02",)
    ),
    "b-2015-01": PolicyShift("b-2015-01", "2018-01", until="2018-03", impact="slope"),
}
ROBUSTNESS = pd.DataFrame({"specifications": [640, 2688]})
CERTIFICATES = pd.DataFrame(
    {"estimand": ["slope", "slope", "level"], "mde_rise": [2.2, 31.0, 99.0]}
)

ESTIMATES = estimate_rows().assign(note="", phi=0.7, noise=0.25)


def dispersion(slug, source):
    model = prepare_model(load_series(source), SHIFTS[slug])
    deaths, exposure = model.counts
    options = {"family": Poisson(), "offset": np.log(exposure)}
    fit = GLM(deaths, model.designs[0].to_numpy(), **options).fit()
    return fit.pearson_chi2 / fit.df_resid


@pytest.fixture
def filled():
    estimates = estimate_rows().assign(note="")
    estimates.loc[estimates["shift"] == "a-2010-01", ["phi", "noise", "flags"]] = [
        0.7,
        0.25,
        "size_changed source_gap",
    ]
    counts = estimates.iloc[[0, -1]].assign(estimator="quasi_poisson")
    table = fill_checklist(SHIFTS, pd.concat([estimates, counts]), ROBUSTNESS, CERTIFICATES)
    return table.set_index("Item")["Answer"]


def test_every_item_is_answered_from_the_run(filled):
    assert filled["Design"].startswith("Interrupted time series, 3 runs of 2 shifts")
    assert "complete through 2022-06 (2 runs)" in filled["Data"]
    assert filled["Months before and after"] == "80 to 80 before, 70 to 70 after."
    assert "for 1 of 2; b-2015-01 as a range of months" in filled["Date of the intervention"]
    assert "level and slope (1), slope (1)" in filled["Impact model chosen before"]
    assert "1 lie within a year" in filled["Other events"]
    memory = filled["Autocorrelation"]
    assert memory.startswith("Memory seen through noise, both integrated out (medians of phi 0.70 ")
    assert "0.70 to 0.90, of the share of noise 0.25 to 0.50)" in memory
    assert "the series wanders in 1 of 3 runs; the errors' size changes at the shift in 1" in memory
    assert "has holes in 1 of 3 runs; 1 of 2 shifts leave out" in filled["Missing data"]
    assert filled["Sensitivity"].startswith("8 estimators for each (agree 3); ")
    low, high = sorted((dispersion("a-2010-01", "inegi"), dispersion("b-2015-01", "sesnsp")))
    assert f"is {low:.1f} to {high:.1f};" in filled["Over-dispersion"]
    assert "640 to 2,688 specifications" in filled["Sensitivity"]
    assert "is 2 to 31%" in filled["What could be found"]
    assert (filled.str.len() > 20).all()


def test_run_without_counts_or_certificates_is_refused():
    estimates = estimate_rows().assign(note="")
    with pytest.raises(ValueError, match="no row of quasi_poisson"):
        fill_checklist(SHIFTS, estimates, ROBUSTNESS, CERTIFICATES)
    with pytest.raises(ValueError, match="no least rise of a slope"):
        fill_checklist(SHIFTS, estimates, ROBUSTNESS, CERTIFICATES.iloc[2:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimates": ESTIMATES.drop(columns="phi")}, "estimates must have one column of each"),
        ({"estimates": ESTIMATES.assign(phi="0.7")}, r"must have numbers in .'phi'"),
        ({"estimates": ESTIMATES.assign(shift="c")}, "unknown shift in estimates, 'c'"),
        ({"estimates": ESTIMATES.assign(source="x")}, "unknown source in estimates, 'x'"),
        ({"robustness": pd.DataFrame()}, "robustness must have one column of each"),
        ({"certificates": CERTIFICATES.head(0)}, "certificates has no rows"),
        ({"shifts": dict.fromkeys(SHIFTS, "2010-01")}, r"shifts.'a-2010-01'. must be a Policy"),
    ],
)
def test_tables_that_lack_something_are_named(change, message):
    given = {"shifts": SHIFTS, "estimates": ESTIMATES}
    given |= {"robustness": ROBUSTNESS, "certificates": CERTIFICATES}
    with pytest.raises((KeyError, TypeError, ValueError), match=message):
        fill_checklist(**given | change)
