import numpy as np
import pandas as pd
import pytest
from support.forecast_series import CLAIM
from support.measured_claims import EVIDENCE

from analysis import load_inaugurations
from analysis.claims.evidence import SCALED, observed_years
from analysis.claims.outcome import ask_earlier, count_base_rate, score_earlier
from analysis.forecasts.paths import BASE_RATE, POOL
from analysis.mexico.tables import load_table


def rolled_of(held):
    """A record of six years ahead that had ended early, held or missed by method."""
    origins = pd.period_range("2005-12", periods=6, freq="M")
    rows = [(slug, origin, 1, one) for slug, one in held.items() for origin in origins]
    rolled = pd.DataFrame(rows, columns=["method", "origin", "ahead", "covered_95"])
    return rolled.assign(crps=1.0)


def test_base_rate_is_the_one_counted_by_hand():
    registered = load_table("inegi_registered").set_index("year")["registered_deaths"]
    people = load_table("population").query("state == 'MX00'").set_index("year")["population"]
    rate = registered / people.reindex(registered.index)
    higher = [
        year
        for year in range(1990, 2017)
        if min(rate[year + gap] for gap in (2, 3, 4)) > rate[year]
    ]
    assert higher == [1990, 2006, 2007, 2008, 2009, 2014, 2015, 2016]
    assert count_base_rate(EVIDENCE, CLAIM, 2020) == (8, 27)
    assert count_base_rate(EVIDENCE, CLAIM, 2019) == (7, 26)


@pytest.mark.slow
def test_pool_leaves_out_what_the_record_of_the_time_rejects():
    options = {"methods": ["last_value", "seasonal_naive"], "draws": 100, "source": "inegi"}
    rolled = rolled_of({"last_value": 1.0, "seasonal_naive": 0.0})
    options |= {"published": "2021-05", "rolled": rolled}  # these years end in 2006 and 2007
    asked = ask_earlier(EVIDENCE.series[SCALED], EVIDENCE, CLAIM, **options)
    told = asked.pivot(index="than", columns="method", values="probability")
    after, before = told.loc[2009:], told.loc[:2006]
    assert (after[POOL] == after["last_value"]).all()
    both = before[["last_value", "seasonal_naive"]].mean(axis=1)
    assert before[POOL].to_numpy() == pytest.approx(both.to_numpy())


@pytest.mark.slow
def test_earlier_years_are_asked_with_what_was_known_then():
    options = {"methods": ["seasonal_naive"], "inaugurations": load_inaugurations(), "draws": 100}
    options |= {
        "source": "inegi",
        "published": "2021-05",
        "rolled": rolled_of({"seasonal_naive": 1.0}),
    }
    series = EVIDENCE.series[SCALED]
    asked = ask_earlier(series, EVIDENCE, CLAIM, **options)
    one = asked[asked["method"] == "seasonal_naive"].set_index("than")
    assert one.index.tolist() == list(range(2019, 2002, -1))
    assert one.loc[2010, "freeze"] == "2009-12"
    rates = observed_years(EVIDENCE, SCALED)
    came = [min(rates[year + gap] for gap in (2, 3, 4)) > rates[year] for year in one.index]
    assert (one["came"] == "higher").tolist() == came
    base = asked[asked["method"] == BASE_RATE].set_index("than")["probability"]
    assert base[2003] == pytest.approx(1 / 9)  # of 1990 to 1998 only 1990
    planted = series.copy()
    planted.loc["2010-01":, "deaths"] *= 3
    other = ask_earlier(planted, EVIDENCE, CLAIM, **options)
    other = other[other["method"] == "seasonal_naive"].set_index("than")["probability"]
    assert (other.loc[2010:] == one.loc[2010:, "probability"]).all()
    assert other[2012] != one.loc[2012, "probability"]


def test_brier_score_is_the_mean_square_beside_the_base_rates_on_the_same_years():
    rows = [
        (BASE_RATE, 2001, 0.2, "higher"),
        (BASE_RATE, 2002, 0.3, "not higher"),
        ("last_value", 2001, 0.9, "higher"),
        ("last_value", 2002, 0.5, "not higher"),
        ("its_inauguration", 2002, 1.0, "not higher"),
    ]
    asked = pd.DataFrame(rows, columns=["method", "than", "probability", "came"])
    scores = score_earlier(asked).set_index("method")
    np.testing.assert_allclose(scores["brier"], [(0.64 + 0.09) / 2, (0.01 + 0.25) / 2, 1])
    np.testing.assert_allclose(scores["brier_base_rate"], [0.365, 0.365, 0.09])
    assert scores.loc["last_value", ["first", "last", "years", "higher"]].tolist() == [
        2001, 2002, 2, 1,
    ]  # fmt: skip
