"""What a Delta log says of a version, on logs that are written by hand as the protocol says."""

import json
from pathlib import Path
from typing import Any
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from transforms.lakes import delta_actions, delta_checkpoint
from transforms.lakes.delta_log import DeltaLog, list_log

ID = uuid.UUID(int=7)


def write_commit(table: Path, version: int, *actions: dict[str, Any]) -> None:
    lines = [json.dumps(action) for action in actions]
    write(table, f"{version:020}.json", "\n".join(lines).encode())


def write(table: Path, name: str, content: bytes) -> None:
    path = table / "_delta_log" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def add(name: str, **more: Any) -> dict[str, Any]:
    return {"add": {"path": name, "partitionValues": {}, **more}}


def remove(name: str, **more: Any) -> dict[str, Any]:
    return {"remove": {"path": name, **more}}


VALUES = pa.map_(pa.string(), pa.string())
ADDED = pa.struct([("path", pa.string()), ("partitionValues", VALUES), ("stats", pa.string())])
METADATA = pa.struct([("schemaString", pa.string()), ("configuration", VALUES)])
SIDECAR = pa.struct([("path", pa.string())])


def write_checkpoint(table: Path, name: str, *rows: dict[str, Any]) -> None:
    """Write a checkpoint as Spark does, with maps and with statistics."""
    columns = {"add": ADDED, "metaData": METADATA, "sidecar": SIDECAR, "txn": SIDECAR}
    arrays = [pa.array([row.get(kind) for row in rows], dtype) for kind, dtype in columns.items()]
    path = table / "_delta_log" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays, names=list(columns)), path)


def added(name: str, **values: str) -> dict[str, Any]:
    return {"add": {"path": name, "partitionValues": list(values.items()), "stats": "{}"}}


def open_log(table: Path) -> DeltaLog:
    return list_log(str(table))


def names_at(table: Path, version: int) -> list[str]:
    return [path for path, _ in open_log(table).replay(version).added]


def test_a_version_is_what_its_commits_add_up_to(tmp_path: Path) -> None:
    write_commit(tmp_path, 0, {"protocol": {"minReaderVersion": 1}}, add("a"), add("b"))
    write_commit(tmp_path, 1, remove("a"), add("c"), {"metaData": {"id": "new"}})
    write_commit(tmp_path, 2, {"protocol": {"minReaderVersion": 2}}, remove("never there"))
    assert names_at(tmp_path, 0) == ["a", "b"]
    assert names_at(tmp_path, 1) == ["b", "c"]
    log = open_log(tmp_path)
    assert log.newest == 2
    state = log.replay(2)
    assert state.protocol == {"minReaderVersion": 2}
    assert state.metadata == {"id": "new"}
    assert log.replay(0).metadata is None


def test_a_file_with_other_deleted_rows_is_another_one(tmp_path: Path) -> None:
    vector = {"storageType": "u", "pathOrInlineDv": "x", "sizeInBytes": 1, "cardinality": 1}
    with_vector = add("a", deletionVector=vector)
    write_commit(tmp_path, 0, add("a"))
    write_commit(tmp_path, 1, remove("a"), with_vector)
    write_commit(tmp_path, 2, remove("a"), add("a", deletionVector={**vector, "offset": 7}))
    assert list(open_log(tmp_path).replay(1).added) == [("a", "ux@0")]
    assert list(open_log(tmp_path).replay(2).added) == [("a", "ux@0"), ("a", "ux@7")]


def test_a_checkpoint_stands_for_the_commits_up_to_it(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, f"{2:020}.checkpoint.parquet", added("a", day="1"), added("b"))
    write_checkpoint(tmp_path, f"{4:020}.checkpoint.parquet", added("later"))
    write_commit(tmp_path, 3, add("c"), remove("b"))
    # Commits of before are gone, and nobody looks for them.
    assert names_at(tmp_path, 2) == ["a", "b"]
    assert names_at(tmp_path, 3) == ["a", "c"]
    assert names_at(tmp_path, 4) == ["later"]
    log = open_log(tmp_path)
    assert log.newest == 4
    (first, *_) = log.replay(2).added.values()
    # As JSON has it; statistics are not read.
    assert first == {"path": "a", "partitionValues": {"day": "1"}}
    with pytest.raises(InputError, match=f"lacks {0:020}.json, which version 1 rests on"):
        log.replay(1)
    with pytest.raises(InputError, match=f"lacks {5:020}.json, which version 5 rests on"):
        log.replay(5)


def test_metadata_of_a_checkpoint_has_objects(tmp_path: Path) -> None:
    metadata = {"schemaString": "{}", "configuration": [("a", "b")]}
    name = f"{0:020}.checkpoint.parquet"
    write_checkpoint(tmp_path, name, {"metaData": metadata}, {"add": None})
    state = open_log(tmp_path).replay(0)
    assert state.metadata == {"schemaString": "{}", "configuration": {"a": "b"}}
    assert state.added == {}
    write_checkpoint(tmp_path, name, {"metaData": {"schemaString": "{}"}}, {"add": {"path": "p"}})
    state = open_log(tmp_path).replay(0)
    assert state.metadata == {"schemaString": "{}", "configuration": {}}
    assert state.added == {("p", ""): {"path": "p", "partitionValues": {}}}


def test_a_checkpoint_of_parts_counts_once_all_are_there(tmp_path: Path) -> None:
    write_commit(tmp_path, 0, add("from commits"))
    first = f"{0:020}.checkpoint.{1:010}.{2:010}.parquet"
    second = f"{0:020}.checkpoint.{2:010}.{2:010}.parquet"
    write_checkpoint(tmp_path, first, added("one"))
    assert names_at(tmp_path, 0) == ["from commits"]
    write_checkpoint(tmp_path, second, added("two"))
    assert names_at(tmp_path, 0) == ["one", "two"]
    # One that is empty is none: somebody is writing it.
    write(tmp_path, second, b"")
    assert names_at(tmp_path, 0) == ["from commits"]


def test_a_checkpoint_names_sidecars(tmp_path: Path) -> None:
    (tmp_path / "_delta_log/_sidecars").mkdir(parents=True)
    name = f"{1:020}.checkpoint.{ID}.json"
    write(tmp_path, name, json.dumps({"sidecar": {"path": "s.parquet"}}).encode())
    write_checkpoint(tmp_path, "_sidecars/s.parquet", added("of a sidecar"))
    assert names_at(tmp_path, 1) == ["of a sidecar"]
    # Of several by the same version, one is read.
    other = uuid.UUID(int=8)
    write(tmp_path, f"{1:020}.checkpoint.{other}.json", json.dumps(add("other")).encode())
    assert len(names_at(tmp_path, 1)) == 1


@pytest.mark.parametrize("path", ["../s.parquet", "a/s.parquet", "s.json", "s"])
def test_a_sidecar_is_a_file_of_the_log(tmp_path: Path, path: str) -> None:
    name = f"{1:020}.checkpoint.{ID}.json"
    write(tmp_path, name, json.dumps({"sidecar": {"path": path}}).encode())
    with pytest.raises(InputError, match="which is no file of _delta_log/_sidecars"):
        names_at(tmp_path, 1)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["1.json"],
        [f"{1:020}.json.tmp"],
        [f"x{1:020}.json"],
        [f"{1:020}.checkpoint.{1:010}.{2:010}.parquet"],
    ],
)
def test_a_folder_without_a_commit_is_no_table(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "_delta_log").mkdir()
    for name in names:
        write(tmp_path, name, b"{}")
    with pytest.raises(InputError, match="has no _delta_log with a commit"):
        open_log(tmp_path)


def test_a_checkpoint_alone_is_a_table(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, f"{9:020}.checkpoint.parquet", added("a"))
    assert open_log(tmp_path).newest == 9


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"[]", "it is no object"),
        (b"{", "Expecting property name"),
        (b'{"add": {"partitionValues": {}}}', "it is not built as the protocol says"),
        (b'{"remove": {}}', "it is not built as the protocol says"),
        (b'{"add": {"path": "a", "partitionValues": []}}', None),
        (b'{"add": {"path": "a", "partitionValues": [1]}}', "it is not built"),
        (b'{"add": 7}', "it is not built"),
        (b'{"metaData": {"configuration": "x"}}', "it is not built"),
        (b'{"add": null, "unknown": 7}', None),
        (b"[" * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_no_action_is_told_by_its_line(
    tmp_path: Path, line: bytes, why: str | None
) -> None:
    good = json.dumps(add("a")).encode()
    # Lines without anything count, and are none.
    write(tmp_path, f"{0:020}.json", good + b"\n \n" + line)
    if why is None:
        assert names_at(tmp_path, 0) == ["a"]
        return
    with pytest.raises(InputError, match=f"line 3 is no action of a Delta log: {why}"):
        names_at(tmp_path, 0)


def test_a_line_and_a_commit_are_as_long_as_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_commit(tmp_path, 0, add("a"), add("b"))
    path = tmp_path / "_delta_log" / f"{0:020}.json"
    size = path.stat().st_size
    line = len(path.read_bytes().splitlines()[0])
    monkeypatch.setattr(delta_actions, "_MOST_LINE_BYTES", line)
    monkeypatch.setattr(delta_actions, "_MOST_COMMIT_BYTES", size)
    assert names_at(tmp_path, 0) == ["a", "b"]
    monkeypatch.setattr(delta_actions, "_MOST_LINE_BYTES", line - 1)
    with pytest.raises(InputError, match=f"line 1 is no .*: it has more than {line - 1} bytes"):
        names_at(tmp_path, 0)
    monkeypatch.setattr(delta_actions, "_MOST_COMMIT_BYTES", size - 1)
    with pytest.raises(InputError, match=f"has {size} bytes, more than a commit of {size - 1};"):
        names_at(tmp_path, 0)


def test_a_checkpoint_is_as_large_as_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{0:020}.checkpoint.parquet"
    write_checkpoint(tmp_path, name, added("a"), added("b"))
    metadata = pq.read_metadata(tmp_path / "_delta_log" / name)
    row_group = metadata.row_group(0)
    chunks = [row_group.column(number) for number in range(row_group.num_columns)]
    read = [c for c in chunks if not c.path_in_schema.startswith(("txn", "add.stats"))]
    size = sum(chunk.total_uncompressed_size for chunk in read)
    monkeypatch.setattr(delta_checkpoint, "_MOST_BYTES", size)
    assert names_at(tmp_path, 0) == ["a", "b"]
    monkeypatch.setattr(delta_checkpoint, "_MOST_BYTES", size - 1)
    with pytest.raises(InputError, match="decoded, so it may be a bomb"):
        names_at(tmp_path, 0)


def test_a_checkpoint_that_is_none_is_told(tmp_path: Path) -> None:
    name = f"{0:020}.checkpoint.parquet"
    write(tmp_path, name, b"no parquet")
    with pytest.raises(InputError, match=f"{name}: is no checkpoint of a Delta log"):
        names_at(tmp_path, 0)


def test_what_is_gone_meanwhile_is_told(tmp_path: Path) -> None:
    write_commit(tmp_path, 0, add("a"))
    log = open_log(tmp_path)
    (tmp_path / "_delta_log" / f"{0:020}.json").unlink()
    with pytest.raises(InputError, match=r"json: cannot be read: No such file"):
        log.replay(0)


def test_limits_hold_what_large_tables_have() -> None:
    assert delta_actions._MOST_LINE_BYTES == 16 * 1024**2
    assert delta_actions._MOST_COMMIT_BYTES == 1024**3
    assert delta_checkpoint._MOST_BYTES == 4 * 1024**3


@pytest.mark.parametrize(("added_as", "removed_as"), [("a%2fb", "a%2Fb"), ("a%20b", "a b")])
def test_a_file_is_removed_by_another_spelling_of_its_name(
    added_as: str, removed_as: str, tmp_path: Path
) -> None:
    """As another writer may spell it: else its rows would be scored although they are deleted."""
    write_commit(tmp_path, 0, add(added_as), add("kept"))
    write_commit(tmp_path, 1, remove(removed_as))
    assert names_at(tmp_path, 1) == ["kept"]


@pytest.mark.parametrize("parts", ["9999999999", "0000000000", "0000000002"])
def test_how_many_parts_a_checkpoint_is_said_to_have_takes_no_memory(
    parts: str, tmp_path: Path
) -> None:
    write_commit(tmp_path, 0, add("a"))
    name = f"{0:020}.checkpoint.0000000001.{parts}.parquet"
    write_checkpoint(tmp_path, name, added("b"))
    assert names_at(tmp_path, 0) == ["a"]
