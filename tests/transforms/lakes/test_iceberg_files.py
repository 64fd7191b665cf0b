"""Files of an Iceberg table for pyiceberg: of the table, no larger than any, and packed once."""

import gzip
from pathlib import Path

import pytest

pytest.importorskip("pyiceberg")

from configs.errors import InputError
from transforms.lakes import iceberg_files
from transforms.lakes.iceberg_files import TableIO

CONTENT = b'{"format-version": 2}'


def make_io(folder: Path) -> TableIO:
    return TableIO(str(folder), ())


def test_limits_hold_what_large_tables_have() -> None:
    assert iceberg_files._MOST_METADATA_BYTES == 128 * 1024**2
    assert iceberg_files._MOST_BYTES == 512 * 1024**2


def test_metadata_are_as_large_as_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "v1.metadata.json"
    path.write_bytes(CONTENT)
    file = make_io(tmp_path).new_input(str(path))
    assert (len(file), file.exists()) == (len(CONTENT), True)
    monkeypatch.setattr(iceberg_files, "_MOST_METADATA_BYTES", len(CONTENT))
    assert file.open().read() == CONTENT
    monkeypatch.setattr(iceberg_files, "_MOST_METADATA_BYTES", len(CONTENT) - 1)
    with pytest.raises(InputError, match=f"has more than {len(CONTENT) - 1} bytes"):
        file.open()


def test_packed_metadata_unpack_to_as_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = CONTENT + bytes(1_000)
    path = tmp_path / "v1.gz.metadata.json"
    packed = gzip.compress(large)
    path.write_bytes(packed)
    file = make_io(tmp_path).new_input(str(path))
    monkeypatch.setattr(iceberg_files, "_MOST_METADATA_BYTES", len(large))
    # pyiceberg unpacks it.
    assert file.open().read() == packed
    monkeypatch.setattr(iceberg_files, "_MOST_METADATA_BYTES", len(large) - 1)
    with pytest.raises(InputError, match="or several parts"):
        file.open()
    path.write_bytes(packed + gzip.compress(b"more"))
    monkeypatch.setattr(iceberg_files, "_MOST_METADATA_BYTES", 10_000)
    with pytest.raises(InputError, match="or several parts"):
        file.open()


def test_a_manifest_is_as_large_as_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.avro"
    path.write_bytes(b"no manifest")
    file = make_io(tmp_path).new_input(str(path))
    monkeypatch.setattr(iceberg_files, "_MOST_BYTES", 11)
    with pytest.raises(InputError, match="is not an Avro file"):
        file.open()
    monkeypatch.setattr(iceberg_files, "_MOST_BYTES", 10)
    with pytest.raises(InputError, match="has more than 10 bytes"):
        file.open()


def test_what_is_elsewhere_is_not_opened_and_nothing_is_written(tmp_path: Path) -> None:
    table_io = make_io(tmp_path / "t")
    with pytest.raises(InputError, match="outside of the table"):
        table_io.new_input(f"{tmp_path}/other/v1.metadata.json")
    with pytest.raises(NotImplementedError):
        table_io.new_output(f"{tmp_path}/t/v2.metadata.json")
    with pytest.raises(NotImplementedError):
        table_io.delete(f"{tmp_path}/t/v1.metadata.json")
