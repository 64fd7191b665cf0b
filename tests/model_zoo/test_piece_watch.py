"""A picture or a text that takes for ever ends the run, and slow work that gets on does not."""

from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
import io
from pathlib import Path
import threading
import time
from types import SimpleNamespace
from typing import Any

from PIL import Image as Pillow
import pyarrow as pa
import pytest

from configs.errors import ModelError, RejectedRows, WorkerError
from model_zoo import piece_watch
from model_zoo.package.package import read_package
from model_zoo.piece_watch import one_piece, run_watched
from model_zoo.scoring.daemon_threads import DaemonThreads
from model_zoo.steps import tokenize
from model_zoo.steps.image import Image
from model_zoo.steps.table import apply_steps
from pipelines.planning.model_checks import check_preprocessing
from tests.support import text_models
from tests.support.jobs import run_job, write_job, write_parquet

# Against a picture or text that takes for ever.
TIMEOUT = 0.3
# What is none has all that a busy machine may need for it.
TEXT_TIMEOUT = 1.0
ENDLESS = "endless"


@dataclass
class HangingTokenizer:
    """A tokenizer that comes to no end with one text."""

    tokenizer: Any
    hang: threading.Event

    def encode_batch_fast(self, texts: list[str]) -> Any:
        if ENDLESS in texts:
            self.hang.wait(60)
        return self.tokenizer.encode_batch_fast(texts)


@contextmanager
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all tokenizers hang at that text, until the block ends."""
    load, hang = tokenize._load_tokenizer, threading.Event()
    monkeypatch.setattr(
        tokenize, "_load_tokenizer", lambda *given: HangingTokenizer(load(*given), hang)
    )
    try:
        yield
    finally:
        hang.set()


def test_what_the_work_returns_or_raises_comes_back() -> None:
    assert run_watched(lambda: 7, 1.0, "it") == 7
    with pytest.raises(ZeroDivisionError):
        run_watched(lambda: 1 // 0, 1.0, "it")


def test_a_piece_that_never_ends_is_left_behind_and_the_next_work_goes_on() -> None:
    hang = threading.Event()

    def work() -> None:
        with one_piece():
            hang.wait()

    began = time.monotonic()
    try:
        with pytest.raises(WorkerError, match=r"^it took longer than 0\.3 s, so the run stops"):
            run_watched(work, TIMEOUT, "it")
        # Nobody waits for what hangs.
        assert time.monotonic() - began < 60
        assert run_watched(lambda: 7, TIMEOUT, "it") == 7
    finally:
        hang.set()


def test_pieces_are_no_pieces_where_nobody_watches() -> None:
    with one_piece():
        pass


def test_a_picture_that_never_ends_is_bounded_and_the_others_of_a_batch_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = io.BytesIO()
    Pillow.new("L", (6, 6)).save(sink, "BMP")
    step = Image(step="image", column="i", into="x", height=6, width=6)
    pictures: dict[str, pa.Array] = {"i": pa.array([sink.getvalue()] * 50)}
    assert len(apply_steps([step], pictures, 50, timeout_seconds=60)["x"]) == 50
    with pytest.raises(RejectedRows):
        apply_steps([step], {"i": pa.array([b"x"])}, 1, timeout_seconds=60)
    hang = threading.Event()
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", lambda *_, **__: hang.wait())
    try:
        with pytest.raises(WorkerError, match=r"^preprocess step image took longer than"):
            apply_steps([step], pictures, 50, timeout_seconds=TIMEOUT)
    finally:
        hang.set()


def test_texts_come_out_alike_in_however_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"text": pa.array(text_models.texts(50))}
    whole = apply_steps([text_models.step()], rows, 50)
    monkeypatch.setattr("model_zoo.steps.tokenize._TEXTS_OF_A_PIECE", 7)
    pieces = apply_steps([text_models.step()], rows, 50, timeout_seconds=60)
    assert all((whole[name] == pieces[name]).all() for name in ("input_ids", "attention_mask"))  # type: ignore[union-attr]


def text_job(folder: Path) -> Path:
    package = text_models.text_package(folder / "model")
    source = {"paths": str(folder / "in"), "key": "id", "passthrough": []}
    return write_job(folder, package, source=source, postprocess={"keep": ["embedding"]})


def test_a_text_that_takes_too_long_ends_the_run_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = text_job(tmp_path)
    rows = pa.table({"id": [0, 1, 2], "text": ["word1", ENDLESS, "word2"]})
    write_parquet(tmp_path / "in/a.parquet", rows)
    with hanging(monkeypatch):
        outcome = run_job(job, "--set", f"model.timeout_seconds={TEXT_TIMEOUT}")
    assert outcome.status == 1
    # In this process the runner's threads write tracebacks, too.
    (line,) = [line for line in outcome.error.splitlines() if line.startswith("error: ")]
    assert "a.parquet from row 0: preprocess step tokenize took longer than 1 s" in line
    assert ENDLESS not in outcome.error


def test_a_package_whose_own_smoke_batch_takes_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: Callable[..., list[str]] = lambda *_: ["word1", ENDLESS]  # noqa: E731
    monkeypatch.setattr(text_models, "texts", texts)
    package = read_package(text_models.text_package(tmp_path / "model"))
    said = "on its own smoke batch, preprocess step tokenize took"
    with hanging(monkeypatch), pytest.raises(ModelError, match=said):
        check_preprocessing(package, TIMEOUT)


class Clock:
    """A clock that goes on by as long as somebody waits, for work that is done at a time of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, done_after: float) -> None:
        self.now, self.waited = 100.0, list[float]()
        self.done_at, self.go = 100.0 + done_after, threading.Event()
        monkeypatch.setattr(piece_watch, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(piece_watch, "futures", SimpleNamespace(wait=self.wait))

    def wait(self, work: list[Future[object]], timeout: float) -> object:
        self.waited.append(timeout)
        self.now += timeout
        if self.now < self.done_at:
            return SimpleNamespace(done=set())
        self.go.set()
        return futures.wait(work)


@pytest.mark.parametrize(
    ("takes", "limit", "is_over"),
    [(4.5, 5.0, False), (5.5, 5.0, True), (0.125, 0.25, False), (0.375, 0.25, True)],
)
def test_a_piece_is_given_up_when_its_time_is_over_and_not_before(
    takes: float, limit: float, is_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, clock = threading.Event(), Clock(monkeypatch, takes)

    def work() -> str:
        with one_piece():
            begun.set()
            clock.go.wait()
        return "done"

    def submit(_: object, call: Callable[[], object]) -> Future[object]:
        done = submit_really(threads, call)
        begun.wait()
        return done

    threads, submit_really = DaemonThreads(1, "watched"), DaemonThreads.submit
    monkeypatch.setattr(DaemonThreads, "submit", submit)
    try:
        if is_over:
            with pytest.raises(WorkerError, match=f"^it took longer than {limit:g} s"):
                run_watched(work, limit, "it")
            # At the first look behind its time.
            assert limit <= clock.now - 100.0 < takes
        else:
            assert run_watched(work, limit, "it") == "done"
    finally:
        clock.go.set()
    # It looks once a second, and at the end of a piece's time.
    assert max(clock.waited) <= 1.0
    assert len(clock.waited) <= limit + 2


def test_many_pieces_may_take_long_together_and_so_may_what_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 5 s: each of six pieces takes 4, and then work that is no piece 15."""
    clock = Clock(monkeypatch, 1_000.0)
    begun, ended = threading.Semaphore(0), threading.Semaphore(0)
    ends = [4, 8, 12, 16, 20, 24, 39]

    def work() -> str:
        for _ in ends[:-1]:
            with one_piece():
                begun.release()
                ended.acquire(timeout=60)
        begun.release()
        ended.acquire(timeout=60)
        return "done"

    def wait(work: list[Future[object]], timeout: float) -> object:
        if clock.now == 100.0:
            begun.acquire(timeout=60)
        clock.wait(work, timeout)
        seconds = clock.now - 100.0
        if seconds in ends:
            ended.release()
            if seconds == ends[-1]:
                return futures.wait(work)
            begun.acquire(timeout=60)
        return SimpleNamespace(done=set())

    monkeypatch.setattr(piece_watch, "futures", SimpleNamespace(wait=wait))
    assert run_watched(work, 5.0, "it") == "done"
    assert clock.now == 139.0
