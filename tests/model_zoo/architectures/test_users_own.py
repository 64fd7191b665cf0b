"""A module of a user's is known by its file's digest, and one without a file is refused."""

import hashlib
import json.decoder
from pathlib import Path

import pytest

from configs.errors import JobError
from model_zoo.architectures.users_own import hash_source


def test_a_module_is_known_by_its_file() -> None:
    content = Path(json.decoder.__file__).read_bytes()
    assert hash_source("json.decoder") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("module", ["sys", "no_such_module"])
def test_what_has_no_file_is_not_there(module: str) -> None:
    with pytest.raises(JobError, match=f"^module {module} is not there; "):
        hash_source(module)
