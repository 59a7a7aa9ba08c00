import hashlib
import json
import shutil
import subprocess
import sys
from functools import cache

import pandas as pd
import pytest
from support.folders import ROOT
from support.publisher_files import (
    KINDS,
    encode,
    lay_out_certificates,
    lay_out_population,
    lay_out_victims,
    to_csv,
    to_zip,
    whole_year,
)
from support.sweeps import sweep

from analysis.mexico.tables import DATA_FOLDER, load_table
from mexico_tables.update import main, update_tables

VICTIMS = load_table("sesnsp_victims")
STATES = sorted(VICTIMS["state"].unique())
BEFORE = {path.name: path.read_bytes() for path in DATA_FOLDER.iterdir()}


def add_months(table, *months, intentional_homicide=50, femicide=1):
    counts = {"intentional_homicide": intentional_homicide, "femicide": femicide}
    new = [pd.DataFrame({"month": month, "state": STATES, **counts}) for month in months]
    return pd.concat([table, *new], ignore_index=True)


def set_counts(table, month, changes):
    """Return the table with intentional homicides of some states in a month moved."""
    table = table.copy()
    for state, change in changes.items():
        where = (table["month"] == month) & (table["state"] == state)
        table.loc[where, "intentional_homicide"] += change
    return table


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(DATA_FOLDER, tmp_path / "data")


@pytest.fixture
def update(tmp_path, folder):
    def update_with(files, **options):
        paths = [tmp_path / name for name in files]
        for path, content in zip(paths, files.values(), strict=True):
            path.write_bytes(content if isinstance(content, bytes) else encode(content))
        return "\n".join(update_tables(paths, into=options.pop("into", folder), **options))

    return update_with


def changed(folder):
    """Return the files that differ from the embedded ones, without what has its own test."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    differ = {name for name, content in found.items() if content != BEFORE.get(name)}
    return differ - {"sesnsp_revisions.csv"}


def validate(folder, name):
    import frictionless  # few ask

    report = frictionless.Package(str(folder / "datapackage.json")).get_resource(name).validate()
    return report.flatten(["title", "rowNumber", "fieldName", "note"])


def described(folder, name):
    package = json.loads((folder / "datapackage.json").read_text("utf-8"))
    return next(each for each in package["resources"] if each["name"] == name)


def certificates(year, *extra, deaths=None):
    deaths = whole_year(year) if deaths is None else deaths
    return to_csv(*lay_out_certificates(year, [*deaths, *extra]))


@pytest.mark.slow
def test_one_more_month_changes_its_table_and_what_is_said_of_it(update, folder):
    said = update({"IDVFC_NM_jul25.csv": lay_out_victims(add_months(VICTIMS, "2025-07"))})
    assert changed(folder) == {"sesnsp_victims.csv", "datapackage.json"}
    assert "sesnsp_victims: new: 64 figures, 2025-07 to 2025-07\n" in said
    assert "sesnsp_victims: 319,570 in all, 317,938 before\n" in said
    assert "no figure of before has changed" in said
    table = load_table("sesnsp_victims", folder=folder)
    assert len(table) == len(VICTIMS) + 32
    assert table.tail(1).to_numpy().tolist() == [["2025-07", "MX32", 50, 1]]
    resource = described(folder, "sesnsp_victims")
    assert (resource["release"], resource["published"]) == ("2025-07", "2025-07")
    assert resource["totals"]["through"] == "2025-07"
    assert resource["totals"]["2024"] == 30898
    assert "2025" not in resource["totals"]  # half a year is no year
    assert validate(folder, "sesnsp_victims") == []


@pytest.mark.slow
def test_embedded_tables_laid_out_as_their_publishers_do_change_nothing(update, folder):
    deaths = load_table("inegi_deaths")
    years = [deaths["month"].str[:4], deaths["month"].str[5:], deaths["state"].str[2:]]
    gargiulo = deaths.assign(
        year=years[0], month=years[1], cve_ent=years[2], homicides=deaths["deaths"]
    )
    rates = load_table("country_rates").rename(columns={"iso3": "Code", "country": "Entity"})
    rates = rates.rename(columns={"year": "Year", "rate": "Homicide rate per 100,000 population"})
    rates = rates[["Entity", "Code", "Year", "Homicide rate per 100,000 population"]]
    places = load_table("municipal_population").drop(columns="name")
    people = places.melt("municipality", var_name="AÑO", value_name="POB_TOTAL")
    people = people.assign(CLAVE=people.pop("municipality"), POB_00_04=people["POB_TOTAL"])
    sexes = [people.assign(SEXO="MUJERES"), people.assign(SEXO="HOMBRES", POB_00_04=0, POB_TOTAL=0)]
    municipal = pd.concat(sexes).assign(CLAVE_ENT=lambda rows: rows["CLAVE"].str[:2])
    update(
        {
            "a": lay_out_victims(VICTIMS),
            "b": gargiulo.drop(columns=["state", "deaths"]).to_csv(index=False, sep="|").encode(),
            "c": rates.to_csv(index=False).encode(),
            "d": lay_out_population(load_table("population")),
            "e": municipal.to_csv(index=False).encode(),
        }
    )
    assert changed(folder) == {"datapackage.json"}


@pytest.mark.slow
def test_revised_counts_are_told_by_year_and_state(update, folder):
    table = set_counts(add_months(VICTIMS, "2025-07"), "2024-03", {"MX09": 4, "MX15": -1})
    said = update({"IDVFC_NM_jul25.csv": lay_out_victims(table)})
    assert "2 figures changed: 2024 30,898 +3; most in MX09 +4, MX15 -1" in said
    assert described(folder, "sesnsp_victims")["totals"]["2024"] == 30901


SELDOM = [
    (
        "IDVFC_NM_jun25.csv",
        set_counts(VICTIMS, "2024-01", {"MX01": 7}),
        r"release 2025-06 itself has moved, 2024 30,898 \+7: a revision, .*changed file",
    ),
    (
        "victims.csv",
        set_counts(VICTIMS, "2024-01", {"MX01": 7}),
        "release 2025-06 itself has moved",
    ),
    (
        "IDVFC_NM_jul25.csv",
        VICTIMS[VICTIMS["month"] < "2025-05"],
        "128 figures, 2025-05 to 2025-06, of the last release are missing",
    ),
    ("IDVFC_NM_may25.csv", VICTIMS[VICTIMS["month"] < "2025-06"], "2025-05 is older than"),
    (
        "IDVFC_NM_jul25.csv",
        set_counts(VICTIMS, "2024-01", {"MX01": 1600}),
        r"closed years move by more than 5%, \['2024'\]: 2024 30,898 \+1,600",
    ),
    (  # as many here as there less: rows of two states have changed places
        "IDVFC_NM_jul25.csv",
        set_counts(VICTIMS, "2024-01", {"MX01": 900, "MX11": -200, "MX02": -150, "MX15": -150})
        .pipe(set_counts, "2024-02", {"MX11": -200, "MX02": -100, "MX15": -150})
        .pipe(set_counts, "2024-03", {"MX01": 900, "MX11": -150}),
        r"closed years move by more than 5%, \['2024'\]",
    ),
]


@pytest.mark.parametrize(("name", "table", "message"), sweep(SELDOM, 0))
def test_a_release_that_is_seldom_true_is_refused_unless_told(update, folder, name, table, message):
    with pytest.raises(ValueError, match=rf"^sesnsp_victims: .*{message}.*--accept-revisions"):
        update({name: lay_out_victims(table)})
    assert changed(folder) == set()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "table", "_"), SELDOM)
def test_a_release_that_is_seldom_true_is_taken_where_told(update, folder, name, table, _):
    update({name: lay_out_victims(table)}, accept_revisions=True)
    assert changed(folder) == {"sesnsp_victims.csv", "datapackage.json"}


@pytest.mark.slow
def test_a_revision_of_the_same_months_is_taken_with_its_own_release(update, folder):
    table = set_counts(VICTIMS, "2024-01", {"MX01": 7})
    update({"victims.csv": lay_out_victims(table)}, release="2025-08")
    assert described(folder, "sesnsp_victims")["release"] == "2025-08"
    assert load_table("sesnsp_victims", folder=folder)["month"].max() == "2025-06"


@pytest.mark.slow
def test_the_running_year_may_move_by_any_share(update, folder):
    table = set_counts(add_months(VICTIMS, "2025-07"), "2025-01", {"MX01": 5000})
    assert "2025 13,090 +5,000" in update({"IDVFC_NM_jul25.csv": lay_out_victims(table)})


@pytest.mark.parametrize("lost", sweep([(("month", "2025-07"),), (("state", "MX17"),)], 0))
def test_a_table_without_a_month_or_a_state_is_refused(update, folder, lost):
    table = add_months(VICTIMS, "2025-07", "2025-08")
    lines = lay_out_victims(table[table[lost[0]] != lost[1]], empty="0")
    with pytest.raises(ValueError, match=r"2025-07|every state needs every month.*MX17"):
        update({"IDVFC_NM_ago25.csv": lines})
    assert changed(folder) == set()


@pytest.mark.slow
def test_two_releases_in_one_call_are_taken_in_order(update, folder):
    july, august = add_months(VICTIMS, "2025-07"), add_months(VICTIMS, "2025-07", "2025-08")
    files = {"IDVFC_NM_ago25.csv": august, "IDVFC_NM_jul25.csv": july}
    update({name: lay_out_victims(table) for name, table in files.items()})
    assert described(folder, "sesnsp_victims")["release"] == "2025-08"


@pytest.mark.slow
def test_dry_run_tells_the_same_and_writes_nothing(update, folder):
    files = {"IDVFC_NM_jul25.csv": lay_out_victims(add_months(VICTIMS, "2025-07"))}
    told = update(files, dry_run=True)
    assert changed(folder) == set()
    assert told.splitlines()[-1] == "nothing written: --dry-run"
    assert update(files).splitlines()[:-1] == told.splitlines()[:-1]


@pytest.mark.slow
def test_a_new_folder_gets_the_whole_package(update, tmp_path):
    files = {"IDVFC_NM_jul25.csv": lay_out_victims(add_months(VICTIMS, "2025-07"))}
    update(files, into=tmp_path / "new")
    assert changed(tmp_path / "new") == {"sesnsp_victims.csv", "datapackage.json"}
    assert set(BEFORE) == {path.name for path in (tmp_path / "new").iterdir()}


def test_one_refused_file_leaves_the_others_unwritten(update, folder):
    july = lay_out_victims(add_months(VICTIMS, "2025-07"))
    with pytest.raises(ValueError, match="a year between is missing"):
        update({"IDVFC_NM_jul25.csv": july, "b.csv": certificates(2024)})
    assert changed(folder) == set()


@pytest.mark.slow
def test_a_full_disk_leaves_every_file_as_it_was(update, folder, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.chmod", full)
    with pytest.raises(OSError, match="disk full"):
        update({"IDVFC_NM_jul25.csv": lay_out_victims(add_months(VICTIMS, "2025-07"))})
    assert {path.name for path in folder.iterdir()} == set(BEFORE)
    assert changed(folder) == set()


@pytest.mark.slow
def test_the_next_year_of_certificates_adds_late_deaths_to_earlier_months(update, folder):
    late = [("09", 12, 2022, "X959", 2), ("09", 12, 2022, "X850", 9), ("14", 1, 2000, "Y090", 2)]
    outside = [("33", 5, 2023, "X959", 2), ("09", 99, 2023, "X959", 2), ("09", 12, 1999, "X959", 2)]
    content = certificates(2023, *late, *outside)
    said = update({"a.zip": to_zip({"conjunto_de_datos/a.csv": content})}, accept_revisions=True)
    old, new = (load_table("inegi_deaths", folder=each) for each in (DATA_FOLDER, folder))
    assert new["month"].max() == "2023-12"
    assert (new.loc[new["month"] >= "2023-01", "deaths"] == 1).all()
    both = new.merge(old, on=["month", "state"]).query("deaths_x != deaths_y")
    moved = both.assign(change=both["deaths_x"] - both["deaths_y"])[["month", "state", "change"]]
    assert moved.to_numpy().tolist() == [["2000-01", "MX14", 1], ["2022-12", "MX09", 2]]
    assert "390 deaths registered in 2023 by their cause, 389 by tipo_defun 2; left out 1" in said
    resource = described(folder, "inegi_deaths")
    assert (resource["registered_through"], resource["release"]) == ("2023-12", "2023-12")
    assert resource["totals"]["2022"] == 31050


@pytest.mark.slow
def test_late_deaths_may_move_the_last_year_by_any_share_but_no_year_before(update, folder):
    many = [("09", 12, 2022, "X959", 2)] * 1600
    dry = {"dry_run": True, "accept_revisions": True}
    assert "2022 31,048 +1,600" in update({"a.csv": certificates(2023, *many)}, **dry)
    many = [("09", 12, 2014, "X959", 2)] * 1600
    with pytest.raises(ValueError, match=r"more than 5%, \['2014'\]: 2014 19,563 \+1,600"):
        update({"a.csv": certificates(2023, deaths=as_last_year(2023) + many)})


@pytest.mark.slow
def test_years_of_certificates_are_taken_in_order(update, folder):
    update({"b.csv": certificates(2024), "a.csv": certificates(2023)}, accept_revisions=True)
    assert described(folder, "inegi_deaths")["registered_through"] == "2024-12"
    with pytest.raises(ValueError, match=r"those until 2024-12: they are in it.*file of 2025"):
        update({"a.csv": certificates(2023)})


@pytest.mark.parametrize(
    ("content", "message"),
    sweep(
        [
            (certificates(2022), r"registered in 2022 .* in it already\. Give the file of 2023"),
            (
                certificates(1997, deaths=whole_year(1997, "9654")),
                r"registered in 1997 .* in it already",
            ),
            (certificates(2024), r"a year between is missing\. Give the file of 2023"),
            (
                certificates(2023, deaths=[each for each in whole_year(2023) if each[1] < 7]),
                "deaths of 2023 in 6 months of 12, .*: half a year",
            ),
            (
                certificates(2023, deaths=[each for each in whole_year(2023) if each[0] < "20"]),
                "deaths of 2023 in 19 states of 32, .*cut",
            ),
        ],
        0,
    ),
)
def test_certificates_that_do_not_follow_or_are_not_a_year_are_refused(
    update, folder, content, message
):
    with pytest.raises(ValueError, match=message):
        update({"a.csv": content})
    assert changed(folder) == set()


@cache
def as_last_year(year):
    """Certificates of as many deaths in each state and month as in 2022."""
    table = load_table("inegi_deaths").query("month >= '2022'")
    return [
        (row.state[2:], int(row.month[5:]), year, "X954", 2)
        for row in table.itertuples()
        for _ in range(row.deaths)
    ]


@pytest.mark.slow
def test_a_year_of_certificates_like_the_last_is_taken(update):
    assert "written" in update({"a.csv": certificates(2023, deaths=sorted(as_last_year(2023)))})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (lambda rows: rows[::2], r"hard to believe: \['2023-01 has 49% of the usual deaths'"),
        (lambda rows: rows * 2, "2023-01 has 198% of the usual deaths"),
        (
            lambda rows: [row for row in rows if row[0] < "25"] + whole_year(2023)[24 * 12 :],
            "MX25 has 2% of the usual deaths",
        ),
    ],
)
def test_a_year_of_certificates_that_is_half_doubled_or_cut_is_refused(
    update, folder, kept, message
):
    rows = sorted(as_last_year(2023))
    with pytest.raises(ValueError, match=message):
        update({"a.csv": certificates(2023, deaths=kept(rows))})
    assert changed(folder) == set()


@pytest.mark.slow
def test_one_revised_count_is_one_row_of_the_record_and_the_study_reads_it(update, folder):
    revised = VICTIMS.copy()
    cell = revised["month"].eq("2024-01") & revised["state"].eq("MX01")
    revised.loc[cell, "intentional_homicide"] += 7
    update({"victims.csv": lay_out_victims(revised)}, release="2025-08")
    rows = load_table("sesnsp_revisions", folder=folder).query("release == '2025-08'")
    assert rows[["month", "state"]].to_numpy().tolist() == [["2024-01", "MX01"]]
    with pytest.raises(ValueError, match="older than that of the table"):
        update({"victims.csv": lay_out_victims(VICTIMS)}, release="2025-07")
    update({"victims.csv": lay_out_victims(VICTIMS)}, release="2025-07", accept_revisions=True)
    assert load_table("sesnsp_revisions", folder=folder)["release"].max() == "2025-08"


@pytest.mark.slow
def test_a_state_that_falls_silent_is_refused(update, folder):
    silent = VICTIMS.copy()
    silent.loc[silent["month"].str[:4].eq("2024") & silent["state"].eq("MX06"), list(KINDS)] = 0
    with pytest.raises(ValueError, match=r"hard to believe: \['MX06 in 2024, 8\d\d before'"):
        update({"IDVFC_NM_jul25.csv": lay_out_victims(add_months(silent, "2025-07"))})
    new = add_months(VICTIMS, "2025-07")
    new.loc[new["month"].eq("2025-07") & new["state"].eq("MX15"), list(KINDS)] = 0
    with pytest.raises(ValueError, match="nobody in MX15 in 2025-07"):
        update({"IDVFC_NM_jul25.csv": lay_out_victims(new)})


def registry(months, empty="0"):
    counts = {"intentional_homicide": 2000, "femicide": 3}
    table = add_months(VICTIMS[:0], *[f"2026-{n:02d}" for n in range(1, months + 1)], **counts)
    return lay_out_victims(table, empty=empty)


@pytest.mark.slow
def test_the_new_registry_gets_a_table_of_its_own_that_grows(update, folder):
    said = update({"RNID-Víctimas_Estatal-2026-mar2026.csv": registry(3, empty="")})
    assert said.startswith("rnid_victims: 64 of 160 rows\n")
    assert changed(folder) == {"rnid_victims.csv", "datapackage.json"}
    update({"RNID-Víctimas_Estatal-2026-ago2026.csv": registry(8)})
    table = load_table("rnid_victims", folder=folder)
    assert (table["month"].min(), table["month"].max(), len(table)) == ("2026-01", "2026-08", 256)
    resource = described(folder, "rnid_victims")
    assert (resource["path"], resource["release"]) == ("rnid_victims.csv", "2026-08")
    assert resource["totals"] == {"through": "2026-08"}
    assert validate(folder, "rnid_victims") == []


@pytest.mark.slow
@pytest.mark.parametrize("kept", [150, 140])
def test_a_first_registry_that_is_cut_at_a_line_is_no_zero(update, folder, kept):
    header, *lines = registry(3)
    lines = sorted(lines, key=lambda line: "Feminicidio,Feminicidio" in line)  # femicides last
    name = "RNID-Víctimas_Estatal-2026-mar2026.csv"
    with pytest.raises(ValueError, match=r"no rows, .* of 2026 MX\d\d femicide, .* the file cut"):
        update({name: [header, *lines[:kept]]})
    assert changed(folder) == set()
    update({name: [header, *lines[:kept]]}, accept_revisions=True)
    table = load_table("rnid_victims", folder=folder)
    assert table["femicide"].iloc[-1] == 0
    assert (table["intentional_homicide"] == 2000).all()


@pytest.mark.slow
def test_revisions_get_the_rows_that_are_new_or_changed(update, folder):
    first = VICTIMS.assign(release="2025-05").query("month < '2025-06'")
    last = VICTIMS.assign(release="2025-06").query("month == '2025-06'")
    columns = ["release", *VICTIMS.columns]
    content = pd.concat([first, last])[columns].to_csv(index=False).encode()
    (folder / "sesnsp_revisions.csv").write_bytes(content)
    package = json.loads((folder / "datapackage.json").read_text("utf-8"))
    fields = [{"name": "release", "type": "yearmonth"}]
    schema = described(folder, "sesnsp_victims")["schema"]
    schema = {"fields": fields + schema["fields"], "primaryKey": ["release", "month", "state"]}
    new = {"name": "sesnsp_revisions", "path": "sesnsp_revisions.csv", "format": "csv"}
    digest = hashlib.sha256(content).hexdigest()
    kept = [each for each in package["resources"] if each["name"] != "sesnsp_revisions"]
    package["resources"] = kept
    kept.append(new | {"schema": schema, "hash": f"sha256:{digest}"})
    (folder / "datapackage.json").write_text(json.dumps(package), "utf-8")
    table = set_counts(add_months(VICTIMS, "2025-07"), "2024-03", {"MX09": 4})
    update({"IDVFC_NM_jul25.csv": lay_out_victims(table)})
    revisions = load_table("sesnsp_revisions", folder=folder)
    added = revisions[len(VICTIMS) :]
    assert set(added["release"]) == {"2025-07"}
    assert len(added) == 33
    newest = revisions.drop_duplicates(["month", "state"], keep="last")[VICTIMS.columns]
    newest = newest.sort_values(["month", "state"], ignore_index=True)
    pd.testing.assert_frame_equal(newest, load_table("sesnsp_victims", folder=folder))


def move_people(year, change):
    people = load_table("population")
    where = (people["year"] == year) & people["state"].isin(["MX00", "MX03"])
    return lay_out_population(people.assign(population=people["population"] + change * where))


@pytest.mark.slow
def test_population_beyond_the_years_of_the_municipalities_may_move(update, folder):
    assert "2029 137,200,808 +100; most in MX03 +100" in update({"a.csv": move_people(2029, 100)})
    assert changed(folder) == {"population.csv", "datapackage.json"}


@pytest.mark.slow
def test_states_that_leave_their_municipalities_behind_are_refused_unless_told(update, folder):
    with pytest.raises(ValueError, match=r"municipalities do not add up .*\['MX03'\]"):
        update({"a.csv": move_people(2020, 100)})
    assert changed(folder) == set()
    update({"a.csv": move_people(2020, 100)}, accept_revisions=True)
    assert changed(folder) == {"population.csv", "datapackage.json"}


def test_municipalities_of_other_years_are_refused_with_the_years(update, folder):
    rows = ["1001,1,Hombres,2015,pobm_00_04,7", "1001,1,Mujeres,2015,pobm_00_04,7"]
    lines = ["CLAVE,CLAVE_ENT,SEXO,AÑO,EDAD_QUIN,POB", *rows]
    with pytest.raises(ValueError, match=r"years or municipalities are missing: \['2000', '2001'"):
        update({"base_municipios_final_datos_01.csv": lines})


@pytest.mark.slow
def test_a_country_that_vanishes_is_refused(update, folder):
    rates = load_table("country_rates").query("iso3 != 'GTM'")
    columns = ["Entity", "Code", "Year", "Homicide rate per 100,000 population"]
    rates = rates[["country", "iso3", "year", "rate"]].set_axis(columns, axis=1)
    with pytest.raises(ValueError, match=r"figures, .* to .*, of the last release are missing"):
        update({"a.csv": rates.to_csv(index=False).encode()})


def run(project, *command):
    options = {"capture_output": True, "text": True, "check": False, "encoding": "utf-8"}
    return subprocess.run([sys.executable, *command], cwd=project, **options)


@pytest.mark.slow
def test_the_study_runs_on_what_the_command_wrote(tmp_path):
    shutil.copytree(ROOT / "analysis", tmp_path / "analysis")
    july = lay_out_victims(add_months(VICTIMS, "2025-07"))
    files = {"IDVFC_NM_jul25.csv": july, "RNID_ago2026.csv": registry(8)}
    files["DEFUN23.csv"] = certificates(2023)
    for name, content in files.items():
        content = content if isinstance(content, bytes) else encode(content)
        (tmp_path / name).write_bytes(content)
    done = run(tmp_path, "-W", "error", "-m", "analysis", "update", *files, "--accept-revisions")
    assert (done.returncode, done.stderr) == (0, "")
    assert "inegi_deaths: new: 384 figures, 2023-01 to 2023-12\n" in done.stdout
    code = (
        "from analysis import load_series, load_states, load_releases, load_municipalities\n"
        "from analysis import load_completeness\n"
        "load_releases(), load_municipalities()\n"
        "load_completeness('inegi'), load_completeness('sesnsp')\n"
        "from analysis.mexico.record import SOURCES\n"
        "for slug in ('inegi', 'sesnsp', 'rnid'):\n"
        "    series = load_series(slug, complete_only=False)\n"
        "    states = load_states(slug, complete_only=False)\n"
        "    print(slug, series.index[-1], series['deaths'].sum(), states['deaths'].sum())\n"
        "print(sorted(SOURCES), load_series('sesnsp').index[-1], load_series('rnid').index[-1])\n"
    )
    lines = run(tmp_path, "-W", "error", "-c", code).stdout.splitlines()
    deaths, victims, new = 481835 + 384, 317938 + 32 * 51, 8 * 32 * 2003
    assert lines == [
        f"inegi 2023-12 {deaths} {deaths}",
        f"sesnsp 2025-07 {victims} {victims}",
        f"rnid 2026-08 {new} {new}",
        "['inegi', 'sesnsp'] 2025-07 2026-08",
    ]


@pytest.mark.slow
def test_command_line_tells_what_changed(tmp_path, folder, capsys):
    path = tmp_path / "IDVFC_NM_jul25.csv"
    path.write_bytes(encode(lay_out_victims(add_months(VICTIMS, "2025-07"))))
    main(["update", str(path), "--into", str(folder)])
    assert f"\nwritten to {folder}: sesnsp_victims, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no file was given"),
        (["absent.csv"], "absent.csv: no file"),
        (["."], "no file"),
        (["a.csv", "--release", "2026-13"], "--release must be a month like 2026-02"),
    ],
)
def test_command_line_refuses_in_one_sentence(folder, capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        main(["update", *options, "--into", str(folder)])
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("nothing written: ")
    assert message in said
    assert said.count("\n") == 1
    assert changed(folder) == set()


def test_a_folder_of_before_is_no_traceback_either(tmp_path, folder, capsys):
    path = folder / "datapackage.json"
    path.write_text(path.read_text("utf-8").replace("registered_through", "other"), "utf-8")
    (tmp_path / "a.csv").write_bytes(certificates(2023))
    with pytest.raises(SystemExit):
        main(["update", str(tmp_path / "a.csv"), "--into", str(folder)])
    assert capsys.readouterr().err.startswith("nothing written: ")


def test_without_arguments_the_command_line_prints_its_help(capsys):
    main([])
    assert "update" in capsys.readouterr().out
