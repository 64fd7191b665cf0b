"""Files of an Iceberg table for pyiceberg: opened as all files of a job are, inside of the table, and checked."""

from io import BytesIO
from typing import Any
import zlib

from pyiceberg.io import FileIO, InputFile, OutputFile

from configs.errors import InputError
from storage import files
from transforms.formats.csv_bytes import StoredBytes
from transforms.lakes.iceberg_avro import rewrite_manifest
from transforms.lakes.inside import place_file

# Manifests of some hundred thousand files have some hundred MB.
_MOST_BYTES = 512 << 20
# Of a table of some thousand snapshots the metadata have some MB.
_MOST_METADATA_BYTES = 128 << 20
_METADATA = ".metadata.json"
_PACKED_METADATA = ".gz.metadata.json"
# To zlib, a file of gzip.
_GZIP_WINDOW = 31


class _TableFile(InputFile):
    def __init__(self, location: str, url: str) -> None:
        super().__init__(location)
        self._url = url

    def __len__(self) -> int:
        with files.open_read(self._url) as source:
            end: int = source.seek(0, 2)
        return end

    def exists(self) -> bool:
        return files.exists(self._url)

    def open(self, seekable: bool = True) -> Any:
        stored = StoredBytes(self._url)
        is_metadata = self._url.endswith(_METADATA)
        most_bytes = _MOST_METADATA_BYTES if is_metadata else _MOST_BYTES
        try:
            if stored.size > most_bytes:
                raise self._refuse_large(most_bytes)
            if not is_metadata:
                return BytesIO(rewrite_manifest(self._url, stored))
            content = stored.read()
        finally:
            stored.close()
        if self._url.endswith(_PACKED_METADATA):
            self._refuse_bomb(content, most_bytes)
        return BytesIO(content)

    def _refuse_bomb(self, content: bytes, most_bytes: int) -> None:
        unpacker = zlib.decompressobj(_GZIP_WINDOW)
        unpacked = unpacker.decompress(content, most_bytes + 1)
        # Whatever comes behind the first part is unpacked, too.
        if len(unpacked) > most_bytes or unpacker.unused_data:
            raise self._refuse_large(most_bytes)

    def _refuse_large(self, most_bytes: int) -> InputError:
        return InputError(
            f"{self._url}: has more than {most_bytes:,} bytes, or several parts, which no such file of a table has; "
            "expire old snapshots, or rewrite the table's manifests"
        )


class TableIO(FileIO):
    """What pyiceberg reads of a table; it writes nothing.

    Attributes:
        root: the table's folder.
        outside: folders where its files may be beside it.
    """

    def __init__(self, root: str, outside: tuple[str, ...]) -> None:
        super().__init__()
        self.root = root
        self.outside = outside

    def new_input(self, location: str) -> InputFile:
        url = place_file(self.root, location, self.outside)
        return _TableFile(location, url)

    def new_output(self, location: str) -> OutputFile:
        raise NotImplementedError(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        raise NotImplementedError(str(location))
