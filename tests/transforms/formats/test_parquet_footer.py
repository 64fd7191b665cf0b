"""What a footer says of the size of columns, and of a file that is encrypted in part."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from transforms.formats.parquet_footer import (
    holds_more_than,
    read_footer,
    refuse_encrypted_columns,
)

ROWS = 1000


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "a.parquet"
    table = pa.table({"a": range(ROWS), "b": [1.5] * ROWS})
    pq.write_table(table, path, use_dictionary=False, compression="none", row_group_size=300)
    return path


def test_a_plain_file_is_not_taken_for_an_encrypted_one(plain: Path) -> None:
    _, metadata = read_footer(str(plain))
    refuse_encrypted_columns(str(plain), metadata)


def test_a_footer_that_is_longer_than_its_content_is_signed(plain: Path, tmp_path: Path) -> None:
    """As a file has it whose columns are encrypted, and its footer is not: a signature of 28 bytes."""
    _, metadata = read_footer(str(plain))
    content = plain.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    signed = tmp_path / "signed.parquet"
    signed.write_bytes(content[:-8] + bytes(28) + (length + 28).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(
        InputError, match=r"signed\.parquet: is encrypted in part; store it decrypted"
    ):
        refuse_encrypted_columns(str(signed), metadata)


@pytest.mark.parametrize(("names", "width"), [({"a"}, 8), ({"a", "b"}, 16)])
def test_columns_are_larger_than_a_limit_by_what_they_hold(
    plain: Path, names: set[str], width: int
) -> None:
    _, metadata = read_footer(str(plain))
    held = ROWS * width
    # Values of a fixed width, one after the other, and some bytes of each page's header.
    assert holds_more_than(held - 1, str(plain), metadata, names)
    assert not holds_more_than(held + 2000, str(plain), metadata, names)


@pytest.mark.parametrize("letters", [0, 1, 9])
def test_a_text_is_as_large_as_its_letters_and_its_length(letters: int, tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    table = pa.table({"a": ["x" * letters] * ROWS})
    pq.write_table(table, path, use_dictionary=False, compression="none")
    _, metadata = read_footer(str(path))
    # In Parquet four bytes say how long a text is.
    held = ROWS * (letters + 4)
    assert holds_more_than(held - 1, str(path), metadata, {"a"})
    assert not holds_more_than(held + 200, str(path), metadata, {"a"})


@pytest.mark.parametrize("names", [1, 700])
def test_a_footer_is_read_however_long_it_is(tmp_path: Path, names: int) -> None:
    path = tmp_path / "a.parquet"
    columns = {f"column_{number:04d}": [1, 2] for number in range(names)}
    pq.write_table(pa.table(columns), path)
    schema, metadata = read_footer(str(path))
    assert schema.names == list(columns)
    # More than is fetched at first, of the longest one.
    assert (metadata.serialized_size > 1 << 16) == (names == 700)
    assert metadata.equals(pq.read_metadata(path))


@pytest.mark.parametrize("length", [1, 70_000, 2**32 - 1])
def test_a_footer_that_is_longer_than_its_file_says_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + bytes(80_000) + length.to_bytes(4, "little") + b"PAR1")
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        read_footer(str(path))
