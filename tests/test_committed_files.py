"""What the repository holds: text, and of binary files only the small sample that the default run scores."""

from pathlib import Path
import subprocess

import pytest

from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.program

SAMPLE = "samples/breast_cancer/"
# A network's weights, committed by mistake, stay in every clone for good.
MOST_BYTES = 600_000


def committed_files() -> list[Path]:
    """Files that git knows, or is about to."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git does not know this folder: it is no clone")
    names = listed.decode().split("\0")
    paths = [REPOSITORY / name for name in names if name]
    return [path for path in paths if path.is_file()]


def test_only_the_sample_is_binary() -> None:
    paths = committed_files()
    assert len(paths) > 500
    binary = [path for path in paths if b"\0" in path.read_bytes()]
    names = [path.relative_to(REPOSITORY).as_posix() for path in binary]
    assert [name for name in names if not name.startswith(SAMPLE)] == []


def test_no_file_is_large() -> None:
    large = [path for path in committed_files() if path.stat().st_size > MOST_BYTES]
    assert large == []
