"""Reassignments and signs drawn at random, and the nulls that a test of them does not reject."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from analysis.checks import check_seed, check_whole
from analysis.operations.event_study import ALPHA
from analysis.operations.poisson import fit_reassigned
from analysis.operations.stacks import Layout

FINE = 0.002  # interval ends are found to this log rate ratio
TIED = 1e-9
FARTHEST = 5.0  # beyond a log rate ratio so far from the estimate an interval counts as open


def reassign_histories(layout: Layout, draws: int, seed: int) -> np.ndarray:
    """Return the real histories and `draws` permutations of them, shape (n, 1 + draws)."""
    check_whole(draws, "draws", 1)
    rng = np.random.default_rng(check_seed(seed))
    reassigned = np.tile(layout.history[:, None], (1, draws + 1))
    reassigned[:, 1:] = rng.permuted(reassigned[:, 1:], axis=0)
    return reassigned


def draw_signs(layout: Layout, draws: int, seed: int) -> np.ndarray:
    """Return ones and `draws` columns of random signs by place, shape (n, 1 + draws)."""
    check_whole(draws, "draws", 1)
    rng = np.random.default_rng(check_seed(seed))
    signs = rng.choice([-1.0, 1.0], (len(layout.places), draws + 1))
    signs[:, 0] = 1
    return signs


def randomised_statistics(layout: Layout, reassigned: np.ndarray, null: float) -> np.ndarray:
    """Return the t statistic of every reassignment, the real one first, if the truth is `null`."""
    # Without it in the counts where the operations really were, all would have seen the same.
    fits = fit_reassigned(layout, reassigned, effect=null)
    return fits.estimate / fits.se


def flipped_scores(layout: Layout, signs: np.ndarray, null: float) -> np.ndarray:
    """Return the sum of the places' scores at the model restricted to `null`, under every sign."""
    # The studentised statistic rises with the absolute sum, so that the sum alone gives the same p.
    scores = fit_reassigned(layout, layout.history[:, None], fixed=null).scores
    return scores[:, 0] @ signs


def share_as_large(statistics: np.ndarray) -> float:
    """Return the share of all, the real one first, that are at least as large in absolute value."""
    # One that has no answer, for want of deaths, counts as larger: it cannot speak for an effect.
    size = np.abs(statistics)
    return float(((size >= size[0] * (1 - TIED)) | np.isnan(size)).mean())


def invert_test(
    statistics: Callable[[float], np.ndarray], estimate: float, se: float
) -> tuple[float, float]:
    """Return the lowest and highest null that is not rejected at 5%, around the estimate."""

    def reach(side: int) -> float:
        def margin(distance: float) -> float:
            """How far the real statistic is beyond the critical one: above zero where p <= 5%."""
            size = np.abs(statistics(estimate + side * distance))
            most = int(ALPHA * len(size) + TIED)  # so many may be as large, the real one too
            return size[0] / np.sort(size)[::-1][most] - 1 if most else -1.0

        inside, outside = 0.0, 2.5 * se
        while margin(outside) < 0:
            inside, outside = outside, 1.6 * outside
            if outside > FARTHEST:
                return np.inf
        return brentq(margin, inside, outside, xtol=FINE)

    return estimate - reach(-1), estimate + reach(1)
