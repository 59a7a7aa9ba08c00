from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import solve_triangular
from scipy.special import softmax
from support.declared import SHIFTS
from support.independent import monthly_values, noise, segmented_design, simulate_ar1
from support.independent_gaps import fit_seen
from support.independent_law import covariance, fit_law, law_nodes
from support.sweeps import sweep

from analysis import PolicyShift, load_series
from analysis.its.breaks import BreakPosterior, break_posterior

MONTHS = pd.period_range("2001-01", periods=6, freq="M")
VALUES = monthly_values(noise())
DEATHS = np.random.default_rng(2).poisson(300, 60)
COUNTS = pd.DataFrame({"deaths": DEATHS, "person_years": 2e5}, index=VALUES.index)


def posterior_of(*probability, index=MONTHS):
    return BreakPosterior(pd.Series(probability, index=index[: len(probability)], dtype=float))


def line_with(*breaks, periods=90):
    """3 + 0.5 t, and from each position on a level and a change of slope."""
    i = np.arange(periods)
    y = 3 + 0.5 * i / 12
    for number, first in enumerate(breaks):
        y = y + (2 - 3.5 * number) * (i >= first) + (1 + number) * np.maximum(i - first, 0) / 12
    return y


def dense_posterior(y, designs):
    """The law of one size integrated out of each design on a fine grid, by the Kalman filter."""
    return softmax([fit_law(y, X, np.eye(X.shape[1])).log_marginal for X in designs])


@pytest.mark.parametrize(
    ("breaks", "rho", "frequency"),
    sweep([(1, 0.3, "M"), (1, 0.97, "M"), (2, 0.6, "M"), (1, 0.5, "Y")], 0),
)
def test_posterior_equals_the_dense_integral_at_every_date(breaks, rho, frequency):
    fewest, per_year = (12, 12) if frequency == "M" else (3, 1)
    y = noise(40, seed=7, rho=rho)
    choices = [
        chosen
        for chosen in combinations(range(fewest, 40 - fewest + 1), breaks)
        if breaks == 1 or chosen[1] - chosen[0] >= fewest
    ]
    designs = [segmented_design(40, *chosen, per_year=per_year) for chosen in choices]
    expected = dense_posterior(y, designs)
    frame = monthly_values(y, "1980", frequency)
    found = break_posterior(frame, breaks, harmonics=0).probability
    if breaks == 1:
        assert found.index.equals(frame.index[[first for (first,) in choices]])
    else:
        pairs = [tuple(frame.index[place] for place in chosen) for chosen in choices]
        assert found.index.tolist() == pairs
    assert found.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found, expected, rtol=6e-3)  # what the rough grid costs


def own_ratio(y, X, after):
    """How much larger the errors are from the official date on, by the model of a break there."""
    law = fit_law(y, X, np.eye(X.shape[1])[:1], after=after)
    return np.exp(law.weight @ np.log(law.ratio))


def odds_of_some(found, y, design, own, keep):
    """Every ninth probability, and the dense one with errors that change their size at `own`."""
    some, C = found.iloc[::9], np.eye(design(own).shape[1])
    dummies = np.eye(len(y))[:, ~keep]
    ratio = own_ratio(y, np.column_stack([design(own), dummies]), own)
    sizes = {"after": own, "given": ratio, "sizes": (12, 14, 1)}
    places = pd.period_range("2000-01", periods=len(y), freq="M").get_indexer(some.index)
    heights = [fit_seen(y, design(at), C, keep, **sizes).log_marginal for at in places]
    return some / some.sum(), softmax(heights)


@pytest.mark.slow
def test_waves_and_shifts_beside_and_the_change_of_size_are_part_of_the_model():
    frame = monthly_values(noise(60, seed=3) * np.where(np.arange(60) < 41, 1, 2))
    shift = PolicyShift("x", "2003-06", beside=(PolicyShift("other", "2001-11"),))
    found = break_posterior(frame, shift=shift).probability
    y = frame["value"].to_numpy()
    designs = {at: segmented_design(60, at, 22, harmonics=2) for at in range(60)}
    chosen = found, y, designs.__getitem__, 41, np.ones(60, dtype=bool)
    odds, dense = odds_of_some(*chosen)
    np.testing.assert_allclose(odds, dense, rtol=0.01)
    places = frame.index.get_indexer(found.index[::9])
    of_one_size = dense_posterior(y, [designs[at] for at in places])
    assert abs(of_one_size / odds - 1).max() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("out", [(29, 30, 31), (0, 59)])
def test_periods_left_out_are_periods_never_seen(out):
    frame, out = monthly_values(noise(60, seed=3)), list(out)
    shift = PolicyShift("x", "2003-06", omit=tuple(frame.index[out]))
    found = break_posterior(frame, shift=shift, harmonics=0).probability
    keep = ~np.isin(np.arange(60), out)
    y = frame["value"].to_numpy()
    odds = odds_of_some(found, y, lambda at: segmented_design(60, at), 41, keep)
    np.testing.assert_allclose(*odds, rtol=0.01)
    other = frame.where(keep[:, None], 1e3)
    again = break_posterior(other, shift=shift, harmonics=0).probability
    np.testing.assert_allclose(again, found, rtol=1e-9)
    if 0 not in out:
        missing = break_posterior(frame[keep], shift=replace(shift, omit=()), harmonics=0)
        np.testing.assert_allclose(missing.probability, found, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("breaks", [(31,), (25, 60)])
def test_break_without_noise_is_found_for_certain(breaks, size):
    frame = monthly_values(size * line_with(*breaks))
    found = break_posterior(frame, len(breaks), harmonics=0)
    dates = tuple(frame.index[list(breaks)])
    assert found.mode == (dates if len(breaks) == 2 else dates[0])
    assert found.probability[found.mode] == 1.0
    assert found.credible.tolist() == [found.mode]


@pytest.mark.parametrize("breaks", [(31,), (25, 60)])
def test_break_is_found_through_little_noise(breaks):
    frame = monthly_values(line_with(*breaks) + 0.1 * noise(90))
    found = break_posterior(frame, len(breaks))
    dates = tuple(frame.index[list(breaks)])
    assert found.credible.tolist() == [dates if len(breaks) == 2 else dates[0]]
    assert found.by_period[list(dates)].to_numpy() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("size", [1e-7, 1e-9, 1e-11])
def test_break_is_found_through_noise_that_is_all_but_rounding(size):
    frame = monthly_values(line_with(31) + size * noise(90))
    found = break_posterior(frame, harmonics=0)
    assert found.probability[frame.index[31]] == pytest.approx(1, abs=1e-6)


def test_mode_is_the_likeliest_date():
    assert posterior_of(0.2, 0.5, 0.3).mode == pd.Period("2001-02", "M")


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        ((0.04, 0.9, 0.06), [1, 2]),
        ((0.96, 0.03, 0.01), [0]),
        ((0.02, 0.95, 0.03), [1]),
        ((0.2, 0.2, 0.2, 0.2, 0.2), [0, 1, 2, 3, 4]),
        ((0.03, 0.9, 0.03, 0.04), [0, 1, 3]),  # of two equal dates the earlier
    ],
)
def test_credible_set_is_the_fewest_dates_in_their_order(probability, expected):
    assert posterior_of(*probability).credible.tolist() == MONTHS[expected].tolist()


def test_mass_near_counts_months_on_either_side():
    found = posterior_of(0.1, 0.2, 0.3, 0.25, 0.1, 0.05)
    assert found.mass_near("2001-03", 0) == pytest.approx(0.3)
    assert found.mass_near("2001-03", 1) == pytest.approx(0.75)
    assert found.mass_near(MONTHS[0], 2) == pytest.approx(0.6)
    assert found.mass_near("2001-09") == pytest.approx(0.05)
    assert found.mass_near("2010-01") == 0.0


@pytest.mark.parametrize(
    ("frequency", "period", "months", "expected"),
    [
        ("Q", "2000Q2", 0, 0.2),
        ("Q", "2000Q2", 3, 0.6),
        ("Q", "2000-04", 0, 0.2),
        ("Q", "2000-05", 0, 0.3),  # the first whole quarter under the policy is the next one
        ("Y", "2001", 11, 0.2),
        ("Y", "2001", 12, 0.6),
        ("Y", "2001-01", 3, 0.2),
        ("Y", "2000-12", 3, 0.2),
    ],
)
def test_mass_near_starts_from_the_first_whole_period(frequency, period, months, expected):
    index = pd.period_range("2000", periods=4, freq=frequency)
    found = posterior_of(0.1, 0.2, 0.3, 0.4, index=index)
    assert found.mass_near(period, months) == pytest.approx(expected)


def test_two_breaks_are_summed_date_by_date():
    first, second = MONTHS[[0, 0, 1]], MONTHS[[2, 3, 3]]
    pairs = pd.MultiIndex.from_arrays([first, second], names=["first", "second"])
    found = BreakPosterior(pd.Series([0.5, 0.46, 0.04], index=pairs))
    assert found.mode == (MONTHS[0], MONTHS[2])
    assert found.credible.tolist() == [(MONTHS[0], MONTHS[2]), (MONTHS[0], MONTHS[3])]
    by_period = pd.Series([0.96, 0.04, 0.5, 0.5], index=MONTHS[:4])
    pd.testing.assert_series_equal(found.by_period, by_period, check_names=False)
    assert found.mass_near("2001-01", 0) == pytest.approx(0.96)
    assert found.mass_near("2001-03", 0) == pytest.approx(0.5)
    assert found.mass_near("2001-04", 1) == pytest.approx(1.0)  # either break, not both counted
    assert found.mass_near("2001-06", 1) == 0.0


def test_one_break_is_its_own_sum_by_period():
    found = posterior_of(0.2, 0.5, 0.3)
    assert found.by_period is found.probability


@pytest.mark.parametrize(
    ("frequency", "periods", "fewest"), [("M", 30, 12), ("Q", 20, 4), ("Y", 20, 3)]
)
def test_twelve_months_or_three_periods_stay_on_either_side(frequency, periods, fewest):
    frame = monthly_values(noise(periods), "2000", frequency)
    found = break_posterior(frame).probability
    assert found.index.equals(frame.index[fewest : periods - fewest + 1])


@pytest.mark.slow
def test_policy_with_few_months_around_it_stays_a_candidate():
    def candidates(*args, **options):
        return break_posterior(VALUES, shift=PolicyShift("x", *args, **options)).probability.index

    assert candidates("2002-06").equals(VALUES.index[12:49])
    assert candidates("2004-05").equals(VALUES.index[12:53])  # 8 months after it, and so for all
    assert candidates("2004-03", until="2004-05").equals(VALUES.index[12:53])
    assert candidates("2000-08").equals(VALUES.index[7:49])
    assert candidates("2002-06", start="2000-03", end="2004-02").equals(VALUES.index[14:39])


def test_dates_beside_another_shift_are_no_candidates():
    other = PolicyShift("other", "2002-07")  # position 30
    found = break_posterior(VALUES, shift=PolicyShift("x", "2003-06", beside=other)).probability
    assert found.index.equals(VALUES.index[[*range(12, 27), *range(34, 49)]])
    close = PolicyShift("x", "2002-09", until="2002-10", beside=other)
    found = break_posterior(VALUES, shift=close).probability
    assert found.index.equals(VALUES.index[[*range(12, 27), 32, 33, *range(34, 49)]])


def test_shift_beside_outside_the_window_is_left_out():
    alone = PolicyShift("x", "2002-06", end="2004-06")
    later = replace(alone, beside=PolicyShift("other", "2004-08"))
    found = [break_posterior(VALUES, shift=shift).probability for shift in (later, alone)]
    pd.testing.assert_series_equal(*found)


def test_break_between_quarters_and_years_is_found():
    for frequency, periods in (("Q", 60), ("Y", 40)):
        y = 5 * (np.arange(periods) >= 22) + 0.1 * noise(periods)
        frame = monthly_values(y, "1950", frequency)
        found = break_posterior(frame)
        assert found.mode == frame.index[22]
        assert found.mass_near(frame.index[22], 0) > 0.99


def test_scale_chooses_the_outcome():
    rate = pd.DataFrame({"value": 1e5 * COUNTS["deaths"] / COUNTS["person_years"]})
    for scale, values in (("rate", rate), ("log", np.log(rate)), (None, np.log(rate))):
        found = break_posterior(COUNTS, scale=scale).probability
        pd.testing.assert_series_equal(found, break_posterior(values).probability)


@pytest.mark.slow
def test_national_rate_breaks_when_the_offensive_began_only_by_two_months_with_holes():
    """The mass by dense algebra in the same windows: 0.9992 or, with errors that may change their
    size in December 2006, 0.970, and 0.069 without the two."""
    series = load_series("inegi", start="2000-01", end="2012-11")
    shift = SHIFTS["calderon-2006-12"]
    assert [str(month) for month in shift.omit] == ["2007-01", "2007-02"]
    dense = {None: 0.9992, replace(shift, omit=()): 0.970, shift: 0.069}
    for given, mass in dense.items():
        found = break_posterior(series, shift=given)
        assert found.mode == pd.Period("2008-01" if given == shift else "2007-01", "M")
        assert found.mass_near("2006-12") == pytest.approx(mass, abs=5e-3)


@pytest.mark.slow
def test_national_rate_does_not_date_the_next_administration():
    """By dense algebra: mode 2009-12, 63 months in the set, 0.091; or 2014-06, 89, 0.075."""
    series = load_series("inegi", start="2006-12", end="2018-11")
    found = break_posterior(series)
    assert found.mode == pd.Period("2009-12", "M")
    assert len(found.credible) == pytest.approx(63, abs=1)
    assert found.mass_near("2012-12") == pytest.approx(0.091, abs=5e-3)
    found = break_posterior(series, shift=SHIFTS["pena-nieto-2012-12"])
    assert found.mode == pd.Period("2014-06", "M")
    assert len(found.credible) == pytest.approx(89, abs=1)
    assert found.mass_near("2012-12") == pytest.approx(0.075, abs=5e-3)


def test_scaling_deaths_and_person_years_changes_nothing():
    frame = load_series("inegi", start="2004-01", end="2010-12")
    one, seven = break_posterior(frame), break_posterior(7 * frame)
    pd.testing.assert_series_equal(seven.probability, one.probability, rtol=1e-8)


EMPTY = COUNTS.assign(deaths=np.where(COUNTS.index == "2002-03", 0, DEATHS))
YEARS = VALUES.iloc[:8].set_axis(pd.period_range("2000", periods=8, freq="Y"))
BAD = {
    "three breaks": ((VALUES, 3), {}, "breaks must be a whole number from 1 to 2; found 3"),
    "no breaks": ((VALUES, 0), {}, "found 0"),
    "true": ((VALUES, True), {}, "found True"),
    "short": ((VALUES.iloc[:23],), {}, r"23 periods leave no .* 1 break\(s\): 12 are needed"),
    "short for two": ((VALUES.iloc[:35], 2), {}, r"35 periods .* 2 break\(s\): 12 .* longer"),
    "few years": ((YEARS, 2), {}, r"8 periods .* 2 break\(s\): 3 are needed on either side"),
    "no deaths": ((EMPTY,), {}, r"log scale needs deaths .* \['2002-03'\]"),
    "scale": ((VALUES,), {"scale": "log"}, "needs 'deaths' and 'person_years'"),
    "outside": ((VALUES,), {"shift": PolicyShift("x", "2010-01")}, "x: the shift at 2010-01 is"),
    "no frame": ((VALUES["value"],), {}, "series must be a DataFrame; found pandas Series"),
    "many waves": ((VALUES.iloc[:26],), {"harmonics": 0.5}, "whole number from 0 to 6; found 0.5"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    arguments, options, message = BAD[name]
    with pytest.raises((TypeError, ValueError), match=message):
        break_posterior(*arguments, **options)


def test_shortest_series_leave_one_date_or_pair():
    assert len(break_posterior(VALUES.iloc[:24]).probability) == 1
    assert len(break_posterior(VALUES.iloc[:36], 2).probability) == 1


def posteriors_of_one_break(frame):
    """Densely, of many series (a column each) at once: they share the laws and all designs."""
    Y, n = frame.to_numpy(), len(frame)
    places, i = np.arange(12, n - 11), np.arange(n)
    steps = i[:, None] >= places
    own = np.hstack([steps, steps * (i[:, None] - places) / 12]).astype(float)
    columns, total = np.hstack([segmented_design(n), own, Y]), -np.inf
    for phi, theta, _, prior in zip(*law_nodes((12, 14, 1), changes=False), strict=True):
        root = np.linalg.cholesky(covariance(n, phi, theta))
        white = solve_triangular(root, columns, lower=True)
        Q, R = np.linalg.qr(white[:, :2])
        rest = white[:, 2:] - Q @ (Q.T @ white[:, 2:])
        A, y = rest[:, : own.shape[1]].reshape(n, 2, -1).transpose(2, 1, 0), rest[:, own.shape[1] :]
        inner, with_y = A @ A.transpose(0, 2, 1), A @ y
        rss = (y**2).sum(axis=0) - (with_y * np.linalg.solve(inner, with_y)).sum(axis=1)
        log_det = np.linalg.slogdet(inner)[1] + 2 * np.log(np.diag(root)).sum()
        log_det += 2 * np.log(np.abs(np.diag(R))).sum()
        height = np.log(prior) - 0.5 * ((n - 4) * np.log(rss) + log_det[:, None])
        total = np.logaddexp(total, height)
    return pd.DataFrame(softmax(total, axis=0), frame.index[places])


def simulate_posteriors(rho, level, slope, count=200, periods=120, seed=0):
    """Posteriors of series with a break at a random admissible date; which date it was."""
    rng = np.random.default_rng([seed, int(100 * rho), int(10 * level), int(10 * slope)])
    errors, i = simulate_ar1(rng, periods, rho, count), np.arange(periods)
    places = rng.integers(12, periods - 12 + 1, count)
    sign = np.array([rng.choice([-1, 1], 2) for _ in places]).T
    since = np.maximum(i[:, None] - places, 0) / 12
    y = errors + sign[0] * level * (i[:, None] >= places) + sign[1] * slope * since
    frame = pd.DataFrame(y, monthly_values(y[:, 0]).index)
    found = posteriors_of_one_break(frame)
    for one in range(3):  # what holds of the dense posteriors holds of the package's
        alone = break_posterior(frame[[one]].set_axis(["value"], axis=1), harmonics=0)
        assert abs(found[one] - alone.probability).sum() < 0.01  # what its rough grid costs
    return [(BreakPosterior(found[one]), frame.index[place]) for one, place in enumerate(places)]


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.3, 0.8])
@pytest.mark.parametrize(("level", "slope"), [(6, 0), (3, 1.5), (0, 3), (2, 0)])
def test_credible_set_holds_the_date_of_a_break(rho, level, slope):
    """Standard error of a share near 95%: 1.5 points with 200 series. Sizes in innovations."""
    found = simulate_posteriors(rho, level, slope)
    share = 100 * np.mean([date in posterior.credible for posterior, date in found])
    size = np.mean([len(posterior.credible) for posterior, _ in found])
    print(f"rho {rho}, level {level}, slope {slope}: {share:.1f}% hold the date, {size:.1f} months")
    assert share >= 93 - 3 * 1.5


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "ends", "middle"), [(0.3, 2.8, 0.45), (0.8, 1.9, 0.7)])
def test_without_a_break_the_ends_hold_more_than_their_share(rho, ends, middle):
    """What the docstring warns of: the flat prior of level and slope favours an early or late one.

    Average probability times the number of dates, 1 if no date were favoured; 200 series.
    """
    found = [posterior.probability for posterior, _ in simulate_posteriors(rho, 0, 0)]
    shares = np.array(found) * len(found[0])
    outer, inner = shares[:, [*range(6), *range(-6, 0)]].mean(axis=1), shares[:, 39:58].mean(axis=1)
    errors = [part.std() / np.sqrt(200) for part in (outer, inner)]
    print(f"rho {rho}: outer six months {outer.mean():.2f} (+-{errors[0]:.2f}), ", end="")
    print(f"middle {inner.mean():.2f} (+-{errors[1]:.2f})")
    assert outer.mean() == pytest.approx(ends, abs=3 * errors[0] + 0.2)
    assert inner.mean() == pytest.approx(middle, abs=3 * errors[1] + 0.1)
