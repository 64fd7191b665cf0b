"""A run is compared as it is published, on a disk and in a store: what is held back stands whole, and is seen by nobody."""

from dataclasses import replace

import pytest

from configs.errors import HeldError, PublishError, VerifyError
from model_zoo.evaluation.findings import Finding, Limit, Rules
from storage import files
from storage.layout import find_current_run, is_held, is_published, read_held, read_manifest
from storage.run_folder import RunFolder
from tests.support.publishing import two_units
from transforms.batches import WrittenPart
from transforms.output.compared_reference import (
    ComparedReference,
    ReferenceHead,
    decode_reference,
    encode_reference,
    make_empty_profile,
)
from transforms.output.published_monitor import describe_monitor, judge, publish_monitor
from transforms.publish import publish_run
from transforms.summaries.profile import make_profile
from transforms.summaries.reference import NO_REFERENCE

HEAD = {"format": 1, "job": {"name": "demo"}, "planned_at": "2100-01-01T00:00:00.000000+00:00"}
FEWER = Rules({}, {}, {}, fewer_rows=Limit(hold=0.5))
BEFORE = ReferenceHead("previous", "previous", "run x (90 rows)", ("x",), (90,))


def freeze(run: RunFolder, head: ReferenceHead = BEFORE) -> None:
    """Leave what a run is compared with, as its launch does."""
    reference = ComparedReference(head, make_empty_profile())
    files.create(run.reference, encode_reference(reference))


def publish(run: RunFolder, parts: list[WrittenPart]) -> None:
    # Units without summaries: those are not what this is about.
    publish_run(run, parts, HEAD, 1, 0.0, rules=FEWER)


def test_a_run_with_too_few_rows_is_held_back(run: RunFolder) -> None:
    planned, parts = two_units(run.output, "few")
    freeze(planned)
    with pytest.raises(HeldError, match=r"10 rows are 0\.111 times the 90 of the reference"):
        publish(planned, parts)
    assert is_held(planned)
    assert not is_published(planned)
    assert find_current_run(run.output) is None
    assert not files.exists(planned.temporary)
    document = read_held(planned)
    assert document is not None
    assert document["monitor"]["verdict"] == "held"
    for entry in document["files"]:
        assert files.compute_sha256(f"{planned.published}/{entry['path']}") == entry["sha256"]


def test_rows_of_training_are_told_as_no_nights() -> None:
    head = ReferenceHead("training", "training", "training (90 rows)", volumes=(90,))
    (finding,) = judge(ComparedReference(head, make_empty_profile()), [], 10, FEWER)
    assert finding.says == (
        "10 rows are 0.111 times the 90 of training, which was no night, "
        "hold with fewer than 0.5 times"
    )


def test_a_bundle_that_is_tried_again_ends_alike(run: RunFolder) -> None:
    planned, parts = two_units(run.output, "few")
    freeze(planned)
    summaries = (make_profile([], NO_REFERENCE),)
    with pytest.raises(HeldError) as first:
        publish(planned, parts)
    held = files.read(planned.held)
    with pytest.raises(HeldError) as second:
        publish_run(planned, parts, HEAD, 1, 0.0, summaries, rules=FEWER)
    assert str(first.value) == str(second.value)
    assert files.read(planned.held) == held


def test_enough_rows_are_published(run: RunFolder) -> None:
    planned, parts = two_units(run.output, "enough")
    freeze(planned, replace(BEFORE, volumes=(20,)))
    publish(planned, parts)
    _, manifest = read_manifest(run.output, planned.run_id)
    assert manifest["monitor"]["verdict"] == "clean"
    assert manifest["monitor"]["reference"]["profile"] is None
    assert find_current_run(run.output) == planned.run_id


def test_what_it_is_compared_with_must_be_there(run: RunFolder) -> None:
    planned, parts = two_units(run.output, "gone")
    with pytest.raises(PublishError, match="what it is compared with is gone"):
        publish(planned, parts)
    files.create(planned.reference, b"none")
    with pytest.raises(PublishError, match="is no reference"):
        publish(planned, parts)
    assert not is_held(planned)


def test_findings_of_others_decide_as_well(run: RunFolder) -> None:
    finding = Finding("hold", "check", "id", "unique", "id: 3 rows have a key that others have")
    entries = publish_monitor(run, None, {"in": 9}, [], [finding])
    assert entries["monitor"]["verdict"] == "held"
    assert entries["monitor"]["reference"]["kind"] == "none"
    assert entries["monitor"]["findings"] == [finding.as_dict()]
    assert publish_monitor(run, None, {"in": 9}, []) == {}


def test_a_reference_is_what_was_stored() -> None:
    head = replace(BEFORE, notes=("a", "b"))
    stored = encode_reference(ComparedReference(head, make_empty_profile()))
    assert decode_reference(stored).head == head
    assert decode_reference(stored).rows == 0


def test_who_reads_finds_no_run_that_is_held(run: RunFolder) -> None:
    planned, parts = two_units(run.output, "few")
    freeze(planned)
    with pytest.raises(HeldError):
        publish(planned, parts)
    with pytest.raises(VerifyError, match="is held back by its monitor"):
        read_manifest(run.output, planned.run_id)


@pytest.mark.parametrize("paths", [[], ["_summaries/reference-1.parquet"]])
def test_the_manifest_names_the_copy_of_what_a_run_is_compared_with(paths: list[str]) -> None:
    entries = [{"name": "profile", "path": "_summaries/profile-1.parquet"}]
    entries += [{"name": "reference", "path": path} for path in paths]
    told = describe_monitor(ComparedReference(BEFORE, make_empty_profile()), [], [], entries)
    assert told["reference"] == {
        "kind": "previous",
        "asked": "previous",
        "says": "run x (90 rows)",
        "runs": ["x"],
        "rows": 0,
        "profile": paths[0] if paths else None,
    }
    assert (told["verdict"], told["findings"], told["distances"]) == ("clean", [], [])
