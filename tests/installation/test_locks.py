"""The locks are whole: on every supported Python and machine an install that resolves nothing gets everything that anything asks for."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
import pytest

from pipelines.packing.exporting.beside_network import LIBRARIES
from tests.installation import requires
from tests.installation.locks import (
    AIRFLOW,
    IMAGE,
    RUNTIME,
    SERVERS,
    TEST,
    Entry,
    asked_for,
    entries,
    environments,
)

OURS = (RUNTIME, TEST, IMAGE)
EXTRAS = {
    RUNTIME: (),
    TEST: ("test",),
    IMAGE: ("dataflow", "gcs", "images", "texts", "onnx", "remote"),
}
BUILDS_OUR_PACKAGE = "setuptools>=77"
# Beam's own are proto-plus, protobuf and grpcio; what is below is the libraries of the clouds.
OF_CLOUDS = re.compile(
    r"(google|gcs|gcp|grpc-google|grpcio-status|keyrings-google|aws|boto|s3|aioboto)"
)


def roots(lock: str) -> list[str]:
    """Return what a lock is compiled from."""
    always, extras = asked_for()
    return [
        *always,
        BUILDS_OUR_PACKAGE,
        *(line for extra in EXTRAS[lock] for line in extras[extra]),
    ]


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


@cache
def requirements_of(entry: Entry) -> tuple[Requirement, ...]:
    """Return what a locked distribution requires; raises LookupError where that is neither installed nor recorded."""
    lines = requires.installed_requires(entry)
    if lines is None:
        lines = requires.recorded_requires().get(f"{entry.name}=={entry.version}")
    if lines is None:
        raise LookupError(
            f"{entry.name}=={entry.version} is neither installed nor in requires.json: run make lock, then make test"
        )
    return tuple(Requirement(line) for line in lines)


def violations(lock: str, locked: list[Entry], environment: dict[str, str]) -> Iterator[str]:
    """Follow every requirement from the roots on, and yield what one environment would lack, get twice, or get for nothing."""
    active = {entry.name: entry for entry in locked if entry.is_active(environment)}
    counts = Counter(entry.name for entry in locked if entry.is_active(environment))
    yield from (f"{name} is locked {count} times" for name, count in counts.items() if count > 1)
    queue = [("setup.py", Requirement(line), "") for line in roots(lock)]
    followed: set[tuple[str, str]] = set()
    while queue:
        who, wanted, extra = queue.pop()
        name = canonicalize_name(wanted.name)
        if wanted.marker and not wanted.marker.evaluate({**environment, "extra": extra}):
            continue
        if name not in active:
            yield f"{name} is not locked, {who} requires {wanted}"
            continue
        if not wanted.specifier.contains(active[name].version, prereleases=True):
            yield f"{name} is locked at {active[name].version}, {who} requires {wanted}"
        for asked in {"", *wanted.extras} - {extra for seen, extra in followed if seen == name}:
            followed.add((name, asked))
            try:
                queue += [(name, further, asked) for further in requirements_of(active[name])]
            except LookupError as error:
                yield str(error)
    yield from (
        f"{name} is locked, and nothing requires it"
        for name in active.keys() - {seen for seen, _ in followed}
    )


@pytest.mark.parametrize("lock", OURS)
def test_a_lock_has_all_that_is_required_and_nothing_else(lock: str) -> None:
    locked = entries(lock)
    found: dict[str, set[str]] = {}
    for where, environment in environments().items():
        for violation in violations(lock, locked, environment):
            found.setdefault(violation, set()).add(where)
    everywhere = set(environments())
    lines = [
        f"{text} ({'everywhere' if where == everywhere else '; '.join(sorted(where))})"
        for text, where in sorted(found.items())
    ]
    assert not lines, "\n  ".join([f"{lock} is not whole:", *lines])


@pytest.mark.parametrize("lock", [*OURS, AIRFLOW, *SERVERS])
def test_every_entry_of_a_lock_has_a_hash(lock: str) -> None:
    locked = entries(lock)
    assert len(locked) > (4 if lock in SERVERS else 50)
    assert [
        e.name
        for e in locked
        if not e.hashes
        or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in e.hashes)
    ] == []


@pytest.mark.parametrize("lock", OURS)
def test_every_entry_of_a_lock_is_for_the_pythons_that_install_it(lock: str) -> None:
    # uv heeds no upper bound of Requires-Python, and pip refuses what has passed it.
    refused = []
    for entry in entries(lock):
        wanted = requires.installed_pythons(entry)
        for where, environment in environments().items():
            is_for_it = wanted.contains(environment["python_full_version"])
            if entry.is_active(environment) and not is_for_it:
                refused.append(f"{where}: {entry.name}=={entry.version} is for Python {wanted}")
    assert not refused, "\n  ".join([f"{lock}:", *refused])


def test_the_locks_agree_in_what_they_share() -> None:
    for where, environment in environments().items():
        versions: dict[str, dict[str, str]] = {}
        for lock in OURS:
            for entry in entries(lock):
                if entry.is_active(environment):
                    versions.setdefault(entry.name, {})[lock] = entry.version
        assert {
            name: found for name, found in versions.items() if len(set(found.values())) > 1
        } == {}, where
        lacking = {
            name: found
            for name, found in versions.items()
            if RUNTIME in found and len(found) < len(OURS)
        }
        assert lacking == {}, f"{where}: what running needs belongs in every lock"


def test_running_installs_no_test_tool_and_no_library_of_a_cloud() -> None:
    always, extras = asked_for()
    optional = set().union(*(names(lines) for lines in extras.values())) - names(always)
    locked = {entry.name for entry in entries(RUNTIME)}
    assert locked & optional == set()
    assert {name for name in locked if OF_CLOUDS.match(name)} == set()


@pytest.mark.parametrize("extra", ["onnx", "openvino", "sklearn", "trees"])
def test_who_has_an_engine_of_graphs_has_what_makes_them(extra: str) -> None:
    _, extras = asked_for()
    assert set(LIBRARIES) <= names(extras[extra])


def test_the_image_installs_no_test_tool() -> None:
    always, extras = asked_for()
    wanted = names(always).union(*(names(extras[extra]) for extra in EXTRAS[IMAGE]))
    assert {entry.name for entry in entries(IMAGE)} & (names(extras["test"]) - wanted) == set()


def test_what_is_recorded_for_other_pythons_is_what_the_distributions_say() -> None:
    recorded = requires.recorded_requires()
    listed = requires.entries_of_some()
    assert list(recorded) == [f"{entry.name}=={entry.version}" for entry in listed], "run make lock"
    installed = {
        f"{e.name}=={e.version}": lines
        for e in listed
        if (lines := requires.installed_requires(e)) is not None
    }
    assert installed, "none of them is installed here"
    assert {key: recorded[key] for key in installed} == installed
