"""What several tests of storage begin with."""

from collections.abc import Iterator
from pathlib import Path
import uuid

import fsspec
import pytest


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a folder that is not there yet, on a local disk and in memory."""
    if request.param == "local":
        yield str(tmp_path / "in")
        return
    name = f"/{uuid.uuid4().hex}"
    yield f"memory://{name}"
    fsspec.filesystem("memory").rm(name, recursive=True)
