"""Bytes that are put aside: read as they were written, and without a name that anybody could find."""

from pathlib import Path

import pytest

from storage.scratch import ScratchFile, Span


def test_what_was_put_aside_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scratch = ScratchFile()
    contents = [b"first", b"", b"x" * 100_000, b"last"]
    spans = [scratch.append(content) for content in contents]
    assert spans == [Span(0, 5), Span(5, 0), Span(5, 100_000), Span(100_005, 4)]
    assert [scratch.read(span) for span in reversed(spans)] == contents[::-1]
    # Also behind what was read.
    assert scratch.read(scratch.append(b"more")) == b"more"
    assert list(tmp_path.iterdir()) == []
    scratch.close()
    scratch.close()
    with pytest.raises(OSError, match="nothing"):
        scratch.read(spans[0])
    assert scratch.append(b"again").start == 0
    scratch.close()


def test_what_is_not_there_is_an_error() -> None:
    scratch = ScratchFile()
    scratch.append(b"first")
    with pytest.raises(OSError, match="shorter"):
        scratch.read(Span(2, 10))
    scratch.close()
