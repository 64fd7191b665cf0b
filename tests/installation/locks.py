"""Reads the locks and setup.py, and says which entries of a lock an interpreter on a machine installs."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parent.parent.parent
RUNTIME = "requirements.lock"
TEST = "requirements-test.lock"
IMAGE = "deploy/dataflow/requirements.lock"
AIRFLOW = "tests/deploy/airflow.lock"
SERVERS = tuple(
    f"tests/remote/{name}.lock" for name in ("mlserver", "kserve", "tensorflow", "torchserve")
)

# What the project supports. The oldest patch of each Python: markers that tell patches apart ask for more on older ones.
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")
MACHINES = {
    "Linux x86-64": {
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "sys_platform": "linux",
    },
    "Linux aarch64": {
        "os_name": "posix",
        "platform_machine": "aarch64",
        "platform_system": "Linux",
        "sys_platform": "linux",
    },
    "macOS arm64": {
        "os_name": "posix",
        "platform_machine": "arm64",
        "platform_system": "Darwin",
        "sys_platform": "darwin",
    },
}


@dataclass(frozen=True)
class Entry:
    """One line of a lock: a distribution, when it is installed, and the hashes of its files."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def is_active(self, environment: dict[str, str]) -> bool:
        """Return whether pip installs this entry in an environment."""
        return not self.marker or Marker(self.marker).evaluate(environment)

    def text(self) -> str:
        """Return the entry as it stands in a lock."""
        condition = f" ; {self.marker}" if self.marker else ""
        return (
            " \\\n    ".join(
                [
                    f"{self.name}=={self.version}{condition}",
                    *(f"--hash={value}" for value in self.hashes),
                ]
            )
            + "\n"
        )


def environments() -> dict[str, dict[str, str]]:
    """Return the values of all markers for every supported Python on every supported machine, by its name in words."""
    return {
        f"Python {python.rpartition('.')[0]}, {machine}": {
            "implementation_name": "cpython",
            "implementation_version": python,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "python_full_version": python,
            "python_version": python.rpartition(".")[0],
            "extra": "",
            **values,
        }
        for python in PYTHONS
        for machine, values in MACHINES.items()
    }


def entries(lock: str | Path) -> list[Entry]:
    """Return what a lock names, in its order; a line that is no entry is an error."""
    return list(_parsed((REPOSITORY / lock).read_text()))


def _parsed(text: str) -> Iterator[Entry]:
    for line in text.replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        pinned, _, marker = requirement.partition(";")
        found = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)", pinned.strip())
        assert found is not None, f"no entry of a lock: {line.strip()!r}"
        yield Entry(canonicalize_name(found[1]), found[2], marker.strip(), tuple(hashes))


def asked_for() -> tuple[list[str], dict[str, list[str]]]:
    """Return what setup.py requires always, and with each of its extras, without running its call of setup()."""
    assignments: list[ast.stmt] = [
        node
        for node in ast.parse((REPOSITORY / "setup.py").read_text()).body
        if isinstance(node, ast.Assign)
    ]
    values: dict[str, Any] = {}
    exec(compile(ast.Module(assignments, []), "setup.py", "exec"), values)  # noqa: S102 - our own file
    return values["RUNTIME"], values["EXTRAS"]
