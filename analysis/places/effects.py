"""One shift in many places: an effect for each, by models that fit its counts, and how reliable."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pandas as pd
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from analysis.arguments import Waves, checked, whole
from analysis.checks import OneLine, check_known, require
from analysis.its.comparison import COLUMNS as ROW
from analysis.its.comparison import Names, estimator_rows, judge_numbers
from analysis.its.design import omitted_periods
from analysis.its.flags import gap_months, gaps_inside, name_run
from analysis.its.model import (
    ESTIMANDS,
    Estimand,
    SegmentedModel,
    fill_model,
    fit_counts,
    prepare_model,
)
from analysis.its.series import (
    CONTROL,
    COVARIATE,
    as_logs,
    as_percent,
    check_frame,
    check_numbers,
    has_counts,
    periods_of,
    read_attrs,
    split_panel,
)
from analysis.its.shifts import PolicyShift

FEWEST_DEATHS = 20  # on either side of the shift
NEAREST = 3  # periods on either side of the shift: without most of them no level is reliable
WIDEST = 20  # times: an interval whose ends are farther apart says nothing of use
FALSE_DISCOVERIES = 0.05
NORMAL = 1.959963984540054  # half a 95% interval in standard errors
FEWEST_PLACES = 4  # to say how much they differ
MAIN = "count_reml"  # the estimator that answers in every place with deaths enough
BESIDE = ("quasi_poisson", "negative_binomial", "reml")
COLUMNS = ["place", "estimator", "estimand"]
COLUMNS += ["estimate", "low", "high", "p", "q", "shrunken", "comparison_verdict", "doubt", "note"]


@dataclass(frozen=True, repr=False)
class PlaceEffects(OneLine):
    """One shift estimated in every place of a panel."""

    shift: PolicyShift
    effects: pd.DataFrame  # long, columns `COLUMNS`; percent
    places: pd.DataFrame  # by place: deaths on either side, empty months, holes left out
    models: dict[str, SegmentedModel]  # what was fitted, place by place

    @checked
    def of(self, estimand: Estimand, estimator: str = MAIN) -> pd.DataFrame:
        """Return the rows of one estimand by an estimator that was fitted, indexed by place."""
        effects = self.effects
        check_known(estimator, effects["estimator"].unique(), "estimator")
        chosen = (effects["estimand"] == estimand) & (effects["estimator"] == estimator)
        return effects[chosen].set_index("place").drop(columns=["estimator", "estimand"])


@checked
def fit_places(
    panel: pd.DataFrame,
    shift: PolicyShift,
    *,
    harmonics: Waves = 2,
    beside: Names = BESIDE,
    fewest_deaths: Annotated[int, whole(1)] = FEWEST_DEATHS,
) -> PlaceEffects:
    """Estimate one shift in every place of a panel.

    Parameters
    ----------
    panel : DataFrame
        As `analysis.load_states` returns it: MultiIndex (place, month), columns `deaths` and
        `person_years`; months without deaths are allowed. Places may end with different months.
        ``attrs`` may hold, as there, `gaps`, the holes of each place's record, which are left out
        of its own fit, and `unreliable`: a place whose window has such months gets no estimate.
    shift : PolicyShift
        Its date, window, impact and omitted periods are used; its own places are not.
    harmonics : int
        Sine and cosine pairs of the year.
    beside : sequence of str
        Estimators of `analysis.compare_estimators` to show beside `count_reml`; default the
        textbook's two for counts, and `reml`, which answers where every month has deaths.
    fewest_deaths : int
        Deaths on either side of the shift that an estimate needs.

    Returns
    -------
    PlaceEffects
        `effects`: for each place and estimand the estimates by `count_reml` and by the estimators
        beside it. `q` is the p-value after Benjamini and Hochberg over the places, for each
        estimator and estimand; `shrunken` the estimate by `count_reml` drawn towards the places'
        random-effects mean (empirical Bayes); `note` says why a number is missing;
        `comparison_verdict` is on the spread of the estimators, and `doubt` says why the estimate
        by `count_reml` is not reliable: too few deaths, an unreliable record, for the level a hole
        in most of the `NEAREST` months before the shift or from it on, estimators whose signs
        differ, or an interval whose ends are more than `WIDEST` times apart (empty: it is).
        `places`: `deaths_before`, `deaths_after`, `empty_months` (without deaths), of months not
        left out; `left_out`, the holes of the place's record, in words.

    References
    ----------
    Benjamini and Hochberg (1995), JRSS B 57, 289-300, doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    models = _prepare(panel, shift, harmonics)
    gaps, unreliable = (_inside(panel, kind, models) for kind in ("gaps", "unreliable"))
    refused: dict[str, str] = {}
    rows = {}
    for place, model in models.items():
        deaths, seen = model.window["deaths"].to_numpy(), ~model.omitted
        sides = [int(side.sum()) for side in np.split(deaths * seen, [model.n_before])]
        holes = ", ".join(map(name_run, gaps.get(place, ())))
        rows[place] = [*sides, int((deaths[seen] == 0).sum()), holes]
        if place in unreliable:
            said = (f"unreliable in {name_run(x)}: {x['reason']}" for x in unreliable[place])
            refused[place] = f"record {'; '.join(said)}"
        elif (few := min(sides)) < fewest_deaths:
            note = f"{few} deaths on one side of the shift; at least {fewest_deaths} are needed"
            refused[place] = note
    fit_counts(model for place, model in models.items() if place not in refused)
    estimates = []
    for place, model in models.items():
        hidden = _hidden(gaps[place], model) if place in gaps else ""
        own = _estimate(model, dict.fromkeys((MAIN, *beside)), refused.get(place, ""), hidden)
        estimates += [[place, *row] for row in own]
    effects = pd.DataFrame(estimates, columns=["place", *ROW, "comparison_verdict", "doubt"])
    tested = effects.dropna(subset=["p"]).groupby(["estimator", "estimand"])["p"]
    effects["q"] = tested.transform(lambda p: multipletests(p, method="fdr_bh")[1])
    mains = effects[effects["estimator"] == MAIN].groupby("estimand")
    effects["shrunken"] = pd.concat([shrink_effects(rows) for _, rows in mains])
    names = ["deaths_before", "deaths_after", "empty_months", "left_out"]
    places = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("place")
    return PlaceEffects(shift, effects[COLUMNS], places, models)


def is_found(effect: pd.Series) -> bool:
    """Tell whether a row of `PlaceEffects.of` is reliable and below the false-discovery rate."""
    return effect["q"] <= FALSE_DISCOVERIES and not effect["doubt"]


def _prepare(panel: pd.DataFrame, shift: PolicyShift, harmonics: int) -> dict[str, SegmentedModel]:
    each = split_panel(panel)
    holes: dict[object, list[str]] = {}
    for gap in read_attrs(panel).get("gaps", ()):
        holes.setdefault(gap["place"], []).append(f"{gap['first']}:{gap['last']}")
    needs = "panel needs the columns 'deaths' and 'person_years'"
    require(has_counts(panel), f"{needs}; found {panel.columns.tolist()}")
    added = any(str(name).startswith((COVARIATE, CONTROL)) for name in panel.columns)
    sound = False
    with suppress(TypeError, ValueError):  # the place at fault is named below
        sound = check_numbers(panel) is panel
    models: dict[str, SegmentedModel] = {}
    alike: dict[tuple, SegmentedModel] = {}  # by months and holes: thousands of places share a few
    for place, series in each.items():
        try:
            left_out = tuple(holes.get(place, ()))
            like = alike.get(key := (periods_of(series).asi8.tobytes(), left_out))
            if like is not None:
                model = fill_model(like, series if sound else check_frame(series))
            else:
                own = replace(shift, omit=(*shift.omit, *left_out))
                model = prepare_model(series, own, scale="log", harmonics=harmonics, empty=True)
                if not added:  # a covariate or a control makes a design of one place
                    alike[key] = model
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place}: {error}") from error
        models[place] = model
        first, wanted = model.window.index[0], next(iter(models.values())).window.index[0]
        same = f"all places need the same first month; {place} begins with {first}, others {wanted}"
        require(first == wanted, same)
    return models


def _inside(panel: pd.DataFrame, kind: str, models: dict) -> dict[object, list[dict]]:
    """Return what the panel says of a kind of the months in a place's window, by place."""
    inside: dict[object, list[dict]] = {}
    for each in panel.attrs.get(kind, ()):
        model = models.get(each["place"])
        if model is not None and gaps_inside([each], periods_of(model.window)):
            inside.setdefault(each["place"], []).append(each)
    return inside


def _hidden(gaps: list[dict], model: SegmentedModel) -> str:
    """Return the doubt that a hole next to the shift raises about the level, or nothing."""
    near = periods_of(model.window)[model.n_before - NEAREST :][: 2 * NEAREST]
    gaps = gaps_inside(gaps, near)
    hole = omitted_periods(near, gap_months(gaps)).reshape(2, NEAREST)
    most = (2 * hole.sum(axis=1) > NEAREST).any()
    return f"a hole in the record at the shift, {', '.join(map(name_run, gaps))}" if most else ""


def _estimate(
    model: SegmentedModel, estimators: Iterable[str], refused: str, hidden: str
) -> list[list]:
    """Return the rows of one place, and `comparison_verdict` and `doubt` of each one's estimand."""
    if refused:
        return [[MAIN, name, *[np.nan] * 5, refused, "agree", refused] for name in ESTIMANDS]
    own, told = [row for name in estimators for row in estimator_rows(name, model)], {}
    for _, estimand, estimate, _, low, high, _, note in (row for row in own if row[0] == MAIN):
        beside = [[row[2], *row[4:7]] for row in own if row[1] == estimand]
        verdict, doubt = judge_numbers(np.array(beside)), ""
        if np.isnan(estimate):
            doubt = note
        elif hidden and estimand == "level":
            doubt = hidden
        elif verdict == "sign differs":
            doubt = "the estimators' signs differ"
        elif (100 + high) > WIDEST * (100 + low):
            doubt = f"the interval's ends are more than {WIDEST} times apart"
        told[estimand] = verdict, doubt
    return [[*row, *told[row[1]]] for row in own]


def shrink_effects(effects: pd.DataFrame) -> pd.Series:
    """Return `estimate` (percent) with less of its distance from the random-effects mean."""
    # Empirical Bayes: drawn towards their mean as far as their own errors ask for it.
    known = effects[["estimate", "low", "high", "p"]].dropna()
    logs = as_logs(known[["estimate", "low", "high"]].astype(float))
    logs = logs[np.isfinite(logs).all(axis=1)]
    if len(logs) < FEWEST_PLACES:
        return pd.Series(np.nan, effects.index)
    variances = own_variances(logs)
    pooled = combine(logs["estimate"].to_numpy(), variances)
    kept = pooled.tau2 / (pooled.tau2 + variances)
    distance = logs["estimate"] - pooled.mean_effect_re
    return as_percent(pooled.mean_effect_re + kept * distance).reindex(effects.index)


def own_variances(logs: pd.DataFrame | dict) -> np.ndarray:
    """Return the variance (m,) behind each interval `low` to `high`, on the log scale."""
    return (np.asarray(logs["high"] - logs["low"]) / 2 / NORMAL) ** 2


def combine(effects: np.ndarray, variances: np.ndarray) -> Any:
    """Return statsmodels' random effects of (m,) with Paule and Mandel's variance between them."""
    with np.errstate(divide="ignore"):  # I squared of equal effects, which is not used
        return combine_effects(effects, variances, method_re="pm")
