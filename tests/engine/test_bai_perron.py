from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise
from operator import mul

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import dblquad
from scipy.optimize import brentq
from scipy.special import hyp1f1
from scipy.stats import chi2, norm
from support.folders import REFERENCE

from analysis.engine.bai_perron import Breaks, break_intervals, find_breaks
from analysis.engine.sup_f import sup_f

TRIMMING, MOST = {"nile": 0.15, "seatbelt": 0.1}, {"nile": 5, "seatbelt": 8}
CASES = pytest.mark.parametrize("case", TRIMMING)


@cache
def expected():
    table = pd.read_csv(REFERENCE / "nile_expected.csv", comment="#", keep_default_na=False)
    return table.set_index(["case", "statistic", "term"])["value"].sort_index()


def printed(case, statistic, m):
    return [expected()[case, statistic, f"m{m}_{i}"] for i in range(1, m + 1)]


@cache
def data(case):
    """Return y, X and the dates, as nile.R has them."""
    table = pd.read_csv(REFERENCE / f"{case}.csv")
    if case == "nile":
        return table["flow"].to_numpy(), np.ones((len(table), 1)), table["year"].to_numpy()
    y = np.log10(table["drivers"].to_numpy())
    dates = table["month"].str.replace("-", "").astype(int).to_numpy()
    return y[12:], np.column_stack([np.ones(len(y) - 12), y[11:-1], y[:-12]]), dates[12:]


@cache
def found(case):
    return find_breaks(*data(case)[:2], most=MOST[case], trimming=TRIMMING[case])


def residual_squares(y, X):
    residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    return residual @ residual


def simulated(n, k, seed):
    random = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), random.standard_normal((n, k - 1))])
    return X @ random.standard_normal(k) + random.standard_normal(n), X


NOISE, ONES = simulated(40, 1, seed=11)


def shifted(shift, before=50, after=50, sigma=(1.0, 1.0)):
    """Return noise of mean 0 and variance sigma^2 exactly in both halves, shifted in the second."""
    noise = [np.resize([size, -size], n) for size, n in zip(sigma, (before, after), strict=True)]
    y = np.concatenate(noise) + np.where(np.arange(before + after) < before, 0, shift)
    rss = np.array([np.nan, before * sigma[0] ** 2 + after * sigma[1] ** 2])
    first = (np.array([], dtype=int), np.array([before]))
    return y, np.ones((len(y), 1)), Breaks(len(y), 2, rss, rss, rss, first)


@CASES
def test_sup_f_is_that_of_strucchange(case):
    y, X, dates = data(case)
    test = sup_f(y, X, trimming=TRIMMING[case])
    np.testing.assert_allclose(test.statistic, expected()[case, "sup_f", ""], rtol=1e-12)
    assert dates[test.first - 1] == expected()[case, "date", "m1_1"]


def test_p_of_sup_f_is_near_that_of_strucchange():
    assert 0 < sup_f(*data("nile")[:2]).p < 1e-15  # strucchange: 2.2e-16, the smallest it can
    p = sup_f(*data("seatbelt")[:2], trimming=0.1).p
    approximation = expected()["seatbelt", "sup_f_p", ""]  # Hansen's, fitted to simulations
    assert approximation < p < 1.25 * approximation
    np.testing.assert_allclose(p, p_by_kummer_functions(19.3331117025531, 3, 18, 180), rtol=1e-9)


@CASES
def test_breaks_are_those_of_strucchange(case):
    breaks, dates = found(case), data(case)[2]
    numbers = [f"m{m}" for m in range(MOST[case] + 1)]
    # R's recursive residuals lose four digits of the drivers' (see the rational arithmetic below).
    np.testing.assert_allclose(breaks.rss, expected()[case, "rss"][numbers], rtol=1e-10)
    np.testing.assert_allclose(breaks.bic, expected()[case, "bic"][numbers], rtol=1e-10)
    assert breaks.best() == expected()[case, "breaks_by_bic", ""]
    for m in range(1, MOST[case] + 1):
        assert breaks.first[m].tolist() == printed(case, "observation", m)
        assert dates[breaks.first[m] - 1].tolist() == printed(case, "date", m)


@CASES
@pytest.mark.parametrize("m", [1, 2])
def test_intervals_are_those_of_strucchange(case, m):
    intervals = break_intervals(*data(case)[:2], found(case), m)
    assert intervals.first.tolist() == printed(case, "observation", m)
    assert intervals.low.tolist() == printed(case, "observation_low", m)
    assert intervals.high.tolist() == printed(case, "observation_high", m)


def test_the_nile_changes_after_1898():
    y, X, years = data("nile")
    interval = break_intervals(y, X, found("nile"), 1)
    ends = np.concatenate([interval.low, interval.first, interval.high])
    assert years[ends - 1].tolist() == [1895, 1898, 1902]  # last years of the old regime
    assert found("nile").best("lwz") == 1


def test_eight_observations_are_split_as_by_hand():
    y = np.array([1.0, 3, 1, 3, 9, 11, 9, 11])  # means 6, or 2 and 10
    X = np.ones((8, 1))
    breaks = find_breaks(y, X, most=1, trimming=0.25)
    np.testing.assert_allclose(breaks.rss, [136, 8], rtol=1e-14)
    assert breaks.first[1].tolist() == [4]
    assert breaks.shortest == 2
    bic = 8 * (np.log(2 * np.pi * np.array([17, 1])) + 1) + np.array([2, 4]) * np.log(8)
    np.testing.assert_allclose(breaks.bic, bic, rtol=1e-14)
    penalty = 0.299 * np.log(8) ** 2.1 / 8
    lwz = [np.log(136 / 7) + penalty, np.log(8 / 5) + 3 * penalty]
    np.testing.assert_allclose(breaks.lwz, lwz, rtol=1e-14)
    test = sup_f(y, X, trimming=0.25)
    assert test.first == 4
    np.testing.assert_allclose(test.statistic, (136 - 8) / (8 / 6), rtol=1e-14)


@pytest.mark.parametrize(("k", "most", "seed"), [(1, 4, 0), (1, 3, 1), (2, 3, 2), (3, 2, 3)])
def test_best_partition_is_the_best_of_all(k, most, seed):
    y, X = simulated(19, k, seed)
    breaks = find_breaks(y, X, most=most, trimming=0.2)  # 3.8 observations
    assert breaks.shortest == max(3, k + 1)
    for m in range(most + 1):
        candidates = {}
        for dates in combinations(range(1, 19), m):
            edges = [0, *dates, 19]
            if min(np.diff(edges)) >= breaks.shortest:
                parts = pairwise(edges)
                candidates[dates] = sum(residual_squares(y[i:j], X[i:j]) for i, j in parts)
        best = min(candidates, key=candidates.get)
        assert tuple(breaks.first[m]) == best
        np.testing.assert_allclose(breaks.rss[m], candidates[best], rtol=1e-10)


@pytest.mark.parametrize(("n", "k"), [(40, 1), (61, 2), (80, 4)])
def test_sup_f_is_the_largest_of_separate_regressions(n, k):
    y, X = simulated(n, k, seed=n)
    shortest = max(int(0.15 * n), k + 1)
    f = {}
    for first in range(shortest, n - shortest + 1):
        split = residual_squares(y[:first], X[:first]) + residual_squares(y[first:], X[first:])
        f[first] = (residual_squares(y, X) - split) / (split / (n - 2 * k))
    test = sup_f(y, X)
    assert test.first == max(f, key=f.get)
    np.testing.assert_allclose(test.statistic, max(f.values()), rtol=1e-10)
    p = p_by_kummer_functions(test.statistic, k, shortest, n)
    np.testing.assert_allclose(test.p, p, rtol=1e-6)


def p_by_kummer_functions(statistic, k, shortest, n):
    """Return p by the eigenfunctions M(-a, k/2, x/2) that vanish at the statistic."""

    def at_boundary(a):
        return hyp1f1(-a, k / 2, statistic / 2)

    grid = np.arange(0.0, 12, 0.01) + 1e-12
    change = np.flatnonzero(np.diff(np.sign(at_boundary(grid))))
    roots = [brentq(at_boundary, grid[i], grid[i + 1], xtol=1e-15) for i in change]
    node, weight = np.polynomial.legendre.leggauss(200)  # over the square root: smooth for k = 1
    root_x = np.sqrt(statistic) * (node + 1) / 2
    x, weight = root_x**2, weight * np.sqrt(statistic) * root_x
    weight = weight * chi2.pdf(x, k)
    modes = [hyp1f1(-a, k / 2, x / 2) for a in roots]
    share = [(weight @ mode) ** 2 / (weight @ mode**2) for mode in modes]
    odds = (n - shortest) / shortest
    return 1 - np.sum(share * odds ** (-2 * np.array(roots)))


def test_p_falls_smoothly_to_its_leading_terms():
    tests = [sup_f(*shifted(shift)[:2]) for shift in np.linspace(1.88, 2.2, 33)]
    p = {test.statistic: test.p for test in tests}
    assert min(p) < 102 < max(p)  # where the leading terms take over
    slopes = np.diff(np.log(list(p.values()))) / np.diff(list(p))
    np.testing.assert_allclose(slopes, -0.5, atol=0.02)
    assert 1e-90 < sup_f(*shifted(4.0)[:2]).p < 1e-80  # a statistic of 392


def test_no_change_at_all_has_p_one():
    for size in np.arange(1, 20) / 7:  # statistics a rounding error above, at or below 0
        test = sup_f(size * np.array([1.0, 2, 1, 2]), np.ones((4, 1)), trimming=0.5)
        assert test.first == 2
        assert abs(test.statistic) < 1e-12
        assert test.p == pytest.approx(1, abs=1e-6)
    y, X = simulated(200, 30, seed=12)
    assert sup_f(y, X, trimming=0.3).p > 0.05  # many coefficients


@pytest.mark.slow
def test_sup_f_rejects_about_as_often_as_it_says():
    # 800 series of pure noise: 5% within the Monte Carlo error of 3 times 0.8%.
    random = np.random.default_rng(20)
    X = np.ones((80, 1))
    p = np.array([sup_f(random.standard_normal(80), X).p for _ in range(800)])
    assert 0.026 < (p < 0.05).mean() < 0.074
    assert 0.35 < np.median(p) < 0.65


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_symmetric_interval_has_yao_quantiles(confidence):
    # Yao (1987), Annals of Statistics 15, 1321-1328, for the mean of normal variables.
    def tail(x):
        root = np.sqrt(x)
        below = 1 + root / np.sqrt(2 * np.pi) * np.exp(-x / 8) - (x + 5) / 2 * norm.cdf(-root / 2)
        return 1 - below - 1.5 * np.exp(x) * norm.cdf(-1.5 * root)

    distance = brentq(lambda x: tail(x) - (1 - confidence) / 2, 1e-9, 100)
    interval = break_intervals(*shifted(1e-3), 1, confidence=confidence)
    assert interval.high - interval.first == interval.first - interval.low
    reach = np.ceil(distance / 1e-3**2)
    np.testing.assert_allclose(interval.high - interval.first, reach, rtol=1e-6)


def test_asymmetric_interval_leaves_the_tails_out_that_an_integral_gives():
    # Where a Brownian motion of drift -mu is largest, m at time t: density 2 mu times that of the
    # first passage. It beats the other side, exponential with some rate, with 1 - exp(-rate m).
    def share_beyond(time, mu, rate):
        def density(m, t):
            passage = m / np.sqrt(2 * np.pi * t**3) * np.exp(-((m + mu * t) ** 2) / (2 * t))
            return 2 * mu * passage * (1 - np.exp(-rate * m))

        return dblquad(density, time, time + 300, 0, 60, epsabs=1e-9)[0]

    sigma, shift = np.array([1.0, 1.6]), 1e-3
    y, X, breaks = shifted(shift, 60, 40, sigma)
    interval = break_intervals(y, X, breaks, 1, confidence=0.9)
    reach = np.concatenate([interval.high - interval.first, interval.first - interval.low])
    for own, other, observations in zip(sigma, sigma[::-1], reach, strict=True):
        mu = shift / (2 * own)  # drift shift^2 / 2 and standard deviation own * shift, scaled
        unit = mu**2  # of time, so that the integral has numbers near 1
        tail = share_beyond(observations * unit, 1.0, own * shift / (other**2 * mu))
        np.testing.assert_allclose(tail, 0.05, rtol=1e-4)


def test_interval_does_not_cross_the_estimate_where_one_regime_is_quiet():
    interval = break_intervals(*shifted(0.5, sigma=(1.0, 0.01)), 1)
    assert interval.low == interval.first  # no date found lies late: the noise is all before
    assert interval.high > interval.first + 10


def test_moments_over_all_make_the_interval_symmetric():
    y, X, breaks = shifted(0.5, sigma=(1.0, 0.5))
    pooled = break_intervals(y, X, breaks, 1, errors_differ=False)
    assert pooled.high - pooled.first == np.ceil(11.03 * (1 + 0.25) / 2 / 0.25)
    assert pooled.first - pooled.low == pooled.high - pooled.first
    own = break_intervals(y, X, breaks, 1)
    assert own.high - own.first > own.first - own.low


def test_regressors_that_grow_shorten_the_interval_where_they_are_large():
    X = np.repeat([1.0, 3.0], 60)[:, None]
    y = X[:, 0] * np.repeat([0.0, 0.5], 60) + np.random.default_rng(5).standard_normal(120)
    breaks = find_breaks(y, X, most=1)
    own = break_intervals(y, X, breaks, 1)
    pooled = break_intervals(y, X, breaks, 1, regressors_differ=False)
    assert own.first - own.low < pooled.first - pooled.low
    assert own.high - own.first > pooled.high - pooled.first


@pytest.mark.slow
def test_interval_of_a_large_break_covers_it():
    # 400 series, a shift of 1.2 standard deviations: at least 95%, less 3 Monte Carlo errors of
    # 1.1%; more, as ends are whole observations.
    random = np.random.default_rng(8)
    X, covered, widths = np.ones((80, 1)), 0, []
    for _ in range(400):
        y = random.standard_normal(80) + 1.2 * (np.arange(80) >= 36)
        interval = break_intervals(y, X, find_breaks(y, X, most=1), 1)
        covered += interval.low[0] <= 36 <= interval.high[0]
        widths.append(interval.high[0] - interval.low[0])
    assert covered / 400 > 0.95 - 0.033
    assert 10 < np.median(widths) < 22  # 2 * 11 / 1.2^2 = 15, rounded outwards


def test_wider_level_holds_the_narrower():
    y, X, _ = data("seatbelt")
    inner, outer = (break_intervals(y, X, found("seatbelt"), 2, confidence=p) for p in (0.5, 0.99))
    assert (outer.low < inner.low).all()
    assert (outer.high > inner.high).all()


def test_scales_and_levels_change_no_date():
    y, X = simulated(90, 3, seed=4)
    y = y + 2 * (np.arange(90) >= 55)
    mixed = X @ np.array([[1e-7, 1e5, 0], [0, 3e6, 0], [0, 1e6, 1e-9]])
    other_y = 1e4 * y + mixed @ np.array([1e16, 1e3, 0]) + 1e9
    breaks, other = find_breaks(y, X, most=4), find_breaks(other_y, mixed, most=4)
    np.testing.assert_allclose(other.rss, 1e8 * breaks.rss, rtol=1e-7)
    for m in range(5):
        assert breaks.first[m].tolist() == other.first[m].tolist()
    tests = sup_f(y, X), sup_f(other_y, mixed)
    np.testing.assert_allclose(tests[0].statistic, tests[1].statistic, rtol=1e-7)
    ours, theirs = break_intervals(y, X, breaks, 2), break_intervals(other_y, mixed, other, 2)
    assert ours.low.tolist() == theirs.low.tolist()
    assert ours.high.tolist() == theirs.high.tolist()


def exact_residual_squares(y, X):
    """Return the residual sum of squares in rational arithmetic, by Gaussian elimination."""
    columns = [[Fraction(float(x)) for x in column] for column in (*X.T, y)]
    products = [[sum(map(mul, a, b)) for b in columns] for a in columns]
    for pivot, i in combinations(range(len(columns)), 2):
        factor = products[i][pivot] / products[pivot][pivot]
        products[i] = [a - factor * b for a, b in zip(products[i], products[pivot], strict=True)]
    return products[-1][-1]


def assert_residual_squares_exact(y, X, breaks, rtol):
    for dates, rss in zip(breaks.first, breaks.rss, strict=True):
        parts = np.split(np.arange(len(y)), dates)
        exact = float(sum(exact_residual_squares(y[i], X[i]) for i in parts))
        np.testing.assert_allclose(rss, exact, rtol=rtol)


def test_residual_squares_are_right_to_the_last_digits():
    y, X, _ = data("seatbelt")
    assert_residual_squares_exact(y, X, found("seatbelt"), rtol=1e-14)


def test_residual_squares_are_right_for_ill_scaled_data():
    # In ten months decimal years are all but constant, and the level is a million errors high.
    y = simulated(120, 1, seed=6)[0] + 1e6
    X = np.column_stack([np.ones(120), 2000 + np.arange(120) / 12])
    breaks = find_breaks(y, X, most=3, trimming=0.09)
    assert_residual_squares_exact(y, X, breaks, rtol=1e-9)


def test_reversed_series_has_the_mirrored_breaks():
    y, X = simulated(70, 2, seed=7)
    y = y + 3 * X[:, 1] * (np.arange(70) >= 25)
    breaks, mirrored = find_breaks(y, X, most=3), find_breaks(y[::-1], X[::-1], most=3)
    np.testing.assert_allclose(breaks.rss, mirrored.rss, rtol=1e-12)
    for m in range(4):
        assert breaks.first[m].tolist() == (70 - mirrored.first[m][::-1]).tolist()
    ours = break_intervals(y, X, breaks, 1)
    theirs = break_intervals(y[::-1], X[::-1], mirrored, 1)
    assert ours.low.tolist() == (70 - theirs.high).tolist()


@pytest.mark.parametrize("first", [6, 34])
def test_a_break_at_the_first_or_last_admissible_date_is_found(first):
    y = NOISE + 5 * (np.arange(40) >= first)
    assert find_breaks(y, ONES, most=1).shortest == 6
    assert sup_f(y, ONES).first == find_breaks(y, ONES, most=1).first[1] == first


def test_steps_without_noise_are_found_exactly():
    y, X = np.repeat([2.0, 7.0, 3.1], [10, 12, 8]), np.ones((30, 1))
    breaks = find_breaks(y, X, most=3)
    assert breaks.first[2].tolist() == [10, 22]
    assert breaks.rss[2:].tolist() == [0, 0]
    assert breaks.best("bic") == breaks.best("lwz") == 2
    interval = break_intervals(y, X, breaks, 2)
    assert interval.low.tolist() == [9, 21]
    assert interval.high.tolist() == [11, 23]
    test = sup_f(y[:22], X[:22])
    assert (test.statistic, test.first, test.p) == (np.inf, 10, 0.0)


def test_segments_that_do_not_determine_the_coefficients_are_left_out():
    y, X = simulated(60, 1, seed=9)
    X = np.column_stack([X, np.isin(np.arange(60), [12, 30, 31, 50])])  # 1 in four months
    for dates in find_breaks(y, X, most=2).first[1:]:
        for part in np.split(X[:, 1], dates):
            assert 0 < part.sum() < len(part)
    assert 13 <= sup_f(y, X).first <= 50
    with pytest.raises(ValueError, match="no 5 segments of at least 9 observations"):
        find_breaks(y, X, most=4)
    X[12:32, 1] = 0
    with pytest.raises(ValueError, match=r"no 2 segments .* Leave out columns that hardly vary"):
        sup_f(y, X)


def test_frames_are_read_and_nothing_is_changed():
    y, X = simulated(40, 2, seed=10)
    read = pd.Series(y.copy()), pd.DataFrame(X.copy())
    breaks = find_breaks(*read, most=2)
    break_intervals(*read, breaks, 2)
    assert sup_f(*read) == sup_f(y, X)
    for ours, again in zip((*read, y, X), 2 * simulated(40, 2, seed=10), strict=True):
        np.testing.assert_array_equal(ours, again)
    assert breaks.first[2].tolist() == find_breaks(y, X, most=2).first[2].tolist()


@pytest.mark.parametrize(
    ("y", "X", "options", "message"),
    [
        (NOISE[:, None], ONES, {}, r"outcome \(n,\) and a design \(n, k\); found \(40, 1\)"),
        (NOISE, ONES[:, 0], {}, r"found \(40,\), \(40,\)"),
        (NOISE[1:], ONES, {}, r"found \(39,\), \(40, 1\)"),
        (NOISE, ONES[:, :0], {}, r"\(40, 0\)"),
        (np.where(np.arange(40) == 7, np.nan, NOISE), ONES, {}, "outcome must .* at position 7"),
        (NOISE, np.where(np.arange(40)[:, None] == 9, np.nan, ONES), {}, "design must .* first at"),
        (NOISE, ONES, {"trimming": 0}, "trimming must be a share above 0 .* found 0"),
        (NOISE, ONES, {"trimming": 0.6}, "at most 0.5; found 0.6"),
        (NOISE, np.column_stack([ONES, 2 * ONES]), {}, "columns are linearly dependent"),
        (NOISE, np.column_stack([ONES, 0 * ONES]), {}, "dependent: column 1 adds nothing"),
        (np.full(40, 3.3), ONES, {}, "X fits y exactly"),
        (np.zeros(40), ONES, {}, "X fits y exactly"),
    ],
)
def test_bad_input_is_named(y, X, options, message):
    with pytest.raises(ValueError, match=message):
        sup_f(y, X, **options)
    with pytest.raises(ValueError, match=message):
        find_breaks(y, X, most=1, **options)


def test_short_series_says_how_many_observations_its_segments_need():
    with pytest.raises(ValueError, match="3 observations cannot hold 1 breaks: 2 segments"):
        sup_f(NOISE[:3], ONES[:3])
    with pytest.raises(ValueError, match=r"40 .* 4 breaks: 5 segments need at least 10 each"):
        find_breaks(NOISE, ONES, most=4, trimming=0.25)


@pytest.mark.parametrize("most", [0, -1, 2.0, True])
def test_most_is_a_whole_number_of_breaks(most):
    with pytest.raises(ValueError, match=f"most must be a whole number .* found {most}"):
        find_breaks(NOISE, ONES, most=most)


def test_intervals_refuse_what_does_not_fit():
    breaks = find_breaks(NOISE, ONES, most=2)
    for m, message in ((3, "m must be a whole number from 1 to 2; found 3"), (0, "found 0")):
        with pytest.raises(ValueError, match=message):
            break_intervals(NOISE, ONES, breaks, m)
    with pytest.raises(ValueError, match="above 0 and below 1; found 95"):
        break_intervals(NOISE, ONES, breaks, 1, confidence=95)
    for y, m in ((NOISE**2, 1), (NOISE[:-1], 1), (NOISE[:5], 2)):
        with pytest.raises(ValueError, match="with the same y and X"):
            break_intervals(y, ONES[: len(y)], breaks, m)
    with pytest.raises(ValueError, match=r"criterion must be one of \['bic', 'lwz'\]; found 'aic'"):
        breaks.best("aic")
    with pytest.raises(ValueError, match="do not change at 50"):
        break_intervals(*shifted(0.0), 1)


def test_breaks_are_kept_as_found():
    breaks = find_breaks(NOISE, ONES, most=2)
    with pytest.raises(AttributeError, match="cannot assign"):
        breaks.n = 3
    assert replace(breaks, n=3).n == 3
