import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from analysis.breaks import BreakPosterior
from analysis.claim_course_plots import plot_start, plot_term
from analysis.claim_fits import Rise
from analysis.claim_rows import Measured, collect, make_row
from analysis.claims import load_claims

CLAIM = load_claims().claims["lopez-obrador-two-years"]


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def drawn(ax, label):
    return next(part for part in (*ax.containers, *ax.lines) if part.get_label() == label)


def test_start_is_drawn_by_month_with_the_year_shaded(ax):
    months = pd.period_range("2015-01", periods=4, freq="M")
    pairs = pd.MultiIndex.from_arrays([months[[0, 1, 1]], months[[2, 2, 3]]],
                                      names=["first", "second"])  # fmt: skip
    posterior = BreakPosterior(pd.Series([0.2, 0.5, 0.3], index=pairs))
    names = ["trend before", "trend between", "trend after"]
    up = pd.DataFrame({"low": [-9, 5, -9], "high": [-1, 9, 9]}, index=names)
    down = up.assign(low=-9)
    plot_start({"INEGI": Rise(posterior, up), "SESNSP": Rise(posterior, down)}, 2016, ax=ax)
    bars = drawn(ax, "INEGI, 95% set within 2015-01 to 2015-02")
    assert len(ax.containers) == 1
    assert [bar.get_height() for bar in bars] == pytest.approx([0.2, 0.8])
    assert "Probability" in ax.get_ylabel()


def test_term_is_drawn_with_means_and_the_interval_of_its_trend(ax):
    index = pd.period_range("2018-01", periods=36, freq="M")
    frame = pd.DataFrame({"deaths": 20, "person_years": 1e5}, index=index)
    row = make_row(("INEGI", "x", "1", "CONAPO"), "trend within", 10, "percent per year",
                   holds="yes", low=5, high=20)  # fmt: skip
    term = Measured(CLAIM, collect([row]), "trend within", "said")
    plot_term({"INEGI": (frame.iloc[:12], frame.iloc[12:])}, term, ax=ax)
    course = drawn(ax, "INEGI: +10.0% per year (+5.0 to +20.0)").get_ydata()
    assert course[12] / course[0] == pytest.approx(1.1)
    assert np.exp(np.log(course).mean()) == pytest.approx(20)
    band = ax.collections[-1].get_paths()[0].vertices[:, 1]
    half = 23 / 24
    assert band.max() == pytest.approx(20 * 1.2**half)
    assert band.min() == pytest.approx(20 * 1.2**-half)
