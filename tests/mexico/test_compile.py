import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from support.folders import ROOT
from support.sweeps import sweep

from analysis.files import sha256
from analysis.mexico.tables import DATA_FOLDER
from mexico_tables.compile import compile_tables, main

INEGI = "inegi_deaths_by_homicide_state_month.csv"
SESNSP = "sesnsp_victims_state_month.csv"
POPULATION = "conapo_midyear_population_state_year.csv"
MUNICIPALITIES = "conapo_midyear_population_municipality_year.csv"
OPERATIONS = "military_operations.csv"
REGISTERED = "inegi_registered_homicides_national_year.csv"
COUNTRIES = "unodc_homicide_rate_country_year.csv"
EARLY = "sesnsp_new_methodology_releases_2018_2019.csv.gz"
COPIED = {"sesnsp_victims.csv": SESNSP, "municipal_population.csv": MUNICIPALITIES}
COPIED |= {"inegi_registered.csv": REGISTERED, "country_rates.csv": COUNTRIES}
COPIED |= {"municipal_deaths.csv.gz": "inegi_deaths_municipality_month_2000_2021.csv.gz"}
COPIED |= {"inegi_deaths_1990s.csv": "inegi_deaths_1990_1999.csv"}
COPIED |= {"inegi_registration.csv": "inegi_registration_triangle_1990_2008.csv"}
COPIED |= {"sesnsp_revisions.csv": "sesnsp_revisions_state_month.csv"}
COPIED |= {name: name for name in ("city_ranking_2020.csv", "states.csv", "states.geojson")}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The embedded tables turned back into the layout of the publishers' figures."""
    folder = tmp_path_factory.mktemp("published")
    for table, source in COPIED.items():
        shutil.copyfile(DATA_FOLDER / table, folder / source)
    deaths = pd.read_csv(DATA_FOLDER / "inegi_deaths.csv", dtype=str)
    deaths.pivot(index="month", columns="state", values="deaths").to_csv(folder / INEGI)
    people = pd.read_csv(DATA_FOLDER / "population.csv", dtype=str)
    people.pivot(index="year", columns="state", values="population").to_csv(folder / POPULATION)
    started = pd.read_csv(DATA_FOLDER / OPERATIONS).groupby(["operation", "start"], sort=False)
    started["state"].agg(";".join).rename("states").to_csv(folder / OPERATIONS)
    early = pd.read_csv(DATA_FOLDER / "sesnsp_releases_2018.csv.gz").rename(
        {"victims": "count"}, axis=1
    )
    early.loc[len(early)] = [
        "2019-01",
        "2015-01",
        "MX20",
        None,
    ]  # not reported, as the source has it
    early.insert(0, "methodology", "new")
    early.assign(commit="60c2027559").to_csv(folder / EARLY, index=False)
    return folder


@pytest.fixture
def sources(published, tmp_path):
    return shutil.copytree(published, tmp_path / "sources")


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "into"
    folder.mkdir()
    (folder / "inegi_deaths.csv").write_bytes(b"as before")
    return folder


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_compiling_the_publishers_figures_gives_the_embedded_tables(sources, into):
    written = compile_tables(sources, into)
    embedded = files(DATA_FOLDER)
    assert set(written) == {name for name in embedded if not name.endswith((".toml", ".j2"))}
    assert written == {name: embedded[name] for name in written}
    assert files(into) == written


@pytest.mark.slow
def test_a_revised_count_changes_only_its_table_and_its_hash(sources, into):
    path = sources / INEGI  # 2005 is no year whose total is checked
    path.write_text(re.sub(r"(?m)^2005-03,\d+,", "2005-03,99,", path.read_text("utf-8")), "utf-8")
    written, embedded = compile_tables(sources, into), files(DATA_FOLDER)
    changed = {name for name in written if written[name] != embedded[name]}
    assert changed == {"inegi_deaths.csv", "datapackage.json"}
    old, new = (json.loads(each["datapackage.json"])["resources"] for each in (embedded, written))
    assert [a["name"] for a, b in zip(old, new, strict=True) if a != b] == ["inegi_deaths"]
    revised = written["inegi_deaths.csv"]
    assert (new[0]["bytes"], new[0]["hash"]) == (len(revised), f"sha256:{sha256(revised)}")


@pytest.mark.parametrize(
    ("source", "pattern", "replacement", "message"),
    sweep(
        [
            (INEGI, r"2005-03,.*\n", "", r"^inegi_deaths: .*every month; missing \[\('2005-03'"),
            (INEGI, r"2000-01,.*\n", "", r"^inegi_deaths: yearly totals \{2000: 9554\}"),
            (
                INEGI,
                r"2022-12,.*\n",
                "",
                "^inegi_deaths ends in 2022-11; the last release goes through 2022-12",
            ),
            (
                INEGI,
                "2000-01,0,",
                "2000-01,1,",
                r"^inegi_deaths: yearly totals \{2000: 10560\}.*10559",
            ),
            (INEGI, "2000-01,0,59,", "2000-01,0.5,58.5,", "^inegi_deaths: deaths must be whole"),
            (INEGI, "0,59,", "-1,60,", "^inegi_deaths: deaths must be at least 0; found -1"),
            (INEGI, "2000-01,0,", "2000-01,,", rf"^{INEGI}: missing values in \['MX01'\]"),
            (INEGI, "month,", "mes,", rf"^{INEGI}: .*missing \['month'\], unexpected \['mes'\]"),
            (INEGI, "2005-03,", "2005-04,", "must be unique"),
            (SESNSP, "2015-01,MX01,7,0", "2015-01,MX01,7,1", r"^sesnsp_victims: .*\{2015: 18313\}"),
            (
                SESNSP,
                "2015-01,MX01",
                "2015-01,MX33",
                "^sesnsp_victims: every state needs every month",
            ),
            (POPULATION, "\n1990,", "\n1989,", "^population: years must be consecutive"),
            (
                POPULATION,
                "750856",
                "750857",
                r"^population: states do not add up to MX00 in \[1990",
            ),
            (
                MUNICIPALITIES,
                "660045",
                "660046",
                "^municipal_population: municipalities do not add up",
            ),
            (MUNICIPALITIES, "01002,", "01001,", "must be unique"),
            (
                OPERATIONS,
                "MX10",
                "MX99",
                r"^military_operations: state has unknown codes \['MX99'\]",
            ),
            (OPERATIONS, "2006-12-11", "11 Dec", "^military_operations: start must be dates"),
            (INEGI, "2000-01,0,", "2000-01,x,", rf"^{INEGI}: \['MX01'\] must be numbers"),
            (INEGI, "2000-01,", "2000-13,", r"^inegi_deaths: months must look like .*2000-13"),
            (POPULATION, r"\n2025(.*\n)*", "\n", "municipalities do not add up"),
            (
                REGISTERED,
                "14493",
                "many",
                rf"^{REGISTERED}: \['registered_deaths'\] must be numbers",
            ),
            (REGISTERED, "14493", "-5", "^inegi_registered: registered_deaths must be at least 0"),
            ("states.csv", r"MX20(.*\n)*", "", "^states.csv: expected MX01..MX32"),
            ("states.geojson", r"(?s).+", "[]", "^states.geojson is not a GeoJSON"),
            (REGISTERED, "1991,", "1990,", r"^inegi_registered: \['year'\] must be unique"),
            ("states.geojson", "MX05", "MX06", "^states.geojson: expected the outlines of MX01"),
        ],
        0,
        9,
    ),
)
def test_damaged_source_is_refused_and_nothing_written(
    sources, into, source, pattern, replacement, message
):
    text = (sources / source).read_text("utf-8")
    damaged = re.sub(pattern, replacement, text, count=1)
    assert damaged != text
    (sources / source).write_text(damaged, "utf-8")
    with pytest.raises(ValueError, match=message):
        compile_tables(sources, into)
    assert files(into) == {"inegi_deaths.csv": b"as before"}


@pytest.mark.slow
def test_one_more_month_is_another_release_with_totals_of_its_own(sources, into):
    path = sources / SESNSP
    month = "".join(f"2025-07,MX{number:02d},{50 + number},1\n" for number in range(1, 33))
    path.write_text(path.read_text("utf-8").replace("2024-01,MX01,", "2024-01,MX01,1") + month)
    resources = json.loads(compile_tables(sources, into)["datapackage.json"])["resources"]
    totals = next(each["totals"] for each in resources if each["name"] == "sesnsp_victims")
    assert totals["through"] == "2025-07"
    assert totals["2024"] > 30898
    assert "2025" not in totals  # half a year is no year


def test_a_count_revised_in_the_same_release_says_what_to_update(sources, into):
    path = sources / SESNSP
    path.write_text(path.read_text("utf-8").replace("2024-01,MX01,", "2024-01,MX01,1", 1))
    moved = r"totals \{2024: \d+\} differ .* were revised, put them into `totals` of sesnsp"
    with pytest.raises(ValueError, match=moved):
        compile_tables(sources, into)


@pytest.mark.parametrize("source", sweep([INEGI, POPULATION, *COPIED.values(), OPERATIONS], 0))
def test_missing_source_is_named_and_nothing_written(sources, into, source):
    (sources / source).unlink()
    with pytest.raises(ValueError, match=f"^{source} not found in .*sources"):
        compile_tables(sources, into)
    assert files(into) == {"inegi_deaths.csv": b"as before"}


@pytest.mark.slow
def test_command_line_writes_the_tables_and_lists_them(sources, into, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compile", str(sources), "--into", str(into)])
    main()
    assert "  140,622 bytes  inegi_deaths.csv\n" in capsys.readouterr().out
    assert files(into)["inegi_deaths.csv"] == (DATA_FOLDER / "inegi_deaths.csv").read_bytes()


@pytest.mark.slow
def test_command_line_refuses_a_folder_without_figures(tmp_path, into):
    command = [sys.executable, "-m", "mexico_tables.compile", str(tmp_path), "--into", str(into)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"nothing written: {INEGI} not found in")
    assert files(into) == {"inegi_deaths.csv": b"as before"}
