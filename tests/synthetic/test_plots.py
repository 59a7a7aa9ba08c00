import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from support.synthetic_panels import unrelated

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
    # Ten donors at 90%: the largest of them, 10 errors of 0.5 each way of a synthetic rate of 10.
    assert (band[:, 1].min(), band[:, 1].max()) == (5, 15)
    assert (band[:, 0].min(), band[:, 0].max()) == (2005, 2007)
    assert ax.lines[2].get_xdata()[0] == 2004.5
    assert labels(ax) == [
        "Mexico observed",
        "synthetic Mexico",
        "90% interval of the synthetic rate",
    ]
    assert [text.get_text() for text in ax.texts] == ["from 2005"]
    assert ax.get_ylabel() == "Deaths per 100,000 and year"


def test_infinite_interval_fills_the_frame(placebos, ax):
    few = dict(list(placebos.placebo.items())[:8])  # with nine units no end is known at 90%
    plots.plot_synthetic(unrelated(placebos.real, few), NAMES, ax=ax)
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0
    assert band[:, 1].max() > ax.get_ylim()[1]
    assert np.isfinite(band).all()


def test_gaps_are_drawn_in_errors_before_the_change(placebos, ax):
    assert plots.plot_placebo_gaps(placebos, NAMES, ax=ax) is ax
    drawn = [line.get_ydata() for line in ax.lines[:11]]
    np.testing.assert_allclose(drawn[3], [1, -1, 1, -1, 1, 4, 4, 4])
    np.testing.assert_allclose(drawn[10], [1, -1, 1, -1, 1, 4, 6, 8])
    low, high = ax.get_ylim()
    assert -low == high > 8
    assert labels(ax) == ["10 placebo countries", "Mexico"]


def test_legend_and_label_leave_the_frame_to_the_curves(placebos, ax):
    plots.plot_synthetic(placebos, NAMES, ax=ax)
    ax.figure.draw_without_rendering()
    frame = ax.get_window_extent()
    assert ax.get_legend().get_window_extent().y1 < frame.y0
    assert ax.texts[0].get_window_extent().y0 > frame.y1


def test_placebo_without_error_is_not_drawn(placebos, ax):
    placebos.placebo["flat"] = fit([0.0] * 8)
    plots.plot_placebo_gaps(placebos, NAMES, ax=ax)
    assert labels(ax)[0] == "10 placebo countries"
    assert len(ax.lines) == 13  # ten, the real one, zero and the change


def test_weights_are_drawn_with_names_and_the_rest_is_counted(ax):
    assert plots.plot_weights(fit([1] * 8), NAMES, ax=ax) is ax
    assert [bar.get_width() for bar in ax.patches] == [0.05, 0.2, 0.75]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Cland", "Bland", "Aland"]
    assert [text.get_text() for text in ax.texts] == ["5%", "20%", "75%"]
    assert ax.get_xlabel() == "Weight (1 other donors: none)"


def test_fits_without_a_donor_are_drawn_beside_the_full_one(ax):
    left_out = {"a": fit([2] * 8), "b": fit([3] * 8)}
    assert plots.plot_left_out(fit([1] * 8), left_out, ax=ax) is ax
    assert [line.get_ydata()[0] for line in ax.lines[:3]] == [2, 3, 1]
    assert labels(ax) == ["one donor left out", "all donors"]


def test_every_start_has_its_interval_and_its_donors(ax):
    rows = [[9, 4.0, -np.inf, np.inf], [12, 5, 1, 9], [13, 6, 2, 16]]
    starts = pd.DataFrame(rows, [1990, 1991, 1992], ["donors", "average", "low", "high"])
    assert plots.plot_starts(starts, 1991, ax=ax) is ax
    others, chosen = ([part[:, 1].tolist() for part in x.get_segments()] for x in ax.collections)
    assert (others, chosen) == ([[-15, 15], [2, 15]], [[1, 9]])
    arrows = {line.get_marker(): list(line.get_xdata()) for line in ax.lines[:3]}
    assert (arrows["v"], arrows["^"]) == ([1990], [1990, 1992])
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert ticks == ["1990\n9", "1991\n12", "1992\n13"]
    assert labels(ax) == ["other starts", "start in 1991, by the rule"]
    assert ax.collections[0].get_color().tolist() != ax.collections[1].get_color().tolist()


def test_current_axes_are_the_default(ax):
    plt.sca(ax)
    assert plots.plot_weights(fit([1] * 8), NAMES) is ax
