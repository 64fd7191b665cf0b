"""The main job, end to end on disk, against a reference without Beam: every row, every column, exact types."""

from collections.abc import Callable
from decimal import Decimal
import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import evaluate, score, verify
from pipelines.cli.command_line import run_program
from storage import files
from storage.run_folder import RunFolder
from tests.pipelines.digits_shards import broken_digits
from tests.pipelines.reference import breast_cancer_probability, digits_probabilities
from tests.support.runs import manifest, published, shards, table
from transforms import publish

Score = Callable[..., int]
CSV = ("--set", "source.format=csv", "--set", "source.types.id=int64")


@pytest.mark.beam
def test_breast_cancer_scores_equal_the_reference(run_score: Score, tmp_path: Path) -> None:
    features = "[mean radius, worst area]"
    assert run_score("--set", f"source.passthrough={features}") == 0
    scored, rows = table(tmp_path / "scores"), shards(Path("samples/breast_cancer/shards"))
    expected = breast_cancer_probability(rows, Path("samples/breast_cancer/model"))
    assert list(scored.columns) == ["id", "mean radius", "worst area", "probability", "label"]
    for column in ("id", "mean radius", "worst area"):
        pd.testing.assert_series_equal(scored[column], rows[column])
    np.testing.assert_allclose(scored["probability"], expected, atol=1e-6)
    assert scored["label"].tolist() == np.where(expected >= 0.5, "malignant", "benign").tolist()
    schema = pq.read_schema(next((tmp_path / "scores/current").glob("part-*")))
    assert schema.types == [pa.int64(), pa.float64(), pa.float64(), pa.float32(), pa.string()]
    assert schema.metadata[b"model.name"] == b"breast_cancer"
    assert manifest(tmp_path / "scores")["rows"] == {
        "in": len(rows),
        "scored": len(rows),
        "filtered": 0,
        "rejected": 0,
    }


@pytest.mark.beam
def test_digits_scores_equal_the_reference(run_score: Score, tmp_path: Path, digits: Path) -> None:
    paths = (
        "--config",
        "configs/digits.yaml",
        "--model",
        str(digits / "model"),
        "--input",
        str(digits / "shards"),
    )
    assert (
        run_score(
            *paths,
            "--set",
            "postprocess.keep=[label, probability, probabilities, top_labels, top_probabilities]",
        )
        == 0
    )
    scored, rows = table(tmp_path / "scores"), shards(digits / "shards")
    expected = digits_probabilities(rows, digits / "model")
    order = np.argsort(-expected, axis=1)[:, :3]
    assert scored["id"].tolist() == rows["id"].tolist()
    np.testing.assert_allclose(np.stack(scored["probabilities"]), expected, atol=1e-5)
    assert scored["label"].tolist() == order[:, 0].astype(str).tolist()
    assert np.stack(scored["top_labels"]).tolist() == order.astype(str).tolist()
    np.testing.assert_allclose(scored["probability"], expected.max(axis=1), atol=1e-5)


@pytest.mark.parametrize(("name", "least"), [("breast_cancer", 0.95), ("digits", 0.97)])
def test_published_scores_reach_the_accuracy(
    name: str, least: float, run_score: Score, tmp_path: Path, request, capsys
) -> None:
    folder: Path = request.getfixturevalue(name)
    job = (
        "--config",
        f"configs/{name}.yaml",
        "--model",
        str(folder / "model"),
        "--input",
        str(folder / "shards"),
    )
    assert run_score(*job) == 0
    label = {"breast_cancer": "diagnosis", "digits": "digit"}[name]
    joined = table(tmp_path / "scores").merge(
        pd.read_parquet(folder / "labels.parquet"), on="id", validate="one_to_one"
    )
    accuracy = (joined["label"] == joined[label]).mean()
    assert (
        len(joined)
        == len(shards(folder / "shards"))
        == pq.read_table(folder / "labels.parquet").num_rows
    )
    assert accuracy >= least
    flags = [
        "--output",
        str(tmp_path / "scores"),
        "--labels",
        str(folder / "labels.parquet"),
        "--key",
        "id",
        "--label",
        label,
    ]
    assert run_program(evaluate.main, [*flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] == pytest.approx(accuracy)
    assert found["rows"] == len(joined)


def test_csv_and_parquet_of_the_same_rows_give_the_same_scores(
    run_score: Score, tmp_path: Path, breast_cancer: Path
) -> None:
    package = ("--model", str(breast_cancer / "model"))
    assert (
        run_score("--input", str(breast_cancer / "shards"), *package, output=tmp_path / "parquet")
        == 0
    )
    assert (
        run_score(
            "--input", str(breast_cancer / "shards_csv"), *package, *CSV, output=tmp_path / "csv"
        )
        == 0
    )
    pd.testing.assert_frame_equal(
        table(tmp_path / "parquet"), table(tmp_path / "csv"), check_exact=True
    )


def test_csv_output_reads_back_as_the_parquet_output(run_score: Score, tmp_path: Path) -> None:
    assert run_score(output=tmp_path / "parquet") == 0
    assert run_score("--set", "sink.format=csv", output=tmp_path / "csv") == 0
    read = f"SELECT id::BIGINT id, probability::FLOAT probability, label FROM read_csv_auto('{tmp_path}/csv/current/*.csv') ORDER BY id"
    pd.testing.assert_frame_equal(
        duckdb.sql(read).df(), table(tmp_path / "parquet"), check_dtype=False
    )
    assert run_program(verify.main, [str(tmp_path / "csv")]) == 0


@pytest.mark.beam
@pytest.mark.program
@pytest.mark.usefixtures("forked_workers")
def test_every_number_and_kind_of_workers_writes_the_same_bytes(
    run_score: Score, tmp_path: Path
) -> None:
    inputs = sorted(str(p) for p in Path("samples/breast_cancer/shards").glob("*.parquet"))
    shuffled = [
        flag for path in (inputs[2], inputs[0], inputs[3], inputs[1]) for flag in ("--input", path)
    ]
    small = ("--set", "sink.rows_per_file=10", "--set", "source.rows_per_batch=7")
    assert run_score(*small, "--direct_running_mode=in_memory", output=tmp_path / "expected") == 0
    expected = published(tmp_path / "expected")
    assert len(expected) > 8
    runs = {f"threads{n}": (f"--direct_num_workers={n}",) for n in (1, 2, 4)}
    runs |= {
        f"processes{n}": ("--direct_running_mode=multi_processing", f"--direct_num_workers={n}")
        for n in (2, 4)
    }
    runs |= {"shuffled": tuple(shuffled)}
    for name, flags in runs.items():
        assert run_score(*small, *flags, output=tmp_path / name) == 0
        assert published(tmp_path / name) == expected, name


def test_the_same_work_again_is_a_no_op_that_says_so(tmp_path: Path, capsys) -> None:
    command = ["--output", str(tmp_path / "scores")]
    assert run_program(score.main, command) == 0
    shown = capsys.readouterr().out
    assert "rows/s" in shown
    assert "duckdb: SELECT * FROM read_parquet(" in shown
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "scores").rglob("part-*")}
    assert run_program(score.main, command) == 0
    assert "already published" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "scores").rglob("part-*")} == before
    assert not list((tmp_path / "scores/_tmp").iterdir())


def test_the_same_work_again_finds_a_published_file_that_is_gone_or_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "scores"
    command = ["--output", str(output), "--set", "sink.rows_per_file=40"]
    assert run_program(score.main, command) == 0
    current = (output / "CURRENT").read_text()
    (output / "CURRENT").write_text("another")
    names = sorted(path.name for path in (output / "current").iterdir())
    first, second, *_ = sorted((output / "current").iterdir())
    size = first.stat().st_size
    first.write_bytes(first.read_bytes()[:100])
    second.unlink()
    capsys.readouterr()
    assert run_program(score.main, command) == 3
    said = capsys.readouterr()
    assert f"scored/{first.name} has 100 bytes instead of {size:,}" in said.err
    assert f"scored/{second.name} is missing; move it away, and score the input again" in said.err
    assert "already published" not in said.out
    # Readers are not led to it.
    assert (output / "CURRENT").read_text() == "another"
    (output / "runs" / current.strip()).rename(tmp_path / "away")
    assert run_program(score.main, command) == 0
    assert sorted(path.name for path in (output / "current").iterdir()) == names


def test_the_same_work_again_says_when_it_leads_readers_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--output", str(tmp_path / "scores")]
    current = tmp_path / "scores/CURRENT"
    assert run_program(score.main, command) == 0
    first = current.read_text().strip()
    assert run_program(score.main, [*command, "--set", "postprocess.threshold=0.4"]) == 0
    second = current.read_text().strip()
    assert "current:" not in capsys.readouterr().out
    assert run_program(score.main, command) == 0
    said = f"current: readers are led to run {first} now; so far they read run {second},"
    assert said in capsys.readouterr().out
    assert current.read_text().strip() == first
    assert run_program(score.main, command) == 0
    assert "current:" not in capsys.readouterr().out


def test_the_runner_is_shown_with_what_a_user_can_choose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--output", str(tmp_path / "scores"), "--dry_run"]
    assert run_program(score.main, command) == 0
    (line,) = (s for s in capsys.readouterr().out.splitlines() if s.startswith("runner:"))
    assert line == (
        "runner: DirectRunner, profile local "
        "--direct_running_mode=multi_threading --direct_num_workers=0"
    )
    assert run_program(score.main, [*command, "--debug"]) == 0
    assert "--no_save_main_session" in capsys.readouterr().out


def test_another_setting_is_another_run_and_leaves_the_first_alone(
    run_score: Score, tmp_path: Path
) -> None:
    assert run_score() == 0
    first = (tmp_path / "scores/CURRENT").read_text()
    before = published(tmp_path / "scores")
    assert run_score("--set", "postprocess.threshold=0.9") == 0
    assert (tmp_path / "scores/CURRENT").read_text() != first
    assert run_program(verify.main, [str(tmp_path / "scores"), "--run", first.strip()]) == 0
    assert run_score() == 0
    assert (tmp_path / "scores/CURRENT").read_text() == first
    assert published(tmp_path / "scores") == before


@pytest.mark.parametrize(("content", "status"), [("other", 5), ("same", 0)])
def test_a_run_that_another_launcher_published_first(
    content: str, status: int, run_score: Score, tmp_path: Path, monkeypatch, capsys
) -> None:
    """The other one's manifest appears while this one is publishing: the same scores are no matter, others are a failure."""
    create = publish._create_manifest

    def beaten(run: RunFolder, ours: bytes, content_sha256: str) -> None:
        digest = content_sha256 if content == "same" else "other"
        theirs = {**json.loads(ours), "content_sha256": digest}
        files.create(run.manifest, json.dumps(theirs).encode())
        create(run, ours, content_sha256)

    monkeypatch.setattr(publish, "_create_manifest", beaten)
    assert run_score() == status
    if status:
        assert "error: " in (said := capsys.readouterr().err)
        assert "another launcher published this run first, with other content" in said
        assert not (tmp_path / "scores/CURRENT").exists()


@pytest.mark.beam
def test_in_memory_file_system_for_input_model_and_output(run_score: Score) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put("samples/breast_cancer/model", "/in/model", recursive=True)
    memory.put("samples/breast_cancer/shards", "/in/shards", recursive=True)
    try:
        paths = ("--input", "memory://in/shards/*.parquet", "--model", "memory://in/model")
        assert run_score(*paths, output="memory://out") == 0
        assert run_program(verify.main, ["memory://out"]) == 0
        run = memory.cat_file("/out/CURRENT").decode().strip()
        rows = sum(
            pq.read_metadata(memory.open(p)).num_rows
            for p in memory.glob(f"/out/runs/{run}/scored/*")
        )
        assert rows == len(shards(Path("samples/breast_cancer/shards")))
        assert (
            run_score(*paths, "--direct_running_mode=multi_processing", output="memory://out2") == 2
        )
    finally:
        memory.rm("/in", recursive=True)
        memory.rm("/out", recursive=True)


def test_an_empty_shard_gives_an_empty_file_with_the_full_schema(
    run_score: Score, tmp_path: Path
) -> None:
    schema = pq.read_schema("samples/breast_cancer/shards/part-00000.parquet")
    pq.write_table(schema.empty_table(), tmp_path / "empty.parquet")
    assert run_score("--input", str(tmp_path / "empty.parquet")) == 0
    (part,) = (tmp_path / "scores/current").glob("part-*.parquet")
    assert pq.read_schema(part).names == ["id", "probability", "label"]
    assert pq.read_metadata(part).num_rows == 0


def test_where_sort_by_rename_dtypes_and_model_columns(run_score: Score, tmp_path: Path) -> None:
    settings = (
        "postprocess.where=p >= 0.9",
        "postprocess.sort_by=[p desc]",
        "postprocess.rename={probability: p}",
        "postprocess.dtypes={p: double}",
        "postprocess.model_columns=true",
        "postprocess.keep=[probability]",
    )
    assert run_score(*(flag for s in settings for flag in ("--set", s))) == 0
    rows = shards(Path("samples/breast_cancer/shards"))
    probability = breast_cancer_probability(rows, Path("samples/breast_cancer/model"))
    kept = set(rows["id"][probability >= 0.9])
    scored = table(tmp_path / "scores")
    assert set(scored["id"]) == kept
    assert list(scored.columns) == ["id", "p", "model_name", "model_version", "model_digest"]
    assert scored["p"].dtype == np.float64
    assert manifest(tmp_path / "scores")["rows"] == {
        "in": len(rows),
        "scored": len(kept),
        "filtered": len(rows) - len(kept),
        "rejected": 0,
    }
    for part in (tmp_path / "scores/current").glob("part-*"):
        assert pq.read_table(part)["p"].to_pylist() == sorted(
            pq.read_table(part)["p"].to_pylist(), reverse=True
        )


def odd_columns(rows: int) -> dict[str, pa.Array]:
    """Columns whose values or types a careless copy would change."""
    ny = pa.timestamp("us", tz="America/New_York")
    fields = {
        "big": ([2**53 + 1, None, -1], pa.int64()),
        "unsigned": ([2**64 - 1, 0, None], pa.uint64()),
        "money": ([Decimal("12345678901234567890123456789.123456789"), None], pa.decimal128(38, 9)),
        "zoned": ([1_710_054_000_000_000, None, 1_710_057_600_000_000], ny),
        "nanoseconds": ([1_700_000_000_123_456_789, None], pa.timestamp("ns")),
        "text": (["x", "", None], pa.large_string()),
        "list": ([[1, None], [], None], pa.list_(pa.int32())),
        "struct": ([{"a": 1, "b": "x"}, None], pa.struct([("a", pa.int8()), ("b", pa.string())])),
        "map": ([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        "bytes": ([b"\xff\x00", None, b""], pa.binary()),
        "float": ([float("nan"), None, -0.0], pa.float64()),
        "half": ([1.5, None], pa.float16()),
    }
    columns = {
        n: pa.array([v[i % len(v)] for i in range(rows)], type=t) for n, (v, t) in fields.items()
    }
    return columns | {"coded": pa.array(["ab"[i % 2] for i in range(rows)]).dictionary_encode()}


@pytest.mark.parametrize(
    "setting",
    ["postprocess.where=probability >= 0", "postprocess.sort_by=[id desc]", "sink.rows_per_file=7"],
)
def test_pass_through_columns_keep_their_exact_types_and_values(
    setting: str, run_score: Score, tmp_path: Path
) -> None:
    rows = pq.read_table("samples/breast_cancer/shards/part-00003.parquet")
    odd = odd_columns(rows.num_rows)
    for name, column in odd.items():
        rows = rows.append_column(name, column)
    pq.write_table(rows, tmp_path / "odd.parquet", row_group_size=30)
    carried = f"source.passthrough=[id, {', '.join(odd)}]"
    assert (
        run_score("--input", str(tmp_path / "odd.parquet"), "--set", carried, "--set", setting) == 0
    )
    parts = sorted((tmp_path / "scores/current").glob("*.parquet"))
    actual = pa.concat_tables([pq.read_table(p) for p in parts]).select(["id", *odd]).sort_by("id")
    expected = pq.read_table(tmp_path / "odd.parquet").select(["id", *odd]).sort_by("id")
    assert actual.schema.types == expected.schema.types
    for name in expected.column_names:
        assert repr(actual[name].to_pylist()) == repr(expected[name].to_pylist()), name


@pytest.mark.slow
@pytest.mark.beam
def test_bad_rows_are_rejected_one_by_one_and_the_books_balance(
    run_score: Score, tmp_path: Path, digits: Path, capsys
) -> None:
    job = ("--config", "configs/digits.yaml", "--model", str(digits / "model"), "--input")
    keys = broken_digits(
        digits, tmp_path / "bad", {3: b"<html>", 40: None, 41: b"\x89PNG\r\n\x1a\n"}
    )
    assert run_score(*job, str(tmp_path / "bad"), "--set", "errors.max_rejected_rows=2") == 4
    assert "3 of" in capsys.readouterr().err
    assert not (tmp_path / "scores/CURRENT").exists()
    assert run_score(*job, str(tmp_path / "bad"), "--set", "errors.max_rejected_rows=3") == 0
    assert run_program(verify.main, [str(tmp_path / "scores")]) == 0
    (rejected,) = (pq.read_table(p) for p in (tmp_path / "scores").glob("runs/*/_rejected/*"))
    assert rejected["key"].to_pylist() == keys
    assert rejected["row"].to_pylist() == [3, 40, 41]
    assert set(rejected["source"].to_pylist()) == {str(tmp_path / "bad/part-00001.parquet")}
    assert set(rejected["stage"].to_pylist()) == {"preprocess"}
    assert run_score(*job, str(digits / "shards"), output=tmp_path / "clean") == 0
    clean = table(tmp_path / "clean")
    pd.testing.assert_frame_equal(
        table(tmp_path / "scores"),
        clean[~clean["id"].isin(keys)].reset_index(drop=True),
        check_exact=True,
    )


def test_malformed_csv_rows_are_rejected_with_their_row_numbers(
    run_score: Score, tmp_path: Path, breast_cancer: Path
) -> None:
    lines = (breast_cancer / "shards_csv/part-00003.csv").read_text().splitlines()
    lines[5] = lines[5].replace(",", ",oops", 1)  # data row 4: not a double
    lines[8] += ",one field more"  # data row 7
    (tmp_path / "bad.csv").write_text("\n".join(lines) + "\n")
    job = ("--model", str(breast_cancer / "model"), "--input", str(tmp_path / "bad.csv"), *CSV)
    assert run_score(*job) == 4
    assert run_score(*job, "--set", "errors.max_rejected_percent=5") == 0
    (rejected,) = (pq.read_table(p) for p in (tmp_path / "scores").glob("runs/*/_rejected/*"))
    assert rejected["row"].to_pylist() == [4, 7]
    assert rejected["key"].to_pylist() == [int(lines[5].split(",")[0]), None]
    assert set(rejected["stage"].to_pylist()) == {"read"}
    assert not any("oops" in m for m in rejected["message"].to_pylist())
    assert manifest(tmp_path / "scores")["rows"]["scored"] == len(lines) - 3


def test_bfloat16_agrees_with_float32(run_score: Score, tmp_path: Path) -> None:
    assert run_score(output=tmp_path / "float32") == 0
    assert run_score("--set", "model.dtype=bfloat16", output=tmp_path / "bfloat16") == 0
    exact, rough = table(tmp_path / "float32"), table(tmp_path / "bfloat16")
    assert (exact["label"] == rough["label"]).mean() > 0.97
    assert "bfloat16" in manifest(tmp_path / "bfloat16")["computed_by"][0]
    assert not exact["probability"].equals(rough["probability"])
