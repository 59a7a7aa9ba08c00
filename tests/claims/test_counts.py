from dataclasses import replace

import pandas as pd
import pytest
from support.measured_claims import CLAIMS, DECLARED, EVIDENCE, VERDICTS, measure, plant, value

from analysis.claims.counts import measure_claims
from analysis.claims.declared import HOMICIDE, WITH_FEMICIDE
from analysis.claims.evidence import BY_UNODC, OCCURRED, REGISTERED


def test_claim_without_a_measure_is_refused():
    other = replace(DECLARED, claims={"record-2018": CLAIMS["record-2019"]})
    with pytest.raises(KeyError, match=r"unknown claim 'record-2018'.*'record-2019'"):
        measure_claims(other, EVIDENCE)


@pytest.mark.parametrize("slug", VERDICTS)
def test_verdict_is_the_one_worked_by_hand(found, slug):
    assert found[slug].claim_verdict == VERDICTS[slug]
    start = f"**Claim {CLAIMS[slug].number}, *{VERDICTS[slug]}"
    assert found[slug].sentence.startswith((f"{start}*:** ", f"{start} ("))


def test_measures_are_those_worked_by_hand(found):
    newest = {"vintage": "2025-06", "counted": HOMICIDE}
    assert found["record-2019"].deciding["value"] == 34723
    said = found["record-2019"].finding
    assert "makes 970 of the 1,045 from" in said
    assert "no record under INEGI as registered (36,685 in 2018)" in said
    decline = found["decline-2020"]
    assert value(decline, "decline", vintage="2021-01") == 34648 - 34515 == 133
    assert value(decline, "decline", **newest) == 34723 - 34569 == 154
    assert value(decline, "decline", counted=WITH_FEMICIDE) == 35693 - 35545 == 148
    assert value(decline, "decline", counted=REGISTERED) == 36661 - 36773 == -112
    assert value(decline, "decline", counted=OCCURRED) == 35274 - 35787 == -513
    days = found["one-typical-day"]
    for name, labels, expected, error in (
        ("deaths per day", {"vintage": "2021-01"}, 94.303279, 1e-6),
        ("decline in days", {"vintage": "2021-01"}, 1.410344, 1e-6),
        ("decline in days", newest, 154 * 366 / 34569, 1e-12),
        ("decline in days", {"counted": WITH_FEMICIDE}, 1.523928, 1e-6),
    ):
        assert value(days, name, **labels) == pytest.approx(expected, abs=error)


def test_rates_are_those_worked_by_hand(found):
    rates, recent = found["rate-2011"], found["recent-rate"]
    rate = value(rates, "rate of 2011", counted=OCCURRED)
    assert rate == pytest.approx(23.487, abs=5e-4)
    assert value(rates, "rate of 2011", counted=BY_UNODC) == pytest.approx(23.613478)
    assert recent.deciding["counted"] == BY_UNODC
    assert recent.deciding["value"] == pytest.approx(29.001005)


@pytest.mark.parametrize(
    ("slug", "planted", "verdict"),
    [
        ("record-2019", plant(34648, counted=HOMICIDE, vintage="2025-06", year=2019), "holds"),
        ("record-2019", plant(34648, counted=REGISTERED, year=2019), "revised since"),
        ("record-2019", plant(34649, vintage="2021-01", year=2019), "does not hold"),
        ("record-2019", plant(34648, counted=HOMICIDE, vintage="2025-06", year=2018),
         "does not hold"),  # 2019 equals 2018: no record in any vintage
        ("decline-2020", plant(34514, vintage="2021-01", year=2020), "does not hold"),
        ("one-typical-day", plant(34400, vintage="2021-01", year=2020), "does not hold"),
        ("one-typical-day", plant(36560, counted=REGISTERED, year=2020), "revised since"),
        ("one-typical-day", plant(34723 - 100, counted=HOMICIDE, vintage="2025-06", year=2020),
         "holds"),
        ("rate-2011", plant(23.4, "rate", counted=BY_UNODC, year=2011), "does not hold"),
        ("rate-2011", plant(24.2, "rate", counted=BY_UNODC, year=1992), "does not hold"),
        ("rate-2011", plant(9.4, "rate", counted=BY_UNODC, year=2006), "does not hold"),
        ("rate-2011", plant(23.5, "rate", source="INEGI", year=2011), "holds"),
        ("recent-rate", plant(29.0, "rate", counted=BY_UNODC, year=2020), "does not hold"),
        ("recent-rate", plant(29.1, "rate", counted=REGISTERED), "holds under one source"),
    ],
)  # fmt: skip
def test_planted_figure_changes_the_verdict(slug, planted, verdict):
    assert measure(slug, planted).claim_verdict == verdict


def test_planted_ranking_changes_the_verdict():
    ranking = EVIDENCE.ranking.copy()
    ranking.loc[ranking["city"] == "Uruapan", "country"] = "Brazil"
    measured = measure("city-ranking-2020", replace(EVIDENCE, ranking=ranking))
    assert measured.claim_verdict == "does not hold"
    assert measured.rows["value"].tolist() == [6, 17, 2, 3]
    swapped = EVIDENCE.ranking.assign(rank=EVIDENCE.ranking["rank"].replace({2: 3, 3: 2}))
    assert measure("city-ranking-2020", replace(EVIDENCE, ranking=swapped)).claim_verdict != "holds"
    tied = EVIDENCE.ranking.assign(rank=EVIDENCE.ranking["rank"].replace({3: 2}))
    with pytest.raises(ValueError, match="each place and each city once"):
        measure("city-ranking-2020", replace(EVIDENCE, ranking=tied))


def test_evidence_is_left_alone(found):
    yearly, ranking = EVIDENCE.yearly.copy(), EVIDENCE.ranking.copy()
    for slug in ("record-2019", "one-typical-day", "rate-2011", "city-ranking-2020"):
        measure(slug)
    pd.testing.assert_frame_equal(EVIDENCE.yearly, yearly)
    pd.testing.assert_frame_equal(EVIDENCE.ranking, ranking)


def test_rates_that_inegi_itself_gave_stand_beside_and_do_not_judge(found):
    for slug, expected in (("rate-2011", [24]), ("recent-rate", [29, 29, 29, 29])):
        given = found[slug].rows.query("population == 'press, not re-derived'")
        assert given["value"].tolist() == expected
        assert not given["judges"].any()
    today = "by the deaths registered, over today's population"
    said = f"judges nothing: 24 for 2011 (23.4 {today}: revised since)."
    assert found["rate-2011"].finding.endswith(said)
    recent = found["recent-rate"]
    assert f"29 for 2018 (29.1 {today}); 29 for 2019 (28.8 {today})" in recent.finding
    whole = recent.rows.query("population == 'press, not re-derived' and holds != ''")
    assert whole["holds"].tolist() == ["cannot tell"]  # 29 may stand for more than 29


def test_figure_that_equals_its_bound_to_one_decimal_is_a_close_call(found):
    calls = {slug: each.close_calls for slug, each in found.items() if each.close_calls}
    assert list(calls) == ["rate-2011", "recent-rate"]
    assert calls["rate-2011"][0].endswith("(2024), rate of 2011: 23.487 against 23.5")
    assert calls["recent-rate"][0].endswith("lowest rate of 2018 to 2020: 29.001 against 29")
    assert f"*Close calls:* {calls['recent-rate'][0]}." in found["recent-rate"].sentence
    clear = measure("recent-rate", plant(29.06, "rate", counted=BY_UNODC, year=2020))
    assert not clear.close_calls


def test_only_the_count_that_the_article_used_judges_its_first_two_claims(found):
    for slug in ("record-2019", "decline-2020"):
        rows = found[slug].rows
        assert set(rows.loc[rows["judges"], "counted"]) == {HOMICIDE}
        assert len(set(rows["counted"])) == 4
