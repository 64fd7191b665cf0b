"""Loading and scoring need no network: the whole program in a network namespace that has a loopback and nothing else."""

from pathlib import Path
import subprocess
import sys

import pytest

from tests.faults.counts import full_or
from tests.support.repository import REPOSITORY

_UP = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))
assert [name for _, name in socket.if_nameindex()] == ["lo"]
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


pytestmark = pytest.mark.program


def isolated(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", _UP, *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def allowed() -> None:
    try:
        works = isolated("-c", "print('up')")
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if works.returncode:
        pytest.skip(
            f"network namespaces are not allowed here: {works.stderr.strip().splitlines()[-1]}"
        )


@pytest.mark.usefixtures("allowed")
def test_the_namespace_reaches_nothing() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    assert "Network is unreachable" in isolated("-c", code).stderr


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "mode", full_or(["multi_threading"], ["multi_threading", "multi_processing"])
)
def test_a_whole_run_needs_no_network(mode: str, tmp_path: Path) -> None:
    """A real start: whatever is looked for on a network, at start-up too, is looked for inside the namespace."""
    flags = [
        "--output",
        str(tmp_path / "scores"),
        "--quiet",
        f"--direct_running_mode={mode}",
        "--direct_num_workers=2",
    ]
    done = isolated("-m", "pipelines.score", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "scores/CURRENT").exists()
