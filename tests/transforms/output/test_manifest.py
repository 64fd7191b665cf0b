"""What a manifest tells, against counting by hand."""

import json

import pytest

from storage.packed import Packed
from storage.run_folder import RunFolder
from tests.support.builders import make_unit
from transforms.batches import WrittenFile, WrittenPart
from transforms.output.manifest import describe_run, encode_manifest, list_unit_books
from transforms.output.plan_file import StoredPlan
from transforms.timing import STAGES

RUN = RunFolder("o", "run1")
NO_FILES: dict[str, list[dict[str, object]]] = {"files": [], "rejected_files": []}


def part(unit: int, rows: tuple[int, int, int, int], **changes: object) -> WrittenPart:
    return WrittenPart(
        unit, "a", 0, *rows, True, (WrittenFile("p", rows[1], 9, "f"),), (), **changes
    )  # type: ignore[arg-type]


def test_the_books_of_a_unit_are_those_of_its_pieces() -> None:
    units = (
        make_unit(0, 9),
        make_unit(1, 5, "t.parquet", first_row=40, span=(2, 3)),
    )
    parts = [part(1, (5, 3, 1, 1)), part(0, (4, 4, 0, 0)), part(0, (5, 2, 3, 0))]
    assert list(list_unit_books(StoredPlan(units, (), ()), parts)) == [
        {
            "shard": "s.parquet",
            "span": [0, 1],
            "first_row": 0,
            "in": 9,
            "scored": 6,
            "filtered": 3,
            "rejected": 0,
        },
        {
            "shard": "t.parquet",
            "span": [2, 3],
            "first_row": 40,
            "in": 5,
            "scored": 3,
            "filtered": 1,
            "rejected": 1,
        },
    ]


def test_who_computed_it_is_told_once_and_how_many_parts_each_worker_wrote() -> None:
    parts = [
        part(0, (1, 1, 0, 0), placement="cpu", worker="b:2"),
        part(1, (1, 1, 0, 0), placement="gpu", worker="a:1"),
        part(2, (1, 1, 0, 0), placement="cpu", worker="b:2"),
        part(3, (1, 1, 0, 0)),  # of an older version
    ]
    told = describe_run(RUN, parts, {"in": 4}, NO_FILES)
    assert (told["computed_by"], told["workers"]) == (["cpu", "gpu"], {"a:1": 1, "b:2": 2})
    assert (told["run_id"], told["rows"], told["files"], told["rejected_files"]) == (
        "run1",
        {"in": 4},
        [],
        [],
    )


def test_seconds_are_told_in_millionths_and_shares_in_ten_thousandths() -> None:
    stages = {"read": 1.00000049, "model": 2.0000005}
    told = describe_run(
        RUN,
        [part(0, (7, 7, 0, 0), stages=stages, began=10.0, ended=13.00449, peak_memory=5)],
        {},
        NO_FILES,
    )
    assert list(told["stages"]) == list(STAGES)
    assert told["stages"]["read"] == {"seconds": 1.0, "share": 0.3333}
    assert told["stages"]["model"] == {"seconds": 2.000001, "share": 0.6667}
    assert (told["seconds"], told["rows_per_second"], told["peak_memory_bytes"]) == (3.004, 2, 5)


@pytest.mark.parametrize(
    ("spans", "covered"),
    [
        ([], 0.0),
        ([(1.0, 3.0)], 2.0),
        ([(1.0, 3.0), (1.0, 2.0), (2.0, 4.0)], 3.0),
        ([(9.0, 10.0), (1.0, 3.0)], 3.0),
        ([(1.0, 9.0), (2.0, 3.0), (4.0, 5.0)], 8.0),
        ([(5.0, 4.0)], 0.0),
        ([(0.25, 0.75)], 0.5),
    ],
)
def test_time_that_workers_spend_side_by_side_counts_once(
    spans: list[tuple[float, float]], covered: float
) -> None:
    parts = [
        part(0, (5, 5, 0, 0), stages={"read": 1.0}, began=began, ended=ended)
        for began, ended in spans
    ]
    told = describe_run(RUN, parts, {}, NO_FILES)
    assert told["seconds"] == covered
    assert told["rows_per_second"] == (round(5 * len(spans) / covered) if covered else None)


def test_where_no_time_was_taken_there_are_no_shares() -> None:
    told = describe_run(
        RUN, [part(0, (1, 1, 0, 0), stages={"read": 0.0}, began=5.0, ended=5.0)], {}, NO_FILES
    )
    assert told["stages"]["read"] == {"seconds": 0.0, "share": 0.0}
    assert (told["seconds"], told["rows_per_second"], told["peak_memory_bytes"]) == (0.0, None, 0)
    assert describe_run(RUN, [], {}, NO_FILES)["peak_memory_bytes"] is None


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1, "b": [], "c": [1, 2], "d": {"e": [{"f": 1}]}, "g": None},
        {"files": [{"path": "a", "rows": 1}, {"path": "b", "rows": 2}], "last": "x"},
        {"only": [{}]},
    ],
)
def test_a_manifest_is_json_and_has_a_line_for_each_file(content: dict[str, object]) -> None:
    text = encode_manifest(content).decode()
    assert json.loads(text) == content
    assert text.endswith("}\n")
    lines = text.splitlines()
    for value in content.values():
        for entry in value if isinstance(value, list) else ():
            if isinstance(entry, dict):
                assert [line.strip().rstrip(",") for line in lines].count(json.dumps(entry)) == 1


def test_lists_that_are_packed_or_made_as_they_are_written_look_like_any_other() -> None:
    entries = [{"url": f"{number}", "rows": number} for number in range(600)]
    plain = encode_manifest(
        {"inputs": tuple(entries), "units": entries, "none": [], "names": ["a", "b"]}
    )
    packed = encode_manifest(
        {
            "inputs": Packed(entries),
            "units": iter(entries),
            "none": iter(()),
            "names": ("a", "b"),
        }
    )
    assert packed == plain
    assert json.loads(plain)["units"] == entries
    # Inputs stand in one line, as they always did, and each unit in one of its own.
    inputs = json.dumps(entries)
    units = ",\n  ".join(map(json.dumps, entries))
    lines = [
        f'"inputs": {inputs}',
        f'"units": [\n  {units}\n ]',
        '"none": []',
        '"names": ["a", "b"]',
    ]
    body = ",\n ".join(lines)
    expected = f"{{\n {body}\n}}\n"
    assert plain.decode() == expected
