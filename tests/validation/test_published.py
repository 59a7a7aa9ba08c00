import shutil

import numpy as np
import pandas as pd
import pytest
from support.folders import REFERENCE

from analysis.engine.estimators import fit_negative_binomial
from benchmarks.published import COLUMNS, RECORD, compare_published


@pytest.fixture(scope="module")
def table():
    return compare_published(REFERENCE)


def expected(script):
    r = pd.read_csv(REFERENCE / f"{script}_expected.csv", comment="#", keep_default_na=False)
    return r.set_index(["case", "statistic", "term"])["value"]


@pytest.mark.slow
def test_every_published_number_is_reproduced(table):
    assert table.columns.tolist() == COLUMNS
    assert table.loc[~table["holds"], ["case", "quantity", "target", "ours"]].empty
    assert len(table) == 138


@pytest.mark.slow
def test_record_that_the_report_shows_is_what_the_fits_give(table):
    record = pd.read_csv(RECORD)
    told = ["case", "quantity", "holds", "source"]
    pd.testing.assert_frame_equal(record[told], table[told])
    np.testing.assert_allclose(record["target"], table["target"])
    np.testing.assert_allclose(record["tolerance"], table["tolerance"], rtol=1e-3)  # some of fits
    assert ((record["ours"] - table["ours"]).abs() <= 0.1 * table["tolerance"]).all()


CASES = {"Sicily": 13, "Quetiapine": 4, "Nile": 7, "nlme": 8, "Newey-West": 40, "Florida": 17}
CASES |= {"states, ": 15, "Queensland": 30, "Aswan": 18, "West Virginia": 13, "Proposition 99": 4}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_case_is_there_with_its_source(table, case):
    rows = table[table["case"].str.contains(case)]
    assert len(rows) == CASES[case]
    assert rows["source"].str.contains("doi:10.|M. Law").all()
    assert (table["deviation"].abs() <= table["tolerance"]).equals(table["holds"])


@pytest.mark.slow
def test_no_tolerance_is_wide(table):
    """Half of the last printed digit, 1e-6 of R's, or a thousandth of a standard error."""
    printed = pd.read_csv(REFERENCE / "published.csv", dtype=str, keep_default_na=False)
    assert set(printed["share_of_se"]) == {"", "1e-4", "2e-4", "1e-3"}
    by_r = (printed["target"] == "") & (printed["share_of_se"] == "")
    assert (table["tolerance"] <= 1e-6 * table["target"].abs().clip(upper=1))[by_r].all()
    assert table["tolerance"][table["case"] == "Proposition 99, Prais-Winsten"].max() < 0.00052


CHANGED = [  # table, figure, another one, and the cases that no longer hold
    ("nile.csv", "1899,774", "1899,1774", "Nile"),
    ("quetiapine.csv", "2014-12,", "2014-12,1", "Quetiapine"),
    ("florida.csv", "2005-09,1,70,", "2005-09,1,80,", "Florida, homicides$"),
    ("florida.csv", "2001-09,0,,", "2001-09,0,2753,", "states, homicides$"),
    ("queensland.csv", "2009-12,248", "2009-12,228", "Queensland"),
    ("aswan.csv", "1902,2196", "1902,1196", "Aswan, dam of 1898"),
    ("west_virginia.csv", "2005Q4,0.28855", "2005Q4,0.18855", "West Virginia"),
    ("smoking.csv", "52.3,47.2,41.6", "52.3,47.2,51.6", "Proposition 99"),
]
NOT_READ = [  # the month's own number, and the flow of a year left out
    ("sicily.csv", "2005,6,", "2005,7,", "Sicily"),
    ("aswan.csv", "1965,2920", "1965,9920", "Aswan, High Dam"),
]


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Return the cases that do not hold when a figure of most tables is changed."""
    folder = shutil.copytree(REFERENCE, tmp_path_factory.mktemp("changed") / "reference")
    for name, old, new, _ in [*CHANGED, *NOT_READ]:
        text = (folder / name).read_text("utf-8")
        assert text.count(old) == 1
        (folder / name).write_text(text.replace(old, new), "utf-8")
    return compare_published(folder).query("not holds")["case"]


@pytest.mark.slow
@pytest.mark.parametrize("case", [change[-1] for change in CHANGED])
def test_changed_figure_no_longer_holds(failed, case):
    assert failed.str.contains(case).any()


@pytest.mark.slow
@pytest.mark.parametrize("case", [change[-1] for change in NOT_READ] + ["nlme", "suicides"])
def test_what_does_not_read_a_changed_figure_still_holds(failed, case):
    assert not failed.str.contains(case).any()


@pytest.mark.slow
def test_numbers_are_finite(table):
    assert pd.notna(table[["target", "ours", "deviation", "tolerance"]]).all(axis=None)


def test_negative_binomial_finds_the_firearm_homicides_of_r():
    data = pd.read_csv(REFERENCE / "florida.csv").query("case == 1")
    turn = 2 * np.pi * pd.to_datetime(data["month"]).dt.month.to_numpy() / 12
    waves = [np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)]
    level = (data["month"] >= "2005-10").to_numpy(float)
    X = np.column_stack([np.ones(len(data)), level, np.arange(len(data)) / 12, *waves])
    deaths, people = data["fhom"].to_numpy(float), data["people"].to_numpy(float)
    fit, r = fit_negative_binomial(deaths, X, exposure=people), expected("florida")["fl_fhom_nb"]
    assert fit.estimate[1] == pytest.approx(r["estimate", "level"], abs=1e-6)
    assert fit.note == f"alpha = {r['alpha', '']:.3g}"


def prais_winsten(y, X):
    """Stata's rule, written out: coefficients, standard errors and rho."""
    rho, before = 0.0, 1.0
    while abs(rho - before) > 1e-13:
        whiten = np.eye(len(y)) - rho * np.eye(len(y), k=-1)
        whiten[0, 0] = np.sqrt(1 - rho**2)
        A, c = whiten @ X, whiten @ y
        b = np.linalg.lstsq(A, c, rcond=None)[0]
        residual = y - X @ b
        before, rho = rho, residual[1:] @ residual[:-1] / (residual[:-1] @ residual[:-1])
    variance = ((c - A @ b) ** 2).sum() / (len(y) - X.shape[1])
    return b, np.sqrt(variance * np.diag(np.linalg.inv(A.T @ A))), rho


def queensland():
    return pd.read_csv(REFERENCE / "queensland.csv")["novice_crash"].to_numpy(float), 66, 1


def smoking():
    states = pd.read_csv(REFERENCE / "smoking.csv", index_col="state")
    return states.loc["California", "1970":].to_numpy(float), 19, 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "case", "printed", "apart"),
    [
        (queensland, "Queensland", [55.16, 10.97], 0.0051),
        (smoking, "Proposition 99", [-6.084, 2.725, -1.994, 0.950], 0.00051),
    ],
)
def test_prais_winsten_is_that_of_stata_written_out_and_of_r(table, data, case, printed, apart):
    y, before, first = data()
    since = np.arange(len(y)) - before
    trend = np.arange(1, len(y) + 1)
    X = np.column_stack([np.ones(len(y)), trend, since >= 0, np.maximum(since + first, 0)])
    b, error, rho = prais_winsten(y, X)
    r, terms = expected(data.__name__)["prais_winsten"], ["const", "trend", "level", "slope"]
    np.testing.assert_allclose(b, r["estimate"][terms], rtol=1e-9)
    np.testing.assert_allclose(error, r["se"][terms], rtol=1e-9)
    assert rho == pytest.approx(r["rho", ""], rel=1e-8)
    found = np.column_stack([b, error])[2:].ravel()  # level, its error, slope, its error
    np.testing.assert_allclose(found[: len(printed)], printed, rtol=0, atol=apart)
    ours = table.loc[table["case"] == f"{case}, Prais-Winsten", "ours"]
    np.testing.assert_allclose(ours, found, rtol=1e-7)
