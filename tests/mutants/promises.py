"""Break each promise of the program once, and tell which tests find it: `python -m
tests.mutants.promises`.

Each is broken in a copy of the working tree, where the tests then run as always, so that the
programs that they start are broken, too. One that no test finds ends this with status 1.
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
import os
from pathlib import Path
import queue
import shutil
import subprocess
import sys
import tempfile
import time

from tests.mutants.broken import PROMISES
from tests.mutants.mutations import REPOSITORY
from tests.mutants.promise import Promise

_LONGEST_SECONDS = 1_800
_PYTEST = ["-q", "--no-header", "--tb=line", "-rfE", "-p", "no:cacheprovider"]
_PASSED = 0


def main(argv: Sequence[str]) -> int:
    """Break what the command line names, and return the exit status: 1 when one was not found."""
    arguments = _parse(argv)
    chosen = [
        p for p in PROMISES if not arguments.only or any(w in p.words for w in arguments.only)
    ]
    for promise in chosen:
        broken_text(promise, (REPOSITORY / promise.file).read_text())
    selections = [("tests",) if arguments.all else promise.tests for promise in chosen]
    lost = 0
    with _copies(arguments.jobs) as copies, ThreadPoolExecutor(arguments.jobs) as pool:
        most = arguments.most
        found = pool.map(lambda p, tests: _try(copies, p, tests, most), chosen, selections)
        for number, (promise, (tests, seconds)) in enumerate(zip(chosen, found, strict=True), 1):
            print(
                f"{number:2} of {len(chosen)}  {seconds:5.0f} s  {promise.words}  ({promise.file})"
            )
            for test in tests or ["FOUND BY NO TEST"]:
                print(f"      {test}")
            sys.stdout.flush()
            lost += not tests
    print(f"\n{len(chosen) - lost} of {len(chosen)} broken promises were found")
    return int(lost > 0)


def broken_text(promise: Promise, text: str) -> str:
    """Return a file's text with a promise broken.

    Raises:
        ValueError: what is to be replaced does not stand there exactly once.
    """
    if (count := text.count(promise.old)) != 1:
        raise ValueError(
            f"{promise.file}: {promise.old!r} must stand there once, to break the promise that "
            f"{promise.words}; it does {count} times: mend tests/mutants/broken.py"
        )
    return text.replace(promise.old, promise.new)


def copy_tree(target: Path) -> None:
    """Copy what the repository holds or would hold, and nothing that it ignores."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).exists():  # else it was removed, and that is not committed yet
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name, follow_symlinks=False)


def failed_tests(output: str) -> list[str]:
    """Return the node ids that the end of pytest's output lists as failed.

    >>> failed_tests("1 failed\\nFAILED tests/test_a.py::test_b[x] - assert 1 == 2\\n")
    ['tests/test_a.py::test_b[x]']
    """
    told = [line.split(" ", 1) for line in output.splitlines() if line.startswith(_TELLS)]
    return list(dict.fromkeys(rest.split(" - ")[0] for _, rest in told))


_TELLS = ("FAILED tests", "ERROR tests")


@contextmanager
def _copies(count: int) -> Iterator[queue.Queue[Path]]:
    """Copies of the working tree that threads take and bring back."""
    with tempfile.TemporaryDirectory(prefix="promises-") as folder:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(count):
            copies.put(Path(folder, str(number)))
            copy_tree(Path(folder, str(number)))
        yield copies


def _try(
    copies: queue.Queue[Path], promise: Promise, tests: Sequence[str], most: int
) -> tuple[list[str], float]:
    """Return the tests that fail in a copy in which a promise is broken, and how long that took."""
    copy = copies.get()
    began = time.monotonic()
    try:
        with _broken(copy, promise):
            return _run(copy, tests, most), time.monotonic() - began
    finally:
        copies.put(copy)


@contextmanager
def _broken(copy: Path, promise: Promise) -> Iterator[None]:
    path = copy / promise.file
    whole = path.read_text()
    _write(path, broken_text(promise, whole))
    try:
        yield
    finally:
        _write(path, whole)


def _write(path: Path, text: str) -> None:
    """Write a source file, and drop what was compiled of it, which may pass for fresh."""
    path.write_text(text)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def _run(copy: Path, tests: Sequence[str], most: int) -> list[str]:
    ours = [str(copy), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(ours)}
    command = [sys.executable, "-m", "pytest", *_PYTEST, f"--maxfail={most}"]
    command += [f"--basetemp={copy}-tests"]
    try:
        ended = subprocess.run(
            [*command, *tests],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"tests that were killed after {_LONGEST_SECONDS} s"]
    failed = failed_tests(ended.stdout)
    if not failed and ended.returncode != _PASSED:
        last = "\n".join((ended.stdout + ended.stderr).splitlines()[-20:])
        return [f"pytest ended with status {ended.returncode}: {last}"]
    return failed


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m tests.mutants.promises", description=__doc__, formatter_class=formatter
    )
    parser.add_argument("--all", action="store_true", help="run the whole suite for each promise")
    parser.add_argument("--jobs", type=int, default=1, help="promises at a time (default: 1)")
    most = "stop at that many failed tests of one promise (default: 3)"
    parser.add_argument("--most", type=int, default=3, metavar="N", help=most)
    words = "only promises whose words hold these; may be given several times"
    parser.add_argument("--only", action="append", metavar="WORDS", help=words)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
