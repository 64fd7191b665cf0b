"""JSON lines, Arrow IPC, ORC and Avro, end to end: the scores of Parquet's rows, and what is wrong in a file costs a row or is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.format_files import KINDS, TYPES, WRITERS, write_lines
from tests.support.jobs import Outcome, small_table

Score = Callable[..., Outcome]


def settings_of(name: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"source.format": name, "source.passthrough": ["s"]}
    if name == "jsonl":
        settings["source.types"] = TYPES
    return settings


def make_rows(count: int, first: int = 0) -> pa.Table:
    texts = pa.array([None if n % 5 == 0 else f"t {n}é" for n in range(first, first + count)])
    return small_table(count, first=first, s=texts)


def in_order(outcome: Outcome) -> list[dict[str, Any]]:
    return sorted(outcome.scored().to_pylist(), key=lambda row: row["id"])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_scored_as_those_of_parquet(kind: str, score_it: Score, tmp_path: Path) -> None:
    name, write = WRITERS[kind]
    plain, other = tmp_path / "plain", tmp_path / kind
    plain.mkdir()
    other.mkdir()
    for number in range(3):
        rows = make_rows(20, 20 * number)
        pq.write_table(rows, plain / f"{number}.parquet")
        write(other / f"{number}.{name}", rows)
    expected = score_it(plain, settings={"source.passthrough": ["s"]})
    found = score_it(other, settings=settings_of(name))
    assert in_order(found) == in_order(expected)
    assert found.manifest["rows"] == expected.manifest["rows"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_fails_costs_itself(kind: str, score_it: Score, tmp_path: Path) -> None:
    name, write = WRITERS[kind]
    rows = small_table(9, a=pa.array([1.0] * 4 + [1e300] + [1.0] * 4), s=pa.array(["x"] * 9))
    write(tmp_path / f"in.{name}", rows)
    outcome = score_it(tmp_path / f"in.{name}", settings=settings_of(name))
    assert outcome.scored().num_rows == 8
    (record,) = outcome.rejected()
    assert (record["row"], record["key"]) == (4, 4)


@pytest.mark.parametrize("kind", ["avro", "feather", "orc", "stream"])
def test_a_file_that_ends_early_is_named(kind: str, score_it: Score, tmp_path: Path) -> None:
    name, write = WRITERS[kind]
    path = tmp_path / f"in.{name}"
    write(path, make_rows(50))
    content = path.read_bytes()
    for size in (0, 1, len(content) // 2, len(content) - 3):
        path.write_bytes(content[:size])
        score_it(path, settings=settings_of(name)).refused(f"in.{name}")


def test_lines_that_are_no_rows_cost_themselves(score_it: Score, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    write_lines(path, make_rows(5))
    good = path.read_bytes().splitlines()
    bad = [b"{", b"[1]", b"null", b'{"id": 1.0, "a": 1}', good[0] + good[1], b"\xff\xfe", b'"x"']
    mixed = [line for pair in zip(good, bad, strict=False) for line in pair]
    path.write_bytes(b"\r\n".join([*mixed, *bad[5:]]))
    outcome = score_it(path, settings=settings_of("jsonl"))
    assert sorted(outcome.scored()["id"].to_pylist()) == [0, 1, 2, 3, 4]
    assert [record["row"] for record in outcome.rejected()] == [1, 3, 5, 7, 9, 10, 11]
    assert outcome.manifest["rows"]["in"] == 12


def test_lines_of_no_byte_are_no_rows(score_it: Score, tmp_path: Path) -> None:
    """As Spark writes them of a part without rows, and this program of a unit."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_lines(folder / "a.jsonl", make_rows(3))
    (folder / "b.jsonl").touch()
    (folder / "c.jsonl").write_text("\n\n")
    outcome = score_it(folder, settings=settings_of("jsonl"))
    assert outcome.scored()["id"].to_pylist() == [0, 1, 2]
    assert [unit["in"] for unit in outcome.manifest["units"]] == [3, 0, 0]


@pytest.mark.parametrize("name", ["arrow", "jsonl"])
def test_scores_are_input_again(name: str, score_it: Score, tmp_path: Path) -> None:
    """Also those of a file all of whose rows a filter takes out."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):
        pq.write_table(make_rows(6, 6 * number), folder / f"{number}.parquet")
    carried = {"source.passthrough": ["a", "b", "c", "s"], "sink.format": name}
    first = score_it(folder, settings=carried | {"postprocess.where": "id >= 6"})
    second = score_it(first.run / "scored", settings=settings_of(name))
    assert sorted(second.scored()["id"].to_pylist()) == [6, 7, 8, 9, 10, 11]
