import pandas as pd
import pytest
from support import answer_tables as made
from support.answer_tables import COMMON, HEADLINE, TITLES, estimate_rows

from mexico_report.findings import (
    WORDS,
    Findings,
    Sentence,
    _trust,
    summary_table,
    trace_table,
    write_front_page,
    write_sentences,
)

TABLES = {
    "estimates": estimate_rows(),
    "states": made.state_rows(),
    "operations": made.operation_rows(),
    "countries": made.country_rows(),
    "claims": made.claim_rows(),
    "forecasts": made.forecast_rows(),
}


def written(**changes):
    return [said.text for said in write_sentences(Findings(TITLES, **(TABLES | changes)))]


def trust(estimates):
    """The third of the ten sentences alone."""
    told, _ = _trust(Findings(TITLES, **(TABLES | {"estimates": estimates})))
    return [*WORDS.values()][2]["text"].format(**told)


def test_the_answer_has_ten_sentences_on_what_was_found():
    said = written()
    assert len(said) == 10
    assert trust(TABLES["estimates"]) == said[2]
    trends, steps, third, breaks, deaths, states, operations, countries, claims, forecast = said
    assert trends.startswith("Of 3 estimates of a national shift (shift by source), 2 show")
    told = "The first (INEGI, -2% → +18% a year); The second (SESNSP, +21% → -6% a year)"
    assert trends.endswith(f"zero out: {told}.")
    assert "is seen at none of them" in steps
    assert third.startswith("1 of the 3 carry at least one warning, 1 of them that the series wand")
    split = "disagree on whether the trend changed at The second, on the months that both have"
    assert split in third
    assert "the estimators in use agree in 3, their intervals differ in 0" in third
    assert breaks.startswith("Asked where they bend themselves, 0 of 3 series answer with the")
    assert breaks.endswith("0 with another; the remaining 3 with no date in particular.")
    assert "2 of 3 stand apart" in deaths
    assert "distances from a straight line carried on and not as lives saved or lost" in deaths
    assert "The first (INEGI, +900 (+200 to +1,600); less the fitted effect +40 (" in deaths
    assert "The second (SESNSP, -1,500 (-2,600 to -400); less the fitted effect no num" in deaths
    assert "leaves zero out at 1 of 2: The first (INEGI, -3% → +9% a year)" in states
    assert (
        "it has a standard deviation of 11 to 11%, which cannot be told from zero at 0 of 2"
        in states
    )
    assert "by population is up to 5% below the national change, at The first (IN" in states
    assert "none reached, is not identified in these figures: over the first 24 mon" in operations
    assert "go from -9% to +90% by the choice made, +41.4% (-7.0 to +113.0) by the h" in operations
    assert "and -9.0% (-50.8 to +79.4) net of the rise before" in operations
    assert operations.endswith("leave the truth out in 5 to 10% of cases where 5% is right.")
    reach = "90% prediction intervals from -2.6 to +16.2; 1 of the 2 leaves zero out"
    assert f"The first: +6.8 to +8.7 ({reach}), with other choices +4.9 to +9.7; " in countries
    assert countries.endswith("less than half of the variance before (28% to 41%).")
    told = "The article's 3 claims with a figure, by their number"
    assert claims == f"{told}: holds: 1, 3; revised since: 2."
    said = "SESNSP's figures until 2021-04 between 0.20 and 0.50 by single methods, 0 of 6"
    assert said in forecast
    assert forecast.endswith("0 of 3 years were.")


def test_every_sentence_changes_when_its_numbers_change():
    planted = {
        ("a-2010-01", "inegi", "slope", HEADLINE): (1.0, -4.0, 6.0),
        ("b-2015-01", "sesnsp", "slope", HEADLINE): (1.0, -4.0, 6.0),
        ("b-2015-01", "sesnsp", "slope", COMMON): (1.0, -4.0, 6.0),
        ("a-2010-01", "inegi", "level", HEADLINE): (30.0, 10.0, 50.0),
        ("a-2010-01", "inegi", "excess_deaths_forecast", HEADLINE): (90.0, -200.0, 400.0),
    }
    estimates = estimate_rows(planted)
    estimates.loc[estimates["shift"] == "a-2010-01", "comparison_verdict"] = "sign differs"
    estimates.loc[estimates["shift"] == "a-2010-01", "date_verdict"] = "another date"
    estimates.loc[estimates["source"] == "sesnsp", "date_verdict"] = "the official date"
    changed = written(
        estimates=estimates,
        states=made.state_rows(tau=[0.0] * 5 + [0.2]),
        operations=made.operation_rows((30.0, 10.0, 55.0), "identified in sign"),
        countries=made.country_rows(least=7.7),
        claims=made.claim_rows(("does not hold", "revised since", "holds")),
        forecasts=made.forecast_rows(pool_every=0.97, almost_certain=4, years_higher=3),
    )
    for before, after in zip(written(), changed, strict=True):
        assert before != after
    trends, steps, third, breaks, deaths, states, operations, countries, claims, forecast = changed
    assert trends.endswith("0 show a change of trend whose 95% interval leaves zero out.")
    assert "in 1 of 3: The first (INEGI, +30%)" in steps
    assert "no shift divides the two sources, on the months that both have" in third
    assert "agree in 2, their intervals differ in 0 and their signs in 1" in third
    assert "give or take three months: The second (SESNSP); 1 with another: The first " in breaks
    assert "(INEGI, 2012-03, 26 months after); the remaining 1 with no date" in breaks
    assert "1 of 3 stand apart" in deaths
    assert (
        "it has a standard deviation of 0 to 22%, which cannot be told from zero at 1 of 2"
        in states
    )
    assert "is identified in sign in these figures" in operations
    assert "+30.0% (+10.0 to +55.0) by the headline" in operations
    assert "The first: +7.7 to +8.7 (90%" in countries
    assert "holds: 3; revised since: 2; does not hold: 1." in claims
    assert "worse than 2020: 0.27 by how often that had been so after earlier years" in forecast
    assert "between 0.20 and 0.50 by single methods, 4 of 6 almost certain, and 0.97" in forecast
    assert forecast.endswith("3 of 3 years were.")


def test_sources_that_leave_zero_out_on_opposite_sides_disagree():
    opposite = estimate_rows({("b-2015-01", "inegi", "slope", COMMON): (22.0, 19.0, 25.0)})
    assert "disagree on whether the trend changed at The second" in trust(opposite)
    single = estimate_rows().query("source == 'inegi'")
    assert "no shift has two sources to compare: a change" in trust(single)


def test_sources_are_compared_on_their_common_months_only():
    alike = {("b-2015-01", "inegi", "slope", COMMON): (-18.0, -25.0, -9.0)}
    elsewhere = {("b-2015-01", "inegi", "slope", HEADLINE): (22.0, 19.0, 25.0)}
    for planted in (alike, alike | elsewhere):
        assert "no shift divides the two sources" in trust(estimate_rows(planted))
    none = estimate_rows().query("estimator == 'reml'")
    assert "no shift has two sources to compare: a change" in trust(none)


@pytest.mark.parametrize(
    ("flags", "wandering"),
    [("wandering few_months_after", 1), ("size_changed season_remembers", 0), (None, 0)],
)
def test_only_series_that_wander_are_told_to(flags, wandering):
    estimates = estimate_rows().assign(flags=None)
    estimates.loc[estimates["shift"] == "a-2010-01", "flags"] = flags
    said = f"{int(flags is not None)} of the 3 carry at least one warning, {wandering} of them"
    assert trust(estimates).startswith(said)


def test_what_is_not_estimated_is_not_counted():
    missing = estimate_rows({("b-2015-01", "inegi", "slope", HEADLINE): (None, None, None)})
    said = written(estimates=missing)
    assert said[0].startswith("Of 2 estimates of a national shift")
    assert said[2].startswith("0 of the 2 carry")


def test_a_verdict_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"verdicts that are none: \['maybe'\]"):
        written(claims=made.claim_rows(("holds", "maybe")))


def test_every_sentence_is_traced_to_rows_that_are_there():
    found = Findings(TITLES, **TABLES)
    traced = trace_table(write_sentences(found))
    assert traced["sentence"].unique().tolist() == list(range(1, 11))
    files = {"estimates.csv": found.estimates, "claims.csv": found.claims}
    files["tables/operations-event-study.csv"] = found.operations
    for table, pattern, keys in (
        (found.states, "states/{shift}--{source}--pooled.csv", ["shift", "source"]),
        (found.countries, "countries/{shift}.csv", ["shift"]),
        (found.forecasts, "forecasts/{source}--claim-10.csv", ["source"]),
    ):
        for _, key in table[keys].drop_duplicates().iterrows():
            own = (table[keys] == key).all(axis=1)
            files[pattern.format(**key)] = table[own]
    files = {name: table.astype(str) for name, table in files.items()}
    for _, row in traced.iterrows():
        table = files[row["file"]]
        named = dict(part.split("=", 1) for part in row["row"].split(", "))
        matches = (table[list(named)] == list(named.values())).all(axis=1)
        assert matches.sum() == 1, row.to_list()
    for sentence, told in ((1, "estimand=post_trend"), (3, f"estimator={COMMON}")):
        assert traced.loc[traced["sentence"] == sentence, "row"].str.contains(told).any()


def test_a_run_without_the_headline_operations_is_not_passed_over():
    with pytest.raises(IndexError):
        written(operations=made.operation_rows().query("label != 'headline'"))


def test_the_summary_has_one_row_per_shift_and_source_and_one_of_common_months():
    table = summary_table(estimate_rows(), TITLES)
    common = "The second, months that both sources have"
    assert table["Shift"].tolist() == ["The first", "The second", common, "The second", common]
    assert table["Source"].tolist() == ["INEGI", "INEGI", "INEGI", "SESNSP", "SESNSP"]
    assert table["Trend"].tolist() == [
        "-2% → +18% a year", "+4% → +6% a year", "+19% → +10% a year", "+21% → -6% a year",
        "+20% → -5% a year",
    ]  # fmt: skip
    assert table.loc[0, "After 24 months"] == "not estimated"
    assert table.loc[3, "Deaths above the months before"] == "-1,500 (-2,600 to -400)"
    assert table.loc[4, "Change of trend"] == "-21.0% per year (-26.0 to -15.0)"
    assert table["Months"].tolist() == ["80 + 70", "80 + 70", "47 + 43", "80 + 70", "47 + 43"]
    assert table.loc[0, ["Memory", "Noise"]].tolist() == ["0.90", "0.50"]
    told = ["none", "the series wanders, few months after", "as above", "none", "as above"]
    assert table["Warnings"].tolist() == told
    own = ["The data's own break", "Estimators"]
    assert table.loc[3, own].tolist() == ["2012-03 (+26 months)", "agree"]
    assert table.loc[4, own].tolist() == ["as above", "as above"]


def test_the_front_page_numbers_its_sentences(tmp_path):
    rows = pd.DataFrame({"shift": ["a"]})
    sentences = [Sentence(text, "x.md", "x.csv", rows) for text in ("First.", "Second.")]
    write_front_page(sentences, summary_table(estimate_rows(), TITLES), tmp_path)
    assert (tmp_path / "answer.md").read_text("utf-8") == "1. First.\n2. Second.\n"
    for suffix in ("csv", "html"):
        assert (tmp_path / f"tables/summary.{suffix}").is_file()
