"""A stored plan comes back as it was, and one of an older version is still read, so that a run which that version began can be resumed."""

import json
from pathlib import Path

import pytest

from configs.errors import InputError
from storage import files
from storage.packed import Packed
from tests.support.builders import make_unit
from transforms.output.plan_file import StoredPlan, encode_plan, read_plan
from transforms.unit_members import join_members

INPUTS = [
    {"url": "a.parquet", "bytes": 10, "version": "1", "rows": 7},
    {"url": "b.csv", "bytes": 20, "version": "2", "rows": None},
]


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    units = (
        make_unit(0, 7, "a.parquet", version="1", span=(2, 3)),
        make_unit(1, None, "b.csv", version="2", span=()),
        make_unit(2, 4, "b.csv", first_row=9, version="2", span=(30, 400)),
    )
    plan = StoredPlan(units, tuple(INPUTS), ("left_out",))
    files.create(str(tmp_path / "plan.json"), encode_plan(plan))
    assert read_plan(str(tmp_path / "plan.json")) == plan


def test_a_plan_of_many_small_shards_is_one_object_of_json_and_comes_back(tmp_path: Path) -> None:
    """Its lists are packed in memory, and stored as the json module writes them."""
    count = 1_200
    inputs = [
        {"url": f"in/{number}.parquet", "bytes": 10, "version": f"v{number}", "rows": 7}
        for number in range(count)
    ]
    pieces = [
        make_unit(
            number, 7, entry["url"], version=entry["version"], span=(0, 1), files=f"d{number}"
        )
        for number, entry in enumerate(inputs)
    ]
    # Of both kinds: packed, and a tuple; and a piece that lies between them alone.
    groups = [range(1_000), range(1_001, count), [1_000]]
    units = [join_members(index, [pieces[n] for n in g]) for index, g in enumerate(groups)]
    plan = StoredPlan(units, Packed(inputs), (), table={"version": 3})
    content = encode_plan(plan)
    expected = {
        "format": 2,
        "inputs": inputs,
        "ignored_inputs": [],
        "units": [[number, 0, 7, 100, 0, 1] for number in range(count)],
        "files": [f"d{number}" for number in range(count)],
        "table": {"version": 3},
        "together": [list(numbers) for numbers in groups],
    }
    assert content == json.dumps(expected, separators=(",", ":")).encode()
    (tmp_path / "plan.json").write_bytes(content)
    read = read_plan(str(tmp_path / "plan.json"))
    assert isinstance(read.units[0].members, Packed)
    assert list(read.units) == units
    assert (read.inputs, read.table) == (inputs, {"version": 3})


def test_a_plan_of_an_older_version_is_read(tmp_path: Path) -> None:
    """There, a unit was: input, first row group, row groups, first row, rows, bytes, bytes of the header, first byte."""
    units = [
        [0, 2, 3, 5, 7, 100, 0, 0],
        [1, 0, 0, 0, None, 200, 0, 0],
        [1, 0, 0, 9, 4, 300, 30, 400],
    ]
    content = {"inputs": INPUTS, "ignored_inputs": ["left_out"], "units": units}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    plan = read_plan(str(tmp_path / "plan.json"))
    assert plan.units == (
        make_unit(0, 7, "a.parquet", 5, version="1", span=(2, 3), bytes=100),
        make_unit(1, None, "b.csv", version="2", span=(), bytes=200),
        make_unit(2, 4, "b.csv", 9, version="2", span=(30, 400), bytes=300),
    )
    assert plan.ignored_inputs == ("left_out",)


def test_a_plan_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the plan is gone"):
        read_plan(str(tmp_path / "plan.json"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"units": [[0]], "inputs": []}',
        b'{"inputs": 7}',
        b"[" * 100_000,
    ],
    ids=["nothing", "a list", "cut", "no text", "no such input", "a number", "deep"],
)
def test_what_is_no_plan_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"plan\.json: is no plan of a run, or is broken; remove"):
        read_plan(str(path))
