"""The Makefile's installs give what is locked, and go on doing so when newer versions of everything appear."""

from dataclasses import replace
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

from packaging.utils import canonicalize_name
import pytest

from tests.installation.locks import REPOSITORY, RUNTIME, TEST, Entry, entries
from tests.installation.package_index import package_index, publish

pytestmark = pytest.mark.program

OLDEST_PIP = Path(__file__).with_name("oldest_pip.txt")
# An interpreter whose virtual environments have the oldest pip that a supported Python brings, and nothing else.
_INTERPRETER = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec "{python}" "$@"
for folder; do :; done
"{python}" "$@" --without-pip && exec "{python}" -m zipfile -e "{pip}" "$folder"/lib/python*/site-packages
"""

# The files that say that a step of installing has ended, in their order, with words of what the step does.
_STEPS = {
    ".libraries": "-m venv --clear",
    ".requirements.lock": "--editable .",
    ".requirements-test.lock": "--requirement requirements-test.lock",
}
# What each step reads, or reads first.
_READ = (RUNTIME, "setup.py", TEST)


@pytest.fixture(scope="session")
def oldest_pip() -> Path:
    """The wheel of the oldest pip that this Python may come with; downloaded once."""
    (entry,) = active_entries(OLDEST_PIP)
    wheel = REPOSITORY / f"build/oldest_pip/pip-{entry.version}-py3-none-any.whl"
    if wheel.exists():
        return wheel
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
    ]
    command = [
        *pip,
        "--require-hashes",
        "--requirement",
        str(OLDEST_PIP),
        "--dest",
        str(wheel.parent),
    ]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if run.returncode and not os.environ.get("CI"):
        pytest.skip(f"the oldest pip cannot be downloaded: {run.stderr.strip().splitlines()[-1]}")
    assert run.returncode == 0, run.stderr
    return wheel


@pytest.fixture
def interpreter(oldest_pip: Path, tmp_path: Path) -> Path:
    path = tmp_path / "interpreter"
    path.write_text(_INTERPRETER.format(python=sys.executable, pip=oldest_pip))
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What installing reads of this repository: the Makefile, the packaging, and packages with no code."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "setup.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    for package in ("configs", "model_zoo", "pipelines", "storage", "transforms"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
    return folder


def active_entries(lock: str | Path) -> list[Entry]:
    return [entry for entry in entries(lock) if entry.is_active({})]


def publish_locks(checkout: Path, index: Path) -> None:
    """Fill the index, and give the checkout our locks with the hashes of what is there."""
    hashes = {entry.name: publish(entry, index) for entry in active_entries(TEST)}
    for lock in (RUNTIME, TEST):
        ours = [
            replace(entry, hashes=(hashes[entry.name],)) if entry.is_active({}) else entry
            for entry in entries(lock)
        ]
        (checkout / lock).write_text("".join(entry.text() for entry in ours))


def environment(index: str) -> dict[str, str]:
    """Return the variables of a machine whose pip knows this index alone, and of a make that nobody has given flags."""
    ours = ("PIP_", "MAKE", "MFLAGS", "PYTHON")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) and "proxy" not in name.lower()
    }
    return {
        **kept,
        "PIP_INDEX_URL": index,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_COMPILE": "1",
    }


def make(
    target: str, checkout: Path, interpreter: Path, index: str
) -> subprocess.CompletedProcess[str]:
    command = ["make", target, f"PYTHON={interpreter}", "VENV=environment"]
    return subprocess.run(
        command,
        cwd=checkout,
        env=environment(index),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def installed(checkout: Path, index: str) -> dict[str, str]:
    """Version by name of everything in the environment that make filled."""
    command = [
        checkout / "environment/bin/python",
        "-m",
        "pip",
        "list",
        "--format=json",
        "--disable-pip-version-check",
    ]
    listed = subprocess.run(
        command, cwd=checkout, env=environment(index), capture_output=True, text=True, check=True
    ).stdout
    return {canonicalize_name(row["name"]): row["version"] for row in json.loads(listed)}


def locked(lock: str) -> dict[str, str]:
    """Version by name of what an environment has in which a lock and our package are installed, by the oldest pip."""
    versions = {
        entry.name: entry.version for entry in [*active_entries(lock), *active_entries(OLDEST_PIP)]
    }
    return {**versions, "columnar-batch-prediction": "0.1.0"}


def test_newer_releases_change_nothing_about_what_is_installed(
    checkout: Path, interpreter: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    publish_locks(checkout, folder)
    with package_index(folder) as index:
        for lock in (RUNTIME, TEST):
            run = make(f"environment/.{lock}", checkout, interpreter, index)
            assert run.returncode == 0, run.stdout + run.stderr
            assert installed(checkout, index) == locked(lock)


def list_planned(checkout: Path) -> list[str]:
    """Return the steps that make would do for the environment of tests."""
    target = "environment/.requirements-test.lock"
    command = ["make", "--dry-run", target, f"PYTHON={sys.executable}", "VENV=environment"]
    planned = subprocess.run(
        command, cwd=checkout, env=environment(""), capture_output=True, text=True, check=True
    ).stdout
    return [step for step, words in _STEPS.items() if words in planned]


def test_what_was_interrupted_or_reads_another_file_now_is_done_again_with_all_behind_it(
    checkout: Path,
) -> None:
    (checkout / "environment").mkdir()
    ended = [checkout / "environment" / step for step in _STEPS]
    read = [checkout / name for name in _READ]

    def finish() -> None:
        files = [checkout / "pyproject.toml", *read, *ended]
        for second, path in enumerate(files, start=1_000_000):
            path.touch()
            os.utime(path, (second, second))

    finish()
    assert list_planned(checkout) == []
    for number in range(len(_STEPS)):
        left = list(_STEPS)[number:]
        finish()
        ended[number].unlink()
        assert list_planned(checkout) == left
        finish()
        # Now, which is later than all.
        read[number].touch()
        assert list_planned(checkout) == left
