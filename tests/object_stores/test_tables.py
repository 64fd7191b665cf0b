"""Tables in a store: the rows of the same table on a disk, whatever the log calls the store, and few requests."""

from collections.abc import Callable
from io import BytesIO
import json
from pathlib import Path
import re
from typing import Any

import fastavro
import pytest

from pipelines.planning.jobs import ScoringJob
from pipelines.planning.make_plan import make_plan
from pipelines.planning.plan import store_plan
from storage import files
from storage.lock import hold
from tests.object_stores.proxy import Proxy
from tests.object_stores.servers import Server
from tests.object_stores.stores import at
from tests.support.builders import tiny_package
from tests.support.delta_tables import delete_rows
from tests.support.iceberg_tables import open_catalog, place
from tests.support.jobs import Outcome, run_job, small_table, write_job

# gcsfs hands aiohttp the bytes as they are.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
FILES = 8


def copy(folder: Path, url: str, change: Callable[[str, bytes], bytes] | None = None) -> None:
    """Put a folder's files into a store that are not there yet, changed or as they are."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not files.exists(f"{url}/{name}"):
            content = path.read_bytes()
            files.put(f"{url}/{name}", change(name, content) if change else content)


def score(tmp_path: Path, paths: str, **settings: Any) -> Outcome:
    config = tmp_path / "job.yaml"
    if not config.exists():
        source = {"paths": "none", "format": "delta"}
        write_job(tmp_path, tiny_package(tmp_path / "model"), source=source)
    told = {"source.paths": [paths], **settings}
    return run_job(config, "--direct_running_mode=in_memory", settings=told)


def ids(outcome: Outcome) -> list[int]:
    return outcome.rows()["id"].to_pylist()


def write_delta(folder: Path) -> Path:
    """Write a table of some files of two rows each, with a checkpoint behind some commits."""
    deltalake = pytest.importorskip("deltalake")
    for number in range(FILES):
        rows = small_table(2, first=2 * number)
        deltalake.write_deltalake(str(folder), rows, mode="append")
        if number == FILES - 3:
            deltalake.DeltaTable(str(folder)).create_checkpoint()
    return folder


def test_a_delta_table_is_that_of_a_disk(bucket: str, tmp_path: Path) -> None:
    table = write_delta(tmp_path / "t")
    copy(table, f"{bucket}/t")
    outcome = score(tmp_path, f"{bucket}/t")
    assert ids(outcome) == list(range(2 * FILES))
    assert outcome.manifest["table"] == {
        "format": "delta",
        "url": f"{bucket}/t",
        "version": FILES - 1,
    }
    older = score(tmp_path, f"{bucket}/t/", **{"source.version": 2})
    assert ids(older) == list(range(6))
    filtered = score(tmp_path, f"{bucket}/t", **{"source.where": "id >= 13"})
    assert ids(filtered) == [13, 14, 15]
    assert filtered.manifest["pruned_files"] == FILES - 2


def test_deleted_rows_are_told_by_files_in_the_store(bucket: str, tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    table = tmp_path / "t"
    options = {"configuration": {"delta.enableDeletionVectors": "true"}}
    deltalake.write_deltalake(str(table), small_table(9), **options)
    delete_rows(table, [0, 3, 8])
    copy(table, f"{bucket}/t")
    assert ids(score(tmp_path, f"{bucket}/t")) == [1, 2, 4, 5, 6, 7]


def test_a_killed_run_stays_on_its_version(bucket: str, tmp_path: Path) -> None:
    table = write_delta(tmp_path / "t")
    copy(table, f"{bucket}/t")
    source = {"paths": f"{bucket}/t", "format": "delta"}
    config = write_job(tmp_path, tiny_package(tmp_path / "model"), source=source)
    plan = make_plan(ScoringJob(**json.loads(config.read_text())))
    with hold(plan.run, "tiny"):
        store_plan(plan)
    deltalake = pytest.importorskip("deltalake")
    deltalake.write_deltalake(str(table), small_table(2, first=90), mode="append")
    copy(table, f"{bucket}/t")
    versions = []
    for _ in range(2):
        outcome = run_job(config, "--direct_running_mode=in_memory")
        versions.append((outcome.manifest["table"]["version"], len(ids(outcome))))
    assert versions == [(FILES - 1, 2 * FILES), (FILES, 2 * FILES + 2)]


def test_requests_are_few(bucket: str, server: Server, proxy: Proxy, tmp_path: Path) -> None:
    """To plan: the log once, and each data file's size and footer; of files that a filter leaves out none."""
    table = write_delta(tmp_path / "t")
    copy(table, f"{bucket}/t")
    package = tiny_package(tmp_path / "model")
    source = {"paths": f"{bucket}/t", "format": "delta"}
    config = write_job(tmp_path, package, source=source)
    job = json.loads(config.read_text())
    with at(Server(server.scheme, proxy.address)):
        plan = make_plan(ScoringJob(**job))
        whole = list(proxy.requests)
        assert len(plan.shards) == FILES
        proxy.requests.clear()
        job["source"]["where"] = "id >= 13"
        plan = make_plan(ScoringJob(**job))
        assert len(plan.shards) == 2
    of_files = [name for name in whole if "part-" in name]
    of_log = [name for name in whole if "_delta_log" in name]
    asked_for = {
        name for request in proxy.requests for name in re.findall(r"part-[0-9a-z-]+", request)
    }
    assert len(asked_for) == 2
    # What it is, and its footer, which is read twice; gcsfs asks for more than once what a thing is.
    a_file = {"s3": 3, "gs": 5}[server.scheme]
    assert len(of_files) <= a_file * FILES
    # Three files, and their folder.
    assert len(of_log) <= 1 + 3 * a_file


def move(content: bytes, old: str, new: str) -> bytes:
    """Return a manifest with all paths in another place."""
    reader = fastavro.reader(BytesIO(content))
    entries = [rename(entry, old, new) for entry in reader]
    moved = BytesIO()
    schema = json.loads(reader.metadata["avro.schema"])
    fastavro.writer(moved, schema, entries, codec="deflate", metadata={})
    return moved.getvalue()


def rename(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: rename(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [rename(inner, old, new) for inner in value]
    if isinstance(value, str):
        return value.replace(old, new)
    return value.replace(old.encode(), new.encode()) if isinstance(value, bytes) else value


def copy_iceberg(root: Path, url: str, called: str) -> None:
    """Put an Iceberg table into a store, where its own files call the place otherwise."""
    old = f"file://{root}"

    def change(name: str, content: bytes) -> bytes:
        if name.endswith(".avro"):
            return move(move(content, old, called), str(root), called)
        if name.endswith((".json", ".puffin")):
            # The size of a Puffin file's footer stands behind it.
            text = content.replace(old.encode(), called.encode())
            return text.replace(str(root).encode(), called.encode())
        return content

    copy(root, url, change)


@pytest.mark.parametrize("scheme", ["own", "other"])
def test_an_iceberg_table_is_that_of_a_disk(
    scheme: str, bucket: str, server: Server, tmp_path: Path
) -> None:
    """Its files name themselves in full, as `s3a` or `gcs`, too, as Spark calls the stores."""
    pytest.importorskip("pyiceberg")
    pytest.importorskip("sqlalchemy")
    with open_catalog(tmp_path) as catalog:
        rows = small_table(6)
        table = catalog.create_table("db.t", rows.schema)
        table.append(rows.slice(0, 3))
        table.append(rows.slice(3))
        metadata = place(table)
    other = {"s3": "s3a", "gs": "gcs"}[server.scheme]
    called = f"{bucket}/t" if scheme == "own" else bucket.replace(server.scheme, other, 1) + "/t"
    copy_iceberg(metadata.parents[1], f"{bucket}/t", called)
    place_there = f"{bucket}/t/metadata/{metadata.name}"
    settings = {"source.format": "iceberg"}
    outcome = score(tmp_path, place_there, **settings)
    assert ids(outcome) == list(range(6))
    assert outcome.manifest["table"]["url"] == f"{bucket}/t"
    filtered = score(tmp_path, place_there, **settings, **{"source.where": "id < 3"})
    assert ids(filtered) == [0, 1, 2]
    assert filtered.manifest["pruned_files"] == 1
    missing = score(tmp_path, f"{bucket}/t/metadata/x.metadata.json", **settings)
    assert missing.status == 3
    assert "x.metadata.json: does not exist" in missing.error


def test_a_log_that_may_not_be_read_is_told(bucket: str, tmp_path: Path) -> None:
    score(tmp_path, f"{bucket}/none").refused("it is no Delta table")
    nowhere = bucket + "-none"
    refused = score(tmp_path, f"{nowhere}/t")
    refused.refused(nowhere)
