"""Build a file or a folder once, whoever asks for it first: several processes may want it at one moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
import shutil


def built_once(target: Path, build: Callable[[Path], None]) -> Path:
    """Return `target`, built if it is not there; whoever else wants it waits for that.

    Args:
        target: a file or a folder; it gets its name in one move once it is whole.
        build: makes it under the name that it is given.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(f".{target.name}.lock")):
        if not target.exists():
            _build(target, build)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a process that ends gives it up
        yield


def _build(target: Path, build: Callable[[Path], None]) -> None:
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    try:
        build(partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)
