import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2
from scipy.stats import t as student

from analysis.prediction import prediction_interval

RNG = np.random.default_rng(0)
EFFECTS, VARIANCES = RNG.normal(0.1, 0.3, 12), RNG.uniform(0.005, 0.02, 12)


def test_interval_is_that_of_a_plain_mixture_over_the_quantiles_of_q():
    def q(between):
        weights = 1 / (VARIANCES + between)
        mean = weights @ EFFECTS / weights.sum()
        return weights @ (EFFECTS - mean) ** 2

    parts = []
    for share in (np.arange(101) + 0.5) / 101:
        target = chi2.ppf(share, 11)
        between = brentq(lambda x, target=target: q(x) - target, 0, 100) if q(0) > target else 0
        weights = 1 / (VARIANCES + between)
        mean = weights @ EFFECTS / weights.sum()
        parts.append([mean, np.sqrt(between + q(between) / 11 / weights.sum())])
    means, scales = np.array(parts).T

    def cdf(x):
        return student.cdf((x - means) / scales, 11).mean()

    expected = [brentq(lambda x, p=p: cdf(x) - p, -5, 5) for p in (0.025, 0.975)]
    np.testing.assert_allclose(prediction_interval(EFFECTS, VARIANCES), expected, rtol=1e-6)


def test_shared_variance_widens_and_a_shift_moves_the_interval():
    low, high = prediction_interval(EFFECTS, VARIANCES)
    wide_low, wide_high = prediction_interval(EFFECTS, VARIANCES, shared=0.05)
    assert wide_low < low < high < wide_high
    moved = prediction_interval(EFFECTS + 3, VARIANCES)
    np.testing.assert_allclose(moved, [low + 3, high + 3])


def test_equal_effects_leave_the_width_to_their_own_errors():
    low, high = prediction_interval(np.full(12, 0.2), VARIANCES)
    assert low == pytest.approx(0.2, abs=1e-6)
    assert high == pytest.approx(0.2, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("places", "spread"), [(5, 0.1), (12, 0.02), (12, 0.1), (32, 0.3)])
def test_a_further_effect_is_held_as_often_as_said(places, spread):
    """1,000 sets: a Monte Carlo error of 0.7 points."""
    rng = np.random.default_rng(places)
    sds = np.geomspace(0.3, 0.03, places)
    held = 0
    for _ in range(1000):
        effects = 0.1 + spread * rng.standard_normal(places) + sds * rng.standard_normal(places)
        low, high = prediction_interval(effects, sds**2)
        held += low <= 0.1 + spread * rng.standard_normal() <= high
    assert held / 1000 == pytest.approx(0.955, abs=0.02)
