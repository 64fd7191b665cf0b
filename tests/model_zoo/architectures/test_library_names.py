"""Names of libraries' networks are told without torch, and each of them has something that builds it."""

import subprocess
import sys

import pytest

from model_zoo.architectures.libraries import LIBRARIES
from model_zoo.architectures.library_names import EXTRAS, is_of_library
from tests.support.repository import REPOSITORY


def test_every_library_that_a_card_may_name_has_something_that_builds_its_networks() -> None:
    assert EXTRAS.keys() == LIBRARIES.keys()
    assert all(is_of_library(f"{library}:some") for library in LIBRARIES)


@pytest.mark.program
def test_a_run_is_planned_without_torch_and_beam() -> None:
    program = (
        "import sys\n"
        "import pipelines.scoring.plan_job\n"
        "sys.exit(any(name in sys.modules for name in ('apache_beam', 'torch', 'pandas')))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
