"""Which launch published what stands, told by its error, and what a launch says that cannot count or write."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import (
    InputError,
    ModelError,
    OtherContentError,
    PublishError,
    Refusal,
    SupersededError,
)
from pipelines.cli.run_log import RunLog
from pipelines.scoring import launch
from storage.run_folder import RunFolder

RUN = RunFolder("/out", "r1")
PLAN: Any = SimpleNamespace(run=RUN, units=(), rows=0, planned_at="t1")
LOST = FileNotFoundError(2, "No such file or directory")


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (LOST, True),
        (caused_by(PublishError("cannot be written"), LOST), True),
        (RuntimeError("of a worker: FileNotFoundError: [Errno 2]"), True),
        (RuntimeError(f"of a worker: {launch.NOT_WHOLE}"), True),
        (PublishError("cannot be written"), False),
        (RuntimeError("another"), False),
        # Of a kind of its own, whatever it came from.
        (caused_by(OtherContentError("published first"), LOST), False),
        (caused_by(ModelError("fails on every row"), LOST), False),
        (InputError(f"{RUN.plan}: is gone"), True),
        (caused_by(InputError("/in/a.parquet: is gone"), LOST), False),
    ],
)
def test_a_launch_whose_files_somebody_removed_is_known_by_its_error(
    error: Exception, answer: bool
) -> None:
    assert launch._misses_files(PLAN, error) is answer


@pytest.mark.parametrize(
    ("error", "stands", "planned_at", "publisher"),
    [
        (LOST, "t1", "t1", "this"),
        (ZeroDivisionError(), "t1", "t1", "this"),
        (LOST, "t0", "t1", "another"),
        (ZeroDivisionError(), "t0", "t1", None),
        (LOST, None, "t1", None),
        # These tell it all, though a manifest stands.
        (OtherContentError("published first"), "t1", "t1", None),
        (SupersededError("planned later"), "t1", "t1", None),
        (PublishError("cannot be written"), "t1", "t1", "this"),
    ],
)
def test_who_published_is_told_by_the_manifest_that_stands(
    error: Exception,
    stands: str | None,
    planned_at: str,
    publisher: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest = {"planned_at": stands}
    monkeypatch.setattr(launch, "is_published", lambda run: stands is not None)
    monkeypatch.setattr(launch, "read_manifest", lambda output, run_id: (RUN, manifest))
    assert launch._find_publisher(PLAN, planned_at, error) == publisher


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PublishError("cannot be written"), "again: cannot be written"),
        # Its text may hold values of rows.
        (ZeroDivisionError("of customer 7"), "again: ZeroDivisionError"),
    ],
)
def test_what_was_done_again_is_told_without_values_of_rows(error: Exception, why: str) -> None:
    assert launch._describe_mended(error).endswith(why)


@pytest.mark.parametrize(("error", "counted"), [(None, 7), (OSError(5, "Input/output error"), 0)])
def test_rows_of_before_that_cannot_be_counted_end_no_run(
    error: Exception | None, counted: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def count() -> int:
        if error is not None:
            raise error
        return 7

    rows_done: Any = SimpleNamespace(count_finished=count)
    assert launch._count_resumed(rows_done, RunLog()) == counted
    said = capsys.readouterr()
    assert ("cannot be told" in said.out + said.err) is (error is not None)


def test_a_folder_that_cannot_be_written_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(plan: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(launch, "store_plan", fail)
    with pytest.raises(PublishError, match=r"^/out: cannot be written: No space left on device; "):
        launch._prepare(PLAN, {}, None, RunLog())


@pytest.mark.parametrize(("torn", "is_told"), [(0, False), (2, True)])
def test_torn_records_are_told_where_there_are_some(
    torn: int,
    is_told: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(launch, "store_plan", lambda plan: plan)
    monkeypatch.setattr(launch, "remove_torn_records", lambda run: torn)
    assert launch._prepare(PLAN, {}, None, RunLog()) is PLAN
    assert ("leaves them: 2; their units" in capsys.readouterr().out) is is_told


def launch_with(monkeypatch: pytest.MonkeyPatch, run_graph: Any, run: RunFolder = RUN) -> int:
    """Launch a graph that ends as this function does."""
    monkeypatch.setattr(launch, "_prepare", lambda plan, head, reuse_from, log: plan)
    monkeypatch.setattr(launch, "_count_resumed", lambda rows_done, log: 3)
    monkeypatch.setattr(launch, "_run_graph", run_graph)
    plan: Any = SimpleNamespace(run=run, units=(), rows=0, planned_at="t1")
    # What stands in for the graph asks for neither.
    options: Any = None
    build: Any = None
    return launch.launch(plan, {"planned_at": "t1"}, options, build, None, RunLog(quiet=True))


@pytest.mark.parametrize(("goes_on_alone", "status"), [(True, 0), (False, 9)])
def test_a_job_that_goes_on_alone_is_not_looked_for(
    goes_on_alone: bool, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_say_published", lambda plan, resumed, seconds, log: 9)
    assert launch_with(monkeypatch, lambda *_: goes_on_alone) == status


def test_a_job_that_says_it_is_done_and_published_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(str(tmp_path), "r1")
    with pytest.raises(PublishError, match="did not publish run r1 there"):
        launch_with(monkeypatch, lambda *_: False, run)


@pytest.mark.parametrize(
    "error", [Refusal("the runner lost its workers"), ZeroDivisionError("division by zero")]
)
def test_what_nobody_published_is_told_as_it_is(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise error

    monkeypatch.setattr(launch, "is_published", lambda run: False)
    with pytest.raises(type(error), match=str(error)):
        launch_with(monkeypatch, fail)


def test_a_run_that_failed_once_it_was_published_is_told_as_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> bool:
        raise LOST

    announced: list[Any] = []
    monkeypatch.setattr(launch, "_find_publisher", lambda plan, planned_at, error: "this")
    monkeypatch.setattr(launch, "announce", lambda *given: announced.append(given))
    monkeypatch.setattr(launch, "_say_published", lambda plan, resumed, seconds, log: 9)
    assert launch_with(monkeypatch, fail) == 9
    assert announced == [(RUN, "t1")]
