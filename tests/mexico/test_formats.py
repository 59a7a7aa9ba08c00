import sys
from functools import cache

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.publisher_files import (
    KINDS,
    MONTHS,
    MUNICIPAL,
    OFFENCE,
    PLACE,
    VICTIMS,
    encode,
    lay_out_certificates,
    lay_out_population,
    lay_out_victims,
    to_csv,
    to_dbf,
    to_zip,
    whole_year,
)
from support.sweeps import sweep

from mexico_tables import files
from mexico_tables.update import read_file

STATES = [f"MX{number:02d}" for number in range(1, 33)]
LOOSE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def victims(months, start="2025-01"):
    """Return a table in which every count tells its month and state."""
    index = pd.period_range(start, periods=months, freq="M").astype(str)
    rows = [(m, s, 100 * n + k, k) for n, m in enumerate(index, 1) for k, s in enumerate(STATES)]
    return pd.DataFrame(rows, columns=["month", "state", *KINDS])


@cache
def laid_out(months):
    return tuple(lay_out_victims(victims(months)))


def half_a_year():
    """Return the lines of six months as SESNSP lays them out, a list of one's own."""
    return list(laid_out(6))


@pytest.fixture
def read(tmp_path):
    def read_content(name, content, **options):
        path = tmp_path / name
        path.write_bytes(content)
        return read_file(path, **options)

    return read_content


@pytest.mark.parametrize("encoding", sweep(["cp1252", "utf-8", "utf-8-sig"], 0, 4))
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_victims_are_read_in_every_encoding_and_line_ending(read, encoding, newline):
    (reading,) = read("a.csv", encode(half_a_year(), encoding, newline))
    assert reading.table == "sesnsp_victims"
    pd.testing.assert_frame_equal(reading.frame, victims(6), check_dtype=False)
    assert reading.said == "64 of 160 rows"


@pytest.mark.parametrize(
    ("name", "release"),
    sweep(
        [
            ("IDVFC_NM_jul25.csv", "2025-07"),
            ("IDVFC_NM_dic2025.csv", "2025-12"),
            ("Estatal-Víctimas - septiembre 2025.csv", "2025-09"),
            ("Estatal-Victimas-2015-2025_feb2026.csv", "2026-02"),
            ("RNID-V¡ctimas_Estatal-2026-ago2026.csv", "2026-08"),
            ("marzo.csv", ""),
            ("2015-2025.csv", ""),
        ],
        0,
        3,
    ),
)
def test_release_is_the_month_in_the_name(read, name, release):
    assert read(name, encode(half_a_year()))[0].release == release


def test_release_that_is_given_comes_before_the_one_in_the_name(read):
    content = encode(half_a_year())
    assert read("IDVFC_NM_jul25.csv", content, release="2025-08")[0].release == "2025-08"


@pytest.mark.parametrize("empty", ["", "0"])
@pytest.mark.parametrize("name", sweep(["a.csv", "IDVFC_NM_jun25.csv", "Estatal_feb2026.csv"], 1))
def test_months_to_come_are_cut_whether_empty_or_zero(read, empty, name):
    (reading,) = read(name, encode(lay_out_victims(victims(6), empty=empty)))
    assert reading.frame["month"].max() == "2025-06"
    assert len(reading.frame) == 6 * 32


def test_counts_after_the_month_in_the_name_are_refused(read):
    with pytest.raises(ValueError, match="counted after 2025-05, the month of the release"):
        read("IDVFC_NM_may25.csv", encode(half_a_year()))


def test_thousands_commas_in_quotes_are_numbers(read):
    table = victims(6).assign(intentional_homicide=1081)
    (reading,) = read("a.csv", encode(lay_out_victims(table, quoted=True)))
    assert set(reading.frame["intentional_homicide"]) == {1081}


def test_thousands_commas_without_quotes_are_refused(read):
    lines = lay_out_victims(victims(6).assign(intentional_homicide=1081))
    lines[1] = lines[1].replace("1081", "1,081", 1)
    with pytest.raises(ValueError, match="line 2 has 22 cells, the header 21"):
        read("a.csv", encode(lines))


def test_an_empty_cell_in_a_month_that_is_over_is_refused(read):
    lines = half_a_year()
    kind = KINDS["intentional_homicide"].replace("fuego", "otro elemento")
    lines.append(f"2025,7,Estado,{kind},1,2,,4,5,6,,,,,,")
    with pytest.raises(
        ValueError, match=r"\['2025-03 MX07 intentional_homicide'\]\. Is the file cut"
    ):
        read("a.csv", encode(lines))


def test_columns_may_stand_in_another_order(read):
    turned = [",".join(reversed(line.split(","))) for line in half_a_year()]
    (reading,) = read("a.csv", encode(turned))
    pd.testing.assert_frame_equal(reading.frame, victims(6), check_dtype=False)


def test_registry_from_2026_on_is_a_table_of_its_own(read):
    (reading,) = read("a.csv", encode(lay_out_victims(victims(8, "2026-01")), "utf-8-sig"))
    assert reading.table == "rnid_victims"
    assert reading.frame["month"].max() == "2026-08"


def test_two_instruments_in_one_table_are_refused(read):
    with pytest.raises(ValueError, match=r"\[2025, 2026\]: .*two instruments, never one table"):
        read("a.csv", encode(lay_out_victims(victims(14))))


def test_municipalities_of_the_registry_are_added_up_with_the_unspecified(read):
    lines = [MUNICIPAL]
    for number in range(1, 33):
        for place, count in ((1, 3), (999, 2)):
            start = f"2026,{number:02d},Estado,{number}{place:03d},Lugar"
            counts = ",".join([f"{count}"] * 2 + ["0"] * 10)
            lines.append(f"{start},{KINDS['intentional_homicide']},{counts}")
    lines.append(f"2026,01,Estado,1001,Lugar,{KINDS['femicide']},1,1{',0' * 10}")
    (reading,) = read("RNID-Víctimas_Municipal-2026-feb2026.csv", encode(lines))
    assert reading.table == "rnid_victims"
    assert set(reading.frame["intentional_homicide"]) == {5}
    assert reading.frame["femicide"].tolist() == [1, *[0] * 31] * 2


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (f"{PLACE},{OFFENCE},{MONTHS}", "files opened, not victims: take Estatal-Víctimas"),
        (f"{PLACE},Cve. Municipio,Municipio,{OFFENCE},{MONTHS}", "by municipality.*not victims"),
        (f"{PLACE},Ley,Concepto,Tipo,{MONTHS}", "federal prosecutors, not victims"),
        ("anio,clave_ent,mes,fecha,incidencia_delictiva", "files opened, not victims: take IDVFC"),
        ("ent_mun|year|month|homicides|pop_est", r"load_municipalities\(path\) reads it"),
        ("Entity,Code,Year,Life expectancy,w", "column 4 must be a homicide rate"),
        (
            'Entity,Code,Year,"Homicide rate per 100,000 population (Original Year)",w',
            "latest value of each country under one year",
        ),
        ("a,b,c", r"no table that is known; its columns are \['a', 'b', 'c'\]"),
        (VICTIMS.replace("ñ", "Ò").replace("í", "Ì"), "saved again, perhaps on a Mac"),
        (VICTIMS.replace("Diciembre", "Enero"), "no table that is known"),
        (VICTIMS.replace("Entidad", "Enero"), r"columns \['enero'\] appear twice"),
    ],
)
def test_what_is_no_table_of_the_study_is_refused_with_the_reason(read, header, reason):
    row = header.replace("|", ",").count(",") * "1,"
    separator = "|" if "|" in header else ","
    with pytest.raises(ValueError, match=reason):
        read("IDVFC_NM_jun25.csv", encode([header, row.replace(",", separator) + "1"], "utf-8"))


def test_a_zip_gives_its_data_whatever_else_and_whatever_names_it_holds(read):
    data = encode(half_a_year())
    members = {"catalogos/sexo.csv": b"CVE,DESCRIP\r\n1,Hombre\r\n", "leeme.pdf": b"%PDF-1.4"}
    members |= {"V\udce9ctimas".encode("utf-8", "replace").decode() + ".csv": data, "x/": b""}
    members |= {"Delitos.csv": encode([f"{PLACE},{OFFENCE},{MONTHS}", "1" + 18 * ",1"])}
    (reading,) = read("Estatal_jun25.zip", to_zip(members))
    assert (reading.table, len(reading.frame)) == ("sesnsp_victims", 6 * 32)


def test_a_zip_without_data_says_what_was_found(read):
    members = {"sexo.csv": b"CVE,DESCRIP\r\n1,Hombre\r\n", "leeme.pdf": b"%PDF-1.4"}
    with pytest.raises(
        ValueError, match=r"sexo\.csv is no table .*'cve', 'descrip'.*leeme.* a PDF"
    ):
        read("a.zip", to_zip(members))


@pytest.mark.slow
def test_a_workbook_gives_the_sheet_that_is_known(read, tmp_path):
    cells = pd.DataFrame([line.split(",") for line in half_a_year()])
    numbers = cells.map(lambda text: int(text) if text.isdigit() else text or None)
    with pd.ExcelWriter(tmp_path / "x.xlsx") as book:
        pd.DataFrame({"Notas": ["fuente"]}).to_excel(book, sheet_name="Notas", index=False)
        numbers.to_excel(book, sheet_name="Datos", index=False, header=False)
    (reading,) = read("b.xlsx", (tmp_path / "x.xlsx").read_bytes())
    pd.testing.assert_frame_equal(reading.frame, victims(6), check_dtype=False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \r\n\t", "the file is empty"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>", "a web page"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel file"),
        (b"PK\x03\x04cut", "cannot be read .*Is it cut"),
        (b"\x03" + b"\0" * 40, "cannot be read"),
        (b"A\x81o,b\r\n1,2", "can't decode"),
        (b"a\0,b\r\n1,2", "zero bytes"),
        (VICTIMS.encode(), "a header but no rows"),
    ],
)
def test_damaged_bytes_are_refused_in_a_sentence(read, content, reason):
    with pytest.raises(ValueError, match=reason):
        read("a.csv", content)


def test_a_zip_that_unpacks_to_too_much_is_refused(read, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 1000)
    with pytest.raises(ValueError, match="it unpacks to 1,001 bytes, more than 1,000"):
        read("a.zip", to_zip({"a.csv": b"1" * 1001}))


@pytest.mark.parametrize(("module", "name"), [("shapefile", "a.dbf"), ("openpyxl", "a.xlsx")])
def test_a_missing_reader_is_named_with_the_extra_to_install(
    read, monkeypatch, tmp_path, module, name
):
    pd.DataFrame({"a": [1]}).to_excel(tmp_path / "x.xlsx")
    content = {"a.dbf": to_dbf(["a"], [["1"]]), "a.xlsx": (tmp_path / "x.xlsx").read_bytes()}
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=r"reader is missing .*mexico-homicide-its\[update\]"):
        read(name, content[name])


DEATHS = [
    ("09", 3, 2021, "X959", 2),
    ("9", 3, 2021, "X85", 2),
    ("25", 12, 2020, "Y099", 9),  # late, and of unknown type
    ("16", 99, 2021, "X999", 2),  # no month
    ("16", 5, 9999, "X999", 2),  # no year
    ("33", 5, 2021, "X959", 2),  # abroad
    ("99", 5, 2021, "X959", 2),  # no state
    ("08", 5, 2021, "V892", 1),  # an accident
    ("31", 5, 2021, "Y350", 5),  # legal intervention
    ("31", 5, 2021, "Y871", 2),  # sequelae
    ("31", 5, 2021, "X849", 3),  # self-harm
    ("31", 5, 2021, "Y100", 4),  # of undetermined intent
]


@pytest.mark.parametrize("write", [to_csv, to_dbf])
@pytest.mark.parametrize("kind", ["presunto", "tipo_defun"])
def test_certificates_are_counted_by_cause_month_and_state_of_death(read, write, kind):
    (reading,) = read("DEFUN21", write(*lay_out_certificates(2021, DEATHS, kind=kind)))
    assert (reading.table, reading.registered) == ("inegi_deaths", 2021)
    rows = [("2020-12", "MX25", 1), ("2021-03", "MX09", 2)]
    assert list(reading.frame.itertuples(index=False, name=None)) == rows
    said = f"7 deaths registered in 2021 by their cause, 7 by {kind} 2; left out 2 abroad or of no "
    assert reading.said == said + "state, 2 of no month"


def test_certificates_of_the_nineties_have_two_digits_and_icd_9(read):
    deaths = [("9", 3, 1990, "9650", 2), ("9", 3, 1990, "966X", 2), ("9", 3, 99, "9600", 2)]
    deaths += [("9", 3, 1990, "9690", 2), ("9", 3, 1990, "X959", 2)]
    (reading,) = read("DEFUN90.dbf", to_dbf(*lay_out_certificates(1990, deaths, digits=2)))
    assert reading.registered == 1990
    assert list(reading.frame.itertuples(index=False, name=None)) == [("1990-03", "MX09", 2)]
    assert reading.said.endswith("left out 0 abroad or of no state, 1 of no month")


def test_certificates_in_a_zip_lie_beside_their_catalogues(read):
    content = to_csv(*lay_out_certificates(2021, DEATHS))
    catalogue = to_dbf(["cve", "descrip"], [["1", "Hombre"]])
    members = {"catalogos/SEXO.dbf": catalogue, "conjunto_de_datos/defunciones.csv": content}
    assert read("a.zip", to_zip(members))[0].registered == 2021


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        (("36", 3, 2021, "X959", 2), "unknown codes of state or month"),
        (("09", 13, 2021, "X959", 2), "unknown codes of state or month"),
        (("09", 3, 2022, "X959", 2), "anio_ocur must be years to 2021, .* found .2022"),
        (("", 3, 2021, "X959", 2), "ent_ocurr must be whole numbers"),
    ],
)
def test_impossible_certificates_are_refused(read, death, reason):
    with pytest.raises(ValueError, match=reason):
        read("a.csv", to_csv(*lay_out_certificates(2021, [*DEATHS, death])))


@pytest.mark.parametrize("cut", [5, 200, 700])
def test_a_dbf_that_is_cut_is_refused(read, cut):
    whole = to_dbf(*lay_out_certificates(2023, whole_year(2023)))
    with pytest.raises(ValueError, match=r"DEFUN23\.dbf: .*Is it cut"):
        read("DEFUN23.dbf", whole[:-cut])


def population(years=(1990, 1991)):
    rows = [(y, s, 1000 * k + y) for y in years for k, s in enumerate(STATES, 1)]
    rows += [(y, "MX00", sum(n for year, _, n in rows if year == y)) for y in years]
    return pd.DataFrame(rows, columns=["year", "state", "population"])


@pytest.mark.parametrize("year", sweep(["AÑO", "ANIO", "FECHA"], 0))
@pytest.mark.parametrize("nation", [True, False])
def test_sexes_are_added_up_and_the_nation_is_never_added_to_the_states(read, year, nation):
    lines = lay_out_population(population(), year=year, nation=nation)
    (reading,) = read("a.csv", encode(lines))
    found = reading.frame.sort_values(["year", "state"], ignore_index=True)
    expected = population().sort_values(["year", "state"], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0,0,Hombres", "0,0,Total", "SEXO must be Hombres and Mujeres"),
        (",1,0,Mujeres,1495", ",1,0,Mujeres,1496", r"do not add up to the nation.*\[1990\]"),
        ("1991,Estado,7,", "1991,Estado,33,", "every year needs CVE_GEO 1 to 32"),
        (",1991,Estado,7,", ",1992,Estado,7,", "every year needs CVE_GEO 1 to 32"),
        ("1990,Estado,1,0,Mujeres", "1990,Estado,1,0,Hombres", "come more than once"),
        ("1990,Estado,1,0,", "hoy,Estado,1,0,", r"ano must hold years; found \['hoy'\]"),
    ],
)
def test_population_that_does_not_add_up_is_refused(read, old, new, reason):
    text = "\n".join(lay_out_population(population()))
    assert old in text
    with pytest.raises(ValueError, match=reason):
        read("a.csv", encode([text.replace(old, new)]))


def test_ages_of_municipalities_must_add_up_to_their_total(read):
    header = "CLAVE,CLAVE_ENT,SEXO,AÑO,POB_00_04,POB_085_mm,POB_TOTAL"
    lines = [header, '1001,1,HOMBRES,2025,"1,000",2,1002', "1001,1,MUJERES,2025,3,4,7"]
    (reading,) = read("a.csv", encode(lines))
    assert reading.frame.to_dict("records") == [{"municipality": "01001", "2025": 1009}]
    with pytest.raises(ValueError, match=r"ages do not add up to POB_TOTAL in \['1001'\]"):
        read("a.csv", encode([*lines[:2], "1001,1,MUJERES,2025,3,4,8"]))


def test_rates_are_the_fourth_column_of_the_rows_with_a_code(read):
    header = 'Entity,Code,Year,"Homicide rate per 100,000 population",World region'
    lines = [header, "Mexico,MEX,2020,28.2,North America", "Americas (UN),,2020,15.2,"]
    (reading,) = read("a.csv", encode(lines, "utf-8"))
    rows = reading.frame[["iso3", "country", "year", "rate"]].to_dict("records")
    assert rows == [{"iso3": "MEX", "country": "Mexico", "year": 2020, "rate": 28.2}]
    assert reading.said == "left out 1 rows without a code"
    with pytest.raises(ValueError, match=r"numbers from 0 to 999; found \['1e400'\]"):
        read("a.csv", encode([*lines, "Peru,PER,2020,1e400,"], "utf-8"))


def test_state_table_of_gargiulo_leaves_its_population_alone(read):
    lines = ["cve_ent|year|month|homicides|pop_est|homicide_rate", "01|2000|1|3|944330.5|0.3"]
    (reading,) = read("a.csv", encode(lines, newline="\n"))
    rows = [{"month": "2000-01", "state": "MX01", "deaths": 3}]
    assert (reading.table, reading.frame.to_dict("records")) == ("inegi_deaths", rows)


@LOOSE
@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"\x03", VICTIMS.encode()]))
def test_no_bytes_make_anything_but_a_sentence(read, content, start):
    with pytest.raises(ValueError, match=r"^IDVFC_NM_jun25|^inside"):
        read("IDVFC_NM_jun25.csv", start + content)


HOSTILE = ["1e400", "-1", "0.5", "nan", "inf", "٣", "1,08", "1.081", "9" * 30, "x", "=1+1", "1 0"]


@pytest.mark.slow
@LOOSE
@given(st.sampled_from(HOSTILE) | st.floats(max_value=-1e-9).map(str), st.integers(0, 5))
def test_no_count_but_a_whole_number_is_taken(read, hostile, month):
    lines = half_a_year()
    cells = lines[6].split(",")
    lines[6] = ",".join(f'"{hostile}"' if n == 9 + month else cell for n, cell in enumerate(cells))
    with pytest.raises(ValueError, match=r"must be whole numbers .*, first in row 6 below"):
        read("a.csv", encode(lines, "utf-8"))


@LOOSE
@given(st.integers(1, 64))
def test_a_row_that_comes_twice_is_refused(read, place):
    lines = half_a_year()
    wanted = [line for line in lines[1:] if "doloso,Con" in line or "Feminicidio,Fem" in line]
    doubled = [line for line in wanted if "Tentativa" not in line][place - 1]
    with pytest.raises(ValueError, match="1 rows come more than once"):
        read("a.csv", encode([*lines, doubled]))


@LOOSE
@given(st.integers(1, 155), st.integers(0, 30))
def test_a_table_cut_in_the_middle_is_refused_or_lacks_states(read, line, back):
    content = encode(half_a_year()[: line + 1])
    try:
        (reading,) = read("a.csv", content[: len(content) - back])
        said = f"cut after {reading.frame['state'].nunique()} states"
    except ValueError as error:
        said = str(error)
    assert any(word in said for word in ("cut", "no row", "header"))
    assert "32 states" not in said
