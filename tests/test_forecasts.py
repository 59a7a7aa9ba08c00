import json
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from forecast_series import counts

from analysis import load_series
from analysis.forecast_methods import METHODS
from analysis.forecasts import (
    LEVELS,
    POOL,
    Forecast,
    band_table,
    forecast,
    forecast_all,
    method_table,
)
from analysis.freezes import carry_person_years, freeze
from analysis.optimise import EstimatorError

AT, UNTIL = "2021-04", "2024-12"


def made_of(paths, known_months=40, ahead=None):
    known = counts(known_months).assign(person_years=1e5)
    ahead = paths.shape[1] if ahead is None else ahead
    index = pd.period_range(known.index[-1] + 1, periods=ahead, freq="M")
    return Forecast("last_value", known, pd.Series(2e5, index), np.asarray(paths, dtype=float))


@pytest.fixture(scope="module")
def series():
    return load_series("sesnsp")


@pytest.fixture(scope="module")
def forecasts(series):
    return forecast_all(freeze(series, at=AT), until=UNTIL, draws=100)


def plant_deaths(later):
    return later.assign(deaths=later["deaths"] * 3 + 7)


def plant_population(later):
    return later.assign(person_years=later["person_years"] * np.linspace(0.1, 9, len(later)))


def plant_nonsense(later):
    return later.assign(deaths=-1.5, person_years=np.nan)


def plant_end(later):
    return later.iloc[:0]


@pytest.mark.parametrize("plant", [plant_deaths, plant_population, plant_nonsense, plant_end])
def test_no_month_after_the_freeze_is_seen(series, forecasts, plant):
    planted = pd.concat([series.loc[:AT], plant(series.loc["2021-05":])])
    found = forecast_all(freeze(planted, at=AT), until=UNTIL, draws=100)
    assert list(found) == list(forecasts)
    for slug, one in forecasts.items():
        other = found[slug]
        assert other.paths.tobytes() == one.paths.tobytes()
        assert other.person_years.to_numpy().tobytes() == one.person_years.to_numpy().tobytes()
        assert other.bands().to_numpy().tobytes() == one.bands().to_numpy().tobytes()
        assert other.yearly().to_numpy().tobytes() == one.yearly().to_numpy().tobytes()


@pytest.mark.slow
def test_notebook_sees_no_month_after_the_freeze(series, monkeypatch, tmp_path):
    """Everything but what came is the same, to the bytes of the figure of earlier origins."""
    notebook = Path(__file__).parents[1] / "notebooks/08-forecast.ipynb"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    source = re.sub("^%.*$", "", source, flags=re.MULTILINE)
    names = {"draws": "200", "every": "12", "results": repr(str(tmp_path))}
    for name, value in names.items():
        source = re.sub(rf"^{name}: (\w+) = .*$", f"{name} = {value}", source, flags=re.MULTILINE)
    planted = series.copy()
    planted.loc["2021-05":, "deaths"] = planted.loc["2021-05":, "deaths"] * 3 + 7
    runs, figures = [], []
    for frame in (series, planted):
        for module in ("analysis", "analysis.forecast_verdicts"):
            monkeypatch.setattr(
                f"{module}.load_series", lambda *_, given=frame, **__: given, raising=False
            )
        runs.append(space := {})
        exec(compile(source, notebook.name, "exec"), space)
        figures.append((tmp_path / "figures/forecast--sesnsp--coverage.svg").read_bytes())
        plt.close("all")
    one, other = runs
    assert figures[0] == figures[1]
    pd.testing.assert_frame_equal(one["summary"], other["summary"], check_exact=True)
    for slug, made in one["forecasts"].items():
        assert other["forecasts"][slug].paths.tobytes() == made.paths.tobytes()
    came = ["observed", "observed_than", "came"]
    tables = [space["probabilities"].drop(columns=came) for space in runs]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    limits = [[(*ax.get_xlim(), *ax.get_ylim()) for ax in space["axes"].flat] for space in runs]
    assert limits[0] == limits[1]
    assert other["verdict"]["years_higher"].item() == 3
    assert one["scores"]["crps"].tolist() != other["scores"]["crps"].tolist()


@pytest.mark.parametrize("slug", METHODS)
def test_last_month_before_the_freeze_is_seen(series, slug):
    known = freeze(series, at=AT)
    changed = known.copy()
    changed.loc[AT, "deaths"] *= 2
    one, other = (forecast(frame, slug, until=UNTIL, draws=100) for frame in (known, changed))
    assert np.median(other.paths - one.paths, axis=0)[:12].max() > 0.05


def test_deaths_and_population_scaled_together_change_nothing(series, forecasts):
    known = freeze(series, at=AT)
    scaled = forecast_all(known * [2, 2.0], until=UNTIL, draws=100)
    for slug, made in forecasts.items():
        np.testing.assert_array_equal(scaled[slug].paths, made.paths)
        np.testing.assert_allclose(scaled[slug].yearly(), made.yearly(), rtol=1e-12)


def test_seed_decides_and_other_methods_do_not(series):
    known = freeze(series, at=AT)
    alone = forecast(known, "linear_trend_ar1", until=UNTIL, draws=100, seed=3)
    beside = forecast_all(
        known, until=UNTIL, methods=["last_value", "linear_trend_ar1"], draws=100, seed=3
    )
    np.testing.assert_array_equal(alone.paths, beside["linear_trend_ar1"].paths)
    other = forecast(known, "linear_trend_ar1", until=UNTIL, draws=100, seed=4)
    assert (alone.paths != other.paths).all()


def test_pool_holds_the_draws_of_all(forecasts):
    assert list(forecasts) == [*METHODS, POOL]
    together = np.concatenate([forecasts[slug].paths for slug in METHODS])
    np.testing.assert_array_equal(forecasts[POOL].paths, together)
    assert forecasts[POOL].method == POOL


def test_method_without_an_answer_is_left_out_of_the_pool():
    known = freeze(counts(60, "2001-01"), at="2005-12")
    made = forecast_all(known, until="2006-12", draws=100)
    assert "its_inauguration" not in made
    assert len(made[POOL].paths) == 500
    with pytest.raises(EstimatorError, match="none of the methods"):
        forecast_all(known, until="2006-12", methods=["its_inauguration"])


def test_bands_are_quantiles_of_the_draws():
    rates = np.arange(101.0)[:, None] * [1, 2]
    table = band_table(rates, pd.Index(["a", "b"]))
    ends = [f"{end}_{100 * level:.0f}" for level in LEVELS for end in ("low", "high")]
    assert table.columns.tolist() == ["expected", *ends]
    assert table.loc["a"].tolist() == pytest.approx([50, 25, 75, 10, 90, 2.5, 97.5])
    np.testing.assert_allclose(table.loc["b"], 2 * table.loc["a"])


def test_bands_are_rates_by_month():
    made = made_of(np.log([[10, 20], [30, 40], [50, 60]]))
    bands = made.bands()
    assert bands.index.equals(made.person_years.index)
    np.testing.assert_allclose(bands["expected"], [30, 40])


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


def test_carried_person_years_are_near_those_that_came(series):
    carried = carry_person_years(freeze(series, at=AT), pd.Period("2025-06", "M"))
    came = series.loc["2021-05":, "person_years"]
    np.testing.assert_allclose(carried, came, rtol=0.02)


def test_every_method_is_declared_in_words():
    table = method_table()
    assert len(table) == len(METHODS) + 1
    assert table.map(len).gt(20).all(axis=None)


def test_known_frame_is_left_alone(series):
    known = freeze(series, at=AT)
    before = known.copy(deep=True)
    forecast_all(known, until="2021-12", draws=100)
    pd.testing.assert_frame_equal(known, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "last_valu"}, "unknown method 'last_valu'. Did you mean 'last_value'"),
        ({"until": "2021-12"}, "until must come after the last known month, 2021-12"),
        ({"until": 2024}, "until must be a month"),
        ({"draws": 10}, "draws must be a whole number from 100"),
        ({"seed": None}, "seed must be a whole number"),
    ],
)
def test_forecast_refuses(options, message):
    options = {"method": "last_value", "until": UNTIL} | options
    with pytest.raises((KeyError, ValueError), match=message):
        forecast(counts(), **options)
