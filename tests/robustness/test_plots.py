from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.drawn import labels, line

from analysis import PolicyShift
from analysis.its.breaks import BreakPosterior
from analysis.robustness import plots
from analysis.robustness.placebos import Placebos
from analysis.robustness.specifications import SpecificationCurve

INDEX = pd.period_range("2000-01", periods=10, freq="M")


def heights(ax, label):
    return [bar.get_height() for bar in line(ax, label)]


def curve():
    table = pd.DataFrame({"date": [2, -2, 0, 0], "scale": ["log", "rate"] * 2})
    table["estimate"], table["p"] = [-1.0, 2.0, 3.0, 8.0], [0.5, 0.04, 0.06, 0.001]
    joint = {"observed": [2.5, 0.5], "null_low": [-4.0, 0.0], "null_high": [4.0, 0.6], "p": 0.3}
    joint = pd.DataFrame(joint, index=["median", "share"])
    return SpecificationCurve(table, joint, 100)


def test_posterior_is_drawn_inside_and_outside_its_set(ax):
    probability = pd.Series([0.5, 0.47, *[0.00375] * 8], index=INDEX)
    posterior, shift = BreakPosterior(probability), PolicyShift("x", "2000-04")
    assert plots.plot_break_posterior(posterior, shift, ax=ax) is ax
    assert heights(ax, "95% set") == [0.5, 0.47]
    assert heights(ax, "outside it") == [0.00375] * 8
    assert line(ax, "official date").get_xdata()[0] == pd.Timestamp("2000-04-01")
    assert "Probability" in ax.get_ylabel()


def test_posterior_of_two_breaks_is_drawn_by_period(ax):
    pairs = pd.MultiIndex.from_arrays([INDEX[[0, 0, 1]], INDEX[[5, 6, 6]]])
    plots.plot_break_posterior(BreakPosterior(pd.Series([0.6, 0.3, 0.1], index=pairs)), ax=ax)
    found = heights(ax, "95% set")
    assert labels(ax) == ["95% set"]
    assert sorted(found) == pytest.approx([0.1, 0.4, 0.6, 0.9])


def test_placebos_are_drawn_with_the_real_one_and_its_rank(ax):
    placebo = pd.DataFrame({"slope": [1.0, -2.0, 3.0, np.nan]})
    plots.plot_placebos(Placebos(placebo, pd.Series({"slope": 2.5}), "log"), ax=ax)
    (real,) = [line for line in ax.lines if "real shift" in str(line.get_label())]
    assert real.get_xdata()[0] == 2.5
    assert real.get_label() == "the real shift: 2 of 4 by size"
    assert sum(bar.get_height() for bar in ax.patches) == 3
    assert ax.get_xlabel() == "Change of trend (% per year)"


def test_placebos_without_a_real_estimate_have_no_line(ax):
    placebo, real = pd.DataFrame({"effect_12m": [1.0, -2.0]}), pd.Series({"effect_12m": np.nan})
    plots.plot_placebos(Placebos(placebo, real, "rate"), "effect_12m", ax=ax)
    assert not [line for line in ax.lines if "real" in str(line.get_label())]


def test_curve_is_drawn_in_order_with_its_null(ax):
    plots.plot_curve(curve(), ax=ax)
    drawn = {points.get_label(): points.get_offsets().tolist() for points in ax.collections}
    assert drawn["p < 0.05"] == [[1.0, 2.0], [3.0, 8.0]]
    assert drawn["p ≥ 0.05"] == [[0.0, -1.0], [2.0, 3.0]]
    band = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx((-4, 4))
    assert line(ax, "median").get_ydata()[0] == 2.5
    assert ax.get_ylabel() == "Change of trend (% per year)"


def test_curve_of_a_step_says_so(ax):
    plots.plot_curve(replace(curve(), estimand="level"), ax=ax)
    assert ax.get_ylabel() == "Step (%)"


def test_choices_are_drawn_one_row_each(ax):
    plots.plot_choices(curve(), ax=ax)
    rows = [tick.get_text() for tick in ax.get_yticklabels()]
    dates = ["Date of the shift", "2 months earlier", "as declared", "2 months later"]
    assert rows == [*dates, "Scale", "logarithm of the rate", "the rate itself"]
    rows = [points.get_offsets()[:, 0].tolist() for points in ax.collections]
    assert rows == [[], [1], [2, 3], [0], [], [0, 2], [1, 3]]


def test_variation_is_drawn_with_its_band(ax):
    estimate = pd.Series([1.0, 2.0, 3.0, 9.0])
    variation = pd.DataFrame({"estimate": estimate, "low": estimate - 1, "high": estimate + 1})
    variation["change"] = ["transition"] * 3 + ["last month"]
    variation["setting"] = ["0", "1", "2", "2000-01"]
    plots.plot_variation(variation, "transition", ax=ax)
    assert ax.lines[0].get_ydata().tolist() == [1, 2, 3]
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0, 4)
    assert ax.get_xlabel() == "Months left out from the shift on"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "2"]
