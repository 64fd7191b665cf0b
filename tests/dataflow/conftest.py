"""The stand-in for the service, the made-up project, and the two environments that the image and a staged package give."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataflow.cloud import Cloud, project
from tests.dataflow.environments import copy_sources, empty_environment, install
from tests.dataflow.service import Outcome, Service, dataflow_service


@pytest.fixture(scope="package")
def _service() -> Iterator[Service]:
    with dataflow_service() as service:
        yield service


@pytest.fixture
def service(_service: Service) -> Service:
    """The stand-in, with nothing asked of it yet."""
    _service.jobs.clear()
    _service.running.clear()
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
    """What the Dockerfile makes of this repository, without its base images and the locks: an environment's python, and /template."""
    folder = tmp_path_factory.mktemp("image")
    template = folder / "template"
    copy_sources(template)
    python = empty_environment(folder / "environment")
    install(python, ".", template)
    return python, template
