"""A model package in an object store is fetched once per machine, and a copy is never trusted."""

from collections.abc import Iterator
import os
from pathlib import Path
import stat
import threading

import pytest

from configs.errors import ModelError
from model_zoo.package import cache
from model_zoo.package.package import CARD, read_package
from storage import files
from tests.object_stores.proxy import Proxy
from tests.object_stores.servers import Server
from tests.object_stores.stores import at
from tests.support.builders import tiny_network, tiny_package

pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture
def url(bucket: str) -> str:
    return tiny_package(f"{bucket}/models/tiny")


@pytest.fixture
def digest(url: str, tmp_path: Path) -> str:
    """What the launcher, on another machine, saw."""
    return read_package(tiny_package(tmp_path / "same")).digest


@pytest.fixture
def seen(server: Server, proxy: Proxy) -> Iterator[Proxy]:
    """What is asked of the store while the test runs."""
    with at(Server(server.scheme, proxy.address)):
        yield proxy


def copies(machine: Path) -> dict[str, Path]:
    return {p.name: p for folder in machine.glob("model-packages-*") for p in folder.iterdir()}


def test_a_worker_asks_for_nothing_that_its_machine_has(
    url: str, digest: str, machine: Path, seen: Proxy
) -> None:
    first = read_package(url, digest)
    asked = len(seen.requests)
    assert asked >= 5
    assert set(copies(machine)) == {digest, *(entry.sha256 for entry in first.card.files.values())}
    assert read_package(url, digest) == first
    assert len(seen.requests) == asked


def test_a_launcher_asks_for_the_card_and_takes_the_rest(
    url: str, digest: str, seen: Proxy
) -> None:
    first = read_package(url, digest)
    seen.requests.clear()
    assert read_package(url) == first
    assert any(CARD in request for request in seen.requests)
    assert not any("weights" in request for request in seen.requests)


@pytest.mark.parametrize("poison", [b"", b"another", None], ids=["cut", "altered", "gone"])
def test_a_bad_copy_is_fetched_again_and_replaced(
    poison: bytes | None, url: str, digest: str, machine: Path
) -> None:
    first = read_package(url, digest)
    good = {name: path.read_bytes() for name, path in copies(machine).items()}
    for path in copies(machine).values():
        path.unlink() if poison is None else path.write_bytes(poison)
    assert read_package(url, digest) == first
    assert {name: path.read_bytes() for name, path in copies(machine).items()} == good


def test_a_changed_package_is_not_hidden_by_its_copy(url: str, digest: str) -> None:
    assert read_package(url, digest).digest == digest
    files.remove(url)
    tiny_package(url, network=tiny_network(seed=4))
    other = read_package(url).digest
    assert other != digest
    assert read_package(url, other).digest == other
    with pytest.raises(ModelError, match="changed since the run was planned"):
        read_package(url, "0" * 64)


def test_altered_content_in_the_store_is_refused_and_not_kept(
    url: str, digest: str, machine: Path
) -> None:
    files.replace(f"{url}/weights.safetensors", b"altered")
    with pytest.raises(ModelError, match="sha256 differs"):
        read_package(url, digest)
    assert all(p.read_bytes() != b"altered" for p in copies(machine).values())


def test_nobody_else_may_read_or_write_the_copies(url: str, digest: str, machine: Path) -> None:
    read_package(url, digest)
    (folder,) = machine.glob("model-packages-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("trap", ["open to all", "a link", "a file"])
def test_a_folder_that_others_may_write_is_not_used(
    trap: str, url: str, digest: str, machine: Path
) -> None:
    folder = machine / f"model-packages-{os.getuid()}"
    if trap == "open to all":
        folder.mkdir()
        folder.chmod(0o777)
    if trap == "a link":
        (machine / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(machine / "elsewhere")
    if trap == "a file":
        folder.touch()
    assert read_package(url, digest).digest == digest
    assert trap == "a file" or list(folder.iterdir()) == []


def test_workers_that_start_at_once(url: str, digest: str, machine: Path) -> None:
    read, start = list[str](), threading.Barrier(8)

    def work() -> None:
        start.wait()
        read.append(read_package(url, digest).digest)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [digest] * 8
    assert not any(name.startswith(".") for name in copies(machine))


def test_what_was_used_longest_ago_makes_room(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_MOST_BYTES", 2_500)
    contents = [bytes([n]) * 1_000 for n in range(3)]
    for age, content in enumerate(contents[:2]):
        cache.keep_copy(content)
        (newest,) = [p for p in copies(machine).values() if p.read_bytes() == content]
        os.utime(newest, (age, age))
    names = {path.read_bytes(): name for name, path in copies(machine).items()}
    assert cache.read_copy(names[contents[0]]) == contents[0]  # used now
    cache.keep_copy(contents[2])
    assert {p.read_bytes() for p in copies(machine).values()} == {contents[0], contents[2]}
