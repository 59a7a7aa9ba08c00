from unittest.mock import Mock

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t as student
from support.sweeps import sweep

from analysis.engine import mixture
from analysis.engine.mixture import (
    LIGHT,
    StudentTable,
    lighten,
    mixture_cdf,
    mixture_quantiles,
    mixture_tails,
)

LEVELS = (0.025, 0.3, 0.5, 0.975)


def distribution(x, weight, mean, scale, df):
    return weight @ student.cdf((x - mean) / scale, df)


def reference_quantile(q, *parts):
    weight, mean, scale, df = parts
    ends = (mean + scale * student.ppf(q, df))[weight > 0]
    low, high = ends.min(), ends.max()
    if low == high:
        return low
    return brentq(lambda x: distribution(x, *parts) - q, low, high, xtol=1e-15, rtol=1e-14)


def quantile(q, weight, mean, scale, df):
    return mixture_quantiles([q], weight[None], mean[None, None], scale[None, None], df).item()


def standard_deviation(weight, mean, scale, df):
    return np.sqrt(weight @ (scale**2 * df / (df - 2) + (mean - weight @ mean) ** 2))


# Largest errors measured on this grid: density 2.6e-10; distribution function 3.3e-13, but 5.6e-11
# with 5 degrees of freedom and 2.9e-7 with 3, where the slope of what is tabulated has no finite
# slope of its own at the table's ends (beyond |x| = 12, where less than 0.001 of the area is left).
@pytest.mark.parametrize("df", [3, 4, 5, 6, 7, 12, 60, 147, 500, 2000])
def test_table_agrees_with_scipy(df):
    cdf_error, pdf_error = {3: 5e-7, 5: 1e-10}.get(df, 1e-12), {3: 5e-8}.get(df, 1e-9)
    far = np.geomspace(12, 1e8, 10_000)
    x = np.concatenate([-far, np.linspace(-12, 12, 20_001), far])
    cdf, pdf = StudentTable(df).cdf_pdf(x)
    np.testing.assert_allclose(cdf, student.cdf(x, df), rtol=0, atol=cdf_error)
    np.testing.assert_allclose(pdf, student.pdf(x, df), rtol=0, atol=pdf_error)


def test_distribution_function_adds_up_the_weighted_components():
    weight, mean, scale = np.array([0.2, 0.8]), np.array([-1.0, 3.0]), np.array([0.5, 2.0])
    cdf, pdf = mixture_cdf(np.array([[1.5]]), weight[None], mean[None, None], scale[None, None], 9)
    assert cdf.item() == pytest.approx(0.2 * student.cdf(5, 9) + 0.8 * student.cdf(-0.75, 9))
    assert pdf.item() == pytest.approx(0.4 * student.pdf(5, 9) + 0.4 * student.pdf(-0.75, 9))


@pytest.mark.parametrize("df", sweep([5, 30, 150, 1000], 0))
def test_quantiles_of_random_mixtures_agree_with_brentq(df):
    rng = np.random.default_rng(df)
    for _ in range(25):
        size = rng.integers(1, 40)
        weight = rng.dirichlet(np.full(size, 0.3))
        mean = rng.standard_normal(size) * rng.choice([0.1, 1.0, 10.0])
        scale = np.exp(rng.standard_normal(size) * rng.choice([0.1, 1.0, 2.0]))
        parts = weight, mean, scale, df
        for q in LEVELS:
            apart = quantile(q, *parts) - reference_quantile(q, *parts)
            assert abs(apart) < 1e-9 * standard_deviation(*parts)


# The normal scale on which the quantile is sought bends most where two modes lie far apart.
NASTY = {
    "one component": ([1.0], [3.0], [2.0]),
    "two modes": ([0.3, 0.7], [-4.0, 4.0], [1.0, 1.0]),
    "two far modes": ([0.3, 0.7], [-1e6, 1e6], [1.0, 1.0]),
    "a far mode in the tail": ([0.97, 0.03], [0.0, 1e8], [1.0, 1.0]),
    "weights near zero": ([1.0, 1e-20, 1e-300], [0.0, 1e9, -1e9], [1.0, 1e-9, 1.0]),
    "a weight of zero": ([1.0, 0.0], [0.0, 1e12], [1.0, 1.0]),
    "a spike inside": ([0.5, 0.5], [0.0, 0.0], [1e-9, 1.0]),
    "a spike outside": ([0.99, 0.01], [0.0, 5.0], [1.0, 1e-12]),
}


@pytest.mark.parametrize("df", [5, 150])
@pytest.mark.parametrize("name", NASTY)
def test_quantiles_of_nasty_mixtures_have_the_right_area_below(name, df):
    parts = *map(np.array, NASTY[name]), df
    near = 1e-9 * standard_deviation(*parts)
    for q in LEVELS:
        x = quantile(q, *parts)
        low, high = distribution(x - near, *parts), distribution(x + near, *parts)
        assert low - 1e-10 <= q <= high + 1e-10


def test_what_newton_leaves_is_bisected(monkeypatch):
    spy = Mock(wraps=mixture._bisect)
    monkeypatch.setattr(mixture, "_bisect", spy)
    weight = np.array([[0.5, 0.5], [0.3, 0.7]])
    mean = np.array([[[0.0, 0.1], [1.0, 1.2]], [[-1e6, 1e6], [0.0, 0.1]]])
    scale = np.ones_like(mean)
    (x,) = mixture_quantiles([0.25], weight, mean, scale, 40)
    (bisected,) = spy.call_args_list
    assert len(bisected.args[1]) == 1  # only the row and contrast with two far modes
    for row, contrast in np.ndindex(2, 2):
        part = weight[row], mean[row, contrast], scale[row, contrast], 40
        assert x[row, contrast] == pytest.approx(reference_quantile(0.25, *part), abs=1e-9)


@pytest.mark.parametrize("block", sweep([1, 3, 1024], 1))
def test_blocks_of_mixtures_equal_each_one_alone(monkeypatch, block):
    monkeypatch.setattr(mixture, "BLOCK", block)
    rng = np.random.default_rng(0)
    place = np.exp(-((np.arange(30) - rng.uniform(0, 29, 8)[:, None]) ** 2))  # most weights are 0
    weight = place / place.sum(axis=1, keepdims=True)
    mean, scale = rng.standard_normal((8, 2, 30)), rng.uniform(0.5, 2, (8, 2, 30))
    found = mixture_quantiles(LEVELS, weight, mean, scale, 50)
    tails = mixture_tails(np.zeros((8, 2)), weight, mean, scale, 50)
    for row, contrast in np.ndindex(8, 2):
        part = weight[row], mean[row, contrast], scale[row, contrast], 50
        expected = [reference_quantile(q, *part) for q in LEVELS]
        np.testing.assert_allclose(found[:, row, contrast], expected, rtol=0, atol=1e-10)
        below = distribution(0.0, *part)
        assert tails[row, contrast] == pytest.approx(2 * min(below, 1 - below), abs=1e-11)


def test_lighter_mixtures_have_lost_less_than_they_may():
    rng = np.random.default_rng(1)
    weight = rng.dirichlet(np.full(500, 0.02), 6)
    mean, scale = rng.standard_normal((2, 6, 3, 500)) * [[[[1.0]]], [[[0.1]]]]
    light, means, scales, _ = lighten(weight, mean, abs(scale) + 1, 5)
    assert means.shape == scales.shape == (6, 3, light.shape[1])
    assert light.shape[1] < 400
    np.testing.assert_allclose(light.sum(axis=1), 1, rtol=1e-12)
    for x in (-2.0, 0.5, 3.0):
        at = np.full((6, 3), x)
        whole, rest = (
            mixture_cdf(at, *parts, 50)[0]
            for parts in ((weight, mean, abs(scale) + 1), (light, means, scales))
        )
        assert (abs(whole - rest) < LIGHT).all()
        assert (whole != rest).any()
