"""A table with a log as input: what a job chooses of it, and which of its data files are there."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.planning import tables
from pipelines.planning.tables import _look_at, list_table
from transforms.lakes.choice import Choice
from transforms.lakes.snapshot import DataFile, Snapshot, TableColumn

COLUMNS = tuple(TableColumn(name, pa.int64(), "long", name) for name in ("a", "b"))


@dataclass
class Source:
    """Stands in for `source` of a job."""

    format: str = "delta"
    paths: tuple[str, ...] = ("/t/",)
    version: int | None = None
    snapshot: int | None = None
    ref: str | None = None
    timestamp: Any = None
    catalog: str | None = None
    outside: tuple[str, ...] = ()
    where: str | None = None
    types: dict[str, str] = field(default_factory=dict)
    carried: tuple[str, ...] = ()


def snapshot_of(folder: Path, *contents: bytes | None) -> Snapshot:
    """Write data files, and return a table of them; None is one that is gone."""
    found = []
    for number, content in enumerate(contents):
        path = folder / f"{number}.parquet"
        if content is not None:
            path.write_bytes(content)
        found.append(DataFile(str(path), {"a": f"{number}"}))
    # In another order than that of their names.
    return Snapshot("delta", "/t", 7, COLUMNS, tuple(reversed(found)))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of a table: its kind, its place, and the choice."""
    told: list[Any] = []
    monkeypatch.setattr(tables, "list_columns", lambda job, card: ["a"])
    return told


def list_it(
    source: Source, snapshot: Snapshot, asked: list[Any], version: int | None = None
) -> Any:
    def read(kind: str, url: str, choice: Choice) -> Snapshot:
        asked.append((kind, url, choice))
        return snapshot

    job: Any = SimpleNamespace(source=source, preprocess=SimpleNamespace(steps=()))
    card: Any = SimpleNamespace(columns=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "read_snapshot", read)
        return list_table(job, card, version)


def test_files_are_no_table(asked: list[Any]) -> None:
    snapshot = Snapshot("delta", "/t", 0, COLUMNS, ())
    for name in ("parquet", "csv", "files"):
        assert list_it(Source(format=name), snapshot, asked) is None
    assert asked == []


@pytest.mark.parametrize(
    ("source", "began_with", "kind", "url", "choice"),
    [
        (Source(), None, "delta", "/t", Choice()),
        (Source(version=3, snapshot=9), None, "delta", "/t", Choice(version=3)),
        # An unfinished run goes on with what it began with, though it be the first version.
        (Source(), 0, "delta", "/t", Choice(version=0)),
        (
            Source(format="iceberg", version=3, snapshot=9, ref="r", outside=("/o",)),
            None,
            "iceberg",
            "/t",
            Choice(version=9, ref="r", outside=("/o",)),
        ),
        # Of a catalog it is a name, and no place.
        (
            Source(format="iceberg", paths=("db.t/",), catalog="c"),
            None,
            "iceberg",
            "db.t/",
            Choice(catalog="c"),
        ),
    ],
)
def test_a_job_chooses_what_is_read(
    source: Source,
    began_with: int | None,
    kind: str,
    url: str,
    choice: Choice,
    asked: list[Any],
    tmp_path: Path,
) -> None:
    planned = list_it(source, snapshot_of(tmp_path, b"x"), asked, began_with)
    assert asked == [(kind, url, choice)]
    assert planned.snapshot.version == 7


def test_shards_are_its_data_files_by_name_each_with_what_the_log_says(
    asked: list[Any], tmp_path: Path
) -> None:
    snapshot = snapshot_of(tmp_path, b"xx", b"yyy")
    planned = list_it(Source(), snapshot, asked)
    assert [Path(file.url).name for file in planned.files] == ["0.parquet", "1.parquet"]
    assert [file.bytes for file in planned.files] == [2, 3]
    # Of a column that is read the log's value counts, and of another it does not.
    again = list_it(Source(), snapshot, asked)
    assert again.files == planned.files
    other = [DataFile(file.url, {"a": "z"}) for file in snapshot.files]
    changed = Snapshot("delta", "/t", 7, COLUMNS, tuple(other))
    assert list_it(Source(), changed, asked).files[0].version != planned.files[0].version
    unread = [DataFile(file.url, {**file.values, "b": "z"}) for file in snapshot.files]
    same = Snapshot("delta", "/t", 7, COLUMNS, tuple(unread))
    assert list_it(Source(), same, asked).files == planned.files


def test_a_filter_may_read_a_column_of_which_nobody_says_a_type(
    asked: list[Any], tmp_path: Path
) -> None:
    snapshot = snapshot_of(tmp_path, b"x", b"x")
    planned = list_it(Source(where="a > 0"), snapshot, asked)
    # Nor are there statistics, by which files would be left out.
    assert [Path(file.url).name for file in planned.files] == ["0.parquet", "1.parquet"]


def test_a_table_without_files_is_refused(asked: list[Any]) -> None:
    with pytest.raises(InputError, match="/t: has no data file in version 7"):
        list_it(Source(), Snapshot("delta", "/t", 7, COLUMNS, ()), asked)


def test_a_data_file_is_there_and_has_bytes(tmp_path: Path, monkeypatch: Any) -> None:
    snapshot = snapshot_of(tmp_path, None, b"", b"x")
    whole, empty, gone = snapshot.files
    assert _look_at(snapshot, whole).bytes == 1
    with pytest.raises(InputError, match=r"1.parquet: has 0 bytes, so it is no Parquet file"):
        _look_at(snapshot, empty)
    with pytest.raises(InputError, match=r"0.parquet: is gone, though version 7 of /t rests"):
        _look_at(snapshot, gone)

    def fail(url: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tables.inputs, "describe_url", fail)
    with pytest.raises(InputError, match="cannot be looked at: Permission denied; check"):
        _look_at(snapshot, whole)
