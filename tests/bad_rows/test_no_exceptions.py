"""What is no `Exception`, from a user's function, a network, a tokenizer or a picture: a row rejected, or one line."""

from collections.abc import Callable
import io
import json
from pathlib import Path
import pickle
from typing import Any

from PIL import Image as Pillow
import pyarrow as pa
import pytest

from configs.errors import CrashError, JobError, RejectedRows, crashes_as_errors
from model_zoo.steps.image import Image, decode_images
from model_zoo.steps.tokenize import Tokenize, tokenize
from pipelines.cli.command_line import run_program
from tests.bad_rows.networks import installed
from tests.bad_rows.spoilt_job import write_hundreds
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.text_models import tokenizer

MODULE = "tests.bad_rows.ending_steps"
KINDS = {
    "exits": "SystemExit",
    "panics": "Panic",
    "recurses": "RecursionError",
    "fills_memory": "MemoryError",
    "interrupts": "KeyboardInterrupt",
}
# In threads of Beam's: what a library and what a user ends a program with; the other kinds are quick without Beam.
IN_THREADS = [
    kind if kind in ("exits", "interrupts") else pytest.param(kind, marks=pytest.mark.slow)
    for kind in KINDS
]


def run_step(folder: Path, function: str, *flags: str) -> Outcome:
    write_parquet(folder / "in/a.parquet", small_table(8))
    package = tiny_package(folder / "model")
    step = {"step": "function", "function": function}
    module = function.partition(":")[0]
    job = write_job(
        folder,
        package,
        source={"paths": str(folder / "in"), "key": "id", "passthrough": []},
        preprocess={"modules": [module], "steps": [step]},
        errors={"max_rejected_rows": 4},
    )
    return run_job(job, "--metrics_file", str(folder / "metrics"), *flags)


@pytest.mark.parametrize("function", [k for k in KINDS if k != "interrupts"])
def test_of_a_users_function_the_rows_that_it_ends_on_are_rejected(
    function: str, tmp_path: Path
) -> None:
    outcome = run_step(tmp_path, f"{MODULE}:{function}")
    assert outcome.status == 0, outcome.error
    assert outcome.scored()["id"].to_pylist() == [0, 2, 4, 6]
    rejected = outcome.rejected()
    assert [record["row"] for record in rejected] == [1, 3, 5, 7]
    assert "secret" not in str(rejected)


@pytest.mark.beam
@pytest.mark.parametrize("function", IN_THREADS)
def test_a_worker_thread_survives_it(function: str, tmp_path: Path) -> None:
    """Where somebody's KeyboardInterrupt is nobody's Ctrl-C, too."""
    outcome = run_step(tmp_path, f"{MODULE}:{function}", "--direct_num_workers=2")
    assert outcome.status == 0, outcome.error
    assert outcome.scored()["id"].to_pylist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (f"{MODULE}:always_exits", "fails on every row that it was tried on: SystemExit in line"),
        ("tests.bad_rows.exiting_import:f", "cannot be imported: SystemExit: 0"),
    ],
)
def test_a_function_that_always_exits_ends_the_run_with_its_line_and_its_metrics(
    function: str, words: str, tmp_path: Path
) -> None:
    outcome = run_step(tmp_path, function)
    assert outcome.status == 2
    assert outcome.error.count("\n") == 1
    assert words in outcome.error
    assert "status" in (tmp_path / "metrics").read_text()


def test_of_a_network_the_rows_that_it_panics_on_are_rejected(
    folder: Path, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(x: Any, answer: Any) -> Any:
        if (x[:, 0] == 350).any():
            raise SystemExit(0)
        return answer

    write_hundreds(folder)
    installed(monkeypatch, panic)
    outcome = run("--set", "errors.max_rejected_rows=1")
    assert outcome.status == 0, outcome.error
    assert [(r["row"], r["stage"]) for r in outcome.rejected()] == [(50, "predict")]


def broken_tokenizer(**parts: Any) -> str:
    return json.dumps({**json.loads(tokenizer()), **parts})


# A pattern that takes for ever on such a text, so that its library gives up, with a panic.
ENDLESS = {"type": "Split", "pattern": {"Regex": "(a+)+b"}, "behavior": "Isolated", "invert": False}


@pytest.mark.slow
def test_of_a_tokenizer_the_texts_that_it_panics_on_are_rejected(
    capfd: pytest.CaptureFixture[str],
) -> None:
    step = Tokenize(
        step="tokenize",
        column="text",
        max_tokens=4,
        tokenizer=broken_tokenizer(pre_tokenizer=ENDLESS),
    )
    texts = ["word1", "a" * 40, "word2", "a" * 41, ""]
    with pytest.raises(RejectedRows) as caught:
        tokenize(pa.array(texts), step)
    assert sorted(caught.value.reasons) == [1, 3]
    assert all("PanicException" in str(why) for why in caught.value.reasons.values())


@pytest.mark.parametrize(
    "parts",
    [
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
    ],
    ids=["when it is read", "on every text"],
)
def test_a_tokenizer_that_always_panics_is_refused(parts: dict[str, Any]) -> None:
    step = Tokenize(
        step="tokenize", column="text", max_tokens=4, tokenizer=broken_tokenizer(**parts)
    )
    with pytest.raises(JobError, match=r"^preprocess step tokenize: "):
        tokenize(pa.array([f"word{n}" for n in range(20)]), step)


def test_of_pictures_those_that_a_decoder_panics_on_are_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = io.BytesIO()
    Pillow.new("L", (6, 6)).save(sink, "BMP")
    calls = iter([None, SystemExit(0), None])

    def upright(image: Any, in_place: bool) -> None:
        ending = next(calls)
        if ending is not None:
            raise ending

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", upright)
    step = Image(step="image", column="i", into="x", height=6, width=6)
    with pytest.raises(RejectedRows) as caught:
        decode_images(pa.array([sink.getvalue()] * 3), step)
    assert {row: str(why) for row, why in caught.value.reasons.items()} == {1: "SystemExit: 0"}


@pytest.mark.parametrize("ending", [SystemExit(0), GeneratorExit()])
def test_a_program_does_not_end_with_a_status_of_somebody_elses(
    ending: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(_: object) -> int:
        raise ending

    assert run_program(main, []) == 1
    assert capsys.readouterr().err.startswith(f"error: internal error: {type(ending).__name__}")


def test_ctrl_c_stays_what_it_is_and_a_crash_travels_between_processes() -> None:
    with pytest.raises(KeyboardInterrupt), crashes_as_errors():
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="as it is"), crashes_as_errors():
        raise ValueError("as it is")
    for crash in (CrashError("Panic", "at: x"), CrashError("SystemExit", "")):
        again = pickle.loads(pickle.dumps(crash))
        assert (str(again), again.kind) == (str(crash), crash.kind)
