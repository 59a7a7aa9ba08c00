from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import date2num, num2date
from matplotlib.figure import Figure
from support.declared import SHIFTS
from support.drawn import line
from support.independent import monthly_values, noise

from analysis import PolicyShift, fit_its, load_series
from analysis.its.plots import plot_comparison, plot_effects, plot_fit, plot_gap, plot_series
from analysis.style import COLOURS

RATE = "Deaths per 100,000 person-years"
CALDERON = SHIFTS["calderon-2006-12"]
INTERVAL = ["estimate", "low", "high"]
ROWS = [("Calderón", "inegi", 22.6, 4.3, 37.8), ("López Obrador", "inegi", -7.2, -22.5, 12.1)]
ROWS += [("López Obrador", "sesnsp", -22.1, -23.7, -20.4)]
ESTIMATES = pd.DataFrame(ROWS, columns=["label", "source", *INTERVAL])


@pytest.fixture(autouse=True)
def _no_figure_and_no_style_left():
    plt.switch_backend("agg")
    style = dict(mpl.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == style


@pytest.fixture
def ax():
    return Figure().subplots()  # outside pyplot: nothing may be drawn anywhere else


COMPARED = ["estimator", "estimand", *INTERVAL]
ROW = ["label", "source", "estimate", "low", "high"]


def dates_of(index):
    return date2num(index.to_timestamp())


def month_drawn(line):
    return num2date(line.get_xdata(orig=False)[0]).strftime("%Y-%m-%d")


def assert_band(band, *ends):
    corners = np.concatenate([part.vertices for part in band.get_paths()])
    for end in (each.dropna() for each in ends):
        places = np.c_[dates_of(end.index), end]
        assert all(np.isclose(corners, place).all(axis=1).any() for place in places)


@pytest.mark.parametrize(
    ("draw", "what"),
    [
        (plot_series, lambda result: {"inegi": result.series}),
        (plot_fit, lambda result: result),
        (plot_gap, lambda result: result),
        (plot_effects, lambda _: ESTIMATES),
    ],
)
def test_the_axes_given_are_drawn_on_and_returned(draw, what, result):
    figure = Figure()
    given, other = figure.subplots(2)
    assert draw(what(result), ax=given) is given
    assert given.has_data()
    assert not other.has_data()
    plt.figure()
    current = plt.subplots(1, 2)[1][1]
    plt.sca(current)
    assert draw(what(result)) is current
    plt.close("all")


def test_series_are_drawn_as_rates_with_a_line_for_every_shift(ax):
    frames = {source: load_series(source) for source in ("inegi", "sesnsp")}
    frames["mine"] = frames["inegi"].iloc[:24]
    range_of_months = SHIFTS["special-forces-2020"]
    plot_series(frames, [CALDERON, range_of_months], ax=ax)
    for label, name in (("INEGI", "inegi"), ("SESNSP", "sesnsp"), ("mine", "mine")):
        frame = frames[name]
        np.testing.assert_allclose(line(ax, label).get_xdata(orig=False), dates_of(frame.index))
        rate = 1e5 * frame["deaths"] / frame["person_years"]
        np.testing.assert_allclose(line(ax, label).get_ydata(), rate)
    marks = [month_drawn(mark) for mark in ax.lines if mark.get_label() == "_shift"]
    assert marks == ["2006-12-01", "2020-10-01"]
    assert [text.get_text() for text in ax.texts] == [CALDERON.title, range_of_months.title]
    (span,) = ax.patches
    assert (span.get_x(), span.get_width()) == (date2num(np.datetime64("2020-10-01")), 92)
    assert ax.get_ylabel() == RATE
    assert ax.get_ylim()[0] == 0


def test_series_with_a_month_without_deaths_is_drawn(ax):
    frame = load_series("inegi", place="MX31")
    assert (frame["deaths"] == 0).any()
    plot_series({"inegi": frame}, ax=ax)
    rate = 1e5 * frame["deaths"] / frame["person_years"]
    np.testing.assert_allclose(line(ax, "INEGI").get_ydata(), rate)


def test_fit_draws_data_fit_and_both_counterfactuals_with_bands(ax, result):
    plot_fit(result, ax=ax)
    dates = dates_of(result.series.index)
    observed = 1e5 * result.series["deaths"] / result.series["person_years"]
    out = result.series.index.isin(result.shift.omit)
    drawn = np.c_[dates, observed]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), drawn[~out])
    left_out = line(ax, "left out")
    np.testing.assert_allclose(left_out.get_xdata(orig=False), drawn[out, 0])
    np.testing.assert_allclose(left_out.get_ydata(), drawn[out, 1])
    assert (left_out.get_linestyle(), out.sum()) == ("None", 2)
    np.testing.assert_allclose(line(ax, "fit").get_xdata(orig=False), dates)
    np.testing.assert_allclose(line(ax, "fit").get_ydata(), result.fitted)
    told = {
        "segmented": "less step and change of trend",
        "forecast": "old line, from the months before",
    }
    for band, (kind, label) in zip(ax.collections[1:], told.items(), strict=True):
        expected = result.counterfactual(kind).loc["2006-12":]
        drawn = line(ax, label)
        known = expected["expected"].dropna()
        np.testing.assert_allclose(drawn.get_xdata(orig=False), dates_of(known.index))
        np.testing.assert_allclose(drawn.get_ydata(), known)
        assert_band(band, expected["low"], expected["high"])
    assert month_drawn(line(ax, "_shift")) == "2006-12-01"
    assert [text.get_text() for text in ax.texts] == ["December 2006"]
    title = ax.get_legend().get_title().get_text()
    assert (ax.get_ylabel(), title) == (RATE, CALDERON.title)
    low, high = ax.get_ylim()
    assert low == 0
    assert high >= observed.max()
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend[:3] == ["observed", "left out", "fit"]


def test_gap_is_observed_minus_expected_with_its_band_turned_round(ax, result):
    plot_gap(result, ax=ax)
    told = {"segmented": "by the whole window", "forecast": "by the months before"}
    for band, (kind, label) in zip(ax.collections, told.items(), strict=True):
        expected = result.counterfactual(kind).loc["2006-12":]
        gap = expected["observed"] - expected["expected"]
        np.testing.assert_allclose(line(ax, label).get_ydata(), gap.dropna())
        assert_band(band, *(expected["observed"] - expected[end] for end in ("low", "high")))
    assert month_drawn(line(ax, "_shift")) == "2006-12-01"
    assert any(np.array_equal(drawn.get_ydata(), [0, 0]) for drawn in ax.lines)
    assert "per 100,000 person-years" in ax.get_ylabel()


def test_effects_are_drawn_one_row_a_label_with_their_intervals(ax):
    plot_effects(ESTIMATES, ax=ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Calderón", "López Obrador"]
    drawn = {container.get_label(): container for container in ax.containers}
    assert list(drawn) == ["INEGI", "SESNSP"]
    for source, container in drawn.items():
        part = ESTIMATES[ESTIMATES["source"] == source.lower()]
        points, _, (bars,) = container.lines
        np.testing.assert_allclose(points.get_xdata(orig=False), part["estimate"])
        ends = [segment[:, 0] for segment in bars.get_segments()]
        np.testing.assert_allclose(ends, part[["low", "high"]])
        rows = part["label"].map({"Calderón": 0, "López Obrador": 1})
        np.testing.assert_array_equal(np.round(points.get_ydata(orig=False)), rows)
    assert ax.xaxis.get_major_formatter()(-25, 0) == "-25%"
    assert "95% interval" in ax.get_xlabel()
    assert ax.yaxis_inverted()


@pytest.mark.slow
def test_fit_without_months_left_out_draws_none(ax, result):
    plot_fit(fit_its(result.series, replace(result.shift, omit=())), ax=ax)
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "left out" not in legend
    assert len(ax.collections[0].get_offsets()) == len(result.series)


def test_projection_that_is_not_believed_is_not_drawn(ax):
    y = np.where(np.arange(72) < 36, 5.0, 5 + noise(72, 0, 0.5))
    plot_fit(fit_its(monthly_values(y), PolicyShift("reform", "2003-01")), ax=ax)
    labels = ("less step and change of trend", "old line, from the months before")
    without = [line(ax, label) for label in labels]
    assert not any(len(drawn.get_xdata()) for drawn in without)
    assert not any(len(band.get_paths()) for band in ax.collections[1:])


@pytest.mark.slow
def test_values_say_value_and_a_range_of_months_is_a_band(ax):
    shift = PolicyShift("reform", "2003-01", until="2003-03")
    plot_fit(fit_its(monthly_values(10 + noise(72, 0, 0.5)), shift), ax=ax)
    assert (ax.get_ylabel(), ax.get_legend().get_title().get_text()) == ("Value", "reform")
    assert [text.get_text() for text in ax.texts] == ["January 2003 to March 2003"]
    assert [span.get_width() for span in ax.patches] == [59.0]
    assert len(ax.collections) == 3


@pytest.mark.slow
def test_yearly_shift_is_drawn_at_its_first_whole_year(ax):
    frame = monthly_values(10 + noise(40, 0, 0.5), "1980", "Y")
    plot_fit(fit_its(frame, replace(CALDERON, end=None)), ax=ax)
    assert month_drawn(line(ax, "_shift")) == "2007-01-01"


def test_comparison_draws_one_interval_per_estimator_and_says_which_is_missing(ax):
    rows = [("reml", "slope", 1.0, 0.5, 2.0), ("newey_west", "slope", -2.0, -3.0, -1.5)]
    rows += [("arima", "slope", np.nan, np.nan, np.nan), ("reml", "level", 9.0, 8.0, 10.0)]
    compared = pd.DataFrame(rows, columns=["estimator", "estimand", *INTERVAL])
    assert plot_comparison(compared, "slope", ax=ax) is ax
    names = ["REML (headline)", "Newey–West", "ARIMA"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == names
    assert [bars.lines[0].get_xdata().tolist() for bars in ax.containers] == [[1.0], [-2.0]]
    ends = [bars.lines[2][0].get_segments()[0][:, 0].tolist() for bars in ax.containers]
    assert ends == [[0.5, 2.0], [-3.0, -1.5]]
    assert [text.get_text() for text in ax.texts] == ["no estimate"]


@pytest.mark.parametrize("headline", ["reml", "count_reml"])
def test_headline_of_a_comparison_has_the_colour_of_the_fit(ax, headline):
    rows = [(headline, "slope", 1.0, 0.5, 2.0), ("arima", "slope", -2.0, -3.0, -1.5)]
    plot_comparison(pd.DataFrame(rows, columns=["estimator", "estimand", *INTERVAL]), ax=ax)
    colours = [bars.lines[0].get_color() for bars in ax.containers]
    assert (colours[0] == COLOURS["fit"], colours[1] == COLOURS["fit"]) == (True, False)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (5, "estimates must be a DataFrame; found 5"),
        (pd.DataFrame({"label": ["a"]}), r"one column of each of \['label', .*; found \['label'\]"),
        (pd.DataFrame(columns=["label", "source", "estimate", "low", "high"]), "numbers|no rows"),
        (
            pd.DataFrame([["a", "b", "1", 0.0, 2.0]], columns=ROW),
            r"estimates must have numbers in \['estimate'\]",
        ),
    ],
)
def test_table_without_what_is_drawn_is_refused(table, message):
    with pytest.raises((TypeError, ValueError), match=message):
        plot_effects(table)


def test_estimand_and_axes_that_are_none_are_refused(result):
    with pytest.raises(KeyError, match=r"unknown estimand 'slop'\. Did you mean 'slope'"):
        plot_comparison(pd.DataFrame([["arima", "slope", 1.0, 0.5, 2.0]], columns=COMPARED), "slop")
    with pytest.raises(TypeError, match="ax must be a Axes; found 'no'"):
        plot_fit(result, ax="no")
