"""Text from strangers: what is refused, and that every refusal names file, line and field."""

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from sim2real_bench.errors import ForeignFileError
from sim2real_bench.untrusted import MAX_PROBLEMS, contained, parse_model, printable, read_bounded


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    name: str
    count: int = 0


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    share: float = 0.0
    parts: tuple[Inner, ...] = ()


def problems_of(text: str | bytes, first_line: int = 1) -> tuple[str, ...]:
    with pytest.raises(ForeignFileError) as caught:
        parse_model(Outer, text.encode() if isinstance(text, str) else text, "a.json", first_line)
    return caught.value.problems


def test_a_valid_text_is_read():
    assert parse_model(Outer, b'{"parts": [{"name": "x"}]}', "a.json") == Outer(parts=(Inner(name="x"),))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"parts": [\n {"name": "a"},\n {"name": "b",\n  "count": "many"}]}', "a.json:4:parts.1.count: Input should"),
        ('{"parts": [\n {"name": "a"},\n {"count": 2}]}', "a.json:3:parts.1.name: Field required"),
        ('{\n"share": 1,\n"surprise": 2}', "a.json:3:surprise: Extra inputs"),
        ('{"parts": [{"name": "\\"]}{", "count": 1},\n{"name": "b",\n"count": 1.5}]}', "a.json:3:parts.1.count:"),
        ('{"share": 1,\n "share": 2}', "a.json:2:share: this key stands twice"),
        ('{"parts": [{"name": "share"},\n{"name": "a",\n"name": "b"}]}', "a.json:3:name: this key stands twice"),
        ('{"parts": [{"name": "NaN"}],\n"share": NaN}', "a.json:2: NaN is not a number"),
        ('{"share":\n-Infinity}', "a.json:2: -Infinity is not a number"),
        ('{"share":\n1e999}', "a.json:2: the number 1e999 is too large"),
        ('{"share":\n' + "9" * 5000 + "}", "a.json:2: the number 9999"),
        ('{"share": 1,\n\n', "a.json:3: not JSON"),
        ("", "a.json:1: not JSON"),
        ("[" * 100_000, "a.json:1: arrays and objects are nested too deep"),
        ("[" * 300 + "]" * 300, "a.json:1: Invalid JSON: recursion limit"),
        ("\ufeff{}", "a.json:1: not JSON"),
        (b'{"share": 1,\n\xff}', "a.json:2: byte 13 is not UTF-8"),
        (pickle.dumps({"share": 1.0}), "a.json:1: byte 0 is not UTF-8"),
    ],
)
def test_what_is_refused_names_line_and_field(text: str | bytes, problem: str):
    assert problems_of(text)[0].startswith(problem)


def test_lines_count_from_where_the_text_stands():
    assert problems_of('{"share": "x"}', first_line=17)[0].startswith("a.json:17:share:")


def test_all_problems_are_listed_up_to_a_bound():
    assert len(problems_of('{"share": "x", "parts": [{"name": 1}, {"name": 2}]}')) == 3
    assert len(problems_of('{"parts": [' + ",".join(["{}"] * 500) + "]}")) == MAX_PROBLEMS


def test_the_error_crosses_processes():
    error = ForeignFileError(("a:1: b", "c", "d", "e"))
    again = pickle.loads(pickle.dumps(error))
    assert (again.problems, str(again)) == (error.problems, "a:1: b; c; d; and 1 more")


def test_text_for_the_terminal_cannot_steer_it():
    assert printable("\x1b[31mred\r\n\u202eabc\x00") == "\\u001b[31mred\\u000d\\u000a\\u202eabc\\u0000"
    assert printable("Zoë, 東京") == "Zoë, 東京"
    assert len(printable("x" * 10_000)) == 301
    assert "\x1b" not in problems_of('{"\\u001b[31m": 1}')[0]


def test_files_are_bounded_and_regular(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(ForeignFileError, match="has 5 bytes; at most 4 are read"):
        read_bounded(path, 4)
    with pytest.raises(OSError, match="No such file"):
        read_bounded(tmp_path / "none", 5)
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises((ForeignFileError, IsADirectoryError)):
            read_bounded(special, 5)
    (tmp_path / "link").symlink_to(path)
    assert read_bounded(tmp_path / "link", 5) == b"12345"
    with pytest.raises(ForeignFileError, match="symbolic link"):
        read_bounded(tmp_path / "link", 5, follow_links=False)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "a/../../b", "a\\..\\b", "C:/a", "a\0b", "out/a", "."])
def test_names_cannot_leave_their_folder(tmp_path: Path, name: str):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    with pytest.raises(ForeignFileError, match=r"stay inside|leads out"):
        contained(folder, name)


def test_names_inside_the_folder_are_followed(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "real")  # the user's own link is the user's business
    assert contained(tmp_path / "folder", "a/b.json") == tmp_path / "folder/a/b.json"


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["share", "parts", "name"]), inner),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused_by_name(data: bytes):
    try:
        parse_model(Outer, data, "a.json")
    except ForeignFileError as error:
        assert all(line.startswith("a.json") and "\n" not in line for line in error.problems)


@settings(max_examples=200, deadline=None)
@given(_JSON, st.sampled_from([None, 1]))
def test_any_json_is_read_or_refused_by_name(value: object, indent: int | None):
    import json

    try:
        parse_model(Outer, json.dumps(value, indent=indent).encode(), "a.json")
    except ForeignFileError as error:
        assert all(line.startswith("a.json") and "\n" not in line for line in error.problems)
