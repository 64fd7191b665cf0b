"""What a server may do wrong in the middle of a job, one after the other: how the run ends, and that the same command then ends as a quiet one.

The server is one of ours over real gRPC, as no other can be told what to do wrong; test_killed_server.py kills a real one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
import json
from pathlib import Path
import threading
from typing import Any

import grpc
import numpy as np
import pytest

from tests.remote.oip_grpc_server import Answer, OipGrpcServer, fail, make, serve, tensor
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.runs import published
from tests.support.without_beam import run_without_beam

Code = grpc.StatusCode
# Of the first shard, whose unit is done before anything goes wrong.
GOOD_REQUESTS = 3
ROWS = 40
# A busy machine takes its time, which is no failure of the server.
SERVER = {"deadline_seconds": 60, "patience_seconds": 60, "max_in_flight": 2}
SHORT_DEADLINE = {"model.server.deadline_seconds": 0.5}
SHORT_PATIENCE = {"model.server.patience_seconds": 0.6}


def add_up(request: Any, context: Any) -> Any:
    """Answer with the sum of each row."""
    rows = np.frombuffer(request.raw_input_contents[0], "<f4").reshape(-1, 3)
    named = {"model_name": "sums", "model_version": "3", "id": request.id}
    answer = make("ModelInferResponse", **named)
    answer.outputs.add(name="sum", datatype="FP32", shape=[len(rows), 1])
    answer.raw_output_contents.append(rows.sum(axis=1).tobytes())
    return answer


def altered(alter: Callable[[Any], None]) -> Answer:
    """Return an answer that is right but for one thing."""

    def answer(request: Any, context: Any) -> Any:
        right = add_up(request, context)
        alter(right)
        return right

    return answer


def hang(request: Any, context: Any) -> Any:
    """Give no answer for as long as somebody waits for it."""
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait(120)
    return add_up(request, context)


def _leave_out_a_row(answer: Any) -> None:
    answer.outputs[0].shape[0] -= 1
    answer.raw_output_contents[0] = answer.raw_output_contents[0][:-4]


def _say_other_shape(answer: Any) -> None:
    answer.outputs[0].shape[1] = 2
    answer.raw_output_contents[0] *= 2


@dataclass(frozen=True)
class Scenario:
    """Something that a server does wrong from its fourth request on.

    Attributes:
        answer: what it answers.
        status: how the run ends.
        words: of its one line.
        times: how often; None for ever.
        settings: with which the run does not wait as long as the others for what is no end of it.
    """

    answer: Answer
    status: int
    words: str = ""
    times: int | None = None
    settings: Mapping[str, float] = field(default_factory=dict)


SCENARIOS = {
    "stuck": Scenario(hang, 5, "DEADLINE_EXCEEDED", settings={**SHORT_DEADLINE, **SHORT_PATIENCE}),
    "slow once": Scenario(hang, 0, times=1, settings=SHORT_DEADLINE),
    "full queue": Scenario(
        fail(Code.RESOURCE_EXHAUSTED, "queue is full"),
        5,
        "RESOURCE_EXHAUSTED",
        settings=SHORT_PATIENCE,
    ),
    "full queue for a while": Scenario(fail(Code.RESOURCE_EXHAUSTED, "queue is full"), 0, times=3),
    "away": Scenario(
        fail(Code.UNAVAILABLE, "going down"), 5, "UNAVAILABLE", settings=SHORT_PATIENCE
    ),
    "away for a while": Scenario(fail(Code.UNAVAILABLE, "going down"), 0, times=3),
    "denied": Scenario(fail(Code.UNAUTHENTICATED, "expired"), 5, "UNAUTHENTICATED"),
    "garbage": Scenario(lambda request, context: b"\xff\xff\xff", 3, "no ModelInferResponse"),
    "nothing": Scenario(lambda request, context: b"", 3, "does not tell which"),
    "fewer rows": Scenario(altered(_leave_out_a_row), 3, "rows"),
    "other shapes": Scenario(altered(_say_other_shape), 3, "shape"),
    "other version": Scenario(
        altered(lambda answer: setattr(answer, "model_version", "4")), 3, "version '4'"
    ),
    "answer of another": Scenario(
        altered(lambda answer: setattr(answer, "id", "other")), 3, "another request"
    ),
}


@pytest.fixture(autouse=True)
def _without_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    run_without_beam(monkeypatch)


@pytest.fixture
def told() -> Iterator[OipGrpcServer]:
    """A server that does well until it is told otherwise."""
    model = make("ModelMetadataResponse", name="sums", versions=["3"])
    model.inputs.append(tensor("x", "FP32", -1, 3))
    model.outputs.append(tensor("sum", "FP32", -1, 1))
    with serve(OipGrpcServer(add_up, model=model)) as told:
        yield told


@pytest.fixture
def job(told: OipGrpcServer, tmp_path: Path) -> Path:
    for number in range(2):
        rows = small_table(ROWS, first=number * ROWS)
        write_parquet(tmp_path / f"shards/{number}.parquet", rows)
    model = {
        "engine": "remote",
        "protocol": "oip-grpc",
        "url": told.url,
        "name": "sums",
        "columns": dict.fromkeys("abc", "float"),
        "batch_rows": 16,
        "server": SERVER,
    }
    path = write_job(tmp_path, "", model=model)
    fields = json.loads(path.read_text())
    del fields["model"]["package"]
    path.write_text(json.dumps(fields))
    return path


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_run_ends_as_it_must_and_the_same_command_as_a_quiet_one(
    told: OipGrpcServer, job: Path, tmp_path: Path, scenario: Scenario
) -> None:
    quiet = _files(run_job(job, output=tmp_path / "quiet"))
    output = tmp_path / "disturbed"
    told.next.extend([add_up] * GOOD_REQUESTS)
    if scenario.times is None:
        told.infer = scenario.answer
    else:
        told.next.extend([scenario.answer] * scenario.times)
    outcome = run_job(job, output=output, settings=scenario.settings)
    if scenario.status:
        outcome.refused(scenario.words, status=scenario.status)
        told.next.clear()
        told.infer = add_up
        outcome = run_job(job, output=output)
    assert not told.next, "nothing went wrong"
    assert _files(outcome) == quiet


def _files(outcome: Outcome) -> dict[str, bytes]:
    assert outcome.status == 0, outcome.error
    return published(outcome.output)
