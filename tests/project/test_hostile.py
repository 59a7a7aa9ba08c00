"""Every public name is called with what it cannot use, in every argument's place."""

import inspect
import pickle
import traceback
import warnings
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from support.answer_tables import estimate_rows
from support.stacked_panels import OPERATIONS, make_panel
from support.synthetic_panels import panel as unit_panel

import analysis
from analysis import PolicyShift

PACKAGE = str(Path(analysis.__file__).parent)
MONTHS = pd.period_range("2005-01", periods=72, freq="M")
SHIFT = PolicyShift("reform-2008-01", "2008-01")
RNG = np.random.default_rng(7)
T = np.arange(72)
COUNTS = pd.DataFrame({"deaths": RNG.poisson(90, 72), "person_years": 1e6}, index=MONTHS)
VALUES = pd.DataFrame({"value": RNG.normal(size=72)}, index=MONTHS)
Y, X = RNG.normal(size=72), np.column_stack([np.ones(72), T / 12, T >= 36]).astype(float)
DEATHS = RNG.negative_binomial(5, 0.05, 72)
UNITS, PANEL = unit_panel(), make_panel()
PLACES = pd.concat({name: COUNTS + i for i, name in enumerate("abcd")}, names=["place", "month"])
FEW = {"draws": 100, "seed": 0}
OPERATED = {"panel": PANEL, "operations": OPERATIONS[:2], "before": 6, "after": 6}
SERIES = {"series": COUNTS, "shift": SHIFT}


class Alien:
    """Something of another library, whose every question is an error."""

    def __bool__(self):
        raise RuntimeError("no truth value")

    def __len__(self):
        raise RuntimeError("no length")


ALIENS = {
    "none": None,
    "flag": True,
    "text": "0.95",
    "no": "no",
    "empty text": "",
    "accents": "México\n{x} $a_b$ <b>",
    "NUL": "a\0b",
    "bytes": b"2008-01",
    "complex": 1 + 2j,
    "decimal": Decimal("2.5"),
    "fraction": Fraction(1, 3),
    "not a number": float("nan"),
    "infinity": float("inf"),
    "below": -1,
    "zero": 0,
    "half": 0.5,
    "huge": 10**30,
    "huge float": 1e300,
    "date": date(2008, 1, 1),
    "stamp": pd.Timestamp("2008-01-01"),
    "no stamp": pd.NaT,
    "year": pd.Period("2008", "Y"),
    "day": pd.Period("2008-01-01", "D"),
    "object": Alien(),
    "class": Alien,
    "function": len,
    "list": [],
    "numbers": [1, 2],
    "names": ["a", 1],
    "nested": [[1], [2]],
    "set": {1},
    "dict": {"a": 1},
    "no dict": {},
    "scalar array": np.array(3.0),
    "array": np.ones(3),
    "flags": np.array([True, False]),
    "texts": np.array(["a", "b"]),
    "objects": np.array([object(), 1], dtype=object),
    "complexes": np.ones(72) * 1j,
    "huge numbers": np.full(72, 1e300),
    "index": pd.Index(["a", "b"]),
    "column": pd.Series([1.0, 2.0]),
    "empty frame": pd.DataFrame(),
    "one row": COUNTS.head(1),
    "no months": COUNTS.reset_index(drop=True),
    "text months": COUNTS.set_axis(MONTHS.astype(str)),
    "days": COUNTS.set_axis(pd.date_range("2005-01-01", periods=72)),
    "shuffled": COUNTS.sample(frac=1, random_state=1),
    "missing": COUNTS.astype(float).mask(COUNTS["deaths"] > 95),
    "texts in a frame": COUNTS.astype(str),
    "decimals in a frame": COUNTS.map(Decimal),
    "complex frame": COUNTS * 1j,
    "flags in a frame": COUNTS.astype(bool),
    "same columns": COUNTS.set_axis(["deaths", "deaths"], axis=1),
    "numbered columns": COUNTS.set_axis([0, 1], axis=1),
    "deep columns": COUNTS.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), axis=1),
    "few people": COUNTS.assign(person_years=1),
    "no people": COUNTS.assign(person_years=0),
    "huge counts": COUNTS.assign(deaths=1e300),
    "constant": VALUES * 0,
    "axes": "axes",
    "path": Path("/nowhere/at all.toml"),
    "shift": SHIFT,
    "shifts": [SHIFT, SHIFT],
}


@cache
def results():
    """What some public functions give, which others take."""
    fit = analysis.fit_its(COUNTS, SHIFT)
    places = analysis.fit_places(PLACES, SHIFT, beside=("reml",))
    stacked = analysis.stack_operations(PANEL, OPERATIONS[:2], before=6, after=6)
    study = analysis.fit_event_study(stacked)
    return {
        "result": fit,
        "fitted": places,
        "pooled": analysis.pool_places(places, "slope"),
        "stacked": stacked,
        "study": study,
        "operations": analysis.vary_operations(**OPERATED | FEW),
        "randomisation": analysis.randomisation_test(**OPERATED | FEW),
        "comparison": analysis.compare_estimators(COUNTS, SHIFT, estimators=["reml", "newey_west"]),
        "breaks": analysis.find_breaks(Y, X[:, :1], most=2),
        "posterior": analysis.break_posterior(COUNTS),
        "curve": analysis.specification_curve({"own": COUNTS}, SHIFT, draws=100),
        "placebos": analysis.placebo_dates(COUNTS, SHIFT),
        "window": analysis.vary_window(COUNTS, SHIFT),
        "control": analysis.fit_synthetic(UNITS, "own", first_year=2004),
        "countries": analysis.placebo_countries(UNITS, "own", first_year=2004),
    }


@cache
def good_calls():
    """Return a call that works of every public function and method: name, function, arguments."""
    made, a = results(), analysis
    fit, breaks = made["result"], made["breaks"]
    rows = estimate_rows().assign(note="", phi=0.7, noise=0.25)
    y_design = {"y": Y, "X": X}
    counted = {"deaths": DEATHS, "X": X, "exposure": np.ones(72)}
    calls = {
        a.load_claims: {},
        a.break_intervals: {"y": Y, "X": X[:, :1], "breaks": breaks, "m": 1},
        a.find_breaks: y_design | {"X": X[:, :1], "most": 2},
        a.fit_negative_binomial: counted,
        a.fit_newey_west: y_design | {"lags": 3},
        a.fit_prais_winsten: y_design | {"iterations": 50},
        a.fit_quasi_poisson: counted,
        a.fit_many: {"outcomes": Y, "design": X, "contrasts": np.eye(3)},
        a.restricted_log_likelihood: {"outcome": Y, "design": X, "phi": np.array([0.1, 0.5])},
        a.fit_arima: y_design | {"order": (1, 0, 0)},
        a.fit_structural: y_design,
        a.sup_f: y_design | {"X": X[:, :1]},
        a.forecast_all: {"known": COUNTS, "until": "2012-12", "methods": ["last_value"]} | FEW,
        a.freeze: {"series": COUNTS, "at": "2009-01"},
        a.roll_origins: {"known": COUNTS, "methods": ["last_value"], "every": 12, "horizon": 12}
        | FEW,
        a.break_posterior: {"series": COUNTS, "breaks": 1},
        a.date_breaks: {"series": COUNTS, "most": 2},
        a.compare_estimators: SERIES | {"estimators": ["newey_west"]},
        a.plot_comparison: {"comparison": made["comparison"], "estimand": "slope"},
        a.plot_effects: {"estimates": fit.effects.assign(label="here", source="own")},
        a.plot_fit: {"result": fit},
        a.plot_gap: {"result": fit},
        a.plot_panel: {"comparison": made["comparison"], "estimand": "slope"},
        a.plot_series: {"series": {"own": COUNTS}, "shifts": [SHIFT]},
        a.fit_its: SERIES,
        a.load_country_panel: {"first_year": 2007, "last_year": 2012},
        a.find_gaps: {"panel": PLACES},
        a.national_gaps: {"panel": PLACES},
        a.load_municipalities: {},
        a.load_policy_shifts: {},
        a.load_completeness: {"source": "inegi"},
        a.load_series: {"source": "sesnsp"},
        a.load_states: {"source": "sesnsp"},
        a.load_outlines: {},
        a.average_effects: {"stacked": made["stacked"], "horizons": [6]},
        a.fit_event_study: {"stacked": made["stacked"]},
        a.plot_event_study: {"study": made["study"]},
        a.plot_operations: {"table": made["operations"]},
        a.plot_randomisation: {"test": made["randomisation"]},
        a.deal_event_study: OPERATED | FEW,
        a.randomisation_test: OPERATED | FEW,
        a.reassign_event_study: OPERATED | FEW,
        a.score_bootstrap: OPERATED | FEW,
        a.vary_operations: OPERATED | FEW,
        a.first_operations: {"operations": OPERATIONS},
        a.stack_operations: OPERATED,
        a.fit_places: {"panel": PLACES, "shift": SHIFT, "beside": ["reml"]},
        a.plot_forest: {"fitted": made["fitted"], "pooled": made["pooled"]},
        a.plot_map: {
            "fitted": made["fitted"],
            "outlines": {name: [np.eye(3)[:, :2]] for name in "abcd"},
        },
        a.pool_places: {"fitted": made["fitted"], "estimand": "slope"},
        a.fill_checklist: {
            "shifts": {name: PolicyShift(name, "2018-01") for name in ("a-2010-01", "b-2015-01")},
            "estimates": pd.concat([rows, rows.iloc[[0, -1]].assign(estimator="quasi_poisson")]),
            "robustness": pd.DataFrame({"specifications": [640, 2688]}),
            "certificates": pd.DataFrame({"estimand": ["slope"], "mde_rise": [2.2]}),
        },
        a.placebo_dates: SERIES,
        a.placebo_places: {"panel": PLACES, "own": COUNTS, "shift": SHIFT},
        a.plot_break_posterior: {"posterior": made["posterior"], "shift": SHIFT},
        a.plot_choices: {"curve": made["curve"]},
        a.plot_curve: {"curve": made["curve"]},
        a.plot_placebos: {"placebos": made["placebos"]},
        a.plot_variation: {"variation": made["window"], "change": "year left out"},
        a.specification_curve: {"series": {"own": COUNTS}, "shift": SHIFT} | FEW,
        a.vary_window: SERIES,
        a.fit_synthetic: {"rates": UNITS, "treated": "own", "first_year": 2004},
        a.placebo_countries: {"rates": UNITS, "treated": "own", "first_year": 2004},
        a.certificate: SERIES | {"simulations": 100},
        a.coverage_table: {"cells": [("ar1", 60, 0.3)], "estimators": ["ols"], "simulations": 100},
        a.PolicyShift: {"slug": "reform-2008-01", "month": "2008-01"},
        fit.counterfactual: FEW,
        fit.excess: FEW,
        breaks.best: {},
        made["posterior"].mass_near: {"period": "2008-01"},
        made["fitted"].of: {"estimand": "slope"},
        made["control"].changes: {"years": 2},
        made["countries"].intervals: {},
    }
    return {function.__qualname__: (function, arguments) for function, arguments in calls.items()}


@cache
def bytes_of_arguments(name):
    """Return what each argument of a good call is to the last bit, with all that is in it."""
    return content(good_calls()[name][1])


def content(arguments):
    return {key: pickle.dumps(each) for key, each in arguments.items() if hasattr(each, "copy")}


def call_badly(name, argument, value):
    """Call a function with one argument that may be unusable; return what it says, or None."""
    function, arguments = good_calls()[name]
    if argument == "ax" and isinstance(value, str) and value == "axes":
        value = plt.figure()
    before = bytes_of_arguments(name)
    try:
        function(**arguments | {argument: value})
    except (TypeError, ValueError, KeyError, FileNotFoundError) as error:
        return error
    finally:
        plt.close("all")
        changed = [key for key, each in content(arguments).items() if each != before[key]]
        assert changed == [], f"{name} changed its arguments {changed}"
    return None


def places_to_fill():
    for name, (function, _) in good_calls().items():
        for argument in inspect.signature(function).parameters:
            yield name, argument


def complain(name, argument, kind):
    """Return what is wrong with how a call that cannot go well ended, or nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            error = call_badly(name, argument, ALIENS[kind])
        except Exception as other:  # of a kind that no function of ours raises
            return f"{type(other).__name__}: {other}"
    if error is None:
        return ""
    last = traceback.extract_tb(error.__traceback__)[-1]
    told = str(error)
    if not last.filename.startswith(PACKAGE):
        return f"{Path(last.filename).name}:{last.lineno} {type(error).__name__}: {told[:120]}"
    return "" if len(told) > 20 else f"says only {told!r}"


@pytest.mark.slow
def test_every_public_function_has_a_good_call():
    known = {function for function, _ in good_calls().values()}
    public = {getattr(analysis, name) for name in analysis.__all__}
    unasked = {each.__name__ for each in public - known if inspect.isfunction(each)}
    assert unasked == {"load_inaugurations", "load_releases"}


@pytest.mark.slow
def test_nothing_that_cannot_be_used_passes_anywhere():
    wrong = {
        (name, argument, kind): said
        for name, argument in places_to_fill()
        for kind in ALIENS
        if (said := complain(name, argument, kind))
    }
    assert wrong == {}
