import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import brentq
from support.declared import SHIFTS
from support.independent import monthly_values, segmented_design, simulate_ar1
from support.independent_law import covariance, fit_law

from analysis import PolicyShift, fit_many, load_series
from analysis.engine.reml import find_ends
from analysis.validation import coverage
from analysis.validation.coverage import CERTIFIED, _least_effects, certificate

SHIFT = PolicyShift("middle", "2005-01")
ROWS = ["level", "slope", "effect_12m", "effect_24m"]
SIMULATIONS = 100


def noisy_values(n=120, rho=0.5, size=1.0, seed=1):
    return monthly_values(size * simulate_ar1(np.random.default_rng(seed), n, rho)[:, 0])


def certified(series, shift=SHIFT, **options):
    return certificate(series, shift, simulations=20, **options)


@pytest.fixture(scope="module")
def calderon():
    shift = SHIFTS["calderon-2006-12"]
    series = load_series("inegi", start=shift.start, end=shift.end)
    return series, shift, certificate(series, shift, simulations=SIMULATIONS)


@pytest.fixture(scope="module")
def stated(calderon):
    return certificate(*calderon[:2], simulations=1000)


def own_laws(y, X, after, count, seed=0):
    """Errors (n, count): each of a law, and of a sigma given it, that `y` leaves possible."""
    rng, law = np.random.default_rng(seed), fit_law(y, X, np.eye(X.shape[1]), after=after)
    nodes, errors = rng.choice(len(law.weight), size=count, p=law.weight), []
    for node, times in zip(*np.unique(nodes, return_counts=True), strict=True):
        V = covariance(len(y), law.rho[node], law.theta[node], law.ratio[node], after)
        L = np.linalg.cholesky(V)
        rss = np.linalg.lstsq(np.linalg.solve(L, X), np.linalg.solve(L, y))[1][0]
        sigma = np.sqrt(rss / rng.chisquare(law.df, times))
        errors.append(L @ (sigma * rng.standard_normal((len(y), times))))
    return rng.permutation(np.hstack(errors), axis=1)


@pytest.fixture(scope="module")
def others(calderon):
    """Other series of the same errors, and the design with the two months left out."""
    series, n = calderon[0], len(calderon[0])
    first, holes = (series.index.get_loc(month) for month in ("2006-12", "2007-01"))
    X = np.column_stack([segmented_design(n, first, harmonics=2), np.eye(n)[:, holes : holes + 2]])
    y = np.log(1e5 * series["deaths"] / series["person_years"]).to_numpy()
    return X, first, own_laws(y, X, first, 1500)


def test_a_row_for_every_estimand(calderon):
    table = calderon[2]
    assert table.columns.tolist() == CERTIFIED
    assert table["estimand"].tolist() == ROWS
    assert (table["month"] == "2006-12").all()
    assert (table["simulations"] == SIMULATIONS).all()


def test_size_and_coverage_are_two_sides_of_one_count(calderon):
    table = calderon[2]
    np.testing.assert_allclose(table["size"] + table["coverage"], 100)
    share = table["size"] / 100
    np.testing.assert_allclose(table["mc_error"], 100 * np.sqrt(share * (1 - share) / SIMULATIONS))


def test_rise_and_fall_are_equally_far_on_the_log_scale(calderon):
    rise, fall = (1 + calderon[2][name] / 100 for name in ("mde_rise", "mde_fall"))
    np.testing.assert_allclose(rise * fall, 1)
    assert (rise > 1).all()


@pytest.mark.slow
# The certificate adds no effect to any series. Here it is added, to other series of such errors and
# on top of a line and a season, and the intervals that find it are counted.
@pytest.mark.parametrize(
    ("row", "sign"),  # level, slope and effect_24m
    [(row, sign) for row in (0, 1, 3) for sign in ("mde_rise", "mde_fall")],
)
def test_an_effect_of_the_stated_size_is_found_in_eighty_percent(stated, others, row, sign):
    stated, (X, first, errors) = stated.loc[row], others
    effect = np.log1p(stated[sign] / 100)
    truth = np.array([2.5, -0.1, 0, 0, 0.05, 0.02, -0.03, 0.01, 3, -4])
    contrast = np.zeros(10)
    contrast[2:4] = {"level": (1, 0), "slope": (0, 1), "effect_24m": (1, 2)}[stated["estimand"]]
    truth += effect * contrast / (contrast @ contrast)
    fits = fit_many((X @ truth)[:, None] + errors, X, contrast, after=first)
    found = fits.low > 0 if effect > 0 else fits.high < 0
    error = 100 * np.sqrt(0.8 * 0.2 * (1 / 1500 + 1 / 1000))
    assert abs(100 * found.mean() - 80) < 4 * error
    covered = 100 * ((fits.low <= effect) & (fits.high >= effect)).mean()
    assert abs(covered - stated["coverage"]) < 4 * stated["mc_error"] * np.sqrt(1 + 1000 / 1500)


@pytest.mark.slow
def test_every_series_has_a_law_of_its_own_from_what_the_series_says(monkeypatch):
    series, X, seen = noisy_values(n=60), segmented_design(60, 30), []
    series.iloc[30:] *= 2

    def find(errors, *design, after):
        seen.append(errors)
        return find_ends(errors, *design, after=after)

    monkeypatch.setattr(coverage, "find_ends", find)
    certificate(series, PolicyShift("middle", "2002-07"), harmonics=0, simulations=2000)
    y = series["value"].to_numpy()

    def told(errors):
        """Size before, that after over it, and memory of each series."""
        changes = np.diff(errors, axis=0)
        before, after = changes[:29], changes[30:]
        memory = (errors[1:] * errors[:-1]).mean(axis=0) / (errors**2).mean(axis=0)
        return before.std(axis=0), after.std(axis=0) / before.std(axis=0), memory

    (errors,) = seen
    assert errors.shape == (60, 2000)
    for ours, theirs in zip(told(errors), told(own_laws(y, X, 30, 2000)), strict=True):
        assert stats.ks_2samp(ours, theirs).pvalue > 0.01


@pytest.mark.slow
def test_with_little_autocorrelation_the_least_effect_is_near_that_of_the_textbook():
    """What is not known of memory, noise and the errors' size costs a tenth to a third."""
    series, shift = noisy_values(n=480, rho=0.0), PolicyShift("middle", "2020-01")
    stated = certificate(series, shift, harmonics=0, simulations=1000).set_index("estimand")
    X, df = segmented_design(480, 240), 476
    rss = np.linalg.lstsq(X, series["value"].to_numpy())[1][0]
    spread = np.diag(np.linalg.inv(X.T @ X))
    steps = brentq(lambda steps: stats.nct.sf(stats.t.ppf(0.975, df), df, steps) - 0.8, 1, 5)
    for name, column in (("level", 2), ("slope", 3)):
        textbook = steps * np.sqrt(rss / df * spread[column])
        assert 1 < stated.loc[name, "mde_rise"] / textbook < 1.5
        assert stated.loc[name, "mde_fall"] == -stated.loc[name, "mde_rise"]


def test_least_effect_is_an_order_statistic():
    low, high = np.arange(-10.0, 0.0), np.arange(1.0, 11.0)
    rise, fall, _ = _least_effects(low, high, "value")
    # -low and high are 1, …, 10 each: a rise of 8.01 exceeds 8 of 10.
    assert 8 <= rise <= 9
    assert fall == -rise


@pytest.mark.slow
def test_stated_error_of_the_least_effect_is_its_spread():
    X = segmented_design(60, 30)
    fits = fit_many(simulate_ar1(np.random.default_rng(3), 60, 0.6, 200 * 100), X, np.eye(4)[2])
    ends = fits.low.reshape(100, 200), fits.high.reshape(100, 200)
    found = np.array([_least_effects(low, high, "value") for low, high in zip(*ends, strict=True)])
    assert found[:, 2].mean() == pytest.approx(found[:, 0].std(), rel=0.3)


def test_ten_times_the_values_ten_times_the_least_effect():
    small, large = (certified(noisy_values(size=size)) for size in (1, 10))
    np.testing.assert_allclose(large["mde_rise"], 10 * small["mde_rise"], rtol=1e-6)
    pd.testing.assert_series_equal(large["size"], small["size"])


def test_adding_a_shift_and_a_line_changes_nothing():
    series = noisy_values()
    moved = series + (segmented_design(120, 60) @ [50, -3, 8, 2])[:, None]
    pd.testing.assert_frame_equal(certified(series), certified(moved), rtol=1e-6)


@pytest.mark.slow
def test_same_seed_same_numbers_and_the_series_stays_as_it_was():
    series = noisy_values()
    before = series.copy()
    first, again, other = (certified(series, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first["mde_rise"] != other["mde_rise"]).all()
    pd.testing.assert_frame_equal(series, before)


def test_estimands_without_an_answer_have_no_row():
    short = certified(noisy_values(n=78))
    assert short["estimand"].unique().tolist() == ["level", "slope", "effect_12m"]
    step = certified(noisy_values(), PolicyShift("step", "2005-01", impact="level"))
    assert step["estimand"].unique().tolist() == ["level", "effect_12m", "effect_24m"]


@pytest.mark.slow
def test_a_range_of_months_is_certified_at_its_first():
    several, series = PolicyShift("range", "2005-01", until="2005-03"), noisy_values()
    pd.testing.assert_frame_equal(certified(series, several), certified(series))


def test_rates_have_least_effects_in_deaths_per_100k(calderon):
    series, shift, table = calderon
    rate = certified(series, shift, scale="rate")
    assert (rate["mde_fall"] == -rate["mde_rise"]).all()
    assert rate.loc[0, "mde_rise"] < 5 < table.loc[0, "mde_rise"]  # the rate is near ten


@pytest.mark.parametrize("wrong", [0, 19, True, 100.0, "many"])
def test_useless_number_of_simulations_is_refused(wrong):
    message = "simulations must be a whole number from 20 to 1,000,000; found"
    with pytest.raises(ValueError, match=message):
        certificate(noisy_values(), SHIFT, simulations=wrong)


def test_months_without_deaths_are_refused_on_the_log_scale(calderon):
    series, shift, _ = calderon
    empty = series.assign(deaths=series["deaths"].where(series.index != "2003-05", 0))
    with pytest.raises(ValueError, match=r"needs deaths in every period; none in \['2003-05'\]"):
        certificate(empty, shift)


def test_a_series_without_noise_is_refused():
    exact = monthly_values(segmented_design(120, 60) @ [1, 2, 3, 4])
    with pytest.raises(ValueError, match="without any residual variation: there is no error"):
        certificate(exact, SHIFT, simulations=100)
