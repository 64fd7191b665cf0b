"""What Avro's codecs unpack: to the last byte that a block may hold, and of a bomb one byte more."""

import bz2
import lzma
import zlib

import pyarrow as pa
import pytest

from transforms.formats import avro_codecs
from transforms.formats.avro_codecs import CODECS, PACKED_WRONGLY


def pack(codec: str, content: bytes) -> bytes:
    """Pack a block as the specification says."""
    if codec == "deflate":
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(content) + packer.flush()
    if codec == "bzip2":
        return bz2.compress(content)
    if codec == "xz":
        # Of the least memory that unpacking takes.
        return lzma.compress(content, preset=0)
    packed: bytes = pa.Codec({"zstandard": "zstd"}.get(codec, codec)).compress(
        content, asbytes=True
    )
    if codec == "snappy":
        return packed + zlib.crc32(content).to_bytes(4, "big")
    return packed


PACKED = sorted(set(CODECS) - {"null"})


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 16_384])
def test_a_block_is_unpacked(codec: str, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    assert CODECS[codec](pack(codec, content)) == content


@pytest.mark.parametrize("codec", PACKED)
def test_no_more_is_unpacked_than_tells_that_it_is_too_much(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro_codecs, "MOST_BLOCK_BYTES", 1 << 20)
    monkeypatch.setattr(avro_codecs, "_CHUNK_BYTES", 1 << 19)
    most = bytes(1 << 20)
    assert CODECS[codec](pack(codec, most)) == most
    bomb = CODECS[codec](pack(codec, bytes(4 << 20)))
    # A piece of zstandard is as large as Arrow gives it.
    assert len(most) < len(bomb) <= len(most) + (1 << 19)


@pytest.mark.parametrize("codec", ["deflate", "snappy", "zstandard"])
def test_what_is_cut_is_none(codec: str) -> None:
    packed = pack(codec, bytes(range(100)))
    with pytest.raises(PACKED_WRONGLY):
        CODECS[codec](packed[:-1])


def test_snappy_has_a_sum_behind_it() -> None:
    packed = pack("snappy", b"abc")
    with pytest.raises(ValueError, match="its sum is another"):
        CODECS["snappy"](packed[:-1] + bytes([packed[-1] ^ 1]))


def test_the_length_of_snappy_has_five_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of them would take four gigabytes for none."""
    monkeypatch.setattr(avro_codecs, "MOST_BLOCK_BYTES", 100)
    length = b"\x80\x80\x80\x80\x0f"
    assert len(CODECS["snappy"](length + bytes(4))) == 101
