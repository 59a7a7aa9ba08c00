import numpy as np
import pandas as pd
import pytest

from analysis import forecast_all, roll_origins
from analysis.engine.optimise import EstimatorError
from analysis.forecasts.paths import POOL, judge_record, pool_forecasts, score_draws

QUICK = ["last_value", "seasonal_naive"]
ROLL = {"methods": QUICK, "every": 6, "horizon": 24, "draws": 100}


def counts(months=60, seed=1):
    index = pd.period_range("2015-01", periods=months, freq="M")
    deaths = np.random.default_rng(seed).poisson(300, months)
    return pd.DataFrame({"deaths": deaths, "person_years": 1e6}, index=index)


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


def test_bands_hold_what_lies_between_their_ends():
    rates = np.repeat(np.arange(101.0)[:, None], 3, axis=1)
    scored = score_draws([50.0, 97.5, 2.0], rates, pd.RangeIndex(3))
    assert scored["covered_95"].tolist() == [1, 1, 0]


def test_origins_reach_back_to_the_fewest_months_and_leave_a_year():
    rolled = roll_origins(counts(60), **ROLL)
    reach = rolled[rolled["method"] == "last_value"].groupby("origin")["ahead"].max()
    assert reach.index.astype(str).tolist() == ["2017-12", "2018-06", "2018-12"]
    assert reach.tolist() == [2, 1, 1]
    assert set(rolled["method"]) == set(QUICK)


def test_origin_scores_the_years_of_the_forecast_made_there():
    known = counts(60)
    rolled = roll_origins(known, **ROLL, seed=4).query("method == 'seasonal_naive'")
    past = known.loc[:"2018-06"]
    made = forecast_all(past, methods=QUICK, until="2019-06", draws=100, seed=4)
    rates = made["seasonal_naive"].rates @ (known.loc["2018-07":"2019-06", "person_years"] / 12e6)
    observed = 1e5 * known.loc["2018-07":"2019-06", "deaths"].sum() / 12e6
    expected = score_draws([observed], rates[:, None], pd.RangeIndex(1))
    found = rolled[rolled["origin"] == past.index[-1]]
    columns = ["observed", "expected", "crps", "covered_95"]
    np.testing.assert_allclose(found[columns], expected[columns], rtol=1e-12)


def test_year_ahead_is_weighed_by_person_years():
    known = counts(48)
    known["person_years"] = np.tile(np.arange(1.0, 13) * 1e5, 4)
    rolled = roll_origins(known, methods=["last_value"], every=12, draws=100)
    deaths, size = known.loc["2018"].sum()
    assert rolled["observed"].tolist() == pytest.approx([1e5 * deaths / size])


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


FIRST, SECOND = pd.period_range("2018-01", periods=2, freq="M")


def rolled_of(*rows):
    rolled = pd.DataFrame(rows, columns=["method", "origin", "ahead", "covered_95"])
    return rolled.assign(crps=1.0)


def test_record_knows_the_years_that_had_ended_and_no_other():
    rolled = rolled_of(
        ("last_value", FIRST, 1, 1),  # ended in 2019-01
        ("last_value", SECOND, 1, 1),
        ("last_value", FIRST, 2, 0),  # ends in 2020-01
        ("damped_trend", FIRST, 1, 0),
        ("damped_trend", SECOND, 1, 1),
    )
    rule = {"least": 0.75, "fewest": 2}
    early, later = (
        judge_record(rolled, pd.Period(at, "M"), **rule) for at in ("2019-12", "2020-01")
    )
    assert early["years"].tolist() == [2, 2]
    assert early["held"].tolist() == [1, 0.5]
    assert early["kept"].tolist() == [True, False]
    assert later.loc["last_value", ["years", "kept"]].tolist() == [3, False]
    assert judge_record(rolled, SECOND + 12, least=0.75, fewest=3)["kept"].all()  # too few to judge
    assert judge_record(rolled, FIRST, **rule)["years"].tolist() == [0, 0]


def test_pool_holds_the_draws_of_those_that_the_record_keeps():
    made = forecast_all(counts(60), methods=QUICK, until="2020-12", draws=100)
    record = pd.DataFrame({"kept": [True, False]}, index=QUICK)
    pooled = pool_forecasts(made, record)
    assert list(pooled) == [*QUICK, POOL]
    np.testing.assert_array_equal(pooled[POOL].paths, made["last_value"].paths)
    both = pool_forecasts(made, record.iloc[:1])[POOL]  # no record is no reason
    np.testing.assert_array_equal(both.paths, np.concatenate([made[slug].paths for slug in QUICK]))
    with pytest.raises(EstimatorError, match="rejects every method"):
        pool_forecasts(made, record.assign(kept=False))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: roll_origins(counts(47)), "47 months leave no origin"),
        (lambda: roll_origins(counts(60), every=0), "every must be a whole number from 1"),
        (lambda: roll_origins(counts(60), horizon=11), "horizon must be a whole number from 12"),
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
