"""The deleted rows of a data file: deletion vectors of Delta and of Iceberg, and files of positions."""

from collections.abc import Iterator, Sequence
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.types import is_dictionary

from configs.errors import InputError
from storage import files
from storage.parquet_depth import refuse_deep
from transforms.lakes.roaring import read_bitmap
from transforms.lakes.snapshot import Deletions

DELTA_VECTOR = "delta"
PUFFIN_VECTOR = "puffin"
POSITIONS = "positions"
_DELTA_MAGIC = 1681511377
_PUFFIN_MAGIC = 0x6439D3D1
_MAGIC_BYTES = 4
_LENGTH_BYTES = 4
_CHECKSUM_BYTES = 4
# A vector of a thousand million rows of which every second one is deleted has 125 MB.
_MOST_BYTES = 256 << 20
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_Z85_LETTERS = 5
_FILE_PATH = "file_path"
_POSITION = "pos"


def read_deleted(url: str, told: Sequence[Deletions], rows: int) -> np.ndarray:
    """Return the positions of the deleted rows of a data file, int64 and ascending.

    Args:
        url: the data file.
        told: where they are told.
        rows: how many rows the file has.

    Raises:
        InputError: they cannot be read, or are not what the log says.
    """
    # Nothing can be put together of no array at all.
    nothing = np.empty(0, dtype=np.int64)
    found = [nothing]
    for deletions in told:
        where = deletions.url or "the log"
        try:
            numbers = _read(url, deletions, rows)
            found.append(numbers)
        except OSError as error:
            raise InputError(
                f"{url}: its deleted rows in {where} cannot be read: {error.strerror or error}; "
                "restore that file, or read another version of the table"
            ) from error
        except (ValueError, pa.ArrowException) as error:
            raise InputError(
                f"{url}: its deleted rows in {where} are not readable: what is there {error}; "
                "write the table's version again"
            ) from error
    together = np.concatenate(found)
    # Several files may delete the same row.
    return np.unique(together)


def _read(
    url: str,
    deletions: Deletions,
    rows: int,
) -> np.ndarray:
    if deletions.kind == POSITIONS:
        return _read_positions(url, deletions, rows)
    content = _fetch_vector(deletions)
    magic = int.from_bytes(content[:_MAGIC_BYTES], "little")
    expected = _DELTA_MAGIC if deletions.kind == DELTA_VECTOR else _PUFFIN_MAGIC
    if magic != expected:
        raise ValueError("is no deletion vector")
    bitmap = content[_MAGIC_BYTES:]
    numbers = read_bitmap(bitmap, rows)
    count = len(numbers)
    # A vector of another version would delete other rows without a word.
    if deletions.rows not in (None, count):
        raise ValueError(f"deletes {count:,} rows, and the log says {deletions.rows:,}")
    return numbers


def _fetch_vector(deletions: Deletions) -> bytes:
    """Return a vector's bytes from its magic number on; those in a file have a checksum behind."""
    if not deletions.url:
        content = decode_z85(deletions.inline)
        return content[: deletions.bytes]
    length_bytes = deletions.bytes
    # Of Iceberg the length counts all of the blob.
    if deletions.kind == DELTA_VECTOR:
        length_bytes += _LENGTH_BYTES + _CHECKSUM_BYTES
    if length_bytes > _MOST_BYTES:
        raise ValueError(f"is larger than {_MOST_BYTES:,} bytes")
    with files.open_read(deletions.url, ahead=False) as source:
        source.seek(deletions.offset)
        blob = source.read(length_bytes)
    return _take_out_vector(blob, length_bytes)


def _take_out_vector(blob: bytes, length_bytes: int) -> bytes:
    """Return what is between the length of a vector and its checksum.

    Args:
        blob: as it was read.
        length_bytes: how much it must be.

    Raises:
        ValueError: it is cut short, or altered.
    """
    length = int.from_bytes(blob[:_LENGTH_BYTES], "big")
    end = _LENGTH_BYTES + length
    behind = end + _CHECKSUM_BYTES
    # The log tells the length once more.
    if len(blob) < length_bytes or behind != length_bytes:
        raise ValueError("is cut short")
    content = blob[_LENGTH_BYTES:end]
    checksum = int.from_bytes(blob[end:behind], "big")
    if zlib.crc32(content) != checksum:
        raise ValueError("is altered: its checksum differs")
    return content


def _read_positions(
    url: str,
    deletions: Deletions,
    rows: int,
) -> np.ndarray:
    """Return what a Parquet file of paths and positions says of one data file."""
    nothing = np.empty(0, dtype=np.int64)
    found = [nothing]
    for batch in _iterate_positions(deletions.url):
        # Such a file may be of many data files.
        paths = batch.column(_FILE_PATH)
        is_ours = _is_equal(paths, deletions.inline)
        positions = batch.column(_POSITION).filter(is_ours)
        if positions.null_count:
            raise ValueError("has a row without a position")
        numbers = positions.to_numpy(zero_copy_only=False)
        found.append(numbers.astype(np.int64))
    together = np.concatenate(found)
    # Sorted, too.
    in_order = np.unique(together)
    if not len(in_order):
        return in_order
    first = in_order[0]
    last = in_order[-1]
    if first < 0 or last >= rows:
        raise ValueError("names a row that the file does not have")
    return in_order


def _is_equal(texts: pa.Array, text: str) -> pa.Array:
    """Return whether each of some texts is another one; null where it is missing."""
    # Of a type that is none of texts, which Arrow does not compare with one.
    if not is_dictionary(texts.type):
        return pc.equal(texts, text)
    is_text = pc.equal(texts.dictionary, text)
    return is_text.take(texts.indices)


def _iterate_positions(url: str) -> Iterator[pa.RecordBatch]:
    columns = [_FILE_PATH, _POSITION]
    with files.open_read(url) as source:
        refuse_deep(source)
        metadata = pq.read_metadata(source)
        names = metadata.schema.to_arrow_schema().names
        if _FILE_PATH not in names or _POSITION not in names:
            raise ValueError("has no columns file_path and pos")
        # As a dictionary: a long path is small however often it stands there, and stays so.
        dictionaries = [_FILE_PATH]
        with pq.ParquetFile(source, metadata=metadata, read_dictionary=dictionaries) as table:
            # Others, as of the deleted rows themselves, may be there and are large.
            yield from table.iter_batches(columns=columns, use_threads=False)


def decode_z85(text: str) -> bytes:
    """Return the bytes of a text in base 85, in the alphabet of ZeroMQ.

    >>> decode_z85("HelloWorld").hex()
    '864fd26fb559f75b'

    Raises:
        ValueError: it is none.
    """
    size = len(text)
    if size % _Z85_LETTERS:
        raise ValueError("is no text in base 85")
    decoded = bytearray()
    for start in range(0, size, _Z85_LETTERS):
        stop = start + _Z85_LETTERS
        number = 0
        for letter in text[start:stop]:
            # Raises where it is none.
            digit = _Z85.index(letter)
            number = number * len(_Z85) + digit
        try:
            decoded += number.to_bytes(4, "big")
        # Five letters can write more than four bytes hold.
        except OverflowError as error:
            raise ValueError("is no text in base 85") from error
    return bytes(decoded)
