"""What is said of the project for citing and archiving: CITATION.cff says it, the others agree."""

import json
import re
import tomllib

import pandas as pd
import pytest
import yaml
from support.folders import ROOT
from support.validators import run_tool

import analysis


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


CITED = yaml.safe_load(read("CITATION.cff"))
CODEMETA, ZENODO = json.loads(read("codemeta.json")), json.loads(read(".zenodo.json"))
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
_, FRONT, PAPER = read("paper/paper.md").split("---\n", 2)
REFERENCES = read("paper/paper.bib")
FILLED = """\
authors:
  - {family-names: Surname, given-names: Name, affiliation: University}
contact:
  - {name: Office, email: office@example.org}
repository-code: https://example.org/code
doi: 10.5281/zenodo.1234567
"""


def names(form):
    """Write every author of the citation, a person or an entity."""
    return [one.get("name") or form.format_map(one) for one in CITED["authors"]]


def test_version_is_that_of_the_package():
    assert CITED["version"] == CODEMETA["version"] == ZENODO["version"] == analysis.__version__


def test_the_files_name_the_same_authors():
    form, authors = "{givenName} {familyName}", CODEMETA["author"]
    told = [one.get("name") or form.format_map(one) for one in authors]
    assert told == names("{given-names} {family-names}")
    assert [one["name"] for one in ZENODO["creators"]] == names("{family-names}, {given-names}")
    assert [one["name"] for one in yaml.safe_load(FRONT)["authors"]] == told


def test_the_files_say_the_same_of_the_work():
    assert CITED["title"] == ZENODO["title"] == CODEMETA["alternateName"]
    assert CITED["abstract"] == ZENODO["description"] == CODEMETA["description"]
    assert CITED["keywords"] == ZENODO["keywords"] == CODEMETA["keywords"] == PROJECT["keywords"]
    assert CITED["license"] == ZENODO["license"] == PROJECT["license"]
    assert CODEMETA["license"] == f"https://spdx.org/licenses/{CITED['license']}"
    assert CODEMETA["datePublished"] == str(CITED["date-released"])
    assert CODEMETA["name"] == PROJECT["name"] == CITED["title"].split(":")[0]
    assert CODEMETA["softwareRequirements"] == [f"Python {PROJECT['requires-python']}"]
    address = CITED.get("repository-code")
    assert CODEMETA.get("codeRepository") == PROJECT.get("urls", {}).get("Repository") == address
    data = [each["doi"] for each in CITED["references"] if each["type"] == "data"]
    assert [each["identifier"] for each in ZENODO["related_identifiers"]] == data


def test_the_paper_cites_what_its_bibliography_holds_and_all_of_it():
    held = re.findall(r"(?m)^@\w+\{([\w-]+),", REFERENCES)
    assert len(held) == len(set(held)) > 5
    assert set(re.findall(r"@([a-z]+\d{4}[a-z]*)", PAPER)) == set(held)
    identified = re.findall(r"(?m)^  doi += +\{10\.\d{4,}/\S+\},?$", REFERENCES)
    assert len(identified) == len(held)


def test_the_paper_has_the_length_and_the_sections_that_its_journal_asks_for():
    sections = re.findall(r"(?m)^# (.+)$", PAPER)
    asked = ["Summary", "Statement of need", "State of the field", "Software design"]
    asked += ["Research impact statement", "AI usage disclosure", "Acknowledgements", "References"]
    assert sections == asked
    assert 750 <= len(PAPER.split()) <= 1750


PEERS = {
    "this package": "segmented, AR(1) seen through noise, size free to change, integrated out",
    "`nlme::gls`, ARMA(1,1), two sizes": "nlme::gls, corARMA(1, 1), varIdent, REML, plugged in",
    "`nlme::gls`, AR(1)": "nlme::gls, corAR1, REML, rho plugged in",
    "`lm`, independent errors": "lm, independent errors",
    "CausalPy `PiecewiseITS`": "PiecewiseITS, LinearRegression, defaults",
    "bsts-causalimpact, defaults": "defaults",
    "the same, local linear trend, `prior_level_sd=0.1`": "local linear trend, prior_level_sd 0.1",
}
WORLDS = ("AR(1) 0.8", "AR(1) 0.4", "AR(1) 0.95 + noise", "local level 0.2")


def test_the_papers_table_is_what_was_measured():
    measured = pd.read_csv(ROOT / "benchmarks/peers/results.csv")
    measured = measured[measured["quantity"] == "false_positives"].set_index(["setting", "case"])
    rows = [
        f"| {name} | " + " | ".join(told(measured.loc[(setting, world)]) for world in WORLDS) + " |"
        for name, setting in PEERS.items()
    ]
    assert re.findall(r"(?m)^\| .+ \|$", PAPER)[1:] == rows


def told(row):
    return f"{100 * row['value']:.1f} ({100 * row['se']:.1f})"


def test_the_papers_coverage_is_what_was_measured():
    coverage = pd.read_csv(ROOT / "benchmarks/windows.csv").groupby("estimator")["coverage"]
    least, most = coverage.min(), coverage.max()
    said = [
        f"{least[name]:.1f} to {most[name]:.1f}%" for name in ("reml", "reml_ar1", "newey_west")
    ]
    assert re.findall(r"[\d.]+ to [\d.]+%", PAPER) == said


@pytest.mark.slow
@pytest.mark.parametrize("filled", [False, True], ids=["as it is", "filled in"])
def test_citation_is_valid_and_gives_a_bibtex(tmp_path, filled):
    text = read("CITATION.cff")
    if filled:
        text = re.sub(r"(?ms)^authors:\n.+?(?=^version)", FILLED, text)
    (tmp_path / "CITATION.cff").write_text(text, encoding="utf-8")
    file = ["--infile", tmp_path / "CITATION.cff"]
    valid = run_tool("cffconvert", *file, "--validate")
    assert valid.returncode == 0, valid.stdout + valid.stderr
    bibtex = run_tool("cffconvert", *file, "--format", "bibtex").stdout
    assert {"author", "month", "title", "year"} <= set(re.findall(r"(?m)^(\w+) = \{.+\}", bibtex))
    assert not filled or "Surname, Name" in bibtex
    assert ("doi = {10.5281/zenodo.1234567}" in bibtex) == filled
    assert ("url = {https://example.org/code}" in bibtex) == filled


@pytest.mark.slow
def test_a_citation_that_is_not_valid_is_seen(tmp_path):
    (tmp_path / "CITATION.cff").write_text(read("CITATION.cff").replace("title:", "titel:"))
    assert run_tool("cffconvert", "-i", tmp_path / "CITATION.cff", "--validate").returncode != 0
