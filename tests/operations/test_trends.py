from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import linprog
from support.stacked_panels import TWO, fit_dummies, make_panel

from analysis.operations import averages
from analysis.operations.event_study import fit_event_study
from analysis.operations.randomisation import reassign_event_study
from analysis.operations.stacks import stack_operations

WINDOW = {"before": 12, "after": 9}
STARTS = pd.Index(range(-12, 9, 3))
PANEL = make_panel(places=20, ratio=1.4)


@pytest.fixture(scope="module")
def study():
    return fit_event_study(stack_operations(PANEL, TWO, **WINDOW))


@pytest.fixture(scope="module")
def reassigned():
    return reassign_event_study(PANEL, TWO, **WINDOW, draws=99)


def study_of(ratios, covariance=None):
    """An event study of these log ratios, the fourth of which is the reference."""
    b = pd.Series(ratios, STARTS, dtype=float)
    V = pd.DataFrame(np.zeros((7, 7)) if covariance is None else covariance, STARTS, STARTS)
    effects = pd.DataFrame(index=STARTS)
    left = STARTS.drop(-3)
    return SimpleNamespace(
        effects=effects, log_ratios=b[left], covariance=V.loc[left, left], places=32
    )


def test_a_line_before_is_drawn_on_and_leaves_the_effect():
    ratios = (
        0.3 + 0.2 * STARTS.to_numpy() / 12 + np.where(STARTS >= 0, [0, 0, 0, 0, 0.5, 0.1, 0.6], 0)
    )
    found = averages.weigh_quarters(STARTS, [3, 9]) @ pd.Series(ratios, STARTS)
    assert found[averages.RISE, 12] == pytest.approx(0.2)
    assert found[averages.NET, 3] == pytest.approx(0.5)
    assert found[averages.NET, 9] == pytest.approx(0.4)
    assert found[averages.EVEN, 9] == pytest.approx(0.4 + 0.2 * (3 + 7.5) / 12)


def test_line_and_its_errors_are_those_of_a_fit_by_dummies(study, reassigned):
    # With a straight line through the leads' bins, and the bins after it free.
    stacked = stack_operations(PANEL, TWO, **WINDOW)
    bins = [start for start in STARTS if start != -3]
    each = stacked["event_time"].to_numpy()[:, None] // 3 * 3 == bins
    terms = (each & stacked["treated"].to_numpy()[:, None]).astype(float)
    reference, _ = fit_dummies(stacked, terms)
    b, V = reference.params[:6], reference.cov_params()[:6, :6]
    X = np.column_stack([np.ones(4), [-12, -9, -6, -3]])
    level, slope = np.linalg.inv(X.T @ X) @ X.T
    net = np.append(-(level + 3 * slope)[:3], [1 / 3] * 3)
    found = averages.fit_lead_line(study, reassigned, [9]).loc[(averages.NET, "cluster robust", 9)]
    assert found["estimate"] == pytest.approx(100 * np.expm1(net @ b), abs=1e-4)
    reach = stats.t.ppf(0.975, 19) * np.sqrt(net @ V @ net)
    # within the factor for the number of coefficients, in which pyfixest differs from statsmodels
    assert np.log1p(found["high"] / 100) - net @ b == pytest.approx(reach, rel=0.1)


def test_reassigned_lines_make_the_other_interval(study, reassigned):
    line = averages.fit_lead_line(study, reassigned, [6, 9])
    found = line.loc[(averages.NET, "randomisation", 9)]
    logs = reassigned.log_ratios.to_numpy()
    k = np.array([-12, -9, -6, -3])
    lines = [np.polyfit(k, column[:4], 1) for column in logs.T]
    each = [c[4:].mean() - np.polyval(p, 3) for c, p in zip(logs.T, lines, strict=True)]
    reach = np.quantile(each[1:], [0.975, 0.025])
    expected = 100 * np.expm1([each[0], *(each[0] - reach)])
    np.testing.assert_allclose(found[["estimate", "low", "high"]], expected)
    assert found["p"] == np.mean(np.abs(each) >= abs(each[0]))
    assert logs[3].tolist() == [0] * 100


def widest(ratios, months, magnitude):
    """The largest drift of the mean after, by linear programmes over all courses of the trend."""
    largest = np.abs(np.diff(ratios[:4])).max() * magnitude
    n = months // 3
    steps = np.eye(n) - np.eye(n, k=-1)
    A, limits = np.vstack([steps, -steps]), np.full(2 * n, largest)
    return -linprog(-np.full(n, 1 / n), A, limits, bounds=(None, None)).fun


@pytest.mark.parametrize("months", [3, 6, 9])
def test_relative_magnitudes_allow_what_linear_programmes_find(months):
    ratios = np.array([-0.3, -0.1, -0.15, 0, 0.2, 0.1, 0.6])
    allowed, breakdown = averages.allow_trends(study_of(ratios, 1e-12 * np.eye(7)), [months])
    mean = ratios[4 : 4 + months // 3].mean()
    for magnitude in averages.MAGNITUDES:
        reach = widest(ratios, months, magnitude) if magnitude else 0
        row = allowed.loc[(f"steps of {magnitude:g} times the largest", averages.KNOWN, months)]
        expected = 100 * np.expm1([mean, mean - reach, mean + reach])
        np.testing.assert_allclose(row, expected, atol=1e-6)
    assert breakdown[months] * widest(ratios, months, 1) == pytest.approx(mean)


def test_steps_of_nothing_have_the_plain_interval_and_larger_ones_carry_their_own_error():
    covariance = 0.01 * np.eye(7)
    covariance[3] = covariance[:, 3] = 0
    ratios = [-0.3, -0.1, -0.15, 0, 0.2, 0.1, 0.6]
    allowed, _ = averages.allow_trends(study_of(ratios, covariance), [3])
    t = stats.t.ppf(0.975, 31)
    label = "steps of {} times the largest".format
    plain, one = (np.log1p(allowed.loc[(label(m), "cluster robust", 3)] / 100) for m in (0, 1))
    np.testing.assert_allclose(plain, [0.2, 0.2 - 0.1 * t, 0.2 + 0.1 * t])
    # the step of 0.2 between the first two quarters, each with a variance of 0.01
    reach = 0.2 + t * np.sqrt(0.03)
    np.testing.assert_allclose(one, [0.2, 0.2 - reach, 0.2 + reach])
