"""What a user may write into a TOML file: it is read, or the file and the fault are named."""

import datetime
import json
import re
import tomllib
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sweeps import sweep

import analysis
from analysis.claims.declared import load_claims
from analysis.files import DATA_FOLDER, LARGEST, read_toml
from analysis.mexico.shifts import load_policy_shifts

LOADERS = {"policy-shifts.toml": load_policy_shifts, "claims.toml": load_claims}
SHIPPED = {name: (DATA_FOLDER / name).read_text(encoding="utf-8") for name in LOADERS}
BLOCKS = {name: tomllib.loads(text) for name, text in SHIPPED.items()}
PACKAGE = str(Path(analysis.__file__).parent)
TEXT = '[[shift]]\nslug = "r"\nmonth = "2010-01"\ntitle = "Michoacán"\n'

months = st.sampled_from(["2006-12", "0001-01", "9999-12", "2010Q1", "2010", "2006-13", "NaT", ""])
texts = st.text(max_size=8) | months | st.sampled_from(["inegi", "../../out", "x" * 90, "MX09"])
numbers = st.integers() | st.floats() | st.booleans() | st.sampled_from([2**63, 10**400])
dates = st.dates() | st.times() | st.datetimes()
single = texts | numbers | dates
values = st.recursive(
    single,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
tries = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def dump(value):
    """Return a value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dump(key)} = {dump(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump, value)) + "]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def dump_document(content):
    """Return a TOML file, also with what no file of UTF-8 can hold."""
    text = "".join(f"{dump(key)} = {dump(value)}\n" for key, value in content.items())
    return text.encode("utf-8", "surrogatepass")


def load_or_explain(path, content):
    """Load a file; whatever is said against it is said by the package, and names the file."""
    path.write_bytes(content)
    try:
        LOADERS[path.name](path)
    except (ValueError, TypeError, KeyError) as error:
        last, told = traceback.extract_tb(error.__traceback__)[-1].filename, str(error)
    else:
        last, told = PACKAGE, path.name
    assert last.startswith(PACKAGE), told
    assert path.name in told, told


@pytest.mark.parametrize("name", LOADERS)
@tries
@given(content=st.dictionaries(st.sampled_from(["shift", "claim", "x"]), values, max_size=3))
def test_any_document_is_read_or_explained(tmp_path, name, content):
    load_or_explain(tmp_path / name, dump_document(content))


@pytest.mark.parametrize("name", LOADERS)
@tries
@given(data=st.data())
def test_any_field_of_another_kind_is_read_or_explained(tmp_path, name, data):
    changed = {kind: [dict(block) for block in part] for kind, part in BLOCKS[name].items()}
    block = data.draw(st.sampled_from([block for part in changed.values() for block in part]))
    key = data.draw(st.sampled_from([*block, *block, *block, "until", "beside", "reasn"]) | texts)
    inside = block.get(key)
    if data.draw(st.integers(0, 4)) == 0:
        block.pop(key, None)
    elif isinstance(inside, dict) and inside and data.draw(st.booleans()):
        block[key] = inside | {
            data.draw(st.sampled_from(sorted(inside)) | texts): data.draw(values)
        }
    else:
        block[key] = data.draw(values)
    load_or_explain(tmp_path / name, dump_document(changed))


@pytest.mark.parametrize("name", LOADERS)
@tries
@given(data=st.data())
def test_any_bytes_inside_a_file_are_read_or_explained(tmp_path, name, data):
    content = SHIPPED[name].encode()
    at = data.draw(st.integers(0, len(content)))
    cut = data.draw(st.integers(0, 40))
    load_or_explain(tmp_path / name, content[:at] + data.draw(st.binary()) + content[at + cut :])


@pytest.mark.parametrize(
    ("content", "message"),
    sweep([
        (TEXT.encode("latin-1"), "0xe1 "),
        (TEXT.encode("utf-16"), "0xff "),
        ("a = 1\n".encode("utf-16-le"), "Expected"),
        (b"a = " + b"[" * 10_000 + b"]" * 10_000, "recursion"),
        (b"a." * 10_000 + b"a = 1", "recursion"),
        (b"a = 0x" + b"f" * 10_000, "digits"),
        (b"a = " + b"9" * 10_000, "digits"),
        (b"a = 1\na = 2", "Cannot overwrite a value"),
        (b"#" * (LARGEST + 1), "larger than 1,048,576 bytes"),
    ], 0, 7),
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_with_the_cure(tmp_path, content, message):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"mine.toml must be TOML; save it as UTF-8 text. Found: .*{message}"
    ):
        read_toml(path)


def test_a_mark_in_front_and_line_ends_of_windows_are_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode("utf-8-sig"))
    assert load_policy_shifts(path)["r"].title == "Michoacán"


def test_a_folder_a_missing_file_and_no_path_are_named(tmp_path):
    with pytest.raises(OSError, match=re.escape(tmp_path.name)):
        read_toml(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_toml("a\0b")
