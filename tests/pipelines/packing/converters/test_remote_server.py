"""A server's model becomes a package: of its own words and its scores, without a word of how it is reached."""

from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import JobError, ModelError, Refusal, ServerError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.package.package import read_package
from model_zoo.remote.client import TensorSpec
from model_zoo.remote.failures import RefusedError, WrongError
from model_zoo.steps.table import AnyStep
from pipelines import package
from pipelines.cli.command_line import run_program
from pipelines.packing.writing.packed import Packed
from tests.support.graphs import pack_graph
from tests.support.jobs import run_job, small_table
from tests.support.memory_server import REMOTE, URL, MemoryServer, start_server

SAMPLE = small_table(40)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryServer:
    return start_server(monkeypatch)


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Packed]:
    path = tmp_path / "sample.parquet"
    pq.write_table(SAMPLE, path)
    known = {
        "name": "churn",
        "sample": str(path),
        "key": "id",
        "activation": "sigmoid",
        "labels": ["stays", "leaves"],
        "remote": REMOTE,
        "output": str(tmp_path / "model"),
    }

    def pack_with(**changes: Any) -> Packed:
        job = PackagingJob[AnyStep].model_validate(known | changes)
        return pack_graph(job, SAMPLE)

    return pack_with


def test_what_the_server_says_and_gives_is_a_package_that_scores(
    memory: MemoryServer, pack: Callable[..., Packed], tmp_path: Path
) -> None:
    remote = {**REMOTE, "version": None, "server": {"token_variable": "CHURN", "ca": "ca.pem"}}
    packed = pack(remote=remote)
    assert (packed.rows, packed.difference) == (40, 0)
    assert packed.notes == (f"churn version 3 at {URL}, oip-grpc, memory 1.0",)
    card = read_package(str(tmp_path / "model")).card
    # The version that answered, and nothing of who may ask.
    assert card.remote is not None
    assert card.remote.model_dump() == REMOTE
    assert sorted(card.files) == ["preprocess.json", "profile.parquet", "smoke.parquet"]
    assert [column.name for column in card.columns] == ["a", "b", "c"]
    # The job beside it says how its author reached the server, and runs.
    job = tmp_path / "model.job.yaml"
    assert "token_variable: CHURN" in job.read_text()
    outcome = run_job(job, output=tmp_path / "scores")
    assert outcome.scored().num_rows == 40
    assert memory.targets[-1].token is not None


def test_a_server_that_insists_on_so_many_rows_gets_them(
    memory: MemoryServer, pack: Callable[..., Packed]
) -> None:
    memory.says(most_rows=16, takes_fewer_rows=False)
    assert pack().rows == 40
    assert set(memory.asked) == {16}


def test_numbers_are_lists_of_one_where_the_server_takes_those(
    memory: MemoryServer, pack: Callable[..., Packed]
) -> None:
    def add(inputs: Arrays) -> Arrays:
        assert inputs["a"].shape == (len(inputs["b"]), 1)
        return {"sum": inputs["a"] + inputs["b"] + inputs["c"]}

    one = TensorSpec("float32", (1,))
    memory.says(inputs=dict.fromkeys("abc", one), outputs={"sum": one})
    memory.compute = add
    packed = pack(activation=None, labels=[], task="regression")
    assert packed.card.inputs["a"].shape == ()
    assert packed.card.outputs["sum"].shape == ()


def test_outputs_are_those_that_are_wanted_and_texts_are_told(
    memory: MemoryServer, pack: Callable[..., Packed]
) -> None:
    number, text = TensorSpec("float32", ()), TensorSpec("bytes", ())
    memory.says(outputs={"logit": number, "other": number, "why": text})
    memory.compute = lambda inputs: {
        name: inputs["x"][:, 0] + at for at, name in enumerate(("logit", "other", "why"))
    }
    assert list(pack(activation=None, labels=[], task="regression").card.outputs) == [
        "logit",
        "other",
    ]
    wanted = {"activation": None, "labels": [], "task": "regression", "outputs": ["other"]}
    packed = pack(**wanted, output="memory://packed")
    assert list(packed.card.outputs) == ["other"]
    assert packed.notes[1:] == ("left out, of what it gives: logit, why",)
    with pytest.raises(JobError, match="the server gives no numbers 'why', but logit, other, why"):
        pack(**wanted | {"outputs": ["why"]})


def test_a_server_that_says_nothing_is_told_what_it_takes(
    memory: MemoryServer, pack: Callable[..., Packed]
) -> None:
    memory.says(inputs={}, outputs={}, model_version="")
    with pytest.raises(JobError, match=r"does not say what it takes; say inputs"):
        pack(remote={**REMOTE, "version": None})
    packed = pack(remote={**REMOTE, "version": None}, inputs={"x": ["a", "b", "c"]})
    assert packed.card.remote is not None
    assert packed.card.remote.version is None


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        (
            {"inputs": {"x": TensorSpec("bytes", ())}},
            JobError,
            "takes texts in x; say which column",
        ),
        (
            {"inputs": {"a": TensorSpec("bytes", ())}},
            JobError,
            "takes texts, and column 'a' is float; say a column of texts",
        ),
        ({"inputs": {"x": TensorSpec("float32", (4,))}}, ModelError, "its input x is float32"),
    ],
)
def test_a_model_that_does_not_take_such_rows_is_refused(
    memory: MemoryServer,
    pack: Callable[..., Packed],
    tmp_path: Path,
    change: dict[str, Any],
    kind: type[Refusal],
    told: str,
) -> None:
    memory.says(**change)
    with pytest.raises(kind, match=told):
        pack()
    assert not (tmp_path / "model").exists()


def test_what_the_server_does_wrong_ends_packaging_in_a_line(
    memory: MemoryServer, pack: Callable[..., Packed]
) -> None:
    with pytest.raises(ServerError, match="nobody listens there"):
        pack(remote={**REMOTE, "url": "grpc://nobody:1", "server": {"patience_seconds": 0}})
    memory.fail = lambda inputs: WrongError("garbage")
    with pytest.raises(ModelError, match="garbage"):
        pack()
    memory.fail = lambda inputs: RefusedError("not such rows")
    with pytest.raises(ModelError, match=r"the server fails on the sample: .*not such rows"):
        pack()


def test_a_server_that_gives_other_scores_each_time_is_not_packed(
    memory: MemoryServer, pack: Callable[..., Packed]
) -> None:
    memory.compute = lambda inputs: {
        "logit": np.full(len(inputs["x"]), len(memory.asked), np.float32)
    }
    with pytest.raises(ModelError, match="nothing was written"):
        pack()


def test_dtypes_and_columns_are_the_servers_and_the_samples(
    memory: MemoryServer, pack: Callable[..., Packed]
) -> None:
    memory.says(inputs={"x": TensorSpec("float64", (3,))})
    memory.compute = lambda inputs: {"logit": inputs["x"].sum(1).astype(np.float32)}
    packed = pack()
    assert packed.card.inputs["x"].dtype == "float64"
    assert packed.card.columns[0].type == str(pa.float32())


def test_a_server_that_takes_texts_gets_those_of_the_rows(
    memory: MemoryServer, tmp_path: Path
) -> None:
    texts = ["", "ä€😀", "a\0", "as long as may be", "no"] * 8

    def count(inputs: Arrays) -> Arrays:
        assert inputs["said"].shape == (len(inputs["age"]), 1)
        letters = [len(text.decode()) for text in inputs["said"][:, 0]]
        return {"letters": np.array(letters, np.float32) + inputs["age"]}

    takes = {"said": TensorSpec("bytes", (1,)), "age": TensorSpec("float32", ())}
    memory.says(inputs=takes, outputs={"letters": TensorSpec("float32", ())})
    memory.compute = count
    ages = np.arange(40, dtype=np.float32)
    sample = pa.table({"id": range(40), "said": texts, "age": ages})
    pq.write_table(sample, tmp_path / "sample.parquet")
    known = {"name": "n", "sample": str(tmp_path / "sample.parquet"), "key": "id", "remote": REMOTE}
    job = PackagingJob[AnyStep].model_validate(
        {**known, "task": "regression", "output": str(tmp_path / "model")}
    )
    card = pack_graph(job, sample).card
    assert (card.inputs["said"].dtype, card.inputs["said"].shape) == ("uint8", (64,))
    scored = run_job(tmp_path / "model.job.yaml", output=tmp_path / "scores").rows()
    expected = [len(text) + age for text, age in zip(texts, ages, strict=True)]
    assert scored["letters"].to_pylist() == expected


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--remote", URL], "remote.protocol: is required; remote.name: is required"),
        (
            ["--remote", "churn:1", "--protocol", "oip-grpc", "--remote_name", "c"],
            "remote: url must",
        ),
        (
            ["--remote", URL, "--protocol", "oip-gprc", "--remote_name", "c"],
            "did you mean oip-grpc?",
        ),
        (
            ["--remote", URL, "--protocol", "oip-grpc", "--remote_name", "c", "--onnx", "x.onnx"],
            "a package holds one model, and the job names onnx and remote",
        ),
    ],
)
def test_flags_that_name_no_server_are_told_what_is_missing(flags: list[str], told: str) -> None:
    with redirect_stderr(io.StringIO()) as error:
        assert run_program(package.main, [*flags, "--sample", "s", "--output", "o"]) == 2
    assert told in error.getvalue()


def test_flags_name_the_whole_of_it(memory: MemoryServer, tmp_path: Path) -> None:
    pq.write_table(SAMPLE, tmp_path / "sample.parquet")
    named = {
        "remote": URL,
        "protocol": "oip-grpc",
        "remote_name": "churn",
        "remote_version": "3",
        "sample": str(tmp_path / "sample.parquet"),
        "key": "id",
        "activation": "sigmoid",
        "output": str(tmp_path / "model"),
    }
    words = [word for name, value in named.items() for word in (f"--{name}", value)]
    with redirect_stdout(io.StringIO()) as said:
        assert run_program(package.main, words) == 0
    assert "model      churn, version 3, computed by a server" in said.getvalue()
    assert f"model      churn version 3 at {URL}" in said.getvalue()
