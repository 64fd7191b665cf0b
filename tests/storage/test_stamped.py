"""When a file was decided, as each kind of store tells it; `test_current.py` moves names by it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storage.stamped import _STAMP, Stamped, _look_at, _put_if_unchanged, read, replace

WRITTEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DECIDED = datetime(2026, 1, 1, 23, 59, 59, 123456, tzinfo=UTC)
STAMPED = {_STAMP: DECIDED.isoformat()}


def s3(metadata: dict[str, str]) -> Any:
    """Answers as S3 does to a question about an object."""
    found = {"LastModified": WRITTEN, "ETag": '"abc"', "Metadata": metadata}
    return SimpleNamespace(
        protocol=("s3", "s3a"),
        split_path=lambda path: (*path.split("/", 1), None),
        call_s3=lambda method, **named: found if named == {"Bucket": "b", "Key": "k/n"} else None,
    )


def gcs(**fields: Any) -> Any:
    """Answers as Google's store does, which says nothing of metadata where there is none."""
    found = {"mtime": WRITTEN, "generation": 17, **fields}
    return SimpleNamespace(protocol=("gs", "gcs"), info=lambda path: found)


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (s3(STAMPED), (DECIDED, '"abc"')),
        (s3({}), (WRITTEN, '"abc"')),
        (s3({"others": "x"}), (WRITTEN, '"abc"')),
        (gcs(metadata=STAMPED), (DECIDED, "17")),
        (gcs(metadata={"others": "x"}), (WRITTEN, "17")),
        (gcs(metadata={}), (WRITTEN, "17")),
        (gcs(metadata=None), (WRITTEN, "17")),
        (gcs(), (WRITTEN, "17")),
    ],
)
def test_a_stamp_counts_and_else_when_it_was_written(
    store: Any, expected: tuple[datetime, str]
) -> None:
    assert _look_at(store, "b/k/n") == expected


def test_on_a_disk_a_file_is_as_old_as_what_was_decided(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    url, scratch = str(tmp_path / "name"), str(tmp_path / "scratch")
    assert read(url) is None
    assert replace(url, b"one", DECIDED, None, scratch)
    found = read(url)
    assert found is not None
    assert (found.content, found.decided_at, found.version) == (b"one", DECIDED, "")


def test_what_somebody_else_has_replaced_stays() -> None:
    url, scratch = "memory://stamped/name", "memory://stamped/scratch"
    assert replace(url, b"one", DECIDED, None, scratch)
    seen = read(url)
    assert seen is not None
    assert seen.decided_at == DECIDED
    # Nobody expects a file where there is one.
    assert not replace(url, b"two", DECIDED, None, scratch)
    later = DECIDED + timedelta(seconds=1)
    assert replace(url, b"two", later, seen, scratch)
    assert not replace(url, b"three", later, seen, scratch)
    found = read(url)
    assert found is not None
    assert (found.content, found.decided_at) == (b"two", later)


SEEN = Stamped(b"one", WRITTEN, '"abc"')


@pytest.mark.parametrize(
    ("before", "condition"),
    [(None, {"IfNoneMatch": "*"}), (SEEN, {"IfMatch": '"abc"'})],
)
def test_s3_puts_where_there_is_what_was_seen(
    before: Stamped | None, condition: dict[str, str]
) -> None:
    asked: list[dict[str, Any]] = []
    store = SimpleNamespace(
        protocol="s3", pipe_file=lambda path, content, **named: asked.append(named)
    )
    assert _put_if_unchanged(store, "b/k", b"two", DECIDED, before)
    assert asked == [{"Metadata": STAMPED, **condition}]


@pytest.mark.parametrize(("before", "generation"), [(None, "0"), (SEEN, '"abc"')])
def test_googles_store_puts_where_there_is_what_was_seen(
    before: Stamped | None, generation: str
) -> None:
    asked: list[str] = []
    store = SimpleNamespace(
        protocol=("gs", "gcs"),
        split_path=lambda path: (*path.split("/", 1), None),
        call=lambda *parts, **named: asked.append(named["ifGenerationMatch"]),
        _location="https://store",
    )
    assert _put_if_unchanged(store, "b/k", b"two", DECIDED, before)
    assert asked == [generation]
