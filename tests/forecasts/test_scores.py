import numpy as np
import pandas as pd
import pytest

from analysis import forecast_all, roll_origins
from analysis.forecasts import scores
from analysis.forecasts.paths import POOL, Forecast
from analysis.forecasts.scores import SCORES, score_draws, score_forecast, score_table

QUICK = ["last_value", "seasonal_naive"]
ROLL = {"methods": QUICK, "every": 6, "horizon": 18, "draws": 100}


def counts(months=60, seed=1):
    index = pd.period_range("2015-01", periods=months, freq="M")
    deaths = np.random.default_rng(seed).poisson(300, months)
    return pd.DataFrame({"deaths": deaths, "person_years": 1e6}, index=index)


def fixed_forecast(rates, known=36):
    """Forecast months 2018-01 on by given draws of the rate, shape (draws, months)."""
    series = counts(known)
    ahead = pd.period_range(series.index[-1] + 1, periods=np.shape(rates)[1], freq="M")
    return Forecast(scores.YARDSTICK, series, pd.Series(1e6, ahead), np.log(rates))


def test_crps_is_the_mean_distance_less_half_the_spread():
    draws, observed = np.array([1.0, 2.0, 4.0, 9.0]), 3.0
    by_hand = (2 + 1 + 1 + 6) / 4 - (1 + 3 + 8 + 2 + 7 + 5) / 16
    assert by_hand == 2.5 - 26 / 16
    scored = score_draws([observed], draws[:, None], pd.Index([0]))
    assert scored["crps"].item() == pytest.approx(by_hand, abs=1e-12)


def test_crps_of_a_certain_forecast_is_its_error():
    scored = score_draws([3.0, 5.0], np.full((50, 2), 4.5), pd.RangeIndex(2))
    assert scored["crps"].tolist() == pytest.approx([1.5, 0.5])
    assert scored["expected"].tolist() == [4.5, 4.5]


def test_interval_score_is_width_plus_what_lies_outside():
    rates = np.repeat(np.arange(101.0)[:, None], 3, axis=1)
    scored = score_draws([50.0, 95.0, 5.0], rates, pd.RangeIndex(3))
    assert scored["interval_80"].tolist() == pytest.approx([80, 80 + 10 * 5, 80 + 10 * 5])
    assert scored["interval_50"].tolist() == pytest.approx([50, 50 + 4 * 20, 50 + 4 * 20])
    assert scored["interval_95"].tolist() == pytest.approx([95, 95, 95])
    assert scored["covered_80"].tolist() == [1, 0, 0]
    assert scored["covered_95"].tolist() == [1, 1, 1]


def test_score_takes_the_months_that_came():
    made = fixed_forecast(np.tile([30.0, 20.0, 25.0, 40.0], (3, 1)))
    came = counts(38).assign(deaths=[*[1] * 36, 290, 230])
    scored = score_forecast(made, came)
    assert scored.index.astype(str).tolist() == ["2018-01", "2018-02"]
    assert scored["observed"].tolist() == pytest.approx([29, 23])
    assert scored["crps"].tolist() == pytest.approx([1, 3])


def test_nothing_came_is_said():
    made = fixed_forecast(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"no month from 2018-01 to 2018-04 .* nothing came"):
        score_forecast(made, counts(36))


def test_table_has_one_row_a_method_the_best_first():
    near, far = (np.tile([[rate, rate]], (3, 1)) for rate in (28.0, 20.0))
    came = counts(38).assign(deaths=300)
    table = score_table({"last_value": fixed_forecast(far), POOL: fixed_forecast(near)}, came)
    assert table["method"].tolist() == [POOL, "last_value"]
    assert table["crps"].tolist() == pytest.approx([2, 10])
    assert table["crps_ratio"].tolist() == pytest.approx([0.2, 1])
    assert table["months"].tolist() == [2, 2]
    assert score_table({POOL: fixed_forecast(near)}, came)["crps_ratio"].isna().all()


def test_origins_reach_back_to_the_fewest_months_and_end_at_the_freeze():
    rolled = roll_origins(counts(60), **ROLL)
    last = rolled[(rolled["unit"] == "month") & (rolled["method"] == "last_value")]
    reach = last.groupby("origin")["ahead"].max()
    assert reach.index.astype(str).tolist() == ["2017-12", "2018-06", "2018-12", "2019-06"]
    assert reach.tolist() == [18, 18, 12, 6]
    years = rolled[(rolled["unit"] == "year") & (rolled["method"] == POOL)]
    assert years["origin"].astype(str).tolist() == ["2017-12", "2018-06", "2018-12"]
    assert set(rolled["method"]) == {*QUICK, POOL}


def test_origin_scores_the_forecast_made_there():
    known = counts(60)
    rolled = roll_origins(known, **ROLL, seed=4).query("method == 'seasonal_naive'")
    past = known.loc[:"2018-06"]
    made = forecast_all(past, methods=QUICK, until="2019-12", draws=100, seed=4)
    expected = score_forecast(made["seasonal_naive"], known)
    found = rolled[(rolled["origin"] == past.index[-1]) & (rolled["unit"] == "month")]
    np.testing.assert_allclose(found[SCORES], expected[SCORES], rtol=1e-12)


def test_year_ahead_is_weighed_by_person_years():
    known = counts(48)
    known["person_years"] = np.tile(np.arange(1.0, 13) * 1e5, 4)
    rolled = roll_origins(known, methods=["last_value"], every=12, horizon=12, draws=100)
    year = rolled[(rolled["unit"] == "year") & (rolled["method"] == "last_value")]
    deaths, size = known.loc["2018"].sum()
    assert year["observed"].tolist() == pytest.approx([1e5 * deaths / size])


def test_month_after_an_origin_is_scored_and_not_seen():
    known = counts(60)
    planted = known.copy()
    planted.loc["2019-01":, "deaths"] += 500
    one, other = (roll_origins(frame, **ROLL) for frame in (known, planted))
    early = one["origin"] < pd.Period("2019-01", "M")
    assert early.any()
    pd.testing.assert_series_equal(one.loc[early, "expected"], other.loc[early, "expected"])
    assert (one.loc[~early, "expected"] != other.loc[~early, "expected"]).all()
    assert (one["observed"] != other["observed"]).any()


def test_summary_averages_by_horizon_against_the_same_targets():
    first, second = pd.period_range("2018-01", periods=2, freq="M")
    rows = [
        ("last_value", first, "month", 1, 2.0),
        ("last_value", first, "month", 7, 4.0),
        ("last_value", second, "month", 2, 6.0),
        ("last_value", second, "month", 99, 9.0),
        ("last_value", second, "year", 1, 5.0),
        ("damped_trend", second, "month", 2, 3.0),
    ]
    rolled = pd.DataFrame(rows, columns=["method", "origin", "unit", "ahead", "crps"])
    rolled = rolled.assign(**dict.fromkeys(set(SCORES) - {"crps"}, 1.0))
    table = scores.summarise_origins(rolled).set_index(["method", "horizon"])
    methods, horizons = zip(*table.index, strict=True)
    assert methods == (*["last_value"] * 3, "damped_trend")
    assert horizons == ("months 1-6", "months 7-12", "year 1", "months 1-6")
    assert table["crps"].tolist() == [4, 4, 5, 3]
    assert table["crps_ratio"].tolist() == [1, 1, 1, 0.5]
    assert table["origins"].tolist() == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: roll_origins(counts(36)), "36 months leave no origin"),
        (lambda: roll_origins(counts(60), every=0), "every must be a whole number from 1"),
        (lambda: roll_origins(counts(60), horizon=1.5), "horizon must be a whole number"),
    ],
)  # fmt: skip
def test_scores_refuse(action, message):
    with pytest.raises(ValueError, match=message):
        action()


@pytest.mark.slow
def test_crps_of_normal_draws_is_the_closed_form():
    """CRPS of N(0, 1) at y; 200,000 draws leave a standard error below 0.003."""
    y = np.array([-1.5, 0.0, 0.7])
    draws = np.random.default_rng(0).standard_normal((200_000, 3))
    density, below = np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi), [0.0668072, 0.5, 0.7580363]
    closed = y * (2 * np.array(below) - 1) + 2 * density - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(score_draws(y, draws, pd.RangeIndex(3))["crps"], closed, atol=0.009)
