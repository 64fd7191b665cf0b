"""What is said of a line that is no JSON object: the kind of mistake and its place, and no value."""

import pytest

from transforms.formats import json_reasons
from transforms.formats.json_reasons import explain_syntax


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"a":1}', None),
        (b'{"a":1,"b":2}', None),
        (b'{"a":1,"a":2}', "column 'a': stands 2 times in the line"),
        (b'{"b":1,"a":1,"a":2,"b":2,"b":3}', "column 'a': stands 2 times in the line"),
        (b'{"c":1,"b":2,"c":3}', None),
        (b'{"a":1}{"a":2}', "line holds several JSON values"),
        (b'{"a":secret}', "line is no JSON: Expecting value at character 5"),
        (b'{"a":' * 100_000, "line is JSON of too many levels"),
        # A number may have more digits than Python takes.
        (b'{"a":' + b"7" * 5_000 + b"}", None),
    ],
)
def test_what_is_wrong_with_a_line(line: bytes, words: str | None) -> None:
    error = explain_syntax(line, ["a", "b"])
    assert (error is None) is (words is None)
    if words is not None:
        assert str(error).startswith(words)


def test_nobody_looks_into_a_longer_line_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'{"a":}'
    monkeypatch.setattr(json_reasons, "_MOST_EXPLAINED_BYTES", len(line))
    assert explain_syntax(line, []) is not None
    monkeypatch.setattr(json_reasons, "_MOST_EXPLAINED_BYTES", len(line) - 1)
    assert explain_syntax(line, []) is None
