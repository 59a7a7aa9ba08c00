import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from support.synthetic_panels import control, scaled, study, unrelated

from analysis.synthetic import plots
from analysis.synthetic.control import SyntheticControl

YEARS = range(2000, 2008)
NAMES = pd.Series({"MEX": "Mexico", "a": "Aland", "b": "Bland", "c": "Cland", "d": "Dland"})


def fit(gap, treated="MEX"):
    synthetic = pd.Series(10.0, YEARS)
    weights = pd.Series({"a": 0.75, "b": 0.2, "c": 0.05, "d": 0.0})
    return SyntheticControl(treated, 2005, synthetic + gap, synthetic, weights)


@pytest.fixture
def placebos():
    placebo = {str(i): fit([1, -1, 1, -1, 1, i, i, i], treated=str(i)) for i in range(1, 11)}
    placebo["4"] = fit([2, -2, 2, -2, 2, 8, 8, 8], treated="4")  # of twice the error
    return unrelated(fit([0.5, -0.5, 0.5, -0.5, 0.5, 2, 3, 4]), placebo)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_rates_and_the_interval_of_the_synthetic_one_are_drawn(placebos, ax):
    assert plots.plot_synthetic(placebos, NAMES, ax=ax) is ax
    observed, synthetic = ax.lines[:2]
    np.testing.assert_array_equal(observed.get_ydata(), placebos.real.observed)
    np.testing.assert_array_equal(synthetic.get_ydata(), placebos.real.synthetic)
    band = ax.collections[0].get_paths()[0].vertices
    # Ten donors at 90%: the largest of them has a change of 9 errors, of 0.5, each way of the
    # synthetic rate of 10, moved by the gap of 0.5 in the year before.
    assert (band[:, 1].min(), band[:, 1].max()) == (6, 15)
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), [10.5] * 3)
    assert (band[:, 0].min(), band[:, 0].max()) == (2005, 2007)
    assert ax.lines[3].get_xdata()[0] == 2004.5
    assert labels(ax) == [
        "Mexico observed",
        "synthetic Mexico (explains -4%)",
        "moved to meet it in 2004",
        "90% prediction interval",
        "from 2005 on",
    ]
    assert ax.get_ylabel() == "Deaths per 100,000 and year"


def test_infinite_interval_fills_the_frame(placebos, ax):
    few = dict(list(placebos.placebo.items())[:8])  # with nine units no end is known at 90%
    plots.plot_synthetic(unrelated(placebos.real, few), NAMES, ax=ax)
    band = ax.collections[0].get_paths()[0].vertices
    assert 0 <= band[:, 1].min() < 1  # the synthetic rate is not below zero
    assert band[:, 1].max() > ax.get_ylim()[1]
    assert np.isfinite(band).all()


def test_gaps_are_drawn_in_errors_before_the_change(placebos, ax):
    assert plots.plot_placebo_gaps(placebos, NAMES, ax=ax) is ax
    drawn = [line.get_ydata() for line in ax.lines[:11]]
    np.testing.assert_allclose(drawn[3], [0, -2, 0, -2, 0, 3, 3, 3])
    np.testing.assert_allclose(drawn[10], [0, -2, 0, -2, 0, 3, 5, 7])
    low, high = ax.get_ylim()
    assert -low == high > 7
    assert labels(ax) == ["10 placebo countries", "Mexico", "from 2005 on"]


def test_legend_leaves_the_frame_to_the_curves(placebos, ax):
    plots.plot_synthetic(placebos, NAMES, ax=ax)
    ax.figure.draw_without_rendering()
    frame = ax.get_window_extent()
    assert ax.get_legend().get_window_extent().y1 < frame.y0


def test_placebo_without_error_is_not_drawn(placebos, ax):
    placebos.placebo["flat"] = fit([0.0] * 8)
    plots.plot_placebo_gaps(placebos, NAMES, ax=ax)
    assert labels(ax)[0] == "10 placebo countries"
    assert len(ax.lines) == 13  # ten, the real one, zero and the change


def compared(*fits):
    """A study of one start a fit, shifted by a constant too."""
    placebo = {str(i): scaled([i, i]) for i in range(1, 10)}
    starts = {1990 + i: unrelated(fit, placebo) for i, fit in enumerate(fits)}
    shares = zip(starts, (0.75, 0.4), strict=False)
    return study(starts, [(start, "shifted_by_a_constant", 7.0, share) for start, share in shares])


def test_every_start_has_its_interval_its_donors_and_its_shares(ax):
    wide = control([12, -8, 12, 20, 20], [10, -10, 10, 10, 10], 2003)
    made = compared(scaled([4, 4]), wide)
    assert plots.plot_starts(made, ax=ax) is ax
    ends = [part[:, 0].tolist() for part in ax.collections[0].get_segments()]
    assert ends == [[4 - 9, 4 + 9], [8 - 2 * 9, 8 + 2 * 9]]
    assert ax.get_xlim() == (-20, 20)  # 2.5 times the largest change
    assert ax.lines[1].get_xdata().tolist() == [4, 8]
    beside = ax.lines[2]  # of the second start it explains less than half
    assert (beside.get_xdata().tolist(), beside.get_ydata().tolist()) == ([7], [0.25])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["1990 (1, 99%)", "1991 (1, 96%)"]
    assert labels(ax) == ["as declared", "other choices"]


def test_nothing_is_drawn_where_a_mixture_misses(ax):
    made = compared(scaled([4, 4]), control([0, 4, 0, 9, 9], [4, 0, 4, 0, 0], 2003))
    plots.plot_starts(made, ax=ax)
    assert not (*ax.lines, *ax.collections)
    assert ax.texts[0].get_text().startswith("no number: the mixture explains\nless")
    assert len(ax.get_yticks()) == 2


def test_current_axes_are_the_default(ax):
    plt.sca(ax)
    assert plots.plot_starts(compared(scaled([4, 4])), ax=ax) is ax
