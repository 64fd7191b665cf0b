"""The nightly example as it would be installed, and the sample as what it scores."""

import os
from pathlib import Path
import re
import shutil
import sys

import pytest

from tests.deploy.nightly import NIGHTLY, yesterday
from tests.support.forking_python import write_forking_python
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY


@pytest.fixture
def nightly(tmp_path: Path) -> dict[str, str]:
    """Environment of the wrapper, as nightly.env names it, with the sample as the partition of one date and of yesterday."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for room in REPOSITORY.iterdir():
        if room.is_dir() and not room.name.startswith("."):
            (checkout / room.name).symlink_to(room)
    (checkout / ".venv/bin").mkdir(parents=True)
    python = checkout / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for date in ("2026-01-31", yesterday()):
        shutil.copytree(REPOSITORY / "samples/breast_cancer/shards", tmp_path / f"input/dt={date}")
    names = {
        "CHECKOUT": checkout,
        "INPUT": tmp_path / "input",
        "OUTPUT": tmp_path / "scores",
        "LOCK": tmp_path / "lock",
    }
    settings = {"CONFIG": "configs/breast_cancer.yaml", "METRICS": str(tmp_path / "m.prom")}
    assert set(names) | set(settings) == set(
        re.findall(r"^(\w+)=", (NIGHTLY / "nightly.env").read_text(), re.MULTILINE)
    )
    return {"PATH": os.environ["PATH"], **{k: str(v) for k, v in names.items()}, **settings}


@pytest.fixture
def forked_nightly(nightly: dict[str, str], programs: Programs) -> dict[str, str]:
    """The same, with an interpreter whose programs are forked."""
    write_forking_python(Path(nightly["CHECKOUT"]) / ".venv/bin/python", programs.address)
    return nightly
