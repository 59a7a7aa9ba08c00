import numpy as np
import pytest
from support.declared import SHIFTS, states_of

from analysis import fit_places, plot_forest, plot_map, pool_places
from analysis.mexico.tables import load_outlines, load_table
from analysis.places.effects import PlaceEffects

SHIFT = SHIFTS["calderon-2006-12"]


@pytest.fixture(scope="module")
def fitted():
    return fit_places(states_of("inegi"), SHIFT, beside=())


@pytest.mark.slow
def test_forest_draws_every_place_in_order_and_the_pooled_below(fitted, ax):
    names = dict(load_table("states")[["state", "name"]].to_numpy())
    assert plot_forest(fitted, pool_places(fitted), names=names, ax=ax) is ax
    rows = [label.get_text() for label in ax.get_yticklabels()]
    slope = fitted.of("slope").sort_values("estimate", ascending=False)
    assert rows[:32] == [names[place] for place in slope.index]
    assert rows[31] == "Chiapas"  # without an estimate
    slope = slope.drop("MX07")
    assert rows[32:34] == ["simple average", "weighted by population"]
    assert rows[34:] == ["random effects"]
    marks = [line for line in ax.lines if line.get_marker() not in ("None", "")]
    drawn = [float(np.ravel(line.get_xdata())[0]) for line in marks[:31]]
    np.testing.assert_allclose(drawn, np.log1p(slope["estimate"] / 100))
    top = next(line for line in ax.lines if len(line.get_xdata()) == 2)
    ends = np.log1p(slope.iloc[0][["low", "high"]].astype(float) / 100)
    np.testing.assert_allclose(top.get_xdata(), ends)
    told = [text.get_text() for text in ax.texts]
    first = [fitted.of(name)["estimate"][slope.index[0]] for name in ("pre_trend", "post_trend")]
    assert told[:2] == ["trend, %\na year", "{:+d} → {:+d}".format(*map(round, first))]
    assert told[32] == "no estimate"
    assert len(told) == 2 + 31 + 2  # and of both averages


@pytest.mark.slow
def test_map_draws_every_state_and_hatches_the_doubtful(fitted, ax):
    effects = fitted.effects.copy()
    effects.loc[effects["place"] == "MX16", "doubt"] = "a reason"
    doubtful = PlaceEffects(fitted.shift, effects, fitted.places, fitted.models)
    doubts = doubtful.of("slope")["doubt"]
    assert plot_map(doubtful, load_outlines(), ax=ax) is ax
    assert len(ax.collections) == 32
    shapes = dict(zip(load_outlines(), ax.collections, strict=True))
    hatched = [place for place, shape in shapes.items() if shape.get_hatch()]
    assert {"MX07", "MX16"} <= set(hatched)
    assert hatched == sorted(doubts.index[doubts != ""], key=list(shapes).index)
    colours = {place: tuple(shapes[place].get_facecolor()[0]) for place in shapes.keys() - hatched}
    slope = fitted.of("slope")["shrunken"]
    for place, colour in colours.items():  # below +20, or above it
        assert (colour == colours["MX31"]) == (slope[place] < 20), place
    assert slope["MX31"] < 20 < slope["MX10"] < 40
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["no reliable estimate", "stands out (q ≤ 5%)"]
    (bar,) = [each for each in ax.figure.axes if each is not ax]
    ticks = [label.get_text() for label in bar.get_xticklabels()]
    assert ticks == ["-40%", "-20%", "-5%", "+5%", "+20%", "+40%"]
    assert bar.get_xlabel() == "Change of the yearly trend, drawn towards the mean"


def test_outlines_are_those_of_the_states():
    outlines = load_outlines()
    assert list(outlines) == load_table("states")["state"].tolist()
    longitude, latitude = np.concatenate([r for rings in outlines.values() for r in rings]).T
    assert -119 < longitude.min() < longitude.max() < -86
    assert 14 < latitude.min() < latitude.max() < 33
