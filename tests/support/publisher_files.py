"""Small files in the layouts of the publishers, written out by the tests that read them."""

import io
import struct
import zipfile

MONTHS = "Enero,Febrero,Marzo,Abril,Mayo,Junio,Julio,Agosto,Septiembre,Octubre,Noviembre,Diciembre"
PLACE = "Año,Clave_Ent,Entidad"
OFFENCE = "Bien jurídico afectado,Tipo de delito,Subtipo de delito,Modalidad"
VICTIMS = f"{PLACE},{OFFENCE},Sexo,Rango de edad,{MONTHS}"
MUNICIPAL = f"{PLACE},Cve. Municipio,Municipio,{OFFENCE},Sexo,Rango de edad,{MONTHS}"
KINDS = {
    "intentional_homicide": "La vida,Homicidio,Homicidio doloso,Con arma de fuego,Hombre,Adultos",
    "femicide": "La vida,Feminicidio,Feminicidio,Con arma blanca,Mujer,Adultos",
}
# None of these is a homicide of the study, though the first two share their type with it.
OTHERS = (
    "La vida,Homicidio,Homicidio culposo,En accidente de tránsito,Hombre,Adultos",
    "La vida,Homicidio,Tentativa de homicidio doloso,Con arma de fuego,Hombre,Adultos",
    "La vida,Feminicidio,Tentativa de feminicidio,Con arma blanca,Mujer,Adultos",
)


def lay_out_victims(table, *, empty="", quoted=False):
    """Return lines, the header first, of a table by month and state."""
    # pandas would take a second for a table of ten years
    rows, written = {}, '"{:,.0f}"' if quoted else "{:.0f}"
    for month, state, *counts in table[["month", "state", *KINDS]].itertuples(index=False):
        year = rows.setdefault((month[:4], state), [[empty] * 12 for _ in KINDS])
        for kind, count in zip(year, counts, strict=True):
            kind[int(month[5:]) - 1] = empty if count != count else written.format(count)
    lines = [VICTIMS]
    for (year, state), kinds in sorted(rows.items()):
        start = f"{year},{int(state[2:])},Estado"
        for kind, words in zip(KINDS.values(), kinds, strict=True):
            lines.append(f"{start},{kind},{','.join(words)}")
        lines += [f"{start},{kind},{','.join(['7'] * 12)}" for kind in OTHERS]
    return lines


def encode(lines, encoding="cp1252", newline="\r\n"):
    return (newline.join(lines) + newline).encode(encoding)


def lay_out_certificates(year, deaths, *, kind="tipo_defun", digits=4):
    """Return a header and rows; deaths are (state, month, year of occurrence, cause, type)."""
    header = ["ent_ocurr", "mun_ocurr", "causa_def", "mes_ocurr", "anio_ocur", "anio_regis", kind]
    return header, [
        [state, "015", cause, f"{month}", f"{when}"[-digits:], f"{year}"[-digits:], f"{typed}"]
        for state, month, when, cause, typed in deaths
    ]


def whole_year(year, cause="X954"):
    """Return one death in each state and month."""
    return [(f"{s:02d}", m, year, cause, 2) for s in range(1, 33) for m in range(1, 13)]


def to_csv(header, rows):
    return encode([",".join(row) for row in [header, *rows]])


def to_dbf(header, rows):
    """Return a dBASE III file: fields of text, as wide as their widest cell."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    fields = b"".join(
        struct.pack("<11sc4xBB14x", name.upper().encode(), b"C", width, 0)
        for name, width in zip(header, widths, strict=True)
    )
    size = 1 + sum(widths)
    start = struct.pack("<B3BIHH20x", 3, 124, 1, 1, len(rows), 33 + len(fields), size)
    records = b"".join(
        b" " + b"".join(cell.ljust(w).encode() for cell, w in zip(row, widths, strict=True))
        for row in rows
    )
    return start + fields + b"\r" + records + b"\x1a"


def to_zip(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def lay_out_population(table, *, year="AÑO", nation=True):
    """Return lines of a table by year and state, half of each count to either sex."""
    lines = [f"RENGLON,{year},ENTIDAD,CVE_GEO,EDAD,SEXO,POBLACION"]
    for when, state, people in table[["year", "state", "population"]].itertuples(index=False):
        if nation or state != "MX00":
            date = f"{when}-07-01" if year == "FECHA" else when
            start = f"1,{date},Estado,{int(state[2:])},0"
            lines += [f"{start},Hombres,{people // 2}", f"{start},Mujeres,{people - people // 2}"]
    return lines
