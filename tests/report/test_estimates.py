import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Barrier

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from support.declared import SHIFTS
from support.independent import effect_rows, monthly_values, noise, segmented_design
from support.independent_law import fit_law
from support.published import assert_published, published_estimates
from support.sweeps import sweep

from analysis import PolicyShift, fit_its, load_series
from analysis.files import round_table, write_table
from analysis.its.comparison import estimate_by
from analysis.its.words import significant
from analysis.report.checklist import ESTIMATE_COLUMNS, estimate_rows, read_rows, refit
from analysis.style import save_figure

SIZES = (16, 20, 14)
SINALOA, CALDERON = ("sinaloa-2008-05", "inegi"), ("calderon-2006-12", "inegi")


def fit_as_published(slug, source):
    """A shift fitted under a source, and the fits beside it, as 03-policy-shift does."""
    shift = SHIFTS[slug]
    every = {name: load_series(name, place=shift.places) for name in shift.sources}
    result = fit_its(every[source], shift)
    return result, refit(result, every[source], list(every.values()))


@pytest.fixture(scope="module")
def calderon():
    return fit_as_published(*CALDERON)


@pytest.fixture(scope="module")
def calderon_rows(calderon):
    result, beside = calderon
    return estimate_rows(result, source="inegi", place="MX00", beside=beside)


def without_others(result):
    """A result beside which no other estimator stands, for what does not look at them."""
    result.__dict__["_comparison"] = estimate_by(("reml",), result._model)
    return result


def test_published_numbers_of_calderon_come_out_of_a_fit(calderon_rows):
    assert list(calderon_rows.columns) == ESTIMATE_COLUMNS
    published = published_estimates().query("shift == @CALDERON[0] and source == @CALDERON[1]")
    assert_published(calderon_rows, published)


RANGE = ("special-forces-2020", "sesnsp")


@pytest.mark.slow
@pytest.mark.parametrize(("slug", "source"), [RANGE, SINALOA])
def test_published_numbers_come_out_of_a_fit(slug, source):
    result, beside = fit_as_published(slug, source)
    place = "+".join(SHIFTS[slug].places)
    rows = estimate_rows(result, source=source, place=place, beside=beside)
    assert_published(rows, published_estimates().query("shift == @slug and source == @source"))


@pytest.mark.slow
def test_a_missing_estimand_carries_its_reason():
    shift = SHIFTS["sheinbaum-2024-10"]
    rows = estimate_rows(fit_its(load_series("sesnsp"), shift), source="sesnsp", place="MX00")
    rows = rows[rows["estimand"] == "effect_24m"]
    assert len(rows) == 8
    assert rows["estimate"].isna().all()
    assert set(rows["note"]) == {"9 months after the shift; 24 are needed, or it extrapolates"}


def test_rows_are_the_effects_the_excess_and_every_other_estimator(calderon, calderon_rows):
    rows = calderon_rows.query("estimator != 'reml_all_months'")  # that has its own test
    own = rows[rows["estimator"] == "reml"]
    effects = ["level", "slope", "effect_12m", "effect_24m", "pre_trend", "post_trend"]
    units = ("deaths", "per_100k", "percent")
    excess = [f"excess_{unit}_{kind}" for kind in ("forecast", "segmented") for unit in units]
    assert own["estimand"].tolist() == effects + excess
    assert own["unit"].tolist()[:2] == ["percent", "percent per year"]
    assert own["unit"].tolist()[4:8] == [
        *["percent per year"] * 2,
        "deaths",
        "deaths per 100,000 person-years",
    ]
    others = ["reml_ar1", "newey_west", "prais_winsten", "quasi_poisson", "negative_binomial"]
    others += ["arima", "structural"]
    assert rows["estimator"].unique().tolist() == ["reml", *others]
    assert (rows.groupby("estimator", sort=False)["estimand"].size()[others] == 6).all()
    pd.testing.assert_series_equal(
        own.set_index("estimand").loc[effects, "estimate"],
        calderon[0].effects["estimate"],
        check_names=False,
    )
    memory = calderon[0].memory["estimate"]
    assert (rows[["phi", "noise", "sd_ratio"]] == memory.to_numpy()).all(axis=None)
    assert (rows[["n_before", "n_after"]] == [83, 72]).all(axis=None)
    assert set(rows["flags"]) == {" ".join(flag.name for flag in calderon[0].flags)}


@pytest.mark.slow
def test_where_months_are_left_out_the_fit_of_all_stands_beside(calderon, calderon_rows):
    """In percent with two months left out and with all, from the independent implementation."""
    result, beside = calderon
    assert result.months_left_out == 2
    assert list(beside) == ["reml_all_months"]
    assert beside["reml_all_months"].months_left_out == 0
    rows = calderon_rows
    numbers = rows.set_index(["estimator", "estimand"])[["estimate", "low", "high"]]
    series = load_series("inegi", end="2012-11")
    y, n = np.log(1e5 * series["deaths"] / series["person_years"]).to_numpy(), len(series)
    X = segmented_design(n, 83, harmonics=2)
    left_out = np.hstack([X, np.eye(n)[:, 84:86]])
    for name, design in {"reml_all_months": X, "reml": left_out}.items():
        C = effect_rows(design.shape[1])[:4]
        expected = 100 * np.expm1(fit_law(y, design, C, after=83, sizes=SIZES).summary()[:, :3])
        found = numbers.loc[name].loc[["level", "slope", "effect_12m", "effect_24m"]]
        width = (expected[:, 2] - expected[:, 1])[:, None]
        assert (np.abs(found - expected) < 5e-3 * width).all(axis=None)
    both = rows.set_index("estimator")
    assert (both.loc["reml_all_months", "note"] == "2000-01 to 2012-11").all()
    assert (both.loc["reml_all_months", "phi"] != both.loc["reml", "phi"].iloc[0]).all()
    assert rows["estimator"].iloc[-1] == "reml_all_months"


@pytest.mark.slow
def test_sources_are_fitted_again_on_the_months_that_both_have():
    result, beside = fit_as_published("lopez-obrador-2018-12", "inegi")
    assert list(beside) == ["reml_common_months"]
    common = beside["reml_common_months"]
    assert [str(month) for month in common.series.index[[0, -1]]] == ["2015-01", "2022-06"]
    rows = estimate_rows(without_others(result), source="inegi", place="MX00", beside=beside)
    rows = rows.set_index(["estimator", "estimand"])
    assert (rows.loc["reml_common_months", "note"] == "2015-01 to 2022-06").all()
    assert (rows.loc["reml_common_months", ["n_before", "n_after"]] == [47, 43]).all(axis=None)
    assert (rows.loc["reml", ["n_before", "n_after"]] == [72, 43]).all(axis=None)
    cut = load_series("inegi", start="2015-01", end="2022-06")
    y = np.log(1e5 * cut["deaths"] / cut["person_years"]).to_numpy()
    X = segmented_design(90, 47, harmonics=2)
    law = fit_law(y, X, effect_rows(8)[1:2], after=47, sizes=SIZES)
    expected = 100 * np.expm1(law.summary()[0, :3])
    found = rows.loc[("reml_common_months", "slope"), ["estimate", "low", "high"]].astype(float)
    np.testing.assert_allclose(found, expected, atol=5e-3 * (expected[2] - expected[1]))


@pytest.mark.parametrize(
    ("first", "last", "fitted_again"),
    sweep(
        [
            ("2001-01", "2003-02", True),
            ("2001-02", "2003-02", False),
            ("2001-01", "2003-01", False),
        ],
        0,
        1,
    ),
)
def test_common_months_need_a_year_on_either_side_of_the_shift(first, last, fitted_again):
    series = monthly_values(noise(120))
    shift = PolicyShift("range", "2002-01", until="2002-03", start="2000-06")
    other = series.loc[first:last]
    beside = refit(fit_its(series, shift), series, [series, other])
    assert list(beside) == ["reml_common_months"] * fitted_again
    if fitted_again:
        window = beside["reml_common_months"].series
        pd.testing.assert_frame_equal(window, other)


def test_a_single_source_with_every_month_needs_no_other_fit():
    series = monthly_values(noise(60))
    assert refit(fit_its(series, PolicyShift("middle", "2002-07")), series, [series]) == {}


@pytest.mark.slow
def test_excess_that_no_one_could_believe_is_missing_with_its_reason():
    rng, months = np.random.default_rng(3), pd.period_range("2000-01", periods=72, freq="M")
    deaths = np.where(np.arange(72) < 36, 100, rng.poisson(100, 72))
    series = pd.DataFrame({"deaths": deaths, "person_years": 1e5}, index=months)
    fit = without_others(fit_its(series, PolicyShift("s", "2003-01")))
    rows = estimate_rows(fit, source="x", place="y")
    excess = rows[rows["estimand"].str.startswith("excess_")]
    assert len(excess) == 6
    assert excess[["estimate", "low", "high"]].isna().all(axis=None)
    why = "the deaths before the shift do not vary, and nothing says how they would have"
    assert set(excess["note"]) == {why}
    fit = without_others(fit_its(series.iloc[36:], PolicyShift("s", "2004-07")))
    told = estimate_rows(fit, source="x", place="y")
    told = told[told["estimand"].str.startswith("excess_")]
    assert told["estimate"].notna().all()
    assert set(told["note"]) == {"over the first 18 periods"}


def test_numbers_are_rounded_to_significant_digits_and_the_table_is_left_alone():
    numbers = [123456.789, 0.000123456789, np.nan]
    table = pd.DataFrame({"x": numbers, "n": [1, 2, 3], "s": list("abc")})
    before = table.copy()
    rounded = round_table(table)
    assert rounded["x"].tolist()[:2] == [123457.0, 0.000123457]
    assert rounded["n"].tolist() == [1, 2, 3]
    pd.testing.assert_frame_equal(table, before)


def test_tables_are_the_same_bytes_each_time_and_come_back(tmp_path):
    table = pd.DataFrame({"x": [1 / 3, np.nan], "flags": ["a b", ""], "note": ["", "é"]})
    for name in ("a.csv", "b.csv", "a.parquet", "b.parquet"):
        write_table(table, tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == "x,flags,note\n0.333333,a b,\n,,é\n".encode()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = read_rows([tmp_path / "a.csv"])
    assert back["flags"].tolist() == ["a b", ""]


def test_a_missing_result_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no result yet of \['merida--inegi'\].*pytask"):
        read_rows([tmp_path / "merida--inegi.csv"])


@pytest.mark.slow
def test_a_figure_is_the_same_bytes_each_time(tmp_path):
    for name in ("one/figure", "two/figure"):
        figure, ax = plt.subplots(figsize=(4.5, 3.5))
        ax.plot([0, 1], [1, 0])
        save_figure(figure, tmp_path / name, "What it shows.")
    for name in ("figure.svg", "figure.png", "figure.pdf"):
        first, second = (tmp_path / folder / name for folder in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size > 1000


def test_what_dates_leave_to_the_corner_of_an_axis_is_drawn(tmp_path):
    figure, ax = plt.subplots(figsize=(4.5, 3.5))
    ax.plot(pd.date_range("2000-02", periods=8, freq="MS"), range(8))
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    with plt.rc_context({"svg.fonttype": "none"}):
        svg = save_figure(figure, tmp_path / "dates", "What it shows.").svg
    assert re.findall(r">(Mar|2000)<", svg) == ["Mar", "2000"]


def test_figures_saved_in_threads_leave_the_opening_of_files_alone(tmp_path, monkeypatch):
    before, together, numbers = io.open, Barrier(4), count()

    def draw(_):
        number = next(numbers)
        together.wait(timeout=60)
        time.sleep(0.05 * number)  # who came last ends last
        return {"svg": b"<svg/>", "pdf": b""}

    monkeypatch.setattr("analysis.style._draw_vectors", draw)
    places = [tmp_path / name for name in "abcd"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save_figure, [Figure() for _ in places], places, "abcd"))
    assert io.open is before


def test_a_text_too_small_for_a_phone_is_named_with_its_height(tmp_path):
    figure, _ = plt.subplots(figsize=(9, 3))
    with pytest.raises(ValueError, match=r"below 9\.0: \{.*'0\.0': 5\.5.*\}\. Draw it 4\.5 inches"):
        save_figure(figure, tmp_path / "wide", "What it shows.")
    assert not list(tmp_path.glob("wide*"))
    plt.close(figure)


@pytest.mark.slow
def test_a_figure_is_drawn_with_the_cut_font_as_with_the_whole(tmp_path, monkeypatch):
    def save(name):
        figure, ax = plt.subplots(figsize=(4.5, 3.5))
        ax.set_title("Áéñ – first fit")
        ax.set_xlabel("Žluť −1 Ж", fontweight="bold")  # a letter of the whole font only
        ax.set_ylabel("slanted", fontstyle="italic")
        ax.text(0, 0, "chosen", family="serif")
        save_figure(figure, tmp_path / name, "What it shows.")
        return [Path(tmp_path, f"{name}.{end}").read_bytes() for end in ("svg", "png", "pdf")]

    *drawn, document = save("cut/figure")
    monkeypatch.setattr("analysis.style.WHOLE", "another font")  # so that none is exchanged
    *expected, whole = save("whole/figure")
    assert drawn == expected
    assert document != whole
    assert b"DejaVuSerif" in document  # a choice is kept


@pytest.mark.slow
def test_a_figure_names_its_parts_alike_whatever_the_last_digits_of_its_coordinates(tmp_path):
    drawn, found = {}, r'id="(p[0-9a-f]{10})"'
    for name, nudge in (("figure", 0), ("figure", 1e-13), ("other", 0)):
        figure, axes = plt.subplots(1, 2, figsize=(4.5, 3.5))
        for place, ax in enumerate(axes):
            ax.plot([0, 1 + nudge], [1, 0], "o-")
            ax.bar([0, 1], [1, 2], hatch="/" * (place + 1))
            ax.set_position([np.pi / 30 + place / 2 + nudge, np.pi / 30, np.pi / 10, np.pi / 4])
        svg = drawn[name, nudge] = save_figure(figure, tmp_path / name, "What it shows.").svg
        named = re.findall(found, svg)
        assert len(named) == len(set(named)) > 4
        assert set(re.findall(r'(?:url\(#|href="#)(p[0-9a-f]{10})[")]', svg)) == set(named)
    assert drawn["figure", 0] == drawn["figure", 1e-13]
    both = [set(re.findall(found, drawn[name, 0])) for name in ("figure", "other")]
    assert both[0].isdisjoint(both[1])  # they may stand in one page


def test_an_interval_that_leaves_zero_out_is_significant():
    rows = pd.DataFrame({"low": [1.0, -1.0, -2.0, np.nan], "high": [2.0, 1.0, -1.0, np.nan]})
    assert [significant(row) for _, row in rows.iterrows()] == [True, False, True, False]
