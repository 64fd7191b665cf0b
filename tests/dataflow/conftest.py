"""The stand-in for the service, the made-up project, and the two environments that the image and a staged package give."""

from collections.abc import Iterator
from pathlib import Path
import shutil
import subprocess
import sys
import sysconfig

import pytest

from tests.conftest import REPOSITORY
from tests.dataflow.cloud import Cloud, project
from tests.dataflow.dockerfile import copied, instructions
from tests.dataflow.service import Outcome, Service, dataflow_service


@pytest.fixture(scope="package")
def _service() -> Iterator[Service]:
    with dataflow_service() as service:
        yield service


@pytest.fixture
def service(_service: Service) -> Service:
    """The stand-in, with nothing asked of it yet."""
    _service.jobs.clear()
    _service.launches.clear()
    _service.texts.clear()
    _service.run = lambda job: Outcome()
    return _service


@pytest.fixture(scope="package")
def cloud(_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The made-up project."""
    with project(_service, tmp_path_factory.mktemp("project")) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def image(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What the Dockerfile makes of this repository, without its base images and the lock: an environment's python, and /template."""
    folder = tmp_path_factory.mktemp("image")
    template = folder / "template"
    for source, target in copied(instructions()):
        copy = shutil.copytree if (REPOSITORY / source).is_dir() else shutil.copy
        (template / target).parent.mkdir(parents=True, exist_ok=True)
        copy(REPOSITORY / source, template / target)
    python = empty_environment(folder / "environment")
    install(python, ".", template)
    return python, template


def empty_environment(folder: Path) -> Path:
    """A virtual environment with the third-party packages of this one, and without this repository."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n")  # and none of the .pth files in there
    return folder / "bin/python"


def install(python: Path, package: str, folder: Path) -> None:
    """Install a package without its dependencies."""
    command = ["-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-build-isolation", package]
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
