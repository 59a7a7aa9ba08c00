"""Small tables of results, to write an answer from."""

import pandas as pd

OWN_BREAK = {"own_break": "2012-03", "months_off": 26, "date_verdict": "no date"}
TITLES = {"a-2010-01": "The first", "b-2015-01": "The second"}
WARNED = "wandering few_months_after"


HEADLINE, COMMON = "reml", "reml_common_months"


def estimate_rows(planted=None):
    """Rows of estimates; `planted` has other numbers by shift, source, estimand and estimator."""
    columns = ["shift", "source", "estimand", "estimator", "estimate", "low", "high", "flags"]
    first, second = "a-2010-01", "b-2015-01"
    rows = [
        (first, "inegi", "level", HEADLINE, 5.0, -1.0, 12.0, ""),
        (first, "inegi", "slope", HEADLINE, 20.0, 4.0, 38.0, ""),
        (first, "inegi", "effect_24m", HEADLINE, None, None, None, ""),
        (first, "inegi", "pre_trend", HEADLINE, -2.0, -9.0, 6.0, ""),
        (first, "inegi", "post_trend", HEADLINE, 17.6, 6.0, 30.0, ""),
        (first, "inegi", "excess_deaths_forecast", HEADLINE, 900.0, 200.0, 1600.0, ""),
        (first, "inegi", "excess_deaths_segmented", HEADLINE, 40.0, -70.0, 150.0, ""),
        (second, "inegi", "level", HEADLINE, 3.0, -2.0, 9.0, WARNED),
        (second, "inegi", "slope", HEADLINE, 2.0, -9.0, 15.0, WARNED),
        (second, "inegi", "effect_24m", HEADLINE, 7.0, -20.0, 40.0, WARNED),
        (second, "inegi", "pre_trend", HEADLINE, 4.0, 1.0, 7.0, WARNED),
        (second, "inegi", "post_trend", HEADLINE, 6.1, -4.0, 17.0, WARNED),
        (second, "inegi", "excess_deaths_forecast", HEADLINE, -9.0, -90.0, 70.0, WARNED),
        (second, "inegi", "level", COMMON, -4.0, -12.0, 5.0, WARNED),
        (second, "inegi", "slope", COMMON, -8.0, -20.0, 6.0, WARNED),
        (second, "inegi", "pre_trend", COMMON, 19.0, 12.0, 27.0, WARNED),
        (second, "inegi", "post_trend", COMMON, 9.5, -3.0, 23.0, WARNED),
        (second, "sesnsp", "level", HEADLINE, 3.0, -2.0, 9.0, ""),
        (second, "sesnsp", "slope", HEADLINE, -22.0, -25.0, -19.0, ""),
        (second, "sesnsp", "effect_24m", HEADLINE, 7.0, -20.0, 40.0, ""),
        (second, "sesnsp", "pre_trend", HEADLINE, 21.0, 15.0, 27.0, ""),
        (second, "sesnsp", "post_trend", HEADLINE, -5.6, -9.0, -2.0, ""),
        (second, "sesnsp", "excess_deaths_forecast", HEADLINE, -1500, -2600, -400, ""),
        (second, "sesnsp", "level", COMMON, 2.0, -5.0, 9.0, ""),
        (second, "sesnsp", "slope", COMMON, -21.0, -26.0, -15.0, ""),
        (second, "sesnsp", "pre_trend", COMMON, 20.0, 13.0, 28.0, ""),
        (second, "sesnsp", "post_trend", COMMON, -5.2, -12.0, 2.0, ""),
    ]
    table = pd.DataFrame(rows, columns=columns)
    yearly = dict.fromkeys(("slope", "pre_trend", "post_trend"), "percent per year")
    units = yearly | dict.fromkeys(("excess_deaths_forecast", "excess_deaths_segmented"), "deaths")
    table["unit"] = table["estimand"].map(units).fillna("percent")
    memory = {"phi": 0.9, "noise": 0.5, "sd_ratio": 1.1}
    whole = {"n_before": 80, "n_after": 70, "comparison_verdict": "agree"}
    table = table.assign(place="MX00", **whole, **memory, **OWN_BREAK)
    table.loc[table["estimator"] == COMMON, ["n_before", "n_after"]] = 47, 43
    for key, values in (planted or {}).items():
        chosen = (table[columns[:4]] == list(key)).all(axis=1)
        assert chosen.any()
        table.loc[chosen, columns[4:7]] = values
    return table


def state_rows(**changes):
    columns = ["shift", "source", "method", "estimate", "low", "high"]
    columns += ["trend_before", "trend_after", "minus_national"]
    first, second, none = ("a-2010-01", "inegi"), ("b-2015-01", "inegi"), (None, None)
    rows = [
        (*first, "average", 12.0, 3.0, 22.0, -3.0, 8.6, -1.0),
        (*first, "weighted_average", 14.0, 4.0, 25.0, -3.5, 10.0, -5.0),
        (*first, "random_effects_shared", 12.0, 2.0, 23.0, *none, -1.0),
        (*second, "average", 2.0, -5.0, 9.0, 1.0, 3.0, 0.0),
        (*second, "weighted_average", 3.0, -5.0, 11.0, 1.0, 4.0, 1.0),
        (*second, "random_effects_shared", 2.0, -6.0, 10.0, *none, 0.0),
    ]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(**{"estimand": "slope", "tau": 0.1} | changes)


def operation_rows(late=(41.4, -7.0, 113.0), verdict="not identified"):
    columns = ["block", "label", "method", "months", "unit", "estimate", "low", "high"]
    net, wrong = "net of the rise before", "percent of panels"
    rows = [
        ("verdict", "identified in sign", "all choices", 12, "percent", None, 2.0, 20.0),
        ("verdict", verdict, "all choices", 24, "percent", None, -9.04, 90.03),
        ("average", "headline", "score bootstrap", 12, "percent", -2.6, -23.5, 22.4),
        ("average", "headline", "score bootstrap", 24, "percent", *late),
        ("average", "headline", "cluster robust", 24, "percent", 41.4, -2.0, 105.0),
        ("average", net, "randomisation", 12, "percent", -24.8, -57.5, 23.0),
        ("average", net, "randomisation", 24, "percent", -9.0, -50.8, 79.4),
        ("average", net, "cluster robust", 24, "percent", -9.0, -46.3, 54.0),
        ("average", "all seven", "score bootstrap", 24, "percent", 90.0, 9.0, 183.0),
        ("average", "headline", "score bootstrap", 24, "per 100,000", 6.1, -1.6, 11.1),
        ("truth rejected", "alike", "score bootstrap", 12, wrong, 3.5, None, None),
        ("truth rejected", "alike", "score bootstrap", 24, wrong, 4.8, None, None),
        ("truth rejected", "apart", "score bootstrap", 24, wrong, 10.2, None, None),
        ("truth rejected", "apart", "cluster robust", 24, wrong, 16.0, None, None),
    ]
    return pd.DataFrame(rows, columns=columns)


def country_rows(least=6.8):
    none = (None, None, None, None, None, 0)
    rows = [
        ("a-2010-01", "change", least, 8.7, -2.6, 16.2, 1, 2),
        ("a-2010-01", "change_every_choice", 4.9, 9.7, None, None, None, 44),
        ("a-2010-01", "explained", 0.74, 0.92, None, None, None, 2),
        ("b-2015-01", "change", *none),
        ("b-2015-01", "change_every_choice", *none),
        ("b-2015-01", "explained", 0.28, 0.41, None, None, None, 2),
        ("b-2015-01", "change_2016", *none),
    ]
    columns = ["shift", "estimand", "least", "most", "low", "high", "apart", "fits"]
    return pd.DataFrame(rows, columns=columns)


def claim_rows(verdicts=("holds", "revised since", "holds")):
    numbers = range(1, len(verdicts) + 1)
    slugs = [f"claim-{number}" for number in numbers]
    return pd.DataFrame({"number": numbers, "slug": slugs, "claim_verdict": verdicts})


def forecast_rows(**changes):
    row = {"claim": 10, "source": "sesnsp", "freeze": "2021-04", "pool_every": 0.44}
    row |= {"base_rate": 0.27, "lowest": 0.2, "highest": 0.5}
    row |= {"almost_certain": 0, "methods": 6, "years_higher": 0, "years": 3, "than": 2020}
    return pd.DataFrame([row | changes])
