"""One effect for many reassignments of the operations, and the nulls that a test does not reject.

Poisson with place and month effects in each stack: all reassignments share counts, exposures and
dates, so that a sum over places or months is one matrix product.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from analysis.checks import require
from analysis.operations.event_study import ALPHA
from analysis.operations.stacks import ERRORS, Layout

TOLERANCE = 1e-10  # of the effect, on the log scale
MOST_STEPS = 100
TOGETHER = 128  # reassignments at once
FINE = 0.002  # interval ends are found to this log rate ratio
TIED = 1e-9
FARTHEST = 5.0  # beyond a log rate ratio so far from the estimate an interval counts as open


class Fits(NamedTuple):
    """Estimates by reassignment."""

    estimate: np.ndarray  # (R,): log rate ratio
    se: np.ndarray  # (R,): clustered by place, with G / (G - 1)
    scores: np.ndarray  # (n, R): each place's efficient score at the estimate


def fit_reassigned(
    layout: Layout, history: np.ndarray, *, fixed: float | None = None, effect: float = 0.0
) -> Fits:
    """Estimate the log rate ratio of each reassignment (n, R), or hold it `fixed`."""
    # `effect` is taken out of the counts where the operations really were.
    fits = [_fit_effect(layout, part, fixed, effect) for part in _split(history)]
    return Fits(*map(np.hstack, zip(*fits, strict=True)))


def _fit_effect(layout: Layout, history: np.ndarray, fixed: float | None, effect: float) -> Fits:
    stacks = _Stacks(layout, history, effect)
    b = np.full(history.shape[1], 0.0 if fixed is None else fixed)
    for _ in range(MOST_STEPS):
        moved = stacks.settle(np.exp(b))
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.clip(stacks.scores.sum(axis=0) / stacks.information, -1, 1)
        if fixed is None:
            b = b + step
            moved = max(moved, np.abs(step).max())
        if not moved >= TOLERANCE:
            break
    require(moved < TOLERANCE, ERRORS["unsettled"].format(steps=MOST_STEPS))
    clusters = np.count_nonzero(stacks.scores, axis=0)
    spread = np.sqrt((stacks.scores**2).sum(axis=0) * clusters / (clusters - 1))
    return Fits(b, spread / stacks.information, stacks.scores)


def fit_bins(layout: Layout, history: np.ndarray, bins: np.ndarray, reference: int) -> np.ndarray:
    """Estimate the log rate ratio, (bins, R), in each of `bins` (T,) against the `reference`."""
    return np.hstack([_fit_bins(layout, part, bins, reference) for part in _split(history)])


def _fit_bins(layout: Layout, history: np.ndarray, bins: np.ndarray, reference: int) -> np.ndarray:
    always = (np.repeat(one.treated[:, None], len(bins), axis=1) for one in layout.experiments)
    pairs = zip(layout.experiments, always, strict=True)
    experiments = tuple(replace(one, exposed=exposed) for one, exposed in pairs)
    stacks = _Stacks(replace(layout, experiments=experiments), history)
    member = (np.arange(bins.max() + 1)[:, None] == bins).astype(float)
    observed = member @ stacks.y_months_exposed
    # With a ratio for the reference too, which the place effects could take up, each turn fits
    # one margin exactly and little is left to the next.
    ratio = np.ones_like(observed)
    for _ in range(MOST_STEPS):
        moved = stacks.balance(ratio[bins])
        step = _divide(observed, member @ stacks.month_exposed.sum(axis=0))
        ratio = ratio * step
        if max(moved, np.abs(step - 1).max()) < TOLERANCE:
            return np.log(ratio / ratio[reference])
    raise ValueError(ERRORS["bins_unsettled"].format(steps=MOST_STEPS))


def _split(history: np.ndarray) -> list[np.ndarray]:
    """Cut the reassignments into parts: small ones stay in the processor's cache, and in memory."""
    return np.array_split(history, max(1, -(-history.shape[1] // TOGETHER)), axis=1)


class _Sums:
    """Sums of figures x (K, n, T) in the months that a place `has` by its history, (K, S, T)."""

    def __init__(self, x: np.ndarray, has: np.ndarray, history: np.ndarray) -> None:
        if history.shape[1] == 1:
            self.parts = [(x * has[:, history[:, 0]], 1.0)]
            return
        kinds: list[dict[bytes, list[int]]] = [{} for _ in has]  # histories alike, by stack
        for own, months in zip(kinds, has, strict=True):
            for s in sorted(np.flatnonzero(months.any(axis=1)), key=lambda s: -months[s].sum()):
                own.setdefault(months[s].tobytes(), []).append(s)
        self.parts = []  # figures of months that places alike have, and who these are
        for alike in zip_longest(*(own.values() for own in kinds), fillvalue=[]):
            one, part = np.zeros(has.shape[:2]), np.zeros_like(x)
            for k, own in enumerate(alike):
                one[k, own] = 1
                part[k] = x[k] * has[k, own].any(axis=0)
            self.parts.append((part, one[:, history]))

    def places(self, v: np.ndarray) -> np.ndarray:
        """Sum over each place's months times v (K, T, R)."""
        return sum(own * (x @ v) for x, own in self.parts)

    def months(self, u: np.ndarray) -> np.ndarray:
        """Sum over each month's places times u (K, n, R)."""
        return sum(x.swapaxes(1, 2) @ (own * u) for x, own in self.parts)


class _Stacks:
    """Place effects a and month effects g of K sub-experiments, and what the score needs."""

    # The mean of a death count is a g E exp(b D); the score of b is efficient with D less its
    # projection on the effects, D - alpha - gamma, weighted by that mean.

    def __init__(self, layout: Layout, history: np.ndarray, effect: float = 0.0) -> None:
        names = "person_years", "deaths", "counted", "exposed"
        parts = ([getattr(one, name) for one in layout.experiments] for name in names)
        E, y, counted, exposed = map(np.stack, parts)
        if effect:
            y = y * np.exp(-effect * exposed[:, layout.history])
        self.free = _Sums(E, counted & ~exposed, history)
        self.exposed = _Sums(E, exposed, history)
        self.y, y_exposed = (_Sums(y, months, history) for months in (counted, exposed))
        every = np.ones((*y.shape[::2], history.shape[1])), np.ones((len(y), *history.shape))
        self.y_place, self.y_month = self.y.places(every[0]), self.y.months(every[1])
        self.y_exposed = y_exposed.places(every[0])
        self.y_months_exposed = y_exposed.months(every[1]).sum(axis=0)
        self.g = np.ones_like(self.y_month)
        self.gamma = np.zeros_like(self.y_month)

    def balance(self, ratio: np.ndarray) -> float:
        """Take a and g one turn nearer to their fit at a ratio (R,) or (T, R); return the move."""
        mean = self.free.places(self.g) + self.exposed.places(ratio * self.g)
        self.a = _divide(self.y_place, mean)
        exposed = ratio * self.exposed.months(self.a)
        g = _divide(self.y_month, self.free.months(self.a) + exposed)
        moved = np.abs(_divide(g, self.g) - (g > 0)).max()
        self.g, self.month_exposed = g, g * exposed
        return moved

    def settle(self, ratio: np.ndarray) -> float:
        """Do that, and find the information on b, (R,), and the efficient scores, (n, R)."""
        moved = self.balance(ratio)
        a, g = self.a, self.g

        def sum_means(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            exposed = a * self.exposed.places(v) * ratio
            return a * self.free.places(v) + exposed, exposed

        mean_place, mean_exposed = sum_means(g)
        alpha = _divide(mean_exposed - sum_means(g * self.gamma)[0], mean_place)
        drawn = g * (self.free.months(a * alpha) + ratio * self.exposed.months(a * alpha))
        gamma = _divide(self.month_exposed - drawn, self.y_month)
        moved = max(moved, np.abs(gamma - self.gamma).max())
        self.gamma = gamma
        drawn, gamma_exposed = sum_means(g * gamma)
        self.information = ((1 - alpha) * mean_exposed - gamma_exposed).sum(axis=(0, 1))
        weighted = self.y.places(gamma) - drawn
        scores = self.y_exposed - mean_exposed - alpha * (self.y_place - mean_place) - weighted
        self.scores = scores.sum(axis=0)
        return moved


def _divide(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.divide(x, by, out=np.zeros_like(x), where=by > 0)


def reassign_histories(layout: Layout, draws: int, seed: int) -> np.ndarray:
    """Return the real histories and `draws` permutations of them, shape (n, 1 + draws)."""
    reassigned = np.tile(layout.history[:, None], (1, draws + 1))
    reassigned[:, 1:] = np.random.default_rng(seed).permuted(reassigned[:, 1:], axis=0)
    return reassigned


def draw_signs(layout: Layout, draws: int, seed: int) -> np.ndarray:
    """Return ones and `draws` columns of random signs by place, shape (n, 1 + draws)."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (len(layout.places), draws + 1))
    signs[:, 0] = 1
    return signs


def randomised_statistics(layout: Layout, reassigned: np.ndarray, null: float) -> np.ndarray:
    """Return the t statistic of every reassignment, the real one first, if the truth is `null`."""
    # Without it in the counts where the operations really were, all would have seen the same.
    return t_statistics(fit_reassigned(layout, reassigned, effect=null))


def t_statistics(fits: Fits) -> np.ndarray:
    """Return the t statistics (R,), or raise a ValueError if there is no error to divide by."""
    require(bool((np.abs(fits.estimate) + fits.se > TIED).any()), ERRORS["alike"])
    return fits.estimate / fits.se


def flipped_scores(layout: Layout, signs: np.ndarray, null: float) -> np.ndarray:
    """Return the sum of the places' scores at the model restricted to `null`, under every sign."""
    # The studentised statistic rises with the absolute sum, so that the sum alone gives the same p.
    return fit_reassigned(layout, layout.history[:, None], fixed=null).scores[:, 0] @ signs


def share_as_large(statistics: np.ndarray) -> float:
    """Return the share of all, the real one first, that are at least as large in absolute value."""
    # One that has no answer, for want of deaths, counts as larger: it cannot speak for an effect.
    size = np.abs(statistics)
    return float(((size >= size[0] * (1 - TIED)) | np.isnan(size)).mean())


def invert_test(
    statistics: Callable[[float], np.ndarray], estimate: float, se: float
) -> tuple[float, float]:
    """Return the lowest and highest null that is not rejected at 5%, around the estimate."""
    statistics = cache(statistics)  # brentq asks again for what is known of the ends

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
