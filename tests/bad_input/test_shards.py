"""Input files that are broken, empty, strangely named, or far larger inside than outside."""

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest

from tests.faults.counts import full_or
from tests.support.jobs import Outcome, small_table, write_parquet
from tests.support.programs import Programs
from transforms.formats import parquet as parquet_format

Score = Callable[..., Outcome]

ODD_NAMES = [
    "a b.parquet",
    "100%.parquet",
    "%20.parquet",
    "a#b?.parquet",
    "line\nbreak.parquet",
    "größe-日本.parquet",
    "-leading.parquet",
    "a::b.parquet",
    "a[0-9]*.parquet",
    "x" * 247 + ".parquet",
]


def broken(content: bytes, how: str) -> bytes:
    if how == "flipped bit":
        at = len(content) // 2
        return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]
    return {
        "0 bytes": b"",
        "truncated": content[: len(content) // 2],
        "cut by one byte": content[:-1],
        "garbage footer": content[:-50] + b"\xa5" * 42 + content[-8:],
        "CSV": b"id,a,b,c\n1,1,1,1\n",
        "only the magic": b"PAR1PAR1",
        "zeros": b"\0" * len(content),
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        "0 bytes",
        "truncated",
        "cut by one byte",
        "garbage footer",
        "flipped bit",
        "CSV",
        "only the magic",
        "zeros",
    ],
)
def test_a_broken_shard_among_good_ones_is_refused_by_name(
    how: str, score_it: Score, tmp_path: Path
) -> None:
    rows = small_table(
        20_000, a=pa.array(np.random.default_rng(1).standard_normal(20_000, dtype=np.float32))
    )
    write_parquet(tmp_path / "in/good.parquet")
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    path = write_parquet(tmp_path / "in/bad.parquet", rows, **options)
    path.write_bytes(broken(path.read_bytes(), how))
    score_it(tmp_path / "in").refused("bad.parquet")


def test_zero_rows_and_zero_row_groups_are_fine(score_it: Score, tmp_path: Path) -> None:
    write_parquet(tmp_path / "in/rows.parquet", small_table(0))
    pq.ParquetWriter(tmp_path / "in/groups.parquet", small_table().schema).close()
    assert pq.read_metadata(tmp_path / "in/groups.parquet").num_row_groups == 0
    empty = score_it(tmp_path / "in")
    assert empty.manifest["rows"] == {"in": 0, "scored": 0, "filtered": 0, "rejected": 0}
    assert empty.rows().schema.names == ["id", "probability"]
    write_parquet(tmp_path / "in/some.parquet")
    assert score_it(tmp_path / "in").rows()["id"].to_pylist() == [0, 1, 2, 3]


def test_a_file_that_two_globs_name_is_scored_once(score_it: Score, tmp_path: Path) -> None:
    write_parquet(tmp_path / "in/in.parquet")
    assert (
        score_it(tmp_path / "in/*.parquet", tmp_path / "in/i*", tmp_path / "in").rows().num_rows
        == 4
    )


def test_files_of_one_name_in_two_folders_are_both_scored(score_it: Score, tmp_path: Path) -> None:
    write_parquet(tmp_path / "in/x/in.parquet", small_table(4))
    write_parquet(tmp_path / "in/y/in.parquet", small_table(4, first=4))
    assert score_it(tmp_path / "in/x", tmp_path / "in/y").rows()["id"].to_pylist() == list(range(8))
    assert score_it(tmp_path / "in/**/*.parquet").rows()["id"].to_pylist() == list(range(8))


@pytest.mark.parametrize("how", ["named", "listed", "matched", "all at once"])
def test_odd_names_are_scored_whether_named_listed_or_matched(
    how: str, score_it: Score, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    for number, name in enumerate(ODD_NAMES):
        write_parquet(folder / "plain", small_table(4, first=4 * number)).rename(folder / name)
    names = [folder / name for name in ODD_NAMES]
    paths = {
        "named": names,
        "listed": [folder],
        "matched": [folder / "*"],
        "all at once": [*names, folder, folder / "*"],
    }[how]
    outcome = score_it(*paths)
    assert outcome.rows()["id"].to_pylist() == list(range(4 * len(ODD_NAMES)))
    assert sorted(entry["url"] for entry in outcome.manifest["inputs"]) == sorted(map(str, names))


def test_odd_names_work_in_a_relative_path_and_in_a_rejected_row(
    score_it: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_parquet(tmp_path / "-a #%.parquet", small_table(a=pa.array([1.0, 1.0, 1.0, 1e300])))
    outcome = score_it(Path("-a #%.parquet"))
    assert outcome.rows().num_rows == 3
    assert [(record["source"], record["row"]) for record in outcome.rejected()] == [
        (str(tmp_path / "-a #%.parquet"), 3)
    ]


def test_markers_checksums_and_what_is_hidden_are_left_out_and_listed(
    score_it: Score, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    write_parquet(folder / "in.parquet")
    for name in ("_SUCCESS", "_metadata", "in.parquet.crc", ".in.parquet.crc", ".hidden"):
        (folder / name).write_bytes(b"not Parquet")
    write_parquet(folder / "_temporary/deep.parquet")
    (folder / ".#dangling").symlink_to("nowhere.parquet")
    outcome = score_it(folder)
    assert outcome.rows().num_rows == 4
    expected = {
        "_SUCCESS",
        "_metadata",
        "in.parquet.crc",
        ".in.parquet.crc",
        ".hidden",
        "_temporary",
        ".#dangling",
    }
    assert {Path(url).name for url in outcome.manifest["ignored_inputs"]} == expected
    assert outcome.manifest["ignored_counts"] == {"checksum": 1, "hidden": 6}


@pytest.mark.beam
@pytest.mark.slow
def test_many_shards_of_one_row(score_it: Score, tmp_path: Path) -> None:
    count = full_or(300, 10_000)
    for number in range(count):
        write_parquet(tmp_path / f"in/{number:05d}.parquet", small_table(1, first=number))
    assert score_it(tmp_path / "in").rows()["id"].to_pylist() == list(range(count))


def test_encrypted_parquet_is_refused_as_encrypted(score_it: Score, tmp_path: Path) -> None:
    class Keys(encryption.KmsClient):
        def __init__(self, config: object) -> None:
            super().__init__()

        def wrap_key(self, key: bytes, name: str) -> bytes:
            return base64.b64encode(key)

        def unwrap_key(self, wrapped: bytes, name: str) -> bytes:
            return base64.b64decode(wrapped)

    for number, (plain, rows) in enumerate([(False, 4), (True, 4)]):
        path = tmp_path / f"{number}/in.parquet"
        path.parent.mkdir()
        keys = encryption.EncryptionConfiguration(
            footer_key="f", column_keys={"c": ["a"]}, plaintext_footer=plain
        )
        factory = encryption.CryptoFactory(Keys)
        properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), keys)
        with pq.ParquetWriter(
            path, small_table(rows).schema, encryption_properties=properties
        ) as writer:
            writer.write_table(small_table(rows))
        score_it(path).refused("in.parquet", "encrypted")


def bomb(path: Path, rows: int) -> Path:
    """Many rows of one number: a thousand bytes of Parquet for each million."""
    path.parent.mkdir(exist_ok=True)
    piece = pa.table(
        {
            name: pa.repeat(pa.scalar(0, type=t), 1 << 20)
            for name, t in {"id": pa.int64(), **dict.fromkeys("abc", pa.float32())}.items()
        }
    )
    with pq.ParquetWriter(
        path, piece.schema, compression="zstd", max_rows_per_page=1 << 20
    ) as writer:
        for _ in range(rows >> 20):
            writer.write_table(piece, row_group_size=1 << 20)
    return path


@pytest.mark.slow
def test_a_parquet_bomb_is_refused_by_its_footer(score_it: Score, tmp_path: Path) -> None:
    path = bomb(tmp_path / "in.parquet", 56 << 20)
    assert path.stat().st_size < 1 << 20
    score_it(path).refused("in.parquet", "bomb", "1,000 times", "source.max_expansion")
    score_it(path, settings={"source.max_expansion": 10}).refused("10 times")


def test_a_file_that_is_dense_but_small_inside_is_no_bomb(score_it: Score, tmp_path: Path) -> None:
    outcome = score_it(bomb(tmp_path / "in.parquet", 1 << 20), settings={"source.max_expansion": 1})
    assert outcome.manifest["rows"]["scored"] == 1 << 20


def test_a_parquet_bomb_whose_footer_says_nothing_is_refused_while_it_is_read(
    score_it: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One text of 64 kB in a dictionary, in 64 k rows: 4 GB from some kB."""
    rows = 1 << 16
    zeros = {
        "id": pa.array(np.zeros(rows, dtype=np.int64)),
        **dict.fromkeys("abc", pa.array(np.zeros(rows, dtype=np.float32))),
    }
    text = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, dtype=np.int32)), pa.array(["x" * (1 << 16)])
    )
    path = write_parquet(
        tmp_path / "in.parquet", pa.table({**zeros, "s": text}), store_schema=False
    )
    assert path.stat().st_size < 1 << 17
    bomb_bytes = full_or(1 << 27, parquet_format.BOMB_BYTES)
    monkeypatch.setattr(parquet_format, "BOMB_BYTES", bomb_bytes)
    settings = {"source.passthrough": ["s"], "source.rows_per_batch": 1024}
    score_it(path, settings=settings).refused(
        "in.parquet", "bomb", "1,000 times", "source.max_expansion"
    )


def test_one_huge_row_group_takes_no_more_memory_than_a_small_file(
    job: Path, tmp_path: Path, programs: Programs
) -> None:
    """Read whole, it would take 50 MB more of 2 M rows, and 130 MB more of 5 M."""
    rows = full_or(2_000_000, 5_000_000)
    small = write_parquet(tmp_path / "small.parquet", small_table(200_000))
    values = {
        name: np.random.default_rng(1).standard_normal(rows, dtype=np.float32) for name in "abc"
    }
    table = pa.table({"id": np.arange(rows), **values})
    huge = write_parquet(
        tmp_path / "huge.parquet", table, row_group_size=rows, use_dictionary=False
    )
    assert pq.read_metadata(huge).num_row_groups == 1
    peaks = []
    for path in (small, huge):
        words = ["--config", str(job), "--output", str(tmp_path / path.stem), "--input", str(path)]
        done = programs.run(
            "tests.bad_input.peak", *words, "--quiet", "--direct_running_mode=in_memory"
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < full_or(25, 60), peaks
