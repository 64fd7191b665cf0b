"""Environments that hold this project as an installed package, and not as the folder that one stands in."""

from pathlib import Path
import shutil
import subprocess
import sys
import sysconfig

from tests.dataflow.dockerfile import copied, instructions
from tests.support.repository import REPOSITORY


def copy_sources(folder: Path) -> None:
    """Copy what the Dockerfile takes of this repository: building writes beside the sources."""
    for source, target in copied(instructions()):
        copy = shutil.copytree if (REPOSITORY / source).is_dir() else shutil.copy
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        copy(REPOSITORY / source, folder / target)


def empty_environment(folder: Path) -> Path:
    """A virtual environment with the third-party packages of this one, and without this repository."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "third_party.pth").write_text(
        sysconfig.get_path("purelib") + "\n"
    )  # and none of the .pth files in there
    return folder / "bin/python"


def install(python: Path, package: str, folder: Path) -> None:
    """Install a package without its dependencies."""
    command = [
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        package,
    ]
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
