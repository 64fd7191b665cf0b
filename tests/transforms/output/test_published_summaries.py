"""Summaries of parts, merged as a run is published, on a disk and in a store: whatever the parts, the same bytes."""

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import PublishError
from storage import files
from storage.layout import read_manifest
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, planned_run, scored_batch
from tests.transforms.written_units import file_format
from transforms.batches import ScoredBatch, WorkUnit, WrittenPart
from transforms.output.published_files import find_summary_name
from transforms.output.published_summaries import publish_summaries
from transforms.publish import publish_run
from transforms.summaries.profile import make_profile
from transforms.summaries.reference import NO_REFERENCE
from transforms.summaries.summary import summarise
from transforms.write import _WriteUnits

HEAD = {"format": 1, "job": {"name": "demo"}, "planned_at": "2100-01-01T00:00:00.000000+00:00"}
SUMMARIES = (make_profile(["id"], NO_REFERENCE),)
UNITS = [make_unit(index, shard=f"{index}.parquet") for index in range(3)]


def batches_of(unit: WorkUnit, ids: list[int], sizes: tuple[int, ...]) -> list[ScoredBatch]:
    """Batches of a unit of ten rows, each with its states."""
    batches, first = [], 0
    for size in sizes:
        batch = scored_batch(unit, first, ids[first : first + size], last=first + size == 10)
        columns = {"id": batch.rows.column("id")}
        batches.append(replace(batch, summaries=summarise(SUMMARIES, "input", columns)))
        first += size
    return batches


def write_bundles(run: RunFolder, bundles: Iterable[list[ScoredBatch]]) -> list[WrittenPart]:
    """What workers give for bundles of batches."""
    parts = []
    for bundle in bundles:
        verb = _WriteUnits(run, file_format(), SUMMARIES)
        verb.setup()
        verb.start_bundle()
        parts += [part for batch in bundle for part in verb.process(batch)]
        parts += [value.value for value in verb.finish_bundle()]
    return parts


def list_batches() -> list[list[ScoredBatch]]:
    # The last two units know the very same of their rows.
    ids = [list(range(10)), [7] * 10, [7] * 10]
    return [batches_of(unit, of_unit, (5, 5)) for unit, of_unit in zip(UNITS, ids, strict=True)]


def read_profile(run: RunFolder) -> bytes:
    _, manifest = read_manifest(run.output, run.run_id)
    (entry,) = manifest["summaries"]
    return files.read(f"{run.published}/{entry['path']}") or b""


def test_parts_are_merged_whatever_they_are(run: RunFolder) -> None:
    planned = planned_run(run.output, UNITS, "planned")
    whole = write_bundles(planned, list_batches())
    publish_run(planned, whole, HEAD, 0, 0.0, SUMMARIES)
    other = planned_run(run.output, UNITS, "run2")
    first, second, third = list_batches()
    # A runner broke units apart, and ended them in another order.
    broken = write_bundles(other, [third[:1], second, third[1:], first[1:], first[:1]])
    publish_run(other, broken, HEAD, 0, 0.0, SUMMARIES)
    content = read_profile(planned)
    assert read_profile(other) == content
    (row,) = pq.read_table(pa.BufferReader(content)).to_pylist()
    assert (row["rows"], row["min"], row["max"]) == (30, 0.0, 9.0)
    assert row["mean"] == pytest.approx((45 + 140) / 30, rel=1e-15)
    _, manifest = read_manifest(run.output, "run2")
    assert len({entry["path"] for entry in manifest["summary_parts"]}) == 5
    for entry in manifest["summary_parts"]:
        assert files.compute_sha256(f"{other.published}/{entry['path']}") == entry["sha256"]


def test_a_run_that_is_published_again_keeps_its_summaries(run: RunFolder) -> None:
    planned = planned_run(run.output, UNITS, "planned")
    parts = write_bundles(planned, list_batches())
    publish_run(planned, parts, HEAD, 0, 0.0, SUMMARIES)
    content = read_profile(planned)
    publish_run(planned, parts, HEAD, 0, 0.0, SUMMARIES)
    assert read_profile(planned) == content


def test_a_unit_without_a_summary_is_refused(run: RunFolder) -> None:
    with pytest.raises(PublishError, match="0 of 1 parts have a summary called profile"):
        publish_summaries(run, SUMMARIES, [], 1)
    assert publish_summaries(run, (), [], 1) == {}


def test_a_run_of_no_units_has_no_summary(run: RunFolder) -> None:
    assert publish_summaries(run, SUMMARIES, [], 0) == {"summaries": []}


def test_the_word_of_a_summary_ends_its_name() -> None:
    assert find_summary_name("0000007-0123456789ab-profile.parquet") == "profile"
