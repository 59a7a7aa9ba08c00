import numpy as np
import pandas as pd
import pytest
from support.drawn import line

from analysis.forecasts.paths import BASE_RATE, POOL, Forecast
from analysis.forecasts.plots import HEADROOM, plot_forecast, plot_probabilities

MONTHS = pd.period_range("2015-01", periods=80, freq="M")
KNOWN = pd.DataFrame({"deaths": 200 + np.arange(80), "person_years": 1e6}, index=MONTHS)
AHEAD = pd.period_range("2021-09", periods=10, freq="M")
PATHS = np.log(np.arange(1.0, 102)[:, None] * np.ones(10))
MADE = Forecast("last_value", KNOWN, pd.Series(1e6, AHEAD), PATHS)


def band(ax, label):
    drawn = next(drawn for drawn in ax.collections if drawn.get_label() == label)
    heights = drawn.get_paths()[0].vertices[:, 1]
    return heights.min(), heights.max()


def came():
    index = AHEAD[:4].append(pd.period_range("2030-01", periods=2, freq="M"))
    return pd.DataFrame({"deaths": [210, 220, 230, 240, 1, 1], "person_years": 1e6}, index=index)


def test_forecast_is_drawn_with_its_bands_and_what_came(ax):
    assert plot_forecast(MADE, came(), ax=ax) is ax
    for share, ends in ((50, (26, 76)), (80, (11, 91)), (95, (3.5, 98.5))):
        assert band(ax, f"{share}% band") == pytest.approx(ends)
    np.testing.assert_allclose(line(ax, "median").get_ydata(), 51)
    np.testing.assert_allclose(line(ax, "what came").get_ydata(), [21, 22, 23, 24])
    known = line(ax, "known at the freeze").get_ydata()
    np.testing.assert_allclose(known, 20 + np.arange(8, 80) / 10)
    assert line(ax, "frozen after August 2021").get_xdata()[0] == pd.Timestamp("2021-09-01")
    assert ax.get_title() == "last value"


def test_frame_is_set_by_the_months_before_the_freeze(ax):
    plot_forecast(MADE, ax=ax)
    assert ax.get_ylim() == pytest.approx((0, HEADROOM * 27.9))
    alone = (*ax.get_xlim(), *ax.get_ylim())
    ax.clear()
    plot_forecast(MADE, came().assign(deaths=9999), ax=ax)
    assert (*ax.get_xlim(), *ax.get_ylim()) == alone


def test_probabilities_are_drawn_beside_where_certainty_begins(ax):
    years = {"year": ["2022", "every"], "came": ["higher", "not higher"]}
    one = pd.DataFrame(years | {"method": "last_value", "than": 2020})
    table = pd.concat([one, one.assign(method=POOL)], ignore_index=True)
    table["probability"] = [0.5, 0.25, 0.6, 0.3]
    plain = {"method": BASE_RATE, "year": "every", "probability": 0.2, "came": "not higher"}
    table = pd.concat([pd.DataFrame([plain | {"than": 2020}]), table], ignore_index=True)
    plot_probabilities(table, ax=ax)
    drawn = {points.get_label(): points.get_offsets()[:, 0].tolist() for points in ax.collections}
    assert drawn["2022 (came: higher)"] == [0.5, 0.6]
    assert drawn["every year (came: not higher)"] == [0.2, 0.25, 0.3]
    sure = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (sure.x0, sure.x1) == pytest.approx((0.95, 1))
    assert ax.get_xlabel() == "Probability of a higher rate than in 2020"
