"""What goes out in other programs' formats is what came in: numbers, labels, texts as written."""

import io
import re
import shutil
import subprocess

import pandas as pd
import pytest
from support.declared import SHIFTS
from support.folders import ROOT
from support.hostile import HOSTILE, render
from support.published import PUBLISHED
from support.small_site import CLAIM

from analysis.files import write_table
from analysis.mexico.record import NATION
from analysis.report.checklist import read_rows
from mexico_report.cards import make_cards
from mexico_report.findings import summary_table
from report.codebook import (
    VARIABLES,
    label_estimates,
    make_codebook,
    tell_codebook,
    tell_codes,
    to_stata,
)
from report.exports import EXPORTS, write_exports
from report.tables import LETTERS, escape_latex, to_latex, to_markdown

MEANINGS = tell_codes(SHIFTS)
SIGNS = r"\ { } $ % & # _ ~ ^ < > | [ ] -- ,, '' `` ?` !` \begin{x} --- " + '"'
ACCENTS = "−5 – “López” «Nuñez» ¿qué? ¡año! 1 → 2, a…  † ≤"
HARD = [SIGNS, ACCENTS, HOSTILE, "[1em] first in its row", ""]


@pytest.fixture(scope="module")
def estimates():
    return read_rows([PUBLISHED])


@pytest.fixture(scope="module")
def in_stata(estimates):
    return to_stata(estimates, MEANINGS)


@pytest.fixture(scope="module")
def results(tmp_path_factory, estimates):
    """The tables that the exports are made of, from the published estimates."""
    folder = tmp_path_factory.mktemp("exports") / "results"
    (folder / "tables").mkdir(parents=True)
    shutil.copy(PUBLISHED, folder / "estimates.csv")
    national = estimates["place"] == NATION
    titles = {slug: shift.title for slug, shift in SHIFTS.items()}
    hard = CLAIM | {"claim": HOSTILE, "close_call": "close call"}
    made = {
        "cards": make_cards(estimates[national], SHIFTS),
        "claims-told": pd.DataFrame([hard | {"language": code} for code in ("en", "es")]),
        "summary": summary_table(estimates[national], titles),
        "operations": summary_table(estimates[~national], titles),
        "checklist": pd.DataFrame({"Item": ["Data"], "Answer": [HOSTILE]}),
    }
    for name, table in made.items():
        write_table(table, folder / f"tables/{name}.csv")
    write_exports(folder)
    return folder


def read_stata(content, **options):
    with pd.read_stata(io.BytesIO(content), iterator=True, **options) as reader:
        return reader.read(), reader.variable_labels(), reader.data_label, reader.time_stamp


def test_stata_gives_back_every_number_text_and_month(estimates, in_stata):
    found, labels, title, stamp = read_stata(in_stata)
    assert title.startswith("Mexico's homicide rate")
    assert stamp == "23 Nov 2026 00:00"
    assert labels["low"] == "Lower end of the 95% interval"
    assert "" not in labels.values()
    for name, told in VARIABLES.items():
        values = found[name]
        if told.get("kind") == "month":
            values = values.dt.strftime("%Y-%m")
        assert values.astype(estimates[name].dtype).equals(estimates[name]), name
    assert found["estimate"].isna().sum() == 32


def test_names_in_stata_are_those_of_the_codes_beside_them(estimates, in_stata):
    found = read_stata(in_stata)[0]
    for name in ("shift", "source", "place", "estimator", "estimand"):
        assert (
            found[f"{name}_name"].astype(str).tolist()
            == estimates[name].map(MEANINGS[name]).tolist()
        )
    row = found[found["shift"] == "sierra-madre-2007-02"].iloc[0]
    assert row["place_name"] == "Chihuahua + Durango + Sinaloa"
    assert row["estimand_name"] == "Step at the shift"
    coded = read_stata(in_stata, convert_categoricals=False)[0]
    assert coded["unit"].dtype.kind == "i"


def test_codebook_has_the_labels_of_the_file_and_every_code_in_it(estimates, in_stata):
    codebook = make_codebook(estimates, MEANINGS)
    labels = read_stata(in_stata)[1]
    variables = codebook[codebook["code"] == ""]
    assert dict(zip(variables["variable"], variables["meaning"], strict=True)) == labels
    codes = codebook[codebook["code"] != ""].groupby("variable")["code"].agg(set)
    for name in ("shift", "estimator", "unit", "date_verdict"):
        assert codes[name] == set(estimates[name])
    assert codes["flags"] == set(" ".join(estimates["flags"]).split())
    told = codebook[(codebook["code"] != "") & (codebook["variable"] != "unit")]
    assert (told["meaning"] != "").all()
    text = render(tell_codebook(codebook)).text
    assert "| `shift_name` | " in tell_codebook(codebook)  # as it is to be typed
    assert "US Special Forces report [unconfirmed, date unknown]" in text
    assert "n_before" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "x" * 81}, "label of note has 81 characters, Stata takes 80.*exports.toml"),
        ({"text": "é" * 1023}, "text of note has 2046 bytes, Stata takes 2045"),
        ({"column": "more"}, r"a label for each column.*\['more'\].*exports.toml"),
        ({"code": "bayes"}, r"no name of estimator \['bayes'\]; add it to its-words.toml"),
        ({"twice": True}, "name must be that of one code; found twice: .*Mérida"),
        ({"name": "p value"}, r"\['p value'\]: Stata takes a letter"),
    ],
)
def test_what_stata_would_cut_or_rename_is_refused(estimates, change, message):
    table, variables, meanings = estimates.copy(), dict(VARIABLES), dict(MEANINGS)
    match change:
        case {"label": label}:
            variables["note"] = {"label": label}
        case {"text": text}:
            table.loc[3, "note"] = text
        case {"column": name}:
            table[name] = 1
        case {"code": code}:
            table.loc[3, "estimator"] = code
        case {"twice": _}:
            same = MEANINGS["shift"]["merida-2008-07"]
            meanings["shift"] = MEANINGS["shift"] | {"covid-2020-04": same}
        case {"name": name}:
            table[name], variables[name] = 1, {"label": "A number"}
    with pytest.raises(ValueError, match=message):
        label_estimates(table, meanings, variables)


def test_latex_escapes_what_it_would_read_as_more_than_text():
    told = escape_latex(r"a\b {c} $d$ 5% & #1 x_1 ~ ^ < > -- ''")
    assert told == (
        r"a\textbackslash{}b \{c\} \$d\$ 5\% \& \#1 x\_1 \textasciitilde{} \textasciicircum{}"
        r" \textless{} \textgreater{} -{}- '{}'"
    )
    assert escape_latex("−5 to 7\u202f% → año\n “x”") == (
        r"$-$5 to 7\,\% $\rightarrow$ año \textquotedblleft{}x\textquotedblright{}"
    )
    assert escape_latex("[1em] is no length") == "{[}1em] is no length"  # of the line before
    for text in HARD:
        bare = escape_latex(text)
        for written in sorted(LETTERS.values(), key=len, reverse=True):
            bare = bare.replace(written, "")
        assert re.findall(r"[\\$%&#_~^<>|\"]", bare) == []


@pytest.mark.parametrize("sign", ["ħ", "语", "β", "\x07", "🙂"])
def test_a_sign_that_latex_does_not_take_is_named(sign):
    with pytest.raises(ValueError, match=rf"U\+{ord(sign):04X}.*say how in \[latex\]"):
        escape_latex(f"before {sign} after")


def test_a_table_is_a_whole_longtable_as_wide_as_the_line():
    table = pd.DataFrame({"A & B": HARD, "b": [1, 2, 3, 4, 5]})
    lines = to_latex(table).splitlines()
    assert lines[0].startswith("% ")
    assert lines[3:6] == [r"\toprule", r"A \& B & b \\", r"\midrule"]
    assert lines[6:9] == [r"\endhead", r"\bottomrule", r"\endfoot"]
    assert lines[-1] == r"\end{longtable}"
    assert sum(line.endswith(r"\\") for line in lines) == 6
    assert lines.count(r"\addlinespace") == 4
    shares = [float(share) for share in re.findall(r"dimexpr (\S+)\\linewidth", lines[2])]
    assert sum(shares) == pytest.approx(1, abs=0.002)
    assert shares[0] > shares[1]


def test_markdown_shows_cells_as_they_are_written():
    shown = render(to_markdown(pd.DataFrame({"a|b": HARD, "n": range(5)})))
    assert shown.tags == {"table", "thead", "tbody", "tr", "th", "td", "span"}
    for text in HARD:
        assert " ".join(text.split()) in shown.text
    assert "a|b" in shown.text


def test_all_files_are_written_and_the_front_pages_tables_tell_what_it_tells(results):
    found = {path.relative_to(results).as_posix() for path in results.glob("exports/*")}
    assert found == set(EXPORTS)
    english, spanish = (
        (results / f"exports/shifts{end}.md").read_text("utf-8") for end in ("", ".es")
    )
    assert "| Calderón's army-led offensive | December 2006 | INEGI |" in english
    assert "October 2020; unconfirmed, date unknown" in english
    assert "| La ofensiva de Calderón | diciembre de 2006 | INEGI |" in spanish
    assert english.count("\n") == spanish.count("\n") == 12
    claims = render((results / "exports/claims.md").read_text("utf-8")).text
    assert "holds, close call" in claims
    assert "†" in claims
    effects = (results / "exports/summary-effects.tex").read_text("utf-8")
    assert r"$-$7.8\% ($-$22.3 to +9.4)" in effects


@pytest.mark.slow
def test_the_same_results_give_the_same_bytes(results):
    before = {path: (results / path).read_bytes() for path in EXPORTS}
    write_exports(results)
    assert {path: (results / path).read_bytes() for path in EXPORTS} == before


def test_the_stata_script_uses_variables_and_labels_that_are_there(estimates):
    script = (ROOT / "report/scripts/read-estimates.do").read_text("utf-8")
    table = label_estimates(estimates, MEANINGS)[0]
    asked = re.search(r'shift == "(.+)" & source == "(.+)" & estimand == "(.+)"', script)
    named = dict(zip(("shift", "source", "estimand"), asked.groups(), strict=True))
    assert (table[list(named)] == list(named.values())).all(axis=1).any()
    assert re.search(r"label list (\w+)", script)[1] in table.select_dtypes("category")
    assert set(re.search(r"list (estimator.+),", script)[1].split()) <= set(table)


@pytest.mark.slow
def test_r_reads_every_number_to_the_digit(results, tmp_path):
    _need("Rscript", "-e", "library(haven)")
    for name in ("estimates.dta", "read-estimates.R"):
        shutil.copy(results / "exports" / name, tmp_path)
    code = 'source("read-estimates.R"); options(digits = 17); factors <- as_factor(estimates); '
    code += 'write.csv(factors, "back.csv", row.names = FALSE, na = "", fileEncoding = "UTF-8")'
    made = subprocess.run(
        ["Rscript", "--vanilla", "-e", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    assert "Change of trend" in made.stdout
    found, expected = read_rows([tmp_path / "back.csv"]), read_rows([results / "estimates.csv"])
    month = pd.PeriodIndex(expected["own_break"], freq="M")
    expected["own_break"] = month.year * 12 + month.month - 1 - 1960 * 12
    exactly = {"check_dtype": False, "check_exact": True, "check_names": False}
    for name in expected:
        pd.testing.assert_series_equal(found[name], expected[name], **exactly)
    assert found["estimator_name"].iloc[0] == "REML (headline)"


@pytest.mark.slow
def test_every_table_compiles(results, tmp_path):
    _need("pdflatex", "--version")
    tables = {path.stem: path.read_text("utf-8") for path in results.glob("exports/*.tex")}
    tables["hard"] = to_latex(pd.DataFrame({"a": HARD, "b": HARD}))
    begin = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{array,booktabs,longtable}"
    begin += r"\usepackage[a4paper,margin=25mm]{geometry}"
    pages = "\n\\clearpage\n".join(tables.values())
    text = f"{begin}\\begin{{document}}\\footnotesize\n{pages}\n\\end{{document}}\n"
    (tmp_path / "all.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    said = made.stdout.decode("latin-1")
    assert made.returncode == 0, said[-2000:]
    wide = [float(points) for points in re.findall(r"Overfull .hbox \((.+?)pt too wide", said)]
    assert max(wide, default=0) < 12  # of a column's space: two texts do not touch
    assert "Overfull \\vbox" not in said


def _need(*command):
    """Skip a test where a program, or what it needs, is missing."""
    missing = shutil.which(command[0]) is None
    if missing or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"{' '.join(command)} does not run here")
