"""Footers that are like one that was checked: other numbers and names, and never other fields or lengths."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.thrift import list_structs, list_values, read_struct
from tests.transforms.formats.chunks import (
    WRONG_CHUNKS,
    WRONG_STATISTICS,
    change_chunk,
    write_numbers,
)
from transforms.formats import parquet_alike
from transforms.formats.parquet_alike import is_like_checked, remember_checked
from transforms.formats.parquet_footer import read_end


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests have footers checked, too, and so many are kept."""
    monkeypatch.setattr(parquet_alike, "_known", parquet_alike._Known())


def footer_of(path: Path) -> bytes:
    return read_end(str(path)).footer


def skeleton_of(footer: bytes) -> list[object]:
    """Each field of all chunks, in its order: its number, its type, and the length of what it holds."""
    (group,) = list_structs(read_struct(footer).fields[4])
    found: list[object] = []
    for chunk in list_values(group[1]):
        fields = read_struct(chunk.stored).fields
        metadata = read_struct(fields[3].stored).fields
        found += [(number, kind, len(stored)) for number, (kind, stored) in metadata.items()]
        statistics = read_struct(metadata[12].stored).fields
        found += [(number, kind, len(stored)) for number, (kind, stored) in statistics.items()]
        found.append(metadata[1].stored)
    return found


def test_other_numbers_of_as_many_bytes_are_alike(tmp_path: Path) -> None:
    footers = []
    for first in (100, 900):
        path = tmp_path / f"{first}.parquet"
        pq.write_table(pa.table({"a": range(first, first + 50), "b": [first / 7] * 50}), path)
        footers.append(footer_of(path))
    one, other = footers
    assert one != other
    assert not is_like_checked(one, "numbers")
    remember_checked(one, "numbers")
    assert is_like_checked(one, "numbers")
    assert is_like_checked(other, "numbers")
    assert not is_like_checked(one, "something else")
    assert not is_like_checked(one[:-1], "numbers")


@pytest.mark.parametrize("change", [*WRONG_CHUNKS, *WRONG_STATISTICS])
def test_what_ends_the_process_is_like_nothing(change: object, tmp_path: Path) -> None:
    path = write_numbers(tmp_path / "a.parquet")
    remember_checked(footer_of(path), "wrong")
    assert is_like_checked(footer_of(path), "wrong")
    assert callable(change)
    change_chunk(path, change)
    assert not is_like_checked(footer_of(path), "wrong")


def test_whatever_byte_differs_the_fields_are_the_same_or_it_is_not_alike(tmp_path: Path) -> None:
    footer = footer_of(write_numbers(tmp_path / "a.parquet"))
    remember_checked(footer, "bytes")
    expected = skeleton_of(footer)
    alike = 0
    for place in range(len(footer)):
        changed = bytearray(footer)
        changed[place] ^= 128 >> place % 8
        if is_like_checked(bytes(changed), "bytes"):
            alike += 1
            assert skeleton_of(bytes(changed)) == expected
    # Texts and numbers are most of a footer.
    assert alike > len(footer) / 2


def test_long_footers_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    pq.write_table(pa.table({f"column_{number}": [1] for number in range(300)}), path)
    remember_checked(footer_of(path), "long")
    assert not is_like_checked(footer_of(path), "long")
