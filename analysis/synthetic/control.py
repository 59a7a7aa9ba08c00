"""Synthetic control: one unit and the weighted others that ran with it before the change."""

from dataclasses import dataclass, field
from itertools import pairwise
from warnings import catch_warnings

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype
from scipy.optimize import minimize, nnls

from analysis import checks
from analysis.arguments import Count, Share, Year, check_year, checked
from analysis.checks import OneLine, check_known, name_some, require, unit_size
from analysis.files import DATA_FOLDER, read_toml

with catch_warnings(action="ignore"):  # of a docstring's "\h", when it is first compiled
    from pysyncon import AugSynth, Dataprep
    from pysyncon.utils import CrossValidationResult

NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal", "empty"}  # kinds of columns
LARGEST = 1e250  # of a rate
FEWEST_BEFORE = 5  # years to fit the weights on
NO_WEIGHT = 0.005  # a donor below this carries nothing worth naming
CONFIDENCE = 0.9  # of every interval: a dozen placebo units cannot give 95%
PERFECT = 1e-9  # an error this small beside the rate is rounding
ERRORS = read_toml(DATA_FOLDER / "synthetic-words.toml")[1]["errors"]


@dataclass(frozen=True, repr=False)
class SyntheticControl(OneLine):
    """One unit beside its synthetic control, in the unit of its data."""

    treated: str | int
    first_year: int  # first year under the new policy
    note: str = field(default="outcomes alone are matched", kw_only=True)
    observed: pd.Series  # by year
    synthetic: pd.Series  # by year
    weights: pd.Series  # by donor
    balance: pd.DataFrame | None = None  # by predictor: weight, treated, synthetic

    @property
    def carrying(self) -> pd.Series:
        """The weights worth naming, the heaviest first."""
        return self.weights[self.weights > NO_WEIGHT].sort_values(ascending=False)

    @property
    def gap(self) -> pd.Series:
        """Observed minus synthetic, by year."""
        return (self.observed - self.synthetic).rename("gap")

    @property
    def before(self) -> pd.Series:
        """The gap in the years on which the weights were fitted."""
        return self.gap.loc[: self.first_year - 1]

    @property
    def average(self) -> float:
        """Mean gap from the change on; how far it moved is told by `changes`."""
        return float(self.gap.loc[self.first_year :].mean())

    @checked
    def changes(self, years: Count = 1) -> pd.Series:
        """Return the gap from the change on less its mean in the last years, or all, before it."""
        return self.gap.loc[self.first_year :] - self.before.iloc[-years:].mean()

    @property
    def rmspe(self) -> float:
        """Root mean squared gap before the change."""
        before, power = unit_size(self.before.to_numpy())
        return float(np.ldexp(np.sqrt((before**2).mean()), power))

    @property
    def explained(self) -> float:
        """Share of the unit's own variance before the change that its synthetic control follows."""
        own, power = unit_size(self.observed.loc[: self.first_year - 1].to_numpy())
        return float(1 - np.ldexp(self.rmspe, -power) ** 2 / own.var())


@dataclass(frozen=True, repr=False)
class PlaceboCountries(OneLine):
    """The real synthetic control, and one of every donor as if the change had been there."""

    real: SyntheticControl
    placebo: dict[str, SyntheticControl]  # by donor, fitted from all the other units
    pairs: dict[str, tuple[SyntheticControl, SyntheticControl]]  # unit and donor without each other

    @property
    def rank(self) -> int:
        """Place of the unit by the size of its mean change over its error before, the first 1."""
        error = self.real.rmspe
        size = abs(self.real.changes().mean()) / error if error else np.inf
        return 1 + sum(abs(x.changes().mean()) >= size * x.rmspe for x in self.placebo.values())

    @checked
    def intervals(self, confidence: Share = CONFIDENCE) -> pd.DataFrame:
        """Return the changes of the gap, and ``"average"``, with intervals and p of no effect."""
        # An effect is inside if, without it, the unit's change is no larger than the donor's, each
        # over its own error: 2 ends x years x donors.
        ends = []
        for own, other in self.pairs.values():
            change, reach = _with_average(own), np.inf  # without error nothing is as far off
            if other.rmspe >= PERFECT * other.observed.abs().max():
                reach = own.rmspe / other.rmspe * np.abs(_with_average(other))
            ends.append([change - reach, change + reach])
        low, high = np.moveaxis(np.array(ends), 0, 2)
        units = len(self.pairs) + 1
        told = [*self.real.gap.loc[self.real.first_year :].index, "average"]
        table = pd.DataFrame({"estimate": _with_average(self.real)}, index=told)
        table = table.assign(low=-np.inf, high=np.inf)
        # So many donors are as far off, for p > 1 - confidence; too few leave the ends infinite.
        if needed := int(round((1 - confidence) * units, 9)):
            table["low"] = np.sort(low, axis=1)[:, needed - 1]
            table["high"] = np.sort(high, axis=1)[:, -needed]
        if (self.real.observed >= 0).all():  # no synthetic rate is below zero
            most = self.real.observed.loc[self.real.first_year :] - self.real.before.iloc[-1]
            table["high"] = table["high"].clip(upper=pd.Series({**most, "average": most.mean()}))
        return table.assign(p=(((low <= 0) & (high >= 0)).sum(axis=1) + 1) / units)


def _with_average(control: SyntheticControl) -> np.ndarray:
    """Return what `changes` does, and its mean, as numbers."""
    gap = control.observed.to_numpy() - control.synthetic.to_numpy()
    before = (control.observed.index < control.first_year).sum()
    changes = gap[before:] - gap[before - 1]
    return np.append(changes, changes.mean())


@checked
def fit_synthetic(
    rates: pd.DataFrame,
    treated: str | int,
    *,
    first_year: Year,
    intercept: bool = False,
    predictors: pd.DataFrame | None = None,
) -> SyntheticControl:
    """Fit the donors' weights to every year before a change, and compare after it.

    Without `predictors` the outcomes alone are matched, all years before the change alike.

    Parameters
    ----------
    rates : DataFrame
        Consecutive years x units, no gap; every other column is a donor.
    treated : str or int
        The column where the policy changed.
    first_year : int
        First year under the new policy.
    intercept : bool
        Whether the mixture is shifted by a constant, to have the unit's mean before the change.
    predictors : DataFrame, optional
        Units x predictors, matched by label: such as means of years before the change, or rates of
        some of these years (``rates.loc[[1975, 1980]].T``).

    Returns
    -------
    SyntheticControl
        The weights, none negative and of sum 1, leave the least squared gap before the change. With
        predictors: the least squared gap of these, each over its standard deviation and weighted so
        that the gap before is least, as far as Nelder-Mead finds; `balance` has both.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105, 493-505, doi:10.1198/jasa.2009.ap08746
    Ferman and Pinto (2021), Quantitative Economics 12, 1197-1221, doi:10.3982/QE1596 (intercept)
    """
    rates = check_rates(rates, treated, first_year)
    if predictors is None:
        return fit_outcomes(rates, treated, first_year=first_year, intercept=intercept)
    require(not intercept, "predictors do not go with an intercept; leave one of them out")
    before, others = rates.loc[: first_year - 1], rates.columns.drop(treated)
    weights, balance = match_predictors(predictors, before[others], before[treated])
    synthetic = (rates[others] @ weights).rename("synthetic")
    told = {"note": f"{len(balance)} predictors are matched", "balance": balance}
    weights = pd.Series(weights, others, name="weight")
    return SyntheticControl(treated, first_year, rates[treated].copy(), synthetic, weights, **told)


def fit_outcomes(
    rates: pd.DataFrame, treated: str | int, *, first_year: int, intercept: bool = False
) -> SyntheticControl:
    """Fit as `fit_synthetic` does without predictors, rates that `check_rates` has seen."""
    place, before = rates.columns.get_loc(treated), rates.index < first_year
    values = rates.to_numpy()
    shift = values[before].mean(axis=0) * intercept
    values = values - shift
    own, donors = values[:, place], np.delete(values, place, axis=1)
    told = {"treated": treated, "first": first_year}
    require(np.ptp(own[before]) > 0, ERRORS["still"].format(**told))
    weights = simplex_weights(donors[before], own[before])
    synthetic = pd.Series(donors @ weights + shift[place], rates.index, name="synthetic")
    weights = pd.Series(weights, rates.columns.delete(place), name="weight")
    return SyntheticControl(treated, first_year, rates[treated].copy(), synthetic, weights)


def match_predictors(
    predictors: pd.DataFrame, donors: pd.DataFrame, own: pd.Series
) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the donors' weights by predictors (units, p), and how these are balanced."""
    # Abadie, Diamond and Hainmueller (2010). Not pysyncon's: for California its optimisers stop at
    # a squared gap of 19 to 21 (from least squares at 3.8) where the exact weights have 3.3.
    units, names = [own.name, *donors.columns], predictors.columns
    require(len(names) > 0, "predictors has no columns; give one or more, or leave it out")
    ordered = checks.put_in_order(predictors, pd.Index(units), "predictors' rows and the units")
    numbers = checks.real_numbers(ordered, "predictors").astype(float)
    still = names[np.ptp(numbers, axis=0) == 0]
    require(still.empty, f"predictors must differ between units; leave out {name_some(still)}")
    scaled, apart = numbers / numbers.std(axis=0), unit_size(donors.sub(own, axis=0).to_numpy())[0]

    def weigh(size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        share = np.abs(size) / np.abs(size).sum()
        own, *others = scaled * np.sqrt(share)
        return share, simplex_weights(np.transpose(others), own)

    def gap(size: np.ndarray) -> float:
        return float(((apart @ weigh(size)[1]) ** 2).mean()) if size.any() else np.inf

    start = np.full(len(names), 1 / len(names))
    share, weights = weigh(minimize(gap, start, method="Nelder-Mead").x)
    both = {"treated": numbers[0], "synthetic": weights @ numbers[1:]}
    return weights, pd.DataFrame({"weight": share, **both}, names)


def simplex_weights(donors: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the weights (k,), none negative, of sum 1, by which `donors` (n, k) follow `own`."""
    apart = unit_size(donors - own[:, None])[0]
    scale = np.sqrt((apart**2).mean()) or 1.0
    # The last row asks for a sum of 1. It sets the size of the solution and does not bend it: the
    # gaps of s * w are s times those of w, so the best direction is the same for every size s.
    rows = np.vstack([apart / scale, np.ones(apart.shape[1])])
    size, _ = nnls(rows, np.append(np.zeros(len(apart)), 1.0), maxiter=100 * rows.shape[1])
    return size / size.sum()


def fit_augmented(rates: pd.DataFrame, treated: str, *, first_year: int) -> SyntheticControl:
    """Return a ridge-augmented synthetic control: its weights may be negative, and extrapolate."""
    # Ben-Michael et al. (2021), doi:10.1080/01621459.2021.1929245; the penalty by cross-validation.
    rates = check_rates(rates, treated, first_year)
    donors = rates.columns.drop(treated)
    before = rates.loc[: first_year - 1].index.tolist()
    long = rates.rename_axis(index="year", columns="unit").unstack().reset_index(name="rate")
    given = {"foo": long, "predictors": [], "predictors_op": "mean", "dependent": "rate"}
    given |= {"unit_variable": "unit", "treatment_identifier": treated, "time_variable": "year"}
    years = {"time_predictors_prior": before, "time_optimize_ssr": before}
    model = AugSynth()
    model.cross_validate = cross_validate
    model.fit(Dataprep(**given, controls_identifier=donors.tolist(), **years), use_covariates=False)
    weights = pd.Series(model.W, donors, name="weight")
    own, synthetic = rates[treated].copy(), (rates[donors] @ weights).rename("synthetic")
    return SyntheticControl(treated, first_year, own, synthetic, weights)


def cross_validate(
    donors: pd.DataFrame, own: pd.Series, penalties: np.ndarray, n: int
) -> CrossValidationResult:
    """Return what `AugSynth.cross_validate` does, all penalties of a year left out at once."""
    donors, own, errors = donors.to_numpy(), own.to_numpy(), []
    for year in range(n - 1):
        kept, wanted = np.delete(donors, year, axis=0), np.delete(own, year)
        weights = simplex_weights(kept, wanted)
        size, turn = np.linalg.eigh(kept @ kept.T)
        left = turn.T @ (wanted - kept @ weights)
        more = kept.T @ turn @ (left[:, None] / (size[:, None] + penalties))
        errors.append((own[year] - donors[year] @ (weights[:, None] + more)) ** 2)
    se = np.std(errors, axis=0, ddof=1) / np.sqrt(n - 1)
    return CrossValidationResult(penalties, np.mean(errors, axis=0), se)


def check_rates(rates: pd.DataFrame, treated: str | int, first_year: int) -> pd.DataFrame:
    """Return numbers by years and units, or raise an error if no control can be made of them."""
    units = rates.columns
    flat = units.nlevels == 1 and units.is_unique and not units.hasnans
    require(len(rates) > 0, "rates has no rows; give one for each year")
    require(flat, f"rates needs one column a unit, named once each; found {name_some(units)}")
    check_known(treated, units, "unit")
    try:
        years = pd.Index([check_year(x, "a year") for x in rates.index], name=rates.index.name)
    except ValueError as error:
        cure = "; use rates.index.year" if hasattr(rates.index, "year") else ""  # of periods
        raise ValueError(ERRORS["years"].format(found=error, cure=cure)) from None
    odd = [f"{last}, {year}" for last, year in pairwise(years) if year != last + 1]
    require(not odd, ERRORS["order"].format(found=name_some(odd)))
    other = name_some(str(name) for name in units if infer_dtype(rates[name]) not in NUMBERS)
    require(other == "[]", f"rates must be numbers; found other things in {other}")
    rates = rates.apply(lambda each: each.to_numpy(dtype=float, na_value=np.nan)).set_axis(years)
    missing = units[~(rates.abs() < LARGEST).all()].tolist()
    require(not missing, ERRORS["missing"].format(found=name_some(missing)))
    require(rates.shape[1] > 2, f"at least two donors are needed; found {rates.shape[1] - 1}")
    before = int((years < first_year).sum())
    told = {"first": first_year, "fewest": FEWEST_BEFORE, "before": before, "treated": treated}
    told |= {"after": len(years) - before, "least": years.min(), "most": years.max()}
    require(FEWEST_BEFORE <= before < len(years), ERRORS["few"].format(**told))
    require(np.ptp(rates[treated].iloc[:before]) > 0, ERRORS["still"].format(**told))
    return rates
