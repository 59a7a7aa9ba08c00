import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from support.stacked_panels import OPERATIONS, TWO, make_panel

from analysis.operations import randomisation
from analysis.operations.event_study import fit_event_study
from analysis.operations.plots import plot_event_study, plot_operations, plot_randomisation
from analysis.operations.stacks import stack_operations

WINDOW = {"before": 9, "after": 6}


@pytest.fixture(scope="module")
def study():
    return fit_event_study(stack_operations(make_panel(), TWO, **WINDOW))


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_event_study_is_drawn_at_the_middle_of_its_bins_on_a_log_scale(study, ax):
    reassigned = randomisation.reassign_event_study(make_panel(), TWO, **WINDOW, draws=20)
    ax = plot_event_study(study, reassigned, ax=ax)
    drawn = {}
    for container in ax.containers:
        drawn |= dict(zip(*container.lines[0].get_data(), strict=True))
    expected = dict(zip([-8, -5, -2, 1, 4], np.log1p(study.effects["estimate"] / 100), strict=True))
    assert {x: drawn[x] for x in sorted(drawn)} == pytest.approx(expected, abs=1e-6)
    bars = [c.lines[2][0].get_segments() for c in ax.containers]
    ends = {seg[0, 0]: tuple(seg[:, 1]) for segments in bars for seg in segments}
    own = np.log1p(study.effects[["low", "high"]].to_numpy() / 100)
    for x, pair in zip([-8, -5, -2, 1, 4], own, strict=True):
        assert ends[x] == pytest.approx(tuple(pair), abs=1e-6)
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(np.log1p(reassigned.bins["high"].max() / 100), abs=1e-6)
    assert band.min() == pytest.approx(np.log1p(reassigned.bins["low"].min() / 100), abs=1e-6)
    assert labels(ax)[0] == "95% of random reassignments"
    assert "before, 95% interval" in labels(ax)
    assert "months" in ax.get_xlabel().lower()
    ticks = [ax.yaxis.get_major_formatter()(np.log1p(p / 100), 0) for p in (0, 100, -50)]
    assert ticks == ["0", "+100%", "-50%"]


def test_last_bits_of_an_iteration_do_not_change_the_picture(study):
    shaken = study.effects.assign(estimate=study.effects["estimate"] * (1 + 1e-12))
    shaken = dataclasses.replace(study, effects=shaken)
    drawn = [
        [container.lines[0].get_ydata() for container in plot_event_study(each).containers]
        for each in (study, shaken)
    ]
    for one, other in zip(drawn[0], drawn[1][len(drawn[0]) :], strict=True):
        np.testing.assert_array_equal(one, other)


def test_event_study_without_reassignments_has_no_band(study):
    ax = plot_event_study(study)
    assert ax is plt.gca()
    assert not any("random" in label for label in labels(ax))


def test_randomisation_shows_all_reassignments_the_real_one_and_its_interval(ax):
    test = randomisation.randomisation_test(make_panel(), TWO, before=6, after=6, draws=99)
    ax = plot_randomisation(test, ax=ax)
    bars = [patch for patch in ax.patches if patch.get_height() > 1 or patch.get_height() == 0]
    assert sum(round(bar.get_height()) for bar in bars if bar.get_width() < 1) >= 90
    (line,) = ax.lines
    assert line.get_xdata()[0] == pytest.approx(np.log1p(test.estimate / 100))
    assert labels(ax)[-1] == f"the real operations, p = {test.p:.2g}"
    assert "95% interval of the effect" in labels(ax)


def test_open_interval_is_not_drawn():
    test = randomisation.randomisation_test(make_panel(), TWO, before=6, after=6, draws=10)
    assert "95% interval of the effect" not in labels(plot_randomisation(test))


def test_operations_are_drawn_among_their_reassignments(ax):
    table = randomisation.vary_operations(make_panel(), OPERATIONS, before=6, after=6, draws=30)
    ax = plot_operations(table, ax=ax)
    for drawn, name in zip(ax.lines[:2], ("alone", "without"), strict=True):
        np.testing.assert_allclose(drawn.get_xdata(), np.log1p(table[name] / 100))
    (bars,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    ends = np.array([segment[:, 0] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, np.log1p(table[["reassigned_low", "reassigned_high"]] / 100))
    assert [text.get_text() for text in ax.get_yticklabels()] == table.index.tolist()
    assert ax.get_ylim() == (2.5, -0.5)
