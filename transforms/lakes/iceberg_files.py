"""Files of an Iceberg table for pyiceberg: opened as all files of a job are, and inside of the table."""

from typing import Any

from pyiceberg.io import FileIO, InputFile, OutputFile

from configs.errors import InputError
from storage import files
from transforms.lakes.inside import place_file

# Manifests of some thousand files each have some MB.
_MOST_BYTES = 512 << 20


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
        if len(self) > _MOST_BYTES:
            raise InputError(
                f"{self._url}: has more than {_MOST_BYTES:,} bytes, which no manifest has; "
                "rewrite the table's manifests"
            )
        return files.open_read(self._url)


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
