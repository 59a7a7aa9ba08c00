"""Small tables of results, to write an answer from."""

import pandas as pd

OWN_BREAK = {"own_break": "2012-03", "months_off": 26, "date_verdict": "no date"}
TITLES = {"a-2010-01": "The first", "b-2015-01": "The second"}
WARNED = "near_unit_root few_months_after"


def estimate_rows(planted=None):
    columns = ["shift", "source", "estimand", "estimate", "low", "high", "unit", "flags"]
    rows = [
        ("a-2010-01", "inegi", "level", 5.0, -1.0, 12.0, "percent", ""),
        ("a-2010-01", "inegi", "slope", 20.0, 4.0, 38.0, "percent per year", ""),
        ("a-2010-01", "inegi", "effect_24m", None, None, None, "percent", ""),
        ("b-2015-01", "inegi", "level", 3.0, -2.0, 9.0, "percent", WARNED),
        ("b-2015-01", "inegi", "slope", 2.0, -9.0, 15.0, "percent per year", WARNED),
        ("b-2015-01", "inegi", "effect_24m", 7.0, -20.0, 40.0, "percent", WARNED),
        ("a-2010-01", "inegi", "excess_deaths_forecast", 900.0, 200.0, 1600.0, "deaths", ""),
        ("b-2015-01", "inegi", "excess_deaths_forecast", -9.0, -90.0, 70.0, "deaths", ""),
        ("b-2015-01", "sesnsp", "excess_deaths_forecast", -1500, -2600, -400, "deaths", ""),
        ("b-2015-01", "sesnsp", "level", 3.0, -2.0, 9.0, "percent", ""),
        ("b-2015-01", "sesnsp", "slope", -22.0, -25.0, -19.0, "percent per year", ""),
        ("b-2015-01", "sesnsp", "effect_24m", 7.0, -20.0, 40.0, "percent", ""),
    ]
    fixed = {"estimator": "reml", "n_before": 80, "n_after": 70, "rho": 0.5}
    table = pd.DataFrame(rows, columns=columns)
    table = table.assign(**fixed, comparison_verdict="agree", **OWN_BREAK)
    for key, values in (planted or {}).items():
        table.loc[(table[columns[:3]] == list(key)).all(axis=1), columns[3:6]] = values
    return table


def state_rows(**changes):
    columns = ["shift", "source", "method", "estimate", "low", "high"]
    columns += ["prediction_low", "prediction_high", "minus_national"]
    rows = [
        ("a-2010-01", "inegi", "average", 12.0, 3.0, 22.0, None, None, -1.0),
        ("a-2010-01", "inegi", "weighted_average", 14.0, 4.0, 25.0, None, None, -5.0),
        ("a-2010-01", "inegi", "random_effects_shared", 12.0, 2.0, 23.0, -6.0, 58.0, -1.0),
        ("b-2015-01", "inegi", "average", 2.0, -5.0, 9.0, None, None, 0.0),
        ("b-2015-01", "inegi", "weighted_average", 3.0, -5.0, 11.0, None, None, 1.0),
        ("b-2015-01", "inegi", "random_effects_shared", 2.0, -6.0, 10.0, 0.5, 30.0, 0.0),
    ]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(**{"estimand": "slope", "tau": 0.1} | changes)


def operation_rows(twelve=(-2.6, -23.5, 22.4)):
    columns = ["block", "label", "method", "months", "unit", "estimate", "low", "high"]
    rows = [
        ("average", "headline", "score bootstrap", 12, "percent", *twelve),
        ("average", "headline", "score bootstrap", 24, "percent", 41.4, -7.0, 113.0),
        ("average", "headline", "cluster robust", 12, "percent", -2.6, -20.0, 19.0),
        ("average", "all seven", "score bootstrap", 12, "percent", 47.6, -7.2, 102.9),
        ("average", "headline", "score bootstrap", 12, "per 100,000", -0.3, -3.9, 2.4),
    ]
    return pd.DataFrame(rows, columns=columns)


def country_rows(second=(11.1, -16.2, 38.5)):
    rows = [
        ("a-2010-01", "average_gap", 6.8, -2.6, 16.2),
        ("b-2015-01", "average_gap", *second),
        ("a-2010-01", "explained_before", 0.85, None, None),
        ("b-2015-01", "explained_before", 0.41, None, None),
        ("b-2015-01", "last_year_gap", 5.0, 1.0, 9.0),
    ]
    return pd.DataFrame(rows, columns=["shift", "estimand", "estimate", "low", "high"])


def claim_rows(verdicts=("holds", "revised since", "holds")):
    numbers = range(1, len(verdicts) + 1)
    slugs = [f"claim-{number}" for number in numbers]
    return pd.DataFrame({"number": numbers, "slug": slugs, "claim_verdict": verdicts})


def forecast_rows(**changes):
    row = {"claim": 10, "source": "sesnsp", "freeze": "2021-04", "pool_every": 0.44}
    row |= {"almost_certain": 0, "methods": 6, "years_higher": 0, "years": 3, "than": 2020}
    return pd.DataFrame([row | changes])
