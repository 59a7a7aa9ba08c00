import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from support.declared import SHIFTS
from support.published import published_estimates

from analysis import load_series
from analysis.language import speaking
from analysis.mexico.record import NATION
from mexico_report.cards import (
    load_window,
    make_cards,
    tell_rate,
    tell_small,
    yearly_rate,
)
from mexico_report.plots import plot_rate, plot_small, plot_trends

MARKED = [shift for shift in SHIFTS.values() if shift.places == (NATION,)]
SERIES = {"inegi": load_series("inegi", start="1990-01"), "sesnsp": load_series("sesnsp")}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(fig):
    return [text.get_text() for ax in fig.axes for text in ax.texts]


def test_the_mean_of_twelve_months_is_that_of_the_months_around():
    index = pd.period_range("2000-01", periods=24, freq="M")
    frame = pd.DataFrame({"deaths": 0.0, "person_years": 1e5}, index=index)
    frame.loc["2001-01", "deaths"] = 12.0
    rate = yearly_rate(frame)
    assert (rate.index[0], rate.index[-1]) == (index[6], index[18])
    assert rate[rate > 0].index.tolist() == list(pd.period_range("2000-08", "2001-07", freq="M"))
    np.testing.assert_allclose(rate[rate > 0], 1)


def test_the_rate_starts_at_zero_with_every_shift_numbered_and_no_guess_drawn():
    ax = plot_rate(SERIES, MARKED).axes[0]
    assert ax.get_ylim()[0] == 0
    assert texts(ax.figure) == [str(number) for number in range(1, 8)]
    marks = {line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2}
    assert {shift.month.to_timestamp() for shift in MARKED} <= marks
    assert not [line for line in ax.lines if line.get_linestyle() == "--"]
    labels = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert labels[:2] == ["INEGI", "SESNSP"]
    assert "months with holes in the record" in labels


def test_what_was_expected_is_drawn_where_it_is_given():
    index = pd.period_range("2018-12", periods=12, freq="M")
    path = pd.DataFrame({"expected": 20.0, "low": 15.0, "high": 25.0}, index=index)
    ax = plot_rate(SERIES, MARKED, [path]).axes[0]
    (dashed,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert set(dashed.get_ydata()) == {20.0}


def test_pictures_are_told_by_their_numbers_in_both_languages():
    said = tell_rate(SERIES, 7)
    assert said.startswith("Mexico's homicide rate by month, January 1990 to ")
    mean = yearly_rate(SERIES["inegi"])
    assert f"({mean.max():.0f})" in said
    with speaking("es"):
        assert "enero de 1990" in tell_rate(SERIES, 7)
        assert plot_rate(SERIES, MARKED).axes[0].get_ylabel().startswith("Homicidios por 100,000")
    shift = SHIFTS["calderon-2006-12"]
    window = load_window(shift)
    before = window.loc["2005-12":"2006-11"].sum()
    assert f"{1e5 * before['deaths'] / before['person_years']:.0f} per" in tell_small(window, shift)


def test_a_small_picture_has_no_words_and_starts_at_zero():
    fig = plot_small(load_window(MARKED[0]), MARKED[0])
    assert texts(fig) == []
    assert fig.axes[0].get_ylim()[0] == 0
    assert not fig.axes[0].axison


def test_every_change_of_trend_has_its_interval_and_the_trends_around_it():
    rows = published_estimates()
    cards = make_cards(rows[rows["place"] == NATION], SHIFTS)
    fig = plot_trends(cards)
    said = texts(fig)
    assert len(said) == len(cards)
    assert said[0] == "Calderón's offensive (INEGI): −2% → +16% a year"
    drawn = [segment for c in fig.axes[0].collections for segment in c.get_segments()]
    np.testing.assert_allclose([s[:, 0] for s in drawn], cards[["low", "high"]])
