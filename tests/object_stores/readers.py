"""What readers of a store find, while others publish and after."""

from collections.abc import Iterator
from contextlib import contextmanager
import threading
from typing import Any

from storage import files
from storage.layout import find_current_run, read_manifest
from storage.run_folder import RunFolder
from tests.support.publishing import tree

_TIMES = {"published_at", "seconds", "rows_per_second", "peak_memory_bytes", "stages"}


def whole(output: str, run_id: str | None = None) -> dict[str, Any]:
    """Return what a reader gets by CURRENT -> manifest -> files, every file checked: the manifest without its times."""
    run, manifest = read_manifest(output, run_id)
    for entry in manifest["files"] + manifest["rejected_files"]:
        assert files.compute_sha256(f"{run.published}/{entry['path']}") == entry["sha256"]
    assert manifest.keys() >= _TIMES
    return {name: value for name, value in manifest.items() if name not in _TIMES}


def content(run: RunFolder) -> dict[str, bytes]:
    """Return a run's files by name, without the manifest."""
    return {
        name: stored for name, stored in tree(run.published).items() if name != "_manifest.json"
    }


def published(output: str) -> dict[str, bytes]:
    """Return the files of the current run, which is whole."""
    whole(output)
    return content(RunFolder(output, find_current_run(output) or ""))


def check_published(run: RunFolder, reference: RunFolder) -> None:
    """The run stands, byte-equal to the undisturbed one, with nothing beside it and nothing left to clean up."""
    assert find_current_run(run.output) == run.run_id
    assert {**whole(run.output), "run_id": ""} == {
        **whole(reference.output, reference.run_id),
        "run_id": "",
    }
    assert content(run) == content(reference)
    assert files.list_names(f"{run.output}/_tmp") == []


@contextmanager
def watched(output: str) -> Iterator[set[str]]:
    """A reader that looks again and again while the block runs; gives the ids of the runs that it saw, each of them whole."""
    stop, seen, wrong = threading.Event(), set[str](), list[BaseException]()

    def look() -> None:
        try:
            while not stop.is_set():
                seen.add(whole(output)["run_id"])
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            wrong.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield seen
    finally:
        stop.set()
        reader.join()
    assert wrong == []
