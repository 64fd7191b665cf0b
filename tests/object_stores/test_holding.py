"""Holding a run back on object stores, and releasing it: killed at each request that changes the store, it ends as if nothing was."""

from collections.abc import Callable
import json
from multiprocessing.process import BaseProcess

import pytest

from configs.errors import HeldError
from model_zoo.evaluation.findings import Limit, Rules
from pipelines import release
from pipelines.cli.command_line import run_program
from storage import files
from storage.layout import find_current_run, is_held
from storage.run_folder import RunFolder
from tests.faults.counts import full_or
from tests.object_stores import publisher
from tests.object_stores.proxy import Fault, Proxy
from tests.object_stores.readers import content, whole
from tests.object_stores.servers import Server
from tests.support.publishing import SCHEMA, two_units
from transforms.output.compared_reference import (
    ComparedReference,
    ReferenceHead,
    encode_reference,
    make_empty_profile,
)
from transforms.output.manifest import describe_schema
from transforms.publish import publish_run

# Who releases looks at the columns, too.
HEAD = {**publisher.HEAD, "schema": describe_schema(SCHEMA)}
_ANY_WRITE = r"^(PUT|POST|DELETE) "
FEWER = Rules({}, {}, {}, fewer_rows=Limit(hold=0.5))
BEFORE = ReferenceHead("previous", "previous", "run x (90 rows)", ("x",), (90,))


@pytest.fixture
def output(bucket: str) -> str:
    """An output with a published run, `old`."""
    publish_run(two_units(f"{bucket}/scores", "old")[0], [], publisher.HEAD, 1, 0.0)
    return f"{bucket}/scores"


def plan_few(output: str, run_id: str) -> RunFolder:
    """A run that is written, and has too few rows."""
    run, _ = two_units(output, run_id)
    reference = encode_reference(ComparedReference(BEFORE, make_empty_profile()))
    files.create(run.reference, reference)
    return run


def hold(run: RunFolder) -> None:
    with pytest.raises(HeldError, match="held back by its monitor"):
        publish_run(run, [], HEAD, 1, 0.0, rules=FEWER)


def strike(proxy: Proxy, number: int, after: bool, start: Callable[[], BaseProcess]) -> int | None:
    """The exit status of a program that is killed at a request."""
    launchers: list[BaseProcess] = []
    proxy.fault = Fault(_ANY_WRITE, lambda: publisher.kill(launchers[0]), after, number)
    with proxy.lock:  # the first request waits until the program's number is known
        launchers.append(start())
    status = publisher.end(launchers[0])
    proxy.fault = None
    return status


def test_killed_while_it_holds_a_run_back_it_ends_held(
    server: Server, output: str, proxy: Proxy
) -> None:
    clean = plan_few(output, "clean")
    environment = server.environment(proxy.address)
    assert publisher.end(publisher.start(environment, clean, rules=FEWER)) == 1
    assert is_held(clean)
    steps = list(enumerate(proxy.writes(), 1))
    assert any("_held.json" in step for _, step in steps)
    # After a step the store is as before the next one.
    for number, step in full_or(steps[-5::2], steps):
        run = plan_few(output, f"killed-{number}")
        start = lambda run=run: publisher.start(environment, run, rules=FEWER)  # noqa: E731
        assert strike(proxy, number, True, start) == publisher.KILLED, step
        assert whole(output)["run_id"] == "old", step
        # As the same command does: its plan is there until it is held.
        if not is_held(run):
            hold(run)
        assert is_held(run)
        names = {name for name in content(run) if name != "_held.json"}
        assert names == {name for name in content(clean) if name != "_held.json"}
    assert find_current_run(output) == "old"


def test_a_released_run_is_what_was_held(server: Server, output: str) -> None:
    run = plan_few(output, "few")
    hold(run)
    held = json.loads(files.read(run.held) or b"")
    flags = [output, "few", "--reason", "as planned"]
    assert run_program(release.main, flags) == 0
    assert find_current_run(output) == "few"
    manifest = whole(output)
    assert manifest.pop("released")["reason"] == "as planned"
    assert manifest["files"] == held["files"]
    assert not files.exists(run.held)
    assert files.list_names(f"{output}/_tmp") == []


def test_a_discarded_run_leaves_nothing(server: Server, output: str) -> None:
    run = plan_few(output, "few")
    hold(run)
    flags = [output, "few", "--reason", "half of it", "--discard"]
    assert run_program(release.main, flags) == 0
    assert files.list_names(f"{output}/runs") == ["old"]
    assert find_current_run(output) == "old"
