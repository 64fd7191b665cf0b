"""Networks that fail, lie or hang, on each engine, through the whole program: what is published is right, and what is not is not published."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.bad_rows.engines import (
    ENGINES,
    GRAPH_ENGINES,
    Install,
    on_each_engine,
    run_out_of_memory,
)
from tests.bad_rows.networks import failing_on
from tests.bad_rows.spoilt_job import write_hundreds, write_shard
from tests.support.jobs import Outcome

Run = Callable[..., Outcome]
ALLOW = ("--set", "errors.max_rejected_rows=10")


@pytest.fixture
def folder(engine_folder: Path) -> Path:
    """The job of these tests, which every engine can compute."""
    return engine_folder


@pytest.mark.beam
@on_each_engine
def test_one_bad_row_of_64_costs_one_row_and_at_most_14_calls(
    folder: Path, run: Run, install: Install
) -> None:
    """In each of five shards of 64 rows, at another position."""
    positions = [0, 1, 31, 32, 63]
    bad = [64 * shard + position for shard, position in enumerate(positions)]
    for shard in range(len(positions)):
        write_shard(folder / f"shards/{shard}.parquet", np.arange(64) + 64 * shard)
    fail, calls = failing_on(*bad), Counter()

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        calls[int(x[0, 0]) // 64] += 1
        return fail(x, answer)

    install(lambda x, answer: answer)
    fine = run(output="fine").scored()
    install(spoil)
    spoilt = run(*ALLOW, output="spoilt")
    assert sorted(calls) == list(range(len(positions)))
    assert max(calls.values()) <= 14
    assert spoilt.scored().equals(fine.filter(pa.array(~np.isin(np.arange(fine.num_rows), bad))))
    assert spoilt.rejected() == [
        {
            "source": str(folder / f"shards/{shard}.parquet"),
            "row": position,
            "key": f"k{64 * shard + position}",
            "stage": "predict",
            "error": "ValueError",
            "message": "cannot take this row",
        }
        for shard, position in enumerate(positions)
    ]


@pytest.mark.beam
@on_each_engine
def test_a_model_that_fails_on_everything_ends_the_run_soon(
    folder: Path, run: Run, install: Install
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(20_000))
    calls = install(failing_on(*range(20_000)))
    outcome = run("--set", "errors.max_rejected_percent=100", "--direct_running_mode=in_memory")
    outcome.refused("a.parquet from row 0: the model failed on each of ")
    assert outcome.error.endswith("on no row it did not: ValueError: cannot take this row\n")
    assert len(calls) < 100
    assert not list(folder.rglob("*rejected*"))


@on_each_engine
def test_a_model_that_fails_on_everything_ends_a_run_of_shards_of_one_row(
    folder: Path, run: Run, install: Install
) -> None:
    for number in range(40):
        write_shard(folder / f"shards/{number}.parquet", np.array([number]))
    calls = install(failing_on(*range(40)))
    outcome = run("--set", "errors.max_rejected_percent=100", "--direct_running_mode=in_memory")
    outcome.refused("the model failed on each of 8 rows that were tried one by one")
    assert len(calls) < 20


@on_each_engine
def test_a_model_that_fails_from_some_call_on_ends_the_run(
    folder: Path, run: Run, install: Install
) -> None:
    """Its first shards pass, and then no row does, not even one that was scored before."""
    write_hundreds(folder)
    before_it_broke = []

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if len(before_it_broke) == 4:
            raise ValueError("broken for good")
        before_it_broke.append(len(x))
        return answer

    install(spoil)
    outcome = run("--set", "errors.max_rejected_percent=100", "--direct_running_mode=in_memory")
    # Which shard comes then is the runner's choice, and how many rows are tried first that of threads.
    outcome.refused(".parquet from row 0: the model failed on each of ", "broken for good")


@on_each_engine
def test_rows_that_all_fail_behind_some_that_pass_are_within_the_budget_or_not(
    folder: Path, run: Run, install: Install
) -> None:
    """All of one shard of four: of so few it cannot be told whether it is the model, and a row of before still passes."""
    for shard in range(4):
        write_shard(folder / f"shards/{shard}.parquet", np.arange(5) + 5 * shard)
    install(failing_on(*range(10, 15)))
    flags = ("--direct_running_mode=in_memory", "--set")
    # Status 4 is that of a budget that is spent.
    assert run(*flags, "errors.max_rejected_rows=4").status == 4
    outcome = run(*flags, "errors.max_rejected_rows=5")
    assert [record["row"] for record in outcome.rejected()] == [0, 1, 2, 3, 4]
    assert outcome.scored()["id"].to_pylist() == [f"k{n}" for n in (*range(10), *range(15, 20))]


@on_each_engine
def test_no_rows_are_no_scores(folder: Path, run: Run, install: Install) -> None:
    """With a model that would fail on any."""
    write_shard(folder / "shards/a.parquet", np.arange(0))
    calls = install(failing_on(0))
    outcome = run()
    assert outcome.scored().num_rows == 0
    assert outcome.manifest["rows"] == {"in": 0, "scored": 0, "filtered": 0, "rejected": 0}
    assert calls == []


WRONG: dict[str, Callable[[torch.Tensor, dict[str, torch.Tensor]], Any]] = {
    "n-1": lambda x, answer: {"logit": answer["logit"][:-1]},
    "n+1": lambda x, answer: {"logit": torch.cat([answer["logit"], answer["logit"][:1]])},
    "no rows": lambda x, answer: {"logit": answer["logit"][:0]},
    "generator": lambda x, answer: (answer for _ in range(1)),
    "ragged": lambda x, answer: {"logit": answer["logit"], "other": answer["logit"][:3]},
    "scalar": lambda x, answer: {"logit": answer["logit"].sum()},
    "float": lambda x, answer: {"logit": 1.0},
    "none": lambda x, answer: None,
    "other name": lambda x, answer: {"score": answer["logit"]},
    "column": lambda x, answer: {"logit": answer["logit"][:, None]},
    "numpy": lambda x, answer: {"logit": answer["logit"].numpy()},
}


def each_wrong_answer() -> Iterator[Any]:
    """Yield each way to answer wrongly with each engine; who looks at an answer knows no engine, so the quick ones are two of the three."""
    for number, how in enumerate(WRONG):
        quick = ("torch", GRAPH_ENGINES[number % len(GRAPH_ENGINES)])
        for engine in ENGINES:
            yield pytest.param(how, engine, marks=() if engine in quick else pytest.mark.slow)


@pytest.mark.parametrize(("how", "engine"), list(each_wrong_answer()), indirect=["engine"])
def test_a_wrong_answer_is_refused(how: str, folder: Path, run: Run, install: Install) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(100))
    calls = install(WRONG[how])
    run(*ALLOW).refused("a.parquet from row 0: the model")
    assert len(calls) == 1


NOT_FINITE = (float("nan"), float("inf"), float("-inf"))


@pytest.fixture
def run_not_finite(folder: Path, run: Run, install: Install) -> Run:
    """Score 100 rows, of which row 7 and those behind it have these scores."""

    def score(values: tuple[float, ...], *flags: str) -> Outcome:
        write_shard(folder / "shards/a.parquet", np.arange(100))

        def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
            logit = answer["logit"].clone()
            for number, value in enumerate(values):
                logit[x[:, 0] == 7 + number] = value
            return {"logit": logit}

        install(spoil)
        return run(*ALLOW, *flags, "--set", "postprocess={activation: none, keep: [logit]}")

    return score


@on_each_engine
@pytest.mark.parametrize(
    "flags", [[], ["--set", "model.not_finite=reject"]], ids=["by default", "reject"]
)
def test_a_score_that_is_not_finite_is_rejected(flags: list[str], run_not_finite: Run) -> None:
    outcome = run_not_finite(NOT_FINITE, *flags)
    assert outcome.scored()["id"].to_pylist() == [f"k{n}" for n in range(100) if n not in (7, 8, 9)]
    told = [(record["row"], record["error"], record["message"]) for record in outcome.rejected()]
    assert told == [(row, "NotFiniteError", "score logit is not finite") for row in (7, 8, 9)]


@on_each_engine
@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_score_that_is_not_finite_ends_the_run_where_the_job_says_so(
    value: float, run_not_finite: Run
) -> None:
    outcome = run_not_finite((value,), "--set", "model.not_finite=fail")
    outcome.refused("score logit is not finite in 1 rows, and model.not_finite is fail")


@on_each_engine
def test_a_score_that_is_not_finite_passes_where_the_job_says_so(run_not_finite: Run) -> None:
    outcome = run_not_finite(NOT_FINITE, "--set", "model.not_finite=pass")
    assert outcome.scored().num_rows == 100
    assert np.array_equal(outcome.scored()["logit"].to_numpy()[7:10], NOT_FINITE, equal_nan=True)
    assert outcome.rejected() == []


@pytest.mark.slow
@on_each_engine
def test_out_of_memory_shrinks_mini_batches_and_the_manifest_says_so(
    engine: str, folder: Path, run: Run, install: Install
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(300))

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if len(x) > 20:
            run_out_of_memory(engine)
        return answer

    calls = install(spoil)
    outcome = run("--direct_running_mode=in_memory")
    assert outcome.scored()["id"].to_pylist() == [f"k{n}" for n in range(300)]
    assert calls.count(16) == 4 * 4 + 3
    (computed_by,) = outcome.manifest["computed_by"]
    assert computed_by.endswith("mini-batches of at most 16 rows for want of memory")


@pytest.mark.slow
@on_each_engine
def test_a_row_that_does_not_fit_into_memory_alone_is_rejected(
    engine: str, folder: Path, run: Run, install: Install
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(100))

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if (x[:, 0] == 7).any():
            run_out_of_memory(engine)
        return answer

    install(spoil)
    outcome = run(*ALLOW)
    assert [record["row"] for record in outcome.rejected()] == [7]
    assert outcome.scored().num_rows == 99


@pytest.mark.beam
def test_a_device_fault_ends_the_run_after_one_call_and_the_same_command_resumes(
    folder: Path, run: Run, install: Install
) -> None:
    write_hundreds(folder)

    faults = []

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if (x[:, 0] == 250).any():
            faults.append(len(x))
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        return answer

    install(spoil)
    outcome = run("--direct_running_mode=in_memory")
    outcome.refused(
        "2.parquet from row 0: the device failed under the model: AcceleratorError", status=1
    )
    assert len(faults) == 1
    install(lambda x, answer: answer)
    assert run("--direct_running_mode=in_memory").scored().num_rows == 400


@pytest.mark.beam
@pytest.mark.parametrize(
    ("engine", "mode"),
    [
        ("torch", "in_memory"),
        pytest.param("torch", "multi_threading", marks=pytest.mark.slow),
        ("onnxruntime", "in_memory"),
        ("openvino", "in_memory"),
    ],
    indirect=["engine"],
)
def test_a_hang_ends_the_run_and_not_its_books(
    mode: str, folder: Path, run: Run, install: Install
) -> None:
    write_hundreds(folder)
    release = threading.Event()

    def spoil(x: torch.Tensor, answer: dict[str, torch.Tensor]) -> Any:
        if (x[:, 0] == 350).any():
            release.wait(60)
        return answer

    install(spoil)
    try:
        outcome = run("--set", "model.timeout_seconds=1", f"--direct_running_mode={mode}")
        (line,) = [line for line in outcome.error.splitlines() if line.startswith("error: ")]
        assert outcome.status == 1, outcome.error
        assert (
            "3.parquet from row 0: the model took longer than 1 s for one mini-batch of 64 rows"
            in line
        )
        assert not outcome.is_published()
    finally:
        release.set()
    assert run(f"--direct_running_mode={mode}").scored().num_rows == 400


@pytest.mark.parametrize(("bad", "status"), [(0, 0), (100, 0), (101, 4)])
def test_a_budget_of_one_percent_of_10_000_rows_is_100(
    bad: int, status: int, folder: Path, run: Run, install: Install
) -> None:
    install(lambda x, answer: answer)
    spoilt = np.random.default_rng(4).choice(10_000, bad, replace=False)
    for shard in range(4):
        numbers = np.arange(2_500) + 2_500 * shard
        holes = pa.array(np.where(np.isin(numbers, spoilt), np.nan, 0.5).astype(np.float32))
        write_shard(folder / f"shards/{shard}.parquet", numbers, b=holes)
    outcome = run("--set", "errors.max_rejected_percent=1")
    assert outcome.status == status
    assert outcome.is_published() == (status == 0)
    if status == 0:
        assert outcome.manifest["rows"] == {
            "in": 10_000,
            "scored": 10_000 - bad,
            "filtered": 0,
            "rejected": bad,
        }


@on_each_engine
def test_a_dry_run_tells_what_would_be_rejected(folder: Path, run: Run, install: Install) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(64))
    install(failing_on(3, 9))
    outcome = run("--dry_run")
    assert outcome.status == 0
    assert (
        "2 rows would be rejected in predict; row 3: ValueError: cannot take this row"
        in outcome.said
    )
    assert not (folder / "scores").exists()


@pytest.mark.parametrize("asked", [False, True])
def test_the_values_of_a_rejected_row_are_stored_only_when_the_job_asks(
    asked: bool, folder: Path, run: Run, install: Install
) -> None:
    write_shard(folder / "shards/a.parquet", np.arange(64))
    install(failing_on(3))
    (record,) = run(*ALLOW, "--set", f"errors.store_values={str(asked).lower()}").rejected()
    assert record["key"] == "k3"
    assert ("values" in record) == asked
    if asked:
        row = pq.read_table(folder / "shards/a.parquet").slice(3, 1).to_pylist()[0]
        assert record["values"] == row


def test_rows_of_text_that_is_not_utf_8_are_rejected_beside_one_that_the_model_fails_on(
    folder: Path, run: Run, install: Install
) -> None:
    """Of such a text nothing is kept, which readers of the rejected rows could not read either."""
    texts = pa.array([b"M\xfcller" if n in (3, 4) else b"Smith" for n in range(64)]).cast(
        pa.binary()
    )
    names = pa.Array.from_buffers(pa.string(), 64, texts.buffers())
    write_shard(folder / "shards/a.parquet", np.arange(64), name=names)
    install(failing_on(5))
    outcome = run(
        *ALLOW, "--set", "source.passthrough=[id, name]", "--set", "errors.store_values=true"
    )
    broken = "column 'name': a text that is not UTF-8"
    told = {record["row"]: record for record in outcome.rejected()}
    messages = {row: record["message"] for row, record in told.items()}
    assert messages == {3: broken, 4: broken, 5: "cannot take this row"}
    assert [told[row]["values"]["name"] for row in (3, 4, 5)] == [None, None, "Smith"]
    assert outcome.scored()["name"].to_pylist() == ["Smith"] * 61
