"""Networks that fail, lie or hang, through the whole program: what is published is right, and what is not is not published."""

from collections.abc import Callable
import itertools
import json
from pathlib import Path
import threading
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.bad_rows.conftest import write_shard
from tests.bad_rows.networks import failing_on, installed

Run = Callable[..., int]
ALLOW = ("--set", "errors.max_rejected_rows=10")


def files_of(output: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (output / "current").glob("part-*")}


def scores(output: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(p) for p in sorted((output / "current").glob("part-*"))])


def rejected(output: Path) -> list[dict[str, Any]]:
    return (
        duckdb.sql(f"SELECT * FROM read_parquet('{output}/current/rejected/*.parquet') ORDER BY row").arrow().read_all().to_pylist()
    )


@pytest.mark.parametrize("position", [0, 1, 31, 32, 63])
def test_one_bad_row_of_64_costs_one_row_and_at_most_14_calls(
    position: int, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(64))
    installed(monkeypatch, lambda x, answer: answer)
    assert run(output="fine") == 0
    calls = installed(monkeypatch, failing_on(position))
    assert run(*ALLOW, output="spoilt") == 0
    assert len(calls) <= 14
    fine, spoilt = scores(folder / "fine"), scores(folder / "spoilt")
    assert spoilt.equals(fine.filter(pa.array(np.arange(64) != position)))
    assert rejected(folder / "spoilt") == [
        {
            "source": str(folder / "shards/a.parquet"),
            "row": position,
            "key": f"k{position}",
            "stage": "predict",
            "error": "ValueError",
            "message": "cannot take this row",
        }
    ]


def test_a_model_that_fails_on_everything_ends_the_run_soon(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(20_000))
    calls = installed(monkeypatch, failing_on(*range(20_000)))
    assert run("--set", "errors.max_rejected_percent=100", "--direct_running_mode=in_memory") == 3
    assert len(calls) < 100
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "a.parquet from row 0: the model failed on each of " in error
    assert error.endswith("on no row it did not: ValueError: cannot take this row\n")
    assert not list(folder.rglob("*rejected*"))


def test_a_model_that_fails_on_everything_ends_a_run_of_shards_of_one_row(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(40):
        write_shard(folder / f"shards/{number}.parquet", np.array([number]))
    calls = installed(monkeypatch, failing_on(*range(40)))
    assert run("--set", "errors.max_rejected_percent=100", "--direct_running_mode=in_memory") == 3
    assert len(calls) < 20
    assert "the model failed on each of 8 rows that were tried one by one" in capsys.readouterr().err
    assert not (folder / "scores/CURRENT").exists()


WRONG: dict[str, Callable[[torch.Tensor, dict[str, torch.Tensor]], Any]] = {
    "n-1": lambda x, answer: {"logit": answer["logit"][:-1]},
    "n+1": lambda x, answer: {"logit": torch.cat([answer["logit"], answer["logit"][:1]])},
    "no rows": lambda x, answer: {"logit": answer["logit"][:0]},
    "generator": lambda x, answer: (answer for _ in range(1)),
    "ragged": lambda x, answer: {"logit": answer["logit"], "other": answer["logit"][:3]},
    "scalar": lambda x, answer: {"logit": answer["logit"].sum()},
    "float": lambda x, answer: {"logit": 1.0},
    "none": lambda x, answer: None,
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_answer_is_refused(
    how: str, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(100))
    calls = installed(monkeypatch, WRONG[how])
    assert run(*ALLOW) == 3
    assert len(calls) == 1
    assert "a.parquet from row 0: the model" in capsys.readouterr().err
    assert not (folder / "scores/CURRENT").exists()


NOT_FINITE = (float("nan"), float("inf"), float("-inf"))


@pytest.mark.parametrize(("policy", "value"), [("", NOT_FINITE[0]), *itertools.product(("reject", "fail", "pass"), NOT_FINITE)])
def test_a_score_that_is_not_finite_follows_the_policy(
    policy: str, value: float, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(100))
    installed(monkeypatch, lambda x, answer: {"logit": torch.where(x[:, 0] == 7, value, answer["logit"])})
    flags = ["--set", f"model.not_finite={policy}"] if policy else []
    status = run(*ALLOW, *flags, "--set", "postprocess={activation: none, keep: [logit]}")
    policy = policy or "reject"
    if policy == "fail":
        assert status == 3
        assert "score logit is not finite in 1 rows, and model.not_finite is fail" in capsys.readouterr().err
        assert not (folder / "scores/CURRENT").exists()
        return
    assert status == 0
    logits = dict(zip(*(scores(folder / "scores")[n].to_pylist() for n in ("id", "logit")), strict=True))
    assert len(logits) == (99 if policy == "reject" else 100)
    if policy == "reject":
        assert [(r["row"], r["error"], r["message"]) for r in rejected(folder / "scores")] == [
            (7, "NotFiniteError", "score logit is not finite")
        ]
    else:
        assert np.array_equal(logits["k7"], value, equal_nan=True)


def test_out_of_memory_shrinks_mini_batches_and_the_manifest_says_so(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(300))

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if len(x) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return answer

    calls = installed(monkeypatch, spoil)
    assert run("--direct_running_mode=in_memory") == 0
    assert scores(folder / "scores")["id"].to_pylist() == [f"k{n}" for n in range(300)]
    assert calls.count(16) == 4 * 4 + 3
    (computed_by,) = json.loads((folder / "scores/current/manifest.json").read_text())["computed_by"]
    assert computed_by.endswith("mini-batches of at most 16 rows for want of memory")


def test_a_row_that_does_not_fit_into_memory_alone_is_rejected(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(100))

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if (x[:, 0] == 7).any():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return answer

    installed(monkeypatch, spoil)
    assert run(*ALLOW) == 0
    assert [(r["row"], r["error"]) for r in rejected(folder / "scores")] == [(7, "OutOfMemoryError")]
    assert len(scores(folder / "scores")) == 99


def test_a_device_fault_ends_the_run_after_one_call_and_the_same_command_resumes(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for shard in range(4):
        write_shard(folder / f"shards/{shard}.parquet", np.arange(100) + 100 * shard)

    faults = []

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if (x[:, 0] == 250).any():
            faults.append(len(x))
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        return answer

    installed(monkeypatch, spoil)
    assert run("--direct_running_mode=in_memory") == 1
    assert len(faults) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "2.parquet from row 0: the device failed under the model: AcceleratorError" in error
    assert "internal" not in error
    installed(monkeypatch, lambda x, answer: answer)
    assert run("--direct_running_mode=in_memory") == 0
    assert len(scores(folder / "scores")) == 400


@pytest.mark.parametrize("mode", ["in_memory", "multi_threading"])
def test_a_hang_ends_the_run_and_not_its_books(
    mode: str, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for shard in range(4):
        write_shard(folder / f"shards/{shard}.parquet", np.arange(100) + 100 * shard)
    release = threading.Event()

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if (x[:, 0] == 350).any():
            release.wait(60)
        return answer

    installed(monkeypatch, spoil)
    try:
        assert run("--set", "model.timeout_seconds=0.5", f"--direct_running_mode={mode}") == 1
        error = capsys.readouterr().err
        assert "3.parquet from row 0: the model took longer than 0.5 s for one mini-batch of 64 rows" in error.splitlines()[-1]
        assert not (folder / "scores/CURRENT").exists()
    finally:
        release.set()
    assert run(f"--direct_running_mode={mode}") == 0
    assert len(scores(folder / "scores")) == 400


@pytest.mark.parametrize(("bad", "status"), [(0, 0), (100, 0), (101, 4)])
def test_a_budget_of_one_percent_of_10_000_rows_is_100(
    bad: int, status: int, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, lambda x, answer: answer)
    spoilt = np.random.default_rng(4).choice(10_000, bad, replace=False)
    for shard in range(4):
        numbers = np.arange(2_500) + 2_500 * shard
        holes = pa.array(np.where(np.isin(numbers, spoilt), np.nan, 0.5).astype(np.float32))
        write_shard(folder / f"shards/{shard}.parquet", numbers, b=holes)
    assert run("--set", "errors.max_rejected_percent=1") == status
    assert (folder / "scores/CURRENT").exists() == (status == 0)
    if status == 0:
        rows = json.loads((folder / "scores/current/manifest.json").read_text())["rows"]
        assert rows == {"in": 10_000, "scored": 10_000 - bad, "filtered": 0, "rejected": bad}


def test_a_dry_run_tells_what_would_be_rejected(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(64))
    installed(monkeypatch, failing_on(3, 9))
    assert run("--dry_run") == 0
    assert "2 rows would be rejected in predict; row 3: ValueError: cannot take this row" in capsys.readouterr().out
    assert not (folder / "scores").exists()


@pytest.mark.parametrize("asked", [False, True])
def test_the_values_of_a_rejected_row_are_stored_only_when_the_job_asks(
    asked: bool, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(64))
    installed(monkeypatch, failing_on(3))
    assert run(*ALLOW, "--set", f"errors.store_values={str(asked).lower()}") == 0
    (record,) = rejected(folder / "scores")
    assert record["key"] == "k3"
    assert ("values" in record) == asked
    if asked:
        row = pq.read_table(folder / "shards/a.parquet").slice(3, 1).to_pylist()[0]
        assert record["values"] == row


def test_a_rejected_row_may_hold_text_that_is_not_utf_8(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 64 rows, one fails in the model, and another one, which is scored, holds such text, too."""
    texts = pa.array([b"M\xfcller" if n in (3, 4) else b"Smith" for n in range(64)]).cast(pa.binary())
    names = pa.Array.from_buffers(pa.string(), 64, texts.buffers())
    write_shard(folder / "shards/a.parquet", np.arange(64), name=names)
    installed(monkeypatch, failing_on(3))
    assert run(*ALLOW, "--set", "source.passthrough=[id, name]", "--set", "errors.store_values=true") == 0
    (path,) = (folder / "scores/current/rejected").iterdir()
    record = pq.read_table(path)
    assert record["message"].to_pylist() == ["cannot take this row"]
    assert record["values"].combine_chunks().field("name").cast(pa.binary()).to_pylist() == [b"M\xfcller"]
    scored = scores(folder / "scores")["name"].cast(pa.binary()).to_pylist()
    assert scored == [b"Smith"] * 3 + [b"M\xfcller"] + [b"Smith"] * 59
