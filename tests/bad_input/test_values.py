"""Values that are easily changed on the way come out exactly as they went in, compared in Arrow and by what stands in the file."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_input.forms import same
from tests.support.jobs import Outcome, small_table, write_parquet

Score = Callable[..., Outcome]

NAN_WITH_A_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF))[0]
YEAR_1 = -62_135_596_800
SPRING, AUTUMN = (
    1_711_846_800,
    1_729_990_800,
)  # the hours in which Berlin changed its clocks in 2024


def seconds(*values: int | None, factor: int = 1) -> list[int | None]:
    return [None if v is None else v * factor for v in values]


VALUES: dict[str, pa.Array] = {
    "2^53+1 beside nulls": pa.array([2**53 + 1, None, -(2**53) - 1, None, 2**63 - 1], pa.int64()),
    "uint64 max": pa.array([2**64 - 1, 0, None, 2**63, 1], pa.uint64()),
    "decimal(38,9)": pa.array(
        [
            Decimal("99999999999999999999999999999.999999999"),
            None,
            Decimal("-0.000000001"),
            Decimal(0),
            Decimal("1.1"),
        ],
        pa.decimal128(38, 9),
    ),
    "decimal(76,1)": pa.array(
        [Decimal("1" * 75 + ".1"), None, Decimal(0), Decimal("-0.1"), Decimal("1.1")],
        pa.decimal256(76, 1),
    ),
    "timestamp ns": pa.array([1, None, 1_700_000_000_123_456_789, -1, 0], pa.timestamp("ns")),
    "timestamp year 1": pa.array(
        seconds(YEAR_1, None, 0, YEAR_1 + 1, -1, factor=10**6), pa.timestamp("us")
    ),
    "timestamp zone": pa.array(
        seconds(YEAR_1, None, SPRING, AUTUMN, -1, factor=1000),
        pa.timestamp("ms", tz="Europe/Berlin"),
    ),
    "clock change": pa.array(
        seconds(SPRING - 1, SPRING, AUTUMN - 3600, AUTUMN, AUTUMN + 3600, factor=10**9),
        pa.timestamp("ns", tz="Europe/Berlin"),
    ),
    "date": pa.array([YEAR_1 // 86_400, None, 0, -1, 2_932_896], pa.date32()),
    "time": pa.array([0, None, 86_399_999_999, 1, 2], pa.time64("us")),
    "large_string": pa.array(["x", "", None, "ä\0ö", "🙂"], pa.large_string()),
    "list": pa.array([[1, None], [], None, [2**53 + 1], [0]], pa.list_(pa.int64())),
    "fixed list": pa.array([[1, 2], [None, 4], [3, None], [0, 0], [5, 6]], pa.list_(pa.int16(), 2)),
    "struct": pa.array(
        [
            {"a": 1, "b": {"c": "x"}},
            None,
            {"a": None, "b": None},
            {"a": 2, "b": {"c": None}},
            {"a": 3, "b": {"c": ""}},
        ],
        pa.struct([("a", pa.int8()), ("b", pa.struct([("c", pa.string())]))]),
    ),
    "map": pa.array(
        [[("k", 1), ("k2", None)], [], None, [("", 2**53 + 1)], [("a", 0)]],
        pa.map_(pa.string(), pa.int64()),
    ),
    "invalid UTF-8": pa.array(
        [b"\xff\xfe\x00", b"", None, "ä".encode("latin-1"), b"\xed\xa0\x80"], pa.binary()
    ),
    "fixed bytes": pa.array([b"\xff\x00", None, b"ab", b"\0\0", b"cd"], pa.binary(2)),
    "NaN beside null": pa.array(
        [float("nan"), None, NAN_WITH_A_PAYLOAD, float("inf"), -float("inf")], pa.float64()
    ),
    "-0.0": pa.array([-0.0, 0.0, None, 5e-324, -5e-324], pa.float64()),
    "float32": pa.array([-0.0, float("nan"), None, 1e-45, 16_777_217.0], pa.float32()),
    "half": pa.array([-0.0, float("nan"), None, 6e-8, 65_504.0], pa.float16()),
    "bool": pa.array([True, None, False, True, None], pa.bool_()),
    "null": pa.nulls(5),
    "dictionary": pa.array(["a", None, "b", "a", ""]).dictionary_encode(),
}


def test_the_comparison_sees_every_bit() -> None:
    pairs = [([-0.0], [0.0]), ([float("nan")], [None]), ([NAN_WITH_A_PAYLOAD], [float("nan")])]
    for one, other in pairs:
        assert same(pa.chunked_array([one], pa.float64()), pa.chunked_array([one], pa.float64()))
        assert not same(
            pa.chunked_array([one], pa.float64()), pa.chunked_array([other], pa.float64())
        )
    assert not same(
        pa.chunked_array([["a"]], pa.string()), pa.chunked_array([["a"]], pa.large_string())
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"postprocess.where": "probability >= 0"},
        {"postprocess.sort_by": "id desc"},
        {"source.rows_per_batch": 2},
    ],
    ids=str,
)
def test_values_are_carried_exactly(settings: dict, score_it: Score, tmp_path: Path) -> None:
    source = write_parquet(tmp_path / "in.parquet", small_table(5, **VALUES), row_group_size=3)
    outcome = score_it(source, settings={"source.passthrough": list(VALUES), **settings})
    actual, expected = outcome.rows(), pq.read_table(source)
    for name, given in VALUES.items():
        assert expected.schema.field(name).type == given.type, name
        assert same(actual[name], expected[name]), name
        assert same(expected[name], pa.chunked_array([given])), name


def test_a_dictionary_that_differs_per_row_group_and_per_shard(
    score_it: Score, tmp_path: Path
) -> None:
    words = [["red", "green", None], ["blue", "red", "green"], ["", "blue", None]]
    for shard in range(2):
        path = tmp_path / f"in/{shard}.parquet"
        path.parent.mkdir(exist_ok=True)
        groups = [
            small_table(3, first=9 * shard + 3 * i, word=pa.array(w).dictionary_encode())
            for i, w in enumerate(words[:: 1 - 2 * shard])
        ]
        with pq.ParquetWriter(path, groups[0].schema) as writer:
            for group in groups:
                writer.write_table(group)
    outcome = score_it(tmp_path / "in", settings={"source.passthrough": ["word"]})
    assert outcome.rows()["word"].to_pylist() == [
        word for group in words + words[::-1] for word in group
    ]
    assert outcome.rows().schema.field("word").type == pa.dictionary(pa.int32(), pa.string())


def test_python_agrees_about_the_hours_of_the_clock_change() -> None:
    assert datetime.fromtimestamp(SPRING, UTC) == datetime(2024, 3, 31, 1, tzinfo=UTC)
    assert datetime.fromtimestamp(AUTUMN, UTC) == datetime(2024, 10, 27, 1, tzinfo=UTC)
