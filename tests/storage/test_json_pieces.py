"""Large objects of JSON, in pieces: what the json module writes and reads."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest

from storage.json_pieces import decode_fields, encode_fields, parse_json
from storage.packed import Packed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=5)


@given(OBJECTS)
def test_it_writes_what_json_writes(fields: dict[str, Any]) -> None:
    expected = json.dumps(fields, separators=(",", ":")).encode()
    assert encode_fields(fields) == expected


@given(OBJECTS, st.sampled_from([None, 1]))
def test_it_reads_what_json_reads(fields: dict[str, Any], indent: int | None) -> None:
    content = json.dumps(fields, indent=indent).encode()
    large = {name for name, value in fields.items() if isinstance(value, list)}
    assert decode_fields(content, large) == fields
    assert decode_fields(content, ()) == fields


def test_what_is_long_is_packed_where_it_is_named() -> None:
    content = json.dumps({"units": list(range(1_000)), "files": list(range(1_000))}).encode()
    fields = decode_fields(content, {"units"})
    assert isinstance(fields["units"], Packed)
    assert fields["units"] == list(range(1_000))
    assert fields["files"] == list(range(1_000))
    assert type(fields["files"]) is list


def test_iterators_become_lists() -> None:
    fields = {"units": ([number, "a"] for number in range(3)), "none": iter(())}
    assert encode_fields(fields) == b'{"units":[[0,"a"],[1,"a"],[2,"a"]],"none":[]}'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"a"',
        b'{"a":',
        b'{"a":1',
        b'{"a":1,}',
        b'{"a":1}x',
        b'{"a":[1,2}',
        b'{"a":[1,]}',
        b'{"a":[,1]}',
        b'{"a":[1',
        b'{"a" 1}',
        b"{1:2}",
        b"{}}",
        b'{"a":"\xff"}',
        b"null",
    ],
)
@pytest.mark.parametrize("large", [(), {"a"}])
def test_what_is_no_object_is_refused(content: bytes, large: set[str]) -> None:
    # As what the json module gives of it has no fields.
    with pytest.raises(TypeError if content in (b"[]", b"null") else ValueError):
        decode_fields(content, large)


@pytest.mark.parametrize("large", [set(), {"a"}])
def test_what_is_too_deep_is_no_json(large: set[str]) -> None:
    deep = b"[" * 100_000
    with pytest.raises(ValueError, match="too deep inside each other"):
        parse_json(deep)
    for content in (deep, b'{"a":' + deep, b'{"a": [1,' + deep):
        with pytest.raises(ValueError, match="too deep inside each other"):
            decode_fields(content, large)
