"""A run to write units of, on a disk and in an object store."""

from collections.abc import Iterator
from pathlib import Path
import uuid

import fsspec
import pytest

from storage.run_folder import RunFolder
from tests.support.builders import planned_run


@pytest.fixture(params=["local", "memory"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunFolder]:
    if request.param == "local":
        yield planned_run(str(tmp_path), [])
        return
    name = uuid.uuid4().hex
    yield RunFolder(f"memory:///{name}", "run1")
    if fsspec.filesystem("memory").exists(f"/{name}"):
        fsspec.filesystem("memory").rm(f"/{name}", recursive=True)
