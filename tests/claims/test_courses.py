from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.measured_claims import EVIDENCE, measure, plant, value
from support.sweeps import sweep

from analysis import load_series
from analysis.claims import courses
from analysis.claims.courses import COURSES, fit_courses, fit_shift, split_term
from analysis.claims.declared import WITH_FEMICIDE, answer_cells
from analysis.claims.evidence import BY_UNODC, OCCURRED, REGISTERED, SCALED


def test_modelled_measures_are_those_of_an_independent_engine(found):
    """From `support.independent_law`, over every pair of months for the rise."""
    rise, upsurge = found["rising-since-2016"], found["calderon-upsurge"]
    assert rise.deciding[["source", "holds"]].tolist() == ["SESNSP", "no"]
    name = "probability that the rise began in 2016"
    assert value(rise, name, counted=OCCURRED) == pytest.approx(0.0131, abs=1e-3)
    assert value(rise, name, source="SESNSP") == pytest.approx(0.7391, abs=2e-3)
    said = rise.rows.query("source == 'SESNSP'").set_index("measure")["holds"]
    assert said[name] == "cannot tell"
    assert said["trend after"] == "no"
    assert upsurge.deciding["value"] == pytest.approx(17.887, abs=0.02)
    assert upsurge.deciding["low"] == pytest.approx(0.942, abs=0.02)
    assert upsurge.deciding["high"] == pytest.approx(36.214, abs=0.02)
    assert value(upsurge, "other estimators above zero") == 6
    assert upsurge.rows.set_index("measure").loc["change of trend", "holds"] == "yes"
    term = found["lopez-obrador-two-years"]
    for counted, old, new in ((OCCURRED, 20.679, 27.895), (WITH_FEMICIDE, 21.153, 28.003)):
        assert value(term, "rate before", counted=counted) == pytest.approx(old, abs=5e-4)
        assert value(term, "rate within", counted=counted) == pytest.approx(new, abs=5e-4)


def test_deaths_of_the_upsurge_are_told_above_both_courses(found):
    upsurge = found["calderon-upsurge"]
    result = fit_shift(EVIDENCE, "calderon-2006-12", "2000-01")
    for kind, course in COURSES.items():
        excess = result.excess(kind=kind).loc["deaths"]
        assert value(upsurge, f"deaths above {course}") == excess["estimate"]
        told = f"{excess['estimate']:,.0f} deaths ({excess['low']:,.0f} to {excess['high']:,.0f})"
        assert f"{told} above {course}".replace("-", "−") in upsurge.finding
    assert not upsurge.rows.loc[upsurge.rows["unit"] == "deaths", "judges"].any()


def test_series_scaled_to_the_registered_deaths_stands_beside(found):
    for slug in ("rising-since-2016", "lopez-obrador-two-years"):
        rows = found[slug].rows.query("counted == @REGISTERED")
        assert (rows["holds"] != "").any()
        assert not rows["judges"].any()
        assert found[slug].finding.count("to which months are scaled and which judges nothing") == 1
    within = value(found["lopez-obrador-two-years"], "rate within", counted=REGISTERED)
    sums = EVIDENCE.series[SCALED].loc["2018-12":"2020-11"].sum()
    assert within == pytest.approx(1e5 * sums["deaths"] / sums["person_years"])


def test_parts_are_told_apart(found):
    term = found["lopez-obrador-two-years"].verdict_in_full
    assert term == "holds in part (elevated: holds; growing worse: not shown)"
    rise = found["rising-since-2016"].verdict_in_full
    assert rise == "does not hold (began in 2016: not shown; still rising: does not hold)"


def test_rates_of_a_course_are_those_worked_by_hand(found):
    factor = value(found["calderon-upsurge"], "highest rate over the rate before", counted=BY_UNODC)
    assert factor == pytest.approx(23.613478 / 9.745122)


def test_rise_within_the_term_changes_the_verdict():
    series = {name: frame.copy() for name, frame in EVIDENCE.series.items()}
    for frame in series.values():  # rising by a quarter a year within the term
        within = frame.loc["2018-12":"2020-11"]
        growth = 1.25 ** (np.arange(24) / 12)
        frame.loc[within.index, "deaths"] = (within["deaths"] * growth).round().astype(int)
    measured = measure("lopez-obrador-two-years", replace(EVIDENCE, series=series))
    assert measured.claim_verdict == "holds"


def upsurge_of(deaths, months):
    """The claim's measures where INEGI's deaths of some months are others."""
    frame = EVIDENCE.series["INEGI"].copy()
    frame.loc[months, "deaths"] = np.round(deaths).astype(int)
    series = EVIDENCE.series | {"INEGI": frame}
    return measure("calderon-upsurge", replace(EVIDENCE, series=series))


@pytest.mark.slow
def test_plainer_upsurge_after_2006_holds():
    term = EVIDENCE.series["INEGI"].loc["2006-12":"2012-11", "deaths"]
    steeper = upsurge_of(term * 1.1 ** (np.arange(72) / 12), term.index)
    assert steeper.claim_verdict == "holds"
    assert value(steeper, "other estimators above zero") == 7


@pytest.mark.slow  # eight estimators are fitted again
def test_calm_after_2006_is_no_upsurge():
    deaths = EVIDENCE.series["INEGI"]["deaths"]
    months = deaths.loc["2006-12":].index
    calm = upsurge_of(deaths.to_numpy()[: len(months)], months)
    assert calm.claim_verdict != "holds"
    assert calm.rows.set_index("measure").loc["change of trend", "holds"] == "cannot tell"
    assert value(calm, "other estimators above zero") == 0


MONTHS = pd.period_range("2012-12", "2020-12", freq="M")


def with_course(log_rate, start):
    """Evidence of one course with noise, which SESNSP tells from `start` on."""
    noise = np.random.default_rng(5).normal(0, 0.01, len(MONTHS))
    person_years = EVIDENCE.series["INEGI"].loc[MONTHS, "person_years"]
    deaths = np.round(person_years * 15e-5 * np.exp(log_rate + noise)).astype(int)
    frame = pd.DataFrame({"deaths": deaths, "person_years": person_years}, index=MONTHS)
    series = {"INEGI": frame, SCALED: frame, "SESNSP": frame.loc[start:]}
    return replace(EVIDENCE, series=series)


def test_rise_that_starts_in_2016_is_found_there():
    since = np.arange(len(MONTHS)) - MONTHS.get_loc(pd.Period("2016-06", "M"))
    course = np.where(since < 0, -0.1 * since / 12, 0.3 * np.minimum(since, 30) / 12)
    course = course + 0.25 * np.maximum(since - 30, 0) / 12
    measured = measure("rising-since-2016", with_course(course, "2015-01"))
    said = measured.rows.query("counted == @OCCURRED").set_index("measure")
    assert said.loc["probability that the rise began in 2016", "value"] > 0.9
    assert said.loc["trend after", "holds"] == "yes"
    assert measured.claim_verdict.startswith("holds")


def bent(*trends):
    """Monthly rates with bends at 2015-06 and 2017-06, the same under both sources."""
    starts = ("2017-06", "2015-06", "2012-12")
    yearly = np.select([pd.Period(start, "M") <= MONTHS for start in starts], trends[::-1])
    return with_course(np.concatenate([[0], np.cumsum(yearly[1:] / 12)]), "2013-12")


@pytest.mark.parametrize(
    ("trends", "start", "answer"),
    sweep(
        [
            ((-0.1, 0.3, 0.2), "June 2015", "no"),  # in 2015, not in 2016
            (
                (0.1, -0.2, 0.3),
                "June 2017",
                "no",
            ),  # the first bend leads down: the second is the start
            ((0.1, -0.1, -0.3), None, "no"),  # both lead down: no rise at all
            ((0.1, 0.3, 0.0), "June 2015", "cannot tell"),  # rising before: the start is not seen
            ((-0.2, 0.0, 0.0), None, "cannot tell"),  # a flat course is neither a rise nor a fall
        ],
    ),
)
def test_only_a_bend_that_leads_up_starts_a_rise(trends, start, answer):
    measured = measure("rising-since-2016", bent(*trends))
    began = measured.rows["measure"] == "probability that the rise began in 2016"
    assert measured.rows[began].set_index("counted").loc[OCCURRED, "holds"] == answer
    found = f"the likeliest start of the rise is {start} " if start else "no rise began"
    assert measured.finding.split("INEGI, ")[1].count(found) == 1
    if trends[-1] < 0:
        assert measured.claim_verdict == "does not hold"


def test_sets_with_gaps_are_listed_as_runs(found):
    said = found["rising-since-2016"].finding
    assert "(95% set: June 2014 to April 2015, October 2015), with a probability of 0.01" in said
    assert "May 2017 to July 2017, September 2017 to August 2018), with" in said
    quickened = "the rate was surely rising before, so that this is a quickening and the start is n"
    assert said.count(quickened) == 1
    assert said.index("SESNSP") < said.index(quickened) < said.index("INEGI")


def test_count_of_years_answers_on_the_doubling_only(found):
    upsurge = found["calderon-upsurge"]
    assert answer_cells(upsurge.rows)["counted"].tolist() == [OCCURRED]
    assert upsurge.finding.count("on the doubling only") == 2
    shown = upsurge.rows.query("counted == @BY_UNODC")
    assert shown["holds"].tolist() == ["yes"]
    assert not shown["judges"].any()


def test_count_of_years_can_refute_the_doubling(monkeypatch):
    # the months are as they were, and so is their fit
    monkeypatch.setattr(courses, "fit_shift", lambda _, *which: fit_shift(EVIDENCE, *which))
    planted = measure("calderon-upsurge", plant(15.0, "rate", counted=BY_UNODC, year=2006))
    assert planted.claim_verdict == "holds under one population"
    (row,) = planted.rows.query("counted == @BY_UNODC").to_dict("records")
    assert row["value"] == pytest.approx(23.613478 / 15)
    assert (row["holds"], row["judges"]) == ("no", True)


def test_trend_and_courses_are_exact_without_noise():
    index = pd.period_range("2010-01", periods=72, freq="M")
    years = np.arange(72) / 12
    slopes = np.where(years < 2, -0.1, np.where(years < 4, 0.3, 0.05))
    log_rate = np.concatenate([[0], np.cumsum(slopes[:-1]) / 12])
    frame = pd.DataFrame({"deaths": 1e12 * np.exp(log_rate), "person_years": 1e15}, index=index)
    courses = fit_courses(frame, (index[24], index[48]))
    expected = 100 * np.expm1([-0.1, 0.3, 0.05])
    np.testing.assert_allclose(courses["estimate"], expected, atol=1e-9)
    (trend,) = fit_courses(frame.iloc[:24])["estimate"]
    np.testing.assert_allclose(trend, expected[0], atol=1e-9)


def test_term_is_split_at_the_shift():
    before, within = split_term(EVIDENCE, "INEGI", "lopez-obrador-2018-12", 24)
    assert [str(before.index[0]), str(before.index[-1])] == ["2012-12", "2018-11"]
    assert [str(within.index[0]), str(within.index[-1])] == ["2018-12", "2020-11"]
    pd.testing.assert_frame_equal(within, load_series("inegi").loc["2018-12":"2020-11"])
