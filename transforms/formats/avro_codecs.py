"""How blocks of an Avro file are packed, and what they hold, unpacked: never more than a block may hold.

Python and Arrow unpack all of them, some of which fastavro needs more libraries for.
"""

import bz2
from collections.abc import Callable
import lzma
import zlib

import pyarrow as pa

# Writers end a block after 16 to 64 KiB; one that holds a single picture is larger. Decoded values of
# a list take up to forty times of that for a moment.
MOST_BLOCK_BYTES = 64 << 20
# Arrow takes what it is asked for before it knows how much there is.
_CHUNK_BYTES = 1 << 20
# Behind what snappy packed.
_SUM_BYTES = 4
# A byte of a number has seven bits of it, and one that says whether another byte follows.
SEVEN_BITS = 0x7F
FOLLOWS = 0x80
# What unpacking raises of bytes that are not packed so.
PACKED_WRONGLY = (
    EOFError,
    OSError,
    ValueError,
    lzma.LZMAError,
    pa.ArrowException,
    zlib.error,
)


def _keep(packed: bytes) -> bytes:
    return packed


def _inflate(packed: bytes) -> bytes:
    # Without a head and a sum.
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    content = unpacker.decompress(packed, MOST_BLOCK_BYTES + 1)
    if not unpacker.eof and len(content) <= MOST_BLOCK_BYTES:
        raise EOFError
    return content


def _unpack_bzip2(packed: bytes) -> bytes:
    return bz2.BZ2Decompressor().decompress(packed, MOST_BLOCK_BYTES + 1)


def _unpack_xz(packed: bytes) -> bytes:
    # A file may ask for gigabytes of what was unpacked before.
    unpacker = lzma.LZMADecompressor(memlimit=2 * MOST_BLOCK_BYTES)
    return unpacker.decompress(packed, MOST_BLOCK_BYTES + 1)


def _unpack_snappy(packed: bytes) -> bytes:
    """Unpack snappy, behind which Avro puts a sum of what was packed."""
    body = packed[:-_SUM_BYTES]
    expected = packed[-_SUM_BYTES:]
    size = 0
    # Its own length stands first.
    for place, byte in enumerate(body[:5]):
        size |= (byte & SEVEN_BITS) << (7 * place)
        if byte < FOLLOWS:
            break
    # Before anything of that size is made.
    if size > MOST_BLOCK_BYTES:
        return bytes(MOST_BLOCK_BYTES + 1)
    codec = pa.Codec("snappy")
    content: bytes = codec.decompress(body, size, asbytes=True)
    found = zlib.crc32(content)
    if found.to_bytes(_SUM_BYTES, "big") != expected:
        raise ValueError("its sum is another")
    return content


def _unpack_zstandard(packed: bytes) -> bytes:
    stream = pa.CompressedInputStream(pa.BufferReader(packed), "zstd")
    content = bytearray()
    while len(content) <= MOST_BLOCK_BYTES:
        piece = stream.read(_CHUNK_BYTES)
        if not piece:
            break
        content += piece
    return bytes(content)


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": _keep,
    "deflate": _inflate,
    "snappy": _unpack_snappy,
    "zstandard": _unpack_zstandard,
    "bzip2": _unpack_bzip2,
    "xz": _unpack_xz,
}
