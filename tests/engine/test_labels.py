"""Rows of pandas are matched by their labels, whatever public function takes them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sweeps import sweep

import analysis
from analysis.checks import match_rows

MONTHS = pd.period_range("2005-01", periods=60, freq="M")
T = np.arange(60)
X = pd.DataFrame({"const": 1.0, "year": T / 12, "after": T >= 30}, MONTHS)  # a column of truths
Y = pd.Series(np.random.default_rng(4).negative_binomial(20, 0.2, 60) + 60 * (T >= 30), MONTHS)
PEOPLE = pd.Series(np.linspace(1, 2, 60), MONTHS)
ARRAYS = Y.to_numpy(float), X.to_numpy(float), PEOPLE.to_numpy()


def line(X):
    return X.iloc[:, :2] if isinstance(X, pd.DataFrame) else X[:, :2]


def date_break(y, X, _):
    breaks = analysis.find_breaks(y, line(X), most=1)
    found = analysis.break_intervals(y, line(X), breaks, 1)
    return np.r_[found.first, found.low, found.high]


FITS = {
    "fit_newey_west": lambda y, X, _: analysis.fit_newey_west(y, X).estimate,
    "fit_prais_winsten": lambda y, X, _: analysis.fit_prais_winsten(y, X).estimate,
    "fit_arima": lambda y, X, _: analysis.fit_arima(y, X, order=(1, 0, 0)).estimate,
    "fit_structural": lambda y, X, _: analysis.fit_structural(y, X).estimate,
    "fit_many": lambda y, X, _: analysis.fit_many(y, X, np.eye(3)).low,
    "one series, two designs": lambda y, X, _: analysis.fit_many(y, [X, X], np.eye(3)).low,
    "restricted_log_likelihood": lambda y, X, _: analysis.restricted_log_likelihood(y, X, [0.5]),
    "find_breaks": lambda y, X, _: analysis.find_breaks(y, line(X), most=2).rss,
    "break_intervals": date_break,
    "sup_f": lambda y, X, _: analysis.sup_f(y, line(X)).statistic,
}
COUNTS = {
    name: lambda y, X, people, name=name: getattr(analysis, name)(y, X, exposure=people).estimate
    for name in ("fit_quasi_poisson", "fit_negative_binomial")
}
FITS |= COUNTS


def shuffled(rows):
    return rows.sample(frac=1, random_state=1)


@pytest.fixture(params=sweep(FITS, 0, 1, *range(3, 12)))  # but of the slow ARIMA
def fit(request):
    return FITS[request.param]


def test_order_of_the_rows_and_kind_of_the_columns_change_no_number(fit):
    expected = fit(*ARRAYS)
    nullable, arrow = (X.convert_dtypes(dtype_backend=x) for x in ("numpy_nullable", "pyarrow"))
    for given_ in (
        (Y, X, PEOPLE),
        (shuffled(Y), X, PEOPLE),
        (Y, shuffled(X), PEOPLE),
        (shuffled(Y).astype("Int64"), nullable, shuffled(PEOPLE).astype("Float64")),
        (Y.astype("double[pyarrow]"), shuffled(arrow), PEOPLE.astype("double[pyarrow]")),
    ):
        np.testing.assert_allclose(fit(*given_), expected, rtol=1e-9)


def test_rows_that_cannot_be_matched_and_missing_numbers_are_refused(fit):
    for y in (Y.set_axis(MONTHS + 1), Y.reset_index(drop=True), Y[1:], Y.iloc[[0, *range(59)]]):
        with pytest.raises(ValueError, match=r"must have the same labels, each once; found \['"):
            fit(y, X, PEOPLE)
    holed = X.convert_dtypes().where(X["year"] != 0.25)
    for given_ in (Y.astype("Int64").mask(T == 3), X), (Y, holed):
        with pytest.raises(ValueError, match="must be finite and not missing; found"):
            fit(*given_, PEOPLE)


@pytest.mark.parametrize("name", COUNTS)
def test_exposure_is_matched_to_the_outcome_whatever_the_design(name):
    fit, design = COUNTS[name], ARRAYS[1]
    np.testing.assert_allclose(fit(Y, design, shuffled(PEOPLE)), fit(*ARRAYS), rtol=1e-9)
    with pytest.raises(ValueError, match="the exposure and the outcome must have the same labels"):
        fit(Y, design, PEOPLE[1:])


def test_second_of_several_series_and_designs_is_matched_too():
    both, rows = pd.DataFrame({"a": Y, "b": 2 * Y}), np.eye(3)
    found = analysis.fit_many(shuffled(both), X, rows).low
    expected = analysis.fit_many(both.to_numpy(), ARRAYS[1], rows).low
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    found = analysis.fit_many(Y, [X, shuffled(X)], rows).low
    np.testing.assert_array_equal(*found)
    with pytest.raises(ValueError, match="the design 1 and the outcomes must have"):
        analysis.fit_many(Y, [X, X.set_axis(MONTHS + 1)], rows)


@given(st.lists(st.one_of(st.integers(), st.text()), unique_by=str, max_size=6).flatmap(
    lambda labels: st.tuples(st.permutations(labels), st.permutations(labels))
))  # fmt: skip
def test_every_label_keeps_its_number(orders):
    one, other = (pd.Series(list(map(str, order)), order, dtype=object) for order in orders)
    found = match_rows(outcome=one, design=other.to_frame(), exposure=None)
    assert found[0].tolist() == found[1][0].tolist() == list(map(str, found[0].index))
    assert found[2] is None


def test_labels_of_another_kind_but_equal_are_the_same():
    other = X.set_axis(MONTHS.astype(object))[::-1]
    assert match_rows(outcome=Y, design=other)[1]["year"].tolist() == X["year"].tolist()
    y, design = pd.Series([1, 2], [True, False]), pd.DataFrame({"x": [1.0, 2.0]}, [0, 1])
    assert match_rows(outcome=y, design=design)[0].tolist() == [2, 1]


def test_rows_go_in_the_order_of_the_outcome_unless_only_the_design_ascends():
    for y, design in (Y, X[::-1]), (Y[::-1], X), (Y, X):
        assert all(rows.index.equals(MONTHS) for rows in match_rows(outcome=y, design=design))
    y, design = match_rows(outcome=shuffled(Y), design=X[::-1])
    assert y.index.equals(shuffled(Y).index)
    assert design.index.equals(y.index)
