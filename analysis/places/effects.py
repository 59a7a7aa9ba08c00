"""One shift in many places: an effect for each, by models that fit its counts, and how reliable."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from analysis.checks import check_known, check_whole, require
from analysis.engine.estimators import fit_poisson
from analysis.engine.optimise import EstimatorError
from analysis.its.comparison import estimate_by, judge_numbers
from analysis.its.design import cut_window
from analysis.its.flags import gaps_inside, name_run
from analysis.its.model import ESTIMANDS, SegmentedModel, prepare_model
from analysis.its.series import has_counts, split_panel
from analysis.its.shifts import PolicyShift, check_shift

FEWEST_DEATHS = 20  # on either side of the shift
GAP_NEAR = 12  # months from the shift
WIDEST = 20  # times: an interval whose ends are farther apart says nothing of use
FALSE_DISCOVERIES = 0.05
MAIN = "count_reml"  # the estimator that answers in every place with deaths enough
COLUMNS = ["place", "estimator", "estimand"]
COLUMNS += ["estimate", "low", "high", "p", "q", "comparison_verdict", "doubt", "note"]


@dataclass(frozen=True)
class PlaceEffects:
    """One shift estimated in every place of a panel."""

    shift: PolicyShift
    effects: pd.DataFrame  # long, columns `COLUMNS`; percent
    places: pd.DataFrame  # by place: deaths on either side, empty months
    models: dict[str, SegmentedModel]  # what was fitted, place by place

    def of(self, estimand: str, estimator: str = MAIN) -> pd.DataFrame:
        """Return the rows of one estimand by an estimator that was fitted, indexed by place."""
        effects = self.effects
        check_known(estimand, ESTIMANDS, "estimand")
        check_known(estimator, effects["estimator"].unique(), "estimator")
        chosen = (effects["estimand"] == estimand) & (effects["estimator"] == estimator)
        return effects[chosen].set_index("place").drop(columns=["estimator", "estimand"])

    def within(self, places: pd.Index) -> "PlaceEffects":
        """Return what was fitted in some of the places."""
        effects = self.effects[self.effects["place"].isin(places)]
        return replace(self, effects=effects, places=self.places.loc[places])


def fit_places(
    panel: pd.DataFrame,
    shift: PolicyShift,
    *,
    harmonics: int = 2,
    beside: Sequence[str] | None = None,
    fewest_deaths: int = FEWEST_DEATHS,
) -> PlaceEffects:
    """Estimate one shift in every place of a panel.

    Parameters
    ----------
    panel : DataFrame
        As `analysis.load_states` returns it: MultiIndex (place, month), columns `deaths` and
        `person_years`; months without deaths are allowed. Places may end with different months.
    shift : PolicyShift
        Its date, window and impact are used; its own places are not.
    harmonics : int
        Sine and cosine pairs of the year.
    beside : sequence of str, optional
        Estimators of `analysis.compare_estimators` to show beside `count_reml`; default
        `quasi_poisson` or `negative_binomial`, whichever the variance asks for (see
        `variance_grows`), and `reml`, the headline, which answers where every month has deaths.
    fewest_deaths : int
        Deaths on either side of the shift that an estimate needs.

    Returns
    -------
    PlaceEffects
        `effects`: for each place and estimand the estimates by `count_reml` and by the estimators
        beside it. `q` is the p-value after Benjamini and Hochberg over the places, for each
        estimator and estimand; `note` says why a number is missing. A place with fewer than
        `fewest_deaths` deaths on a side of the shift has no estimate. `comparison_verdict` is on
        the spread of the estimators, and `doubt` says why the estimate by `count_reml` is not
        reliable: too few deaths, a hole in the record (`panel.attrs["gaps"]`, as `load_states`
        gives it) within a year of the shift, estimators whose signs differ, or an interval whose
        ends are more than `WIDEST` times apart (empty: it is). `places`: `deaths_before`,
        `deaths_after`, `empty_months` (without deaths), of months not left out.

    Raises
    ------
    TypeError, ValueError
        If the panel or the shift cannot be used; the message names the place.

    References
    ----------
    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the
    Royal Statistical Society B 57, 289-300. doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    fewest = check_whole(fewest_deaths, "fewest_deaths", 1)
    models = _prepare(panel, shift, harmonics)
    tables, rows = [], {}
    for place, model in models.items():
        deaths, seen = model.window["deaths"].to_numpy(), ~model.omitted
        sides = [int(side.sum()) for side in np.split(deaths * seen, [model.n_before])]
        rows[place] = [*sides, int((deaths[seen] == 0).sum())]
        if (few := min(sides)) < fewest:
            tables.append(_refuse(place, few, fewest))
            continue
        gap = _gap_at_shift(panel.attrs.get("gaps", ()), place, model)
        tables.append(_doubts(_estimate(model, beside), gap).assign(place=place))
    effects = pd.concat(tables, ignore_index=True)
    tested = effects.dropna(subset=["p"]).groupby(["estimator", "estimand"])["p"]
    effects["q"] = tested.transform(lambda p: multipletests(p, method="fdr_bh")[1])
    names = ["deaths_before", "deaths_after", "empty_months"]
    places = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("place")
    return PlaceEffects(shift, effects[COLUMNS], places, models)


def variance_grows(deaths: np.ndarray, expected: np.ndarray) -> bool:
    """Tell whether the variance of counts (n,) grows with the square of their mean."""
    # Squared residuals relative to mu are fitted by phi, as quasi-Poisson has it, and by 1 + alpha
    # mu, as the negative binomial has it (Ver Hoef and Boveng 2007, doi:10.1890/07-0043.1).
    relative = (deaths - expected) ** 2 / expected
    linear = relative - relative.mean()
    alpha = max(0.0, ((relative - 1) @ expected) / (expected @ expected))
    square = relative - 1 - alpha * expected
    return bool(square @ square < linear @ linear)


def is_found(effect: pd.Series) -> bool:
    """Tell whether a row of `PlaceEffects.of` is reliable and below the false-discovery rate."""
    return effect["q"] <= FALSE_DISCOVERIES and not effect["doubt"]


def _prepare(panel: pd.DataFrame, shift: PolicyShift, harmonics: int) -> dict[str, SegmentedModel]:
    check_shift(shift)
    each = split_panel(panel)
    needs = "panel needs the columns 'deaths' and 'person_years'"
    require(has_counts(panel), f"{needs}; found {panel.columns.tolist()}")
    models: dict[str, SegmentedModel] = {}
    alike: dict[pd.Period, SegmentedModel] = {}  # by last month: the model of a place
    for place, series in each.items():
        try:
            window = cut_window(series, shift)
            first, last = window.index[[0, -1]]
            if last not in alike:
                options = {"scale": "log", "harmonics": harmonics, "empty": True}
                alike[last] = prepare_model(series, shift, **options)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place}: {error}") from error
        wanted = next(iter(alike.values())).window.index[0]
        same = f"all places need the same first month; {place} begins with {first}, others {wanted}"
        require(first == wanted, same)
        empty = bool((window["deaths"][~alike[last].omitted] == 0).any())
        models[place] = replace(alike[last], window=window, counted=empty)
    return models


def _estimate(model: SegmentedModel, beside: Sequence[str] | None) -> pd.DataFrame:
    beside = (_count_model(model), "reml") if beside is None else beside
    return estimate_by(dict.fromkeys((MAIN, *beside)), model)


def _refuse(place: str, few: int, fewest: int) -> pd.DataFrame:
    note = f"{few} deaths on one side of the shift; at least {fewest} are needed"
    numbers = dict.fromkeys(["estimate", "low", "high", "p"], np.nan)
    said = {"comparison_verdict": "agree", "doubt": note, "note": note}
    main = {"place": place, "estimator": MAIN, "estimand": ESTIMANDS}
    return pd.DataFrame(main | numbers | said)


def _count_model(model: SegmentedModel) -> str:
    seen, X = ~model.omitted, model.designs[0].to_numpy()
    deaths, exposure = (column[seen] for column in model.counts)
    try:
        fit = fit_poisson(deaths, X[np.ix_(seen, model.kept)], exposure)
    except EstimatorError:
        return "quasi_poisson"
    grows = fit.scale > 1 and variance_grows(deaths, fit.mu)
    return "negative_binomial" if grows else "quasi_poisson"


def _gap_at_shift(gaps: Iterable[dict], place: str, model: SegmentedModel) -> str:
    """Return the doubt that holes of the place's record near the shift raise, or nothing."""
    around = pd.period_range(model.shift.months[0] - GAP_NEAR, model.shift.months[-1] + GAP_NEAR)
    own = [gap for gap in gaps_inside(gaps, around) if gap["place"] == place]
    runs = ", ".join(map(name_run, own))
    return f"a hole in the record near the shift, {runs}" if own else ""


def _doubts(own: pd.DataFrame, gap: str) -> pd.DataFrame:
    """Add `comparison_verdict` and `doubt`, for each estimand, to the rows of one place."""
    numbers = own[["estimate", "low", "high", "p"]].to_numpy(dtype=float)
    estimands, mains = own["estimand"].to_numpy(), own["estimator"].to_numpy() == MAIN
    said = {}
    for row in np.flatnonzero(mains):
        estimate, low, high, _ = numbers[row]
        verdict, doubt = judge_numbers(numbers[estimands == estimands[row]]), ""
        if np.isnan(estimate):
            doubt = own["note"].iloc[row]
        elif gap:
            doubt = gap
        elif verdict == "sign differs":
            doubt = "the estimators' signs differ"
        elif (100 + high) > WIDEST * (100 + low):
            doubt = f"the interval's ends are more than {WIDEST} times apart"
        said[estimands[row]] = verdict, doubt
    table = pd.DataFrame.from_dict(said, orient="index", columns=["comparison_verdict", "doubt"])
    return own.join(table, on="estimand")
