"""A store that fails for a moment costs time and nothing else; one that goes on failing, or a program's own error, ends the run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
import errno
from functools import cache
import gzip
import io
from typing import Any
import uuid

import fsspec
from fsspec.implementations.memory import MemoryFileSystem
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from storage import files, retries
from tests.faults.counts import full_or
from tests.support.builders import parquet
from tests.support.jobs import Outcome, small_table

Score = Callable[..., Outcome]

ROWS = 50_000
FAILURE = OSError(errno.EIO, "Input/output error")


@dataclass
class Faults:
    """Which reads of which file fail, counted from 1, and with what; and how many there were."""

    failing: dict[int, Exception] = field(default_factory=dict)
    reads: int = 0
    opened: int = 0

    def next(self) -> None:
        self.reads += 1
        if self.reads in self.failing:
            raise self.failing[self.reads]


FAULTS = Faults()


class UnsteadyFile:
    """A file of which some reads fail, as those of a network do."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        FAULTS.next()
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class UnsteadyFileSystem(MemoryFileSystem):
    """Files in memory that are read as if over a network."""

    protocol = "unsteady"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return MemoryFileSystem._strip_protocol(path.removeprefix("unsteady://"))

    def _open(self, path: str, mode: str = "rb", **named: Any) -> Any:
        FAULTS.opened += 1
        file = super()._open(path, mode, **named)
        return UnsteadyFile(io_copy(file)) if mode == "rb" else file


def io_copy(file: Any) -> Any:
    """A file of its own for every reader; the file system hands one to all."""
    return io.BytesIO(file.getvalue())


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(retries, "pause", waited.append)
    return waited


@pytest.fixture
def store() -> Iterator[Callable[[str, bytes], str]]:
    """Puts a file into the unsteady store, and gives its URL."""
    fsspec.register_implementation("unsteady", UnsteadyFileSystem, clobber=True)
    system = fsspec.filesystem("unsteady")
    folder = f"/{uuid.uuid4().hex}"

    def put(name: str, content: bytes) -> str:
        system.pipe_file(f"{folder}/{name}", content)
        FAULTS.__init__()  # type: ignore[misc]
        return f"unsteady://{folder}/{name}"

    yield put
    system.rm(folder, recursive=True)


@cache
def content(name: str) -> bytes:
    rows = small_table(
        ROWS, a=pa.array(np.random.default_rng(1).standard_normal(ROWS, dtype=np.float32))
    )
    if name.endswith("parquet"):
        return parquet(rows)
    sink = io.BytesIO()
    pacsv.write_csv(rows, sink)
    return gzip.compress(sink.getvalue()) if name.endswith("gz") else sink.getvalue()


@pytest.fixture(params=["in.parquet", "in.csv", "in.csv.gz"])
def run(
    request: pytest.FixtureRequest, store: Callable[[str, bytes], str], score_it: Score
) -> Callable[..., Outcome]:
    """Scores one file of the store, whose reads fail as told."""
    stored = content(request.param)
    settings = (
        {}
        if request.param.endswith("parquet")
        else {"source.format": "csv", "source.types": {"id": "int64"}}
    )

    def score(failing: dict[int, Exception] | None = None) -> Outcome:
        url = store(request.param, stored)
        FAULTS.failing = failing or {}
        return score_it(url, settings={**settings, "source.rows_per_batch": 4_096})

    return score


@pytest.mark.slow
def test_reads_that_fail_for_a_moment_leave_no_trace_in_the_output(
    run: Callable[..., Outcome], waits: list[float]
) -> None:
    clean = run().rows()
    reads = FAULTS.reads
    assert (reads >= 2, waits, clean.num_rows) == (True, [], ROWS)
    for failing in full_or({1, reads // 2, reads}, set(range(1, reads + 1))):
        outcome = run({failing: FAILURE})
        assert outcome.rows().equals(clean), failing
        assert len(waits) == 1
        waits.clear()
    scattered = {n: ConnectionResetError() for n in range(1, 4 * reads, 3)}
    assert run(scattered).rows().equals(clean)
    assert waits


def test_three_failures_in_a_row_pass_and_four_do_not(
    run: Callable[..., Outcome], waits: list[float]
) -> None:
    run()
    last = FAULTS.reads
    assert run({last + n: FAILURE for n in range(3)}).rows().num_rows == ROWS
    assert len(waits) == 3
    waits.clear()
    run({last + n: FAILURE for n in range(4)}).refused("in.", "Input/output error")
    assert len(waits) == 3
    assert FAULTS.reads == last + 3


def test_an_error_that_stays_is_not_tried_again(
    run: Callable[..., Outcome], waits: list[float]
) -> None:
    """Nor is one of the program itself, which is not taken for bad input either."""
    run()
    last = FAULTS.reads
    for error in (OSError("corrupt"), PermissionError(errno.EACCES, "Permission denied")):
        run({last: error}).refused("in.", str(error.strerror or error))
        assert (FAULTS.reads, waits) == (last, [])
    outcome = run({last: TypeError("a mistake of ours")})
    assert (outcome.status, FAULTS.reads, waits) == (1, last, [])
    assert "TypeError" in outcome.error
    assert not (outcome.output / "CURRENT").exists()


def test_a_file_that_changes_while_it_is_read_again_is_refused(
    store: Callable[[str, bytes], str], score_it: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = store("in.parquet", parquet(small_table(ROWS)))
    score_it(url)
    FAULTS.failing, FAULTS.reads = {FAULTS.reads: FAILURE}, 0
    monkeypatch.setattr(
        retries, "pause", lambda seconds: files.put(url, parquet(small_table(ROWS, first=1)))
    )
    score_it(url, settings={"postprocess.threshold": 0.4}).refused(
        "in.parquet", "changed after the run was planned"
    )
