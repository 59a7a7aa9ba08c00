import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from support.drawn import line
from support.measured_claims import measure

from analysis import load_claims
from analysis.claims import plots
from analysis.claims.courses import date_rise
from analysis.claims.declared import CELL
from analysis.claims.evidence import PRESS
from analysis.claims.rows import Measured, collect, make_row
from analysis.its.breaks import BreakPosterior
from analysis.style import WIDTH

CLAIMS = load_claims().claims
COLUMNS = [*CELL, "year", "deaths", "rate"]
NEW, OLD = (
    ("SESNSP", "intentional homicide", vintage, "CONAPO") for vintage in ("2025-06", "2021-01")
)
INTERVAL = pd.Series({"estimate": -154, "low": -160, "high": -150})
STEP = ("INEGI", "rate as published", "2024", PRESS)


def measured():
    rows = [
        make_row(NEW, "decline", INTERVAL, "deaths", 133, "no"),
        make_row(OLD, "decline", 133, "deaths", 133, "yes"),
        make_row(STEP, "decline", 20, "deaths", 133, "no"),
        make_row(OLD, "deaths in 2020", 34515, "deaths"),
    ]
    return Measured(CLAIMS["decline-2020"], collect(rows), "decline", "said", "in a line")


def test_years_are_drawn_by_count_with_the_articles_figures(ax):
    rows = [(*NEW, year, 100 + year - 2018, 1.0) for year in (2017, 2018, 2019)]
    table = pd.DataFrame([*rows, (*STEP, 2018, np.nan, 2.0)], columns=COLUMNS)
    plots.plot_years(table, range(2018, 2020), {2019: 103.0}, ax=ax)
    (course,) = ax.lines
    assert course.get_xydata().tolist() == [[2018, 100], [2019, 101]]
    assert course.get_label() == "SESNSP"
    (cross,) = ax.collections
    assert cross.get_offsets().tolist() == [[2019, 103]]
    assert ax.get_ylabel() == "Deaths in the year"


def test_cells_are_drawn_by_their_answer_with_interval_and_band(ax):
    plots.plot_cells(measured(), "decline", band=(1, 150), ax=ax)
    points = {each.get_label(): each.lines[0].get_xydata().tolist() for each in ax.containers}
    assert points == {
        "not borne out": [[-154, 0]],
        "borne out": [[133, 1]],
        "beside: not borne out": [[20, 2]],
    }
    bar = line(ax, "not borne out").lines[2][0]
    np.testing.assert_allclose(bar.get_segments()[0], [[-160, 0], [-150, 0]])
    assert line(ax, "the article").get_xdata()[0] == 133
    (band,) = ax.patches
    assert (band.get_x(), band.get_width()) == (1, 149)
    assert ax.get_xlabel() == "Decline, deaths"
    assert [label.get_text() for label in ax.get_yticklabels()][1] == "SESNSP, Jan 2021"


def test_verdicts_are_drawn_one_row_a_claim(ax):
    plots.plot_verdicts({"decline-2020": measured()}, ax=ax)
    *_, then, today, inegi = ax.collections
    assert [mark.get_offsets()[0][0] for mark in (then, today, inegi)] == [200, 226, 252]
    assert [mark.get_alpha() for mark in (then, today, inegi)] == [1, 1, 0.35]
    assert len(ax.collections) == 6  # three in the legend
    texts = {text.get_text(): text.get_weight() for text in ax.texts}
    assert texts["revised since"] == "bold"
    assert "2. In 2020 deaths fell by 133, to 34,515" in texts
    assert ax.figure.get_figwidth() == WIDTH


def test_each_part_of_a_claim_has_its_row_and_its_answers(ax):
    slug = "lopez-obrador-two-years"
    plots.plot_verdicts({slug: measure(slug)}, ax=ax)
    texts = {text.get_text(): text.get_position()[1] for text in ax.texts}
    marks = [each for each in ax.collections[3:] if each.get_alpha() == 1]
    colours = {word: to_rgba(colour) for word, (colour, _) in plots.ANSWERS.items()}
    for part, words in (("elevated: holds", ["yes", "yes"]),
                        ("growing worse: not shown", ["no", "cannot tell"])):  # fmt: skip
        own = [each for each in marks if each.get_offsets()[0][1] == texts[f"– {part}"]]
        drawn = [tuple(each.get_facecolor()[0]) for each in own]
        assert drawn == [colours[word] for word in words]


def test_start_is_drawn_by_month_with_the_year_shaded(ax):
    months = pd.period_range("2015-01", periods=4, freq="M")
    pairs = [months[[0, 1, 1]], months[[2, 2, 3]]]
    index = pd.MultiIndex.from_arrays(pairs, names=["first", "second"])
    posterior = BreakPosterior(pd.Series([0.2, 0.5, 0.3], index=index))
    names = ["trend before", "trend between", "trend after"]
    up = pd.DataFrame({"low": [-9, 5, -9], "high": [-1, 9, 9]}, index=names)
    rises = {"INEGI": date_rise(posterior, up), "SESNSP": date_rise(posterior, up.assign(low=-9))}
    plots.plot_start(rises, 2016, ax=ax)
    bars = line(ax, "INEGI (95% set within Jan 2015 to Feb 2015)")
    assert len(ax.containers) == 1
    assert [bar.get_height() for bar in bars] == pytest.approx([0.2, 0.8])
    assert "Probability" in ax.get_ylabel()
