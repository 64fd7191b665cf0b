"""Publishing on object stores: killed at each step, two at once, with answers lost and listings that lag. Readers watch."""

from collections.abc import Callable
import json
from multiprocessing.process import BaseProcess

import pytest

from configs.errors import PublishError
from storage import files
from storage.layout import find_current_run
from storage.run_folder import RunFolder
from tests.faults.counts import full_or
from tests.object_stores import publisher
from tests.object_stores.proxy import Fault, Proxy
from tests.object_stores.readers import check_published, content, watched, whole
from tests.object_stores.servers import Server
from tests.object_stores.stores import at, new_bucket
from tests.support.builders import make_unit, scored_batch
from tests.support.publishing import SCHEMA, two_units
from transforms.formats.output import FileFormat
from transforms.output.done_record import finish_unit, read_done_record
from transforms.output.part_writer import PartWriter
from transforms.publish import publish_run

_ANY_WRITE = r"^(PUT|POST|DELETE) "


@pytest.fixture
def output(bucket: str) -> str:
    """An output with a published run, `old`."""
    publish_run(two_units(f"{bucket}/scores", "old")[0], [], publisher.HEAD, 1, 0.0)
    return f"{bucket}/scores"


@pytest.fixture
def reference(output: str) -> RunFolder:
    return RunFolder(output, "old")


def clean_steps(server: Server, output: str, proxy: Proxy) -> list[str]:
    """The requests with which an undisturbed publication changes the store, in order."""
    run, _ = two_units(output, "clean")
    assert publisher.end(publisher.start(server.environment(proxy.address), run)) == 0
    return proxy.writes()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_each_step_it_resumes_to_the_same_bytes(
    after: bool, server: Server, output: str, reference: RunFolder, proxy: Proxy
) -> None:
    steps = clean_steps(server, output, proxy)
    assert sum("part-" in s and "/runs/" in s.replace("%2F", "/") for s in steps) == 4
    assert (
        ["manifest" in s for s in steps].index(True)
        < ["CURRENT" in s for s in steps].index(True)
        < len(steps) - 1
    )
    # After a step the store is as before the next one: so every other step shows all that a kill leaves.
    tried = list(enumerate(steps, 1))
    for number, step in full_or(tried[::2], tried):
        before = find_current_run(output)
        run, _ = two_units(output, f"killed-{number}")
        launchers: list[BaseProcess] = []
        proxy.fault = Fault(
            _ANY_WRITE, lambda launchers=launchers: publisher.kill(launchers[0]), after, number
        )
        with proxy.lock:  # the first request waits until the launcher's number is known
            launchers.append(publisher.start(server.environment(proxy.address), run))
        assert publisher.end(launchers[0]) == publisher.KILLED, step
        assert whole(output)["run_id"] in {before, run.run_id}, step
        publish_run(run, [], publisher.HEAD, 1, 0.0)
        check_published(run, reference)
    assert {**whole(output, "old"), "run_id": ""} == {**whole(output), "run_id": ""}


def test_two_launchers_of_the_same_work(server: Server, output: str, reference: RunFolder) -> None:
    for number in range(full_or(2, 10)):
        before = find_current_run(output)
        run, _ = two_units(output, f"run-{number}")
        with watched(output) as seen:
            launchers = [publisher.start(server.environment(), run) for _ in range(2)]
            assert [publisher.end(launcher) for launcher in launchers] == [0, 0]
        assert seen <= {before, run.run_id}
        check_published(run, reference)


def test_two_launchers_of_different_work(server: Server, output: str, reference: RunFolder) -> None:
    for number in range(full_or(2, 10)):
        before = find_current_run(output)
        runs = [two_units(output, f"run-{number}-{letter}")[0] for letter in "ab"]
        with watched(output) as seen:
            launchers = [publisher.start(server.environment(), run) for run in runs]
            assert [publisher.end(launcher) for launcher in launchers] == [0, 0]
        assert seen <= {before, *(run.run_id for run in runs)}
        assert find_current_run(output) in {run.run_id for run in runs}
        for run in runs:
            assert content(run) == content(reference)
            assert whole(output, run.run_id)["files"] == whole(output, "old")["files"]


@pytest.mark.parametrize("step", ["part-00001", "_manifest.json", "CURRENT"])
def test_a_lost_answer_changes_nothing(
    step: str, server: Server, output: str, reference: RunFolder, proxy: Proxy
) -> None:
    run, _ = two_units(output, "new")
    proxy.fault = Fault(f"{_ANY_WRITE}.*{step}", lambda: None, after=True)
    assert publisher.end(publisher.start(server.environment(proxy.address), run)) == 0
    assert proxy.fault.seen >= 2  # asked again
    check_published(run, reference)


def test_a_lost_answer_to_a_done_record_costs_no_file(
    server: Server, output: str, proxy: Proxy
) -> None:
    run, unit = two_units(output, "new")[0], make_unit(7, 2, "c.parquet")
    proxy.fault = Fault(f"{_ANY_WRITE}.*done", lambda: None, after=True)
    with at(Server(server.scheme, proxy.address)):
        writer = PartWriter(run, unit, 0, FileFormat("parquet", SCHEMA, (), (), 10))
        writer.write(scored_batch(unit, 0, [1, 2], last=True))
        (part,) = finish_unit(run, unit, writer.close(last=True))
    assert proxy.fault.seen >= 2
    assert read_done_record(run, 7) == part
    assert all(files.exists(f"{run.attempts}/{f.path}") for f in part.scored)


def test_other_content_that_was_published_first_stands(
    server: Server, output: str, proxy: Proxy
) -> None:
    """Of two manifests the store takes one, and the launcher whose content it is not fails."""
    run, _ = two_units(output, "new")
    other = json.dumps(
        {"content_sha256": "another", "rows": {}, "files": [], "rejected_files": []}
    ).encode()
    proxy.fault = Fault(
        f"{_ANY_WRITE}.*manifest",
        lambda: assert_true(files.create(run.manifest, other)),
        after=False,
    )
    with (
        at(Server(server.scheme, proxy.address)),
        pytest.raises(PublishError, match="another launcher published"),
    ):
        publish_run(run, [], publisher.HEAD, 1, 0.0)
    assert files.read(run.manifest) == other
    assert files.list_names(run.published) == ["_manifest.json"]
    assert find_current_run(output) == "old"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_paused_at_a_request_it_does_not_lead_readers_back(
    after: bool, server: Server, output: str, reference: RunFolder, proxy: Proxy
) -> None:
    """From the manifest on; a newer run is published while the answer is awaited."""
    clean_steps(server, output, proxy)
    requests = list(proxy.requests)
    first = ["manifest" in request for request in requests].index(True)
    assert sum("CURRENT" in request for request in requests) >= 3
    tried = list(enumerate(requests[first:], first + 1))
    current = [(number, request) for number, request in tried if "CURRENT" in request]
    for number, request in full_or(current[::2], tried):
        older, newer = (two_units(output, f"{which}-{number}")[0] for which in ("older", "newer"))
        year = 2100 + number
        led = list[str | None]()

        def overtake(
            newer: RunFolder = newer, year: int = year, led: list[str | None] = led
        ) -> None:
            led.append(find_current_run(output))
            publish_run(newer, [], publisher.head(year, 1), 1, 0.0)

        proxy.fault = Fault("", overtake, after, number, loses=False)
        launcher = publisher.start(server.environment(proxy.address), older, publisher.head(year))
        status = publisher.end(launcher)
        assert led, number
        assert find_current_run(output) == newer.run_id, request
        assert status == (0 if led[0] == older.run_id else 1), (request, led)
        assert whole(output)["run_id"] == newer.run_id
        assert content(newer) == content(older) == content(reference)
        assert files.list_names(f"{output}/_tmp") == []


def assert_true(value: bool) -> None:
    assert value


def as_empty(old: str, output: str) -> None:
    """Listings show nothing of what was written."""


def as_of_long_ago(old: str, output: str) -> None:
    """Listings show what was removed since, and nothing of what was written."""
    name = f"{old}/{output.rsplit('/', 1)[1]}"
    for ghost in (
        "_tmp/new/attempts/gone.parquet",
        "_tmp/new/done/0000000.json",
        "runs/new/part-00000-gone.parquet",
        "runs/new/_manifest.json",
    ):
        files.put(f"{name}/{ghost}", b"gone")


@pytest.mark.parametrize("listings", [as_empty, as_of_long_ago])
def test_no_promise_rests_on_a_listing(
    listings: Callable[[str, str], None],
    server: Server,
    bucket: str,
    output: str,
    reference: RunFolder,
    proxy: Proxy,
) -> None:
    old = new_bucket(server)
    listings(old, output)
    proxy.old = (bucket.partition("://")[2], old.partition("://")[2])
    with at(Server(server.scheme, proxy.address)):
        assert "CURRENT" not in files.list_names(output)
        run, _ = two_units(output, "new")
        publish_run(run, [], publisher.HEAD, 1, 0.0)
        assert whole(output)["run_id"] == "new"
        publish_run(run, [], publisher.HEAD, 1, 0.0)
    assert (
        publisher.end(publisher.start(server.environment(), run)) == 0
    )  # and later nothing is left to clean up
    check_published(run, reference)
