import numpy as np
import pandas as pd
from measured_claims import CLAIMS, EVIDENCE

from analysis import load_series
from analysis.claim_fits import fit_courses, fit_trend, split_term


def test_trend_and_courses_are_exact_without_noise():
    index = pd.period_range("2010-01", periods=72, freq="M")
    years = np.arange(72) / 12
    slopes = np.where(years < 2, -0.1, np.where(years < 4, 0.3, 0.05))
    log_rate = np.concatenate([[0], np.cumsum(slopes[:-1]) / 12])
    frame = pd.DataFrame({"deaths": 1e12 * np.exp(log_rate), "person_years": 1e15}, index=index)
    courses = fit_courses(frame, (index[24], index[48]), harmonics=0)
    expected = 100 * np.expm1([-0.1, 0.3, 0.05])
    np.testing.assert_allclose(courses["estimate"], expected, atol=1e-9)
    np.testing.assert_allclose(
        fit_trend(frame.iloc[:24], harmonics=0)["estimate"], expected[0], atol=1e-9
    )


def test_term_is_split_at_the_shift():
    before, within = split_term(CLAIMS["lopez-obrador-two-years"], EVIDENCE, "INEGI")
    assert [str(before.index[0]), str(before.index[-1])] == ["2012-12", "2018-11"]
    assert [str(within.index[0]), str(within.index[-1])] == ["2018-12", "2020-11"]
    pd.testing.assert_frame_equal(within, load_series("inegi").loc["2018-12":"2020-11"])
