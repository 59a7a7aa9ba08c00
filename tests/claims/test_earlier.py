import numpy as np
import pandas as pd
import pytest
from support.forecast_series import CLAIM
from support.measured_claims import EVIDENCE

from analysis import load_inaugurations
from analysis.claims.earlier import ask_earlier, count_base_rate, pool_by_record, score_earlier
from analysis.claims.evidence import SCALED, freeze_source, observed_years
from analysis.forecasts.paths import BASE_RATE, POOL, forecast_all
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
    assert count_base_rate(EVIDENCE.yearly, CLAIM, 2020) == (8, 27)
    assert count_base_rate(EVIDENCE.yearly, CLAIM, 2019) == (7, 26)


def test_pool_leaves_out_what_the_record_of_the_time_rejects():
    known = freeze_source(EVIDENCE.series[SCALED], "inegi", pd.Period("2010-12", "M"))
    made = forecast_all(known, until="2012-12", methods=["last_value", "seasonal_naive"], draws=100)
    held = {"last_value": 1.0, "seasonal_naive": 0.0}
    assert len(pool_by_record(made, rolled_of(held), CLAIM)[POOL].paths) == 100
    later = rolled_of(held).assign(ahead=9)  # none of these years had ended
    assert len(pool_by_record(made, later, CLAIM)[POOL].paths) == 200


def test_earlier_years_are_asked_with_what_was_known_then():
    options = {"methods": ["seasonal_naive"], "inaugurations": load_inaugurations(), "draws": 100}
    options |= {
        "source": "inegi",
        "published": "2021-05",
        "rolled": rolled_of({"seasonal_naive": 1.0}),
    }
    series = EVIDENCE.series[SCALED]
    asked = ask_earlier(series, EVIDENCE.yearly, CLAIM, **options)
    one = asked[asked["method"] == "seasonal_naive"].set_index("than")
    assert one.index.tolist() == list(range(2019, 2002, -1))
    assert one.loc[2010, "freeze"] == "2009-12"
    rates = observed_years(EVIDENCE.yearly, SCALED)
    came = [min(rates[year + gap] for gap in (2, 3, 4)) > rates[year] for year in one.index]
    assert (one["came"] == "higher").tolist() == came
    base = asked[asked["method"] == BASE_RATE].set_index("than")["probability"]
    assert base[2003] == pytest.approx(1 / 9)  # of 1990 to 1998 only 1990
    planted = series.copy()
    planted.loc["2010-01":, "deaths"] *= 3
    other = ask_earlier(planted, EVIDENCE.yearly, CLAIM, **options)
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
