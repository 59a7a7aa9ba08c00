import json
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from support.folders import ROOT
from support.forecast_series import counts
from support.sweeps import sweep

from analysis import forecast_all, freeze, load_inaugurations, load_series
from analysis.engine.optimise import EstimatorError
from analysis.forecasts import paths
from analysis.forecasts.methods import METHODS
from analysis.forecasts.paths import BANDS, POOL, Forecast, carry_person_years
from analysis.mexico import record
from analysis.mexico.sources import freeze_month

AT, UNTIL = "2021-04", "2024-12"
PRESIDENTS = load_inaugurations()
OPTIONS = {"until": UNTIL, "inaugurations": PRESIDENTS, "draws": 100}


def forecast(known, slug, **options):
    return forecast_all(known, methods=[slug], **options)[slug]


def made_of(drawn, known_months=40):
    known = counts(known_months).assign(person_years=1e5)
    index = pd.period_range(known.index[-1] + 1, periods=drawn.shape[1], freq="M")
    return Forecast("last_value", known, pd.Series(2e5, index), np.asarray(drawn, dtype=float))


@pytest.fixture(scope="module")
def series():
    return load_series("sesnsp")


@pytest.fixture
def known(series):
    return freeze(series, at=AT)


@pytest.fixture(scope="module")
def forecasts(series):
    return forecast_all(freeze(series, at=AT), **OPTIONS)


PLANTS = {
    "deaths": lambda later: later.assign(deaths=later["deaths"] * 3 + 7),
    "population": lambda later: later.assign(
        person_years=later["person_years"] * np.linspace(0.1, 9, len(later))
    ),
    "nonsense": lambda later: later.assign(deaths=-1.5, person_years=np.nan),
    "end": lambda later: later.iloc[:0],
}


def numbers(made):
    tables = (made.paths, made.person_years, made.yearly())
    return [np.asarray(table).tobytes() for table in tables]


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_no_month_after_the_freeze_is_seen(series, forecasts, plant):
    planted = pd.concat([series.loc[:AT], plant(series.loc["2021-05":])])
    found = forecast_all(freeze(planted, at=AT), **OPTIONS)
    assert list(found) == list(forecasts)
    for slug, one in forecasts.items():
        assert numbers(one) == numbers(found[slug])


@pytest.mark.slow
def test_notebook_sees_no_month_after_the_freeze(series, monkeypatch, tmp_path):
    """Everything but what came is the same, to the bytes of the record."""
    notebook = ROOT / "notebooks/08-forecast.ipynb"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    source = re.sub("^%.*$", "", source, flags=re.MULTILINE)
    names = {"draws": "200", "every": "12", "results": repr(str(tmp_path))}
    for name, value in names.items():
        source = re.sub(rf"^{name}: (\w+) = .*$", f"{name} = {value}", source, flags=re.MULTILINE)
    planted = series.copy()
    planted.loc["2021-05":, "deaths"] = planted.loc["2021-05":, "deaths"] * 3 + 7
    runs, records = [], []
    for frame in (series, planted):
        name = "analysis.claims.evidence.load_series"
        monkeypatch.setattr(name, lambda *_, given=frame, **__: given)
        runs.append(space := {})
        exec(compile(source, notebook.name, "exec"), space)
        assert space["results"].is_relative_to(tmp_path / "explored")
        records.append((space["results"] / "forecasts/sesnsp--origins.csv").read_bytes())
        plt.close("all")
    one, other = runs
    assert records[0] == records[1]
    for slug, made in one["forecasts"].items():
        assert other["forecasts"][slug].paths.tobytes() == made.paths.tobytes()
    came = ["observed", "observed_than", "came"]
    tables = [space["probabilities"].drop(columns=came) for space in runs]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    limits = [[(*ax.get_xlim(), *ax.get_ylim()) for ax in space["axes"].values()] for space in runs]
    assert limits[0] == limits[1]
    assert other["answered"]["years_higher"].item() == 3
    assert one["scores"]["brier"].tolist() != other["scores"]["brier"].tolist()


@pytest.mark.parametrize(
    "slug", [pytest.param(x, marks=[pytest.mark.slow] * x.startswith("local")) for x in METHODS]
)
def test_last_month_before_the_freeze_is_seen(known, slug):
    changed = known.copy()
    changed.loc[AT, "deaths"] *= 2
    one, other = (forecast(frame, slug, **OPTIONS) for frame in (known, changed))
    assert np.median(other.paths - one.paths, axis=0)[:12].max() > 0.05


@pytest.mark.slow
def test_deaths_and_population_scaled_together_change_nothing(known, forecasts):
    scaled = forecast_all(known * [2, 2.0], **OPTIONS)
    for slug, made in forecasts.items():
        np.testing.assert_array_equal(scaled[slug].paths, made.paths)
        np.testing.assert_allclose(scaled[slug].yearly(), made.yearly(), rtol=1e-12)


def test_seed_decides_and_other_methods_do_not(known):
    slug, options = "linear_trend_ar1", {"until": UNTIL, "draws": 100}
    alone, other = (forecast(known, slug, **options, seed=seed) for seed in (3, 4))
    beside = forecast_all(known, methods=["last_value", slug], **options, seed=3)
    np.testing.assert_array_equal(alone.paths, beside[slug].paths)
    assert (alone.paths != other.paths).all()


@pytest.mark.parametrize(
    "asked", sweep([["last_value", "its_inauguration", "linear_trend_ar1"], [*METHODS]], 0)
)
def test_method_without_an_answer_is_left_out(forecasts, asked):
    assert list(forecasts) == list(METHODS)
    known = freeze(counts(60, "2001-01"), at="2005-12")
    options = {"methods": asked, "inaugurations": PRESIDENTS, "draws": 100}
    made = forecast_all(known, until="2006-12", **options)
    assert list(made) == [slug for slug in asked if slug != "its_inauguration"]
    with pytest.raises(EstimatorError, match="none of the methods"):
        forecast_all(known, until="2006-12", methods=["its_inauguration"], inaugurations=PRESIDENTS)


def test_bands_are_quantiles_of_the_draws():
    rates = np.arange(101.0)[:, None] * [1, 2]
    table = paths.band_table(rates, pd.Index(["a", "b"]))
    ends = [f"{end}_{name}" for name in BANDS for end in ("low", "high")]
    assert table.columns.tolist() == ["expected", *ends]
    assert table.loc["a"].tolist() == pytest.approx([50, 25, 75, 10, 90, 2.5, 97.5])
    np.testing.assert_allclose(table.loc["b"], 2 * table.loc["a"])


def test_years_are_deaths_over_person_years_with_the_months_known():
    made = made_of(np.log(np.array([[12.0] * 20, [24.0] * 20])))  # known until 2018-04
    yearly = made.yearly()
    assert yearly.columns.tolist() == [2018, 2019]
    np.testing.assert_allclose(yearly[2019], [12, 24])
    counted = made.known.loc["2018", "deaths"].sum()
    expected = 1e5 * (counted + np.array([12, 24]) * 2 * 8) / (4 * 1e5 + 8 * 2e5)
    np.testing.assert_allclose(yearly[2018], expected, rtol=1e-12)
    longer = made_of(np.log(np.tile(np.arange(1.0, 21), (2, 1))), 36).yearly()
    assert longer.columns.tolist() == [2018]  # 2019 is not full
    np.testing.assert_allclose(longer[2018], 6.5)


def test_year_is_no_mean_of_monthly_rates():
    made = made_of(np.log(np.tile(np.arange(1.0, 13), (2, 1))), 36)
    weights = np.arange(12.0, 0, -1) * 1e5
    uneven = replace(made, person_years=made.person_years * 0 + weights)
    expected = (np.arange(1, 13) * weights).sum() / weights.sum()
    np.testing.assert_allclose(uneven.yearly()[2018], expected)
    assert expected < 6


def test_person_years_are_carried_on_at_the_last_years_growth():
    known = counts(48)
    carried = carry_person_years(known, pd.Period("2020-12", "M"))
    months = pd.period_range("2019-01", "2020-12", freq="M")
    expected = 1e6 * 1.01 ** (np.arange(48, 72) / 12) * months.days_in_month
    np.testing.assert_allclose(carried, expected, rtol=1e-12)
    assert carried.index.equals(months)


def test_carried_person_years_are_near_those_that_came(series, known):
    carried = carry_person_years(known, pd.Period("2025-06", "M"))
    np.testing.assert_allclose(carried, series.loc["2021-05":, "person_years"], rtol=0.02)


def test_every_method_is_declared_in_words():
    text = (ROOT / "notebooks/08-forecast.ipynb").read_text(encoding="utf-8")
    told = ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
    rows = next(words for words in told if "## What was declared" in words).splitlines()
    table = [re.split(r"\*: |\. Why: ", row[3:]) for row in rows if row.startswith("- *")]
    assert [title for title, *_ in table] == [paths.TITLES[slug] for slug in [*METHODS, POOL]]
    assert all(len(words) > 20 for _, *both in table for words in both)
    assert "errors of the headline's law: memory seen through noise" in table[2][1]


@pytest.mark.slow
def test_known_frame_is_left_alone(known):
    before = known.copy(deep=True)
    forecast_all(known, until="2021-12", draws=100)
    pd.testing.assert_frame_equal(known, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["last_valu"]}, "unknown method 'last_valu'. Did you mean 'last_value'"),
        ({"until": "2021-12"}, "until must be 1 to 600 months after the last known one, 2021-12"),
        ({"until": "9999-12"}, "until must be 1 to 600 months after"),
        ({"methods": []}, "methods names none; choose of .'last_value'"),
        ({"methods": {"last_value": 1}}, "methods must be one or a sequence of them"),
        ({"until": 2024}, "until must be a month"),
        ({"draws": 10}, "draws must be a whole number from 100"),
        ({"seed": None}, "seed must be a whole number"),
    ],
)
def test_forecast_refuses(options, message):
    options = {"methods": ["last_value"], "until": UNTIL} | options
    with pytest.raises((KeyError, TypeError, ValueError), match=message):
        forecast_all(counts(), **options)


def test_counts_and_methods_may_be_of_any_kind():
    plain = counts().assign(person_years=1e5)
    options = {"until": UNTIL, "draws": 100}
    expected = forecast_all(freeze(plain, at=AT), methods="last_value", **options)["last_value"]
    for kind in ("int64", "float32", "Int64", "Float64"):
        known = freeze(plain.astype({"person_years": kind}), at=AT)
        made = forecast_all(known, methods=pd.Index(["last_value"]), **options)["last_value"]
        np.testing.assert_array_equal(made.paths, expected.paths)


@pytest.mark.parametrize(
    ("source", "published", "last"),
    [
        ("sesnsp", "2021-05", "2021-04"),
        ("sesnsp", "2021-01", "2020-12"),
        ("inegi", "2021-05", "2019-12"),
        ("inegi", "2020-10", "2019-12"),
        ("inegi", "2020-09", "2018-12"),
    ],
)
def test_source_is_frozen_at_what_was_published(source, published, last):
    assert freeze_month(source, published) == pd.Period(last, "M")
    assert freeze_month(source, pd.Period(published, "M")) == pd.Period(last, "M")


def test_freeze_keeps_the_months_until_then_and_copies(series):
    before = series.copy(deep=True)
    known = freeze(series, at=AT)
    pd.testing.assert_frame_equal(known.loc[:"2020-06"], series.loc[:"2020-06"])
    pd.testing.assert_series_equal(known["deaths"], series.loc[:AT, "deaths"])
    carried = known["person_years"] / series.loc[:AT, "person_years"] - 1
    assert 0 < carried.abs().max() < 0.002
    known.loc[AT, "deaths"] = 0
    pd.testing.assert_frame_equal(series, before)


@pytest.mark.parametrize(
    ("frame", "at", "message"),
    [
        (counts(), "2014-12", "at must be in the series, 2015-01 to 2021-12; found 2014-12"),
        (counts(), "2022-01", "at must be in the series"),
        (counts(), "May 21st", "at must be a month like '2021-05'; found 'May 21st'"),
        (counts(), "2017-11", "35 months until 2017-11 are too few .* at least 36"),
        (counts().assign(deaths=[0, *[5] * 83]), AT, r"log scale needs deaths .* \['2015-01'\]"),
        (counts().drop(columns="person_years"), AT, "needs the columns"),
        (counts().assign(value=1.0)[["value"]], AT, "scale 'log' needs 'deaths' and"),
        (counts().drop(pd.Period("2016-03", "M")), AT, r"missing \['2016-03'\]"),
        (counts().set_axis(pd.period_range("1900", periods=84, freq="Y")), AT, "needs months"),
        (counts()["deaths"], AT, "series must be a DataFrame; found pandas Series"),
    ],
)
def test_freeze_refuses(frame, at, message):
    with pytest.raises((TypeError, ValueError), match=message):
        freeze(frame, at=at)


def test_unknown_source_is_named():
    with pytest.raises(KeyError, match="Did you mean 'inegi'"):
        freeze_month("inegy", "2021-05")


@pytest.mark.parametrize(("source", "at"), [("sesnsp", "2021-04"), ("inegi", "2019-12")])
def test_no_population_of_a_later_mid_year_is_seen(monkeypatch, source, at):
    before = freeze(load_series(source), at=at)
    later = int(at[:4]) + (at[5:] > "06")
    population = record.load_table("population")
    population.loc[population["year"] >= later, "population"] *= 2
    real = record.load_table
    monkeypatch.setattr(
        record, "load_table", lambda name: population if name == "population" else real(name)
    )
    monkeypatch.setattr(record, "monthly_population", record.monthly_population.__wrapped__)
    planted = load_series(source)
    raw = planted.loc[:at, "person_years"]
    assert (raw / before["person_years"]).max() > 1.3  # the plant reached the months before
    pd.testing.assert_frame_equal(freeze(planted, at=at), before)
