import pandas as pd
from support.answer_tables import TITLES, estimate_rows

from analysis.report.findings import Sentence
from analysis.report.site import summary_table, write_front_page


def test_the_summary_has_one_row_per_shift_and_source():
    table = summary_table(estimate_rows(), TITLES)
    assert table["Shift"].tolist() == ["The first", "The second", "The second"]
    assert table["Source"].tolist() == ["INEGI", "INEGI", "SESNSP"]
    assert table.loc[0, "After 24 months"] == "not estimated"
    assert table.loc[2, "Excess deaths"] == "-1,500 (-2,600 to -400)"
    assert table["Warnings"].tolist() == ["none", "near unit root, few months after", "none"]


def test_the_front_page_numbers_its_sentences(tmp_path):
    rows = pd.DataFrame({"shift": ["a"]})
    sentences = [Sentence("First.", "x.csv", rows), Sentence("Second.", "x.csv", rows)]
    write_front_page(sentences, summary_table(estimate_rows(), TITLES), tmp_path)
    assert (tmp_path / "answer.md").read_text() == "1. First.\n2. Second.\n"
    for suffix in ("csv", "tex", "html"):
        assert (tmp_path / f"tables/summary.{suffix}").is_file()
